/* Random convolutions, mostly good with a few fields broken, against include/apus.h.
 *
 * A description that was not broken must be accepted and run in every direction; a broken one is refused with a message, or
 * accepted and run safely. Tensors, weights and scratch end (or begin) at a page that may not be touched, because libapus is
 * not instrumented; sizes here are computed without Apus. Results are compared with the plain loops of the C hosts. */
#include "plain_conv.h"

enum { MOST = 4 << 20, BUFFERS = 8 };
#include "fuzz.h"

/* ----------------------------------------------------------------------------------------------- one problem */

/* Any shape that has an output. */
static apus_conv_desc good_problem(void) {
  apus_conv_desc d;
  int32_t rank = 1 + (int32_t)below(3), bits;
  int64_t in[3], kernel[3], groups = below(3) ? 1 : 1 + below(4);
  for (int i = 0; i < 3; i++) {
    in[i] = 1 + below(rank == 1 ? 80 : rank == 2 ? 20 : 7);
    kernel[i] = below(3) ? 1 + below(3) : 1 + below(7);
  }
  int64_t c = groups * (1 + below(below(2) ? 4 : 40)), k = groups * (1 + below(below(2) ? 4 : 70));
  if (below(5) == 0) groups = c, k = c * (1 + below(3));
  MUST(apus_conv_desc_init(&d, byte() % 2 ? APUS_FLOAT64 : APUS_FLOAT32, rank, c, k, in, kernel) == APUS_OK);
  d.groups = groups;
  d.batch = below(3) ? 1 : (int64_t)below(4);
  bits = (int32_t)byte();
  d.x_layout = bits & 1;
  d.y_layout = bits >> 1 & 1;
  d.bias = bits >> 2 & 1;
  d.residual = bits >> 3 & 1;
  d.flags = bits >> 4 & 3;
  d.transposed = (bits >> 6 & 3) == 3;
  d.activation = below(2) ? 0 : (int32_t)below(6);
  d.slope = (double)below(5) / 4;
  int plain = below(2) == 0;
  for (int i = 0; i < rank; i++) {
    d.stride[i] = plain ? 1 : 1 + below(4);
    d.dilation[i] = plain ? 1 : 1 + below(3);
    if (d.transposed) d.output_padding[i] = below((uint32_t)d.stride[i]);
    d.pad_before[i] = below(4);
    d.pad_after[i] = plain ? d.pad_before[i] : (int64_t)below(4);
  }
  if (!d.transposed && below(4) == 0) MUST(apus_conv_desc_set_padding(&d, APUS_PADDING_SAME) == APUS_OK);
  plain_conv p;
  while (!plain_conv_make(&d, &p)) /* more padding, or less, until there is an output */
    for (int i = 0; i < rank; i++) {
      if (d.transposed) d.pad_before[i] = d.pad_after[i] = 0;
      d.pad_after[i] += d.transposed ? 0 : 4;
    }
  return d;
}

/* Breaks fields, perhaps; whether any was changed. */
static int broken(apus_conv_desc *d) {
  apus_conv_desc before = *d;
  int64_t *wide[] = {&d->batch, &d->in_channels, &d->out_channels, &d->groups};
  int64_t *spatial[] = {d->input, d->kernel, d->stride, d->dilation, d->pad_before, d->pad_after, d->output_padding};
  int32_t *narrow[] = {&d->dtype,    &d->spatial_rank, &d->transposed, &d->rounding, &d->x_layout, &d->y_layout, &d->bias,
                       &d->residual, &d->activation,   &d->algorithm,  &d->flags,    &d->reserved};
  for (uint32_t count = below(4) ? 0 : 1 + below(3); count > 0; count--) {
    uint32_t field = below(25);
    if (field < 4)
      *wide[field] = odd_number();
    else if (field < 11)
      spatial[field - 4][below(3)] = odd_number();
    else if (field < 23)
      *narrow[field - 11] = below(2) ? (int32_t)below(12) : (int32_t)odd_number();
    else if (field < 24)
      d->struct_size = (size_t)odd_number();
    else
      d->slope = (double)odd_number();
  }
  return memcmp(&before, d, sizeof before) != 0;
}

