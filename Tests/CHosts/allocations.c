/* Running a plan allocates nothing: 1000 runs of every kind of GEMM and pooling, 100 of every kind of convolution and
 * recurrent layers, after two warm ones. Run it with counting_malloc preloaded; alone it skips. */
#include "check.h"
#include "plain_conv.h"
#include <dlfcn.h>
#include <unistd.h>

typedef long (*counter)(void);
static counter counted_requests;

typedef struct kind {
  const char *name;
  int64_t m, n, k, batch;
  int32_t trans_a, flags, batch_kind, bias, activation, residual;
} kind;

static const kind kinds[] = {
    {"blocked", 200, 200, 200, 1, APUS_NO_TRANS, 0, 0, 0, 0, 0},
    {"blocked, transposed", 200, 200, 200, 1, APUS_TRANS, 0, 0, 0, 0, 0},
    {"several blocks of k", 64, 64, 1500, 1, APUS_NO_TRANS, 0, 0, 0, 0, 0},
    {"split over k", 8, 8, 20000, 1, APUS_NO_TRANS, 0, 0, 0, 0, 0},
    {"row invariant", 8, 8, 20000, 1, APUS_NO_TRANS, APUS_GEMM_ROW_INVARIANT, 0, 0, 0, 0},
    {"small", 16, 16, 16, 1, APUS_NO_TRANS, 0, 0, 0, 0, 0},
    {"matrix x vector", 300, 1, 300, 1, APUS_NO_TRANS, 0, 0, 0, 0, 0},
    {"matrix x vector, transposed", 300, 1, 300, 1, APUS_TRANS, 0, 0, 0, 0, 0},
    {"vector x matrix", 1, 300, 300, 1, APUS_NO_TRANS, 0, 0, 0, 0, 0},
    {"skinny", 16, 500, 300, 1, APUS_NO_TRANS, 0, 0, 0, 0, 0},
    {"strided batch", 20, 20, 20, 8, APUS_NO_TRANS, 0, APUS_BATCH_STRIDED, 0, 0, 0},
    {"batch of pointers", 100, 100, 100, 4, APUS_NO_TRANS, 0, APUS_BATCH_POINTERS, 0, 0, 0},
    {"packed a", 100, 100, 100, 1, APUS_NO_TRANS, APUS_GEMM_PACKED_A, 0, 0, 0, 0},
    {"packed b", 100, 100, 100, 1, APUS_NO_TRANS, APUS_GEMM_PACKED_B, 0, 0, 0, 0},
    {"bias and residual", 100, 100, 100, 1, APUS_NO_TRANS, 0, 0, APUS_BIAS_BY_ROW, APUS_ACTIVATION_RELU, 1},
    {"elu", 60, 60, 60, 1, APUS_NO_TRANS, 0, 0, APUS_BIAS_BY_COLUMN, APUS_ACTIVATION_ELU, 0},
    {"sigmoid", 200, 200, 100, 1, APUS_NO_TRANS, 0, 0, 0, APUS_ACTIVATION_SIGMOID, 0},
    {"tanh", 1, 200, 100, 1, APUS_NO_TRANS, 0, 0, 0, APUS_ACTIVATION_TANH, 0},
    {"nothing to do", 0, 5, 5, 1, APUS_NO_TRANS, 0, 0, 0, 0, 0},
    {"k = 0", 50, 50, 0, 1, APUS_NO_TRANS, 0, 0, 0, 0, 0},
};

