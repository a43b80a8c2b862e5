/* Random descriptions of what lies between the large kernels, some of them broken, against include/apus.h.
 *
 * Buffers end (or begin) at a page that may not be touched. A call is refused with a message, or it runs safely; what was not
 * broken must be accepted, and a row of softmax must add up to 1. */
#include <math.h>

enum { MOST = 1 << 19, BUFFERS = 8 };
#include "fuzz.h"

/* What sizes and counts are broken with: a few, or far more than a buffer here has. */
static int64_t odd_count(void) {
  static const int64_t values[] = {-1, 0, 1, 3, INT32_MAX, INT64_MAX, INT64_MIN, INT64_MAX / 8, (int64_t)1 << 32, -5};
  return values[below(10)];
}

static int32_t dtype;
static int64_t element;
static uint32_t ends;
static void *tensor(int buffer, int64_t count) {
  void *p = guarded(buffer, count * element, ends >> buffer & 1);
  for (int64_t i = 0; i < count; i++) {
    double v = (double)((i * 7919 + buffer * 31) % 401) / 100 - 2;
    if (dtype == APUS_FLOAT32)
      ((float *)p)[i] = (float)v;
    else
      ((double *)p)[i] = v;
  }
  return p;
}
static double at(const void *p, int64_t i) { return dtype == APUS_FLOAT32 ? (double)((const float *)p)[i] : ((const double *)p)[i]; }

/* What was not broken is accepted; what is refused has a message. */
static void judge(apus_status status, int broken) { MUST(status == APUS_OK || (broken && apus_last_error()[0])); }
static int breaks(void) { return below(4) == 0; }

static void elementwise(const apus_context *c) {
  int64_t n = below(2000);
  apus_elementwise_desc d;
  int32_t function = (int32_t)(below(2) ? below(18) : 32 + below(11));
  MUST(apus_elementwise_desc_init(&d, dtype, function, n) == APUS_OK);
  int broken = breaks();
  if (broken) switch (below(5)) {
      case 0: d.count = odd_count(); break;
      case 1: d.alpha = (double)odd_count(); break;
      case 2: d.function = (int32_t)odd_count(); break;
      case 3: d.dtype = (int32_t)odd_count(); break;
      default: d.from_output = 1;
    }
  if (d.count > 2000 && d.count < (int64_t)1 << 40) return;
  void *x = tensor(0, n), *y = tensor(1, n), *dx = tensor(2, n);
  /* A length that is not the buffers' must not be run. */
  if (d.count > n) {
    if (d.count > INT64_MAX / element) MUST(apus_elementwise_forward(c, &d, x, y) != APUS_OK);
    return;
  }
  if (d.dtype != dtype && (d.dtype == APUS_FLOAT32 || d.dtype == APUS_FLOAT64)) return;
  judge(apus_elementwise_forward(c, &d, x, y), broken);
  judge(apus_elementwise_backward(c, &d, x, y, dx), broken);
}

static void softmax(const apus_context *c) {
  int64_t shape[3] = {below(9), 1 + below(below(2) ? 20 : 300), below(3) ? 1 : below(20)}, n = shape[0] * shape[1] * shape[2];
  apus_softmax_desc d;
  int32_t axis = (int32_t)below(3);
  MUST(apus_softmax_desc_init(&d, dtype, 3, shape, axis) == APUS_OK);
  void *x = tensor(0, n), *y = tensor(1, n), *dx = tensor(2, n);
  MUST(apus_softmax_forward(c, &d, x, y) == APUS_OK);
  if (d.inner == 1)
    for (int64_t r = 0; r < d.outer; r++) {
      double sum = 0;
      for (int64_t i = 0; i < d.size; i++) sum += at(y, r * d.size + i);
      MUST(d.size == 0 || fabs(sum - 1) < 1e-4);
    }
  d.logarithm = (int32_t)below(2);
  MUST(apus_softmax_backward(c, &d, y, x, dx) == APUS_OK);
  if (breaks()) {
    d.size = odd_count();
    if (d.size * d.outer * d.inner != 0 && d.size > 0 && d.size < (int64_t)1 << 60) return;
    apus_status status = apus_softmax_forward(c, &d, x, y);
    MUST(status == APUS_OK || apus_last_error()[0]);
  }
}

