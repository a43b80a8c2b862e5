/* Recurrent layers through every function of the header, beside the plain loops of plain_rnn.h. */
#include "check.h"
#include "plain_gemm.h"
#include "plain_rnn.h"

static uint32_t seed = 4;
static int64_t below(int64_t n) { return (int64_t)(next_random(&seed) >> 8) % n; }

/* Numbers in -scale to scale that both types have, as doubles. */
static double *numbers(int64_t count, double scale) {
  double *p = rnn_zeros(count);
  for (int64_t i = 0; i < count; i++) p[i] = (double)(float)(((next_random(&seed) >> 8) * (2.0 / (1 << 24)) - 1) * scale);
  return p;
}

/* The same in the type of a run. */
static void *typed(int32_t dtype, const double *p, int64_t count) {
  if (!p) return NULL;
  void *q = malloc((size_t)count * element_size(dtype) + 1);
  for (int64_t i = 0; i < count; i++) put(q, dtype, i, p[i]);
  return q;
}

static apus_rnn_desc problem(int32_t dtype, int32_t cell, int64_t steps, int64_t batch, int64_t input, int64_t hidden) {
  apus_rnn_desc d;
  CHECK_OK(apus_rnn_desc_init(&d, dtype, cell, steps, batch, input, hidden));
  CHECK(d.struct_size == sizeof d && d.layers == 1 && d.biases == 2 && d.direction == APUS_RNN_FORWARD && d.flags == 0);
  CHECK(d.projection == 0 && d.cell_clip == 0 && d.batch == batch && d.hidden == hidden);
  return d;
}

static apus_rnn_desc random_problem(void) {
  int32_t cell = (int32_t)below(5);
  int64_t most = below(8) ? 20 : 80;
  apus_rnn_desc d = problem(below(3) ? APUS_FLOAT32 : APUS_FLOAT64, cell, 1 + below(7), 1 + below(below(3) ? 5 : 20), 1 + below(most),
                            1 + below(most));
  d.direction = (int32_t)below(4);
  d.biases = (int32_t)below(3);
  d.layers = below(3) ? 1 : 2 + below(2);
  if (below(2)) d.flags |= APUS_RNN_BATCH_MAJOR;
  if (cell == APUS_RNN_LSTM) {
    if (below(2)) d.flags |= APUS_RNN_PEEPHOLES;
    if (below(3) == 0 && d.hidden > 1) d.projection = 1 + below(d.hidden - 1);
    if (below(4) == 0) d.cell_clip = 0.3;
  }
  return d;
}

/* What one problem's runs take and should give. */
typedef struct trial {
  apus_rnn_desc d;
  rnn_sizes z;
  int64_t rows, states, cells;
  int lstm;
  double *x, *h0, *c0, *dy, *dhn, *dcn, *w;
  int64_t *lengths;
  uint8_t *dy_steps;
  double *y, *hn, *cn, *dw, *dx, *dh0, *dc0;
} trial;

