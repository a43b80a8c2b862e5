#include <apus.h>
#include <stdio.h>

static int fail(void) { return fprintf(stderr, "%s\n", apus_last_error()), 1; }

/* Vertical edges in an image of 4 x 6: bright on the left, dark on the right. */
int main(void) {
  const int64_t input[] = {4, 6}, kernel[] = {3, 3};
  const float weights[] = {1, 0, -1, 1, 0, -1, 1, 0, -1};
  float x[4 * 6], y[2 * 4];
  for (int i = 0; i < 24; i++) x[i] = i % 6 < 3 ? 10 : 0;

  apus_conv_desc desc;
  if (apus_conv_desc_init(&desc, APUS_FLOAT32, 2, 1, 1, input, kernel) != APUS_OK) return fail();
  int64_t shape[2];
  if (apus_conv_output_shape(&desc, shape) != APUS_OK) return fail();
  printf("%d x %d\n", (int)shape[0], (int)shape[1]);

  apus_conv_plan *plan;
  if (apus_conv_plan_create(NULL, &desc, APUS_FORWARD, &plan) != APUS_OK) return fail();
  apus_conv_args args;
  apus_conv_args_init(&args);
  args.x = x;
  args.weights = weights;
  args.y = y;
  apus_status status = apus_conv_run(NULL, plan, &args);
  apus_conv_plan_destroy(plan);
  if (status != APUS_OK) return fail();
  for (int i = 0; i < 2; i++) printf("%g %g %g %g\n", y[4 * i], y[4 * i + 1], y[4 * i + 2], y[4 * i + 3]);
  return 0;
}
