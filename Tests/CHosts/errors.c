/* Bad input: a status, a message that names argument and value, nothing written, never an abort. */
#include "check.h"
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* The message of the last failure has all of these words. */
static int message_has(const char *first, const char *second) {
  int has = strstr(apus_last_error(), first) && strstr(apus_last_error(), second);
  if (!has) fprintf(stderr, "  no \"%s\" and \"%s\" in: %s\n", first, second, apus_last_error());
  return has;
}

static void tensors(void) {
  int64_t shape[2] = {3, 4}, negative[2] = {3, -4}, huge[2] = {INT64_MAX, 2};
  apus_tensor t, u;
  memset(&t, 0x5a, sizeof t);
  u = t;
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_tensor_init(NULL, APUS_FLOAT32, 2, shape));
  CHECK(message_has("tensor", "NULL"));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_tensor_init(&t, APUS_FLOAT32, 9, shape));
  CHECK(message_has("rank", "9"));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_tensor_init(&t, APUS_FLOAT32, 2, NULL));
  CHECK(message_has("shape", "NULL"));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_tensor_init(&t, APUS_FLOAT32, 2, negative));
  CHECK(message_has("shape", "-4"));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_tensor_init(&t, APUS_FLOAT32, 2, huge));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_tensor_init(&t, 77, 2, shape));
  CHECK(message_has("dtype", "77"));
  CHECK(memcmp(&t, &u, sizeof t) == 0);
}

static void skip_all(void *user, int64_t count, apus_task_fn run, void *task) {
  (void)user, (void)count, (void)run, (void)task;
}
static void repeat_all(void *user, int64_t count, apus_task_fn run, void *task) {
  (void)user;
  for (int64_t i = 0; i < 2 * count; i++) run(task, i % count);
}

static void contexts(void) {
  apus_context_options options;
  apus_context *context = NULL;
  apus_context_info info;
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_context_options_init(NULL));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_context_create(NULL, NULL));
#define REFUSED(field, value, text)                                                      \
  CHECK_OK(apus_context_options_init(&options));                                         \
  options.field = value;                                                                 \
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_context_create(&options, &context));    \
  CHECK(message_has(#field, text) && context == NULL)
  REFUSED(struct_size, 3, "3");
  REFUSED(isa, 42, "42");
  REFUSED(backend, -7, "-7");
  REFUSED(threads, -2, "-2");
  REFUSED(linger_us, 10001, "10001");
#undef REFUSED
  CHECK_OK(apus_context_options_init(&options));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_context_create_host(&options, NULL, NULL, &context));
  options.threads = -1;
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_context_create_host(&options, skip_all, NULL, &context));
  CHECK(context == NULL);
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_context_get_info(NULL, NULL));
  memset(&info, 0, sizeof info);
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_context_get_info(NULL, &info));
  CHECK(message_has("struct_size", "0"));

  int32_t available = context_info(NULL).isa_available;
  for (int32_t isa = APUS_ISA_BASELINE; isa <= APUS_ISA_AVX512; isa++) {
    if (available & 1 << isa) continue;
    CHECK_OK(apus_context_options_init(&options));
    options.isa = isa;
    CHECK_STATUS(APUS_ERROR_UNSUPPORTED, apus_context_create(&options, &context));
    CHECK(message_has(apus_isa_name(isa), "baseline") && context == NULL);
  }
}

