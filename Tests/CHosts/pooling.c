/* Pooling through every function of the header, beside plain loops. */
#include "check.h"
#include "plain_pool.h"

static apus_pool_desc problem(int32_t dtype, int32_t kind, int32_t rank, int64_t size, int64_t window) {
  int64_t input[] = {size, size + 1, size + 2}, windows[] = {window, window, window};
  apus_pool_desc d;
  CHECK_OK(apus_pool_desc_init(&d, dtype, kind, rank, 2, 5, input, windows));
  CHECK(d.struct_size == sizeof d && d.stride[0] == window && d.dilation[0] == 1 && d.pad_before[0] == 0 && d.norm == 2);
  return d;
}

/* Forward with indices, backward by indices, by x and accumulating, unpooling and back. */
static void all_directions(const apus_context *context, const apus_pool_desc *d) {
  int64_t output[3];
  if (!CHECK_OK(apus_pool_output_shape(d, output))) return;
  int64_t xs = pool_planes(d) * pool_positions(d->input, d->spatial_rank);
  int64_t ys = pool_planes(d) * pool_positions(output, d->spatial_rank), plane = pool_positions(d->input, d->spatial_rank);
  size_t element = element_size(d->dtype);
  char *x = (char *)random_elements(d->dtype, xs, 1), *dy = (char *)random_elements(d->dtype, ys, 2);
  char *y = (char *)malloc((size_t)ys * element), *dx = (char *)malloc((size_t)xs * element);
  void *indices = malloc((size_t)ys * 8);
  double *plain_y = (double *)malloc((size_t)ys * 8), *plain_dx = (double *)malloc((size_t)xs * 8);
  int64_t *plain_indices = (int64_t *)malloc((size_t)ys * 8);
  plain_pool(d, output, x, plain_y, plain_indices);
  int is_max = d->kind == APUS_POOL_MAX;
  apus_pool_plan *plan = NULL;
  apus_pool_args a;
  CHECK_OK(apus_pool_args_init(&a));
  CHECK(a.struct_size == sizeof a && !a.x && !a.scratch && a.accumulate == 0);
  if (CHECK_OK(apus_pool_plan_create(context, d, APUS_FORWARD, &plan))) {
    apus_pool_plan_info info;
    info.struct_size = sizeof info;
    CHECK_OK(apus_pool_plan_get_info(context, plan, &info));
    CHECK(info.flops > 0 && info.bytes > 0 && info.scratch_bytes >= 0 && info.output[0] == output[0] && info.threads >= 1);
    char text[200];
    size_t needed = 0;
    CHECK_OK(apus_pool_plan_describe(plan, text, sizeof text, &needed));
    CHECK(needed == strlen(text) + 1 && strncmp(text, "pool float", 10) == 0);
    void *scratch = malloc((size_t)info.scratch_bytes + 1);
    a.x = x;
    a.y = y;
    a.indices = is_max ? indices : NULL;
    CHECK_OK(apus_pool_run(context, plan, &a));
    CHECK(pool_mistakes(d, "y", y, plain_y, ys, (double)plane, is_max) == 0);
    for (int64_t i = 0; is_max && i < ys; i++)
      if (!CHECK(get_index(indices, d->index_type, i) == plain_indices[i])) break;
    a.indices = NULL;
    a.scratch = scratch;
    a.scratch_bytes = (size_t)info.scratch_bytes;
    memset(y, 0, (size_t)ys * element);
    CHECK_OK(apus_pool_run(context, plan, &a));
    CHECK(pool_mistakes(d, "y", y, plain_y, ys, (double)plane, is_max) == 0);
    a.scratch = NULL;
    free(scratch);
  }
  apus_pool_plan_destroy(plan);
  plan = NULL;
  plain_pool_backward(d, output, x, plain_y, plain_indices, dy, plain_dx);
  if (CHECK_OK(apus_pool_plan_create(context, d, APUS_BACKWARD_DATA, &plan))) {
    a.dy = dy;
    a.dx = dx;
    for (int by_index = 0; by_index <= is_max; by_index++) {
      a.indices = by_index ? indices : NULL;
      a.accumulate = 0;
      CHECK_OK(apus_pool_run(context, plan, &a));
      CHECK(pool_mistakes(d, "dx", dx, plain_dx, xs, (double)plane, 0) == 0);
      a.accumulate = 1;
      CHECK_OK(apus_pool_run(context, plan, &a));
      for (int64_t i = 0; i < xs; i++) plain_dx[i] *= 2;
      CHECK(pool_mistakes(d, "dx twice", dx, plain_dx, xs, (double)plane, 0) == 0);
      for (int64_t i = 0; i < xs; i++) plain_dx[i] /= 2;
    }
    a.accumulate = 0;
  }
  apus_pool_plan_destroy(plan);
  plan = NULL;
  if (is_max) {
    a.indices = indices;
    a.x = dx;
    CHECK_OK(apus_pool_plan_create(context, d, APUS_POOL_UNPOOL, &plan));
    CHECK_OK(apus_pool_run(context, plan, &a));
    apus_pool_plan_destroy(plan);
    for (int64_t i = 0; i < xs; i++) plain_dx[i] = 0;
    int64_t outputs = ys / pool_planes(d);
    for (int64_t n = 0; n < d->batch; n++)
      for (int64_t o = 0; o < outputs; o++)
        for (int64_t c = 0; c < d->channels; c++) {
          int64_t from = pool_place(d, n, c, o, outputs);
          plain_dx[pool_place(d, n, c, plain_indices[from], plane)] = plain_y[from];
        }
    CHECK(pool_mistakes(d, "unpooled x", dx, plain_dx, xs, 0, 1) == 0);
    plan = NULL;
    CHECK_OK(apus_pool_plan_create(context, d, APUS_POOL_UNPOOL_BACKWARD, &plan));
    CHECK_OK(apus_pool_run(context, plan, &a));
    CHECK(pool_mistakes(d, "dy", dy, plain_y, ys, 0, 1) == 0); /* what lies at the maxima are the maxima */
    /* An index outside of the plane is refused before anything is written. */
    memset(indices, 0xff, 8);
    memcpy(y, dy, (size_t)ys * element);
    CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_pool_run(context, plan, &a));
    CHECK(strstr(apus_last_error(), "indices[0] is -1") != NULL);
    CHECK(memcmp(y, dy, (size_t)ys * element) == 0);
    apus_pool_plan_destroy(plan);
  }
  free(x);
  free(y);
  free(dx);
  free(dy);
  free(indices);
  free(plain_y);
  free(plain_dx);
  free(plain_indices);
}

