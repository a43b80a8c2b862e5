// What tests need from C: the calling thread's floating-point control register, which Swift cannot reach.
#pragma once
#include <stdint.h>

// MXCSR's bits that change results: denormals are zero, flush to zero, rounding toward zero. On arm64 both kinds of
// flushing are FPCR.FZ.
#if defined(__x86_64__)
#define APUS_TEST_FLUSH UINT64_C(0x8040)
#define APUS_TEST_TOWARD_ZERO UINT64_C(0x6000)
#else
#define APUS_TEST_FLUSH (UINT64_C(1) << 24)
#define APUS_TEST_TOWARD_ZERO (UINT64_C(3) << 22)
#endif

uint64_t apus_test_control(void);
void apus_test_set_control(uint64_t value);

static inline uint64_t apus_test_flush(void) { return APUS_TEST_FLUSH; }
static inline uint64_t apus_test_toward_zero(void) { return APUS_TEST_TOWARD_ZERO; }
