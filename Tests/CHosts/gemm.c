/* GEMM through every function of the header, beside a plain loop. */
#include "check.h"
#include "plain_gemm.h"

static const int32_t types[] = {APUS_FLOAT32, APUS_FLOAT64};

static void names_and_versions(void) {
  CHECK(apus_version() == APUS_VERSION);
  CHECK(strcmp(apus_last_error(), "") == 0);
  CHECK(strcmp(apus_status_name(APUS_ERROR_MISMATCH), "APUS_ERROR_MISMATCH") == 0);
  CHECK(strcmp(apus_status_name(12345), "APUS_ERROR_UNKNOWN") == 0);
  CHECK(strcmp(apus_isa_name(APUS_ISA_BASELINE), "baseline") == 0);
  CHECK(strcmp(apus_isa_name(APUS_ISA_AVX512), "avx512") == 0);
  CHECK(strcmp(apus_isa_name(99), "unknown") == 0);
  CHECK(strcmp(apus_backend_name(APUS_BACKEND_DISPATCH), "dispatch") == 0);
  CHECK(strcmp(apus_backend_name(-1), "unknown") == 0);
}

static void contexts(void) {
  apus_context_options options;
  CHECK_OK(apus_context_options_init(&options));
  CHECK(options.struct_size == sizeof options && options.isa == 0 && options.backend == 0);
  CHECK(options.threads == 0 && options.linger_us == -1);
  apus_context_info info = context_info(NULL);
  CHECK(info.isa_available & 1 << APUS_ISA_BASELINE);
  CHECK(info.isa_available & 1 << info.isa);
  CHECK(info.threads >= 1 && info.effective_threads >= 1 && info.effective_threads <= info.threads);
  options.backend = APUS_BACKEND_SERIAL;
  options.isa = APUS_ISA_BASELINE;
  apus_context *context = NULL;
  CHECK_OK(apus_context_create(&options, &context));
  info = context_info(context);
  CHECK(info.isa == APUS_ISA_BASELINE && info.backend == APUS_BACKEND_SERIAL && info.effective_threads == 1);
  apus_context_destroy(context);
  apus_context_destroy(NULL);
}

/* Problem number i of a fixed list that has every order, transposition and padding. */
static apus_gemm_desc problem(int32_t dtype, int64_t m, int64_t n, int64_t k, int variant) {
  apus_gemm_desc d;
  CHECK_OK(apus_gemm_desc_init(&d, dtype, m, n, k));
  d.order = variant & 1 ? APUS_COL_MAJOR : APUS_ROW_MAJOR;
  d.trans_a = variant & 2 ? APUS_TRANS : APUS_NO_TRANS;
  d.trans_b = variant & 4 ? APUS_TRANS : APUS_NO_TRANS;
  int64_t padding = variant & 8 ? 3 : 0;
  d.lda = (lies_across(d.order, d.trans_a) ? m : k) + padding;
  d.ldb = (lies_across(d.order, d.trans_b) ? k : n) + padding;
  d.ldc = (d.order == APUS_COL_MAJOR ? m : n) + padding;
  d.ldr = d.ldc + padding;
  if (d.lda < 1) d.lda = 1;
  if (d.ldb < 1) d.ldb = 1;
  if (d.ldc < 1) d.ldc = 1;
  if (d.ldr < 1) d.ldr = 1;
  return d;
}

static void check_matrix(const apus_gemm_desc *d, const apus_gemm_args *x, const void *before) {
  if (!CHECK(gemm_mistakes(d, x, before) == 0))
    fprintf(stderr, "  %lld x %lld x %lld, type %d, order %d, %d %d, flags %d, bias %d, activation %d, residual %d, %g %g\n",
            (long long)d->m, (long long)d->n, (long long)d->k, d->dtype, d->order, d->trans_a, d->trans_b, d->flags, d->bias,
            d->activation, d->residual, x->alpha, x->beta);
}

