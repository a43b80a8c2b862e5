#include "worker.h"
#include <stdio.h>
#include <stdlib.h>

typedef struct {
  const apus_context *context;
  apus_gemm_plan *plan;
  apus_gemm_args args;
  float *a, *b, *c;
} gemm_state;

static void gemm_call(void *state) {
  gemm_state *s = state;
  apus_gemm_run(s->context, s->plan, &s->args);
}

static void gemm_release(void *state) {
  gemm_state *s = state;
  apus_gemm_plan_destroy(s->plan);
  free(s->a);
  free(s->b);
  free(s->c);
  free(s);
}

// Row-major C(m, n) = op(A) op(B); nothing is packed ahead.
const char *gemm_setup(const request *r, const apus_context *context, workload *w) {
  long m = request_number(r, "m", 0), n = request_number(r, "n", 0), k = request_number(r, "k", 0);
  long ta = request_number(r, "ta", 0), tb = request_number(r, "tb", 0);
  gemm_state *s = calloc(1, sizeof *s);
  if (!s) return "memory";
  s->context = context;
  s->a = floats((size_t)(m * k));
  s->b = floats((size_t)(k * n));
  s->c = floats((size_t)(m * n));
  apus_gemm_desc desc;
  apus_gemm_desc_init(&desc, APUS_FLOAT32, m, n, k);
  if (ta) {
    desc.trans_a = APUS_TRANS;
    desc.lda = m;
  }
  if (tb) {
    desc.trans_b = APUS_TRANS;
    desc.ldb = k;
  }
  apus_gemm_args_init(&s->args);
  s->args.a = s->a;
  s->args.b = s->b;
  s->args.c = s->c;
  if (!s->a || !s->b || !s->c || apus_gemm_plan_create(context, &desc, &s->plan) != APUS_OK) {
    fprintf(stderr, "apus-peer-worker: %s\n", apus_last_error());
    gemm_release(s);
    return "plan";
  }
  fill(s->a, (size_t)(m * k), 1);
  fill(s->b, (size_t)(k * n), 2);
  *w = (workload){.call = gemm_call, .release = gemm_release, .state = s};
  gemm_call(s);
  w->checksum = sum_of_magnitudes(s->c, (size_t)(m * n));
  snprintf(w->info, sizeof w->info, "apus");
  return NULL;
}
