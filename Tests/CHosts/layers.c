/* What lies between the large kernels, through every function of the header, beside plain loops. */
#include "check.h"
#include <math.h>

static double sample(int64_t i, int seed) { return (double)((i * 7919 + seed * 104729) % 2003) / 1001 - 1; }

static void put(void *p, int32_t dtype, int64_t i, double v) {
  if (dtype == APUS_FLOAT32)
    ((float *)p)[i] = (float)v;
  else
    ((double *)p)[i] = v;
}
static double get(const void *p, int32_t dtype, int64_t i) {
  return dtype == APUS_FLOAT32 ? (double)((const float *)p)[i] : ((const double *)p)[i];
}
static void *numbers(int32_t dtype, int64_t count, int seed) {
  void *p = malloc((size_t)count * 8 + 8);
  for (int64_t i = 0; i < count; i++) put(p, dtype, i, sample(i, seed));
  return p;
}
static double precision(int32_t dtype) { return dtype == APUS_FLOAT32 ? 1e-5 : 1e-13; }
static int near(double a, double b, int32_t dtype) { return fabs(a - b) <= precision(dtype) * (1 + fabs(b)); }

static void elementwise(const apus_context *context, int32_t dtype) {
  enum { n = 777 };
  void *x = numbers(dtype, n, 1), *dy = numbers(dtype, n, 2), *y = numbers(dtype, n, 3), *dx = numbers(dtype, n, 4);
  apus_elementwise_desc d;
  CHECK_OK(apus_elementwise_desc_init(&d, dtype, APUS_ACTIVATION_SILU, n));
  CHECK(d.struct_size == sizeof d && d.count == n && d.from_output == 0);
  CHECK_OK(apus_elementwise_forward(context, &d, x, y));
  CHECK_OK(apus_elementwise_backward(context, &d, x, dy, dx));
  for (int i = 0; i < n; i++) {
    double v = get(x, dtype, i), s = 1 / (1 + exp(-v));
    if (!CHECK(near(get(y, dtype, i), v * s, dtype) && near(get(dx, dtype, i), get(dy, dtype, i) * s * (1 + v * (1 - s)), dtype)))
      break;
  }
  CHECK_OK(apus_elementwise_desc_init(&d, dtype, APUS_FUNCTION_AFFINE, n));
  d.alpha = 2;
  d.beta = 1;
  CHECK_OK(apus_elementwise_forward(context, &d, y, y));
  d.from_output = 1;
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_elementwise_backward(context, &d, x, dy, dx));
  CHECK(strstr(apus_last_error(), "from_output is 1"));
  d.function = 999;
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_elementwise_forward(context, &d, x, y));
  CHECK(strstr(apus_last_error(), "function is 999"));
  void *slopes = numbers(dtype, 7, 5), *dslopes = numbers(dtype, 7, 6);
  CHECK_OK(apus_prelu_forward(context, dtype, 3, 7, 37, x, slopes, y));
  CHECK_OK(apus_prelu_backward(context, dtype, 3, 7, 37, x, slopes, dy, dx, dslopes));
  double sums[7] = {0};
  for (int i = 0; i < n; i++) {
    double v = get(x, dtype, i), w = get(slopes, dtype, i / 37 % 7);
    if (v < 0) sums[i / 37 % 7] += v * get(dy, dtype, i);
    if (!CHECK(near(get(y, dtype, i), v < 0 ? v * w : v, dtype))) break;
  }
  for (int c = 0; c < 7; c++) CHECK(near(get(dslopes, dtype, c), sums[c], dtype));
  free(x), free(y), free(dx), free(dy), free(slopes), free(dslopes);
}