/* Whether the numbers may be multiplied and the problem run here. */
static int is_small(const apus_conv_desc *d) {
  double x = (double)d->batch, w = (double)(d->in_channels / d->groups) * (double)d->out_channels, positions = 1, y = 1;
  for (int i = 0; i < d->spatial_rank; i++) {
    if (d->input[i] > 1 << 20 || d->kernel[i] > 1 << 12 || d->stride[i] > 1 << 20 || d->dilation[i] > 1 << 20 ||
        d->pad_before[i] > 1 << 20 || d->pad_after[i] > 1 << 20)
      return 0;
    w *= (double)d->kernel[i];
    positions *= (double)d->input[i];
    double span = (double)d->dilation[i] * (double)(d->kernel[i] - 1) + 1;
    y *= d->transposed ? (double)d->input[i] * (double)d->stride[i] + span : (double)(d->input[i] + d->pad_before[i] + d->pad_after[i]);
  }
  return d->batch <= 64 && x * (double)d->in_channels * positions < 1 << 18 && x * (double)d->out_channels * y < 1 << 18 &&
         w < 1 << 18 && (x + 1) * w * (d->transposed ? positions : y) < 4e6;
}

static void run_plan(const apus_context *context, const apus_conv_desc *d, int32_t direction, const apus_conv_plan *plan) {
  apus_conv_info info;
  info.struct_size = sizeof info;
  MUST(apus_conv_plan_get_info(context, plan, &info) == APUS_OK);
  MUST(info.flops >= 0 && info.scratch_bytes >= 0 && info.packed_weights_bytes > 0 && info.threads >= 1);
  plain_conv p;
  if (!is_small(d)) return;
  MUST(plain_conv_make(d, &p));
  for (int i = 0; i < d->spatial_rank; i++) MUST(info.output[i] == p.out[3 - d->spatial_rank + i]);
  int64_t size = (int64_t)element_size(d->dtype);
  int64_t x_bytes = plain_x_count(d, &p) * size, y_bytes = plain_y_count(d, &p) * size, w_bytes = plain_weight_count(d, &p) * size;
  int64_t result_bytes = direction == APUS_FORWARD ? y_bytes : direction == APUS_BACKWARD_DATA ? x_bytes : w_bytes;
  int64_t bytes[BUFFERS] = {x_bytes, y_bytes, w_bytes, d->out_channels * size, result_bytes, info.packed_weights_bytes,
                            info.scratch_bytes, d->out_channels * size};
  for (int i = 0; i < BUFFERS; i++)
    if (bytes[i] > MOST) return;
  uint32_t ends = byte();
  uint8_t *b[BUFFERS];
  for (int i = 0; i < BUFFERS; i++) {
    b[i] = (uint8_t *)guarded(i, bytes[i], ends >> i & 1);
    if (i == 5 || i == 6)
      memset(b[i], 0xff, (size_t)bytes[i]);
    else
      fill_random(b[i], d->dtype, bytes[i] / size, ends + (uint32_t)i);
  }
  uint8_t *before = (uint8_t *)malloc((size_t)bytes[4] + 1), *before_db = (uint8_t *)malloc((size_t)bytes[7] + 1);
  memcpy(before, b[4], (size_t)bytes[4]);
  memcpy(before_db, b[7], (size_t)bytes[7]);
  uint32_t how = byte();
  apus_conv_args a;
  MUST(apus_conv_args_init(&a) == APUS_OK);
  a.x = b[0];
  a.dy = b[1];
  a.residual = b[1];
  a.weights = b[2];
  a.bias = b[3];
  a.accumulate = how & 1;
  if (how & 2) {
    a.scratch = b[6];
    a.scratch_bytes = (size_t)bytes[6];
  }
  if (direction == APUS_FORWARD) {
    a.y = b[4];
    if (how & 4) a.residual = b[4];
  }
  if (direction == APUS_BACKWARD_DATA) a.dx = b[4];
  if (direction == APUS_BACKWARD_WEIGHTS) a.dw = b[4], a.db = b[7];
  int packs = (d->flags & APUS_CONV_PACKED_WEIGHTS) != 0;
  if (packs && direction != APUS_BACKWARD_WEIGHTS) {
    MUST(apus_conv_pack_weights(context, plan, b[2], b[5], (size_t)bytes[5]) == APUS_OK);
    a.weights = b[5];
  } else if (packs) {
    if (a.accumulate) MUST(apus_conv_pack_weights(context, plan, b[4], b[5], (size_t)bytes[5]) == APUS_OK);
    a.dw = b[5];
  }
  /* Broken arguments: refused before anything is written. An empty batch may accept them. */
  if ((how >> 3 & 7) == 0 && d->batch > 0) {
    apus_conv_args wrong = a;
    uint32_t field = below(4);
    if (field == 0) wrong.y = wrong.dx = wrong.dw = NULL;
    if (field == 1) wrong.struct_size = (size_t)odd_number() | 1;
    if (field == 2) wrong.accumulate = 2 + (int32_t)below(3);
    if (field == 3) {
      wrong.scratch = b[6];
      wrong.scratch_bytes = below((uint32_t)info.scratch_bytes);
    }
    MUST(apus_conv_run(context, plan, &wrong) != APUS_OK);
    MUST(apus_last_error()[0] != 0);
    MUST(memcmp(b[4], before, (size_t)bytes[4]) == 0);
  }
  /* What is overwritten is not read. */
  if (!a.accumulate && a.residual != b[4]) memset(b[4], 0xff, (size_t)bytes[4]);
  MUST(apus_conv_run(context, plan, &a) == APUS_OK);
  if (packs && direction == APUS_BACKWARD_WEIGHTS) MUST(apus_conv_unpack_weights(context, plan, b[5], b[4]) == APUS_OK);
  plain_run r;
  r.direction = direction;
  r.args = &a;
  r.weights = b[2];
  r.dw = b[4];
  r.before = before;
  r.before_db = before_db;
  if (conv_mistakes(d, &r) != 0) {
    char text[400];
    apus_conv_plan_describe(plan, text, sizeof text, NULL);
    fprintf(stderr, "%s\n", text);
    die("wrong result");
  }
  free(before);
  free(before_db);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length) {
  if (!contexts[0]) make_contexts();
  input = data;
  input_left = length;
  const apus_context *context = contexts[byte() % CONTEXTS];
  int32_t direction = (int32_t)byte() % 3, list[16], count = 0;
  uint32_t choice = byte();
  apus_conv_desc d = good_problem();
  int is_broken = broken(&d);
  int64_t shape[3], parameters = -1;
  apus_status known = apus_conv_output_shape(&d, shape), counted = apus_conv_parameter_count(&d, &parameters);
  apus_status listed = apus_conv_algorithms(context, &d, direction, list, 16, &count);
  if (listed == APUS_OK) {
    MUST(known == APUS_OK && counted == APUS_OK && parameters > 0 && count > 0);
    if (!is_broken && count <= 16) d.algorithm = list[choice % (uint32_t)count];
  } else {
    MUST(is_broken && apus_last_error()[0] != 0);
  }
  apus_conv_plan *plan = NULL;
  if (apus_conv_plan_create(context, &d, direction, &plan) == APUS_OK) {
    MUST(listed == APUS_OK);
    run_plan(context, &d, direction, plan);
    apus_conv_plan_destroy(plan);
  } else {
    MUST(is_broken && plan == NULL && apus_last_error()[0] != 0);
  }
  return 0;
}
