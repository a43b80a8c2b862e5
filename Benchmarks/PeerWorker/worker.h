// apus-peer-worker: serves a benchmark driver's line protocol over include/apus.h, so that Apus is measured beside other
// libraries in one alternating run. One line in, one line out, on standard input and output:
//
//   setup op=gemm m=64 n=64 k=64 ta=0 tb=1   ->  ok chk=<sum of |output|> info=<word>    or   no <reason>
//   run ms=<milliseconds>                    ->  t <ns> <ns> ...   (one call each)
//   quit
//
// Environment: OWN_NUM_THREADS (threads of the context), LAYOUT (any, nchw, nhwc; for families with a choice).
#ifndef APUS_PEER_WORKER_H
#define APUS_PEER_WORKER_H
#include <apus.h>
#include <stddef.h>
#include <stdint.h>

// The words of a setup line.
typedef struct {
  const char *key, *value;
} word;
typedef struct {
  word words[64];
  int count;
} request;
const char *request_text(const request *r, const char *key, const char *otherwise);
long request_number(const request *r, const char *key, long otherwise);

// A prepared workload: `call` runs it once. A family's setup fills it in and returns NULL, or a reason of one word.
typedef struct {
  void (*call)(void *state);
  void (*release)(void *state);
  void *state;
  double checksum;
  char info[64];
} workload;
const char *gemm_setup(const request *r, const apus_context *context, workload *w);
const char *conv_setup(const request *r, const apus_context *context, workload *w);
const char *pool_setup(const request *r, const apus_context *context, workload *w);
const char *rnn_setup(const request *r, const apus_context *context, workload *w);
const char *elt_setup(const request *r, const apus_context *context, workload *w);
const char *softmax_setup(const request *r, const apus_context *context, workload *w);
const char *norm_setup(const request *r, const apus_context *context, workload *w);

// Page-aligned zeroed floats; every worker of the driver fills inputs by the same formula from (index, seed).
float *floats(size_t count);
void fill(float *p, size_t count, uint32_t seed);
// The values of `seed` in the order n, c, position, laid out with the channels last or not. 0 where memory is refused.
int fill_tensor(float *p, long n, long c, long plane, int last, uint32_t seed);
double sum_of_magnitudes(const float *p, size_t count);
#endif