static void softmax_and_losses(const apus_context *context, int32_t dtype) {
  int64_t shape[2] = {9, 33};
  enum { n = 9 * 33 };
  void *x = numbers(dtype, n, 1), *y = numbers(dtype, n, 2), *dx = numbers(dtype, n, 3);
  apus_softmax_desc d;
  CHECK_OK(apus_softmax_desc_init(&d, dtype, 2, shape, -1));
  CHECK(d.outer == 9 && d.size == 33 && d.inner == 1);
  CHECK_OK(apus_softmax_forward(context, &d, x, y));
  CHECK_OK(apus_softmax_backward(context, &d, y, x, dx));
  int32_t labels[9];
  apus_cross_entropy_desc e;
  CHECK_OK(apus_cross_entropy_desc_init(&e, dtype, 9, 33, APUS_INT32));
  double mean = 0;
  for (int r = 0; r < 9; r++) {
    double sum = 0;
    labels[r] = r * 3;
    for (int c = 0; c < 33; c++) sum += exp(get(x, dtype, r * 33 + c));
    for (int c = 0; c < 33; c++) CHECK(near(get(y, dtype, r * 33 + c), exp(get(x, dtype, r * 33 + c)) / sum, dtype));
    mean += (log(sum) - get(x, dtype, r * 33 + labels[r])) / 9;
  }
  double loss[16];
  CHECK_OK(apus_cross_entropy_forward(context, &e, x, labels, NULL, loss));
  CHECK(near(get(loss, dtype, 0), mean, dtype));
  CHECK_OK(apus_cross_entropy_backward(context, &e, x, labels, NULL, NULL, dx));
  CHECK(near(get(dx, dtype, 34), get(y, dtype, 34) / 9, dtype) && near(get(dx, dtype, 36), (get(y, dtype, 36) - 1) / 9, dtype));
  /* The same rows as planes: 3 samples, 33 classes, 3 positions. */
  void *planes = numbers(dtype, n, 4);
  double losses[9];
  for (int r = 0; r < 9; r++)
    for (int c = 0; c < 33; c++) put(planes, dtype, (r / 3 * 33 + c) * 3 + r % 3, get(x, dtype, r * 33 + c));
  e.batch = e.positions = 3;
  CHECK_OK(apus_cross_entropy_forward(context, &e, planes, labels, NULL, losses));
  CHECK(get(losses, dtype, 0) == get(loss, dtype, 0));
  CHECK_OK(apus_cross_entropy_backward(context, &e, planes, labels, NULL, NULL, planes));
  for (int r = 0; r < 9; r++)
    for (int c = 0; c < 33; c++) CHECK(get(planes, dtype, (r / 3 * 33 + c) * 3 + r % 3) == get(dx, dtype, r * 33 + c));
  free(planes);
  e.batch = 9, e.positions = 1;
  labels[4] = 33;
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_cross_entropy_forward(context, &e, x, labels, NULL, loss));
  CHECK(strstr(apus_last_error(), "targets[4] is 33"));
  CHECK_OK(apus_element_loss_forward(context, dtype, APUS_LOSS_MSE, APUS_LOSS_SUM, 1, n, x, y, loss));
  CHECK_OK(apus_element_loss_backward(context, dtype, APUS_LOSS_MSE, APUS_LOSS_SUM, 1, n, x, y, NULL, dx));
  double sum = 0;
  for (int i = 0; i < n; i++) {
    double difference = get(x, dtype, i) - get(y, dtype, i);
    sum += difference * difference;
    CHECK(near(get(dx, dtype, i), 2 * difference, dtype));
  }
  CHECK(near(get(loss, dtype, 0), sum, dtype));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_softmax_desc_init(&d, dtype, 2, shape, 2));
  CHECK(strstr(apus_last_error(), "axis is 2"));
  free(x), free(y), free(dx);
}