static void descriptors(void) {
  apus_gemm_desc d, good;
  apus_gemm_plan *plan = NULL;
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_gemm_desc_init(NULL, APUS_FLOAT32, 1, 1, 1));
  CHECK_OK(apus_gemm_desc_init(&good, APUS_FLOAT32, 8, 9, 10));
  good.batch = 2;
  good.stride_a = good.stride_b = good.stride_c = 100;
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_gemm_plan_create(NULL, NULL, &plan));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_gemm_plan_create(NULL, &good, NULL));
#define REFUSED(status, field, value, text)                                \
  d = good;                                                                \
  d.field = value;                                                         \
  CHECK_STATUS(status, apus_gemm_plan_create(NULL, &d, &plan));            \
  CHECK(message_has(#field, text) && plan == NULL)
#define INVALID(field, value, text) REFUSED(APUS_ERROR_INVALID_ARGUMENT, field, value, text)
  INVALID(struct_size, 1, "1");
  INVALID(dtype, 99, "99");
  REFUSED(APUS_ERROR_UNSUPPORTED, dtype, APUS_BFLOAT16, "bfloat16");
  INVALID(order, 0, "0");
  INVALID(trans_a, 113, "113");
  INVALID(trans_b, -1, "-1");
  INVALID(m, -8, "-8");
  INVALID(n, -9, "-9");
  INVALID(k, INT64_MIN, "-9223372036854775808");
  INVALID(lda, 9, "9");
  INVALID(ldb, 8, "8");
  INVALID(ldc, 0, "0");
  INVALID(ldc, INT64_MAX, "9223372036854775807");
  INVALID(batch, -1, "-1");
  INVALID(batch_kind, 2, "2");
  INVALID(flags, 64, "64");
  INVALID(stride_a, -1, "-1");
  INVALID(stride_b, INT64_MAX, "9223372036854775807");
  INVALID(stride_c, 71, "71");
  INVALID(bias, 3, "3");
  INVALID(activation, 6, "6");
  INVALID(residual, 2, "2");
  INVALID(reserved, 1, "1");
  good.residual = 1;
  INVALID(ldr, 8, "8");
#undef INVALID
#undef REFUSED

  int64_t shape_a[2] = {3, 4}, shape_b[2] = {5, 6}, shape_c[2] = {3, 6};
  apus_tensor a, b, c;
  CHECK_OK(apus_tensor_init(&a, APUS_FLOAT32, 2, shape_a));
  CHECK_OK(apus_tensor_init(&b, APUS_FLOAT32, 2, shape_b));
  CHECK_OK(apus_tensor_init(&c, APUS_FLOAT32, 2, shape_c));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_gemm_desc_from_tensors(&d, &a, &b, &c));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_gemm_desc_from_tensors(&d, NULL, &b, &c));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_gemm_desc_from_tensors(NULL, &a, &b, &c));
}

static void one_calls(void) {
  float a[16] = {0}, b[16] = {0}, c[16], untouched[16];
  for (int i = 0; i < 16; i++) c[i] = untouched[i] = (float)i;
#define REFUSED(order, ta, tb, m, n, k, pa, lda, pb, ldb, pc, ldc, name, value)                                    \
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT,                                                                        \
               apus_sgemm(NULL, order, ta, tb, m, n, k, 1, pa, lda, pb, ldb, 0, pc, ldc));                         \
  CHECK(message_has(name, value) && memcmp(c, untouched, sizeof c) == 0)
  REFUSED(100, 111, 111, 4, 4, 4, a, 4, b, 4, c, 4, "order", "100");
  REFUSED(101, 0, 111, 4, 4, 4, a, 4, b, 4, c, 4, "trans_a", "0");
  REFUSED(101, 111, 113, 4, 4, 4, a, 4, b, 4, c, 4, "trans_b", "113");
  REFUSED(101, 111, 111, -4, 4, 4, a, 4, b, 4, c, 4, "m", "-4");
  REFUSED(101, 111, 111, 4, 4, 4, a, 3, b, 4, c, 4, "lda", "3");
  REFUSED(101, 111, 111, 4, 4, 4, NULL, 4, b, 4, c, 4, "a", "NULL");
  REFUSED(101, 111, 111, 4, 4, 4, a, 4, NULL, 4, c, 4, "b", "NULL");
  REFUSED(101, 111, 111, 4, 4, 4, a, 4, b, 4, NULL, 4, "c", "NULL");
  REFUSED(101, 111, 111, INT64_MAX, INT64_MAX, INT64_MAX, a, INT64_MAX, b, INT64_MAX, c, INT64_MAX, "lda",
          "9223372036854775807");
#undef REFUSED
  double d[1] = {7};
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_dgemm(NULL, 101, 111, 111, 1, 1, 1, 1, d, 0, d, 1, 0, d, 1));
  CHECK(message_has("lda", "0") && d[0] == 7);
  /* Nothing to do needs no data. */
  CHECK_OK(apus_sgemm(NULL, 101, 111, 111, 0, 4, 4, 1, NULL, 4, NULL, 4, 0, NULL, 4));
  CHECK_OK(apus_sgemm(NULL, 101, 111, 111, 4, 4, 0, 1, NULL, 1, NULL, 4, 1, c, 4));
  CHECK(memcmp(c, untouched, sizeof c) == 0);
}

