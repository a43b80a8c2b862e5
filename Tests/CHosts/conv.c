/* Convolution through every function of the header, beside plain loops. */
#include "check.h"
#include "plain_conv.h"

static const int32_t types[] = {APUS_FLOAT32, APUS_FLOAT64};

static apus_conv_desc plane(int32_t dtype, int64_t batch, int64_t channels, int64_t size, int64_t filters, int64_t kernel) {
  apus_conv_desc d;
  int64_t input[2], taps[2];
  input[0] = input[1] = size;
  taps[0] = taps[1] = kernel;
  CHECK_OK(apus_conv_desc_init(&d, dtype, 2, channels, filters, input, taps));
  d.batch = batch;
  return d;
}

static void names_and_defaults(void) {
  apus_conv_desc d = plane(APUS_FLOAT32, 1, 3, 32, 6, 5);
  CHECK(d.struct_size == sizeof d && d.groups == 1 && d.batch == 1 && d.spatial_rank == 2);
  CHECK(d.stride[0] == 1 && d.stride[1] == 1 && d.dilation[1] == 1 && d.pad_before[0] == 0 && d.pad_after[1] == 0);
  CHECK(d.x_layout == APUS_LAYOUT_NHWC && d.y_layout == APUS_LAYOUT_NHWC && d.rounding == APUS_ROUND_FLOOR);
  CHECK(!d.bias && !d.residual && !d.activation && !d.flags && !d.algorithm && !d.transposed);
  CHECK(strcmp(apus_conv_algorithm_name(APUS_CONV_DIRECT), "direct") == 0);
  CHECK(strcmp(apus_conv_algorithm_name(APUS_CONV_IMPLICIT_GEMM), "implicit_gemm") == 0);
  CHECK(strcmp(apus_conv_algorithm_name(APUS_CONV_WINOGRAD), "winograd") == 0);
  CHECK(strcmp(apus_conv_algorithm_name(99), "unknown") == 0);
  apus_conv_args x;
  CHECK_OK(apus_conv_args_init(&x));
  CHECK(x.struct_size == sizeof x && !x.x && !x.y && !x.accumulate && !x.scratch && !x.scratch_bytes);
}

static void expect_shape(const apus_conv_desc *d, int64_t height, int64_t width) {
  int64_t shape[2] = {-1, -1};
  CHECK_OK(apus_conv_output_shape(d, shape));
  if (!CHECK(shape[0] == height && shape[1] == width)) fprintf(stderr, "  %lld x %lld\n", (long long)shape[0], (long long)shape[1]);
}

/* The examples of a first course. */
static void shapes(void) {
  apus_conv_desc d = plane(APUS_FLOAT32, 1, 3, 32, 6, 5);
  expect_shape(&d, 28, 28);
  d.out_channels = 10;
  d.pad_before[0] = d.pad_before[1] = d.pad_after[0] = d.pad_after[1] = 2;
  d.bias = 1;
  expect_shape(&d, 32, 32);
  int64_t count = 0;
  CHECK_OK(apus_conv_parameter_count(&d, &count));
  CHECK(count == 760);
  d = plane(APUS_FLOAT32, 1, 1, 7, 1, 3);
  expect_shape(&d, 5, 5);
  CHECK_OK(apus_conv_desc_set_padding(&d, APUS_PADDING_SAME));
  CHECK(d.pad_before[0] == 1 && d.pad_after[1] == 1);
  expect_shape(&d, 7, 7);
  CHECK_OK(apus_conv_desc_set_padding(&d, APUS_PADDING_VALID));
  d.stride[0] = d.stride[1] = 2;
  expect_shape(&d, 3, 3);
  d.stride[0] = d.stride[1] = 3;
  expect_shape(&d, 2, 2);
  d.rounding = APUS_ROUND_STRICT;
  int64_t shape[2] = {-1, -1};
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_conv_output_shape(&d, shape));
  CHECK(strstr(apus_last_error(), "stride[0] is 3") && strstr(apus_last_error(), "does not divide 4") && shape[0] == -1);
  /* What is odd goes behind: 7 with an even kernel. */
  d = plane(APUS_FLOAT32, 1, 1, 7, 1, 4);
  CHECK_OK(apus_conv_desc_set_padding(&d, APUS_PADDING_SAME));
  CHECK(d.pad_before[0] == 1 && d.pad_after[0] == 2);
  d = plane(APUS_FLOAT32, 1, 3, 4, 2, 1);
  expect_shape(&d, 4, 4);
  /* Transposed: the way back of 7 -> 3 at stride 2. */
  d = plane(APUS_FLOAT32, 1, 1, 3, 1, 3);
  d.transposed = 1;
  d.stride[0] = d.stride[1] = 2;
  expect_shape(&d, 7, 7);
  d.output_padding[1] = 1;
  expect_shape(&d, 7, 8);
  /* One and three dimensions. */
  int64_t line[1] = {10}, three[1] = {3}, cube[3] = {4, 5, 6}, two[3] = {2, 2, 2}, out[3] = {0, 0, 0};
  CHECK_OK(apus_conv_desc_init(&d, APUS_FLOAT64, 1, 2, 2, line, three));
  CHECK_OK(apus_conv_output_shape(&d, out));
  CHECK(out[0] == 8 && out[1] == 0);
  CHECK_OK(apus_conv_desc_init(&d, APUS_FLOAT64, 3, 2, 2, cube, two));
  CHECK_OK(apus_conv_output_shape(&d, out));
  CHECK(out[0] == 3 && out[1] == 4 && out[2] == 5);
}