static void normalization(const apus_context *context, int32_t dtype) {
  enum { rows = 6, size = 50, n = rows * size };
  void *x = numbers(dtype, n, 1), *y = numbers(dtype, n, 2), *dx = numbers(dtype, n, 3), *small[6];
  for (int i = 0; i < 6; i++) small[i] = numbers(dtype, size, 4 + i);
  apus_norm_desc d;
  apus_norm_args a;
  int64_t count = 0;
  CHECK_OK(apus_norm_desc_init(&d, dtype, APUS_NORM_LAYER, rows, size, 1));
  CHECK_OK(apus_norm_statistics_count(&d, &count));
  CHECK(count == rows);
  CHECK_OK(apus_norm_args_init(&a));
  a.x = x;
  a.gamma = small[0];
  a.beta = small[1];
  a.y = y;
  a.mean = small[2];
  a.scale = small[3];
  CHECK_OK(apus_norm_forward(context, &d, &a));
  for (int r = 0; r < rows; r++) {
    double mean = 0, variance = 0;
    for (int c = 0; c < size; c++) mean += get(x, dtype, r * size + c) / size;
    for (int c = 0; c < size; c++) variance += pow(get(x, dtype, r * size + c) - mean, 2) / size;
    for (int c = 0; c < size; c++)
      CHECK(near(get(y, dtype, r * size + c),
                 (get(x, dtype, r * size + c) - mean) / sqrt(variance + 1e-5) * get(small[0], dtype, c) + get(small[1], dtype, c), dtype));
  }
  a.dy = y;
  a.dx = dx;
  a.dgamma = small[4];
  a.dbeta = small[5];
  CHECK_OK(apus_norm_backward(context, &d, &a));
  double sum = 0;
  for (int r = 0; r < rows; r++) sum += get(y, dtype, r * size + 3);
  CHECK(near(get(small[5], dtype, 3), sum, dtype));
  /* A batch normalisation with running statistics, and folded. */
  CHECK_OK(apus_norm_desc_init(&d, dtype, APUS_NORM_BATCH, 2, 5, 30));
  d.training = 0;
  for (int i = 0; i < 5; i++) put(small[3], dtype, i, 1 + i);
  a.running_mean = small[2];
  a.running_variance = small[3];
  a.mean = a.scale = NULL;
  CHECK_OK(apus_norm_forward(context, &d, &a));
  double weights[5], bias[5];
  for (int i = 0; i < 5; i++) put(weights, dtype, i, 1);
  CHECK_OK(apus_norm_fold(&d, &a, 1, weights, NULL, weights, bias));
  for (int i = 0; i < n; i++)
    CHECK(near(get(y, dtype, i), get(x, dtype, i) * get(weights, dtype, i / 30 % 5) + get(bias, dtype, i / 30 % 5), dtype));
  d.groups = 0;
  d.kind = APUS_NORM_GROUP;
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_norm_forward(context, &d, &a));
  apus_lrn_desc l;
  CHECK_OK(apus_lrn_desc_init(&l, dtype, 2, 5, 30));
  l.alpha = 1;
  CHECK_OK(apus_lrn_forward(context, &l, x, y));
  double s = 1 + (pow(get(x, dtype, 0), 2) + pow(get(x, dtype, 30), 2) + pow(get(x, dtype, 60), 2)) / 5;
  CHECK(near(get(y, dtype, 0), get(x, dtype, 0) * pow(s, -0.75), dtype));
  CHECK_OK(apus_lrn_backward(context, &l, x, y, dx));
  free(x), free(y), free(dx);
  for (int i = 0; i < 6; i++) free(small[i]);
}

