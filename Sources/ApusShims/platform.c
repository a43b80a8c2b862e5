#define _GNU_SOURCE
#include "ApusPlatform.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#if defined(__x86_64__) && !defined(APUS_PORTABLE)
#include <cpuid.h>
apus_cpuid_registers apus_cpuid(uint32_t leaf, uint32_t subleaf) {
  apus_cpuid_registers r;
  __cpuid_count(leaf, subleaf, r.eax, r.ebx, r.ecx, r.edx);
  return r;
}
uint64_t apus_xcr0(void) {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t)high << 32 | low;
}
#endif

int apus_affinity_count(void) {
  // The kernel refuses a mask shorter than its own (EINVAL): grow until it fits.
  for (int cpus = 1024; cpus <= 1 << 20; cpus *= 4) {
    cpu_set_t *first = CPU_ALLOC(cpus), *own = CPU_ALLOC(cpus);
    size_t bytes = CPU_ALLOC_SIZE(cpus);
    int count = 0;
    bool retry = false;
    if (first && own) {
      CPU_ZERO_S(bytes, first);
      CPU_ZERO_S(bytes, own);
      if (sched_getaffinity(getpid(), bytes, first) == 0 && sched_getaffinity(0, bytes, own) == 0) {
        CPU_OR_S(bytes, first, first, own);
        count = CPU_COUNT_S(bytes, first);
      } else {
        retry = errno == EINVAL;
      }
    }
    CPU_FREE(first);
    CPU_FREE(own);
    if (!retry) return count;
  }
  return 0;
}

ptrdiff_t apus_read_file(const char *path, void *buffer, size_t capacity) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return -1;
  size_t have = 0;
  while (have < capacity) {
    ssize_t n = read(file, (char *)buffer + have, capacity - have);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    have += (size_t)n;
  }
  close(file);
  return (ptrdiff_t)have;
}