/* Random data, some of them absent, and the plain result; NaN in the padding of x. */
static trial make_trial(const apus_rnn_desc *d) {
  trial t;
  t.d = *d;
  t.z = rnn_sizes_of(d);
  t.rows = t.z.T * t.z.B;
  t.states = t.z.L * t.z.D * t.z.B * t.z.S;
  t.cells = t.z.L * t.z.D * t.z.B * t.z.H;
  t.lstm = d->cell == APUS_RNN_LSTM;
  double scale = 1;
  while (scale * scale * (double)t.z.H > 1.5) scale *= 0.8;
  t.w = numbers(t.z.count, scale);
  t.x = numbers(t.rows * t.z.I, 1);
  t.h0 = below(2) ? numbers(t.states, 1) : NULL;
  t.c0 = t.lstm && below(2) ? numbers(t.cells, 1) : NULL;
  t.dy = below(4) ? numbers(t.rows * t.z.O, 1) : NULL;
  t.dhn = below(2) ? numbers(t.states, 1) : NULL;
  t.dcn = t.lstm && below(2) ? numbers(t.cells, 1) : NULL;
  t.lengths = NULL;
  if (below(2)) {
    t.lengths = (int64_t *)calloc((size_t)t.z.B, sizeof(int64_t));
    for (int64_t b = 0; b < t.z.B; b++) t.lengths[b] = below(t.z.T + 1);
  }
  t.dy_steps = NULL;
  double *read = rnn_zeros(t.rows * t.z.O);
  if (t.dy) memcpy(read, t.dy, (size_t)(t.rows * t.z.O) * sizeof(double));
  if (below(3) == 0) {
    t.dy_steps = (uint8_t *)calloc((size_t)t.z.T, 1);
    for (int64_t s = 0; s < t.z.T; s++) {
      t.dy_steps[s] = (uint8_t)below(2);
      for (int64_t b = 0; b < t.z.B && !t.dy_steps[s]; b++)
        memset(read + rnn_row(d, s, b) * t.z.O, 0, (size_t)t.z.O * sizeof(double));
    }
  }
  t.y = rnn_zeros(t.rows * t.z.O);
  for (int64_t i = 0; i < t.rows * t.z.O; i++) t.y[i] = 7; /* padding of y stays as it is */
  t.hn = rnn_zeros(t.states), t.cn = rnn_zeros(t.cells);
  t.dw = rnn_zeros(t.z.count), t.dx = rnn_zeros(t.rows * t.z.I), t.dh0 = rnn_zeros(t.states), t.dc0 = rnn_zeros(t.cells);
  plain_rnn_data data = {t.w, t.x, t.h0, t.c0, t.lengths, t.y, t.hn, t.cn, t.dy ? read : NULL, t.dhn, t.dcn, t.dw, t.dx, t.dh0, t.dc0};
  plain_rnn(d, &data);
  for (int64_t s = 0; s < t.z.T && t.lengths; s++)
    for (int64_t b = 0; b < t.z.B; b++)
      for (int64_t i = 0; i < t.z.I && s >= t.lengths[b]; i++) t.x[rnn_row(d, s, b) * t.z.I + i] = 0.0 / (double)below(1);
  free(read);
  return t;
}

static void free_trial(trial *t) {
  double *all[] = {t->x, t->h0, t->c0, t->dy, t->dhn, t->dcn, t->w, t->y, t->hn, t->cn, t->dw, t->dx, t->dh0, t->dc0};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
  free(t->lengths), free(t->dy_steps);
}

static apus_rnn_plan_info info_of(const apus_context *context, const apus_rnn_plan *plan) {
  apus_rnn_plan_info info;
  memset(&info, 0, sizeof info);
  info.struct_size = sizeof info;
  CHECK_OK(apus_rnn_plan_get_info(context, plan, &info));
  return info;
}

