#include "worker.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  const apus_context *context;
  apus_conv_plan *plan;
  apus_conv_args args;
  float *x, *y, *weights;
  void *packed;
} conv_state;

static void conv_call(void *state) {
  conv_state *s = state;
  apus_conv_run(s->context, s->plan, &s->args);
}

static void conv_release(void *state) {
  conv_state *s = state;
  apus_conv_plan_destroy(s->plan);
  free(s->x);
  free(s->y);
  free(s->weights);
  free(s->packed);
  free(s);
}

// The driver's formula goes by the index in NCHW order, whatever the layout.
static void fill_image(float *p, int32_t layout, long n, long c, long pixels, uint32_t seed) {
  size_t count = (size_t)(n * c * pixels);
  if (layout == APUS_LAYOUT_NCHW) {
    fill(p, count, seed);
    return;
  }
  float *plain = floats(count);
  if (!plain) return;
  fill(plain, count, seed);
  for (long i = 0; i < n; i++)
    for (long j = 0; j < c; j++)
      for (long k = 0; k < pixels; k++) p[(i * pixels + k) * c + j] = plain[(i * c + j) * pixels + k];
  free(plain);
}

// Weights, and their gradient, are in the plan's own form, as every peer may have them.
const char *conv_setup(const request *r, const apus_context *context, workload *w) {
  const char *op = request_text(r, "op", ""), *layout = getenv("LAYOUT");
  long n = request_number(r, "n", 0), c = request_number(r, "c", 0), k = request_number(r, "k", 0);
  long stride = request_number(r, "s", 1), pad = request_number(r, "p", 0);
  int64_t input[2] = {request_number(r, "h", 0), request_number(r, "w", 0)};
  int64_t kernel[2] = {request_number(r, "kh", 0), request_number(r, "kw", 0)};
  int32_t direction = !strcmp(op, "conv_fwd")     ? APUS_FORWARD
                      : !strcmp(op, "conv_bwd_d") ? APUS_BACKWARD_DATA
                                                  : APUS_BACKWARD_WEIGHTS;
  apus_conv_desc desc;
  if (apus_conv_desc_init(&desc, APUS_FLOAT32, 2, c, k, input, kernel) != APUS_OK) return "description";
  desc.batch = n;
  desc.groups = request_number(r, "g", 1);
  for (int i = 0; i < 2; i++) {
    desc.stride[i] = stride;
    desc.pad_before[i] = desc.pad_after[i] = pad;
  }
  desc.flags = APUS_CONV_PACKED_WEIGHTS;
  // Where the layout is ours to choose, planes for what runs along them.
  int32_t first = 0, count = 0;
  apus_conv_algorithms(context, &desc, direction, &first, 1, &count);
  if (layout && (!strcmp(layout, "nchw") || (!strcmp(layout, "any") && first == APUS_CONV_PLANES)))
    desc.x_layout = desc.y_layout = APUS_LAYOUT_NCHW;
  conv_state *s = calloc(1, sizeof *s);
  if (!s) return "memory";
  s->context = context;
  apus_conv_info info = {.struct_size = sizeof info};
  apus_conv_args_init(&s->args);
  if (apus_conv_plan_create(context, &desc, direction, &s->plan) != APUS_OK ||
      apus_conv_plan_get_info(context, s->plan, &info) != APUS_OK) {
    fprintf(stderr, "apus-peer-worker: %s\n", apus_last_error());
    conv_release(s);
    return "plan";
  }
  long in = (long)(input[0] * input[1]), out = (long)(info.output[0] * info.output[1]);
  size_t xs = (size_t)(n * c * in), ys = (size_t)(n * k * out);
  size_t ws = (size_t)(k * (c / desc.groups) * kernel[0] * kernel[1]);
  s->x = floats(xs);
  s->y = floats(ys);
  s->weights = floats(ws);
  s->packed = floats((size_t)info.packed_weights_bytes / sizeof(float) + 1);
  if (!s->x || !s->y || !s->weights || !s->packed) {
    conv_release(s);
    return "memory";
  }
  if (direction != APUS_BACKWARD_DATA) fill_image(s->x, desc.x_layout, n, c, in, 1);
  if (direction != APUS_FORWARD) fill_image(s->y, desc.y_layout, n, k, out, 3);
  if (direction != APUS_BACKWARD_WEIGHTS) fill(s->weights, ws, 2);
  apus_conv_pack_weights(context, s->plan, s->weights, s->packed, (size_t)info.packed_weights_bytes);
  s->args.x = s->x;
  s->args.weights = s->packed;
  s->args.y = s->y;
  s->args.dy = s->y;
  s->args.dx = s->x;
  s->args.dw = s->packed;
  *w = (workload){.call = conv_call, .release = conv_release, .state = s};
  conv_call(s);
  if (direction == APUS_BACKWARD_WEIGHTS) apus_conv_unpack_weights(context, s->plan, s->packed, s->weights);
  w->checksum = direction == APUS_FORWARD         ? sum_of_magnitudes(s->y, ys)
                : direction == APUS_BACKWARD_DATA ? sum_of_magnitudes(s->x, xs)
                                                  : sum_of_magnitudes(s->weights, ws);
  snprintf(w->info, sizeof w->info, "%s", apus_conv_algorithm_name(info.algorithm));
  return NULL;
}
