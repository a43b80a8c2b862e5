#include "ApusTestShims.h"

uint64_t apus_test_control(void) {
#if defined(__x86_64__)
  return __builtin_ia32_stmxcsr();
#elif defined(__aarch64__)
  uint64_t value;
  __asm__ volatile("mrs %0, fpcr" : "=r"(value));
  return value;
#else
  return 0;
#endif
}

void apus_test_set_control(uint64_t value) {
#if defined(__x86_64__)
  __builtin_ia32_ldmxcsr((unsigned)value);
#elif defined(__aarch64__)
  __asm__ volatile("msr fpcr, %0" : : "r"(value));
#else
  (void)value;
#endif
}
