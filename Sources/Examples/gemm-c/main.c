#include <apus.h>
#include <stdio.h>

int main(void) {
  const float a[] = {1, 2, 3, 4, 5, 6}, b[] = {1, 0, 0, 1, 1, 1}; /* 2 x 3 and 3 x 2 */
  float c[4];
  if (apus_sgemm(NULL, APUS_ROW_MAJOR, APUS_NO_TRANS, APUS_NO_TRANS, 2, 2, 3, 1, a, 3, b, 2, 0, c, 2) != APUS_OK)
    return fprintf(stderr, "%s\n", apus_last_error()), 1;
  printf("%g %g\n%g %g\n", c[0], c[1], c[2], c[3]);
  return 0;
}
