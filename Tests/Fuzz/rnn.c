/* Random recurrent layers and arguments, mostly good with a few fields broken, against include/apus.h.
 *
 * A problem that was not broken must be accepted and run; a broken one is refused with a message, or accepted and run
 * safely. Tensors end (or begin) at a page that may not be touched, because libapus is not instrumented. Results are
 * compared with the plain loops of the C hosts; lengths, packed weights and workspaces may be broken too. */
#include "plain_gemm.h"
#include "plain_rnn.h"

enum { MOST = 1 << 22, BUFFERS = 17 };
#include "fuzz.h"

/* ----------------------------------------------------------------------------------------------- one problem */

static apus_rnn_desc good_problem(void) {
  uint32_t bits = byte(), most = below(6) ? 20 : 90;
  int32_t cell = (int32_t)below(5);
  apus_rnn_desc d;
  MUST(apus_rnn_desc_init(&d, bits & 1 ? APUS_FLOAT64 : APUS_FLOAT32, cell, 1 + below(6), 1 + below(below(3) ? 4 : 20),
                          1 + below(most), 1 + below(most)) == APUS_OK);
  d.direction = bits >> 1 & 3;
  d.biases = (int32_t)below(3);
  d.layers = 1 + (below(3) ? 0 : below(3));
  if (bits & 8) d.flags |= APUS_RNN_BATCH_MAJOR;
  if (cell == APUS_RNN_LSTM) {
    if (bits & 16) d.flags |= APUS_RNN_PEEPHOLES;
    if (bits & 32 && d.hidden > 1) d.projection = 1 + below((uint32_t)d.hidden - 1);
    if (bits & 64) d.cell_clip = 0.3;
  }
  return d;
}

/* Breaks fields, perhaps; whether any was changed. */
static int broken(apus_rnn_desc *d) {
  apus_rnn_desc before = *d;
  int32_t *narrow[] = {&d->dtype, &d->cell, &d->direction, &d->biases, &d->flags, &d->reserved};
  int64_t *wide[] = {&d->layers, &d->steps, &d->batch, &d->input, &d->hidden, &d->projection};
  for (uint32_t count = below(4) ? 0 : 1 + below(3); count > 0; count--) {
    uint32_t field = below(15);
    if (field < 6)
      *narrow[field] = below(2) ? (int32_t)below(9) : (int32_t)odd_number();
    else if (field < 12)
      *wide[field - 6] = odd_number();
    else if (field == 12)
      d->cell_clip = (double)odd_number() / 3;
    else if (field == 13)
      d->cell_clip = 0.0 / (double)below(1); /* NaN */
    else
      d->struct_size = (size_t)odd_number();
  }
  return memcmp(&before, d, sizeof before) != 0;
}

/* Numbers of a tensor as doubles, scaled; NULL where there is none. */
static double *doubles(const void *p, int32_t dtype, int64_t count) {
  if (!p) return NULL;
  double *q = rnn_zeros(count);
  for (int64_t i = 0; i < count; i++) q[i] = get(p, dtype, i);
  return q;
}

enum { W, PACKED, X, LENGTHS, H0, C0, Y, HN, CN, WORKSPACE, DY, DHN, DCN, DX, DH0, DC0, DW };

