// Whether somebody listens to plans and runs: one load where nobody does.
#pragma once
#include <stdbool.h>

extern int apus_verbose_state; // 0: nobody, 1: the handler or stderr, -1: APUS_VERBOSE has not been read yet

static inline bool apus_verbose_is_off(void) { return __atomic_load_n(&apus_verbose_state, __ATOMIC_RELAXED) == 0; }
static inline void apus_verbose_set(int state) { __atomic_store_n(&apus_verbose_state, state, __ATOMIC_RELAXED); }

// Reads APUS_VERBOSE unless a state was set before; true if somebody listens. Thread-safe.
bool apus_verbose_resolve(void);

// "apus: " and the text as one line on stderr.
void apus_verbose_print(const char *text);