/* Forward in both modes, from weights and from packed ones, and backward, overwriting and accumulating. */
static void all_runs(const apus_context *context, const apus_rnn_desc *d) {
  trial t = make_trial(d);
  int32_t dtype = d->dtype;
  size_t element = element_size(dtype);
  apus_rnn_plan *training = NULL, *inference = NULL;
  if (!CHECK_OK(apus_rnn_plan_create(context, d, APUS_RNN_TRAINING, &training)) ||
      !CHECK_OK(apus_rnn_plan_create(context, d, APUS_RNN_INFERENCE, &inference)))
    return;
  apus_rnn_plan_info info = info_of(context, training), lean = info_of(context, inference);
  CHECK(info.flops > 0 && info.backward_flops == 2 * info.flops && info.bytes > 0 && info.parameter_count == t.z.count);
  CHECK(info.workspace_bytes > 0 && lean.workspace_bytes == 0 && lean.packed_bytes < info.packed_bytes && lean.threads >= 1);
  char text[300];
  size_t needed = 0;
  CHECK_OK(apus_rnn_plan_describe(training, text, sizeof text, &needed));
  CHECK(needed == strlen(text) + 1 && strncmp(text, "rnn float", 9) == 0 && strstr(text, ":train") != NULL);
  apus_rnn_args a;
  CHECK_OK(apus_rnn_args_init(&a));
  CHECK(a.struct_size == sizeof a && !a.x && !a.packed && !a.scratch && a.accumulate == 0);
  double terms = 200;
  void *w = typed(dtype, t.w, t.z.count), *packed = malloc((size_t)info.packed_bytes + 1);
  void *y = typed(dtype, t.y, t.rows * t.z.O), *other = typed(dtype, t.y, t.rows * t.z.O);
  for (int64_t i = 0; i < t.rows * t.z.O; i++) put(y, dtype, i, 7), put(other, dtype, i, 7);
  a.x = typed(dtype, t.x, t.rows * t.z.I);
  a.h0 = typed(dtype, t.h0, t.states);
  a.c0 = typed(dtype, t.c0, t.cells);
  a.lengths = t.lengths;
  a.hn = calloc((size_t)t.states, element);
  a.cn = t.lstm ? calloc((size_t)t.cells, element) : NULL;
  a.workspace = malloc((size_t)info.workspace_bytes + 3);
  a.workspace_bytes = (size_t)info.workspace_bytes;
  void *scratch = malloc((size_t)(info.scratch_bytes + lean.scratch_bytes) + 1);
  /* Any alignment of what the caller lends. */
  void *lent = (char *)packed + 1;
  CHECK_OK(apus_rnn_pack(context, training, w, lent, (size_t)info.packed_bytes));
  a.packed = lent;
  a.y = y;
  if (CHECK_OK(apus_rnn_forward(context, training, &a))) {
    CHECK(rnn_mistakes(d, "y", y, t.y, t.rows * t.z.O, terms) == 0);
    CHECK(rnn_mistakes(d, "hn", a.hn, t.hn, t.states, terms) == 0);
    if (t.lstm) CHECK(rnn_mistakes(d, "cn", a.cn, t.cn, t.cells, terms) == 0);
  }
  /* Inference takes what training packed, and has its bits; so has a run that packs for itself. */
  a.y = other;
  a.scratch = scratch;
  a.scratch_bytes = (size_t)lean.scratch_bytes;
  CHECK_OK(apus_rnn_forward(context, inference, &a));
  CHECK(memcmp(y, other, (size_t)(t.rows * t.z.O) * element) == 0);
  a.packed = NULL;
  a.parameters = w;
  for (int64_t i = 0; i < t.rows * t.z.O; i++) put(other, dtype, i, 7);
  CHECK_OK(apus_rnn_forward(context, inference, &a));
  CHECK(memcmp(y, other, (size_t)(t.rows * t.z.O) * element) == 0);
  a.scratch = NULL;

  a.dy = typed(dtype, t.dy, t.rows * t.z.O);
  a.dy_steps = t.dy_steps;
  a.dhn = typed(dtype, t.dhn, t.states);
  a.dcn = typed(dtype, t.dcn, t.cells);
  a.dx = malloc((size_t)(t.rows * t.z.I) * element);
  a.dh0 = malloc((size_t)t.states * element);
  a.dc0 = t.lstm ? malloc((size_t)t.cells * element) : NULL;
  a.dparameters = malloc((size_t)t.z.count * element);
  for (int times = 1; times <= 2; times++) {
    a.accumulate = times == 2;
    a.packed = times == 2 ? lent : NULL;
    if (!CHECK_OK(apus_rnn_backward(context, training, &a))) break;
    for (int64_t i = 0; i < t.z.count && times == 2; i++) t.dw[i] *= 2;
    for (int64_t i = 0; i < t.rows * t.z.I && times == 2; i++) t.dx[i] *= 2;
    for (int64_t i = 0; i < t.states && times == 2; i++) t.dh0[i] *= 2;
    for (int64_t i = 0; i < t.cells && times == 2; i++) t.dc0[i] *= 2;
    CHECK(rnn_mistakes(d, "dparameters", a.dparameters, t.dw, t.z.count, 4 * terms) == 0);
    CHECK(rnn_mistakes(d, "dx", a.dx, t.dx, t.rows * t.z.I, 4 * terms) == 0);
    CHECK(rnn_mistakes(d, "dh0", a.dh0, t.dh0, t.states, 4 * terms) == 0);
    if (t.lstm) CHECK(rnn_mistakes(d, "dc0", a.dc0, t.dc0, t.cells, 4 * terms) == 0);
  }
  apus_rnn_plan_destroy(training);
  apus_rnn_plan_destroy(inference);
  const void *all[] = {a.x, a.h0, a.c0, a.hn, a.cn, a.workspace, a.dy, a.dhn, a.dcn, a.dx, a.dh0, a.dc0, a.dparameters};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free((void *)(size_t)all[i]);
  free(w), free(packed), free(y), free(other), free(scratch);
  free_trial(&t);
}

