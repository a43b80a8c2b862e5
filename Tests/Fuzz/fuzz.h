/* What the fuzz targets share: choices from the fuzzer's bytes, memory between guard pages, contexts. A target says before it
 * includes this how large its buffers are and how many it has: enum { MOST = bytes, BUFFERS = number }. */
#ifndef FUZZ_H
#define FUZZ_H

#include <apus.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static inline void die(const char *what) {
  fprintf(stderr, "%s; last error: %s\n", what, apus_last_error());
  abort();
}
#define MUST(condition) ((condition) ? (void)0 : die("failed: " #condition))

/* ------------------------------------------------------------------------------------------------- choices */

static const uint8_t *input;
static size_t input_left;

static inline uint32_t byte(void) { return input_left ? (input_left--, *input++) : 0; }
static inline uint32_t below(uint32_t n) { return (byte() << 8 | byte()) % n; }

static inline int64_t odd_number(void) {
  static const int64_t values[] = {-1, 0, 1, 2, 3, 200, 300, INT32_MAX, (int64_t)INT32_MAX + 1, INT64_MAX, INT64_MIN, INT64_MAX / 8,
                                   (int64_t)1 << 32};
  return below(3) ? values[below(13)] : (int64_t)((uint64_t)below(65536) << (byte() % 60));
}

/* --------------------------------------------------------------------------------- memory between guard pages */

enum { PAGE = 4096 };
static uint8_t *areas[BUFFERS];

/* bytes of memory that end at a guard page, or begin at one. */
static inline void *guarded(int buffer, int64_t bytes, int at_end) {
  uint8_t *area = areas[buffer];
  if (!area) {
    area = (uint8_t *)mmap(NULL, MOST + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (area == MAP_FAILED || mprotect(area + PAGE, MOST, PROT_READ | PROT_WRITE) != 0) die("mmap");
    areas[buffer] = area;
  }
  return area + PAGE + (at_end ? MOST - bytes : 0);
}

/* ------------------------------------------------------------------------------------------------- contexts */

/* A host's parallel-for that runs the tasks from the last to the first. */
static inline void in_order(void *user, int64_t count, apus_task_fn run, void *task) {
  (void)user;
  for (int64_t i = count; i-- > 0;) run(task, i);
}

/* Every instruction set that there is, serial, on the team and on the host's threads. */
enum { CONTEXTS = 9 };
static apus_context *contexts[CONTEXTS];

static inline void make_contexts(void) {
  int n = 0;
  for (int32_t isa = APUS_ISA_BASELINE; isa <= APUS_ISA_AVX512; isa++) {
    apus_context_options options;
    MUST(apus_context_options_init(&options) == APUS_OK);
    options.isa = isa;
    options.backend = APUS_BACKEND_SERIAL;
    if (apus_context_create(&options, &contexts[n]) != APUS_OK) break; /* this CPU's best set was the last */
    n++;
    options.backend = APUS_BACKEND_DISPATCH;
    options.threads = 2;
    MUST(apus_context_create(&options, &contexts[n++]) == APUS_OK);
    options.backend = APUS_BACKEND_DEFAULT;
    options.threads = 3;
    MUST(apus_context_create_host(&options, in_order, NULL, &contexts[n++]) == APUS_OK);
  }
  while (n > 0 && n < CONTEXTS) contexts[n] = contexts[n - 3], n++;
}

#endif