static void count_runs(const apus_context *context, int32_t dtype, const kind *kind, int own_scratch) {
  apus_gemm_desc d;
  CHECK_OK(apus_gemm_desc_init(&d, dtype, kind->m, kind->n, kind->k));
  d.trans_a = kind->trans_a;
  if (d.trans_a == APUS_TRANS) d.lda = d.m;
  d.flags = kind->flags;
  d.batch = kind->batch;
  d.batch_kind = kind->batch_kind;
  d.bias = kind->bias;
  d.activation = kind->activation;
  d.slope = 0.5;
  d.residual = kind->residual;
  d.stride_a = extent_a(&d);
  d.stride_b = extent_b(&d);
  d.stride_c = extent_c(&d);
  d.stride_r = extent_residual(&d);
  char *a = (char *)random_elements(dtype, d.stride_a * d.batch, 1), *b = (char *)random_elements(dtype, d.stride_b * d.batch, 2);
  char *c = (char *)random_elements(dtype, d.stride_c * d.batch, 3), *extra = (char *)random_elements(dtype, d.m * d.n + 600, 4);
  apus_gemm_plan *plan = NULL;
  apus_plan_info info;
  info.struct_size = sizeof info;
  if (!CHECK_OK(apus_gemm_plan_create(context, &d, &plan))) return;
  CHECK_OK(apus_gemm_plan_get_info(context, plan, &info));
  void *packed_a = malloc((size_t)info.packed_a_bytes + 1), *packed_b = malloc((size_t)info.packed_b_bytes + 1);
  void *scratch = malloc((size_t)info.scratch_bytes + 1);
  if (info.packed_a_bytes)
    CHECK_OK(apus_gemm_pack(context, plan, APUS_OPERAND_A, a, d.lda, packed_a, (size_t)info.packed_a_bytes));
  if (info.packed_b_bytes)
    CHECK_OK(apus_gemm_pack(context, plan, APUS_OPERAND_B, b, d.ldb, packed_b, (size_t)info.packed_b_bytes));
  const void *all_a[8], *all_b[8];
  void *all_c[8];
  for (int64_t i = 0; i < d.batch; i++) {
    all_a[i] = a + (size_t)(i * d.stride_a) * element_size(dtype);
    all_b[i] = b + (size_t)(i * d.stride_b) * element_size(dtype);
    all_c[i] = c + (size_t)(i * d.stride_c) * element_size(dtype);
  }
  int pointers = d.batch_kind == APUS_BATCH_POINTERS;
  apus_gemm_args x;
  CHECK_OK(apus_gemm_args_init(&x));
  x.a = info.packed_a_bytes ? packed_a : pointers ? (const void *)all_a : a;
  x.b = info.packed_b_bytes ? packed_b : pointers ? (const void *)all_b : b;
  x.c = pointers ? (void *)all_c : c;
  x.bias = extra;
  x.residual = extra;
  x.scratch = own_scratch ? scratch : NULL;
  x.scratch_bytes = own_scratch ? (size_t)info.scratch_bytes : 0;
  apus_status status = APUS_OK;
  for (int i = 0; i < 2; i++) status |= apus_gemm_run(context, plan, &x);
  long before = counted_requests();
  for (int i = 0; i < 1000; i++) status |= apus_gemm_run(context, plan, &x);
  long requests = counted_requests() - before;
  CHECK_OK(status);
  if (!CHECK(requests == 0))
    fprintf(stderr, "  %ld requests: %s, %s, %s, %s scratch\n", requests, kind->name, dtype == APUS_FLOAT32 ? "float32" : "float64",
            apus_backend_name(context_info(context).backend), own_scratch ? "own" : "no");
  apus_gemm_plan_destroy(plan);
  free(a);
  free(b);
  free(c);
  free(extra);
  free(packed_a);
  free(packed_b);
  free(scratch);
}

typedef struct conv_kind {
  const char *name;
  int64_t batch, in_channels, size, out_channels, kernel, stride, pad, groups;
  int32_t transposed, x_layout, y_layout, activation, flags;
} conv_kind;

