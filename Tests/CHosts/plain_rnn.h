/* The plain loops, in float64, that recurrent layers are compared with, for every descriptor that include/apus.h can
 * describe: the definitions of the cells as the header has them, and their derivatives. */
#ifndef PLAIN_RNN_H
#define PLAIN_RNN_H

#include "check.h"

/* e^x by its series, after taking out powers of 2 (a host links -lapus alone). */
static inline double rnn_exp(double x) {
  if (x != x) return x;
  if (x > 709) return 1e308 * 10;
  if (x < -745) return 0;
  int power = (int)(x / 0.6931471805599453 + (x < 0 ? -0.5 : 0.5));
  double r = x - power * 0.69314718036912382 - power * 1.9082149292705877e-10, term = 1, sum = 1;
  for (int i = 1; i < 18; i++) sum += term *= r / i;
  for (; power > 0; power--) sum *= 2;
  for (; power < 0; power++) sum /= 2;
  return sum;
}
static inline double rnn_sigmoid(double x) { return 1 / (1 + rnn_exp(-x)); }
static inline double rnn_tanh(double x) { return x > 20 ? 1 : x < -20 ? -1 : 1 - 2 / (rnn_exp(2 * x) + 1); }

typedef struct rnn_sizes {
  int64_t T, B, I, H, L, D, S, G, O, count;
} rnn_sizes;

static inline rnn_sizes rnn_sizes_of(const apus_rnn_desc *d) {
  rnn_sizes z;
  z.T = d->steps, z.B = d->batch, z.I = d->input, z.H = d->hidden, z.L = d->layers;
  z.D = d->direction >= APUS_RNN_BIDIRECTIONAL ? 2 : 1;
  z.S = d->projection > 0 ? d->projection : d->hidden;
  z.G = d->cell == APUS_RNN_LSTM ? 4 : d->cell >= APUS_RNN_GRU ? 3 : 1;
  z.O = d->direction == APUS_RNN_BIDIRECTIONAL ? 2 * z.S : z.S;
  CHECK_OK(apus_rnn_parameter_count(d, &z.count));
  return z;
}

/* Everything in float64; NULL where a run has none. Gradients are added to. */
typedef struct plain_rnn_data {
  const double *w, *x, *h0, *c0;
  const int64_t *lengths;
  double *y, *hn, *cn;
  const double *dy, *dhn, *dcn;
  double *dw, *dx, *dh0, *dc0;
} plain_rnn_data;

/* What one recurrence keeps of one step and sequence, H numbers each (s: S numbers). */
typedef struct rnn_cell {
  double *gates, *q, *c0, *c, *raw, *m, *h0, *h;
  int active;
} rnn_cell;

static inline double *rnn_zeros(int64_t n) { return (double *)calloc((size_t)(n > 0 ? n : 1), sizeof(double)); }

/* The first element of a tensor of a recurrence, or -1. */
static inline int64_t rnn_offset(const apus_rnn_desc *d, int64_t layer, int64_t direction, int32_t which) {
  int64_t offset, rows;
  CHECK_OK(apus_rnn_parameter(d, layer, (int32_t)direction, which, &offset, &rows, NULL));
  return rows ? offset : -1;
}

/* a[row] . v */
static inline double rnn_dot(const double *a, int64_t row, int64_t n, const double *v) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += a[row * n + i] * v[i];
  return sum;
}

/* v += dy * a[row]; da[row] += dy * u */
static inline void rnn_undot(const double *a, double *da, int64_t row, int64_t n, double dy, double *dv, const double *u) {
  for (int64_t i = 0; i < n; i++) {
    if (dv) dv[i] += dy * a[row * n + i];
    if (da) da[row * n + i] += dy * u[i];
  }
}

typedef struct rnn_tensors {
  int64_t wi, wr, bi, br, pr, pe;
} rnn_tensors;

