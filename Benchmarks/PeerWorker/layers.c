#include "worker.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Elementwise functions, softmax and normalisation.
typedef struct {
  const apus_context *context;
  int backward, is_add;
  apus_elementwise_desc element;
  apus_softmax_desc softmax;
  apus_norm_desc norm;
  apus_norm_args args;
  apus_tensor tensor;
  float *x, *y, *z, *gamma, *beta, *mean, *scale, *dgamma, *dbeta;
} layer_state;

static void layer_release(void *state) {
  layer_state *s = state;
  float *all[] = {s->x, s->y, s->z, s->gamma, s->beta, s->mean, s->scale, s->dgamma, s->dbeta};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
  free(s);
}

static void elt_call(void *state) {
  layer_state *s = state;
  if (s->backward)
    apus_elementwise_backward(s->context, &s->element, s->x, s->y, s->z);
  else if (s->is_add)
    apus_binary(s->context, APUS_BINARY_ADD, &s->tensor, s->x, &s->tensor, s->y, &s->tensor, s->z);
  else
    apus_elementwise_forward(s->context, &s->element, s->x, s->z);
}

static void softmax_call(void *state) {
  layer_state *s = state;
  if (s->backward)
    apus_softmax_backward(s->context, &s->softmax, s->x, s->y, s->z);
  else
    apus_softmax_forward(s->context, &s->softmax, s->x, s->z);
}

static void norm_call(void *state) {
  layer_state *s = state;
  if (s->backward)
    apus_norm_backward(s->context, &s->norm, &s->args);
  else
    apus_norm_forward(s->context, &s->norm, &s->args);
}

static layer_state *make(const apus_context *context, size_t count, size_t parameters) {
  layer_state *s = calloc(1, sizeof *s);
  if (!s) return NULL;
  s->context = context;
  float **large[] = {&s->x, &s->y, &s->z};
  float **small[] = {&s->gamma, &s->beta, &s->mean, &s->scale, &s->dgamma, &s->dbeta};
  int complete = 1;
  for (int i = 0; i < 3; i++) complete &= (*large[i] = floats(count)) != NULL;
  for (int i = 0; i < 6; i++) complete &= (*small[i] = floats(parameters)) != NULL;
  if (complete) return s;
  layer_release(s);
  return NULL;
}

static void finish(layer_state *s, workload *w, void (*call)(void *), size_t count) {
  *w = (workload){.call = call, .release = layer_release, .state = s};
  call(s);
  w->checksum = sum_of_magnitudes(s->z, count);
  snprintf(w->info, sizeof w->info, "apus");
}

// elt f n: relu, relu_bwd (by x), add, tanh, sigmoid, gelu, exp.
const char *elt_setup(const request *r, const apus_context *context, workload *w) {
  static const struct {
    const char *name;
    int32_t function;
  } functions[] = {{"relu", APUS_ACTIVATION_RELU},       {"relu_bwd", APUS_ACTIVATION_RELU}, {"tanh", APUS_ACTIVATION_TANH},
                   {"sigmoid", APUS_ACTIVATION_SIGMOID}, {"gelu", APUS_ACTIVATION_GELU},     {"exp", APUS_FUNCTION_EXP},
                   {"add", APUS_ACTIVATION_NONE}};
  const char *f = request_text(r, "f", "relu");
  int64_t n = request_number(r, "n", 0);
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
    if (strcmp(f, functions[i].name)) continue;
    layer_state *s = make(context, (size_t)n, 1);
    if (!s) return "memory";
    apus_elementwise_desc_init(&s->element, APUS_FLOAT32, functions[i].function, n);
    apus_tensor_init(&s->tensor, APUS_FLOAT32, 1, &n);
    s->backward = !strcmp(f, "relu_bwd");
    s->is_add = !strcmp(f, "add");
    fill(s->x, (size_t)n, 1);
    fill(s->y, (size_t)n, 2);
    finish(s, w, elt_call, (size_t)n);
    return NULL;
  }
  return "function";
}

// softmax_fwd, softmax_bwd n c: along rows.
const char *softmax_setup(const request *r, const apus_context *context, workload *w) {
  int64_t shape[] = {request_number(r, "n", 0), request_number(r, "c", 0)};
  size_t count = (size_t)(shape[0] * shape[1]);
  layer_state *s = make(context, count, 1);
  if (!s) return "memory";
  apus_softmax_desc_init(&s->softmax, APUS_FLOAT32, 2, shape, -1);
  fill(s->x, count, 1);
  if (!strcmp(request_text(r, "op", ""), "softmax_bwd")) {
    softmax_call(s);
    memcpy(s->x, s->z, count * sizeof(float));
    fill(s->y, count, 2);
    s->backward = 1;
  }
  finish(s, w, softmax_call, count);
  return NULL;
}

// lnorm_fwd, lnorm_bwd n c: rows. bnorm_fwd, bnorm_bwd n c h w: training; LAYOUT nhwc on request.
const char *norm_setup(const request *r, const apus_context *context, workload *w) {
  const char *op = request_text(r, "op", ""), *layout = getenv("LAYOUT");
  int is_batch = op[0] == 'b', last = layout && !strcmp(layout, "nhwc");
  int64_t n = request_number(r, "n", 0), c = request_number(r, "c", 0);
  int64_t plane = is_batch ? request_number(r, "h", 1) * request_number(r, "w", 1) : 1;
  size_t count = (size_t)(n * c * plane);
  layer_state *s = make(context, count, (size_t)(n + c));
  if (!s) return "memory";
  apus_norm_desc_init(&s->norm, APUS_FLOAT32, is_batch ? APUS_NORM_BATCH : APUS_NORM_LAYER, n, c, plane);
  if (last) s->norm.layout = APUS_LAYOUT_NHWC;
  fill_tensor(s->x, n, c, plane, last, 1);
  fill(s->gamma, (size_t)c, 2);
  fill(s->beta, (size_t)c, 3);
  apus_norm_args_init(&s->args);
  s->args.x = s->x;
  s->args.gamma = s->gamma;
  s->args.beta = s->beta;
  s->args.y = s->z;
  s->args.mean = s->mean;
  s->args.scale = s->scale;
  if (strstr(op, "_bwd")) {
    norm_call(s);
    fill_tensor(s->y, n, c, plane, last, 4);
    s->args.dy = s->y;
    s->args.dx = s->z;
    s->args.dgamma = s->dgamma;
    s->args.dbeta = s->dbeta;
    s->backward = 1;
  }
  finish(s, w, norm_call, count);
  return NULL;
}
