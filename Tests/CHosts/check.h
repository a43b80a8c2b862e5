/* What the C hosts share. Every host is compiled as C99 and as C++, so this is both. */
#ifndef CHECK_H
#define CHECK_H

#include <apus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int check_failures;

static inline int check_that(int holds, const char *what, const char *file, int line) {
  /* A loop that fails says so thirty times, not thousands of times. */
  if (!holds && __sync_fetch_and_add(&check_failures, 1) < 30)
    fprintf(stderr, "%s:%d: failed: %s\n", file, line, what);
  return holds;
}

/* The status wanted; the message of any other one is printed. */
static inline int check_status(apus_status got, apus_status want, const char *what, const char *file, int line) {
  if (!check_that(got == want, what, file, line))
    fprintf(stderr, "  %s instead of %s: %s\n", apus_status_name(got), apus_status_name(want), apus_last_error());
  return got == want;
}

#define CHECK(condition) check_that((condition) ? 1 : 0, #condition, __FILE__, __LINE__)
#define CHECK_STATUS(want, call) check_status(call, want, #call, __FILE__, __LINE__)
#define CHECK_OK(call) CHECK_STATUS(APUS_OK, call)

enum { SKIPPED = 77 };

static inline int skipped(const char *reason) {
  printf("skipped: %s\n", reason);
  return SKIPPED;
}

static int parts_skipped;

/* A part of a host that cannot run here: the host goes on without it, and says so when it ends. */
static inline void skip_part(const char *reason) {
  skipped(reason);
  parts_skipped++;
}

static inline int finish(void) { return check_failures ? EXIT_FAILURE : parts_skipped ? SKIPPED : EXIT_SUCCESS; }

/* Contexts: one line each, because hosts make many. Options that are not given are the defaults. */
static inline apus_context *make_context(int32_t isa, int32_t backend, int32_t threads) {
  apus_context_options options;
  apus_context *context = NULL;
  CHECK_OK(apus_context_options_init(&options));
  options.isa = isa;
  options.backend = backend;
  options.threads = threads;
  CHECK_OK(apus_context_create(&options, &context));
  return context;
}

/* NULL, and a part skipped, where no OpenMP run time is installed. */
static inline apus_context *make_openmp_context(int32_t threads) {
  apus_context_options options;
  apus_context *context = NULL;
  CHECK_OK(apus_context_options_init(&options));
  options.backend = APUS_BACKEND_OPENMP;
  options.threads = threads;
  apus_status status = apus_context_create(&options, &context);
  if (status == APUS_ERROR_UNSUPPORTED)
    skip_part("no OpenMP run time is installed");
  else
    CHECK_OK(status);
  return context;
}

static inline apus_context_info context_info(const apus_context *context) {
  apus_context_info info;
  memset(&info, 0, sizeof info);
  info.struct_size = sizeof info;
  CHECK_OK(apus_context_get_info(context, &info));
  return info;
}

#endif