static inline void plain_cell(const apus_rnn_desc *d, const rnn_sizes *z, const double *w, rnn_tensors at, int64_t in,
                              const double *x, rnn_cell *k) {
  int64_t H = z->H, S = z->S;
  int gru = d->cell == APUS_RNN_GRU, before = d->cell == APUS_RNN_GRU_RESET_BEFORE;
  double *pre = rnn_zeros(z->G * H), *rec = rnn_zeros(z->G * H), *rh = rnn_zeros(H);
  for (int64_t r = 0; r < z->G * H; r++) {
    pre[r] = rnn_dot(w + at.wi, r, in, x) + (at.bi >= 0 ? w[at.bi + r] : 0);
    rec[r] = (before && r >= 2 * H ? 0 : rnn_dot(w + at.wr, r, S, k->h0)) + (at.br >= 0 ? w[at.br + r] : 0);
  }
  for (int64_t u = 0; u < H; u++) {
    double *g = k->gates;
    if (d->cell == APUS_RNN_TANH || d->cell == APUS_RNN_RELU) {
      double v = pre[u] + rec[u];
      k->h[u] = d->cell == APUS_RNN_TANH ? rnn_tanh(v) : v > 0 ? v : 0;
    } else if (d->cell == APUS_RNN_LSTM) {
      double c = k->c0[u], pi = 0, pf = 0, po = 0;
      if (at.pe >= 0) pi = w[at.pe + u], pf = w[at.pe + H + u], po = w[at.pe + 2 * H + u];
      g[u] = rnn_sigmoid(pre[u] + rec[u] + pi * c);
      g[H + u] = rnn_sigmoid(pre[H + u] + rec[H + u] + pf * c);
      g[2 * H + u] = rnn_tanh(pre[2 * H + u] + rec[2 * H + u]);
      double raw = k->raw[u] = g[H + u] * c + g[u] * g[2 * H + u];
      if (d->cell_clip > 0) raw = raw > d->cell_clip ? d->cell_clip : raw < -d->cell_clip ? -d->cell_clip : raw;
      k->c[u] = raw;
      g[3 * H + u] = rnn_sigmoid(pre[3 * H + u] + rec[3 * H + u] + po * raw);
      k->m[u] = g[3 * H + u] * rnn_tanh(raw);
    } else {
      g[u] = rnn_sigmoid(pre[u] + rec[u]);
      g[H + u] = rnn_sigmoid(pre[H + u] + rec[H + u]);
      rh[u] = g[u] * k->h0[u];
    }
  }
  for (int64_t u = 0; u < H && (gru || before); u++) {
    double *g = k->gates;
    k->q[u] = gru ? rec[2 * H + u] : rec[2 * H + u] + rnn_dot(w + at.wr, 2 * H + u, H, rh);
    g[2 * H + u] = rnn_tanh(pre[2 * H + u] + (gru ? g[u] * k->q[u] : k->q[u]));
    k->h[u] = (1 - g[H + u]) * g[2 * H + u] + g[H + u] * k->h0[u];
  }
  if (d->cell == APUS_RNN_LSTM)
    for (int64_t s = 0; s < S; s++) k->h[s] = at.pr >= 0 ? rnn_dot(w + at.pr, s, H, k->m) : k->m[s];
  free(pre), free(rec), free(rh);
}

