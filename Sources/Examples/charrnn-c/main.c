/* Text one character at a time: a GRU reads the characters of a prompt, and then its own output, until a line ends.
 *   charrnn-c [prompt ...] */
#include <apus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weights.h"

static void need(apus_status status) {
  if (status == APUS_OK) return;
  fprintf(stderr, "charrnn: %s: %s\n", apus_status_name(status), apus_last_error());
  exit(1);
}

int main(int count, char **prompts) {
  /* A step of one sequence; its state is updated in place. */
  apus_rnn_desc desc;
  apus_rnn_plan *plan;
  apus_rnn_plan_info info = {.struct_size = sizeof info};
  need(apus_rnn_desc_init(&desc, APUS_FLOAT32, APUS_RNN_GRU, 1, 1, letters, units));
  need(apus_rnn_plan_create(NULL, &desc, APUS_RNN_INFERENCE, &plan));
  need(apus_rnn_plan_get_info(NULL, plan, &info));

  size_t total = sizeof weights - 1;
  float *numbers = malloc(total * sizeof *numbers);
  void *packed = malloc((size_t)info.packed_bytes);
  if (!numbers || !packed || (int64_t)total != info.parameter_count + letters * units + letters) return 1;
  for (size_t i = 0; i < total; i++) numbers[i] = (float)(weights[i] - 80) / 16;
  const float *output = numbers + info.parameter_count, *bias = output + letters * units;
  need(apus_rnn_pack(NULL, plan, numbers, packed, (size_t)info.packed_bytes));

  float x[letters], state[units], score[letters];
  apus_rnn_args args;
  need(apus_rnn_args_init(&args));
  args.packed = packed;
  args.x = x;
  args.h0 = args.hn = state;

  static char *defaults[] = {"", "apus", "s", "they"};
  if (count < 2) count = 4, prompts = defaults;
  for (int i = 1; i < count; i++) {
    memset(state, 0, sizeof state);
    char next = 0;
    for (int n = 0; n < 80 && next != '\n'; n++) {
      char character = n < (int)strlen(prompts[i]) ? prompts[i][n] : next;
      const char *letter = character ? strchr(alphabet, character) : NULL;
      if (!letter) break; /* an empty prompt, or a character that it never saw */
      putchar(character);
      memset(x, 0, sizeof x);
      x[letter - alphabet] = 1;
      need(apus_rnn_forward(NULL, plan, &args));
      /* The likeliest character comes next. */
      memcpy(score, bias, sizeof score);
      need(apus_sgemm(NULL, APUS_ROW_MAJOR, APUS_NO_TRANS, APUS_TRANS, 1, letters, units, 1, state, units, output, units, 1, score,
                      letters));
      int best = 0;
      for (int k = 1; k < letters; k++)
        if (score[k] > score[best]) best = k;
      next = alphabet[best];
    }
    putchar('\n');
  }
  apus_rnn_plan_destroy(plan);
  free(numbers);
  free(packed);
  return 0;
}