static void one_call(const apus_context *context, const apus_gemm_desc *d, double alpha, double beta) {
  apus_gemm_args x;
  CHECK_OK(apus_gemm_args_init(&x));
  CHECK(x.struct_size == sizeof x && x.alpha == 1 && x.beta == 0 && x.c == NULL);
  void *a = random_elements(d->dtype, extent_a(d), 1), *b = random_elements(d->dtype, extent_b(d), 2);
  void *c = random_elements(d->dtype, extent_c(d), 3), *before = random_elements(d->dtype, extent_c(d), 3);
  if (d->dtype == APUS_FLOAT32)
    CHECK_OK(apus_sgemm(context, d->order, d->trans_a, d->trans_b, d->m, d->n, d->k, (float)alpha, (float *)a, d->lda,
                        (float *)b, d->ldb, (float)beta, (float *)c, d->ldc));
  else
    CHECK_OK(apus_dgemm(context, d->order, d->trans_a, d->trans_b, d->m, d->n, d->k, alpha, (double *)a, d->lda,
                        (double *)b, d->ldb, beta, (double *)c, d->ldc));
  x.a = a;
  x.b = b;
  x.c = c;
  x.alpha = alpha;
  x.beta = beta;
  check_matrix(d, &x, before);
  free(a);
  free(b);
  free(c);
  free(before);
}

static void one_calls(const apus_context *context) {
  static const int64_t sizes[][3] = {{1, 1, 1},   {5, 7, 3},     {14, 32, 16}, {33, 65, 17}, {1, 100, 50},
                                     {100, 1, 50}, {70, 130, 90}, {2, 3, 2000}, {0, 4, 4},   {4, 4, 0}};
  for (size_t t = 0; t < 2; t++)
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
      for (int variant = 0; variant < 16; variant++) {
        apus_gemm_desc d = problem(types[t], sizes[s][0], sizes[s][1], sizes[s][2], variant);
        one_call(context, &d, 1, 0);
        one_call(context, &d, -0.5, 2);
      }
}

