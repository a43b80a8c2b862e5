// Checked allocation, and one buffer for each thread that the engine's kernels pack into.
#pragma once
#include <stdbool.h>
#include <stddef.h>

// 64-byte aligned, uninitialised; NULL where the system refuses. From 4 MiB on: aligned to 2 MiB and advised to huge pages.
void *apus_allocate(size_t bytes);
void apus_free(void *p);

// The calling thread's buffer, at least `bytes` large and 64-byte aligned, kept until apus_buffers_trim or the thread's
// end; NULL where the system refuses. It is in use, out of trim's reach, until it is given back. Calls must not nest.
void *apus_buffer_take(size_t bytes);
void apus_buffer_give_back(void);

// Frees the buffer of every thread that is not using it.
void apus_buffers_trim(void);

// Bytes that all threads' buffers hold together.
size_t apus_buffers_bytes(void);
