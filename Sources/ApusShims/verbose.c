#include "ApusVerbose.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int apus_verbose_state = -1;

bool apus_verbose_resolve(void) {
  const char *value = getenv("APUS_VERBOSE");
  int unread = -1;
  int wanted = value && *value && strcmp(value, "0") != 0;
  __atomic_compare_exchange_n(&apus_verbose_state, &unread, wanted, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
  return !apus_verbose_is_off();
}

void apus_verbose_print(const char *text) { fprintf(stderr, "apus: %s\n", text); }