static const conv_kind conv_kinds[] = {
    {"NHWC", 2, 16, 20, 24, 3, 1, 1, 1, 0, 1, 1, 0, 0},
    {"NCHW", 2, 16, 20, 24, 3, 1, 1, 1, 0, 0, 0, 0, 0},
    {"mixed layouts, sigmoid", 1, 16, 20, 24, 3, 2, 1, 1, 0, 0, 1, APUS_ACTIVATION_SIGMOID, 0},
    {"few channels", 1, 3, 32, 6, 5, 1, 0, 1, 0, 0, 0, APUS_ACTIVATION_RELU, 0},
    {"1x1", 3, 32, 14, 40, 1, 1, 0, 1, 0, 1, 1, 0, 0},
    {"1x1 planes", 3, 32, 14, 40, 1, 1, 0, 1, 0, 0, 0, 0, 0},
    {"depthwise", 2, 24, 16, 24, 3, 1, 1, 24, 0, 1, 1, 0, 0},
    {"depthwise planes", 2, 24, 16, 24, 3, 1, 1, 24, 0, 0, 0, 0, 0},
    {"groups", 2, 24, 16, 36, 3, 1, 1, 4, 0, 1, 0, 0, 0},
    {"transposed", 1, 16, 12, 12, 4, 2, 1, 1, 1, 1, 1, APUS_ACTIVATION_TANH, 0},
    {"packed", 1, 16, 20, 24, 3, 1, 1, 1, 0, 1, 1, 0, APUS_CONV_PACKED_WEIGHTS},
    {"winograd allowed", 1, 64, 20, 64, 3, 1, 1, 1, 0, 1, 1, 0, APUS_CONV_ALLOW_WINOGRAD},
    {"empty batch", 0, 4, 8, 4, 3, 1, 1, 1, 0, 1, 1, 0, 0},
};

/* Every direction and algorithm of a convolution. */
static void count_conv_runs(const apus_context *context, int32_t dtype, const conv_kind *kind, int own_scratch) {
  apus_conv_desc d;
  int64_t input[2] = {kind->size, kind->size}, kernel[2] = {kind->kernel, kind->kernel};
  CHECK_OK(apus_conv_desc_init(&d, dtype, 2, kind->in_channels, kind->out_channels, input, kernel));
  d.batch = kind->batch;
  d.groups = kind->groups;
  for (int i = 0; i < 2; i++) {
    d.stride[i] = kind->stride;
    d.pad_before[i] = d.pad_after[i] = kind->pad;
  }
  d.transposed = kind->transposed;
  d.x_layout = kind->x_layout;
  d.y_layout = kind->y_layout;
  d.activation = kind->activation;
  d.flags = kind->flags;
  d.bias = d.residual = 1;
  plain_conv p;
  if (!CHECK(plain_conv_make(&d, &p))) return;
  int64_t x_count = plain_x_count(&d, &p), y_count = plain_y_count(&d, &p);
  void *x = random_elements(dtype, x_count, 1), *y = random_elements(dtype, y_count, 2), *dx = random_elements(dtype, x_count, 3);
  void *dy = random_elements(dtype, y_count, 4), *bias = random_elements(dtype, d.out_channels, 5);
  void *weights = random_elements(dtype, plain_weight_count(&d, &p), 6), *dw = random_elements(dtype, plain_weight_count(&d, &p), 7);
  for (int32_t direction = APUS_FORWARD; direction <= APUS_BACKWARD_WEIGHTS; direction++) {
    int32_t list[16], count = 0;
    d.algorithm = APUS_CONV_AUTO;
    CHECK_OK(apus_conv_algorithms(context, &d, direction, list, 16, &count));
    for (int i = 0; i < count && i < 16; i++) {
      d.algorithm = list[i];
      apus_conv_plan *plan = NULL;
      apus_conv_info info;
      info.struct_size = sizeof info;
      if (!CHECK_OK(apus_conv_plan_create(context, &d, direction, &plan))) return;
      CHECK_OK(apus_conv_plan_get_info(context, plan, &info));
      void *packed = malloc((size_t)info.packed_weights_bytes), *scratch = malloc((size_t)info.scratch_bytes + 1);
      CHECK_OK(apus_conv_pack_weights(context, plan, weights, packed, (size_t)info.packed_weights_bytes));
      int packs = (d.flags & APUS_CONV_PACKED_WEIGHTS) != 0;
      apus_conv_args a;
      CHECK_OK(apus_conv_args_init(&a));
      a.x = x;
      a.weights = packs ? packed : weights;
      a.bias = bias;
      a.residual = a.dy = dy;
      a.y = y;
      a.dx = dx;
      a.dw = packs ? packed : dw;
      a.db = bias;
      a.scratch = own_scratch ? scratch : NULL;
      a.scratch_bytes = own_scratch ? (size_t)info.scratch_bytes : 0;
      apus_status status = APUS_OK;
      for (int run = 0; run < 2; run++) status |= apus_conv_run(context, plan, &a);
      long before = counted_requests();
      for (int run = 0; run < 100; run++) status |= apus_conv_run(context, plan, &a);
      /* Packing, too, works in place. */
      status |= apus_conv_pack_weights(context, plan, weights, packed, (size_t)info.packed_weights_bytes);
      status |= apus_conv_unpack_weights(context, plan, packed, dw);
      long requests = counted_requests() - before;
      CHECK_OK(status);
      if (!CHECK(requests == 0))
        fprintf(stderr, "  %ld requests: convolution %s, direction %d, %s, %s, %s, %s scratch\n", requests, kind->name, direction,
                apus_conv_algorithm_name(list[i]), dtype == APUS_FLOAT32 ? "float32" : "float64",
                apus_backend_name(context_info(context).backend), own_scratch ? "own" : "no");
      apus_conv_plan_destroy(plan);
      free(packed);
      free(scratch);
    }
  }
  free(x);
  free(y);
  free(dx);
  free(dy);
  free(bias);
  free(weights);
  free(dw);
}