static void tensors(const apus_context *context, int32_t dtype) {
  int64_t matrix[2] = {17, 40}, row[1] = {40}, turned_shape[2] = {40, 17};
  enum { n = 17 * 40 };
  apus_tensor m, v, t, view, part;
  CHECK_OK(apus_tensor_init(&m, dtype, 2, matrix));
  CHECK_OK(apus_tensor_init(&v, dtype, 1, row));
  CHECK_OK(apus_tensor_init(&t, dtype, 2, turned_shape));
  void *x = numbers(dtype, n, 1), *b = numbers(dtype, 40, 2), *y = numbers(dtype, n, 3);
  CHECK_OK(apus_binary(context, APUS_BINARY_MULTIPLY, &m, x, &v, b, &m, y));
  for (int i = 0; i < n; i++) CHECK(near(get(y, dtype, i), get(x, dtype, i) * get(b, dtype, i % 40), dtype));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_binary(context, APUS_BINARY_ADD, &m, x, &t, b, &m, y));
  CHECK(strstr(apus_last_error(), "[40, 17]") && strstr(apus_last_error(), "[17, 40]"));
  CHECK_OK(apus_select(context, &m, x, &v, b, &m, x, &m, y));
  int32_t turn[2] = {1, 0};
  CHECK_OK(apus_tensor_permute(&m, turn, &view));
  CHECK_OK(apus_copy(context, &view, x, &t, y));
  for (int i = 0; i < n; i++) CHECK(get(y, dtype, i) == get(x, dtype, i % 17 * 40 + i / 17));
  int64_t offset = -1;
  CHECK_OK(apus_tensor_slice(&m, 1, 39, 4, -10, &part, &offset));
  CHECK(offset == 39 && part.shape[1] == 4 && part.strides[1] == -10);
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_tensor_slice(&m, 1, 38, 4, 1, &part, &offset));
  apus_tensor left, right, wide;
  int64_t left_shape[2] = {17, 15}, right_shape[2] = {17, 25}, wide_shape[2] = {19, 45}, before[2] = {1, 2};
  CHECK_OK(apus_tensor_init(&left, dtype, 2, left_shape));
  CHECK_OK(apus_tensor_init(&right, dtype, 2, right_shape));
  CHECK_OK(apus_tensor_init(&wide, dtype, 2, wide_shape));
  void *p = numbers(dtype, n, 4), *q = numbers(dtype, n, 5), *z = numbers(dtype, 19 * 45, 6);
  const apus_tensor *parts[2] = {&left, &right};
  const void *sources[2] = {p, q};
  void *results[2] = {p, q};
  CHECK_OK(apus_split(context, 1, &m, x, 2, parts, results));
  CHECK(get(p, dtype, 15) == get(x, dtype, 40) && get(q, dtype, 0) == get(x, dtype, 15));
  CHECK_OK(apus_concatenate(context, 1, 2, parts, sources, &m, y));
  for (int i = 0; i < n; i++) CHECK(get(y, dtype, i) == get(x, dtype, i));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_concatenate(context, 1, 1, parts, sources, &m, y));
  CHECK(strstr(apus_last_error(), "the sum of the 1 parts' sizes, which is 15"));
  CHECK_OK(apus_pad(context, APUS_PAD_REFLECT, 0, before, &m, x, &wide, z));
  CHECK(get(z, dtype, 0) == get(x, dtype, 42) && get(z, dtype, 44) == get(x, dtype, 76));
  CHECK_OK(apus_pad(context, APUS_PAD_CONSTANT, 7, before, &m, x, &wide, z));
  CHECK(get(z, dtype, 0) == 7 && get(z, dtype, 47) == get(x, dtype, 0));
  CHECK_OK(apus_pad_backward(context, APUS_PAD_REPLICATE, before, &wide, z, &m, y));
  CHECK(near(get(y, dtype, 0), 5 * 7 + get(x, dtype, 0), dtype) && get(y, dtype, 41) == get(x, dtype, 41));
  before[0] = 3;
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_pad(context, APUS_PAD_CIRCULAR, 0, before, &m, x, &wide, z));
  CHECK(strstr(apus_last_error(), "y_tensor->shape[0] is 19"));
  free(p), free(q), free(z);
  CHECK_OK(apus_fill(context, 3, &v, b));
  CHECK(get(b, dtype, 39) == 3);
  CHECK_OK(apus_reduce(context, APUS_REDUCE_MEAN, 1, 0, &m, x, y));
  double mean = 0;
  for (int i = 0; i < 17; i++) mean += get(x, dtype, i * 40 + 5) / 17;
  CHECK(near(get(y, dtype, 5), mean, dtype));
  int32_t best[17];
  CHECK_OK(apus_argmax(context, dtype, 0, 17, 40, 1, x, APUS_INT32, best));
  for (int i = 0; i < 40; i++) CHECK(get(x, dtype, i) <= get(x, dtype, best[0]));
  CHECK_OK(apus_cumulative_sum(context, dtype, 0, 0, 17, 40, 1, x, y));
  CHECK(near(get(y, dtype, 1), get(x, dtype, 0) + get(x, dtype, 1), dtype));
  int32_t indices[3] = {16, 2, 16};
  CHECK_OK(apus_gather(context, dtype, 1, 17, 40, x, APUS_INT32, 3, indices, y));
  CHECK(get(y, dtype, 41) == get(x, dtype, 81));
  void *sums = numbers(dtype, n, 9);
  CHECK_OK(apus_scatter_add(context, dtype, 1, 17, 40, y, APUS_INT32, 3, indices, sums));
  CHECK(near(get(sums, dtype, 640), sample(640, 9) + 2 * get(x, dtype, 640), dtype));
  CHECK_OK(apus_one_hot(dtype, 17, APUS_INT32, 3, indices, y));
  CHECK(get(y, dtype, 16) == 1 && get(y, dtype, 15) == 0 && get(y, dtype, 19) == 1);
  apus_embedding_desc e;
  CHECK_OK(apus_embedding_desc_init(&e, dtype, 17, 40, 3));
  e.padding_index = 2;
  CHECK_OK(apus_embedding_forward(context, &e, x, indices, y));
  CHECK_OK(apus_embedding_backward(context, &e, y, indices, 0, sums));
  CHECK(near(get(sums, dtype, 640), 2 * get(x, dtype, 640), dtype) && get(sums, dtype, 81) == 0);
  indices[1] = 17;
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_embedding_forward(context, &e, x, indices, y));
  CHECK(strstr(apus_last_error(), "indices[1] is 17"));
  free(x), free(b), free(y), free(sums);
}

