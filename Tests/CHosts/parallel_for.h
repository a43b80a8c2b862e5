/* A host's own parallel-for over threads that are made for each region: slow, simple, and alive after fork(). */
#ifndef PARALLEL_FOR_H
#define PARALLEL_FOR_H

#include <apus.h>
#include <pthread.h>

typedef struct region {
  int64_t next, count;
  apus_task_fn run;
  void *task;
} region;

static inline void *work_on(void *p) {
  region *r = (region *)p;
  for (int64_t i; (i = __sync_fetch_and_add(&r->next, 1)) < r->count;) r->run(r->task, i);
  return NULL;
}

/* user points to the number of threads. */
static inline void pthread_parallel_for(void *user, int64_t count, apus_task_fn run, void *task) {
  enum { MOST = 16 };
  pthread_t threads[MOST];
  region r = {0, count, run, task};
  int helpers = *(int *)user - 1, started = 0;
  while (started < helpers && started < MOST && pthread_create(&threads[started], NULL, work_on, &r) == 0) started++;
  work_on(&r);
  while (started > 0) pthread_join(threads[--started], NULL);
}

#endif
