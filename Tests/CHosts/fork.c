/* fork() after use: in every back end a child computes the parent's bits, and so does its child. An argument names an
 * OpenMP run time that this host has loaded for itself; without one Apus finds its own. */
#include "check.h"
#include "parallel_for.h"
#include "plain_gemm.h"
#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N = 300 };
static float *a, *b, *expected;

static void compute(const apus_context *context) {
  float *c = (float *)malloc(N * N * sizeof *c);
  for (int round = 0; round < 3; round++) {
    memset(c, 0xff, N * N * sizeof *c);
    CHECK_OK(apus_sgemm(context, 101, 111, 111, N, N, N, 1, a, N, b, N, 0, c, N));
    CHECK(memcmp(c, expected, N * N * sizeof *c) == 0);
  }
  free(c);
}

/* What must run on the calling thread alone, because its threads are gone in a child. */
static int loses_team(int32_t backend, const char *runtime) {
  return backend == APUS_BACKEND_DISPATCH ||
         (backend == APUS_BACKEND_OPENMP && runtime && strstr(runtime, "libgomp") != NULL);
}

static void descend(const apus_context *context, int generations, const char *runtime) {
  fflush(NULL);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    alarm(60); /* a child that hangs ends here, and fails its parent */
    apus_context_info info = context_info(context);
    if (loses_team(info.backend, runtime)) CHECK(info.effective_threads == 1);
    compute(context);
    apus_context *fresh = make_context(APUS_ISA_DEFAULT, APUS_BACKEND_DEFAULT, 2);
    compute(fresh);
    apus_trim();
    compute(context);
    if (generations > 1) descend(context, generations - 1, runtime);
    apus_context_destroy(fresh);
    _exit(finish());
  }
  compute(context); /* beside the child */
  int status = -1;
  waitpid(child, &status, 0);
  if (!CHECK(status == 0)) fprintf(stderr, "  back end %s\n", apus_backend_name(context_info(context).backend));
  compute(context);
}

int main(int count, char **arguments) {
  const char *runtime = count > 1 ? arguments[1] : NULL;
  alarm(240);
  if (runtime && !dlopen(runtime, RTLD_NOW | RTLD_GLOBAL)) return skipped("the OpenMP run time is not installed");
  int threads = 2;
  a = (float *)random_elements(APUS_FLOAT32, N * N, 1);
  b = (float *)random_elements(APUS_FLOAT32, N * N, 2);
  expected = (float *)malloc(N * N * sizeof *expected);
  apus_context *serial = make_context(APUS_ISA_DEFAULT, APUS_BACKEND_SERIAL, 1);
  CHECK_OK(apus_sgemm(serial, 101, 111, 111, N, N, N, 1, a, N, b, N, 0, expected, N));
  apus_context_options options;
  CHECK_OK(apus_context_options_init(&options));
  options.threads = threads;
  apus_context *host = NULL;
  CHECK_OK(apus_context_create_host(&options, pthread_parallel_for, &threads, &host));
  apus_context *all[4] = {serial, host, make_context(APUS_ISA_DEFAULT, APUS_BACKEND_DISPATCH, threads),
                          make_openmp_context(threads)};
  for (int i = 0; i < 4 && all[i]; i++) {
    compute(all[i]);
    descend(all[i], 2, runtime);
  }
  for (int i = 0; i < 4; i++) apus_context_destroy(all[i]);
  free(a);
  free(b);
  free(expected);
  return finish();
}