static void normalization(const apus_context *c) {
  apus_norm_desc d;
  int32_t kind = (int32_t)below(5);
  int rows = kind == APUS_NORM_LAYER || kind == APUS_NORM_RMS;
  int64_t groups = 1 + below(4);
  MUST(apus_norm_desc_init(&d, dtype, kind, below(6), groups * (1 + below(rows ? 200 : 12)), rows ? 1 : 1 + below(60)) == APUS_OK);
  d.groups = groups;
  d.layout = (int32_t)below(2);
  if (kind == APUS_NORM_BATCH) d.training = (int32_t)below(2);
  int broken = breaks();
  if (broken) switch (below(4)) {
      case 0: d.groups = odd_count(); break;
      case 1: d.epsilon = -1; break;
      case 2: d.kind = (int32_t)odd_count(); break;
      default: d.positions = odd_count();
    }
  int64_t count = 0;
  apus_status status = apus_norm_statistics_count(&d, &count);
  judge(status, broken);
  if (status != APUS_OK || d.positions < 0 || d.positions > 100 || d.channels * d.positions * d.batch * 8 > MOST) return;
  int64_t n = d.batch * d.channels * d.positions;
  apus_norm_args a;
  MUST(apus_norm_args_init(&a) == APUS_OK);
  a.x = tensor(0, n);
  a.y = a.dx = tensor(1, n);
  a.gamma = below(3) ? tensor(2, d.channels) : NULL;
  a.beta = below(3) ? tensor(3, d.channels) : NULL;
  a.mean = tensor(4, count);
  a.scale = tensor(5, count);
  a.running_mean = tensor(6, d.channels);
  a.running_variance = tensor(7, d.channels);
  judge(apus_norm_forward(c, &d, &a), broken);
  a.dy = a.x;
  if (below(2)) a.dgamma = tensor(6, d.channels);
  if (below(2)) a.dbeta = tensor(7, d.channels);
  judge(apus_norm_backward(c, &d, &a), broken);
}

/* A tensor padded and its gradient, and cut in two and put together. */
static void padding(const apus_context *c, const apus_tensor *a, const int64_t *shape, int32_t rank, const void *p) {
  int32_t mode = (int32_t)below(4);
  int64_t before[4], padded[4], n = 1, m = 1;
  int broken = 0;
  for (int i = 0; i < rank; i++) {
    int64_t behind = below(3);
    before[i] = below(3);
    padded[i] = before[i] + shape[i] + behind;
    int64_t most = before[i] > behind ? before[i] : behind;
    if (mode == APUS_PAD_REFLECT) broken |= most && most >= shape[i];
    if (mode == APUS_PAD_REPLICATE) broken |= most && !shape[i];
    if (mode == APUS_PAD_CIRCULAR) broken |= most > shape[i];
    n *= padded[i];
    m *= shape[i];
  }
  if (n * element > MOST) return;
  apus_tensor y;
  MUST(apus_tensor_init(&y, dtype, rank, padded) == APUS_OK);
  void *z = tensor(4, n);
  MUST((apus_pad(c, mode, 1, before, a, p, &y, z) == APUS_OK) == !broken);
  MUST((apus_pad_backward(c, mode, before, &y, z, a, tensor(5, m)) == APUS_OK) == !broken);
  if (rank && breaks()) {
    before[below((uint32_t)rank)] = odd_count();
    MUST(apus_pad(c, mode, 1, before, a, p, &y, z) == APUS_OK || apus_last_error()[0]);
  }
  if (!rank) return;
  int32_t axis = (int32_t)below((uint32_t)rank);
  apus_tensor parts[2] = {*a, *a};
  parts[0].shape[axis] = below((uint32_t)shape[axis] + 1);
  parts[1].shape[axis] -= parts[0].shape[axis];
  const apus_tensor *tensors[2] = {&parts[0], &parts[1]};
  int64_t counts[2] = {1, 1};
  for (int k = 0; k < 2; k++) {
    int64_t own[4];
    for (int i = 0; i < rank; i++) counts[k] *= own[i] = parts[k].shape[i];
    MUST(apus_tensor_init(&parts[k], dtype, rank, own) == APUS_OK);
  }
  void *results[2] = {tensor(4, counts[0]), tensor(5, counts[1])};
  const void *sources[2] = {results[0], results[1]};
  void *whole = tensor(6, m);
  MUST(apus_split(c, axis, a, p, 2, tensors, results) == APUS_OK);
  MUST(apus_concatenate(c, axis, 2, tensors, sources, a, whole) == APUS_OK);
  for (int64_t i = 0; i < m; i++) MUST(at(whole, i) == at(p, i));
}

static void tensors(const apus_context *c) {
  int64_t shape[4], n = 1, m = 1;
  int32_t rank = (int32_t)below(5);
  int64_t small[4];
  for (int i = 0; i < rank; i++) {
    shape[i] = below(below(3) ? 5 : 40);
    small[i] = below(3) ? shape[i] : 1;
    if (n * shape[i] > 4000) shape[i] = small[i] = 1;
    n *= shape[i];
    m *= small[i];
  }
  apus_tensor a, b, y;
  MUST(apus_tensor_init(&a, dtype, rank, shape) == APUS_OK && apus_tensor_init(&b, dtype, rank, small) == APUS_OK);
  y = a;
  void *p = tensor(0, n), *q = tensor(1, m), *r = tensor(2, n);
  MUST(apus_binary(c, (int32_t)below(13), &a, p, &b, q, &y, r) == APUS_OK);
  MUST(apus_select(c, &b, q, &a, p, &b, q, &y, r) == APUS_OK);
  padding(c, &a, shape, rank, p);
  int32_t axes = rank ? (int32_t)below(1u << rank) : 0, kind = (int32_t)below(8);
  /* Without an element there may still be results. */
  int64_t kept = 1;
  for (int i = 0; i < rank; i++) kept *= axes >> i & 1 ? 1 : shape[i];
  apus_status status = apus_reduce(c, kind, axes, 0, &a, p, tensor(3, kept));
  MUST(status == APUS_OK || n == 0);
  int32_t order[4];
  for (int i = 0; i < rank; i++) order[i] = i;
  for (int i = rank - 1; i > 0; i--) {
    int j = (int)below((uint32_t)i + 1);
    int32_t t = order[i];
    order[i] = order[j];
    order[j] = t;
  }
  apus_tensor view;
  MUST(apus_tensor_permute(&a, order, &view) == APUS_OK);
  int64_t turned[4];
  for (int i = 0; i < rank; i++) turned[i] = shape[order[i]];
  MUST(apus_tensor_init(&y, dtype, rank, turned) == APUS_OK);
  MUST(apus_copy(c, &view, p, &y, r) == APUS_OK);
  if (breaks() && rank) {
    b.shape[below((uint32_t)rank)] = odd_count();
    b.strides[below((uint32_t)rank)] = odd_count();
    status = apus_tensor_slice(&b, (int32_t)below(5) - 1, odd_count(), odd_count(), odd_count(), &view, &n);
    MUST(status == APUS_OK || apus_last_error()[0]);
    status = apus_binary(c, APUS_BINARY_ADD, &b, NULL, &b, NULL, &b, NULL);
    MUST(status == APUS_OK || apus_last_error()[0]);
  }
}

