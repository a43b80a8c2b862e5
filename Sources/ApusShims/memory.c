#define _GNU_SOURCE
#include "ApusMemory.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>

#include <stdlib.h>
#include <sys/mman.h>

static const size_t huge_page = (size_t)2 << 20;

void *apus_allocate(size_t bytes) {
  if (bytes == 0) bytes = 1;
  size_t alignment = bytes >= 2 * huge_page ? huge_page : 64;
  if (bytes > SIZE_MAX - alignment) return NULL;
  void *p = NULL;
  if (posix_memalign(&p, alignment, (bytes + 63) / 64 * 64) != 0) return NULL;
#ifdef MADV_HUGEPAGE
  if (alignment == huge_page) madvise(p, bytes, MADV_HUGEPAGE); // advice: a refusal costs speed only
#endif
  return p;
}

void apus_free(void *p) { free(p); }

// A thread's buffer. The list of all buffers, under the lock, is what trim walks; `busy` is taken by the owner for the
// length of a call and by trim while it frees.
typedef struct buffer {
  atomic_flag busy;
  void *memory;
  size_t bytes;
  struct buffer *next, **link;
} buffer;

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static buffer *all_buffers;
static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static __thread buffer *own;

static void remove_buffer(void *p) {
  buffer *b = p;
  pthread_mutex_lock(&list_lock);
  *b->link = b->next;
  if (b->next) b->next->link = b->link;
  pthread_mutex_unlock(&list_lock);
  own = NULL;
  free(b->memory);
  free(b);
}

// fork: the lock must not be held by a thread that the child does not have.
static void before_fork(void) { pthread_mutex_lock(&list_lock); }
static void after_fork(void) { pthread_mutex_unlock(&list_lock); }

static void start(void) {
  pthread_key_create(&key, remove_buffer);
  pthread_atfork(before_fork, after_fork, after_fork);
}

static buffer *make_own(void) {
  pthread_once(&once, start);
  buffer *b = calloc(1, sizeof *b);
  if (!b) return NULL;
  if (pthread_setspecific(key, b) != 0) {
    free(b);
    return NULL;
  }
  pthread_mutex_lock(&list_lock);
  b->next = all_buffers;
  b->link = &all_buffers;
  if (b->next) b->next->link = &b->next;
  all_buffers = b;
  pthread_mutex_unlock(&list_lock);
  return own = b;
}

void *apus_buffer_take(size_t bytes) {
  buffer *b = own ? own : make_own();
  if (!b) return NULL;
  while (atomic_flag_test_and_set_explicit(&b->busy, memory_order_acquire)) sched_yield(); // trim is freeing it
  if (b->bytes < bytes) {
    free(b->memory);
    b->memory = apus_allocate(bytes);
    b->bytes = b->memory ? bytes : 0;
    if (!b->memory) {
      apus_buffer_give_back();
      return NULL;
    }
  }
  return b->memory;
}

void apus_buffer_give_back(void) { atomic_flag_clear_explicit(&own->busy, memory_order_release); }

void apus_buffers_trim(void) {
  pthread_mutex_lock(&list_lock);
  for (buffer *b = all_buffers; b; b = b->next)
    if (!atomic_flag_test_and_set_explicit(&b->busy, memory_order_acquire)) {
      free(b->memory);
      b->memory = NULL;
      b->bytes = 0;
      atomic_flag_clear_explicit(&b->busy, memory_order_release);
    }
  pthread_mutex_unlock(&list_lock);
}

size_t apus_buffers_bytes(void) {
  size_t sum = 0;
  pthread_mutex_lock(&list_lock);
  for (buffer *b = all_buffers; b; b = b->next) sum += b->bytes;
  pthread_mutex_unlock(&list_lock);
  return sum;
}