static void options(const apus_context *context) {
  static const int32_t types[] = {APUS_FLOAT32, APUS_FLOAT64}, index_types[] = {APUS_INT32, APUS_INT64};
  for (int32_t variant = 0; variant < 96; variant++) {
    int32_t rank = 1 + variant % 3;
    apus_pool_desc d = problem(types[variant & 1], variant / 2 % 4, rank, rank == 3 ? 7 : 19, 2 + variant / 8 % 2);
    d.layout = variant / 3 % 2;
    d.index_type = index_types[variant / 6 % 2];
    d.rounding = variant % 5 == 0 ? APUS_ROUND_CEIL : APUS_ROUND_FLOOR;
    d.norm = 1 + variant % 2;
    for (int i = 0; i < 3; i++) d.stride[i] = 1 + variant / 7 % 3;
    if (variant % 4 == 1) CHECK_OK(apus_pool_desc_set_padding(&d, APUS_PADDING_SAME));
    if (variant % 4 == 2 && d.kind == APUS_POOL_MAX) d.dilation[0] = 2;
    if (variant % 9 == 8) CHECK_OK(apus_pool_desc_set_global(&d));
    if (variant % 9 == 4) {
      d.adaptive = 1;
      for (int i = 0; i < 3; i++) d.output[i] = 3 + i, d.dilation[i] = 1, d.pad_before[i] = d.pad_after[i] = 0;
    }
    all_directions(context, &d);
  }
}

