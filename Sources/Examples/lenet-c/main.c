/* LeNet-5's two convolution and pooling stages (Y. LeCun et al., 1998), forward and backward, through apus.h alone.
 * The loss is half the sum of squares of the last pooling's output; one weight's gradient is checked by a difference. */
#include <apus.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { batch = 8 };

static void need(apus_status status) {
  if (status == APUS_OK) return;
  fprintf(stderr, "lenet: %s: %s\n", apus_status_name(status), apus_last_error());
  exit(1);
}

static float *numbers(int64_t count, float scale) {
  static uint32_t state = 1;
  float *p = malloc((size_t)count * sizeof *p);
  if (!p) exit(1);
  for (int64_t i = 0; i < count; i++) {
    state = state * 1664525u + 1013904223u;
    p[i] = scale * ((float)(state >> 8) / (1 << 24) - 0.5f);
  }
  return p;
}

/* A convolution with bias and tanh, and the 2x2 average pooling behind it. */
typedef struct {
  apus_conv_desc conv;
  apus_pool_desc pool;
  apus_conv_plan *forward, *by_data, *by_weights;
  apus_pool_plan *pool_forward, *pool_backward;
  int64_t conv_count, pool_count, weight_count, side;
  float *weights, *bias, *y, *pooled, *d_weights, *d_bias, *dy, *d_pooled;
} stage;

static stage make(int64_t channels, int64_t filters, int64_t side, int64_t pad) {
  stage s;
  const int64_t input[] = {side, side}, kernel[] = {5, 5}, window[] = {2, 2};
  need(apus_conv_desc_init(&s.conv, APUS_FLOAT32, 2, channels, filters, input, kernel));
  s.conv.batch = batch;
  s.conv.x_layout = s.conv.y_layout = APUS_LAYOUT_NCHW;
  s.conv.bias = 1;
  for (int i = 0; i < 2; i++) s.conv.pad_before[i] = s.conv.pad_after[i] = pad;
  int64_t size[2];
  need(apus_conv_output_shape(&s.conv, size));
  need(apus_conv_plan_create(NULL, &s.conv, APUS_BACKWARD_DATA, &s.by_data));
  need(apus_conv_plan_create(NULL, &s.conv, APUS_BACKWARD_WEIGHTS, &s.by_weights));
  s.conv.activation = APUS_ACTIVATION_TANH;
  need(apus_conv_plan_create(NULL, &s.conv, APUS_FORWARD, &s.forward));
  need(apus_pool_desc_init(&s.pool, APUS_FLOAT32, APUS_POOL_AVERAGE, 2, batch, filters, size, window));
  need(apus_pool_plan_create(NULL, &s.pool, APUS_FORWARD, &s.pool_forward));
  need(apus_pool_plan_create(NULL, &s.pool, APUS_BACKWARD_DATA, &s.pool_backward));
  s.side = size[0] / 2;
  s.conv_count = batch * filters * size[0] * size[1];
  s.pool_count = batch * filters * s.side * s.side;
  s.weight_count = filters * channels * 25;
  s.weights = numbers(s.weight_count, 0.4f);
  s.bias = numbers(filters, 0.1f);
  s.d_weights = numbers(s.weight_count, 0);
  s.d_bias = numbers(filters, 0);
  s.y = numbers(s.conv_count, 0);
  s.dy = numbers(s.conv_count, 0);
  s.pooled = numbers(s.pool_count, 0);
  s.d_pooled = numbers(s.pool_count, 0);
  return s;
}

static void forward(stage *s, const float *x) {
  apus_conv_args conv;
  apus_pool_args pool;
  need(apus_conv_args_init(&conv));
  need(apus_pool_args_init(&pool));
  conv.x = x;
  conv.weights = s->weights;
  conv.bias = s->bias;
  conv.y = s->y;
  need(apus_conv_run(NULL, s->forward, &conv));
  pool.x = s->y;
  pool.y = s->pooled;
  need(apus_pool_run(NULL, s->pool_forward, &pool));
}

/* From d_pooled to the gradients of weights and bias and, where dx is not NULL, of x. */
static void backward(stage *s, const float *x, float *dx) {
  apus_conv_args conv;
  apus_pool_args pool;
  need(apus_conv_args_init(&conv));
  need(apus_pool_args_init(&pool));
  pool.dy = s->d_pooled;
  pool.dx = s->dy;
  need(apus_pool_run(NULL, s->pool_backward, &pool));
  for (int64_t i = 0; i < s->conv_count; i++) s->dy[i] *= 1 - s->y[i] * s->y[i]; /* through tanh */
  conv.x = x;
  conv.dy = s->dy;
  conv.weights = s->weights;
  conv.dw = s->d_weights;
  conv.db = s->d_bias;
  conv.dx = dx;
  need(apus_conv_run(NULL, s->by_weights, &conv));
  if (dx) need(apus_conv_run(NULL, s->by_data, &conv));
}

static double loss(stage *first, stage *second, const float *x) {
  forward(first, x);
  forward(second, first->pooled);
  double sum = 0;
  for (int64_t i = 0; i < second->pool_count; i++) sum += 0.5 * second->pooled[i] * second->pooled[i];
  return sum;
}

static void destroy(stage *s) {
  apus_conv_plan_destroy(s->forward);
  apus_conv_plan_destroy(s->by_data);
  apus_conv_plan_destroy(s->by_weights);
  apus_pool_plan_destroy(s->pool_forward);
  apus_pool_plan_destroy(s->pool_backward);
  float *all[] = {s->weights, s->bias, s->y, s->pooled, s->d_weights, s->d_bias, s->dy, s->d_pooled};
  for (int i = 0; i < 8; i++) free(all[i]);
}

int main(void) {
  stage first = make(1, 6, 28, 2), second = make(6, 16, 14, 0);
  float *x = numbers(batch * 28 * 28, 2);
  double value = loss(&first, &second, x);
  for (int64_t i = 0; i < second.pool_count; i++) second.d_pooled[i] = second.pooled[i];
  backward(&second, first.pooled, first.d_pooled);
  backward(&first, x, NULL);
  printf("images %d x 1 x 28 x 28 -> 6 x %d x %d -> 16 x %d x %d, loss %.4f\n", batch, (int)first.side, (int)first.side,
         (int)second.side, (int)second.side, value);

  const float step = 0x1p-7f;
  float *weight = &first.weights[12], before = *weight;
  *weight = before + step;
  double above = loss(&first, &second, x);
  *weight = before - step;
  double below = loss(&first, &second, x);
  double difference = (above - below) / (2 * step), gradient = first.d_weights[12];
  printf("a weight of the first layer: gradient %.4f, by differences %.4f\n", gradient, difference);
  destroy(&first);
  destroy(&second);
  free(x);
  return fabs(difference - gradient) <= 0.01 * fabs(gradient) + 1e-3 ? 0 : 1;
}