/* One plan, run with the library's memory or the caller's, and compared. */
static void one_plan(const apus_context *context, const apus_conv_desc *d, int32_t direction, int accumulate, int own_scratch) {
  plain_conv p;
  if (!CHECK(plain_conv_make(d, &p))) return;
  size_t size = element_size(d->dtype);
  int64_t x_count = plain_x_count(d, &p), y_count = plain_y_count(d, &p), w_count = plain_weight_count(d, &p);
  void *x = random_elements(d->dtype, x_count, 1), *y = random_elements(d->dtype, y_count, 2);
  void *weights = random_elements(d->dtype, w_count, 3), *bias = random_elements(d->dtype, d->out_channels, 4);
  void *residual = random_elements(d->dtype, y_count, 5), *before = NULL, *result = NULL;
  void *db = random_elements(d->dtype, d->out_channels, 6), *before_db = random_elements(d->dtype, d->out_channels, 6);
  int64_t count = direction == APUS_FORWARD ? y_count : direction == APUS_BACKWARD_DATA ? x_count : w_count;
  before = random_elements(d->dtype, count, 7);
  result = random_elements(d->dtype, count, 7);
  if (!accumulate) memset(result, 0xff, (size_t)count * size); /* NaN */

  apus_conv_plan *plan = NULL;
  apus_conv_info info;
  info.struct_size = sizeof info;
  if (!CHECK_OK(apus_conv_plan_create(context, d, direction, &plan))) return;
  CHECK_OK(apus_conv_plan_get_info(context, plan, &info));
  CHECK(info.flops > 0 && info.bytes > 0 && info.threads >= 1 && info.packed_weights_bytes >= w_count * (int64_t)size);
  CHECK(info.output[d->spatial_rank - 1] == p.out[2] && (d->algorithm == APUS_CONV_AUTO || info.algorithm == d->algorithm));
  char text[16];
  size_t needed = 0;
  CHECK_OK(apus_conv_plan_describe(plan, NULL, 0, &needed));
  CHECK(needed > sizeof text);
  CHECK_OK(apus_conv_plan_describe(plan, text, sizeof text, NULL));
  CHECK(strlen(text) == sizeof text - 1);

  int packs = (d->flags & APUS_CONV_PACKED_WEIGHTS) != 0;
  void *packed = malloc((size_t)info.packed_weights_bytes), *scratch = malloc((size_t)info.scratch_bytes + 1);
  memset(packed, 0xff, (size_t)info.packed_weights_bytes);
  memset(scratch, 0xff, (size_t)info.scratch_bytes + 1);
  apus_conv_args a;
  CHECK_OK(apus_conv_args_init(&a));
  a.x = x;
  a.weights = weights;
  a.bias = bias;
  a.residual = residual;
  a.dy = y;
  a.accumulate = accumulate;
  if (direction == APUS_FORWARD) a.y = result;
  if (direction == APUS_BACKWARD_DATA) a.dx = result;
  if (direction == APUS_BACKWARD_WEIGHTS) a.dw = result, a.db = db;
  if (packs && direction != APUS_BACKWARD_WEIGHTS) {
    CHECK_OK(apus_conv_pack_weights(context, plan, weights, packed, (size_t)info.packed_weights_bytes));
    a.weights = packed;
  } else if (packs) {
    if (accumulate) CHECK_OK(apus_conv_pack_weights(context, plan, result, packed, (size_t)info.packed_weights_bytes));
    a.dw = packed;
  }
  if (own_scratch) {
    a.scratch = (char *)scratch + 1; /* any alignment will do */
    a.scratch_bytes = (size_t)info.scratch_bytes;
  }
  CHECK_OK(apus_conv_run(context, plan, &a));
  if (packs && direction == APUS_BACKWARD_WEIGHTS) CHECK_OK(apus_conv_unpack_weights(context, plan, packed, result));
  plain_run r;
  r.direction = direction;
  r.args = &a;
  r.weights = weights;
  r.dw = result;
  r.before = before;
  r.before_db = before_db;
  if (!CHECK(conv_mistakes(d, &r) == 0)) {
    char all[400];
    CHECK_OK(apus_conv_plan_describe(plan, all, sizeof all, NULL));
    fprintf(stderr, "  %s, layouts %d %d, bias %d, residual %d, activation %d, flags %d, accumulate %d\n", all, d->x_layout,
            d->y_layout, d->bias, d->residual, d->activation, d->flags, accumulate);
  }
  apus_conv_plan_destroy(plan);
  apus_conv_plan_destroy(NULL);
  free(x);
  free(y);
  free(weights);
  free(bias);
  free(residual);
  free(before);
  free(result);
  free(db);
  free(before_db);
  free(packed);
  free(scratch);
}

