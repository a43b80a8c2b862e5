// The host's OpenMP run time, found when first asked for and without a link dependency.
#pragma once
#include <stdbool.h>
// Not part of the C contract: libapus, whose version script exports apus_*, must not export these.
#pragma GCC visibility push(hidden)

// Looks for GOMP_parallel, which libgomp, libomp and libiomp5 all export: among the process's global symbols, in one of
// the three that a host loaded privately, and last by loading libomp.so.5. What is found stays; a failure is retried.
bool apus_openmp_find(void);

// The rest needs apus_openmp_find() to have returned true.

// The file that was found, for messages.
const char *apus_openmp_library(void);
// Whether its team works in a forked child: LLVM's and Intel's do, libgomp's waits forever.
bool apus_openmp_survives_fork(void);
// Whether the calling thread is inside a parallel region of the host.
bool apus_openmp_in_parallel(void);
// Calls function(data) on up to `threads` threads, the caller's among them, and returns when all have returned.
void apus_openmp_parallel(void (*function)(void *data), void *data, int threads);
#pragma GCC visibility pop