/* Twelve steps in one piece, and in windows of 5, 1 and 6 whose states are updated in place. */
static void windows(const apus_context *context, int32_t dtype, int32_t cell, int32_t direction) {
  static const int64_t cuts[] = {0, 5, 6, 12};
  enum { B = 3, I = 9, H = 20, L = 2 };
  apus_rnn_desc d = problem(dtype, cell, 12, B, I, H);
  d.layers = L;
  d.direction = direction;
  int64_t count;
  CHECK_OK(apus_rnn_parameter_count(&d, &count));
  size_t element = element_size(dtype), state = L * B * H * element;
  char *w = (char *)random_elements(dtype, count, 1), *x = (char *)random_elements(dtype, 12 * B * I, 2);
  char *y = (char *)calloc(12 * B * H, element), *pieces = (char *)calloc(12 * B * H, element);
  char *h0 = (char *)random_elements(dtype, L * B * H, 3), *c0 = (char *)random_elements(dtype, L * B * H, 4);
  char *hn = (char *)malloc(state), *cn = (char *)malloc(state), *h = (char *)malloc(state), *c = (char *)malloc(state);
  for (int64_t i = 0; i < count; i++) put(w, dtype, i, 0.3 * get(w, dtype, i));
  memcpy(h, h0, state), memcpy(c, c0, state);
  int lstm = cell == APUS_RNN_LSTM;
  apus_rnn_args a;
  apus_rnn_plan *plan = NULL;
  CHECK_OK(apus_rnn_args_init(&a));
  a.parameters = w;
  a.x = x, a.h0 = h0, a.c0 = lstm ? c0 : NULL, a.y = y, a.hn = hn, a.cn = lstm ? cn : NULL;
  CHECK_OK(apus_rnn_plan_create(context, &d, APUS_RNN_INFERENCE, &plan));
  CHECK_OK(apus_rnn_forward(context, plan, &a));
  apus_rnn_plan_destroy(plan);
  a.h0 = a.hn = h;
  if (lstm) a.c0 = a.cn = c;
  for (int i = 0; i < 3; i++) {
    /* The first window of a reversed sequence is its last. */
    int at = direction == APUS_RNN_REVERSE ? 2 - i : i;
    d.steps = cuts[at + 1] - cuts[at];
    a.x = x + (size_t)(cuts[at] * B * I) * element;
    a.y = pieces + (size_t)(cuts[at] * B * H) * element;
    plan = NULL;
    CHECK_OK(apus_rnn_plan_create(context, &d, APUS_RNN_INFERENCE, &plan));
    CHECK_OK(apus_rnn_forward(context, plan, &a));
    apus_rnn_plan_destroy(plan);
  }
  CHECK(memcmp(y, pieces, 12 * B * H * element) == 0);
  CHECK(memcmp(h, hn, state) == 0);
  if (lstm) CHECK(memcmp(c, cn, state) == 0);
  char *all[] = {w, x, y, pieces, h0, c0, hn, cn, h, c};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

/* Out to another format and in again: the same weights; and where a format's rows lie. */
static void formats(void) {
  enum { I = 3, H = 2, B = 1 };
  for (int32_t format = APUS_RNN_FORMAT_ONNX; format <= APUS_RNN_FORMAT_CUDNN; format++)
    for (int32_t cell = APUS_RNN_TANH; cell <= APUS_RNN_GRU_RESET_BEFORE; cell++)
      for (int32_t direction = 0; direction < 2; direction++) {
        int has_projection = cell == APUS_RNN_LSTM && (format == APUS_RNN_FORMAT_ONEDNN || format == APUS_RNN_FORMAT_CUDNN);
        int has_peepholes = cell == APUS_RNN_LSTM && (format == APUS_RNN_FORMAT_ONNX || format == APUS_RNN_FORMAT_ONEDNN);
        int two = format == APUS_RNN_FORMAT_ONNX || format == APUS_RNN_FORMAT_CUDNN ||
                  (format == APUS_RNN_FORMAT_KERAS && cell == APUS_RNN_GRU);
        apus_rnn_desc d = problem(APUS_FLOAT32, cell, 4, B, I, H);
        d.layers = 2;
        d.direction = APUS_RNN_BIDIRECTIONAL;
        d.biases = two ? 2 : 1;
        d.projection = has_projection ? 1 : 0;
        d.flags = has_peepholes ? APUS_RNN_PEEPHOLES : 0;
        int64_t count;
        CHECK_OK(apus_rnn_parameter_count(&d, &count));
        float *own = (float *)random_elements(APUS_FLOAT32, count, 5), *back = (float *)calloc((size_t)count, 4);
        float input[64] = {0}, recurrent[64] = {0}, bias[64] = {0}, projection[8] = {0}, peephole[8] = {0};
        apus_rnn_weights o;
        CHECK_OK(apus_rnn_weights_init(&o, format));
        CHECK(o.struct_size == sizeof o && o.format == format && !o.input && !o.bias);
        o.input = input, o.recurrent = recurrent, o.bias = bias, o.projection = projection, o.peephole = peephole;
        CHECK_OK(apus_rnn_export_weights(&d, 1, direction, own, &o));
        CHECK_OK(apus_rnn_import_weights(&d, 1, direction, &o, back));
        for (int32_t p = APUS_RNN_WEIGHT_INPUT; p <= APUS_RNN_PEEPHOLE; p++) {
          int64_t offset, rows, columns;
          CHECK_OK(apus_rnn_parameter(&d, 1, direction, p, &offset, &rows, &columns));
          CHECK(memcmp(own + offset, back + offset, (size_t)(rows * columns) * 4) == 0);
          memset(back + offset, 0, (size_t)(rows * columns) * 4);
        }
        for (int64_t i = 0; i < count; i++) CHECK(back[i] == 0); /* nothing beside the recurrence */
        free(own), free(back);
      }
  /* Gate k of unit u and input i is 100 k + 10 u + i, its biases 1000 k + u and 2000 k + u. */
  apus_rnn_desc d = problem(APUS_FLOAT32, APUS_RNN_LSTM, 1, B, I, H);
  float own[4 * H * I + 4 * H * H + 2 * 4 * H], weights[4 * H * I], recurrent[4 * H * H], bias[2 * 4 * H];
  for (int k = 0; k < 4; k++)
    for (int u = 0; u < H; u++) {
      for (int i = 0; i < I; i++) own[(k * H + u) * I + i] = (float)(100 * k + 10 * u + i);
      for (int i = 0; i < H; i++) own[4 * H * I + (k * H + u) * H + i] = 0;
      own[4 * H * (I + H) + k * H + u] = (float)(1000 * k + u);
      own[4 * H * (I + H + 1) + k * H + u] = (float)(2000 * k + u);
    }
  apus_rnn_weights o;
  CHECK_OK(apus_rnn_weights_init(&o, APUS_RNN_FORMAT_ONNX));
  o.input = weights, o.recurrent = recurrent, o.bias = bias;
  CHECK_OK(apus_rnn_export_weights(&d, 0, 0, own, &o));
  CHECK(weights[H * I] == 300 && weights[2 * H * I] == 100 && weights[3 * H * I + I + 2] == 212); /* i o f c */
  CHECK(bias[H] == 3000 && bias[4 * H + 2 * H + 1] == 2001);
  o.format = APUS_RNN_FORMAT_KERAS;
  CHECK_OK(apus_rnn_export_weights(&d, 0, 0, own, &o));
  CHECK(weights[H] == 100 && weights[4 * H + 3 * H + 1] == 311 && bias[2 * H + 1] == 6002); /* i f c o, one bias */
  o.format = APUS_RNN_FORMAT_ONEDNN;
  CHECK_OK(apus_rnn_export_weights(&d, 0, 0, own, &o));
  CHECK(weights[2 * 4 * H + 2 * H + 1] == 212 && bias[3 * H] == 9000);
  /* A GRU's gates: z r h. */
  d.cell = APUS_RNN_GRU;
  d.biases = 1;
  CHECK_OK(apus_rnn_weights_init(&o, APUS_RNN_FORMAT_ONNX));
  o.input = weights, o.recurrent = recurrent, o.bias = bias;
  CHECK_OK(apus_rnn_export_weights(&d, 0, 0, own, &o));
  CHECK(weights[0] == 100 && weights[H * I] == 0 && weights[2 * H * I] == 200);
  bias[5 * H + 1] = 4;
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_rnn_import_weights(&d, 0, 0, &o, own));
  CHECK(strstr(apus_last_error(), "weights.bias[11] is 4") != NULL);
  CHECK(own[0] == 0 && own[I] == 10);
}

