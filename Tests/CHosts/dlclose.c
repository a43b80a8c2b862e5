/* A plug-in's life: libapus is loaded, used by its team, closed while the team lingers, and loaded again. This host
 * does not link libapus. The argument is the library's path. */
#include <apus.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef apus_status (*options_init)(apus_context_options *);
typedef apus_status (*create)(const apus_context_options *, apus_context **);
typedef void (*destroy)(apus_context *);
typedef apus_status (*sgemm)(const apus_context *, int32_t, int32_t, int32_t, int64_t, int64_t, int64_t, float,
                             const float *, int64_t, const float *, int64_t, float, float *, int64_t);

/* memcpy, because ISO C has no cast from a pointer to data to one to a function. */
static void find(void *library, const char *name, void *function) {
  void *symbol = dlsym(library, name);
  if (!symbol) {
    fprintf(stderr, "%s\n", dlerror());
    exit(EXIT_FAILURE);
  }
  memcpy(function, &symbol, sizeof symbol);
}

int main(int count, char **arguments) {
  enum { N = 256 };
  alarm(120);
  float *data = (float *)calloc(3 * N * N, sizeof *data);
  for (int i = 0; i < 2 * N * N; i++) data[i] = 1;
  for (int round = 0; count > 1 && round < 20; round++) {
    void *library = dlopen(arguments[1], RTLD_NOW | (round % 2 ? RTLD_LOCAL : RTLD_GLOBAL));
    if (!library) {
      fprintf(stderr, "%s\n", dlerror());
      return EXIT_FAILURE;
    }
    options_init init_options;
    create create_context;
    destroy destroy_context;
    sgemm multiply;
    find(library, "apus_context_options_init", &init_options);
    find(library, "apus_context_create", &create_context);
    find(library, "apus_context_destroy", &destroy_context);
    find(library, "apus_sgemm", &multiply);
    apus_context_options options;
    apus_context *context = NULL;
    init_options(&options);
    options.backend = APUS_BACKEND_DISPATCH;
    options.threads = 2;
    options.linger_us = 10000;
    if (create_context(&options, &context) != APUS_OK ||
        multiply(context, 101, 111, 111, N, N, N, 1, data, N, data + N * N, N, 0, data + 2 * N * N, N) != APUS_OK ||
        data[2 * N * N] != N)
      return EXIT_FAILURE;
    destroy_context(context);
    if (dlclose(library) != 0) return EXIT_FAILURE;
    struct timespec pause = {0, round % 4 * 8000000L}; /* while the team lingers, and after it has parked */
    nanosleep(&pause, NULL);
  }
  free(data);
  return count > 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}
