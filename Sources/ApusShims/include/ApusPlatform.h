// What the CPU and the system say about themselves, raw: the engine's Platform folder reads meaning into it.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
// Not part of the C contract: libapus, whose version script exports apus_*, must not export these.
#pragma GCC visibility push(hidden)

#if defined(__x86_64__) && !defined(APUS_PORTABLE)
// CPUID of one leaf and subleaf: eax, ebx, ecx, edx.
typedef struct apus_cpuid_registers {
  uint32_t eax, ebx, ecx, edx;
} apus_cpuid_registers;
apus_cpuid_registers apus_cpuid(uint32_t leaf, uint32_t subleaf);
// Extended control register 0: the register state that the system saves. Only where CPUID has OSXSAVE (else SIGILL).
uint64_t apus_xcr0(void);
#endif

// How many CPUs the affinity masks of the process's first thread and of the calling thread have together: a host may
// have pinned either. 0 where the system does not say.
int apus_affinity_count(void);

// Reads up to `capacity` bytes of a file; returns how many, or -1.
ptrdiff_t apus_read_file(const char *path, void *buffer, size_t capacity);
#pragma GCC visibility pop