static void shapes(void) {
  /* A 7 wide input and windows of 3: 3 at stride 2; stride 3 does not divide. */
  apus_pool_desc d = problem(APUS_FLOAT32, APUS_POOL_MAX, 1, 7, 3);
  int64_t output[3];
  d.stride[0] = 2;
  CHECK_OK(apus_pool_output_shape(&d, output));
  CHECK(output[0] == 3);
  d.stride[0] = 3;
  CHECK_OK(apus_pool_output_shape(&d, output));
  CHECK(output[0] == 2);
  d.rounding = APUS_ROUND_CEIL;
  CHECK_OK(apus_pool_output_shape(&d, output));
  CHECK(output[0] == 3);
  d.rounding = APUS_ROUND_STRICT;
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_pool_output_shape(&d, output));
  CHECK(strstr(apus_last_error(), "stride[0] is 3") && strstr(apus_last_error(), "7"));
  d.stride[0] = 1;
  CHECK_OK(apus_pool_desc_set_padding(&d, APUS_PADDING_SAME));
  CHECK(d.pad_before[0] == 1 && d.pad_after[0] == 1);
  CHECK_OK(apus_pool_output_shape(&d, output));
  CHECK(output[0] == 7);
  CHECK_OK(apus_pool_desc_set_global(&d));
  CHECK_OK(apus_pool_output_shape(&d, output));
  CHECK(output[0] == 1 && d.pad_before[0] == 0);
}

static void refused(const char *words, const apus_pool_desc *d, int32_t direction) {
  apus_pool_plan *plan = NULL;
  CHECK(apus_pool_plan_create(NULL, d, direction, &plan) != APUS_OK);
  CHECK(plan == NULL);
  if (!CHECK(strstr(apus_last_error(), words) != NULL)) fprintf(stderr, "  '%s' is not in: %s\n", words, apus_last_error());
}

