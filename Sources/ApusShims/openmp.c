#define _GNU_SOURCE
#include "ApusOpenMP.h"
#include <dlfcn.h>
#include <stdatomic.h>
#include <stddef.h>

typedef void (*parallel_function)(void (*)(void *), void *, unsigned, unsigned);
typedef int (*in_parallel_function)(void);

// Two threads may look at the same time: they find the same and write the same, and `parallel`, stored last with
// release order, says that the rest is there.
static _Atomic(parallel_function) parallel;
static _Atomic(in_parallel_function) in_parallel;
static _Atomic(const char *) library;
static atomic_bool survives_fork;

static bool take(void *handle) {
  void *p = dlsym(handle, "GOMP_parallel"), *q = dlsym(handle, "omp_in_parallel");
  if (!p || !q) return false;
  Dl_info where;
  void *own = handle; // the library itself, so that another OpenMP run time in the process does not answer for it
  const char *name = "OpenMP";
  if (dladdr(p, &where) && where.dli_fname) {
    void *h = dlopen(where.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
    if (h && dlsym(h, "GOMP_parallel") == p) {
      own = h;
      if (dlsym(h, "omp_in_parallel")) q = dlsym(h, "omp_in_parallel");
    }
    name = where.dli_fname;
  }
  atomic_store(&in_parallel, (in_parallel_function)q);
  atomic_store(&survives_fork, dlsym(own, "__kmpc_fork_call") != NULL); // only LLVM's family has it
  atomic_store(&library, name);
  atomic_store_explicit(&parallel, (parallel_function)p, memory_order_release);
  return true;
}

bool apus_openmp_find(void) {
  if (atomic_load_explicit(&parallel, memory_order_acquire)) return true;
  if (take(RTLD_DEFAULT)) return true;
  static const char *const loaded[] = {"libgomp.so.1", "libomp.so.5", "libiomp5.so"};
  for (size_t i = 0; i < sizeof loaded / sizeof *loaded; i++) {
    void *h = dlopen(loaded[i], RTLD_LAZY | RTLD_NOLOAD);
    if (h && take(h)) return true;
  }
  void *h = dlopen("libomp.so.5", RTLD_LAZY | RTLD_LOCAL);
  return h && take(h);
}

const char *apus_openmp_library(void) { return atomic_load(&library); }
bool apus_openmp_survives_fork(void) { return atomic_load(&survives_fork); }
bool apus_openmp_in_parallel(void) { return atomic_load_explicit(&in_parallel, memory_order_relaxed)() != 0; }
void apus_openmp_parallel(void (*function)(void *data), void *data, int threads) {
  atomic_load_explicit(&parallel, memory_order_relaxed)(function, data, (unsigned)threads, 0);
}