/* One plan with everything that a plan can have; packed says which operands are packed. */
static void one_plan(const apus_context *context, apus_gemm_desc d, int packed, int pointers, int own_scratch) {
  enum { BATCH = 3 };
  int64_t count_a = extent_a(&d), count_b = extent_b(&d), count_c = extent_c(&d), count_r = extent_residual(&d);
  size_t size = element_size(d.dtype);
  d.batch = BATCH;
  d.batch_kind = pointers ? APUS_BATCH_POINTERS : APUS_BATCH_STRIDED;
  d.flags = packed | APUS_GEMM_ROW_INVARIANT;
  d.stride_a = packed & APUS_GEMM_PACKED_A ? 0 : count_a;
  d.stride_b = packed & APUS_GEMM_PACKED_B ? 0 : count_b;
  d.stride_c = count_c + 5;
  d.stride_r = count_r + 1;

  char *a = (char *)random_elements(d.dtype, count_a * BATCH, 1), *b = (char *)random_elements(d.dtype, count_b * BATCH, 2);
  char *c = (char *)random_elements(d.dtype, d.stride_c * BATCH, 3);
  char *before = (char *)random_elements(d.dtype, d.stride_c * BATCH, 3);
  char *residual = (char *)random_elements(d.dtype, d.stride_r * BATCH, 4);
  void *bias = random_elements(d.dtype, d.m + d.n, 5);

  apus_gemm_plan *plan = NULL;
  if (!CHECK_OK(apus_gemm_plan_create(context, &d, &plan))) return;
  apus_plan_info info;
  info.struct_size = sizeof info;
  CHECK_OK(apus_gemm_plan_get_info(context, plan, &info));
  CHECK(info.flops >= 2.0 * BATCH * (double)(d.m * d.n * d.k) && info.bytes > 0 && info.threads >= 1);
  CHECK((info.packed_a_bytes > 0) == ((packed & APUS_GEMM_PACKED_A) != 0));
  CHECK((info.packed_b_bytes > 0) == ((packed & APUS_GEMM_PACKED_B) != 0));

  char text[16];
  size_t needed = 0;
  CHECK_OK(apus_gemm_plan_describe(plan, NULL, 0, &needed));
  CHECK(needed > sizeof text);
  CHECK_OK(apus_gemm_plan_describe(plan, text, sizeof text, NULL));
  CHECK(strlen(text) == sizeof text - 1);

  void *packed_a = malloc((size_t)info.packed_a_bytes + 1), *packed_b = malloc((size_t)info.packed_b_bytes + 1);
  if (packed & APUS_GEMM_PACKED_A)
    CHECK_OK(apus_gemm_pack(context, plan, APUS_OPERAND_A, a, d.lda, packed_a, (size_t)info.packed_a_bytes));
  if (packed & APUS_GEMM_PACKED_B)
    CHECK_OK(apus_gemm_pack(context, plan, APUS_OPERAND_B, b, d.ldb, packed_b, (size_t)info.packed_b_bytes));

  const void *all_a[BATCH], *all_b[BATCH], *all_r[BATCH];
  void *all_c[BATCH];
  for (int i = 0; i < BATCH; i++) {
    all_a[i] = a + (size_t)(i * d.stride_a) * size;
    all_b[i] = b + (size_t)(i * d.stride_b) * size;
    all_c[i] = c + (size_t)(i * d.stride_c) * size;
    all_r[i] = residual + (size_t)(i * d.stride_r) * size;
  }
  apus_gemm_args x;
  CHECK_OK(apus_gemm_args_init(&x));
  x.alpha = 1.25;
  x.beta = -0.75;
  x.a = packed & APUS_GEMM_PACKED_A ? packed_a : pointers ? (const void *)all_a : a;
  x.b = packed & APUS_GEMM_PACKED_B ? packed_b : pointers ? (const void *)all_b : b;
  x.c = pointers ? (void *)all_c : c;
  x.bias = bias;
  x.residual = d.residual ? (pointers ? (const void *)all_r : residual) : NULL;
  char *scratch = (char *)malloc((size_t)info.scratch_bytes + 1);
  if (own_scratch) {
    x.scratch = scratch + 1; /* any alignment will do */
    x.scratch_bytes = (size_t)info.scratch_bytes;
  }
  CHECK_OK(apus_gemm_run(context, plan, &x));
  for (int i = 0; i < BATCH; i++) {
    x.a = all_a[i];
    x.b = all_b[i];
    x.c = all_c[i];
    x.residual = all_r[i];
    check_matrix(&d, &x, before + (size_t)(i * d.stride_c) * size);
  }
  apus_gemm_plan_destroy(plan);
  apus_gemm_plan_destroy(NULL);
  free(a);
  free(b);
  free(c);
  free(before);
  free(residual);
  free(bias);
  free(packed_a);
  free(packed_b);
  free(scratch);
}

static void plans(const apus_context *context) {
  static const int64_t sizes[][3] = {{1, 1, 1}, {17, 40, 9}, {30, 35, 600}};
  for (size_t t = 0; t < 2; t++)
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
      for (int variant = 0; variant < 16; variant += s == 2 ? 5 : 1) { /* the plain loop takes its time */
        apus_gemm_desc d = problem(types[t], sizes[s][0], sizes[s][1], sizes[s][2], variant);
        d.bias = variant % 3;
        d.residual = variant / 2 % 2;
        d.activation = variant % 6;
        d.slope = 0.1;
        one_plan(context, d, 0, variant & 2, variant & 1);
        one_plan(context, d, APUS_GEMM_PACKED_A << variant % 2, 0, 1);
        one_plan(context, d, APUS_GEMM_PACKED_A | APUS_GEMM_PACKED_B, 0, 0);
      }
}

