/* The plain loops that convolutions are compared with, for every description that include/apus.h can give. */
#ifndef PLAIN_CONV_H
#define PLAIN_CONV_H

#include "plain_gemm.h"
#include <string.h>

/* A description with all three dimensions: those that are missing have 1 (a padding: 0). */
typedef struct plain_conv {
  int64_t in[3], out[3], kernel[3], stride[3], dilation[3], pad[3];
  int64_t taps, in_positions, out_positions;
} plain_conv;

/* Whether the geometry has an output. The numbers must be small enough to be multiplied. */
static inline int plain_conv_make(const apus_conv_desc *d, plain_conv *p) {
  int missing = 3 - d->spatial_rank;
  p->taps = p->in_positions = p->out_positions = 1;
  for (int i = 0; i < 3; i++) {
    int j = i - missing;
    p->in[i] = j < 0 ? 1 : d->input[j];
    p->kernel[i] = j < 0 ? 1 : d->kernel[j];
    p->stride[i] = j < 0 ? 1 : d->stride[j];
    p->dilation[i] = j < 0 ? 1 : d->dilation[j];
    p->pad[i] = j < 0 ? 0 : d->pad_before[j];
    int64_t pads = j < 0 ? 0 : d->pad_before[j] + d->pad_after[j], span = p->dilation[i] * (p->kernel[i] - 1) + 1;
    if (d->transposed) {
      p->out[i] = (p->in[i] - 1) * p->stride[i] + span - pads + (j < 0 ? 0 : d->output_padding[j]);
    } else {
      if (p->in[i] + pads < span) return 0;
      p->out[i] = (p->in[i] + pads - span) / p->stride[i] + 1;
    }
    if (p->out[i] < 1) return 0;
    p->taps *= p->kernel[i];
    p->in_positions *= p->in[i];
    p->out_positions *= p->out[i];
  }
  return 1;
}

static inline int64_t plain_x_count(const apus_conv_desc *d, const plain_conv *p) {
  return d->batch * d->in_channels * p->in_positions;
}
static inline int64_t plain_y_count(const apus_conv_desc *d, const plain_conv *p) {
  return d->batch * d->out_channels * p->out_positions;
}
static inline int64_t plain_weight_count(const apus_conv_desc *d, const plain_conv *p) {
  return d->in_channels / d->groups * d->out_channels * p->taps;
}

static inline int64_t plain_index(int32_t layout, int64_t channels, int64_t positions, int64_t n, int64_t c, int64_t position) {
  return layout == APUS_LAYOUT_NCHW ? (n * channels + c) * positions + position : (n * positions + position) * channels + c;
}

/* What is passed to apus_conv_run, in the framework's order of weights, and what the results held before. */
typedef struct plain_run {
  int32_t direction;
  const apus_conv_args *args;
  const void *weights, *dw;       /* never packed */
  const void *before, *before_db; /* of y, dx or dw, and of db: read where the run accumulates */
} plain_run;

/* Elements that are not as the plain loops say. The bound on the error is as for GEMM, (k + 16) eps times the sum of the
 * magnitudes with k products, but at least the 64 that Winograd's algorithm has. */
