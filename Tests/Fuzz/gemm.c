/* Random GEMM descriptors and arguments, mostly good with a few fields broken, against include/apus.h.
 *
 * A problem that was not broken must be accepted and run; a broken one is refused with a message, or accepted and run
 * safely. Operands end (or begin) at a page that may not be touched, because libapus is not instrumented; sizes here are
 * computed without Apus. Results are compared with the plain loop of the C hosts. */
#include "plain_gemm.h"

enum { MOST = 4 << 20, BUFFERS = 10 };
#include "fuzz.h"

/* ------------------------------------------------------------------------------------------------- choices */

static int64_t size(void) {
  static const int64_t edges[] = {0, 1, 2, 5, 6, 7, 8, 13, 14, 15, 16, 17, 31, 32, 33, 64};
  return below(4) ? edges[below(16)] : (int64_t)below(140);
}

static double scalar(void) {
  static const double values[] = {0, 1, -1, 0.5, 2};
  return values[below(5)];
}

/* ----------------------------------------------------------------------------------------------- one problem */

static apus_gemm_desc good_problem(void) {
  apus_gemm_desc d;
  int32_t dtype = byte() % 2 ? APUS_FLOAT64 : APUS_FLOAT32;
  int64_t m = size(), n = size(), k = below(16) ? size() : (int64_t)below(3000);
  MUST(apus_gemm_desc_init(&d, dtype, m, n, k) == APUS_OK);
  uint32_t bits = byte();
  d.order = bits & 1 ? APUS_COL_MAJOR : APUS_ROW_MAJOR;
  d.trans_a = bits & 2 ? APUS_TRANS : APUS_NO_TRANS;
  d.trans_b = bits & 4 ? APUS_TRANS : APUS_NO_TRANS;
  d.flags = bits >> 3 & 7;
  d.lda = lies_across(d.order, d.trans_a) ? m : k;
  d.ldb = lies_across(d.order, d.trans_b) ? k : n;
  d.ldc = d.order == APUS_COL_MAJOR ? m : n;
  int64_t *leading[] = {&d.lda, &d.ldb, &d.ldc, &d.ldr};
  d.ldr = d.ldc;
  for (int i = 0; i < 4; i++) {
    if (*leading[i] < 1) *leading[i] = 1;
    if (bits & 64) *leading[i] += below(5);
  }
  d.batch = below(4) ? 1 : (int64_t)below(4);
  d.batch_kind = bits & 128 && !(d.flags & (APUS_GEMM_PACKED_A | APUS_GEMM_PACKED_B)) ? APUS_BATCH_POINTERS : APUS_BATCH_STRIDED;
  d.bias = (int32_t)below(3);
  d.activation = (int32_t)below(6);
  d.slope = scalar();
  d.residual = (int32_t)below(2);
  d.stride_a = below(3) ? extent_a(&d) : 0;
  d.stride_b = below(3) ? extent_b(&d) : 0;
  d.stride_c = extent_c(&d) + below(3);
  d.stride_r = below(3) ? extent_residual(&d) : 0;
  return d;
}

/* Breaks fields, perhaps; whether any was changed. */
static int broken(apus_gemm_desc *d) {
  apus_gemm_desc before = *d;
  int64_t *wide[] = {&d->m, &d->n, &d->k, &d->lda, &d->ldb, &d->ldc, &d->batch, &d->stride_a, &d->stride_b, &d->stride_c, &d->ldr, &d->stride_r};
  int32_t *narrow[] = {&d->dtype, &d->order, &d->trans_a, &d->trans_b, &d->batch_kind, &d->flags, &d->bias, &d->activation, &d->residual, &d->reserved};
  for (uint32_t count = below(4) ? 0 : 1 + below(3); count > 0; count--) {
    uint32_t field = below(23);
    if (field < 12)
      *wide[field] = odd_number();
    else if (field < 22)
      *narrow[field - 12] = below(2) ? (int32_t)below(12) : (int32_t)odd_number();
    else
      d->struct_size = (size_t)odd_number();
  }
  return memcmp(&before, d, sizeof before) != 0;
}

/* Bytes of a batch's matrices; more than MOST when that is too much for a run here. */
static int64_t bytes_of(const apus_gemm_desc *d, int across, int64_t ld, int64_t rows, int64_t columns, int64_t stride) {
  if (rows == 0 || columns == 0 || d->batch == 0) return 0;
  __int128 elements = (__int128)((across ? columns : rows) - 1) * ld + (across ? rows : columns);
  int64_t matrices = d->batch_kind == APUS_BATCH_POINTERS ? 1 : d->batch;
  elements += (__int128)(matrices - 1) * stride;
  if (elements < 0) die("a negative size was accepted");
  if (elements > INT64_MAX / 8) {
    if (elements > (__int128)INT64_MAX / (int64_t)element_size(d->dtype)) die("a size that overflows was accepted");
    return INT64_MAX;
  }
  return (int64_t)elements * (int64_t)element_size(d->dtype);
}

