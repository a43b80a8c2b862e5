/* The host's own threads: a parallel-for over pthreads, used by several callers at once, gives the bits of serial. */
#include "check.h"
#include "parallel_for.h"
#include "plain_gemm.h"
#include <unistd.h>

static int threads = 4;
static apus_context *context;
static float *a, *b, *expected;
enum { N = 257 };

static void *call(void *unused) {
  float *c = (float *)malloc(N * N * sizeof *c);
  for (int round = 0; round < 20; round++) {
    CHECK_OK(apus_sgemm(context, 101, 111, 112, N, N, N, 1, a, N, b, N, 0, c, N));
    CHECK(memcmp(c, expected, N * N * sizeof *c) == 0);
  }
  free(c);
  return unused;
}

int main(void) {
  alarm(120);
  apus_context_options options;
  CHECK_OK(apus_context_options_init(&options));
  options.threads = threads;
  CHECK_OK(apus_context_create_host(&options, pthread_parallel_for, &threads, &context));
  apus_context_info info = context_info(context);
  CHECK(info.backend == APUS_BACKEND_HOST && info.threads == threads && info.effective_threads == threads);
  apus_context *serial = make_context(APUS_ISA_DEFAULT, APUS_BACKEND_SERIAL, 1);
  a = (float *)random_elements(APUS_FLOAT32, N * N, 1);
  b = (float *)random_elements(APUS_FLOAT32, N * N, 2);
  expected = (float *)malloc(N * N * sizeof *expected);
  CHECK_OK(apus_sgemm(serial, 101, 111, 112, N, N, N, 1, a, N, b, N, 0, expected, N));
  pthread_t callers[3];
  for (int i = 0; i < 3; i++) CHECK(pthread_create(&callers[i], NULL, call, NULL) == 0);
  for (int i = 0; i < 3; i++) pthread_join(callers[i], NULL);
  apus_context_destroy(serial);
  apus_context_destroy(context);
  free(a);
  free(b);
  free(expected);
  return finish();
}