static void refusals(void) {
  const apus_pool_desc good = problem(APUS_FLOAT32, APUS_POOL_AVERAGE, 2, 9, 3);
  apus_pool_desc d = good;
#define REFUSED(words, change) (d = good, change, refused(words, &d, APUS_FORWARD))
  REFUSED("desc->struct_size is 7", d.struct_size = 7);
  REFUSED("dtype is int8", d.dtype = APUS_INT8);
  REFUSED("dtype is 99", d.dtype = 99);
  REFUSED("spatial_rank is 4", d.spatial_rank = 4);
  REFUSED("kind is 4", d.kind = 4);
  REFUSED("layout is 2, but it must be one of: APUS_LAYOUT_NCHW = 0, APUS_LAYOUT_NHWC = 1", d.layout = 2);
  REFUSED("rounding is -1", d.rounding = -1);
  REFUSED("adaptive is 2", d.adaptive = 2);
  REFUSED("index_type is 1", d.index_type = APUS_FLOAT32);
  REFUSED("reserved is 1", d.reserved = 1);
  REFUSED("batch is -1", d.batch = -1);
  REFUSED("channels is -3", d.channels = -3);
  REFUSED("input[1] is 0", d.input[1] = 0);
  REFUSED("window[0] is 0", d.window[0] = 0);
  REFUSED("window[1] is 11", d.window[1] = 11);
  REFUSED("stride[1] is 0", d.stride[1] = 0);
  REFUSED("dilation[0] is 2", d.dilation[0] = 2);
  REFUSED("pad_before[0] is 3", d.pad_before[0] = 3);
  REFUSED("pad_before[1] is -1", d.pad_before[1] = -1);
  REFUSED("pad_after[1] is 9", d.pad_after[1] = 9);
  REFUSED("output[0] is 0", (d.adaptive = 1, d.output[1] = 1));
  REFUSED("input is ", (d.batch = INT64_MAX / 8));
  d = good;
  d.kind = APUS_POOL_LP;
  d.norm = 0;
  refused("norm is 0", &d, APUS_FORWARD);
  refused("direction is 2", &good, APUS_BACKWARD_WEIGHTS);
  refused("direction is unpool", &good, APUS_POOL_UNPOOL);
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_pool_plan_create(NULL, NULL, APUS_FORWARD, NULL));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_pool_plan_create(NULL, &good, APUS_FORWARD, NULL));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_pool_desc_init(NULL, APUS_FLOAT32, 0, 2, 1, 1, good.input, good.window));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_pool_desc_init(&d, APUS_FLOAT32, 0, 0, 1, 1, good.input, good.window));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_pool_desc_init(&d, APUS_FLOAT32, 0, 2, 1, 1, NULL, good.window));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_pool_desc_set_padding(&d, 5));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_pool_desc_set_padding(NULL, 0));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_pool_desc_set_global(NULL));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_pool_output_shape(&good, NULL));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_pool_args_init(NULL));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_pool_run(NULL, NULL, NULL));
  apus_pool_plan *plan = NULL;
  CHECK_OK(apus_pool_plan_create(NULL, &good, APUS_FORWARD, &plan));
  float x[900], y[90];
  apus_pool_args a;
  CHECK_OK(apus_pool_args_init(&a));
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_pool_run(NULL, plan, &a));
  CHECK(strstr(apus_last_error(), "x is NULL") != NULL);
  a.x = x;
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_pool_run(NULL, plan, &a));
  CHECK(strstr(apus_last_error(), "y is NULL") != NULL);
  a.y = y;
  a.accumulate = 1;
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_pool_run(NULL, plan, &a));
  CHECK(strstr(apus_last_error(), "accumulate is 1") != NULL);
  a.accumulate = 0;
  a.indices = y;
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_pool_run(NULL, plan, &a));
  CHECK(strstr(apus_last_error(), "indices") != NULL);
  a.indices = NULL;
  a.scratch = y;
  a.scratch_bytes = 1;
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_pool_run(NULL, plan, &a));
  CHECK(strstr(apus_last_error(), "scratch_bytes is 1") != NULL);
  CHECK_STATUS(APUS_ERROR_INVALID_ARGUMENT, apus_pool_plan_describe(plan, NULL, 5, NULL));
  apus_pool_plan_destroy(plan);
  apus_pool_plan_destroy(NULL);
  /* A batch of 0 is legal, and touches nothing. */
  plan = NULL;
  d = good;
  d.batch = 0;
  CHECK_OK(apus_pool_plan_create(NULL, &d, APUS_BACKWARD_DATA, &plan));
  CHECK_OK(apus_pool_args_init(&a));
  CHECK_OK(apus_pool_run(NULL, plan, &a));
  apus_pool_plan_destroy(plan);
  /* Adaptive windows do not read rounding, window and stride. 9 positions by 2: windows of 5 that share one. */
  d = good;
  d.adaptive = 1;
  d.rounding = 9;
  d.window[0] = d.stride[1] = INT64_MIN;
  d.output[0] = d.output[1] = 2;
  apus_pool_plan_info info;
  info.struct_size = sizeof info;
  CHECK_OK(apus_pool_plan_create(NULL, &d, APUS_FORWARD, &plan));
  CHECK_OK(apus_pool_plan_get_info(NULL, plan, &info));
  CHECK(info.flops == (double)(d.batch * d.channels) * 100);
  apus_pool_plan_destroy(plan);
  /* The indices of so many threads' samples would overflow. */
  d.kind = APUS_POOL_MAX;
  d.dtype = APUS_FLOAT64;
  d.index_type = APUS_INT64;
  d.layout = APUS_LAYOUT_NHWC;
  d.channels = 1 << 18;
  d.input[0] = d.input[1] = 1;
  d.output[0] = d.output[1] = 1 << 20;
  refused("output is 1048576 x 1048576", &d, APUS_BACKWARD_DATA);
}

int main(void) {
  for (int32_t isa = APUS_ISA_BASELINE; isa <= APUS_ISA_AVX512; isa++) {
    if (!(context_info(NULL).isa_available & 1 << isa)) continue;
    apus_context *context = make_context(isa, APUS_BACKEND_DISPATCH, 2);
    options(context);
    apus_context_destroy(context);
  }
  shapes();
  refusals();
  return finish();
}