static apus_gemm_plan *packed_plan(const apus_context *context, int64_t n, int64_t k) {
  apus_gemm_desc d;
  apus_gemm_plan *plan = NULL;
  CHECK_OK(apus_gemm_desc_init(&d, APUS_FLOAT32, 4, n, k));
  d.flags = APUS_GEMM_PACKED_B;
  CHECK_OK(apus_gemm_plan_create(context, &d, &plan));
  return plan;
}

static size_t packed_bytes(const apus_gemm_plan *plan) {
  apus_plan_info info;
  info.struct_size = sizeof info;
  CHECK_OK(apus_gemm_plan_get_info(NULL, plan, &info));
  return (size_t)info.packed_b_bytes;
}

static void plans_and_runs(void) {
  apus_gemm_plan *plan = packed_plan(NULL, 8, 16), *other = packed_plan(NULL, 16, 8);
  size_t bytes = packed_bytes(plan), most = bytes > packed_bytes(other) ? bytes : packed_bytes(other);
  float *a = (float *)calloc(64, sizeof *a), *b = (float *)calloc(128, sizeof *b), *c = (float *)calloc(64, sizeof *c);
  void *packed = calloc(1, most);
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_gemm_pack(NULL, NULL, APUS_OPERAND_B, b, 8, packed, bytes));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_gemm_pack(NULL, plan, 2, b, 8, packed, bytes));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_gemm_pack(NULL, plan, APUS_OPERAND_A, a, 16, packed, bytes));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_gemm_pack(NULL, plan, APUS_OPERAND_B, NULL, 8, packed, bytes));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_gemm_pack(NULL, plan, APUS_OPERAND_B, b, 7, packed, bytes));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_gemm_pack(NULL, plan, APUS_OPERAND_B, b, 8, NULL, bytes));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_gemm_pack(NULL, plan, APUS_OPERAND_B, b, 8, packed, bytes - 1));

  apus_gemm_args x, good;
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_gemm_args_init(NULL));
  CHECK_OK(apus_gemm_args_init(&good));
  good.a = a;
  good.b = packed;
  good.c = c;
  CHECK_STATUS(APUS_ERROR_MISMATCH, apus_gemm_run(NULL, plan, &good)); /* zeros, not a packed buffer */
  CHECK_OK(apus_gemm_pack(NULL, plan, APUS_OPERAND_B, b, 8, packed, bytes));
  CHECK_OK(apus_gemm_run(NULL, plan, &good));
  memset(c, 0x5a, 64 * sizeof *c);
  float *untouched = (float *)malloc(64 * sizeof *c);
  memset(untouched, 0x5a, 64 * sizeof *c);
  CHECK_STATUS(APUS_ERROR_MISMATCH, apus_gemm_run(NULL, other, &good));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_gemm_run(NULL, NULL, &good));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_gemm_run(NULL, plan, NULL));
#define REFUSED(field, value, text)                                               \
  x = good;                                                                       \
  x.field = value;                                                                \
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_gemm_run(NULL, plan, &x));       \
  CHECK(message_has(#field, text))
  REFUSED(struct_size, 8, "8");
  REFUSED(a, NULL, "NULL");
  REFUSED(b, NULL, "NULL");
  REFUSED(c, NULL, "NULL");
#undef REFUSED
  CHECK(memcmp(c, untouched, 64 * sizeof *c) == 0);

  int32_t available = context_info(NULL).isa_available, plan_isa = context_info(NULL).isa;
  for (int32_t isa = APUS_ISA_BASELINE; isa <= APUS_ISA_AVX512; isa++) {
    if (isa == plan_isa || !(available & 1 << isa)) continue;
    apus_context *context = make_context(isa, APUS_BACKEND_SERIAL, 1);
    apus_gemm_plan *lower = packed_plan(context, 8, 16);
    CHECK_STATUS(APUS_ERROR_MISMATCH, apus_gemm_run(context, lower, &good));
    apus_gemm_plan_destroy(lower);
    apus_context_destroy(context);
  }
  apus_plan_info info;
  info.struct_size = 1;
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_gemm_plan_get_info(NULL, plan, &info));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_gemm_plan_get_info(NULL, plan, NULL));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_gemm_plan_get_info(NULL, NULL, &info));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_gemm_plan_describe(NULL, NULL, 0, NULL));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_gemm_plan_describe(plan, NULL, 1, NULL));
  apus_gemm_plan_destroy(plan);
  apus_gemm_plan_destroy(other);
  free(a);
  free(b);
  free(c);
  free(packed);
  free(untouched);
}