typedef struct pool_kind {
  const char *name;
  int32_t kind, layout, direction;
  int64_t window, stride, pad, with_indices;
} pool_kind;

static const pool_kind pool_kinds[] = {
    {"max of pairs", APUS_POOL_MAX, APUS_LAYOUT_NCHW, APUS_FORWARD, 2, 2, 0, 0},
    {"max with indices", APUS_POOL_MAX, APUS_LAYOUT_NCHW, APUS_FORWARD, 3, 2, 1, 1},
    {"max with indices, channels last", APUS_POOL_MAX, APUS_LAYOUT_NHWC, APUS_FORWARD, 3, 2, 1, 1},
    {"average", APUS_POOL_AVERAGE, APUS_LAYOUT_NCHW, APUS_FORWARD, 3, 1, 1, 0},
    {"norm, channels last", APUS_POOL_LP, APUS_LAYOUT_NHWC, APUS_FORWARD, 3, 1, 1, 0},
    {"max backward", APUS_POOL_MAX, APUS_LAYOUT_NCHW, APUS_BACKWARD_DATA, 3, 2, 1, 1},
    {"max backward by x", APUS_POOL_MAX, APUS_LAYOUT_NCHW, APUS_BACKWARD_DATA, 3, 2, 1, 0},
    {"max backward by x, channels last", APUS_POOL_MAX, APUS_LAYOUT_NHWC, APUS_BACKWARD_DATA, 2, 2, 0, 0},
    {"average backward", APUS_POOL_AVERAGE, APUS_LAYOUT_NCHW, APUS_BACKWARD_DATA, 3, 1, 1, 0},
    {"norm backward", APUS_POOL_LP, APUS_LAYOUT_NHWC, APUS_BACKWARD_DATA, 3, 1, 1, 0},
    {"unpool", APUS_POOL_MAX, APUS_LAYOUT_NCHW, APUS_POOL_UNPOOL, 2, 2, 0, 1},
    {"unpool backward", APUS_POOL_MAX, APUS_LAYOUT_NHWC, APUS_POOL_UNPOOL_BACKWARD, 2, 2, 0, 1},
};