static void updates(const apus_context *context, int32_t dtype) {
  int64_t counts[2] = {100, 3};
  void *p[2], *s[2], *q[2];
  const void *g[2];
  for (int i = 0; i < 2; i++) {
    p[i] = numbers(dtype, counts[i], i);
    g[i] = numbers(dtype, counts[i], i + 2);
    s[i] = calloc((size_t)counts[i], 8);
    q[i] = calloc((size_t)counts[i], 8);
  }
  double norm = 0, scale = 0, sum = 0;
  for (int i = 0; i < 2; i++)
    for (int k = 0; k < counts[i]; k++) sum += pow(get(g[i], dtype, k), 2);
  CHECK_OK(apus_gradient_norm(context, dtype, 2, counts, g, 1, &norm, &scale));
  CHECK(near(norm, sqrt(sum), dtype) && near(scale, 1 / norm, dtype));
  apus_optimizer_desc d;
  CHECK_OK(apus_optimizer_desc_init(&d, dtype, APUS_OPTIMIZER_ADAM, 0.1));
  d.gradient_scale = scale;
  CHECK_OK(apus_optimizer_step(context, &d, 2, counts, p, g, s, q));
  for (int k = 0; k < 100; k++) {
    double v = get(g[0], dtype, k) * scale;
    CHECK(near(get(p[0], dtype, k), sample(k, 0) - 0.1 * v / (fabs(v) + 1e-8), dtype));
  }
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_optimizer_step(context, &d, 2, counts, p, g, NULL, q));
  double a[100], b[100];
  CHECK_OK(apus_random_fill(context, dtype, APUS_RANDOM_NORMAL, 0, 1, 0, 0, 5, 0, 100, a));
  CHECK_OK(apus_random_fill(context, dtype, APUS_RANDOM_NORMAL, 0, 1, 0, 0, 5, 50, 50, b));
  for (int k = 0; k < 50; k++) CHECK(get(a, dtype, 50 + k) == get(b, dtype, k));
  CHECK_OK(apus_dropout(context, dtype, 0.5, 1, 0, 100, a, b));
  for (int k = 0; k < 100; k++) CHECK(get(b, dtype, k) == 0 || get(b, dtype, k) == 2 * get(a, dtype, k));
  CHECK_OK(apus_initialize(context, dtype, APUS_INIT_ORTHOGONAL, 10, 10, 1, 1, 0, 100, a));
  double product = 0, square = 0;
  for (int k = 0; k < 10; k++) product += get(a, dtype, k) * get(a, dtype, 10 + k), square += pow(get(a, dtype, k), 2);
  CHECK(near(product, 0, dtype) && near(square, 1, dtype));
  for (int i = 0; i < 2; i++) free(p[i]), free(s[i]), free(q[i]), free((void *)g[i]);
}

