/* Many host threads call at once, with one context and with many, with one plan and with many: every result has the
 * bits that one thread alone gets, and nobody waits for ever. */
#include "check.h"
#include "plain_gemm.h"
#include <pthread.h>
#include <unistd.h>

enum { HOSTS = 8, SIZES = 4 };
static const int64_t sizes[SIZES] = {16, 64, 130, 300};
static float *a[SIZES], *b[SIZES], *expected[SIZES];
static apus_gemm_plan *plans[SIZES];
static apus_context *shared;
static int rounds = 300;

static void *call(void *number) {
  int self = *(int *)number;
  apus_context *own = make_context(APUS_ISA_DEFAULT, APUS_BACKEND_DISPATCH, 1 + self % 4);
  float *c = (float *)malloc(300 * 300 * sizeof *c);
  for (int round = 0; round < rounds; round++) {
    int i = (self + round) % SIZES;
    int64_t n = sizes[i];
    const apus_context *context = round % 3 == 0 ? NULL : round % 3 == 1 ? shared : own;
    if (round % 2) {
      CHECK_OK(apus_sgemm(context, 101, 111, 111, n, n, n, 1, a[i], n, b[i], n, 0, c, n));
    } else {
      apus_gemm_args x;
      CHECK_OK(apus_gemm_args_init(&x));
      x.a = a[i];
      x.b = b[i];
      x.c = c;
      CHECK_OK(apus_gemm_run(context, plans[i], &x));
    }
    if (!CHECK(memcmp(c, expected[i], (size_t)(n * n) * sizeof *c) == 0)) break;
    if (round % 50 == 49) apus_trim();
  }
  free(c);
  apus_context_destroy(own);
  return NULL;
}

int main(void) {
  alarm(300); /* a deadlock ends here */
  if (getenv("APUS_TEST_BRIEF")) rounds = 20;
  apus_context *serial = make_context(APUS_ISA_DEFAULT, APUS_BACKEND_SERIAL, 1);
  shared = make_context(APUS_ISA_DEFAULT, APUS_BACKEND_DISPATCH, 2);
  for (int i = 0; i < SIZES; i++) {
    int64_t n = sizes[i];
    apus_gemm_desc d;
    a[i] = (float *)random_elements(APUS_FLOAT32, n * n, 1);
    b[i] = (float *)random_elements(APUS_FLOAT32, n * n, 2);
    expected[i] = (float *)malloc((size_t)(n * n) * sizeof(float));
    CHECK_OK(apus_sgemm(serial, 101, 111, 111, n, n, n, 1, a[i], n, b[i], n, 0, expected[i], n));
    CHECK_OK(apus_gemm_desc_init(&d, APUS_FLOAT32, n, n, n));
    CHECK_OK(apus_gemm_plan_create(shared, &d, &plans[i]));
  }
  pthread_t threads[HOSTS];
  int numbers[HOSTS];
  for (int i = 0; i < HOSTS; i++) {
    numbers[i] = i;
    CHECK(pthread_create(&threads[i], NULL, call, &numbers[i]) == 0);
  }
  for (int i = 0; i < HOSTS; i++) pthread_join(threads[i], NULL);
  for (int i = 0; i < SIZES; i++) {
    apus_gemm_plan_destroy(plans[i]);
    free(a[i]);
    free(b[i]);
    free(expected[i]);
  }
  apus_context_destroy(shared);
  apus_context_destroy(serial);
  return finish();
}