static void losses(const apus_context *c) {
  apus_cross_entropy_desc d;
  int64_t samples = below(5), positions = below(2) ? 1 : below(5);
  int64_t batch = samples * positions, classes = 1 + below(below(2) ? 10 : 200);
  MUST(apus_cross_entropy_desc_init(&d, dtype, samples, classes, APUS_INT64) == APUS_OK);
  d.positions = positions;
  d.reduction = (int32_t)below(3);
  d.ignores = 1;
  void *x = tensor(0, batch * classes), *dx = tensor(1, batch * classes), *loss = tensor(2, batch + 1);
  int64_t *labels = (int64_t *)guarded(3, batch * 8, ends >> 3 & 1);
  int broken = batch > 0 && breaks();
  for (int64_t i = 0; i < batch; i++) labels[i] = below(9) ? (int64_t)below((uint32_t)classes) : -100;
  if (broken) labels[below((uint32_t)batch)] = odd_count();
  judge(apus_cross_entropy_forward(c, &d, x, labels, NULL, loss), broken);
  judge(apus_cross_entropy_backward(c, &d, x, labels, NULL, NULL, dx), broken);
  MUST(apus_element_loss_forward(c, dtype, 16 + (int32_t)below(5), (int32_t)below(3), 1, batch, x, dx, loss) == APUS_OK);
  apus_embedding_desc e;
  int64_t width = 1 + below(50);
  MUST(apus_embedding_desc_init(&e, dtype, classes, width, batch) == APUS_OK);
  e.index_type = APUS_INT64;
  for (int64_t i = 0; i < batch; i++)
    if (labels[i] == -100) labels[i] = 0;
  void *table = tensor(4, classes * width), *y = tensor(5, batch * width);
  judge(apus_embedding_forward(c, &e, table, labels, y), broken);
  judge(apus_embedding_backward(c, &e, y, labels, 0, table), broken);
}

static void updates(const apus_context *c) {
  apus_optimizer_desc d;
  MUST(apus_optimizer_desc_init(&d, dtype, (int32_t)below(5), 0.1) == APUS_OK);
  int64_t counts[2] = {below(3000), below(20)};
  void *p[2] = {tensor(0, counts[0]), tensor(1, counts[1])}, *s[2] = {tensor(2, counts[0]), tensor(3, counts[1])};
  void *q[2] = {tensor(4, counts[0]), tensor(5, counts[1])};
  const void *g[2] = {tensor(6, counts[0]), tensor(7, counts[1])};
  int broken = breaks();
  if (broken) switch (below(4)) {
      case 0: d.beta1 = (double)odd_count(); break;
      case 1: d.step = odd_count(); break;
      case 2: d.momentum = (double)odd_count(); break;
      default: d.nesterov = (int32_t)odd_count();
    }
  double norm, scale;
  MUST(apus_gradient_norm(c, dtype, 2, counts, g, 1, &norm, &scale) == APUS_OK && norm >= 0);
  judge(apus_optimizer_step(c, &d, 2, counts, p, g, s, q), broken);
  MUST(apus_random_fill(c, dtype, (int32_t)below(3), 0, 1, -2, 2, byte(), byte(), counts[0], p[0]) == APUS_OK);
  MUST(apus_dropout(c, dtype, below(11) / 10.0, 1, byte(), counts[0], p[0], s[0]) == APUS_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length) {
  static void (*const families[])(const apus_context *) = {elementwise, softmax, normalization, tensors, losses, updates};
  if (!contexts[0]) make_contexts();
  input = data;
  input_left = length;
  const apus_context *context = contexts[byte() % CONTEXTS];
  dtype = byte() & 1 ? APUS_FLOAT64 : APUS_FLOAT32;
  element = dtype == APUS_FLOAT32 ? 4 : 8;
  ends = byte();
  families[byte() % 6](context);
  return 0;
}