/* dh (S) and dc (H) after the step become those before it. */
static inline void plain_cell_back(const apus_rnn_desc *d, const rnn_sizes *z, const double *w, double *dw, rnn_tensors at,
                                   int64_t in, const double *x, double *dx, const rnn_cell *k, double *dh, double *dc) {
  int64_t H = z->H, S = z->S;
  const double *g = k->gates;
  double *pre = rnn_zeros(z->G * H), *rec = rnn_zeros(z->G * H), *dm = rnn_zeros(H), *back = rnn_zeros(S), *rh = rnn_zeros(H);
  if (at.pr >= 0)
    for (int64_t s = 0; s < S; s++) rnn_undot(w + at.pr, dw ? dw + at.pr : NULL, s, H, dh[s], dm, k->m);
  else
    for (int64_t u = 0; u < H; u++) dm[u] = dh[u];
  for (int64_t u = 0; u < H; u++) {
    if (d->cell == APUS_RNN_TANH || d->cell == APUS_RNN_RELU) {
      pre[u] = rec[u] = dm[u] * (d->cell == APUS_RNN_TANH ? 1 - k->h[u] * k->h[u] : k->h[u] > 0);
    } else if (d->cell == APUS_RNN_LSTM) {
      double i = g[u], f = g[H + u], n = g[2 * H + u], o = g[3 * H + u], t = rnn_tanh(k->c[u]), c = k->c0[u];
      double zo = dm[u] * t * o * (1 - o), by_c = dc[u] + dm[u] * o * (1 - t * t);
      if (at.pe >= 0) by_c += zo * w[at.pe + 2 * H + u];
      if (d->cell_clip > 0 && (k->raw[u] > d->cell_clip || k->raw[u] < -d->cell_clip)) by_c = 0;
      double zi = by_c * n * i * (1 - i), zf = by_c * c * f * (1 - f), zg = by_c * i * (1 - n * n);
      dc[u] = by_c * f;
      if (at.pe >= 0) {
        dc[u] += zi * w[at.pe + u] + zf * w[at.pe + H + u];
        if (dw) dw[at.pe + u] += zi * c, dw[at.pe + H + u] += zf * c, dw[at.pe + 2 * H + u] += zo * k->c[u];
      }
      pre[u] = rec[u] = zi, pre[H + u] = rec[H + u] = zf, pre[2 * H + u] = rec[2 * H + u] = zg;
      pre[3 * H + u] = rec[3 * H + u] = zo;
    } else {
      double r = g[u], zz = g[H + u], n = g[2 * H + u], zn = dm[u] * (1 - zz) * (1 - n * n);
      back[u] += dm[u] * zz;
      rh[u] = r * k->h0[u];
      pre[2 * H + u] = zn;
      pre[H + u] = rec[H + u] = dm[u] * (k->h0[u] - n) * zz * (1 - zz);
      if (d->cell == APUS_RNN_GRU) {
        pre[u] = rec[u] = zn * k->q[u] * r * (1 - r);
        rec[2 * H + u] = zn * r;
      }
    }
  }
  if (d->cell == APUS_RNN_GRU_RESET_BEFORE) {
    double *drh = rnn_zeros(H);
    for (int64_t u = 0; u < H; u++) {
      rnn_undot(w + at.wr, dw ? dw + at.wr : NULL, 2 * H + u, H, pre[2 * H + u], drh, rh);
      if (dw && at.br >= 0) dw[at.br + 2 * H + u] += pre[2 * H + u];
    }
    for (int64_t u = 0; u < H; u++) {
      back[u] += drh[u] * g[u];
      pre[u] = rec[u] = drh[u] * k->h0[u] * g[u] * (1 - g[u]);
    }
    free(drh);
  }
  for (int64_t r = 0; r < z->G * H; r++) {
    rnn_undot(w + at.wi, dw ? dw + at.wi : NULL, r, in, pre[r], dx, x);
    if (dw && at.bi >= 0) dw[at.bi + r] += pre[r];
    if (d->cell == APUS_RNN_GRU_RESET_BEFORE && r >= 2 * H) continue;
    rnn_undot(w + at.wr, dw ? dw + at.wr : NULL, r, S, rec[r], back, k->h0);
    if (dw && at.br >= 0) dw[at.br + r] += rec[r];
  }
  for (int64_t s = 0; s < S; s++) dh[s] = back[s];
  free(pre), free(rec), free(dm), free(back), free(rh);
}

/* Where step t of sequence b lies. */
static inline int64_t rnn_row(const apus_rnn_desc *d, int64_t t, int64_t b) {
  return d->flags & APUS_RNN_BATCH_MAJOR ? b * d->steps + t : t * d->batch + b;
}