/* A line for each call, with the problem as kbench takes it. */
typedef struct heard {
  int calls;
  char operation[32], problem[64];
} heard;

static void listen(void *user, const apus_verbose_record *record) {
  heard *h = (heard *)user;
  h->calls++;
  CHECK(record->struct_size == sizeof *record && strcmp(record->event, "run") == 0 && record->microseconds >= 0);
  snprintf(h->operation, sizeof h->operation, "%s", record->operation);
  snprintf(h->problem, sizeof h->problem, "%s", record->problem);
}

static void verbose(void) {
  heard h = {0, "", ""};
  int64_t shape[2] = {2, 3}, wide_shape[2] = {4, 4}, before[2] = {1, 0};
  apus_tensor m, wide;
  CHECK_OK(apus_tensor_init(&m, APUS_FLOAT32, 2, shape));
  CHECK_OK(apus_tensor_init(&wide, APUS_FLOAT32, 2, wide_shape));
  float x[6] = {1, 2, 3, 4, 5, 6}, y[16];
  apus_elementwise_desc e;
  apus_softmax_desc s;
  CHECK_OK(apus_elementwise_desc_init(&e, APUS_FLOAT32, APUS_ACTIVATION_GELU, 6));
  CHECK_OK(apus_softmax_desc_init(&s, APUS_FLOAT32, 2, shape, 0));
  CHECK_OK(apus_set_verbose_callback(listen, &h));
  CHECK_OK(apus_elementwise_backward(NULL, &e, x, x, y));
  CHECK(h.calls == 1 && !strcmp(h.operation, "elementwise") && !strcmp(h.problem, "gelu:n6:backward"));
  CHECK_OK(apus_softmax_forward(NULL, &s, x, y));
  CHECK(h.calls == 2 && !strcmp(h.operation, "softmax") && !strcmp(h.problem, "softmax:n1c2p3"));
  CHECK_OK(apus_pad(NULL, APUS_PAD_CONSTANT, 0, before, &m, x, &wide, y));
  CHECK(h.calls == 3 && !strcmp(h.operation, "movement") && !strcmp(h.problem, "constant:[4, 4]"));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_elementwise_forward(NULL, &e, NULL, y));
  CHECK(h.calls == 3);
  CHECK_OK(apus_set_verbose_callback(NULL, NULL));
  CHECK_OK(apus_softmax_forward(NULL, &s, x, y));
  CHECK(h.calls == 3);
}

int main(void) {
  verbose();
  for (int32_t isa = APUS_ISA_BASELINE; isa <= APUS_ISA_AVX512; isa++) {
    if (!(context_info(NULL).isa_available >> isa & 1)) continue;
    apus_context *context = make_context(isa, 0, 2);
    for (int32_t dtype = APUS_FLOAT32; dtype <= APUS_FLOAT64; dtype++) {
      elementwise(context, dtype);
      softmax_and_losses(context, dtype);
      normalization(context, dtype);
      tensors(context, dtype);
      updates(context, dtype);
    }
    apus_context_destroy(context);
  }
  return finish();
}
