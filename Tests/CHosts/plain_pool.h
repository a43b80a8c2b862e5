/* The plain loops that pooling is compared with, for every descriptor that include/apus.h can describe with a norm of 1
 * or 2 (any other takes libm, and a host links -lapus alone). */
#ifndef PLAIN_POOL_H
#define PLAIN_POOL_H

#include "plain_gemm.h"

static inline int64_t pool_planes(const apus_pool_desc *d) { return d->batch * d->channels; }
static inline int64_t pool_positions(const int64_t *size, int32_t rank) {
  int64_t n = 1;
  for (int32_t i = 0; i < rank; i++) n *= size[i];
  return n;
}

/* Where position `at` of plane (n, c) of a tensor with `positions` lies. */
static inline int64_t pool_place(const apus_pool_desc *d, int64_t n, int64_t c, int64_t at, int64_t positions) {
  return d->layout == APUS_LAYOUT_NCHW ? (n * d->channels + c) * positions + at : (n * positions + at) * d->channels + c;
}

static inline double plain_root(double x) {
  if (!(x > 0) || x > 1e300) return x > 0 ? x : 0;
  double r = x > 1 ? x : 1;
  for (int i = 0; i < 2000; i++) {
    double next = (r + x / r) / 2;
    if (next >= r) break;
    r = next;
  }
  return r;
}

/* The elements of a window: their positions in the plane, in order. Returns how many; *divisor is that of an average. */
typedef struct pool_window {
  int64_t count, divisor;
  int64_t *positions;
} pool_window;

static inline pool_window pool_window_at(const apus_pool_desc *d, const int64_t *output, int64_t o, int64_t *room) {
  int64_t at[3], start[3], taps[3], step[3], rank = d->spatial_rank;
  pool_window w = {0, 1, room};
  for (int64_t i = rank; i-- > 0;) {
    at[i] = o % output[i];
    o /= output[i];
    if (d->adaptive) {
      start[i] = at[i] * d->input[i] / output[i];
      taps[i] = ((at[i] + 1) * d->input[i] + output[i] - 1) / output[i] - start[i];
      step[i] = 1;
    } else {
      start[i] = at[i] * d->stride[i] - d->pad_before[i];
      taps[i] = d->window[i];
      step[i] = d->dilation[i];
    }
    int64_t counted = 0;
    for (int64_t t = 0; t < taps[i]; t++) {
      int64_t p = start[i] + t * step[i];
      int inside = p >= 0 && p < d->input[i];
      if (d->kind == APUS_POOL_AVERAGE_INCLUDE_PADDING && !d->adaptive ? p < d->input[i] + d->pad_after[i] : inside) counted++;
    }
    w.divisor *= counted;
  }
  int64_t all = pool_positions(taps, (int32_t)rank);
  for (int64_t t = 0; t < all; t++) {
    int64_t rest = t, position = 0, size = 1;
    int inside = 1;
    for (int64_t i = rank; i-- > 0;) {
      int64_t p = start[i] + rest % taps[i] * step[i];
      rest /= taps[i];
      inside &= p >= 0 && p < d->input[i];
      position += p * size;
      size *= d->input[i];
    }
    if (inside) w.positions[w.count++] = position;
  }
  return w;
}

/* y and indices of a plain forward pass, as doubles and numbers, laid out as the tensors are. */
static inline void plain_pool(const apus_pool_desc *d, const int64_t *output, const void *x, double *y, int64_t *indices) {
  int64_t inputs = pool_positions(d->input, d->spatial_rank), outputs = pool_positions(output, d->spatial_rank);
  int64_t *room = (int64_t *)malloc((size_t)inputs * sizeof *room);
  for (int64_t o = 0; o < outputs; o++) {
    pool_window w = pool_window_at(d, output, o, room);
    for (int64_t n = 0; n < d->batch; n++)
      for (int64_t c = 0; c < d->channels; c++) {
        double best = 0, sum = 0;
        int64_t index = w.positions[0];
        for (int64_t i = 0; i < w.count; i++) {
          double v = get(x, d->dtype, pool_place(d, n, c, w.positions[i], inputs));
          if (i == 0 || v > best || (v != v && best == best)) best = v, index = w.positions[i];
          sum += d->kind != APUS_POOL_LP ? v : d->norm == 2 ? v * v : magnitude(v);
        }
        int64_t to = pool_place(d, n, c, o, outputs);
        y[to] = d->kind == APUS_POOL_MAX ? best : d->kind != APUS_POOL_LP ? sum / (double)w.divisor : d->norm == 2 ? plain_root(sum) : sum;
        indices[to] = index;
      }
  }
  free(room);
}

/* dx of dy, given the plain forward pass. */
static inline void plain_pool_backward(const apus_pool_desc *d, const int64_t *output, const void *x, const double *y,
                                       const int64_t *indices, const void *dy, double *dx) {
  int64_t inputs = pool_positions(d->input, d->spatial_rank), outputs = pool_positions(output, d->spatial_rank);
  int64_t *room = (int64_t *)malloc((size_t)inputs * sizeof *room);
  for (int64_t i = 0; i < inputs * pool_planes(d); i++) dx[i] = 0;
  for (int64_t o = 0; o < outputs; o++) {
    pool_window w = pool_window_at(d, output, o, room);
    for (int64_t n = 0; n < d->batch; n++)
      for (int64_t c = 0; c < d->channels; c++) {
        int64_t from = pool_place(d, n, c, o, outputs);
        double g = get(dy, d->dtype, from);
        for (int64_t i = 0; i < w.count; i++) {
          int64_t to = pool_place(d, n, c, w.positions[i], inputs);
          double v = get(x, d->dtype, to);
          if (d->kind == APUS_POOL_MAX)
            dx[to] += w.positions[i] == indices[from] ? g : 0;
          else if (d->kind != APUS_POOL_LP)
            dx[to] += g / (double)w.divisor;
          else if (v != 0)
            dx[to] += d->norm == 2 ? g * v / y[from] : v < 0 ? -g : g;
        }
      }
  }
  free(room);
}

/* Elements of p that differ from the plain result by more than a bound: (terms + 24) eps times the larger of their size
 * and 1 for numbers in -1 to 1; none for a maximum's y, which is exact. */
static inline int64_t pool_mistakes(const apus_pool_desc *d, const char *name, const void *p, const double *wanted,
                                    int64_t count, double terms, int exact) {
  double eps = d->dtype == APUS_FLOAT32 ? 1.2e-7 : 2.3e-16;
  int64_t mistakes = 0;
  for (int64_t i = 0; i < count; i++) {
    double got = get(p, d->dtype, i), size = magnitude(wanted[i]) > 1 ? magnitude(wanted[i]) : 1;
    if (exact ? got == wanted[i] : magnitude(got - wanted[i]) <= (terms + 24) * eps * size) continue;
    if (wanted[i] != wanted[i] && got != got) continue;
    if (mistakes++ == 0)
      fprintf(stderr, "%s[%lld] is %.17g instead of %.17g (kind %d, layout %d, rank %d)\n", name, (long long)i, got, wanted[i],
              d->kind, d->layout, d->spatial_rank);
  }
  return mistakes;
}

static inline int64_t get_index(const void *p, int32_t type, int64_t i) {
  return type == APUS_INT32 ? ((const int32_t *)p)[i] : ((const int64_t *)p)[i];
}

#endif
