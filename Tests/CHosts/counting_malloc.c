/* Preloaded: counts every request for memory that the process makes. glibc's own names need no dlsym, which allocates. */
#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

static long requests;
static void count(void) { __sync_fetch_and_add(&requests, 1); }

long counted_requests(void) { return __sync_fetch_and_add(&requests, 0); }

void *malloc(size_t bytes) {
  count();
  return __libc_malloc(bytes);
}

void *calloc(size_t elements, size_t bytes) {
  count();
  return __libc_calloc(elements, bytes);
}

void *realloc(void *p, size_t bytes) {
  count();
  return __libc_realloc(p, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes) {
  count();
  return __libc_memalign(alignment, bytes);
}

void *memalign(size_t alignment, size_t bytes) { return aligned_alloc(alignment, bytes); }

int posix_memalign(void **p, size_t alignment, size_t bytes) {
  void *got = aligned_alloc(alignment, bytes);
  if (!got) return ENOMEM;
  *p = got;
  return 0;
}

void *mmap(void *address, size_t bytes, int protection, int flags, int file, off_t offset) {
  count();
  return (void *)syscall(SYS_mmap, address, bytes, protection, flags, file, offset);
}
