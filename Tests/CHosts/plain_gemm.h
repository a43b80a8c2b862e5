/* The plain loop that results are compared with, for every descriptor that include/apus.h can describe. */
#ifndef PLAIN_GEMM_H
#define PLAIN_GEMM_H

#include <apus.h>
#include <stdio.h>
#include <stdlib.h>

static inline size_t element_size(int32_t dtype) { return dtype == APUS_FLOAT32 ? sizeof(float) : sizeof(double); }

static inline double get(const void *p, int32_t dtype, int64_t i) {
  return dtype == APUS_FLOAT32 ? (double)((const float *)p)[i] : ((const double *)p)[i];
}

static inline void put(void *p, int32_t dtype, int64_t i, double value) {
  if (dtype == APUS_FLOAT32)
    ((float *)p)[i] = (float)value;
  else
    ((double *)p)[i] = value;
}

static inline uint32_t next_random(uint32_t *seed) { return *seed = *seed * 1664525u + 1013904223u; }

static inline void fill_random(void *p, int32_t dtype, int64_t count, uint32_t seed) {
  for (int64_t i = 0; i < count; i++) put(p, dtype, i, (next_random(&seed) >> 8) * (2.0 / (1 << 24)) - 1);
}

static inline void *random_elements(int32_t dtype, int64_t count, uint32_t seed) {
  void *p = malloc((size_t)count * element_size(dtype) + 1);
  fill_random(p, dtype, count, seed);
  return p;
}

/* Whether neighbours in a row of op(X) are a leading dimension apart. */
static inline int lies_across(int32_t order, int32_t trans) { return (trans == APUS_TRANS) != (order == APUS_COL_MAJOR); }

static inline int64_t index_of(int across, int64_t ld, int64_t row, int64_t column) {
  return across ? column * ld + row : row * ld + column;
}

/* Elements from the first to the last of a matrix in memory. */
static inline int64_t extent(int across, int64_t ld, int64_t rows, int64_t columns) {
  if (rows == 0 || columns == 0) return 0;
  return index_of(across, ld, rows - 1, columns - 1) + 1;
}

static inline int64_t extent_a(const apus_gemm_desc *d) {
  return extent(lies_across(d->order, d->trans_a), d->lda, d->m, d->k);
}
static inline int64_t extent_b(const apus_gemm_desc *d) {
  return extent(lies_across(d->order, d->trans_b), d->ldb, d->k, d->n);
}
static inline int64_t extent_c(const apus_gemm_desc *d) {
  return extent(d->order == APUS_COL_MAJOR, d->ldc, d->m, d->n);
}
static inline int64_t extent_residual(const apus_gemm_desc *d) {
  return d->residual ? extent(d->order == APUS_COL_MAJOR, d->ldr, d->m, d->n) : 0;
}
static inline int64_t extent_bias(const apus_gemm_desc *d) {
  return d->bias == APUS_BIAS_BY_ROW ? d->m : d->bias == APUS_BIAS_BY_COLUMN ? d->n : 0;
}

/* exp without libm, so that a host links -lapus alone: Taylor's series of x / 1024, squared ten times (in long double,
 * because each squaring doubles the error). */
static inline double plain_exp(double x) {
  long double y = (x < -700 ? -700 : x > 700 ? 700 : x) / 1024, term = 1, sum = 1;
  for (int i = 1; i < 14; i++) sum += term *= y / i;
  for (int i = 0; i < 10; i++) sum *= sum;
  return (double)sum;
}

static inline double plain_activation(const apus_gemm_desc *d, double x) {
  switch (d->activation) {
  case APUS_ACTIVATION_RELU: return x < 0 ? 0 : x;
  case APUS_ACTIVATION_LEAKY_RELU: return x < 0 ? d->slope * x : x;
  case APUS_ACTIVATION_ELU: return x < 0 ? d->slope * (plain_exp(x) - 1) : x;
  case APUS_ACTIVATION_SIGMOID: return 1 / (1 + plain_exp(-x));
  case APUS_ACTIVATION_TANH: return 1 - 2 / (plain_exp(2 * x) + 1);
  default: return x;
  }
}

static inline double magnitude(double x) { return x < 0 ? -x : x; }

/* The elements of one matrix of C that are not as the plain loop says, and those between its rows that have changed.
 * x describes the matrix (its scratch and batch are ignored), before is C as it was. The bound on the error is
 * (k + 16) eps times the sum of the magnitudes, passed on by the activation with its slope (at most max(1, slope)). */
static inline int64_t gemm_mistakes(const apus_gemm_desc *d, const apus_gemm_args *x, const void *before) {
  double eps = d->dtype == APUS_FLOAT32 ? 1.2e-7 : 2.3e-16;
  double slope = d->activation == APUS_ACTIVATION_LEAKY_RELU || d->activation == APUS_ACTIVATION_ELU ? magnitude(d->slope) : 1;
  int across_a = lies_across(d->order, d->trans_a), across_b = lies_across(d->order, d->trans_b);
  int across_c = d->order == APUS_COL_MAJOR;
  int64_t mistakes = 0, length = across_c ? d->m : d->n, count = across_c ? d->n : d->m;
  double alpha = x->alpha, beta = x->beta;
  if (d->dtype == APUS_FLOAT32) alpha = (float)alpha, beta = (float)beta;
  for (int64_t i = 0; i < d->m; i++)
    for (int64_t j = 0; j < d->n; j++) {
      int64_t at = index_of(across_c, d->ldc, i, j);
      double sum = 0, size = 0;
      for (int64_t k = 0; alpha != 0 && k < d->k; k++) {
        double product = get(x->a, d->dtype, index_of(across_a, d->lda, i, k)) *
                         get(x->b, d->dtype, index_of(across_b, d->ldb, k, j));
        sum += product;
        size += magnitude(product);
      }
      sum *= alpha;
      size *= magnitude(alpha);
      double others[3] = {beta == 0 ? 0 : beta * get(before, d->dtype, at), 0, 0};
      if (d->bias != APUS_BIAS_NONE) others[1] = get(x->bias, d->dtype, d->bias == APUS_BIAS_BY_ROW ? i : j);
      if (d->residual) others[2] = get(x->residual, d->dtype, index_of(across_c, d->ldr, i, j));
      for (int o = 0; o < 3; o++) {
        sum += others[o];
        size += magnitude(others[o]);
      }
      double wanted = plain_activation(d, sum), got = get(x->c, d->dtype, at);
      double bound = ((double)d->k + 16) * eps * (size + magnitude(wanted) + 1) * (slope > 1 ? slope : 1);
      if (!(magnitude(got - wanted) <= bound)) {
        if (mistakes++ == 0)
          fprintf(stderr, "C(%lld, %lld) is %.17g instead of %.17g\n", (long long)i, (long long)j, got, wanted);
      }
    }
  for (int64_t line = 0; length > 0 && line + 1 < count; line++)
    for (int64_t i = line * d->ldc + length; i < (line + 1) * d->ldc; i++)
      if (get(x->c, d->dtype, i) != get(before, d->dtype, i)) {
        if (mistakes++ == 0) fprintf(stderr, "element %lld of C lies between its rows and has changed\n", (long long)i);
      }
  return mistakes;
}

#endif
