#include "worker.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  const apus_context *context;
  apus_pool_plan *plan;
  apus_pool_args args;
  float *x, *y;
  int32_t *indices;
} pool_state;

static void pool_call(void *state) {
  pool_state *s = state;
  apus_pool_run(s->context, s->plan, &s->args);
}

static void pool_release(void *state) {
  pool_state *s = state;
  apus_pool_plan_destroy(s->plan);
  free(s->x);
  free(s->y);
  free(s->indices);
  free(s);
}

int fill_tensor(float *p, long n, long c, long plane, int last, uint32_t seed) {
  if (!last) {
    fill(p, (size_t)(n * c * plane), seed);
    return 1;
  }
  float *plain = floats((size_t)(n * c * plane));
  if (!plain) return 0;
  fill(plain, (size_t)(n * c * plane), seed);
  for (long i = 0; i < n; i++)
    for (long k = 0; k < c; k++)
      for (long j = 0; j < plane; j++) p[(i * plane + j) * c + k] = plain[(i * c + k) * plane + j];
  free(plain);
  return 1;
}

// pool_fwd n c h w kh s p kind (max, or avg, which counts the padding): y from x; with INDICES=1 a maximum's indices too.
// pool_bwd: dx from dy, a maximum by the indices of the forward pass. Without LAYOUT whichever is faster.
const char *pool_setup(const request *r, const apus_context *context, workload *w) {
  long n = request_number(r, "n", 1), c = request_number(r, "c", 1);
  int64_t input[] = {request_number(r, "h", 1), request_number(r, "w", 1)};
  int64_t window[] = {request_number(r, "kh", 1), request_number(r, "kh", 1)}, output[2];
  int maximum = !strcmp(request_text(r, "kind", "max"), "max"), backward = !strcmp(request_text(r, "op", ""), "pool_bwd");
  const char *layout = getenv("LAYOUT");
  // A pixel of fewer channels does not fill a vector.
  int last = !layout || !strcmp(layout, "any") ? c >= 16 : !strcmp(layout, "nhwc");
  apus_pool_desc desc;
  apus_pool_desc_init(&desc, APUS_FLOAT32, maximum ? APUS_POOL_MAX : APUS_POOL_AVERAGE_INCLUDE_PADDING, 2, n, c, input, window);
  desc.layout = last ? APUS_LAYOUT_NHWC : APUS_LAYOUT_NCHW;
  for (int i = 0; i < 2; i++) {
    desc.stride[i] = request_number(r, "s", 1);
    desc.pad_before[i] = desc.pad_after[i] = request_number(r, "p", 0);
  }
  if (apus_pool_output_shape(&desc, output) != APUS_OK) return "shape";
  size_t inputs = (size_t)(n * c * input[0] * input[1]), outputs = (size_t)(n * c * output[0] * output[1]);
  pool_state *s = calloc(1, sizeof *s);
  if (!s) return "memory";
  s->context = context;
  s->x = floats(inputs);
  s->y = floats(outputs);
  s->indices = (int32_t *)floats(outputs);
  apus_pool_args_init(&s->args);
  if (!s->x || !s->y || !s->indices || !fill_tensor(s->x, n, c, input[0] * input[1], last, 1) ||
      apus_pool_plan_create(context, &desc, APUS_FORWARD, &s->plan) != APUS_OK) {
    fprintf(stderr, "apus-peer-worker: %s\n", apus_last_error());
    pool_release(s);
    return "plan";
  }
  s->args.x = s->x;
  s->args.y = s->y;
  s->args.indices = maximum && (backward || getenv("INDICES")) ? s->indices : NULL;
  if (backward) {
    pool_call(s);
    apus_pool_plan_destroy(s->plan);
    s->plan = NULL;
    if (!fill_tensor(s->y, n, c, output[0] * output[1], last, 3) ||
        apus_pool_plan_create(context, &desc, APUS_BACKWARD_DATA, &s->plan) != APUS_OK) {
      fprintf(stderr, "apus-peer-worker: %s\n", apus_last_error());
      pool_release(s);
      return "plan";
    }
    s->args.x = s->args.y = NULL;
    s->args.dy = s->y;
    s->args.dx = s->x;
  }
  *w = (workload){.call = pool_call, .release = pool_release, .state = s};
  pool_call(s);
  w->checksum = backward ? sum_of_magnitudes(s->x, inputs) : sum_of_magnitudes(s->y, outputs);
  snprintf(w->info, sizeof w->info, "apus_%s", last ? "nhwc" : "nchw");
  return NULL;
}
