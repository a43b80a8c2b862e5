#define _GNU_SOURCE
#include "ApusThreads.h"
#include <sched.h>
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

_Thread_local bool apus_thread_in_region;

static uint32_t *half_of(uint64_t *word, int half) { return (uint32_t *)word + half; } // little-endian, as both CPUs are

bool apus_futex_wait(uint64_t *word, int half, uint32_t expected, uint64_t nanoseconds) {
  struct timespec t = {.tv_sec = (time_t)(nanoseconds / 1000000000), .tv_nsec = (long)(nanoseconds % 1000000000)};
  int saved = errno; // the caller's errno is not ours to change
  long r = syscall(SYS_futex, half_of(word, half), FUTEX_WAIT_PRIVATE, expected, &t, NULL, 0);
  errno = saved;
  return r == 0;
}

int apus_futex_wake(uint64_t *word, int half, int count) {
  int saved = errno;
  long r = syscall(SYS_futex, half_of(word, half), FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
  errno = saved;
  return r > 0 ? (int)r : 0;
}

uint64_t apus_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

// 128 bytes apart: x86 fetches lines in pairs.
static _Alignas(128) uint64_t process_words[4][16];
#define FORKS (&process_words[0][0])
uint64_t *apus_callers_word(void) { return &process_words[1][0]; }
uint64_t *apus_openmp_owner_word(void) { return &process_words[2][0]; }
uint64_t *apus_crowded_word(void) { return &process_words[3][0]; }
uint64_t apus_forks(void) { return apus_load_relaxed(FORKS); }

static void in_child(void) {
  apus_store(FORKS, apus_load_relaxed(FORKS) + 1);
  apus_store(apus_callers_word(), 0);
  apus_store(apus_openmp_owner_word(), 0);
  apus_store(apus_crowded_word(), 0);
}
static void start_watching(void) { pthread_atfork(NULL, NULL, in_child); }

void apus_watch_forks(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, start_watching);
}

// Exported by libdispatch; weak, because the C shims alone do not link it.
extern bool _dispatch_is_fork_of_multithreaded_parent(void) __attribute__((weak));
bool apus_dispatch_lost_threads(void) {
  return _dispatch_is_fork_of_multithreaded_parent && _dispatch_is_fork_of_multithreaded_parent();
}

__attribute__((swiftcall, visibility("hidden"))) void apus_lend_closure(const void *function, const void *context,
                                                                           apus_closure *words) {
  *words = (apus_closure){function, context};
}
// Only a use of the closure after the region: it keeps what the closure captures alive until then.
__attribute__((swiftcall, noinline, visibility("hidden"))) void apus_return_closure(const void *function, const void *context) {
  __asm__ volatile("" ::"r"(function), "r"(context) : "memory");
}

int apus_current_cpu(void) { return sched_getcpu(); }

void apus_leave_cpu(int cpu) {
  cpu_set_t allowed, others;
  if (cpu < 0 || cpu >= CPU_SETSIZE || sched_getcpu() != cpu) return;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return; // more CPUs than the set can name: stay
  others = allowed;
  CPU_CLR(cpu, &others);
  if (CPU_COUNT(&others) == 0 || sched_setaffinity(0, sizeof others, &others) != 0) return;
  sched_setaffinity(0, sizeof allowed, &allowed);
}

void apus_yield(void) { sched_yield(); }