static void scratch_too_small(void) {
  apus_gemm_desc d;
  apus_gemm_plan *plan = NULL;
  apus_plan_info info;
  apus_gemm_args x;
  info.struct_size = sizeof info;
  CHECK_OK(apus_gemm_desc_init(&d, APUS_FLOAT32, 300, 300, 300));
  CHECK_OK(apus_gemm_plan_create(NULL, &d, &plan));
  CHECK_OK(apus_gemm_plan_get_info(NULL, plan, &info));
  CHECK(info.scratch_bytes > 0);
  CHECK_OK(apus_gemm_args_init(&x));
  float *data = (float *)calloc(3 * 90000, sizeof *data);
  x.a = data;
  x.b = data + 90000;
  x.c = data + 180000;
  x.scratch = malloc((size_t)info.scratch_bytes);
  x.scratch_bytes = (size_t)info.scratch_bytes - 1;
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_gemm_run(NULL, plan, &x));
  CHECK(message_has("scratch", "bytes"));
  free(x.scratch);
  free(data);
  apus_gemm_plan_destroy(plan);
}

static apus_conv_desc small_conv(void) {
  apus_conv_desc d;
  int64_t input[2] = {7, 7}, kernel[2] = {3, 3};
  CHECK_OK(apus_conv_desc_init(&d, APUS_FLOAT32, 2, 4, 6, input, kernel));
  return d;
}

static void convolution_descriptors(void) {
  int64_t input[3] = {7, 7, 7}, kernel[3] = {3, 3, 3}, shape[3] = {-1, -1, -1}, count = -1;
  int32_t list[4] = {-1, -1, -1, -1}, number = -1;
  apus_conv_desc d, good = small_conv(), untouched = good;
  apus_conv_plan *plan = NULL;
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_conv_desc_init(NULL, APUS_FLOAT32, 2, 1, 1, input, kernel));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_conv_desc_init(&untouched, APUS_FLOAT32, 4, 1, 1, input, kernel));
  CHECK(message_has("spatial_rank", "4"));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_conv_desc_init(&untouched, APUS_FLOAT32, 0, 1, 1, input, kernel));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_conv_desc_init(&untouched, APUS_FLOAT32, 2, 1, 1, NULL, kernel));
  CHECK(message_has("input", "NULL"));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_conv_desc_init(&untouched, APUS_FLOAT32, 2, 1, 1, input, NULL));
  CHECK(message_has("kernel", "NULL"));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_conv_desc_set_padding(NULL, APUS_PADDING_SAME));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_conv_desc_set_padding(&untouched, 2));
  CHECK(message_has("padding", "2"));
  CHECK(memcmp(&untouched, &good, sizeof good) == 0);
  d = good;
  d.transposed = 1;
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_conv_desc_set_padding(&d, APUS_PADDING_SAME));
  CHECK(message_has("padding", "transposed"));
  d = good;
  d.stride[1] = 0;
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_conv_desc_set_padding(&d, APUS_PADDING_SAME));
  CHECK(message_has("stride[1]", "0"));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_conv_plan_create(NULL, NULL, APUS_FORWARD, &plan));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_conv_plan_create(NULL, &good, APUS_FORWARD, NULL));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_conv_plan_create(NULL, &good, 3, &plan));
  CHECK(message_has("direction", "3") && plan == NULL);
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_conv_output_shape(&good, NULL));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_conv_parameter_count(&good, NULL));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_conv_algorithms(NULL, &good, APUS_FORWARD, list, 4, NULL));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_conv_algorithms(NULL, &good, APUS_FORWARD, list, -1, &number));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_conv_algorithms(NULL, &good, APUS_FORWARD, NULL, 1, &number));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_conv_algorithms(NULL, &good, 9, list, 4, &number));
#define REFUSED(status, name, field, value, text)                                           \
  d = good;                                                                                 \
  d.field = value;                                                                          \
  CHECK_STATUS(status, apus_conv_plan_create(NULL, &d, APUS_FORWARD, &plan));               \
  CHECK(message_has(name, text) && plan == NULL);                                           \
  CHECK_STATUS(status, apus_conv_algorithms(NULL, &d, APUS_FORWARD, list, 4, &number));     \
  CHECK_STATUS(status, apus_conv_parameter_count(&d, &count));                              \
  CHECK_STATUS(status, apus_conv_output_shape(&d, shape));                                  \
  CHECK(message_has(name, text) && shape[0] == -1 && count == -1 && number == -1 && list[0] == -1)