/* Forward and, where a gradient is wanted, backward. */
static inline void plain_rnn(const apus_rnn_desc *d, const plain_rnn_data *a) {
  rnn_sizes z = rnn_sizes_of(d);
  int64_t T = z.T, B = z.B, H = z.H, S = z.S, rows = T * B;
  int back = a->dw || a->dx || a->dh0 || a->dc0;
  double **inputs = (double **)calloc((size_t)z.L + 1, sizeof(double *));
  rnn_cell *cells = (rnn_cell *)calloc((size_t)(z.L * z.D * rows), sizeof(rnn_cell));
  inputs[0] = rnn_zeros(rows * z.I);
  for (int64_t t = 0; t < T; t++)
    for (int64_t b = 0; b < B; b++)
      if (!a->lengths || t < a->lengths[b])
        memcpy(inputs[0] + (t * B + b) * z.I, a->x + rnn_row(d, t, b) * z.I, (size_t)z.I * sizeof(double));
  for (int64_t l = 0; l < z.L; l++) {
    int64_t in = l ? z.O : z.I;
    inputs[l + 1] = rnn_zeros(rows * z.O);
    for (int64_t k = 0; k < z.D; k++) {
      int reverse = d->direction == APUS_RNN_REVERSE || k == 1;
      rnn_tensors at = {rnn_offset(d, l, k, 0), rnn_offset(d, l, k, 1), rnn_offset(d, l, k, 2),
                        rnn_offset(d, l, k, 3), rnn_offset(d, l, k, 4), rnn_offset(d, l, k, 5)};
      for (int64_t b = 0; b < B; b++) {
        double *h = rnn_zeros(S), *c = rnn_zeros(H);
        if (a->h0) memcpy(h, a->h0 + ((l * z.D + k) * B + b) * S, (size_t)S * sizeof(double));
        if (a->c0) memcpy(c, a->c0 + ((l * z.D + k) * B + b) * H, (size_t)H * sizeof(double));
        for (int64_t s = 0; s < T; s++) {
          int64_t t = reverse ? T - 1 - s : s;
          rnn_cell *cell = cells + ((l * z.D + k) * T + t) * B + b;
          cell->active = !a->lengths || t < a->lengths[b];
          if (!cell->active) continue;
          cell->gates = rnn_zeros(4 * H), cell->q = rnn_zeros(H), cell->c0 = rnn_zeros(H), cell->c = rnn_zeros(H);
          cell->raw = rnn_zeros(H), cell->m = rnn_zeros(H), cell->h0 = rnn_zeros(S), cell->h = rnn_zeros(S);
          memcpy(cell->h0, h, (size_t)S * sizeof(double));
          memcpy(cell->c0, c, (size_t)H * sizeof(double));
          plain_cell(d, &z, a->w, at, in, inputs[l] + (t * B + b) * in, cell);
          memcpy(h, cell->h, (size_t)S * sizeof(double));
          memcpy(c, cell->c, (size_t)H * sizeof(double));
          int64_t column = d->direction == APUS_RNN_BIDIRECTIONAL ? k * S : 0;
          for (int64_t u = 0; u < S; u++) inputs[l + 1][(t * B + b) * z.O + column + u] += h[u];
        }
        if (a->hn) memcpy(a->hn + ((l * z.D + k) * B + b) * S, h, (size_t)S * sizeof(double));
        if (a->cn && d->cell == APUS_RNN_LSTM) memcpy(a->cn + ((l * z.D + k) * B + b) * H, c, (size_t)H * sizeof(double));
        free(h), free(c);
      }
    }
  }
  for (int64_t t = 0; t < T && a->y; t++)
    for (int64_t b = 0; b < B; b++)
      if (!a->lengths || t < a->lengths[b])
        memcpy(a->y + rnn_row(d, t, b) * z.O, inputs[z.L] + (t * B + b) * z.O, (size_t)z.O * sizeof(double));
  double *dout = rnn_zeros(rows * z.O);
  for (int64_t t = 0; t < T && back && a->dy; t++)
    for (int64_t b = 0; b < B; b++)
      if (!a->lengths || t < a->lengths[b])
        memcpy(dout + (t * B + b) * z.O, a->dy + rnn_row(d, t, b) * z.O, (size_t)z.O * sizeof(double));
  for (int64_t l = z.L - 1; l >= 0 && back; l--) {
    int64_t in = l ? z.O : z.I;
    double *din = rnn_zeros(rows * in);
    for (int64_t k = 0; k < z.D; k++) {
      int reverse = d->direction == APUS_RNN_REVERSE || k == 1;
      rnn_tensors at = {rnn_offset(d, l, k, 0), rnn_offset(d, l, k, 1), rnn_offset(d, l, k, 2),
                        rnn_offset(d, l, k, 3), rnn_offset(d, l, k, 4), rnn_offset(d, l, k, 5)};
      for (int64_t b = 0; b < B; b++) {
        double *dh = rnn_zeros(S), *dc = rnn_zeros(H);
        if (a->dhn) memcpy(dh, a->dhn + ((l * z.D + k) * B + b) * S, (size_t)S * sizeof(double));
        if (a->dcn) memcpy(dc, a->dcn + ((l * z.D + k) * B + b) * H, (size_t)H * sizeof(double));
        for (int64_t s = T - 1; s >= 0; s--) {
          int64_t t = reverse ? T - 1 - s : s;
          rnn_cell *cell = cells + ((l * z.D + k) * T + t) * B + b;
          if (!cell->active) continue;
          int64_t column = d->direction == APUS_RNN_BIDIRECTIONAL ? k * S : 0;
          for (int64_t u = 0; u < S; u++) dh[u] += dout[(t * B + b) * z.O + column + u];
          plain_cell_back(d, &z, a->w, a->dw, at, in, inputs[l] + (t * B + b) * in, din + (t * B + b) * in, cell, dh, dc);
        }
        for (int64_t u = 0; u < S && a->dh0; u++) a->dh0[((l * z.D + k) * B + b) * S + u] += dh[u];
        for (int64_t u = 0; u < H && a->dc0; u++) a->dc0[((l * z.D + k) * B + b) * H + u] += dc[u];
        free(dh), free(dc);
      }
    }
    free(dout);
    dout = din;
  }
  for (int64_t t = 0; t < T && back && a->dx; t++)
    for (int64_t b = 0; b < B; b++)
      for (int64_t i = 0; i < z.I; i++)
        if (!a->lengths || t < a->lengths[b]) a->dx[rnn_row(d, t, b) * z.I + i] += dout[(t * B + b) * z.I + i];
  free(dout);
  for (int64_t i = 0; i < z.L * z.D * rows; i++) {
    rnn_cell *k = cells + i;
    free(k->gates), free(k->q), free(k->c0), free(k->c), free(k->raw), free(k->m), free(k->h0), free(k->h);
  }
  for (int64_t l = 0; l <= z.L; l++) free(inputs[l]);
  free(inputs), free(cells);
}