static void wrong_formats(void) {
  apus_rnn_desc d = problem(APUS_FLOAT32, APUS_RNN_LSTM, 1, 1, 3, 2);
  float own[200] = {0}, room[200];
  apus_rnn_weights o;
  CHECK_OK(apus_rnn_weights_init(&o, APUS_RNN_FORMAT_KERAS));
#define IMPORT(words, status, layer, direction) \
  (CHECK_STATUS(status, apus_rnn_import_weights(&d, layer, direction, &o, own)), CHECK(strstr(apus_last_error(), words) != NULL))
  IMPORT("weights.input is NULL", APUS_ERROR_INVALID_ARGUMENT, 0, 0);
  o.input = room;
  IMPORT("weights.recurrent is NULL", APUS_ERROR_INVALID_ARGUMENT, 0, 0);
  o.recurrent = room;
  IMPORT("weights.bias is NULL", APUS_ERROR_INVALID_ARGUMENT, 0, 0);
  o.bias = room;
  IMPORT("layer is 1", APUS_ERROR_INVALID_ARGUMENT, 1, 0);
  IMPORT("layer is -1", APUS_ERROR_INVALID_ARGUMENT, -1, 0);
  IMPORT("direction is 1", APUS_ERROR_INVALID_ARGUMENT, 0, 1);
  d.flags = APUS_RNN_PEEPHOLES;
  IMPORT("flags has PEEPHOLES", APUS_ERROR_UNSUPPORTED, 0, 0);
  o.format = APUS_RNN_FORMAT_ONNX;
  IMPORT("weights.peephole is NULL", APUS_ERROR_INVALID_ARGUMENT, 0, 0);
  d.flags = 0;
  d.projection = 1;
  IMPORT("projection is 1", APUS_ERROR_UNSUPPORTED, 0, 0);
  o.format = 9;
  IMPORT("format is 9", APUS_ERROR_INVALID_ARGUMENT, 0, 0);
  o.format = APUS_RNN_FORMAT_CUDNN;
  IMPORT("weights.projection is NULL", APUS_ERROR_INVALID_ARGUMENT, 0, 0);
  o.reserved = 1;
  IMPORT("reserved is 1", APUS_ERROR_INVALID_ARGUMENT, 0, 0);
  o.struct_size = 3;
  IMPORT("weights->struct_size is 3", APUS_ERROR_INVALID_ARGUMENT, 0, 0);
  for (int i = 0; i < 200; i++) CHECK(own[i] == 0);
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_rnn_weights_init(NULL, 1));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_rnn_import_weights(&d, 0, 0, NULL, own));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_rnn_import_weights(NULL, 0, 0, &o, own));
  CHECK_OK(apus_rnn_weights_init(&o, APUS_RNN_FORMAT_CUDNN));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_rnn_export_weights(&d, 0, 0, NULL, &o));
}

