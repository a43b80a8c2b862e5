/* Random pooling descriptors and arguments, mostly good with a few fields broken, against include/apus.h.
 *
 * A problem that was not broken must be accepted and run; a broken one is refused with a message, or accepted and run
 * safely. Tensors end (or begin) at a page that may not be touched, because libapus is not instrumented. Results are
 * compared with the plain loops of the C hosts; indices may be broken too. */
#include "plain_pool.h"

enum { MOST = 1 << 20, BUFFERS = 6 };
#include "fuzz.h"

/* ----------------------------------------------------------------------------------------------- one problem */

/* Padding is below the window's span, and a window no longer than the input, so that all is legal but what the last
 * window and dilation may miss: that is tried with apus_pool_output_shape, and made plain where it is refused. */
static apus_pool_desc good_problem(void) {
  int32_t rank = 1 + (int32_t)below(3);
  uint32_t most = rank == 1 ? 100 : rank == 2 ? 40 : 9, bits = byte();
  int64_t size[3], window[3];
  for (int i = 0; i < 3; i++) {
    size[i] = 1 + below(most);
    window[i] = 1 + below(below(4) ? 4 : 9);
    if (window[i] > size[i]) window[i] = size[i];
  }
  apus_pool_desc d;
  int32_t kind = (int32_t)below(4);
  MUST(apus_pool_desc_init(&d, bits & 1 ? APUS_FLOAT64 : APUS_FLOAT32, kind, rank, below(9) ? 1 + below(3) : 0, 1 + below(below(2) ? 6 : 70), size,
                           window) == APUS_OK);
  d.layout = bits >> 1 & 1;
  d.index_type = bits & 4 ? APUS_INT64 : APUS_INT32;
  d.norm = below(4) ? 1 + (bits >> 3 & 1) : 0.25 * (1 + below(40));
  d.rounding = bits & 16 ? APUS_ROUND_CEIL : APUS_ROUND_FLOOR;
  for (int i = 0; i < rank; i++) {
    d.stride[i] = 1 + below(3);
    if (kind == APUS_POOL_MAX && bits & 32) d.dilation[i] = 1 + below(3);
    int64_t span = (window[i] - 1) * d.dilation[i] + 1;
    d.pad_before[i] = below((uint32_t)span);
    d.pad_after[i] = below((uint32_t)span);
  }
  int64_t output[3];
  if (apus_pool_output_shape(&d, output) != APUS_OK)
    for (int i = 0; i < rank; i++) d.dilation[i] = 1, d.pad_before[i] = d.pad_after[i] = 0;
  if (!(bits >> 6)) {
    d.adaptive = 1;
    for (int i = 0; i < rank; i++) d.output[i] = 1 + below(most), d.dilation[i] = 1, d.pad_before[i] = d.pad_after[i] = 0;
  }
  return d;
}

/* Breaks fields, perhaps; whether any was changed. */
static int broken(apus_pool_desc *d) {
  apus_pool_desc before = *d;
  int32_t *narrow[] = {&d->dtype, &d->spatial_rank, &d->kind, &d->layout, &d->rounding, &d->adaptive, &d->index_type, &d->reserved};
  int64_t *wide[] = {d->input, d->output, d->window, d->stride, d->dilation, d->pad_before, d->pad_after};
  for (uint32_t count = below(4) ? 0 : 1 + below(3); count > 0; count--) {
    uint32_t field = below(20);
    if (field < 8)
      *narrow[field] = below(2) ? (int32_t)below(9) : (int32_t)odd_number();
    else if (field < 15)
      wide[field - 8][below(3)] = odd_number();
    else if (field == 15)
      d->batch = odd_number();
    else if (field == 16)
      d->channels = odd_number();
    else if (field == 17)
      d->norm = (double)odd_number() / 3;
    else if (field == 18)
      d->norm = 0.0 / (double)below(1); /* NaN */
    else
      d->struct_size = (size_t)odd_number();
  }
  return memcmp(&before, d, sizeof before) != 0;
}

