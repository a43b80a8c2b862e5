/* The instruction set that Apus chooses by itself is the argument; every set above it is refused, not tried. */
#include "check.h"

int main(int count, char **arguments) {
  apus_context_info info = context_info(NULL);
  if (count > 1 && !CHECK(strcmp(apus_isa_name(info.isa), arguments[1]) == 0))
    fprintf(stderr, "  it is %s\n", apus_isa_name(info.isa));
  for (int32_t isa = APUS_ISA_BASELINE; isa <= APUS_ISA_AVX512; isa++) {
    apus_context_options options;
    apus_context *context = NULL;
    CHECK_OK(apus_context_options_init(&options));
    options.isa = isa;
    int available = (info.isa_available & 1 << isa) != 0;
    CHECK_STATUS(available ? APUS_OK : APUS_ERROR_UNSUPPORTED, apus_context_create(&options, &context));
    CHECK(available == (isa <= info.isa));
    apus_context_destroy(context);
  }
  return finish();
}