static void count_pool_runs(const apus_context *context, int32_t dtype, const pool_kind *kind, int own_scratch) {
  int64_t input[] = {24, 24}, window[] = {kind->window, kind->window};
  apus_pool_desc d;
  CHECK_OK(apus_pool_desc_init(&d, dtype, kind->kind, 2, 8, 20, input, window));
  d.layout = kind->layout;
  for (int i = 0; i < 2; i++) d.stride[i] = kind->stride, d.pad_before[i] = d.pad_after[i] = kind->pad;
  enum { COUNT = 8 * 20 * 24 * 24 };
  apus_pool_args x;
  CHECK_OK(apus_pool_args_init(&x));
  x.x = random_elements(dtype, COUNT, 1);
  x.y = random_elements(dtype, COUNT, 2);
  x.dy = random_elements(dtype, COUNT, 3);
  x.dx = random_elements(dtype, COUNT, 4);
  void *indices = calloc(COUNT, sizeof(int32_t));
  x.indices = kind->with_indices ? indices : NULL;
  apus_pool_plan *plan = NULL;
  apus_pool_plan_info info;
  info.struct_size = sizeof info;
  if (!CHECK_OK(apus_pool_plan_create(context, &d, kind->direction, &plan))) return;
  CHECK_OK(apus_pool_plan_get_info(context, plan, &info));
  void *scratch = malloc((size_t)info.scratch_bytes + 1);
  x.scratch = own_scratch ? scratch : NULL;
  x.scratch_bytes = own_scratch ? (size_t)info.scratch_bytes : 0;
  apus_status status = APUS_OK;
  for (int i = 0; i < 2; i++) status |= apus_pool_run(context, plan, &x);
  long before = counted_requests();
  for (int i = 0; i < 1000; i++) status |= apus_pool_run(context, plan, &x);
  long requests = counted_requests() - before;
  CHECK_OK(status);
  if (!CHECK(requests == 0))
    fprintf(stderr, "  %ld requests: pooling, %s, %s, %s scratch\n", requests, kind->name,
            apus_backend_name(context_info(context).backend), own_scratch ? "own" : "no");
  apus_pool_plan_destroy(plan);
  free(x.x);
  free(x.y);
  free(x.dy);
  free(x.dx);
  free(indices);
  free(scratch);
}

typedef struct rnn_kind {
  const char *name;
  int32_t cell, direction, flags;
  int64_t steps, batch, input, hidden, layers, projection;
  int packs, with_lengths;
} rnn_kind;

static const rnn_kind rnn_kinds[] = {
    {"tanh", APUS_RNN_TANH, APUS_RNN_FORWARD, 0, 6, 4, 20, 33, 1, 0, 1, 0},
    {"relu, weights as they are", APUS_RNN_RELU, APUS_RNN_REVERSE, 0, 6, 4, 20, 33, 1, 0, 0, 0},
    {"lstm of one sequence", APUS_RNN_LSTM, APUS_RNN_FORWARD, 0, 10, 1, 64, 128, 1, 0, 1, 0},
    {"lstm, one step", APUS_RNN_LSTM, APUS_RNN_FORWARD, 0, 1, 1, 64, 128, 1, 0, 1, 0},
    {"lstm, threads share a step", APUS_RNN_LSTM, APUS_RNN_FORWARD, 0, 4, 16, 100, 200, 2, 0, 1, 0},
    {"lstm, lengths", APUS_RNN_LSTM, APUS_RNN_BIDIRECTIONAL, APUS_RNN_BATCH_MAJOR, 6, 5, 20, 40, 2, 0, 0, 1},
    {"lstm, projection and peepholes", APUS_RNN_LSTM, APUS_RNN_FORWARD, APUS_RNN_PEEPHOLES, 5, 3, 20, 40, 1, 10, 1, 0},
    {"gru", APUS_RNN_GRU, APUS_RNN_BIDIRECTIONAL_SUM, 0, 6, 4, 20, 40, 2, 0, 1, 1},
    {"gru, reset before", APUS_RNN_GRU_RESET_BEFORE, APUS_RNN_FORWARD, APUS_RNN_BATCH_MAJOR, 6, 4, 20, 40, 1, 0, 0, 0},
    {"empty batch", APUS_RNN_GRU, APUS_RNN_FORWARD, 0, 6, 0, 20, 40, 1, 0, 1, 0},
};

