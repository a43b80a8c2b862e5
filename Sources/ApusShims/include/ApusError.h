// The text of the calling thread's last failure.
#pragma once
void apus_error_set(const char *text); // keeps at most 1023 bytes
const char *apus_error_get(void);      // "" when nothing has failed