static void run_plan(const apus_context *context, const apus_rnn_desc *d, int32_t mode, apus_rnn_plan *plan) {
  apus_rnn_plan_info info;
  info.struct_size = sizeof info;
  MUST(apus_rnn_plan_get_info(context, plan, &info) == APUS_OK);
  MUST(info.flops >= 0 && info.bytes >= 0 && info.scratch_bytes >= 0 && info.workspace_bytes >= 0 && info.packed_bytes > 0);
  if (info.flops > 2e7 || info.packed_bytes > MOST || info.workspace_bytes > MOST || info.bytes > MOST / 2) return;
  if ((double)d->steps * (double)d->batch * (double)d->layers > 2000 || (double)d->layers * (double)d->batch * (double)d->hidden > 1e5)
    return;
  rnn_sizes z = rnn_sizes_of(d);
  int32_t dtype = d->dtype;
  int64_t element = (int64_t)element_size(dtype), rows = z.T * z.B, states = z.L * z.D * z.B * z.S, cells = z.L * z.D * z.B * z.H;
  int lstm = d->cell == APUS_RNN_LSTM, training = mode == APUS_RNN_TRAINING;
  int64_t counts[BUFFERS] = {z.count, 0, rows * z.I, 0, states, cells, rows * z.O, states, cells, 0,
                             rows * z.O, states, cells, rows * z.I, states, cells, z.count};
  uint32_t ends = byte() | byte() << 8 | byte() << 16, given = byte() | byte() << 8;
  void *p[BUFFERS];
  for (int i = 0; i < BUFFERS; i++) {
    int64_t bytes = i == PACKED ? info.packed_bytes : i == LENGTHS ? z.B * 8 : i == WORKSPACE ? info.workspace_bytes : counts[i] * element;
    if (bytes > MOST) return;
    p[i] = guarded(i, bytes, ends >> i & 1);
    if (counts[i]) fill_random(p[i], dtype, counts[i], ends + (uint32_t)i);
  }
  double scale = 1;
  while (scale * scale * (double)(z.H > z.S ? z.H : z.S) > 1) scale *= 0.7;
  for (int64_t i = 0; i < z.count; i++) put(p[W], dtype, i, scale * get(p[W], dtype, i));
  apus_rnn_args a;
  MUST(apus_rnn_args_init(&a) == APUS_OK);
  int64_t *lengths = (int64_t *)p[LENGTHS];
  for (int64_t b = 0; b < z.B; b++) lengths[b] = below((uint32_t)z.T + 1);
  a.x = p[X];
  a.y = p[Y];
  a.hn = p[HN];
  a.lengths = given & 1 ? lengths : NULL;
  a.h0 = given & 2 ? p[H0] : NULL;
  a.c0 = lstm && given & 4 ? p[C0] : NULL;
  a.cn = lstm ? p[CN] : NULL;
  if (training) a.workspace = p[WORKSPACE], a.workspace_bytes = (size_t)info.workspace_bytes;
  if (given & 8) {
    MUST(apus_rnn_pack(context, plan, p[W], p[PACKED], (size_t)info.packed_bytes) == APUS_OK);
    a.packed = p[PACKED];
  } else {
    a.parameters = p[W];
  }
  plain_rnn_data q;
  memset(&q, 0, sizeof q);
  double *sources[] = {doubles(p[W], dtype, z.count), doubles(p[X], dtype, rows * z.I), doubles(a.h0, dtype, states),
                       doubles(a.c0, dtype, cells), doubles(given & 16 ? p[DY] : NULL, dtype, rows * z.O),
                       doubles(given & 32 ? p[DHN] : NULL, dtype, states), doubles(lstm && given & 64 ? p[DCN] : NULL, dtype, cells)};
  int adds = given >> 7 & 1;
  double *results[] = {doubles(p[Y], dtype, rows * z.O), rnn_zeros(states), rnn_zeros(cells),
                       adds ? doubles(p[DW], dtype, z.count) : rnn_zeros(z.count),
                       adds ? doubles(p[DX], dtype, rows * z.I) : rnn_zeros(rows * z.I),
                       adds ? doubles(p[DH0], dtype, states) : rnn_zeros(states),
                       adds ? doubles(p[DC0], dtype, cells) : rnn_zeros(cells)};
  q.w = sources[0], q.x = sources[1], q.h0 = sources[2], q.c0 = sources[3], q.dy = sources[4], q.dhn = sources[5], q.dcn = sources[6];
  q.lengths = a.lengths;
  q.y = results[0], q.hn = results[1], q.cn = results[2];
  if (training) q.dw = results[3], q.dx = results[4], q.dh0 = results[5], q.dc0 = results[6];
  plain_rnn(d, &q);
  double terms = 400 + 4 * (double)(z.I + z.H + rows);
  /* A length outside of the steps is refused before anything is written; so are packed weights of somebody else's. */
  if (a.lengths && z.B > 0 && below(6) == 0) {
    int64_t at = below((uint32_t)z.B), before = lengths[at], value = odd_number();
    lengths[at] = value;
    if (value < 0 || value > z.T) MUST(apus_rnn_forward(context, plan, &a) == APUS_ERROR_INVALID_ARGUMENT);
    lengths[at] = before;
  }
  if (a.packed && below(6) == 0) {
    uint8_t *header = (uint8_t *)p[PACKED] + below(48), before = *header;
    *header ^= (uint8_t)(1 + below(255));
    MUST(apus_rnn_forward(context, plan, &a) == APUS_ERROR_MISMATCH);
    *header = before;
  }
  MUST(apus_rnn_forward(context, plan, &a) == APUS_OK);
  MUST(rnn_mistakes(d, "y", p[Y], results[0], rows * z.O, terms) == 0);
  MUST(rnn_mistakes(d, "hn", p[HN], results[1], states, terms) == 0);
  if (lstm) MUST(rnn_mistakes(d, "cn", p[CN], results[2], cells, terms) == 0);
  a.dy = given & 16 ? p[DY] : NULL;
  a.dhn = given & 32 ? p[DHN] : NULL;
  a.dcn = lstm && given & 64 ? p[DCN] : NULL;
  a.dparameters = p[DW];
  a.dx = p[DX];
  a.dh0 = p[DH0];
  a.dc0 = lstm ? p[DC0] : NULL;
  a.accumulate = adds;
  if (training) {
    if (below(6) == 0) { /* so is a workspace that is not this plan's; its first 56 bytes from a line on say whose it is */
      uint8_t *header = (uint8_t *)(((uintptr_t)p[WORKSPACE] + 63) / 64 * 64) + below(56), before = *header;
      *header ^= (uint8_t)(1 + below(255));
      MUST(apus_rnn_backward(context, plan, &a) == APUS_ERROR_MISMATCH);
      *header = before;
    }
    MUST(apus_rnn_backward(context, plan, &a) == APUS_OK);
    MUST(rnn_mistakes(d, "dparameters", p[DW], results[3], z.count, 4 * terms) == 0);
    MUST(rnn_mistakes(d, "dx", p[DX], results[4], rows * z.I, 4 * terms) == 0);
    MUST(rnn_mistakes(d, "dh0", p[DH0], results[5], states, 4 * terms) == 0);
    if (lstm) MUST(rnn_mistakes(d, "dc0", p[DC0], results[6], cells, 4 * terms) == 0);
  } else {
    MUST(apus_rnn_backward(context, plan, &a) == APUS_ERROR_UNSUPPORTED);
  }
  for (int i = 0; i < 7; i++) free(sources[i]), free(results[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length) {
  if (!contexts[0]) make_contexts();
  input = data;
  input_left = length;
  const apus_context *context = contexts[byte() % CONTEXTS];
  apus_rnn_desc d = good_problem();
  int32_t mode = byte() & 1;
  int is_broken = broken(&d);
  apus_rnn_plan *plan = NULL;
  apus_status status = apus_rnn_plan_create(context, &d, mode, &plan);
  if (status == APUS_OK) {
    run_plan(context, &d, mode, plan);
    apus_rnn_plan_destroy(plan);
  } else {
    MUST(is_broken);
    MUST(plan == NULL && apus_last_error()[0] != 0);
  }
  MUST(check_failures == 0);
  return 0;
}