/* Forward in both modes, backward and packing. */
static void count_rnn_runs(const apus_context *context, int32_t dtype, const rnn_kind *kind, int own_scratch) {
  apus_rnn_desc d;
  CHECK_OK(apus_rnn_desc_init(&d, dtype, kind->cell, kind->steps, kind->batch, kind->input, kind->hidden));
  d.direction = kind->direction;
  d.flags = kind->flags;
  d.layers = kind->layers;
  d.projection = kind->projection;
  for (int32_t mode = APUS_RNN_INFERENCE; mode <= APUS_RNN_TRAINING; mode++) {
    apus_rnn_plan *plan = NULL;
    apus_rnn_plan_info info;
    info.struct_size = sizeof info;
    if (!CHECK_OK(apus_rnn_plan_create(context, &d, mode, &plan))) return;
    CHECK_OK(apus_rnn_plan_get_info(context, plan, &info));
    int64_t data = kind->steps * kind->batch * 4 * (kind->input + kind->hidden) + 4 * kind->layers * kind->batch * kind->hidden + 1;
    void *w = random_elements(dtype, info.parameter_count, 1), *dw = random_elements(dtype, info.parameter_count, 2);
    void *room[7], *packed = malloc((size_t)info.packed_bytes), *scratch = malloc((size_t)info.scratch_bytes + 1);
    for (int i = 0; i < 7; i++) room[i] = random_elements(dtype, data, (uint32_t)i + 3);
    int64_t lengths[8] = {3, 1, 0, 5, 2, 6, 4, 4};
    for (int i = 0; i < 8; i++) lengths[i] = lengths[i] < kind->steps ? lengths[i] : kind->steps;
    int lstm = kind->cell == APUS_RNN_LSTM;
    apus_rnn_args a;
    CHECK_OK(apus_rnn_args_init(&a));
    CHECK_OK(apus_rnn_pack(context, plan, w, packed, (size_t)info.packed_bytes));
    a.parameters = w;
    a.packed = kind->packs ? packed : NULL;
    a.x = room[0];
    a.y = room[1];
    a.dhn = a.h0 = a.hn = room[2];
    if (lstm) a.dcn = a.c0 = a.cn = room[3];
    a.dy = room[4];
    a.dx = room[5];
    a.dh0 = room[6];
    a.dparameters = dw;
    a.lengths = kind->with_lengths ? lengths : NULL;
    a.workspace = malloc((size_t)info.workspace_bytes + 1);
    a.workspace_bytes = (size_t)info.workspace_bytes;
    a.scratch = own_scratch ? scratch : NULL;
    a.scratch_bytes = own_scratch ? (size_t)info.scratch_bytes : 0;
    apus_status status = APUS_OK;
    long before = 0;
    for (int run = 0; run < 102; run++) {
      if (run == 2) before = counted_requests();
      status |= apus_rnn_forward(context, plan, &a);
      if (mode == APUS_RNN_TRAINING) status |= apus_rnn_backward(context, plan, &a);
      status |= apus_rnn_pack(context, plan, w, packed, (size_t)info.packed_bytes);
    }
    long requests = counted_requests() - before;
    CHECK_OK(status);
    if (!CHECK(requests == 0))
      fprintf(stderr, "  %ld requests: recurrent, %s, %s, %s, %s scratch\n", requests, kind->name,
              mode == APUS_RNN_TRAINING ? "training" : "inference", apus_backend_name(context_info(context).backend),
              own_scratch ? "own" : "no");
    apus_rnn_plan_destroy(plan);
    for (int i = 0; i < 7; i++) free(room[i]);
    free(a.workspace), free(w), free(dw), free(packed), free(scratch);
  }
}