#define INVALID(field, value, text) REFUSED(APUS_ERROR_INVALID_ARGUMENT, #field, field, value, text)
  INVALID(struct_size, 1, "1");
  INVALID(dtype, 99, "99");
  REFUSED(APUS_ERROR_UNSUPPORTED, "dtype", dtype, APUS_BFLOAT16, "bfloat16");
  INVALID(spatial_rank, 4, "4");
  INVALID(spatial_rank, -1, "-1");
  INVALID(batch, -1, "-1");
  INVALID(batch, INT64_MIN, "-9223372036854775808");
  REFUSED(APUS_ERROR_INVALID_ARGUMENT, "x", batch, INT64_MAX, "9223372036854775807");
  INVALID(in_channels, 0, "0");
  INVALID(out_channels, INT64_MAX, "9223372036854775807");
  INVALID(groups, 0, "0");
  REFUSED(APUS_ERROR_INVALID_ARGUMENT, "in_channels is 4", groups, 3, "groups, 3");
  INVALID(input[1], 0, "0");
  INVALID(input[0], INT64_MAX, "9223372036854775807");
  INVALID(kernel[0], 8, "8");
  INVALID(kernel[1], INT64_MIN, "-9223372036854775808");
  INVALID(stride[0], 0, "0");
  INVALID(stride[1], INT64_MAX, "9223372036854775807");
  INVALID(dilation[0], -3, "-3");
  INVALID(dilation[1], INT64_MAX, "9223372036854775807");
  INVALID(pad_before[0], -1, "-1");
  INVALID(pad_after[1], INT64_MAX, "9223372036854775807");
  INVALID(output_padding[0], 1, "1");
  INVALID(transposed, 2, "2");
  INVALID(rounding, APUS_ROUND_CEIL, "ceil");
  INVALID(rounding, 7, "7");
  INVALID(x_layout, 2, "2");
  INVALID(y_layout, -1, "-1");
  INVALID(bias, 2, "2");
  INVALID(residual, -1, "-1");
  INVALID(activation, 6, "6");
  INVALID(algorithm, 77, "77");
  INVALID(flags, 4, "4");
  INVALID(reserved, 1, "1");
#undef INVALID
#undef REFUSED
  d = good;
  d.algorithm = APUS_CONV_DEPTHWISE; /* of one group */
  CHECK_STATUS(APUS_ERROR_UNSUPPORTED, apus_conv_plan_create(NULL, &d, APUS_FORWARD, &plan));
  CHECK(message_has("algorithm is depthwise", "direct") && plan == NULL);
  /* The numbers that a student meets: 7 wide, a kernel of 3, stride 3. */
  d = good;
  d.stride[0] = d.stride[1] = 3;
  d.rounding = APUS_ROUND_STRICT;
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_conv_output_shape(&d, shape));
  CHECK(message_has("stride[0] is 3", "does not divide 4") && message_has("a kernel of 3", "input of 7"));
}

