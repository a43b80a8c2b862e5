// What the threads of a region need below Swift: atomics on words in shared memory, a futex, the pause instruction, the
// floating-point control register, flags of the thread and of the process, and a closure as two plain words.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#define APUS_THREADS_INLINE static inline __attribute__((always_inline))
// Not part of the C contract: libapus, whose version script exports apus_*, must not export these.
#pragma GCC visibility push(hidden)

// Atomics. Words and not Swift's Atomic, because a futex needs their address. Read-modify-writes are sequentially
// consistent: on x86 the weaker ones are the same instruction, and the team's sleep/wake handshake needs the strong one.
APUS_THREADS_INLINE uint64_t apus_load(const uint64_t *word) { return __atomic_load_n(word, __ATOMIC_SEQ_CST); }
APUS_THREADS_INLINE uint64_t apus_load_relaxed(const uint64_t *word) { return __atomic_load_n(word, __ATOMIC_RELAXED); }
APUS_THREADS_INLINE void apus_store(uint64_t *word, uint64_t value) { __atomic_store_n(word, value, __ATOMIC_SEQ_CST); }
APUS_THREADS_INLINE void apus_store_relaxed(uint64_t *word, uint64_t value) {
  __atomic_store_n(word, value, __ATOMIC_RELAXED);
}
APUS_THREADS_INLINE void apus_store_release(uint64_t *word, uint64_t value) {
  __atomic_store_n(word, value, __ATOMIC_RELEASE);
}
// These return the value before the change.
APUS_THREADS_INLINE uint64_t apus_add(uint64_t *word, uint64_t value) {
  return __atomic_fetch_add(word, value, __ATOMIC_SEQ_CST);
}
APUS_THREADS_INLINE uint64_t apus_or(uint64_t *word, uint64_t value) {
  return __atomic_fetch_or(word, value, __ATOMIC_SEQ_CST);
}
APUS_THREADS_INLINE uint64_t apus_and(uint64_t *word, uint64_t value) {
  return __atomic_fetch_and(word, value, __ATOMIC_SEQ_CST);
}
APUS_THREADS_INLINE bool apus_compare_exchange(uint64_t *word, uint64_t expected, uint64_t desired) {
  return __atomic_compare_exchange_n(word, &expected, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

// Tells the core that this is a spin loop.
APUS_THREADS_INLINE void apus_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb" ::: "memory"); // `yield` does nothing on most cores; isb costs about what x86's pause does
#endif
}

// The part of MXCSR or FPCR that changes results (rounding, denormals, trap masks); the sticky exception flags of MXCSR
// are the thread's own and stay out. Not an instruction-set shim: SSE2 is x86-64's baseline, so APUS_PORTABLE keeps it.
APUS_THREADS_INLINE uint64_t apus_fp_control(void) {
#if defined(__x86_64__)
  return __builtin_ia32_stmxcsr() & ~0x3Fu;
#elif defined(__aarch64__)
  uint64_t value;
  __asm__ volatile("mrs %0, fpcr" : "=r"(value));
  return value;
#else
  return 0;
#endif
}
APUS_THREADS_INLINE void apus_set_fp_control(uint64_t value) {
#if defined(__x86_64__)
  __builtin_ia32_ldmxcsr((unsigned)value | (__builtin_ia32_stmxcsr() & 0x3Fu));
#elif defined(__aarch64__)
  __asm__ volatile("msr fpcr, %0" ::"r"(value));
#else
  (void)value;
#endif
}

// One half of a 64-bit word as a futex (0: low bits, 1: high bits). wait returns true when it was woken, false on a
// timeout, a signal, or when the half no longer holds `expected`; like every futex it may also return true for nothing.
bool apus_futex_wait(uint64_t *word, int half, uint32_t expected, uint64_t nanoseconds);
// Wakes at most `count` waiters and returns how many.
int apus_futex_wake(uint64_t *word, int half, int count);

// Monotonic nanoseconds.
uint64_t apus_now(void);

// Whether the calling thread is inside a region's body. Each module reads it often: hence no call.
extern _Thread_local bool apus_thread_in_region;
APUS_THREADS_INLINE bool apus_in_region(void) { return apus_thread_in_region; }
APUS_THREADS_INLINE void apus_set_in_region(bool value) { apus_thread_in_region = value; }

// From the first call on: counts forks, and clears the words below in a child, whose other threads are gone.
void apus_watch_forks(void);
// How often this process and its ancestors forked since apus_watch_forks, as seen from a child; 0 in the first parent.
uint64_t apus_forks(void);
// Whether Dispatch itself says that it lost its threads in a fork (of any ancestor, before apus_watch_forks too).
bool apus_dispatch_lost_threads(void);

// Words of the process that a forked child starts anew: how many host threads are in a region, whether one of them
// owns the OpenMP team, and until when regions stay serial because callers fill the CPUs. Each on lines of its own.
uint64_t *apus_callers_word(void);
uint64_t *apus_openmp_owner_word(void);
uint64_t *apus_crowded_word(void);

// A Swift closure (Range<Int>) -> Void that does not escape, as the two words in which Swift passes it. Swift itself
// lets such a closure out only through withoutActuallyEscaping, which allocates twice a region. The words are valid
// between apus_lend_closure and apus_return_closure, which Swift calls with the same closure (see Region.swift).
typedef struct apus_closure {
  const void *function, *context;
} apus_closure;
typedef __attribute__((swiftcall)) void (*apus_range_function)(ptrdiff_t lower, ptrdiff_t upper,
                                                               __attribute__((swift_context)) const void *context);
APUS_THREADS_INLINE void apus_call_closure(apus_closure body, ptrdiff_t lower, ptrdiff_t upper) {
  ((apus_range_function)body.function)(lower, upper, body.context);
}

// Lets another thread have the CPU, if one waits for it.
void apus_yield(void);

// The CPU that the calling thread runs on, or -1.
int apus_current_cpu(void);

// Moves the calling thread off `cpu` if it runs there and may run elsewhere. Its affinity is as before afterwards.
void apus_leave_cpu(int cpu);

#pragma GCC visibility pop