/* Every algorithm that there is, in every direction. */
static void every_algorithm(const apus_context *context, apus_conv_desc d, int variant) {
  for (int32_t direction = APUS_FORWARD; direction <= APUS_BACKWARD_WEIGHTS; direction++) {
    int32_t list[16], count = 0, again = 0;
    d.algorithm = APUS_CONV_AUTO;
    CHECK_OK(apus_conv_algorithms(context, &d, direction, list, 16, &count));
    CHECK_OK(apus_conv_algorithms(context, &d, direction, NULL, 0, &again));
    CHECK(count >= 1 && count == again);
    one_plan(context, &d, direction, variant & 1, variant >> 1 & 1);
    for (int i = 0; i < count && i < 16; i++) {
      d.algorithm = list[i];
      CHECK(strcmp(apus_conv_algorithm_name(list[i]), "unknown") != 0);
      one_plan(context, &d, direction, variant >> 1 & 1, variant & 1);
    }
  }
}

/* LeNet-5's two convolutions, a batch of images forward and backward. */
static void lenet(const apus_context *context) {
  for (int t = 0; t < 2; t++)
    for (int layout = 0; layout < 2; layout++) {
      apus_conv_desc first = plane(types[t], 3, 1, 32, 6, 5), second = plane(types[t], 3, 6, 14, 16, 5);
      first.bias = second.bias = 1;
      first.x_layout = first.y_layout = second.x_layout = second.y_layout = layout;
      first.activation = APUS_ACTIVATION_TANH;
      second.activation = APUS_ACTIVATION_RELU;
      every_algorithm(context, first, t);
      every_algorithm(context, second, layout);
    }
}

/* Options in turns. */
static void variants(const apus_context *context) {
  for (int v = 0; v < 48; v++) {
    int rank = v % 3 + 1;
    int64_t input[3] = {5 + v % 2, 7, 6}, kernel[3] = {1 + v % 3, 3, 2};
    int64_t groups = v % 4 == 0 ? 3 : 1;
    apus_conv_desc d;
    CHECK_OK(apus_conv_desc_init(&d, types[v / 3 % 2], rank, 6, v % 4 == 3 ? 17 : 9, input, kernel));
    d.groups = groups;
    d.batch = v % 5 == 0 ? 0 : 1 + v % 2;
    for (int i = 0; i < rank; i++) {
      d.stride[i] = 1 + v % 3;
      d.dilation[i] = v % 7 == 0 && kernel[i] <= 3 ? 2 : 1;
      d.pad_before[i] = v % 2;
      d.pad_after[i] = v / 2 % 3;
    }
    d.transposed = v % 5 == 4;
    if (d.transposed)
      for (int i = 0; i < rank; i++) d.output_padding[i] = d.stride[i] - 1;
    d.x_layout = v & 1;
    d.y_layout = v >> 1 & 1;
    d.bias = v >> 2 & 1;
    d.residual = v >> 3 & 1;
    d.activation = v % 6;
    d.slope = 0.1;
    d.flags = v % 3 == 1 ? APUS_CONV_PACKED_WEIGHTS : 0;
    plain_conv p;
    if (d.batch > 0 && plain_conv_make(&d, &p)) every_algorithm(context, d, v);
  }
}

