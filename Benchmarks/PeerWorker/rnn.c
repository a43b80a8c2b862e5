#include "worker.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  const apus_context *context;
  apus_rnn_plan *plan;
  apus_rnn_args args;
  float *buffers[8];
  int backward;
} rnn_state;

static void rnn_call(void *state) {
  rnn_state *s = state;
  if (s->backward)
    apus_rnn_backward(s->context, s->plan, &s->args);
  else
    apus_rnn_forward(s->context, s->plan, &s->args);
}

static void rnn_release(void *state) {
  rnn_state *s = state;
  apus_rnn_plan_destroy(s->plan);
  for (size_t i = 0; i < sizeof s->buffers / sizeof *s->buffers; i++) free(s->buffers[i]);
  free(s);
}

// Room for so many bytes in the state's buffer i.
static void *room(rnn_state *s, int i, int64_t bytes) { return s->buffers[i] = floats((size_t)(bytes / 4 + 16)); }

// rnn_fwd cell h n t x: a sequence forward, for inference; with TRAINING=1 it also saves what backward needs. rnn_bwd: all
// gradients. Weights are packed ahead.
const char *rnn_setup(const request *r, const apus_context *context, workload *w) {
  long n = request_number(r, "n", 1), h = request_number(r, "h", 1), t = request_number(r, "t", 1), x = request_number(r, "x", h);
  const char *name = request_text(r, "cell", "lstm");
  int32_t cell = !strcmp(name, "lstm") ? APUS_RNN_LSTM : !strcmp(name, "gru") ? APUS_RNN_GRU : APUS_RNN_TANH;
  rnn_state *s = calloc(1, sizeof *s);
  if (!s) return "memory";
  s->context = context;
  s->backward = !strcmp(request_text(r, "op", ""), "rnn_bwd");
  int training = s->backward || getenv("TRAINING");
  apus_rnn_desc desc;
  apus_rnn_plan_info info = {.struct_size = sizeof info};
  apus_rnn_desc_init(&desc, APUS_FLOAT32, cell, t, n, x, h);
  if (apus_rnn_plan_create(context, &desc, training ? APUS_RNN_TRAINING : APUS_RNN_INFERENCE, &s->plan) != APUS_OK ||
      apus_rnn_plan_get_info(context, s->plan, &info) != APUS_OK) {
    fprintf(stderr, "apus-peer-worker: %s\n", apus_last_error());
    rnn_release(s);
    return "plan";
  }
  float *parameters = room(s, 0, info.parameter_count * 4), *xs = room(s, 1, t * n * x * 4), *y = room(s, 2, t * n * h * 4);
  float *dy = room(s, 3, t * n * h * 4), *dx = room(s, 4, t * n * x * 4), *dparameters = room(s, 5, info.parameter_count * 4);
  void *packed = room(s, 6, info.packed_bytes), *workspace = room(s, 7, info.workspace_bytes);
  if (!parameters || !xs || !y || !dy || !dx || !dparameters || !packed || !workspace) {
    rnn_release(s);
    return "memory";
  }
  fill(parameters, (size_t)info.parameter_count, 2);
  for (int64_t i = 0; i < info.parameter_count; i++) parameters[i] *= 0.1f;
  fill(xs, (size_t)(t * n * x), 1);
  fill(dy, (size_t)(t * n * h), 4);
  apus_rnn_args_init(&s->args);
  s->args.packed = packed;
  s->args.x = xs;
  s->args.y = y;
  s->args.workspace = workspace;
  s->args.workspace_bytes = (size_t)info.workspace_bytes;
  s->args.dy = dy;
  s->args.dx = dx;
  s->args.dparameters = dparameters;
  if (apus_rnn_pack(context, s->plan, parameters, packed, (size_t)info.packed_bytes) != APUS_OK ||
      apus_rnn_forward(context, s->plan, &s->args) != APUS_OK) {
    fprintf(stderr, "apus-peer-worker: %s\n", apus_last_error());
    rnn_release(s);
    return "run";
  }
  *w = (workload){.call = rnn_call, .release = rnn_release, .state = s};
  rnn_call(s);
  w->checksum = s->backward ? sum_of_magnitudes(dx, (size_t)(t * n * x)) : sum_of_magnitudes(y, (size_t)(t * n * h));
  snprintf(w->info, sizeof w->info, "apus_%s", training ? "training" : "inference");
  return NULL;
}