static void run_plan(const apus_context *context, const apus_gemm_desc *d, apus_gemm_plan *plan) {
  int across_c = d->order == APUS_COL_MAJOR, pointers = d->batch_kind == APUS_BATCH_POINTERS;
  int packs_a = (d->flags & APUS_GEMM_PACKED_A) != 0, packs_b = (d->flags & APUS_GEMM_PACKED_B) != 0;
  /* A packed operand is one matrix, whatever the leading dimension, stride and batch in the plan. */
  apus_gemm_desc shared = *d;
  shared.batch = 1;
  int64_t ld_a = packs_a ? (lies_across(d->order, d->trans_a) ? d->m : d->k) + 1 : d->lda;
  int64_t ld_b = packs_b ? (lies_across(d->order, d->trans_b) ? d->k : d->n) + 1 : d->ldb;
  int64_t bytes[] = {
      bytes_of(packs_a ? &shared : d, lies_across(d->order, d->trans_a), ld_a, d->m, d->k, d->stride_a),
      bytes_of(packs_b ? &shared : d, lies_across(d->order, d->trans_b), ld_b, d->k, d->n, d->stride_b),
      bytes_of(d, across_c, d->ldc, d->m, d->n, d->stride_c),
      d->residual ? bytes_of(d, across_c, d->ldr, d->m, d->n, d->stride_r) : 0,
      extent_bias(d) < MOST ? extent_bias(d) * (int64_t)element_size(d->dtype) : INT64_MAX,
      0, 0, 0};
  apus_plan_info info;
  info.struct_size = sizeof info;
  MUST(apus_gemm_plan_get_info(context, plan, &info) == APUS_OK);
  MUST(info.flops >= 0 && info.scratch_bytes >= 0 && info.packed_a_bytes >= 0 && info.packed_b_bytes >= 0);
  bytes[5] = info.packed_a_bytes;
  bytes[6] = info.packed_b_bytes;
  bytes[7] = info.scratch_bytes;
  for (int i = 0; i < 8; i++)
    if (bytes[i] > MOST) return;
  if (d->batch > 16 || (double)d->m * (double)d->n * (double)(d->k + 1) * (double)(d->batch + 1) > 3e6) return;

  uint32_t ends = byte() | byte() << 8;
  uint8_t *buffers[8];
  for (int i = 0; i < 8; i++) {
    buffers[i] = (uint8_t *)guarded(i, bytes[i], ends >> i & 1);
    if (i < 5) fill_random(buffers[i], d->dtype, bytes[i] / (int64_t)element_size(d->dtype), ends + (uint32_t)i);
  }
  uint8_t *before = (uint8_t *)malloc((size_t)bytes[2] + 1);
  memcpy(before, buffers[2], (size_t)bytes[2]);
  if (packs_a) MUST(apus_gemm_pack(context, plan, APUS_OPERAND_A, buffers[0], ld_a, buffers[5], (size_t)bytes[5]) == APUS_OK);
  if (packs_b) MUST(apus_gemm_pack(context, plan, APUS_OPERAND_B, buffers[1], ld_b, buffers[6], (size_t)bytes[6]) == APUS_OK);

  apus_gemm_args x;
  MUST(apus_gemm_args_init(&x) == APUS_OK);
  x.alpha = scalar();
  x.beta = scalar();
  x.a = packs_a ? buffers[5] : buffers[0];
  x.b = packs_b ? buffers[6] : buffers[1];
  x.c = buffers[2];
  x.residual = buffers[3];
  x.bias = buffers[4];
  if (ends >> 8 & 1) {
    x.scratch = buffers[7];
    x.scratch_bytes = (size_t)bytes[7];
  }
  const void *same_a[16], *same_b[16], *same_r[16];
  void *all_c[16];
  if (pointers) {
    /* One matrix of A, B and the residual serves the whole batch; C needs its own. */
    if (bytes[2] * d->batch > MOST) {
      free(before);
      return;
    }
    buffers[2] = (uint8_t *)guarded(2, bytes[2] * d->batch, ends >> 2 & 1);
    for (int64_t i = 0; i < d->batch; i++) {
      same_a[i] = buffers[0];
      same_b[i] = buffers[1];
      same_r[i] = buffers[3];
      all_c[i] = buffers[2] + i * bytes[2];
      memcpy(all_c[i], before, (size_t)bytes[2]);
    }
    /* The arrays too end at a guard page. */
    size_t array = (size_t)d->batch * sizeof(void *);
    x.a = memcpy(guarded(8, 3 * (int64_t)array, 1), same_a, array);
    x.b = memcpy((uint8_t *)guarded(8, 2 * (int64_t)array, 1), same_b, array);
    x.residual = memcpy(guarded(8, (int64_t)array, 1), same_r, array);
    x.c = memcpy(guarded(9, (int64_t)array, 1), all_c, array);
  }

  /* Broken arguments: refused before anything is written. A plan with nothing to do may accept them. */
  if (below(8) == 0 && d->m > 0 && d->n > 0 && d->batch > 0) {
    apus_gemm_args wrong = x;
    uint32_t field = below(3);
    if (field == 0) wrong.c = NULL;
    if (field == 1) wrong.struct_size = (size_t)odd_number();
    if (field == 2 && info.scratch_bytes > 0) {
      wrong.scratch = buffers[7];
      wrong.scratch_bytes = below((uint32_t)info.scratch_bytes);
    }
    if (memcmp(&wrong, &x, sizeof x) != 0 &&
        (wrong.struct_size != x.struct_size || !wrong.c || wrong.scratch_bytes < (size_t)info.scratch_bytes))
      if (!(field == 2 && wrong.scratch == NULL)) {
        MUST(apus_gemm_run(context, plan, &wrong) != APUS_OK);
        MUST(apus_last_error()[0] != 0);
        MUST(memcmp(pointers ? all_c[0] : buffers[2], before, (size_t)bytes[2]) == 0);
      }
  }

  MUST(apus_gemm_run(context, plan, &x) == APUS_OK);
  int64_t matrix = extent_c(d);
  int apart = pointers || d->batch < 2 || d->stride_c >= matrix; /* rows between rows: not compared */
  for (int64_t i = 0; apart && matrix > 0 && i < d->batch; i++) {
    size_t element = element_size(d->dtype);
    apus_gemm_args one = x;
    apus_gemm_desc plain = *d;
    plain.lda = ld_a;
    plain.ldb = ld_b;
    one.a = buffers[0] + (packs_a || pointers ? 0 : (size_t)(i * d->stride_a) * element);
    one.b = buffers[1] + (packs_b || pointers ? 0 : (size_t)(i * d->stride_b) * element);
    one.residual = buffers[3] + (pointers ? 0 : (size_t)(i * d->stride_r) * element);
    one.c = pointers ? all_c[i] : buffers[2] + (size_t)(i * d->stride_c) * element;
    MUST(gemm_mistakes(&plain, &one, before + (pointers ? 0 : (size_t)(i * d->stride_c) * element)) == 0);
  }
  free(before);
}