static void refused(const char *words, const apus_rnn_desc *d) {
  apus_rnn_plan *plan = NULL;
  CHECK(apus_rnn_plan_create(NULL, d, APUS_RNN_TRAINING, &plan) != APUS_OK);
  CHECK(plan == NULL);
  if (!CHECK(strstr(apus_last_error(), words) != NULL)) fprintf(stderr, "  '%s' is not in: %s\n", words, apus_last_error());
  int64_t count = 3;
  CHECK(apus_rnn_parameter_count(d, &count) != APUS_OK && count == 3);
}

static void descriptions(void) {
  const apus_rnn_desc good = problem(APUS_FLOAT32, APUS_RNN_LSTM, 5, 2, 4, 6);
  apus_rnn_desc d = good;
#define REFUSED(words, change) (d = good, change, refused(words, &d))
  REFUSED("desc->struct_size is 7", d.struct_size = 7);
  REFUSED("dtype is int8", d.dtype = APUS_INT8);
  REFUSED("dtype is 99", d.dtype = 99);
  REFUSED("cell is 5", d.cell = 5);
  REFUSED("direction is 4", d.direction = 4);
  REFUSED("biases is 3", d.biases = 3);
  REFUSED("biases is -1", d.biases = -1);
  REFUSED("flags is 4", d.flags = 4);
  REFUSED("reserved is 1", d.reserved = 1);
  REFUSED("layers is 0", d.layers = 0);
  REFUSED("steps is 0", d.steps = 0);
  REFUSED("batch is -1", d.batch = -1);
  REFUSED("input is 0", d.input = 0);
  REFUSED("hidden is -4", d.hidden = -4);
  REFUSED("steps is 2147483648", d.steps = (int64_t)INT32_MAX + 1);
  REFUSED("projection is -1", d.projection = -1);
  REFUSED("projection is 6", d.projection = 6);
  REFUSED("cell_clip is -1", d.cell_clip = -1);
  REFUSED("projection is 2", (d.projection = 2, d.cell = APUS_RNN_GRU));
  REFUSED("flags is PEEPHOLES", (d.flags = APUS_RNN_PEEPHOLES, d.cell = APUS_RNN_TANH));
  REFUSED("cell_clip is 2", (d.cell_clip = 2, d.cell = APUS_RNN_GRU_RESET_BEFORE));
  REFUSED("hidden is 2147483647", (d.hidden = d.input = d.layers = INT32_MAX));
  REFUSED("steps is 2147483647", (d.steps = d.batch = INT32_MAX));
  apus_rnn_plan *plan = NULL;
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_rnn_plan_create(NULL, &good, 2, &plan));
  CHECK(strstr(apus_last_error(), "mode is 2") != NULL);
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_rnn_plan_create(NULL, &good, 0, NULL));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_rnn_plan_create(NULL, NULL, 0, &plan));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_rnn_desc_init(NULL, APUS_FLOAT32, 0, 1, 1, 1, 1));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_rnn_parameter_count(&good, NULL));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_rnn_args_init(NULL));
  int64_t offset = -1, rows = -1, columns = -1;
  CHECK_OK(apus_rnn_parameter(&good, 0, 0, APUS_RNN_WEIGHT_RECURRENT, &offset, &rows, &columns));
  CHECK(offset == 24 * 4 && rows == 24 && columns == 6);
  CHECK_OK(apus_rnn_parameter(&good, 0, 0, APUS_RNN_BIAS_RECURRENT, &offset, NULL, &columns));
  CHECK(offset == 24 * 11 && columns == 1);
  CHECK_OK(apus_rnn_parameter(&good, 0, 0, APUS_RNN_PROJECTION, NULL, &rows, NULL));
  CHECK(rows == 0);
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_rnn_parameter(&good, 1, 0, 0, &offset, &rows, &columns));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_rnn_parameter(&good, 0, 1, 0, &offset, &rows, &columns));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_rnn_parameter(&good, 0, 0, 6, &offset, &rows, &columns));
}