/* Elements of all planes, or more than MOST. */
static int64_t elements(const apus_pool_desc *d, const int64_t *size) {
  __int128 n = (__int128)d->batch * d->channels;
  for (int32_t i = 0; i < d->spatial_rank && n <= MOST; i++) n *= size[i];
  return n > MOST ? MOST + 1 : (int64_t)n;
}

static void run_plan(const apus_context *context, const apus_pool_desc *d, int32_t direction, apus_pool_plan *plan) {
  int64_t output[3];
  MUST(apus_pool_output_shape(d, output) == APUS_OK);
  apus_pool_plan_info info;
  info.struct_size = sizeof info;
  MUST(apus_pool_plan_get_info(context, plan, &info) == APUS_OK);
  MUST(info.flops >= 0 && info.bytes >= 0 && info.scratch_bytes >= 0);
  int64_t xs = elements(d, d->input), ys = elements(d, output), element = (int64_t)element_size(d->dtype);
  int64_t index = d->index_type == APUS_INT64 ? 8 : 4;
  /* Elements of a window, and windows over an element, at most. */
  double taps = 1, over = 1;
  for (int32_t i = 0; i < d->spatial_rank; i++) {
    taps *= d->adaptive ? (double)d->input[i] / (double)output[i] + 2 : (double)d->window[i];
    over *= d->adaptive ? (double)output[i] / (double)d->input[i] + 2 : (double)d->window[i];
  }
  if (xs * 8 > MOST || ys * 8 > MOST || info.scratch_bytes > MOST || taps * (double)ys > 3e6) return;
  /* The plain loops have no power: y is not known then, but that every gradient is a number. */
  int has_plain = xs > 0 && (d->kind != APUS_POOL_LP || d->norm == 1 || d->norm == 2);

  uint32_t ends = byte() | byte() << 8;
  int64_t bytes[6] = {xs * element, ys * element, ys * index, ys * element, xs * element, info.scratch_bytes};
  void *p[6];
  for (int i = 0; i < 6; i++) p[i] = guarded(i, bytes[i], ends >> i & 1);
  fill_random(p[0], d->dtype, xs, ends);
  fill_random(p[1], d->dtype, ys, ends + 1);
  fill_random(p[3], d->dtype, ys, ends + 2);
  fill_random(p[4], d->dtype, xs, ends + 3);
  double *plain_y = (double *)malloc((size_t)ys * 8 + 8), *plain_dx = (double *)malloc((size_t)xs * 8 + 8);
  int64_t *plain_indices = (int64_t *)malloc((size_t)ys * 8 + 8);
  if (has_plain) plain_pool(d, output, p[0], plain_y, plain_indices);
  if (!has_plain)
    for (int64_t i = 0; i < ys; i++) plain_indices[i] = 0, plain_y[i] = magnitude(get(p[1], d->dtype, i));
  if (direction != APUS_FORWARD && xs > 0)
    for (int64_t i = 0; i < ys; i++) {
      if (index == 4)
        ((int32_t *)p[2])[i] = (int32_t)plain_indices[i];
      else
        ((int64_t *)p[2])[i] = plain_indices[i];
      if (d->kind == APUS_POOL_LP) put(p[1], d->dtype, i, plain_y[i]);
    }
  apus_pool_args a;
  MUST(apus_pool_args_init(&a) == APUS_OK);
  a.x = p[0];
  a.y = p[1];
  a.dy = p[3];
  a.dx = p[4];
  int with_indices = ends >> 8 & 1, unpools = direction == APUS_POOL_UNPOOL || direction == APUS_POOL_UNPOOL_BACKWARD;
  a.indices = d->kind == APUS_POOL_MAX && (with_indices || unpools) ? p[2] : NULL;
  if (ends >> 9 & 1) {
    a.scratch = p[5];
    a.scratch_bytes = (size_t)info.scratch_bytes;
  }
  a.accumulate = (ends >> 10 & 1) && (direction == APUS_BACKWARD_DATA || direction == APUS_POOL_UNPOOL_BACKWARD);
  double *old = (double *)malloc((size_t)(xs > ys ? xs : ys) * 8 + 8);
  int64_t results = direction == APUS_BACKWARD_DATA ? xs : ys;
  for (int64_t i = 0; i < results; i++) old[i] = a.accumulate ? get(p[direction == APUS_BACKWARD_DATA ? 4 : 3], d->dtype, i) : 0;
  /* A broken index: unpooling refuses it, backward uses it for nothing but must not stray. */
  int spoiled = 0;
  if (a.indices && direction != APUS_FORWARD && ys > 0 && below(4) == 0) {
    int64_t at = below((uint32_t)ys), value = odd_number();
    if (index == 4)
      ((int32_t *)p[2])[at] = (int32_t)value;
    else
      ((int64_t *)p[2])[at] = value;
    spoiled = 1;
  }
  apus_status status = apus_pool_run(context, plan, &a);
  if (spoiled) {
    MUST(status == APUS_OK || (unpools && status == APUS_ERROR_INVALID_ARGUMENT && apus_last_error()[0]));
  } else {
    MUST(status == APUS_OK);
    double terms = (taps + over) * 4 + 16;
    if (direction == APUS_FORWARD && has_plain) {
      MUST(pool_mistakes(d, "y", p[1], plain_y, ys, terms, d->kind == APUS_POOL_MAX) == 0);
      for (int64_t i = 0; a.indices && i < ys; i++) MUST(get_index(p[2], d->index_type, i) == plain_indices[i]);
    } else if (direction == APUS_BACKWARD_DATA && has_plain) {
      plain_pool_backward(d, output, p[0], plain_y, plain_indices, p[3], plain_dx);
      for (int64_t i = 0; i < xs; i++) plain_dx[i] += old[i];
      MUST(pool_mistakes(d, "dx", p[4], plain_dx, xs, terms, 0) == 0);
    } else if (direction == APUS_BACKWARD_DATA) {
      for (int64_t i = 0; i < xs; i++) MUST(get(p[4], d->dtype, i) == get(p[4], d->dtype, i));
    } else if (direction == APUS_POOL_UNPOOL_BACKWARD && xs > 0) {
      int64_t outputs = pool_positions(output, d->spatial_rank), inputs = pool_positions(d->input, d->spatial_rank);
      for (int64_t i = 0; i < ys; i++) {
        int64_t n = i / (outputs * d->channels), c = d->layout == APUS_LAYOUT_NCHW ? i / outputs % d->channels : i % d->channels;
        plain_y[i] = old[i] + get(p[4], d->dtype, pool_place(d, n, c, plain_indices[i], inputs));
      }
      MUST(pool_mistakes(d, "dy", p[3], plain_y, ys, 1, 0) == 0);
    }
  }
  free(old);
  free(plain_y);
  free(plain_dx);
  free(plain_indices);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length) {
  static const int32_t directions[] = {APUS_FORWARD, APUS_BACKWARD_DATA, APUS_POOL_UNPOOL, APUS_POOL_UNPOOL_BACKWARD};
  if (!contexts[0]) make_contexts();
  input = data;
  input_left = length;
  const apus_context *context = contexts[byte() % CONTEXTS];
  apus_pool_desc d = good_problem();
  int32_t direction = directions[below(d.kind == APUS_POOL_MAX ? 4 : 2)];
  int is_broken = broken(&d);
  apus_pool_plan *plan = NULL;
  apus_status status = apus_pool_plan_create(context, &d, direction, &plan);
  if (status == APUS_OK) {
    run_plan(context, &d, direction, plan);
    apus_pool_plan_destroy(plan);
  } else {
    MUST(is_broken);
    MUST(plan == NULL && apus_last_error()[0] != 0);
  }
  return 0;
}
