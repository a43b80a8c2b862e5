#include "ApusError.h"
#include <stdio.h>

static __thread char text_of_thread[1024];

void apus_error_set(const char *text) { snprintf(text_of_thread, sizeof text_of_thread, "%s", text); }
const char *apus_error_get(void) { return text_of_thread; }