/* Elements of p that differ from the plain result by more than `terms` roundings of numbers as large as the largest. */
static inline int64_t rnn_mistakes(const apus_rnn_desc *d, const char *name, const void *p, const double *wanted,
                                   int64_t count, double terms) {
  double size = 1, eps = d->dtype == APUS_FLOAT32 ? 1.2e-7 : 2.3e-16;
  int64_t mistakes = 0;
  for (int64_t i = 0; i < count; i++) {
    double w = wanted[i] < 0 ? -wanted[i] : wanted[i];
    if (w > size) size = w;
  }
  for (int64_t i = 0; i < count; i++) {
    double got = d->dtype == APUS_FLOAT32 ? (double)((const float *)p)[i] : ((const double *)p)[i];
    double error = got < wanted[i] ? wanted[i] - got : got - wanted[i];
    if (error <= terms * eps * size) continue;
    if (mistakes++ == 0)
      fprintf(stderr, "%s[%lld] is %.17g instead of %.17g (cell %d, direction %d, T %lld, B %lld, I %lld, H %lld, L %lld)\n", name,
              (long long)i, got, wanted[i], d->cell, d->direction, (long long)d->steps, (long long)d->batch,
              (long long)d->input, (long long)d->hidden, (long long)d->layers);
  }
  return mistakes;
}

#endif