static void convolution_runs(void) {
  apus_conv_desc d = small_conv();
  apus_conv_plan *plan = NULL, *backward = NULL;
  apus_conv_info info;
  d.bias = d.residual = 1;
  CHECK_OK(apus_conv_plan_create(NULL, &d, APUS_FORWARD, &plan));
  CHECK_OK(apus_conv_plan_create(NULL, &d, APUS_BACKWARD_WEIGHTS, &backward));
  info.struct_size = 1;
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_conv_plan_get_info(NULL, plan, &info));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_conv_plan_get_info(NULL, plan, NULL));
  info.struct_size = sizeof info;
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_conv_plan_get_info(NULL, NULL, &info));
  CHECK_OK(apus_conv_plan_get_info(NULL, plan, &info));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_conv_plan_describe(NULL, NULL, 0, NULL));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_conv_plan_describe(plan, NULL, 1, NULL));

  float *data = (float *)calloc(2000, sizeof *data), *y = (float *)malloc(150 * sizeof *y), untouched[150];
  char *packed = (char *)calloc((size_t)info.packed_weights_bytes, 1), *scratch = (char *)malloc((size_t)info.scratch_bytes);
  for (int i = 0; i < 150; i++) y[i] = untouched[i] = (float)i;
  apus_conv_args x, good;
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_conv_args_init(NULL));
  CHECK_OK(apus_conv_args_init(&good));
  good.x = good.weights = good.bias = good.residual = data;
  good.y = y;
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_conv_run(NULL, NULL, &good));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_conv_run(NULL, plan, NULL));
#define REFUSED(field, value, text)                                               \
  x = good;                                                                       \
  x.field = value;                                                                \
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_conv_run(NULL, plan, &x));       \
  CHECK(message_has(#field, text) && memcmp(y, untouched, sizeof untouched) == 0)
  REFUSED(struct_size, 8, "8");
  REFUSED(x, NULL, "1 x 4 x 7 x 7");
  REFUSED(weights, NULL, "216");
  REFUSED(bias, NULL, "6");
  REFUSED(residual, NULL, "1 x 6 x 5 x 5");
  REFUSED(y, NULL, "1 x 6 x 5 x 5");
  REFUSED(accumulate, 2, "2");
  REFUSED(reserved, 1, "1");
  good.scratch = scratch;
  REFUSED(scratch_bytes, (size_t)info.scratch_bytes - 1, "takes");
  REFUSED(scratch_bytes, 0, "takes");
  good.scratch = NULL;
#undef REFUSED
  x = good;
  x.dy = data;
  x.dw = y;
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_conv_run(NULL, backward, &x));
  CHECK(message_has("db", "NULL") && memcmp(y, untouched, sizeof untouched) == 0);

  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_conv_pack_weights(NULL, NULL, data, packed, (size_t)info.packed_weights_bytes));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_conv_pack_weights(NULL, plan, NULL, packed, (size_t)info.packed_weights_bytes));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_conv_pack_weights(NULL, plan, data, NULL, (size_t)info.packed_weights_bytes));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_conv_pack_weights(NULL, plan, data, packed, (size_t)info.packed_weights_bytes - 1));
  CHECK(message_has("packed_bytes", "take"));
  CHECK_STATUS(APUS_ERROR_MISMATCH, apus_conv_unpack_weights(NULL, plan, packed, y));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_conv_unpack_weights(NULL, plan, NULL, y));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_conv_unpack_weights(NULL, plan, packed, NULL));
  CHECK(memcmp(y, untouched, sizeof untouched) == 0);

  /* Weights that were packed for six filters are not those of seven. */
  apus_conv_plan *other = NULL;
  d.out_channels = 7;
  d.flags = APUS_CONV_PACKED_WEIGHTS;
  CHECK_OK(apus_conv_plan_create(NULL, &d, APUS_FORWARD, &other));
  CHECK_OK(apus_conv_pack_weights(NULL, plan, data, packed, (size_t)info.packed_weights_bytes));
  x = good;
  x.weights = packed;
  CHECK_STATUS(APUS_ERROR_MISMATCH, apus_conv_run(NULL, other, &x));
  CHECK(message_has("6 x 4", "7 x 4") && memcmp(y, untouched, sizeof untouched) == 0);
  apus_conv_plan_destroy(other);

  /* An empty batch has nothing to do and needs no data. */
  d = small_conv();
  d.batch = 0;
  CHECK_OK(apus_conv_plan_create(NULL, &d, APUS_FORWARD, &other));
  CHECK_OK(apus_conv_args_init(&x));
  CHECK_OK(apus_conv_run(NULL, other, &x));
  apus_conv_plan_destroy(other);
  apus_conv_plan_destroy(plan);
  apus_conv_plan_destroy(backward);
  free(data);
  free(y);
  free(packed);
  free(scratch);
}

/* A host callback that skips or repeats tasks is noticed. */
static void broken_hosts(void) {
  apus_context_options options;
  static const apus_parallel_for_fn broken[] = {skip_all, repeat_all};
  float *data = (float *)calloc(3 * 90000, sizeof *data);
  for (int i = 0; i < 2; i++) {
    apus_context *context = NULL;
    CHECK_OK(apus_context_options_init(&options));
    options.threads = 4;
    CHECK_OK(apus_context_create_host(&options, broken[i], NULL, &context));
    CHECK_STATUS(APUS_ERROR_BACKEND, apus_sgemm(context, 101, 111, 111, 300, 300, 300, 1, data, 300, data + 90000, 300, 0,
                                                data + 180000, 300));
    apus_context_destroy(context);
  }
  free(data);
}