static inline int64_t conv_mistakes(const apus_conv_desc *d, const plain_run *r) {
  plain_conv p;
  if (!plain_conv_make(d, &p)) return -1;
  double eps = d->dtype == APUS_FLOAT32 ? 1.2e-7 : 2.3e-16;
  int64_t in_group = d->in_channels / d->groups, out_group = d->out_channels / d->groups;
  int64_t count = r->direction == APUS_FORWARD         ? plain_y_count(d, &p)
                  : r->direction == APUS_BACKWARD_DATA ? plain_x_count(d, &p)
                                                       : plain_weight_count(d, &p);
  double *sum = (double *)calloc((size_t)count + 1, sizeof *sum), *size = (double *)calloc((size_t)count + 1, sizeof *size);
  double *terms = (double *)calloc((size_t)count + 1, sizeof *terms);
  const void *y = r->direction == APUS_FORWARD ? r->args->y : r->args->dy;
  const void *result = r->direction == APUS_FORWARD         ? r->args->y
                       : r->direction == APUS_BACKWARD_DATA ? r->args->dx
                                                            : r->dw;
  /* Every product once, through the small side's positions: x's of a transposed convolution, else y's. */
  const int64_t *small = d->transposed ? p.in : p.out, *big = d->transposed ? p.out : p.in;
  for (int64_t n = 0; n < d->batch; n++)
    for (int64_t k = 0; k < d->out_channels; k++)
      for (int64_t c = 0; c < in_group; c++)
        for (int64_t tap = 0; tap < p.taps; tap++)
          for (int64_t position = 0; position < small[0] * small[1] * small[2]; position++) {
            int64_t tap_at[3] = {tap / (p.kernel[1] * p.kernel[2]), tap / p.kernel[2] % p.kernel[1], tap % p.kernel[2]};
            int64_t at[3] = {position / (small[1] * small[2]), position / small[2] % small[1], position % small[2]};
            int inside = 1;
            for (int i = 0; i < 3; i++) {
              at[i] = at[i] * p.stride[i] - p.pad[i] + tap_at[i] * p.dilation[i];
              if (at[i] < 0 || at[i] >= big[i]) inside = 0;
            }
            if (!inside) continue;
            int64_t there = (at[0] * big[1] + at[1]) * big[2] + at[2];
            int64_t channel = k / out_group * in_group + c;
            int64_t xi = plain_index(d->x_layout, d->in_channels, p.in_positions, n, channel, d->transposed ? position : there);
            int64_t yi = plain_index(d->y_layout, d->out_channels, p.out_positions, n, k, d->transposed ? there : position);
            int64_t wi = d->transposed ? (channel * out_group + k % out_group) * p.taps + tap : (k * in_group + c) * p.taps + tap;
            int64_t to = r->direction == APUS_FORWARD ? yi : r->direction == APUS_BACKWARD_DATA ? xi : wi;
            double a = r->direction == APUS_BACKWARD_DATA ? get(y, d->dtype, yi) : get(r->args->x, d->dtype, xi);
            double b = r->direction == APUS_BACKWARD_WEIGHTS ? get(y, d->dtype, yi) : get(r->weights, d->dtype, wi);
            sum[to] += a * b;
            size[to] += magnitude(a * b);
            terms[to]++;
          }
  apus_gemm_desc activation;
  memset(&activation, 0, sizeof activation);
  activation.activation = r->direction == APUS_FORWARD ? d->activation : APUS_ACTIVATION_NONE;
  activation.slope = d->slope;
  double slope = d->activation == APUS_ACTIVATION_LEAKY_RELU || d->activation == APUS_ACTIVATION_ELU ? magnitude(d->slope) : 1;
  int64_t mistakes = 0;
  for (int64_t i = 0; i < count; i++) {
    double others[3] = {r->args->accumulate ? get(r->before, d->dtype, i) : 0, 0, 0};
    if (r->direction == APUS_FORWARD) {
      int64_t channel = d->y_layout == APUS_LAYOUT_NCHW ? i / p.out_positions % d->out_channels : i % d->out_channels;
      if (d->bias) others[1] = get(r->args->bias, d->dtype, channel);
      if (d->residual) others[2] = get(r->args->residual == r->args->y ? r->before : r->args->residual, d->dtype, i);
    }
    for (int o = 0; o < 3; o++) {
      sum[i] += others[o];
      size[i] += magnitude(others[o]);
    }
    double wanted = plain_activation(&activation, sum[i]), got = get(result, d->dtype, i);
    double multiple = terms[i] + 16 < 64 ? 64 : terms[i] + 16;
    double bound = multiple * eps * (size[i] + magnitude(wanted) + 1) * (slope > 1 ? slope : 1);
    if (!(magnitude(got - wanted) <= bound) && mistakes++ == 0)
      fprintf(stderr, "element %lld is %.17g instead of %.17g\n", (long long)i, got, wanted);
  }
  if (r->direction == APUS_BACKWARD_WEIGHTS && d->bias)
    for (int64_t k = 0; k < d->out_channels; k++) {
      double wanted = r->args->accumulate ? get(r->before_db, d->dtype, k) : 0, total = magnitude(wanted) + 1;
      for (int64_t n = 0; n < d->batch; n++)
        for (int64_t i = 0; i < p.out_positions; i++) {
          double value = get(y, d->dtype, plain_index(d->y_layout, d->out_channels, p.out_positions, n, k, i));
          wanted += value;
          total += magnitude(value);
        }
      double got = get(r->args->db, d->dtype, k);
      if (!(magnitude(got - wanted) <= ((double)(d->batch * p.out_positions) + 16) * eps * total) && mistakes++ == 0)
        fprintf(stderr, "db[%lld] is %.17g instead of %.17g\n", (long long)k, got, wanted);
    }
  free(sum);
  free(size);
  free(terms);
  return mistakes;
}

#endif