/* Runs that are refused write nothing. */
static void run_refusals(void) {
  enum { T = 3, B = 2, I = 4, H = 6 };
  apus_rnn_desc d = problem(APUS_FLOAT32, APUS_RNN_GRU, T, B, I, H), other = d;
  apus_rnn_plan *plan = NULL, *inference = NULL, *foreign = NULL;
  CHECK_OK(apus_rnn_plan_create(NULL, &d, APUS_RNN_TRAINING, &plan));
  CHECK_OK(apus_rnn_plan_create(NULL, &d, APUS_RNN_INFERENCE, &inference));
  other.biases = 1;
  CHECK_OK(apus_rnn_plan_create(NULL, &other, APUS_RNN_TRAINING, &foreign));
  apus_rnn_plan_info info = info_of(NULL, plan);
  float *w = (float *)random_elements(APUS_FLOAT32, info.parameter_count, 1), x[T * B * I] = {0}, y[T * B * H], state[B * H] = {0};
  char *packed = (char *)malloc((size_t)info.packed_bytes), *workspace = (char *)calloc((size_t)info.workspace_bytes, 1);
  int64_t lengths[B] = {3, 4};
  memset(y, 0x55, sizeof y);
  apus_rnn_args a;
  CHECK_OK(apus_rnn_args_init(&a));
#define FORWARD(words, status, p) \
  (CHECK_STATUS(status, apus_rnn_forward(NULL, p, &a)), CHECK(strstr(apus_last_error(), words) != NULL), CHECK(((char *)y)[5] == 0x55))
  FORWARD("parameters is NULL", APUS_ERROR_INVALID_ARGUMENT, plan);
  a.parameters = w;
  a.y = y;
  FORWARD("x is NULL", APUS_ERROR_INVALID_ARGUMENT, inference);
  a.x = x;
  FORWARD("workspace is NULL", APUS_ERROR_INVALID_ARGUMENT, plan);
  a.workspace = workspace;
  a.workspace_bytes = (size_t)info.workspace_bytes - 1;
  FORWARD("workspace_bytes is ", APUS_ERROR_INVALID_ARGUMENT, plan);
  a.workspace_bytes++;
  a.lengths = lengths;
  FORWARD("lengths[1] is 4", APUS_ERROR_INVALID_ARGUMENT, plan);
  lengths[1] = -1;
  FORWARD("lengths[1] is -1", APUS_ERROR_INVALID_ARGUMENT, plan);
  a.lengths = NULL;
  a.c0 = state;
  FORWARD("c0 is not NULL", APUS_ERROR_INVALID_ARGUMENT, plan);
  a.c0 = NULL;
  a.cn = state;
  FORWARD("cn is not NULL", APUS_ERROR_INVALID_ARGUMENT, plan);
  a.cn = NULL;
  a.accumulate = 2;
  FORWARD("accumulate is 2", APUS_ERROR_INVALID_ARGUMENT, plan);
  a.accumulate = 0;
  a.reserved = 1;
  FORWARD("reserved is 1", APUS_ERROR_INVALID_ARGUMENT, plan);
  a.reserved = 0;
  a.scratch = y;
  a.scratch_bytes = 8;
  FORWARD("scratch_bytes is 8", APUS_ERROR_INVALID_ARGUMENT, plan);
  a.scratch = NULL;
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_rnn_pack(NULL, plan, w, packed, (size_t)info.packed_bytes - 1));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_rnn_pack(NULL, plan, NULL, packed, (size_t)info.packed_bytes));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_rnn_pack(NULL, plan, w, NULL, (size_t)info.packed_bytes));
  memset(packed, 0, (size_t)info.packed_bytes);
  a.packed = packed;
  FORWARD("does not hold packed recurrent weights", APUS_ERROR_MISMATCH, plan);
  CHECK_OK(apus_rnn_pack(NULL, foreign, w, packed, (size_t)info.packed_bytes));
  FORWARD("1 biases", APUS_ERROR_MISMATCH, plan);
  CHECK_OK(apus_rnn_pack(NULL, inference, w, packed, (size_t)info.packed_bytes));
  FORWARD("inference", APUS_ERROR_MISMATCH, plan);
  a.packed = NULL;
  a.dx = y;
  CHECK_STATUS(APUS_ERROR_UNSUPPORTED, apus_rnn_backward(NULL, inference, &a));
  CHECK_STATUS(APUS_ERROR_MISMATCH, apus_rnn_backward(NULL, plan, &a));
  CHECK(strstr(apus_last_error(), "workspace was not filled") != NULL);
  CHECK_OK(apus_rnn_forward(NULL, foreign, &a));
  CHECK_STATUS(APUS_ERROR_MISMATCH, apus_rnn_backward(NULL, plan, &a));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_rnn_forward(NULL, NULL, &a));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_rnn_forward(NULL, plan, NULL));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_rnn_plan_get_info(NULL, plan, NULL));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_rnn_plan_describe(plan, NULL, 5, NULL));
  apus_rnn_plan_destroy(plan);
  apus_rnn_plan_destroy(inference);
  apus_rnn_plan_destroy(foreign);
  apus_rnn_plan_destroy(NULL);
  /* A batch of 0 is legal: gradients of the weights are sums of nothing. */
  plan = NULL;
  d.batch = 0;
  CHECK_OK(apus_rnn_plan_create(NULL, &d, APUS_RNN_TRAINING, &plan));
  CHECK_OK(apus_rnn_args_init(&a));
  a.parameters = w;
  a.workspace = workspace;
  a.workspace_bytes = (size_t)info.workspace_bytes;
  float *dw = (float *)random_elements(APUS_FLOAT32, info.parameter_count, 2);
  a.dparameters = dw;
  CHECK_OK(apus_rnn_forward(NULL, plan, &a));
  a.accumulate = 1;
  CHECK_OK(apus_rnn_backward(NULL, plan, &a));
  CHECK(dw[0] != 0);
  a.accumulate = 0;
  CHECK_OK(apus_rnn_backward(NULL, plan, &a));
  for (int64_t i = 0; i < info.parameter_count; i++)
    if (!CHECK(dw[i] == 0)) break;
  apus_rnn_plan_destroy(plan);
  free(w), free(dw), free(packed), free(workspace);
}

int main(void) {
  static const int32_t types[] = {APUS_FLOAT32, APUS_FLOAT64};
  for (int32_t isa = APUS_ISA_BASELINE; isa <= APUS_ISA_AVX512; isa++) {
    if (!(context_info(NULL).isa_available & 1 << isa)) continue;
    apus_context *context = make_context(isa, APUS_BACKEND_DISPATCH, 2);
    for (int i = 0; i < 150; i++) {
      apus_rnn_desc d = random_problem();
      all_runs(context, &d);
    }
    for (int32_t cell = APUS_RNN_TANH; cell <= APUS_RNN_GRU_RESET_BEFORE; cell++)
      for (int i = 0; i < 4; i++) windows(context, types[i / 2], cell, i % 2 ? APUS_RNN_REVERSE : APUS_RNN_FORWARD);
    apus_context_destroy(context);
  }
  formats();
  wrong_formats();
  descriptions();
  run_refusals();
  return finish();
}