/* Without samples nothing is read or written but by the gradient by weights, which is 0, or added. */
static void zero_batch(const apus_context *context) {
  for (int v = 0; v < 16; v++) {
    apus_conv_desc d = plane(types[v & 1], 0, 3, 7, 5, 3);
    d.bias = 1;
    d.x_layout = d.y_layout = v >> 1 & 1;
    int packs = v >> 2 & 1, accumulate = v >> 3 & 1;
    d.flags = packs ? APUS_CONV_PACKED_WEIGHTS : 0;
    size_t size = element_size(d.dtype);
    for (int32_t direction = APUS_FORWARD; direction <= APUS_BACKWARD_WEIGHTS; direction++) {
      apus_conv_plan *plan = NULL;
      apus_conv_info info;
      info.struct_size = sizeof info;
      if (!CHECK_OK(apus_conv_plan_create(context, &d, direction, &plan))) return;
      CHECK_OK(apus_conv_plan_get_info(context, plan, &info));
      CHECK(info.flops == 0 && info.scratch_bytes >= 0);
      void *dw = random_elements(d.dtype, 135, 1), *old_dw = random_elements(d.dtype, 135, 1);
      void *db = random_elements(d.dtype, 5, 2), *old_db = random_elements(d.dtype, 5, 2);
      void *packed = malloc((size_t)info.packed_weights_bytes);
      apus_conv_args a;
      CHECK_OK(apus_conv_args_init(&a));
      a.accumulate = accumulate;
      if (direction == APUS_BACKWARD_WEIGHTS) {
        CHECK_OK(apus_conv_pack_weights(context, plan, dw, packed, (size_t)info.packed_weights_bytes));
        a.dw = packs ? packed : dw;
        a.db = db;
      }
      CHECK_OK(apus_conv_run(context, plan, &a));
      if (direction == APUS_BACKWARD_WEIGHTS) {
        if (packs) CHECK_OK(apus_conv_unpack_weights(context, plan, packed, dw));
        for (int i = 0; i < 135; i++) CHECK(get(dw, d.dtype, i) == (accumulate ? get(old_dw, d.dtype, i) : 0));
        for (int i = 0; i < 5; i++) CHECK(get(db, d.dtype, i) == (accumulate ? get(old_db, d.dtype, i) : 0));
      } else {
        CHECK(memcmp(dw, old_dw, 135 * size) == 0 && memcmp(db, old_db, 5 * size) == 0);
      }
      apus_conv_plan_destroy(plan);
      free(dw);
      free(old_dw);
      free(db);
      free(old_db);
      free(packed);
    }
  }
}

/* Descriptions whose sizes overflow together, and what else is refused: with a message, in the header's words. */
static void refusals(void) {
  apus_conv_desc good = plane(APUS_FLOAT32, 1, 4, 7, 6, 3), d;
  apus_conv_plan *plan = NULL;
#define REFUSED(words, ...)                                                                            \
  do {                                                                                                 \
    d = good;                                                                                          \
    __VA_ARGS__;                                                                                       \
    CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_conv_plan_create(NULL, &d, APUS_FORWARD, &plan));   \
    if (!CHECK(strstr(apus_last_error(), words) != NULL && !plan)) fprintf(stderr, "  %s\n", apus_last_error()); \
  } while (0)
  REFUSED("APUS_LAYOUT_NCHW = 0, APUS_LAYOUT_NHWC = 1", d.x_layout = 2);
  REFUSED("APUS_CONV_IMPLICIT_GEMM = 2", d.algorithm = 77);
  REFUSED("APUS_ACTIVATION_NONE = 0", d.activation = 9);
  REFUSED("APUS_ROUND_STRICT = 2", d.rounding = 3);
  REFUSED("slope is nan", (d.activation = APUS_ACTIVATION_ELU, d.slope /= d.slope));
  REFUSED("output_padding[0] is 1", (d.transposed = 1, d.rounding = APUS_ROUND_STRICT, d.stride[0] = 2, d.output_padding[0] = 1));
