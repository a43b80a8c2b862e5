/* An OpenMP host, compiled once with gcc (libgomp) and once with clang (libomp): Apus uses the host's own run time
 * outside of its parallel regions, runs serially inside of them, and brings no second run time into the process. */
#include "check.h"
#include "plain_gemm.h"
#include <omp.h>
#include <unistd.h>

enum { N = 300, MOST = 4 };
static float *a, *b, *expected;

static int runtimes_loaded(void) {
  char line[4096];
  int gomp = 0, omp = 0, iomp = 0;
  FILE *maps = fopen("/proc/self/maps", "r");
  while (maps && fgets(line, sizeof line, maps)) {
    if (strstr(line, "/libgomp")) gomp = 1;
    if (strstr(line, "/libomp.so") || strstr(line, "/libomp5.so") || strstr(line, "/libomp-")) omp = 1;
    if (strstr(line, "/libiomp5")) iomp = 1;
  }
  if (maps) fclose(maps);
  return gomp + omp + iomp;
}

static void compute(const apus_context *context, float *c) {
  CHECK_OK(apus_sgemm(context, 101, 111, 111, N, N, N, 1, a, N, b, N, 0, c, N));
  CHECK(memcmp(c, expected, N * N * sizeof *c) == 0);
}

int main(void) {
  alarm(240);
  float *c = (float *)malloc(MOST * N * N * sizeof *c);
  a = (float *)random_elements(APUS_FLOAT32, N * N, 1);
  b = (float *)random_elements(APUS_FLOAT32, N * N, 2);
  expected = (float *)malloc(N * N * sizeof *expected);
  apus_context *serial = make_context(APUS_ISA_DEFAULT, APUS_BACKEND_SERIAL, 1);
  CHECK_OK(apus_sgemm(serial, 101, 111, 111, N, N, N, 1, a, N, b, N, 0, expected, N));

  omp_set_num_threads(2);
  apus_context *context = make_context(APUS_ISA_DEFAULT, APUS_BACKEND_OPENMP, 2);
  CHECK(context_info(context).effective_threads == 2);
  for (int round = 0; round < 30; round++) {
    compute(context, c);
#pragma omp parallel num_threads(MOST)
    {
      CHECK(context_info(context).effective_threads == 1);
      compute(context, c + omp_get_thread_num() * N * N);
    }
#pragma omp parallel for
    for (int i = 0; i < MOST; i++) compute(context, c + i * N * N);
  }
  CHECK(runtimes_loaded() == 1);
  apus_context_destroy(context);
  apus_context_destroy(serial);
  free(a);
  free(b);
  free(c);
  free(expected);
  return finish();
}