/* The text belongs to the thread that failed. */
static void *fail_elsewhere(void *unused) {
  CHECK(strcmp(apus_last_error(), "") == 0);
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_tensor_init(NULL, APUS_FLOAT32, 0, NULL));
  CHECK(message_has("tensor", "NULL"));
  return unused;
}

static void texts_per_thread(void) {
  pthread_t thread;
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_gemm_args_init(NULL));
  char *mine = strdup(apus_last_error());
  pthread_create(&thread, NULL, fail_elsewhere, NULL);
  pthread_join(thread, NULL);
  CHECK(strcmp(apus_last_error(), mine) == 0);
  apus_context_options options;
  CHECK_OK(apus_context_options_init(&options)); /* success leaves the text alone */
  CHECK(strcmp(apus_last_error(), mine) == 0);
  free(mine);
}

/* In a child: the environment is read once, before the first call. */
static void environment(const char *name, const char *value, const char *listed) {
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    check_failures = 0; /* its own count */
    apus_context *context = NULL;
    float one = 1;
    setenv(name, value, 1);
    CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_context_create(NULL, &context));
    CHECK(message_has(name, value) && message_has(name, listed) && context == NULL);
    CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_sgemm(NULL, 101, 111, 111, 1, 1, 1, 1, &one, 1, &one, 1, 1, &one, 1));
    CHECK(one == 1);
    _exit(finish());
  }
  int status = -1;
  waitpid(child, &status, 0);
  if (!CHECK(status == 0)) fprintf(stderr, "  exit code %d, signal %d\n", WEXITSTATUS(status), WTERMSIG(status));
}

/* The system refuses memory: the address space may not grow. A child, because the limit would stay. */
static void *large_in_new_thread(void *data) {
  float *p = (float *)data;
  /* Transposed, so that it must be packed: B's block alone takes more than there is. */
  CHECK_STATUS(APUS_ERROR_OUT_OF_MEMORY,
               apus_sgemm(NULL, 101, 112, 112, 900, 900, 900, 1, p, 900, p + 810000, 900, 0, p + 1620000, 900));
  CHECK(strlen(apus_last_error()) > 0 && p[1620000] == 7);
  struct rlimit limit;
  getrlimit(RLIMIT_AS, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_AS, &limit);
  CHECK_OK(apus_sgemm(NULL, 101, 112, 112, 900, 900, 900, 1, p, 900, p + 810000, 900, 0, p + 1620000, 900));
  return NULL;
}

static void memory_refused(void) {
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    check_failures = 0; /* its own count */
    setenv("APUS_BACKEND", "serial", 1);
    float *data = (float *)calloc(3 * 810000, sizeof *data);
    data[1620000] = 7;
    CHECK_OK(apus_sgemm(NULL, 101, 111, 111, 1, 1, 1, 1, data, 1, data, 1, 0, data, 1));
    /* Small blocks stay available: every second of many is freed. */
    void *small[256];
    for (int i = 0; i < 256; i++) small[i] = malloc(32768);
    for (int i = 0; i < 256; i += 2) free(small[i]);
    pthread_t thread;
    long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    CHECK(statm && fscanf(statm, "%ld", &pages) == 1);
    fclose(statm);
    struct rlimit limit;
    getrlimit(RLIMIT_AS, &limit);
    /* Room for the new thread's stack and little more than that. */
    limit.rlim_cur = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + (1 << 20);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 512 << 10);
    setrlimit(RLIMIT_AS, &limit);
    if (CHECK(pthread_create(&thread, &attributes, large_in_new_thread, data) == 0)) pthread_join(thread, NULL);
    _exit(finish());
  }
  int status = -1;
  waitpid(child, &status, 0);
  if (!CHECK(status == 0)) fprintf(stderr, "  exit code %d, signal %d\n", WEXITSTATUS(status), WTERMSIG(status));
}

int main(void) {
  /* First, while this process has not used Apus: the children read the environment for themselves. */
  environment("APUS_ISA", "mmx", "baseline");
  environment("APUS_BACKEND", "fibers", "dispatch");
  environment("APUS_THREADS", "many", "1");
  environment("APUS_THREADS", "-3", "1");
  environment("APUS_LINGER_US", "20000", "10000");
  memory_refused();
  tensors();
  contexts();
  descriptors();
  one_calls();
  plans_and_runs();
  scratch_too_small();
  convolution_descriptors();
  convolution_runs();
  broken_hosts();
  texts_per_thread();
  return finish();
}