/* Calls without plans: their descriptions are checked each time, and allocate nothing either. */
static void count_layer_calls(const apus_context *context, int32_t dtype) {
  enum { n = 40000 };
  int64_t shape[2] = {40, 1000}, counts[1] = {n};
  char *data = (char *)calloc(6 * n, 8);
  void *p[6];
  for (int i = 0; i < 6; i++) p[i] = data + (size_t)i * n * 8;
  void *parameters[1] = {p[0]}, *first[1] = {p[2]}, *second[1] = {p[3]};
  const void *gradients[1] = {p[1]};
  int32_t indices[40] = {0};
  apus_elementwise_desc element;
  apus_softmax_desc softmax;
  apus_norm_desc norm;
  apus_norm_args args;
  apus_cross_entropy_desc entropy;
  apus_optimizer_desc optimizer;
  apus_embedding_desc embedding;
  apus_tensor matrix, row, inside, half;
  int64_t pad[2] = {3, 7}, inside_shape[2] = {35, 980}, half_shape[2] = {20, 1000};
  const apus_tensor *halves[2] = {&half, &half};
  const void *sources[2] = {p[0], p[1]};
  void *results[2] = {p[3], p[4]};
  apus_cross_entropy_desc planes;
  double value, scale;
  CHECK_OK(apus_elementwise_desc_init(&element, dtype, APUS_ACTIVATION_GELU, n));
  CHECK_OK(apus_softmax_desc_init(&softmax, dtype, 2, shape, 1));
  CHECK_OK(apus_norm_desc_init(&norm, dtype, APUS_NORM_LAYER, 40, 1000, 1));
  CHECK_OK(apus_norm_args_init(&args));
  args.x = args.dy = p[0];
  args.y = args.dx = p[1];
  args.gamma = args.beta = p[2];
  args.mean = p[3];
  args.scale = p[4];
  args.dgamma = args.dbeta = p[5];
  CHECK_OK(apus_cross_entropy_desc_init(&entropy, dtype, 40, 1000, APUS_INT32));
  CHECK_OK(apus_optimizer_desc_init(&optimizer, dtype, APUS_OPTIMIZER_ADAM, 0.1));
  CHECK_OK(apus_embedding_desc_init(&embedding, dtype, 40, 1000, 40));
  CHECK_OK(apus_tensor_init(&matrix, dtype, 2, shape));
  CHECK_OK(apus_tensor_init(&row, dtype, 1, shape + 1));
  CHECK_OK(apus_tensor_init(&inside, dtype, 2, inside_shape));
  CHECK_OK(apus_tensor_init(&half, dtype, 2, half_shape));
  CHECK_OK(apus_cross_entropy_desc_init(&planes, dtype, 2, 1000, APUS_INT32));
  planes.positions = 20;
  long before = 0;
  apus_status status = APUS_OK;
  for (int i = 0; i < 52; i++) {
    if (i == 2) before = counted_requests();
    status |= apus_elementwise_forward(context, &element, p[0], p[1]);
    status |= apus_elementwise_backward(context, &element, p[0], p[1], p[2]);
    status |= apus_prelu_backward(context, dtype, 4, 10, 1000, p[0], p[1], p[2], p[3], p[4]);
    status |= apus_softmax_forward(context, &softmax, p[0], p[1]);
    status |= apus_softmax_backward(context, &softmax, p[0], p[1], p[2]);
    status |= apus_norm_forward(context, &norm, &args);
    status |= apus_norm_backward(context, &norm, &args);
    status |= apus_binary(context, APUS_BINARY_ADD, &matrix, p[0], &row, p[1], &matrix, p[2]);
    status |= apus_copy(context, &matrix, p[0], &matrix, p[1]);
    status |= apus_pad(context, APUS_PAD_REFLECT, 0, pad, &inside, p[0], &matrix, p[1]);
    status |= apus_pad_backward(context, APUS_PAD_REFLECT, pad, &matrix, p[1], &inside, p[0]);
    status |= apus_concatenate(context, 0, 2, halves, sources, &matrix, p[2]);
    status |= apus_split(context, 0, &matrix, p[2], 2, halves, results);
    status |= apus_cross_entropy_forward(context, &planes, p[0], indices, NULL, p[1]);
    status |= apus_cross_entropy_backward(context, &planes, p[0], indices, NULL, NULL, p[1]);
    status |= apus_reduce(context, APUS_REDUCE_VARIANCE, 1 + i % 3, 0, &matrix, p[0], p[1]);
    status |= apus_cross_entropy_forward(context, &entropy, p[0], indices, NULL, p[1]);
    status |= apus_cross_entropy_backward(context, &entropy, p[0], indices, NULL, NULL, p[1]);
    status |= apus_element_loss_forward(context, dtype, APUS_LOSS_HUBER, APUS_LOSS_MEAN, 1, n, p[0], p[1], p[2]);
    status |= apus_gradient_norm(context, dtype, 1, counts, gradients, 1, &value, &scale);
    status |= apus_optimizer_step(context, &optimizer, 1, counts, parameters, gradients, first, second);
    status |= apus_random_fill(context, dtype, APUS_RANDOM_NORMAL, 0, 1, 0, 0, 1, 0, n, p[1]);
    status |= apus_dropout(context, dtype, 0.5, 1, 0, n, p[0], p[1]);
    status |= apus_embedding_forward(context, &embedding, p[0], indices, p[1]);
    status |= apus_embedding_backward(context, &embedding, p[0], indices, 0, p[1]);
  }
  long requests = counted_requests() - before;
  CHECK_OK(status);
  if (!CHECK(requests == 0))
    fprintf(stderr, "  %ld requests: calls without plans, %s\n", requests, apus_backend_name(context_info(context).backend));
  free(data);
}