/* The one-call forms with the same problem, operands at guard pages. */
static void one_call(const apus_context *context, const apus_gemm_desc *d, int is_broken) {
  double alpha = scalar(), beta = scalar();
  int64_t bytes[3] = {0, 0, 0};
  int runs = !is_broken;
  if (runs) {
    bytes[0] = extent_a(d) * (int64_t)element_size(d->dtype);
    bytes[1] = extent_b(d) * (int64_t)element_size(d->dtype);
    bytes[2] = extent_c(d) * (int64_t)element_size(d->dtype);
    for (int i = 0; i < 3; i++)
      if (bytes[i] > MOST) return;
    if ((double)d->m * (double)d->n * (double)d->k > 3e6) return;
  }
  uint32_t ends = byte();
  void *p[3];
  for (int i = 0; i < 3; i++) {
    p[i] = guarded(i, bytes[i], ends >> i & 1);
    if (runs) fill_random(p[i], d->dtype, bytes[i] / (int64_t)element_size(d->dtype), ends);
  }
  if (is_broken) p[0] = p[1] = p[2] = NULL; /* refused, or nothing to do: no data are touched */
  void *before = malloc((size_t)bytes[2] + 1);
  if (runs) memcpy(before, p[2], (size_t)bytes[2]);
  apus_status status =
      d->dtype == APUS_FLOAT64
          ? apus_dgemm(context, d->order, d->trans_a, d->trans_b, d->m, d->n, d->k, alpha, (double *)p[0], d->lda,
                       (double *)p[1], d->ldb, beta, (double *)p[2], d->ldc)
          : apus_sgemm(context, d->order, d->trans_a, d->trans_b, d->m, d->n, d->k, (float)alpha, (float *)p[0], d->lda,
                       (float *)p[1], d->ldb, (float)beta, (float *)p[2], d->ldc);
  if (runs) {
    MUST(status == APUS_OK);
    apus_gemm_desc plain = *d;
    plain.bias = plain.activation = plain.residual = 0;
    apus_gemm_args x;
    MUST(apus_gemm_args_init(&x) == APUS_OK);
    x.alpha = alpha;
    x.beta = beta;
    x.a = p[0];
    x.b = p[1];
    x.c = p[2];
    MUST(gemm_mistakes(&plain, &x, before) == 0);
  } else {
    MUST(status == APUS_OK || apus_last_error()[0] != 0);
  }
  free(before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length) {
  if (!contexts[0]) make_contexts();
  input = data;
  input_left = length;
  const apus_context *context = contexts[byte() % CONTEXTS];
  apus_gemm_desc d = good_problem();
  int is_broken = broken(&d);
  apus_gemm_plan *plan = NULL;
  apus_status status = apus_gemm_plan_create(context, &d, &plan);
  if (status == APUS_OK) {
    run_plan(context, &d, plan);
    apus_gemm_plan_destroy(plan);
  } else {
    MUST(is_broken);
    MUST(plan == NULL && apus_last_error()[0] != 0);
  }
  one_call(context, &d, is_broken);
  return 0;
}