#undef REFUSED
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_conv_plan_create(NULL, &good, 3, &plan));
  CHECK(strstr(apus_last_error(), "APUS_BACKWARD_WEIGHTS = 2") != NULL);
  d = plane(APUS_FLOAT32, 1, INT32_MAX, 3, INT32_MAX, 3);
  d.groups = INT32_MAX;
  for (int32_t direction = APUS_FORWARD; direction <= APUS_BACKWARD_WEIGHTS; direction++) {
    plan = NULL;
    if (apus_conv_plan_create(NULL, &d, direction, &plan) != APUS_OK) CHECK(!plan && apus_last_error()[0]);
    apus_conv_plan_destroy(plan);
  }
}

/* Depthwise with a multiplier; 3x3 where Winograd is allowed. */
static void special_kinds(const apus_context *context) {
  apus_conv_desc d = plane(APUS_FLOAT32, 2, 5, 9, 10, 3);
  d.groups = 5;
  CHECK_OK(apus_conv_desc_set_padding(&d, APUS_PADDING_SAME));
  every_algorithm(context, d, 3);
  d = plane(APUS_FLOAT32, 1, 8, 13, 12, 3);
  d.flags = APUS_CONV_ALLOW_WINOGRAD;
  every_algorithm(context, d, 2);
  d = plane(APUS_FLOAT64, 2, 6, 8, 7, 1);
  d.x_layout = d.y_layout = APUS_LAYOUT_NCHW;
  every_algorithm(context, d, 1);
}

/* y = relu(conv(x) + y): the residual is the result. */
static void residual_in_place(void) {
  apus_conv_desc d = plane(APUS_FLOAT32, 1, 1, 3, 1, 1);
  d.residual = 1;
  d.activation = APUS_ACTIVATION_RELU;
  apus_conv_plan *plan = NULL;
  CHECK_OK(apus_conv_plan_create(NULL, &d, APUS_FORWARD, &plan));
  float x[9], weights[1] = {2}, y[9];
  for (int i = 0; i < 9; i++) x[i] = (float)i, y[i] = -9;
  apus_conv_args a;
  CHECK_OK(apus_conv_args_init(&a));
  a.x = x;
  a.weights = weights;
  a.residual = a.y = y;
  CHECK_OK(apus_conv_run(NULL, plan, &a));
  for (int i = 0; i < 9; i++) CHECK(y[i] == (2 * i < 9 ? 0 : (float)(2 * i - 9)));
  apus_conv_plan_destroy(plan);
}

typedef struct events {
  int plans, runs;
} events;

static void listen(void *user, const apus_verbose_record *record) {
  events *e = (events *)user;
  if (strcmp(record->event, "plan") == 0) e->plans++;
  if (strcmp(record->event, "run") == 0) e->runs++;
  CHECK(record->struct_size == sizeof *record && strcmp(record->operation, "conv") == 0);
  CHECK(strcmp(record->problem, "n1c2h6w6k3f3") == 0);
  CHECK(record->description[0] && record->threads >= 1 && record->microseconds >= 0);
}

static void verbose(void) {
  events heard = {0, 0};
  apus_conv_desc d = plane(APUS_FLOAT32, 1, 2, 6, 3, 3);
  CHECK_OK(apus_set_verbose_callback(listen, &heard));
  one_plan(NULL, &d, APUS_FORWARD, 0, 0);
  CHECK(heard.plans == 1 && heard.runs == 1);
  CHECK_OK(apus_set_verbose_callback(NULL, NULL));
  one_plan(NULL, &d, APUS_FORWARD, 0, 0);
  CHECK(heard.plans == 1 && heard.runs == 1);
}

int main(void) {
  names_and_defaults();
  shapes();
  int32_t available = context_info(NULL).isa_available;
  for (int32_t isa = APUS_ISA_BASELINE; isa <= APUS_ISA_AVX512; isa++) {
    if (!(available & 1 << isa)) continue;
    apus_context *context = make_context(isa, APUS_BACKEND_DEFAULT, 0);
    lenet(context);
    variants(context);
    special_kinds(context);
    zero_batch(context);
    apus_context_destroy(context);
  }
  apus_trim();
  lenet(NULL);
  residual_in_place();
  refusals();
  verbose();
  return finish();
}