static void in_order(void *user, int64_t count, apus_task_fn run, void *task) {
  (void)user;
  for (int64_t i = 0; i < count; i++) run(task, i);
}

/* The team's threads are the system's, and come when it sees fit: a thread that is made during the thousand runs would
 * allocate its own stack, not the plan's. So a context is used for a while first. */
static void assemble(const apus_context *context) {
  float *data = (float *)calloc(3 * 40000, sizeof *data);
  for (int i = 0; i < 200; i++) {
    CHECK_OK(apus_sgemm(context, 101, 111, 111, 200, 200, 200, 1, data, 200, data + 40000, 200, 0, data + 80000, 200));
    if (i % 50 == 0) usleep(20000);
  }
  free(data);
}

int main(void) {
  void *symbol = dlsym(RTLD_DEFAULT, "counted_requests");
  if (!symbol) return skipped("counting_malloc is not preloaded");
  memcpy(&counted_requests, &symbol, sizeof symbol);
  long before = counted_requests();
  void *volatile counted = malloc(1000000); /* volatile, so that the compiler does not leave it out */
  free(counted);
  CHECK(counted_requests() > before);
  apus_context_options options;
  CHECK_OK(apus_context_options_init(&options));
  options.threads = 3;
  apus_context *host = NULL;
  CHECK_OK(apus_context_create_host(&options, in_order, NULL, &host));
  apus_context *all[4] = {make_context(0, APUS_BACKEND_SERIAL, 1), make_context(0, APUS_BACKEND_DISPATCH, 2), host,
                          make_openmp_context(2)};
  for (int i = 0; i < 4 && all[i]; i++) {
    assemble(all[i]);
    for (size_t j = 0; j < sizeof kinds / sizeof *kinds; j++) {
      count_runs(all[i], APUS_FLOAT32, &kinds[j], 0);
      count_runs(all[i], APUS_FLOAT64, &kinds[j], 1);
    }
    for (size_t j = 0; j < sizeof conv_kinds / sizeof *conv_kinds; j++) {
      count_conv_runs(all[i], APUS_FLOAT32, &conv_kinds[j], 0);
      count_conv_runs(all[i], APUS_FLOAT64, &conv_kinds[j], 1);
    }
    for (size_t j = 0; j < sizeof pool_kinds / sizeof *pool_kinds; j++)
      count_pool_runs(all[i], j % 2 ? APUS_FLOAT64 : APUS_FLOAT32, &pool_kinds[j], (int)(j + (size_t)i) % 2);
    for (size_t j = 0; j < sizeof rnn_kinds / sizeof *rnn_kinds; j++)
      count_rnn_runs(all[i], j % 2 ? APUS_FLOAT64 : APUS_FLOAT32, &rnn_kinds[j], (int)(j / 2 + (size_t)i) % 2);
    count_layer_calls(all[i], APUS_FLOAT32);
    count_layer_calls(all[i], APUS_FLOAT64);
    apus_context_destroy(all[i]);
  }
  return finish();
}
