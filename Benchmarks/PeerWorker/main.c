#define _POSIX_C_SOURCE 200809L
#include "worker.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double nanoseconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

const char *request_text(const request *r, const char *key, const char *otherwise) {
  for (int i = 0; i < r->count; i++)
    if (!strcmp(r->words[i].key, key)) return r->words[i].value;
  return otherwise;
}

long request_number(const request *r, const char *key, long otherwise) {
  const char *text = request_text(r, key, NULL);
  return text ? strtol(text, NULL, 10) : otherwise;
}

float *floats(size_t count) {
  void *p = NULL;
  size_t bytes = (count * sizeof(float) / 4096 + 2) * 4096;
  if (posix_memalign(&p, 4096, bytes)) return NULL;
  return memset(p, 0, bytes);
}

void fill(float *p, size_t count, uint32_t seed) {
  for (size_t i = 0; i < count; i++) {
    uint32_t h = ((uint32_t)i + 1) * 2654435761u + seed * (40503u * 65537u);
    h = (h ^ h >> 15) * 2246822519u;
    h ^= h >> 13;
    p[i] = (float)(h >> 8 & 0xffff) / 65536 - 0.5f;
  }
}

double sum_of_magnitudes(const float *p, size_t count) {
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += p[i] < 0 ? -p[i] : p[i];
  return sum;
}

// Splits the line in place into key=value words.
static void parse(char *line, request *r) {
  r->count = 0;
  char *rest = NULL;
  for (char *token = strtok_r(line, " \t\r\n", &rest); token && r->count < 64; token = strtok_r(NULL, " \t\r\n", &rest)) {
    char *equals = strchr(token, '=');
    if (!equals) continue;
    *equals = 0;
    r->words[r->count++] = (word){token, equals + 1};
  }
}

static double time_of(const workload *w, long calls) {
  double start = nanoseconds();
  for (long i = 0; i < calls; i++) w->call(w->state);
  return nanoseconds() - start;
}

// Samples of at least 20 us each, for the given time and at least three.
static void measure(const workload *w, double milliseconds) {
  enum { most = 4096 };
  double first = time_of(w, 1);
  time_of(w, first < 5e6 ? 3 : 1);
  long calls = 1;
  double span = time_of(w, calls);
  while (span < 20e3 && calls < 1000000) {
    double each = span / (double)calls;
    calls = each < 1 ? calls * 8 : (long)(30e3 / each) + 1;
    span = time_of(w, calls);
  }
  double end = nanoseconds() + milliseconds * 1e6;
  printf("t");
  for (int n = 0; n < most && (n < 3 || nanoseconds() < end); n++) printf(" %.1f", time_of(w, calls) / (double)calls);
  printf("\n");
}

// By the family that the op's name begins with.
static const char *set_up(const request *r, const apus_context *context, workload *w) {
  static const struct {
    const char *prefix;
    const char *(*setup)(const request *r, const apus_context *context, workload *w);
  } families[] = {{"gemm", gemm_setup}, {"conv_", conv_setup}, {"pool_", pool_setup}, {"rnn_", rnn_setup},
                  {"elt", elt_setup},   {"softmax_", softmax_setup}, {"lnorm_", norm_setup}, {"bnorm_", norm_setup}};
  const char *op = request_text(r, "op", "");
  for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
    if (!strncmp(op, families[i].prefix, strlen(families[i].prefix))) return families[i].setup(r, context, w);
  return "op";
}

int main(void) {
  const char *threads = getenv("OWN_NUM_THREADS");
  apus_context_options options;
  apus_context_options_init(&options);
  if (threads) options.threads = (int32_t)strtol(threads, NULL, 10);
  apus_context *context = NULL;
  if (apus_context_create(&options, &context) != APUS_OK) {
    fprintf(stderr, "apus-peer-worker: %s\n", apus_last_error());
    return 1;
  }
  static char line[4096];
  workload w = {0};
  while (fgets(line, sizeof line, stdin)) {
    request r;
    if (!strncmp(line, "quit", 4)) break;
    if (!strncmp(line, "setup", 5)) {
      parse(line, &r);
      if (w.call) w.release(w.state);
      w = (workload){0};
      const char *refused = set_up(&r, context, &w);
      if (refused) {
        w = (workload){0};
        printf("no %s\n", refused);
      } else {
        printf("ok chk=%.6e info=%s\n", w.checksum, w.info);
      }
    } else if (!strncmp(line, "run", 3)) {
      parse(line, &r);
      if (w.call) measure(&w, (double)request_number(&r, "ms", 40));
      else printf("no setup\n");
    }
    fflush(stdout);
  }
  if (w.call) w.release(w.state);
  apus_context_destroy(context);
  return 0;
}