static void tensors(void) {
  int64_t shape_a[3] = {4, 10, 20}, shape_b[3] = {1, 20, 30}, shape_c[3] = {4, 10, 30};
  apus_tensor a, b, c;
  CHECK_OK(apus_tensor_init(&a, APUS_FLOAT32, 3, shape_a));
  CHECK_OK(apus_tensor_init(&b, APUS_FLOAT32, 3, shape_b));
  CHECK_OK(apus_tensor_init(&c, APUS_FLOAT32, 3, shape_c));
  CHECK(a.struct_size == sizeof a && a.rank == 3 && a.strides[0] == 200 && a.strides[1] == 20 && a.strides[2] == 1);
  b.strides[1] = 1; /* transposed in memory */
  b.strides[2] = 20;
  apus_gemm_desc d;
  CHECK_OK(apus_gemm_desc_from_tensors(&d, &a, &b, &c));
  CHECK(d.m == 10 && d.n == 30 && d.k == 20 && d.batch == 4 && d.batch_kind == APUS_BATCH_STRIDED);
  CHECK(d.order == APUS_ROW_MAJOR && d.trans_a == APUS_NO_TRANS && d.trans_b == APUS_TRANS);
  CHECK(d.lda == 20 && d.ldb == 20 && d.ldc == 30 && d.stride_a == 200 && d.stride_b == 0 && d.stride_c == 300);
}

static void for_each(void *user, int64_t count, apus_task_fn run, void *task) {
  ++*(int *)user;
  for (int64_t i = count; i-- > 0;) run(task, i);
}

static void host_backend(void) {
  int regions = 0;
  apus_context *context = NULL;
  apus_context_options options;
  CHECK_OK(apus_context_options_init(&options));
  options.threads = 4;
  CHECK_OK(apus_context_create_host(&options, for_each, &regions, &context));
  apus_context_info info = context_info(context);
  CHECK(info.backend == APUS_BACKEND_HOST && info.threads == 4);
  apus_gemm_desc d = problem(APUS_FLOAT32, 300, 300, 300, 0);
  one_call(context, &d, 1, 0);
  CHECK(regions > 0);
  apus_context_destroy(context);
}

typedef struct events {
  int plans, runs;
} events;

static void listen(void *user, const apus_verbose_record *record) {
  events *e = (events *)user;
  if (strcmp(record->event, "plan") == 0) __sync_fetch_and_add(&e->plans, 1);
  if (strcmp(record->event, "run") == 0) __sync_fetch_and_add(&e->runs, 1);
  CHECK(record->struct_size == sizeof *record && strcmp(record->operation, "gemm") == 0);
  CHECK(record->problem[0] && record->description[0] && record->threads >= 1 && record->microseconds >= 0);
}

static void verbose(void) {
  events heard = {0, 0};
  CHECK_OK(apus_set_verbose_callback(listen, &heard));
  apus_gemm_desc d = problem(APUS_FLOAT64, 20, 20, 20, 0);
  one_call(NULL, &d, 1, 0);
  CHECK(heard.plans == 1 && heard.runs == 1);
  CHECK_OK(apus_set_verbose_callback(NULL, NULL));
  one_call(NULL, &d, 1, 0);
  CHECK(heard.plans == 1 && heard.runs == 1);
}

int main(void) {
  names_and_versions();
  contexts();
  tensors();
  int32_t available = context_info(NULL).isa_available;
  for (int32_t isa = APUS_ISA_BASELINE; isa <= APUS_ISA_AVX512; isa++) {
    if (!(available & 1 << isa)) continue;
    apus_context *context = make_context(isa, APUS_BACKEND_DEFAULT, 0);
    one_calls(context);
    plans(context);
    apus_context_destroy(context);
  }
  apus_trim();
  one_calls(NULL);
  host_backend();
  verbose();
  CHECK_OK(apus_self_test());
  return finish();
}
