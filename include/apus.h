/*
 * apus.h - the C contract of Apus, a multithreaded SIMD kernel library for deep learning on CPUs.
 *
 * Conventions that hold for every function here:
 *
 *   Status       A function that can fail returns apus_status. On anything but APUS_OK nothing has been
 *                written to the caller's buffers, and apus_last_error() names the argument, its value and
 *                the rule that it broke. Nothing here prints (unless APUS_VERBOSE asks) and nothing aborts.
 *   Sizes        int64_t, in elements unless a name says bytes. Zero sizes are legal; negative ones are not.
 *   Alignment    Data need the alignment of their type, no more. No byte outside of what a shape and its
 *                strides describe is read or written.
 *   Aliasing     An output may overlap no other argument unless the function says so.
 *   Threads      Every function may be called from any thread. Contexts and plans may be used by many
 *                threads at once; destroying one while another thread still uses it is an error.
 *   Structs      A struct that may grow begins with struct_size, which the caller sets to
 *                sizeof(the struct); the ..._init function does that and fills in the defaults.
 *                Reserved fields must be zero.
 *   NaN          NaN and infinity propagate. Rounding mode and denormal handling are the caller's
 *                (MXCSR or FPCR), also on the threads that help, and are never changed for the caller. Errors
 *                are stated for rounding to nearest; of activations in other modes see there.
 */
#ifndef APUS_H
#define APUS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------------------------------------------------------------- version */

#define APUS_VERSION_MAJOR 0
#define APUS_VERSION_MINOR 1
#define APUS_VERSION_PATCH 0
/* One number that grows with every release: major * 1000000 + minor * 1000 + patch. */
#define APUS_VERSION (APUS_VERSION_MAJOR * 1000000 + APUS_VERSION_MINOR * 1000 + APUS_VERSION_PATCH)

/* The version of the library that runs, as APUS_VERSION was when it was built. Never fails. */
int32_t apus_version(void);

/* ------------------------------------------------------------------------------------- status and errors */

typedef int32_t apus_status;
enum {
  APUS_OK = 0,
  APUS_ERROR_INVALID_ARGUMENT = 1, /* an argument broke a rule that the function states */
  APUS_ERROR_OUT_OF_MEMORY = 2,    /* memory was refused; the message says how much was asked for */
  APUS_ERROR_UNSUPPORTED = 3,      /* legal, but this CPU, system or build cannot do it */
  APUS_ERROR_MISMATCH = 4,         /* packed data were made for another shape, type or instruction set */
  APUS_ERROR_BACKEND = 5           /* the threading back end failed, e.g. a host callback skipped tasks */
};

/* The name of a status, such as "APUS_ERROR_INVALID_ARGUMENT"; "APUS_ERROR_UNKNOWN" for any other number.
 * The text is static. Never fails. */
const char *apus_status_name(apus_status status);

/* What went wrong in the calling thread's last failed call: argument, value and rule. The text belongs to the
 * thread and is valid until that thread's next call that fails. "" when no call has failed. Never fails. */
const char *apus_last_error(void);

/* ----------------------------------------------------------------------------------------- tensors, types */

/* Element types. Those marked reserved are refused with APUS_ERROR_UNSUPPORTED. */
enum {
  APUS_FLOAT32 = 1,
  APUS_FLOAT64 = 2,
  APUS_BFLOAT16 = 3, /* reserved */
  APUS_FLOAT16 = 4,  /* reserved */
  APUS_INT8 = 5,     /* reserved */
  APUS_UINT8 = 6,    /* reserved */
  APUS_INT32 = 7,    /* for indices; reserved as a type of data */
  APUS_INT64 = 8     /* for indices; reserved as a type of data */
};

/* Order of a matrix in memory, and transposition: the numbers are those of CBLAS, so that a CBLAS program's
 * own constants can be passed. */
enum { APUS_ROW_MAJOR = 101, APUS_COL_MAJOR = 102 };
enum { APUS_NO_TRANS = 111, APUS_TRANS = 112 };

#define APUS_MAX_RANK 8

/* Order of a tensor's dimensions in memory, for families with channels and 1 to 3 spatial dimensions.
 *   NCHW  N, C, then the spatial dimensions (NCL, NCHW, NCDHW)
 *   NHWC  N, the spatial dimensions, then C (NLC, NHWC, NDHWC)
 * Tensors of these families are dense. Where an array has a number for each spatial dimension, only the first
 * spatial_rank are read, in the order (length), (height, width) or (depth, height, width). */
enum { APUS_LAYOUT_NCHW = 0, APUS_LAYOUT_NHWC = 1 };
#define APUS_MAX_SPATIAL_RANK 3

/* Positions of a window of F taps on N elements, with padding before and after, stride S and dilation D:
 *   floor((N + before + after - (D (F - 1) + 1)) / S) + 1.
 *   FLOOR   what is left over at the end is not visited (PyTorch)
 *   CEIL    the division rounds up; a last window that would begin past the input and the padding before it is
 *           dropped (Caffe; for pooling only)
 *   STRICT  a stride that does not divide is refused; the message names both numbers */
enum { APUS_ROUND_FLOOR = 0, APUS_ROUND_CEIL = 1, APUS_ROUND_STRICT = 2 };

/* Padding by rule: VALID is none. SAME makes the output ceil(N / S) long; what is odd goes behind. */
enum { APUS_PADDING_VALID = 0, APUS_PADDING_SAME = 1 };

/* What a plan computes from what it is given. */
enum {
  APUS_FORWARD = 0,         /* y from x */
  APUS_BACKWARD_DATA = 1,   /* dx from dy */
  APUS_BACKWARD_WEIGHTS = 2 /* dw and db from x and dy */
};

/* A strided view of memory. strides[i] is the distance, in elements, between neighbours along dimension i.
 * Only shape[0..rank-1] and strides[0..rank-1] are read. */
typedef struct apus_tensor {
  size_t struct_size;
  int32_t dtype;
  int32_t rank; /* 0 to APUS_MAX_RANK */
  int64_t shape[APUS_MAX_RANK];
  int64_t strides[APUS_MAX_RANK];
} apus_tensor;

/* Describes a dense tensor whose last dimension is contiguous (C order). shape has rank numbers.
 * INVALID_ARGUMENT: NULL, a rank outside 0..8, a negative size, a product that overflows int64_t. */
apus_status apus_tensor_init(apus_tensor *tensor, int32_t dtype, int32_t rank, const int64_t *shape);

/* ------------------------------------------------------------------------------------------------ context */

/* Instruction sets, ascending. On x86-64: baseline = SSE2, avx2 = x86-64-v3, avx512 = x86-64-v4. On arm64
 * there is baseline = NEON only. */
enum { APUS_ISA_DEFAULT = 0, APUS_ISA_BASELINE = 1, APUS_ISA_AVX2 = 2, APUS_ISA_AVX512 = 3 };

/* Threading back ends.
 *   dispatch  a team of Dispatch's threads that lingers between calls (default)
 *   openmp    the host's OpenMP run time (libgomp, libomp, libiomp5), found when first used
 *   host      the parallel-for callback of apus_context_create_host
 *   serial    the calling thread only */
enum {
  APUS_BACKEND_DEFAULT = 0,
  APUS_BACKEND_DISPATCH = 1,
  APUS_BACKEND_OPENMP = 2,
  APUS_BACKEND_HOST = 3,
  APUS_BACKEND_SERIAL = 4
};

typedef struct apus_context_options {
  size_t struct_size;
  int32_t isa;       /* APUS_ISA_...; default: APUS_ISA in the environment, else the best of CPU and system */
  int32_t backend;   /* APUS_BACKEND_...; default: APUS_BACKEND in the environment, else dispatch */
  int32_t threads;   /* at most this many threads work on a call; 0: APUS_THREADS in the environment, else
                        the number of CPUs that the process may use (affinity mask and cgroup quota) */
  int32_t linger_us; /* how long, in microseconds, an idle thread of the dispatch team spins before it parks
                        (0 to 10000); -1: APUS_LINGER_US in the environment, else a measured default */
} apus_context_options;

/* A context says how work runs. Where a function takes a context, NULL means the process's default, which is
 * made from the environment on first use. A context is small and owns no thread: all contexts share one team. */
typedef struct apus_context apus_context;

/* Fills in struct_size and the defaults (0, 0, 0, -1). INVALID_ARGUMENT: NULL. */
apus_status apus_context_options_init(apus_context_options *options);

/* Makes a context; options may be NULL (all defaults). *context is set only on success.
 * INVALID_ARGUMENT: a number out of range, an unknown name in the environment (the message lists what there is).
 * UNSUPPORTED: an instruction set that this CPU lacks (the message lists what there is), or the openmp back end
 * where no OpenMP run time can be found. */
apus_status apus_context_create(const apus_context_options *options, apus_context **context);

/* Frees a context; NULL is legal. No plan depends on it afterwards. */
void apus_context_destroy(apus_context *context);

/* What a context (NULL: the default) came to. After fork(), in the child, effective_threads is 1 on the dispatch
 * back end and on openmp over libgomp, whose teams do not survive a fork. */
typedef struct apus_context_info {
  size_t struct_size;
  int32_t isa, backend, threads, linger_us;
  int32_t effective_threads; /* how many threads a call from here and now would use at most */
  int32_t isa_available;     /* bit APUS_ISA_x is set for every set that this CPU, system and build have */
} apus_context_info;
apus_status apus_context_get_info(const apus_context *context, apus_context_info *info);

/* The name of an instruction set or a back end, as the environment variables take it: "avx512", "dispatch".
 * "unknown" for any other number. The text is static. Never fails. */
const char *apus_isa_name(int32_t isa);
const char *apus_backend_name(int32_t backend);

#if defined(__clang__)
#define APUS_SENDABLE __attribute__((swift_attr("@Sendable")))
#else
#define APUS_SENDABLE
#endif

/* One task of a region: run it with each index in 0..count-1 exactly once. */
typedef void (*apus_task_fn)(void *task, int64_t index) APUS_SENDABLE;

/* A host's parallel-for: calls run(task, i) for every i in 0..count-1, on any threads, in any order, and returns
 * when all have returned. user is what was given to apus_context_create_host. */
typedef void (*apus_parallel_for_fn)(void *user, int64_t count, apus_task_fn run, void *task) APUS_SENDABLE;

/* Makes options that use a host's own threads: sets backend = host and threads in a new context. The callback must
 * work for as long as the context lives. A region whose callback skips or repeats a task fails with ERROR_BACKEND.
 * INVALID_ARGUMENT: NULL callback, threads < 1. */
apus_status apus_context_create_host(const apus_context_options *options, apus_parallel_for_fn parallel_for, void *user,
                                     apus_context **context);

/* Returns idle memory to the system: every packing buffer that no running call is using. Allocates nothing. */
void apus_trim(void);

/* Compares the kernels of every available instruction set with plain loops, in under a second.
 * On failure BACKEND, and apus_last_error() names set and kernel. */
apus_status apus_self_test(void);

/* ---------------------------------------------------------------------------------------------- verbosity */

/* One record of a plan that was made or run, or of a call that has no plan. The strings live as long as the callback. */
typedef struct apus_verbose_record {
  size_t struct_size;
  const char *event;       /* "plan" or "run" */
  const char *operation;   /* "gemm", "conv", "pool", "rnn"; "elementwise", "reduction", "movement", "softmax", "norm", "loss",
                              "optimizer", "random", "embedding" */
  const char *problem;     /* shape, as kbench takes it: "1024x1024x1024:TN", "n1c64h56w56k64f3p1", "gelu:n16384:backward" */
  const char *description; /* algorithm, blocking, type */
  int32_t isa, backend, threads;
  double microseconds;
} apus_verbose_record;
typedef void (*apus_verbose_fn)(void *user, const apus_verbose_record *record) APUS_SENDABLE;

/* Installs a callback for every plan, every run and every call without a plan of the process, in place of the lines on stderr that
 * APUS_VERBOSE=1 asks for; NULL turns both off. It may be called from many threads at once and must not call Apus.
 * A run costs nothing more while nobody listens. */
apus_status apus_set_verbose_callback(apus_verbose_fn callback, void *user);

/* --------------------------------------------------------------------------------------------------- GEMM */

/* C = alpha op(A) op(B) + beta C, one call, in the order of cblas_sgemm's arguments.
 * op(A) is m x k, op(B) is k x n, C is m x n. lda, ldb and ldc are the distances, in elements, between rows
 * (row-major) or columns (column-major) as they lie in memory. beta = 0 never reads C. m = 0 or n = 0 does nothing;
 * k = 0 or alpha = 0 scales C by beta without reading A or B. A and B may overlap each other, but not C.
 * Threads work on it when that pays. The result has the same bits for any number of threads, any back end and any
 * alignment, within one instruction set.
 * INVALID_ARGUMENT: an unknown order or transpose, a negative size, a leading dimension smaller than
 * max(1, length of a row or column in memory), a NULL pointer where data are needed, a size in bytes that overflows.
 * OUT_OF_MEMORY: the calling thread has no packing buffer yet and the system refuses one (a few MB at most). */
apus_status apus_sgemm(const apus_context *context, int32_t order, int32_t trans_a, int32_t trans_b, int64_t m,
                       int64_t n, int64_t k, float alpha, const float *a, int64_t lda, const float *b, int64_t ldb,
                       float beta, float *c, int64_t ldc);
apus_status apus_dgemm(const apus_context *context, int32_t order, int32_t trans_a, int32_t trans_b, int64_t m,
                       int64_t n, int64_t k, double alpha, const double *a, int64_t lda, const double *b, int64_t ldb,
                       double beta, double *c, int64_t ldc);

/* Where the matrices of a batch lie. */
enum {
  APUS_BATCH_STRIDED = 0, /* matrix i of A lies at a + i * stride_a; a stride of 0 shares one matrix (not for C) */
  APUS_BATCH_POINTERS = 1 /* a, b and c (and residual) point to arrays of batch pointers */
};

/* Properties of a GEMM plan, combined with |. */
enum {
  APUS_GEMM_ROW_INVARIANT = 1, /* row i of C has the same bits however many other rows there are */
  APUS_GEMM_PACKED_A = 2,      /* a is a buffer made by apus_gemm_pack (the same for the whole batch) */
  APUS_GEMM_PACKED_B = 4       /* b is a buffer made by apus_gemm_pack (the same for the whole batch) */
};

/* What is added to each row or column before the activation. "By row": bias has m numbers, bias[i] is added to
 * row i of C; "by column": n numbers (the bias of a fully connected layer with row-major data). */
enum { APUS_BIAS_NONE = 0, APUS_BIAS_BY_ROW = 1, APUS_BIAS_BY_COLUMN = 2 };

/* Activations f(x). slope is used by leaky ReLU (x < 0: slope * x) and ELU (x < 0: slope * (exp(x) - 1)).
 * sigmoid = 1 / (1 + exp(-x)). exp, sigmoid and tanh are within 2 ulp in float32. That is while rounding is to nearest: of
 * a mode that rounds to one side the functions keep less. Then sigmoid and tanh stay within 5e-5 of the result in float32
 * and within 5e-11 (some 1e5 eps) in float64, and ELU within as much of the larger of |slope| and |y|: near 0, where e^x - 1
 * cancels, a float32 ELU may be off by 1 % of itself. */
enum {
  APUS_ACTIVATION_NONE = 0,
  APUS_ACTIVATION_RELU = 1,
  APUS_ACTIVATION_LEAKY_RELU = 2,
  APUS_ACTIVATION_ELU = 3,
  APUS_ACTIVATION_SIGMOID = 4,
  APUS_ACTIVATION_TANH = 5
};

/* C = activation(alpha op(A) op(B) + beta C + bias + residual), for each matrix of a batch. */
typedef struct apus_gemm_desc {
  size_t struct_size;
  int32_t dtype;            /* APUS_FLOAT32 or APUS_FLOAT64: of A, B, C, bias and residual */
  int32_t order;            /* APUS_ROW_MAJOR or APUS_COL_MAJOR */
  int32_t trans_a, trans_b; /* APUS_NO_TRANS or APUS_TRANS */
  int64_t m, n, k;
  int64_t lda, ldb, ldc;    /* lda (ldb) is ignored where A (B) is packed */
  int64_t batch;            /* number of matrices */
  int32_t batch_kind;       /* APUS_BATCH_... */
  int32_t flags;            /* APUS_GEMM_... */
  int64_t stride_a, stride_b, stride_c; /* strided batches: elements between matrices */
  int32_t bias;             /* APUS_BIAS_... */
  int32_t activation;       /* APUS_ACTIVATION_... */
  double slope;
  int32_t residual;         /* 1: a matrix of C's shape and order is added before the activation */
  int32_t reserved;
  int64_t ldr, stride_r;    /* of the residual, as ldc and stride_c */
} apus_gemm_desc;

/* Fills in a plain row-major problem without transposition, with the smallest leading dimensions and a batch of 1;
 * every field may be changed afterwards. INVALID_ARGUMENT: NULL. */
apus_status apus_gemm_desc_init(apus_gemm_desc *desc, int32_t dtype, int64_t m, int64_t n, int64_t k);

/* The same from three tensors of rank 2 (m x k, k x n, m x n) or 3 (with a leading batch; a batch of 1 in A or B is
 * shared), whose strides decide order, transposition and leading dimensions.
 * INVALID_ARGUMENT: shapes or types that do not fit each other; strides with no unit stride in one of the last two
 * dimensions. */
apus_status apus_gemm_desc_from_tensors(apus_gemm_desc *desc, const apus_tensor *a, const apus_tensor *b,
                                        const apus_tensor *c);

/* A planned GEMM: validated, algorithm chosen, immutable; usable by many threads at once. */
typedef struct apus_gemm_plan apus_gemm_plan;

/* Plans. The instruction set is the context's and stays with the plan. *plan is set only on success.
 * INVALID_ARGUMENT as for apus_sgemm, and for strides of a batch in which matrices of C overlap.
 * UNSUPPORTED: a reserved dtype. */
apus_status apus_gemm_plan_create(const apus_context *context, const apus_gemm_desc *desc, apus_gemm_plan **plan);
void apus_gemm_plan_destroy(apus_gemm_plan *plan);

typedef struct apus_plan_info {
  size_t struct_size;
  double flops;          /* of one run; a multiply-add counts as two */
  double bytes;          /* read and written at least: every operand once */
  int64_t scratch_bytes; /* what a run with this context's threads takes if the caller passes scratch */
  int64_t packed_a_bytes, packed_b_bytes; /* sizes of the packed operands (0 where the flag is not set) */
  int32_t isa, threads;
} apus_plan_info;
apus_status apus_gemm_plan_get_info(const apus_context *context, const apus_gemm_plan *plan, apus_plan_info *info);

/* Writes a line about the plan (algorithm, blocking, instruction set) with its closing zero into text, cut to
 * capacity bytes; *needed (may be NULL) gets the whole length with the zero. text may be NULL if capacity is 0. */
apus_status apus_gemm_plan_describe(const apus_gemm_plan *plan, char *text, size_t capacity, size_t *needed);

enum { APUS_OPERAND_A = 0, APUS_OPERAND_B = 1 };

/* Packs A or B ahead of time for a plan with the flag APUS_GEMM_PACKED_A or _B. source is the matrix as it lies in memory
 * with leading dimension ld and the plan's order and transposition; packed has room for packed_a_bytes (packed_b_bytes),
 * any alignment (64 is fastest). The buffer is position independent and may be stored, but serves only plans of the same
 * type, order, instruction set and m, k (A) or k, n (B); any other plan's run refuses it with ERROR_MISMATCH. The results
 * have the bits of a plan without packed operands if m and n are above 1 and the plan is row_invariant or k below 4096;
 * other plans may add in an order of their own. */
apus_status apus_gemm_pack(const apus_context *context, const apus_gemm_plan *plan, int32_t operand, const void *source,
                           int64_t ld, void *packed, size_t packed_bytes);

typedef struct apus_gemm_args {
  size_t struct_size;
  double alpha, beta;   /* rounded to the plan's type */
  const void *a;        /* matrix, packed buffer, or array of pointers, as the plan says */
  const void *b;
  void *c;
  const void *bias;     /* shared by the batch */
  const void *residual; /* may be c itself if ldr = ldc and stride_r = stride_c */
  void *scratch;        /* NULL: from the engine's per-thread buffers */
  size_t scratch_bytes; /* at least scratch_bytes of apus_gemm_plan_get_info with the same context */
} apus_gemm_args;

/* struct_size, alpha = 1, beta = 0, all pointers NULL. */
apus_status apus_gemm_args_init(apus_gemm_args *args);

/* Runs a plan. Allocates nothing (but each thread's packing buffer at its first use, where scratch is NULL).
 * context says back end and threads; the instruction set is the plan's.
 * INVALID_ARGUMENT: NULL where data are needed, scratch that is too small. MISMATCH: a packed buffer made for
 * another shape, type or instruction set. */
apus_status apus_gemm_run(const apus_context *context, const apus_gemm_plan *plan, const apus_gemm_args *args);

/* -------------------------------------------------------------------------------------------- convolution */

/* y = activation(conv(x, weights) + bias + residual), forward and backward, in 1 to 3 spatial dimensions:
 *
 *   conv(x, w)[n][k][position] = sum over c, tap of w[k][c][tap] x[n][c][position * stride - pad_before + tap * dilation]
 *
 * (a cross-correlation, as deep learning has it), x being 0 in the padding. Whether such a zero is multiplied by an infinite
 * number, which makes NaN, or passed over is the algorithm's to choose. Tensors are dense, in the layouts of the
 * description. Weights are in the order (K, C / groups, taps), taps being R x S in two dimensions. The products of one
 * element of y are added in an order that depends on the description without its batch (sizes, layouts and algorithm count),
 * type and instruction set only: the bits of a sample's y and dx depend neither on the batch around it nor on threads, back
 * end or alignment, and those of dw not on threads, back end or alignment. An element of y and dx is one chain of
 * multiply-adds: with K products it is within K eps of the sum of their magnitudes (Winograd: see its flag). An element of dw
 * and db adds the sums of chains over stretches of positions. */

/* How a convolution is computed. A plan takes the first of apus_conv_algorithms unless its description names another. */
enum {
  APUS_CONV_AUTO = 0,
  APUS_CONV_DIRECT = 1,        /* register tiles of pixels x channels over the taps */
  APUS_CONV_IMPLICIT_GEMM = 2, /* the same over patches that are laid out a few rows at a time */
  APUS_CONV_POINTWISE = 3,     /* a 1x1 kernel on NCHW tensors as a product for each image */
  APUS_CONV_DEPTHWISE = 4,     /* one input channel in each group */
  APUS_CONV_PLANES = 5,        /* vectors along the width of NCHW planes, for few channels */
  APUS_CONV_WINOGRAD = 6       /* F(4x4, 3x3): fewer operations, larger rounding error; only with the flag below */
};

/* Properties of a convolution, combined with |. */
enum {
  APUS_CONV_PACKED_WEIGHTS = 1, /* weights (backward by weights: dw) are in the plan's own packed form */
  APUS_CONV_ALLOW_WINOGRAD = 2  /* Winograd's algorithm may be chosen for 3x3 kernels with stride 1, forward and backward
                                   by data. Its tiles are 4x4 elements of the result, from every fourth row and column
                                   on, and read 6x6 inputs together; so an element's error is measured not by its own
                                   products but by S: over the C channels that are summed, the largest magnitude of the
                                   tile's 6x6 inputs times the sum of the magnitudes of the nine weights. It stays below
                                   64 eps S with random data, and below 88 (C + 28) eps S with any that do not overflow
                                   or underflow on the way (the plain sum: K eps times the magnitudes of its K products).
                                   Infinity and NaN spread over their tile, as NaN */
};

typedef struct apus_conv_desc {
  size_t struct_size;
  int32_t dtype;        /* APUS_FLOAT32 or APUS_FLOAT64: of every tensor */
  int32_t spatial_rank; /* 1 to 3 */
  int64_t batch;        /* 0 is legal */
  int64_t in_channels;  /* C, a multiple of groups */
  int64_t out_channels; /* K, a multiple of groups; groups = C is a depthwise convolution */
  int64_t groups;
  int64_t input[APUS_MAX_SPATIAL_RANK]; /* size of x */
  int64_t kernel[APUS_MAX_SPATIAL_RANK];
  int64_t stride[APUS_MAX_SPATIAL_RANK];
  int64_t dilation[APUS_MAX_SPATIAL_RANK];
  int64_t pad_before[APUS_MAX_SPATIAL_RANK], pad_after[APUS_MAX_SPATIAL_RANK];
  int64_t output_padding[APUS_MAX_SPATIAL_RANK]; /* transposed: rows added to the end of y, less than the stride */
  int32_t transposed; /* 1: the transpose of the convolution from y's shape to x's ("deconvolution"); x has in_channels,
                         y has out_channels and the size (N - 1) S - before - after + D (F - 1) + 1 + output_padding.
                         Weights are in the order (C, K / groups, taps) */
  int32_t rounding;   /* APUS_ROUND_FLOOR or APUS_ROUND_STRICT; transposed, STRICT refuses an output_padding: the plain
                         convolution from y's shape to x's would leave it over */
  int32_t x_layout;   /* APUS_LAYOUT_...: of x and dx */
  int32_t y_layout;   /* of y, dy and residual */
  int32_t bias;       /* 1: forward adds bias (K numbers), backward by weights gives db */
  int32_t residual;   /* 1: forward adds a tensor of y's shape and layout before the activation */
  int32_t activation; /* APUS_ACTIVATION_..., forward only: the caller takes dy back through it before backward */
  int32_t algorithm;  /* APUS_CONV_AUTO or one of apus_conv_algorithms */
  double slope;       /* of leaky ReLU and ELU: no NaN then */
  int32_t flags;      /* APUS_CONV_... flags */
  int32_t reserved;
} apus_conv_desc;

/* Fills in a plain convolution: batch 1, one group, stride and dilation 1, no padding, NHWC, floor, no bias. input and
 * kernel have spatial_rank numbers. INVALID_ARGUMENT: NULL, a rank outside 1..3. */
apus_status apus_conv_desc_init(apus_conv_desc *desc, int32_t dtype, int32_t spatial_rank, int64_t in_channels,
                                int64_t out_channels, const int64_t *input, const int64_t *kernel);

/* Sets pad_before and pad_after by rule (APUS_PADDING_...) from input, kernel, stride and dilation.
 * INVALID_ARGUMENT: an unknown rule, a transposed convolution with SAME, sizes below 1. */
apus_status apus_conv_desc_set_padding(apus_conv_desc *desc, int32_t padding);

/* The spatial size of y: spatial_rank numbers. INVALID_ARGUMENT: any rule that the description breaks. */
apus_status apus_conv_output_shape(const apus_conv_desc *desc, int64_t *shape);

/* Elements of the weights and, where desc->bias is 1, of the bias. INVALID_ARGUMENT as above. */
apus_status apus_conv_parameter_count(const apus_conv_desc *desc, int64_t *count);

/* The algorithms that can do a problem in a direction (APUS_FORWARD, ...), best first: *count gets how many there are, and
 * the first capacity of them go to algorithms (may be NULL if capacity is 0). The list depends on the problem and the
 * instruction set, never on batch or threads. */
apus_status apus_conv_algorithms(const apus_context *context, const apus_conv_desc *desc, int32_t direction,
                                 int32_t *algorithms, int32_t capacity, int32_t *count);

/* The name of an algorithm: "direct". "unknown" for any other number. The text is static. Never fails. */
const char *apus_conv_algorithm_name(int32_t algorithm);

/* A planned convolution in one direction: validated, algorithm chosen, immutable; usable by many threads at once. */
typedef struct apus_conv_plan apus_conv_plan;

/* Plans. The instruction set is the context's and stays with the plan. *plan is set only on success.
 * INVALID_ARGUMENT: a rule that the description breaks, an unknown direction; the message names argument and value.
 * UNSUPPORTED: a reserved dtype, an algorithm that cannot do the problem (the message lists those that can), a kernel of
 * more than 2^20 taps, strides whose product is above 2^16 in backward by data (transposed: forward). */
apus_status apus_conv_plan_create(const apus_context *context, const apus_conv_desc *desc, int32_t direction,
                                  apus_conv_plan **plan);
void apus_conv_plan_destroy(apus_conv_plan *plan);

typedef struct apus_conv_info {
  size_t struct_size;
  double flops;                 /* of one run, taps in the padding counted; a multiply-add counts as two */
  double bytes;                 /* read and written at least: every tensor once */
  int64_t scratch_bytes;        /* what a run with this context's threads takes if the caller passes scratch: a few
                                   rows of the tensors for each thread, and the packed weights unless they are given */
  int64_t packed_weights_bytes; /* size of packed weights (with or without the flag) */
  int64_t output[APUS_MAX_SPATIAL_RANK]; /* spatial size of y */
  int32_t algorithm, isa, threads;
  int32_t reserved;
} apus_conv_info;
apus_status apus_conv_plan_get_info(const apus_context *context, const apus_conv_plan *plan, apus_conv_info *info);

/* As apus_gemm_plan_describe. */
apus_status apus_conv_plan_describe(const apus_conv_plan *plan, char *text, size_t capacity, size_t *needed);

/* Weights from their order (K, C / groups, taps) into the plan's own form, and back. packed has packed_weights_bytes and
 * any alignment (64 is fastest). The form is position independent and may be stored. It serves every plan of the same
 * type, instruction set, algorithm, direction, channels, groups and kernel (forward and backward by weights share theirs,
 * and so do direct and implicit GEMM; backward by data also has stride, dilation and padding in its form); any other plan
 * refuses it with ERROR_MISMATCH. Winograd's form has five times the weights' size and is no gradient's; weights come
 * back from every form bit for bit. A packed gradient whose plan has the algorithm of the forward one (but for planes) has the
 * form of its packed weights, element for element, so that an update that treats all alike may run on the packed bytes behind the
 * first 64. */
apus_status apus_conv_pack_weights(const apus_context *context, const apus_conv_plan *plan, const void *weights,
                                   void *packed, size_t packed_bytes);
apus_status apus_conv_unpack_weights(const apus_context *context, const apus_conv_plan *plan, const void *packed,
                                     void *weights);

typedef struct apus_conv_args {
  size_t struct_size;
  const void *x;        /* forward, backward by weights */
  const void *weights;  /* forward, backward by data */
  const void *bias;     /* forward */
  const void *residual; /* forward; may be y itself */
  void *y;              /* forward: the result */
  const void *dy;       /* backward */
  void *dx;             /* backward by data: the result */
  void *dw;             /* backward by weights: the result */
  void *db;             /* backward by weights, where desc->bias is 1: the result */
  int32_t accumulate;   /* 1: results are added to what the tensors hold (forward: before the activation) */
  int32_t reserved;
  void *scratch;        /* NULL: from the engine's per-thread buffers */
  size_t scratch_bytes; /* at least scratch_bytes of apus_conv_plan_get_info with the same context */
} apus_conv_args;

/* struct_size, all else 0. */
apus_status apus_conv_args_init(apus_conv_args *args);

/* Runs a plan. Pointers that the direction does not use are ignored. Allocates nothing (but each thread's buffer at its
 * first use, where scratch is NULL). context says back end and threads; the instruction set is the plan's.
 * INVALID_ARGUMENT: NULL where data are needed, scratch that is too small. MISMATCH: weights packed for another plan. */
apus_status apus_conv_run(const apus_context *context, const apus_conv_plan *plan, const apus_conv_args *args);
/* ------------------------------------------------------------------------------------------------ pooling */

/* What a window's elements become.
 *   MAX                      the largest; NaN is larger than all others. +0 and -0 are equal
 *   AVERAGE                  the mean of the elements that lie in the input
 *   AVERAGE_INCLUDE_PADDING  the sum divided by the size of the window, padding included; a window that hangs
 *                            over the padding (rounding up) is cut there, as PyTorch does
 *   LP                       (sum |x|^p)^(1/p) of the elements that lie in the input, with p = norm. The powers and
 *                            their sum are numbers of dtype: where they overflow or underflow, y is infinite or 0
 *                            and the gradient as far off, though never NaN from finite numbers. With p = 2
 *                            magnitudes of 1e-18 to 1e18 are safe in float32, of 1e-153 to 1e153 in float64
 * An average and LP add the elements of a window by chains of at most 256, in the input's order or (NCHW) by columns and
 * lanes first, the sums of 256 chains to one more, and those to the whole; a chain ends with its slice, and at the latest with
 * a row of more than 128. The sum of n elements is within n eps of the sum of their magnitudes, and of a large window in one
 * or two dimensions within (n / 32768 + 1100) eps. */
enum { APUS_POOL_MAX = 0, APUS_POOL_AVERAGE = 1, APUS_POOL_AVERAGE_INCLUDE_PADDING = 2, APUS_POOL_LP = 3 };

/* Directions of pooling plans, beside APUS_FORWARD and APUS_BACKWARD_DATA; for APUS_POOL_MAX only. */
enum {
  APUS_POOL_UNPOOL = 16,         /* x from y and indices: zero where no index points to */
  APUS_POOL_UNPOOL_BACKWARD = 17 /* dy from dx and indices */
};

/* Pooling of dense tensors: x has batch x channels planes of input[], y as many of the output's size; each plane is
 * pooled alone. Where an array has a number for each spatial dimension, see APUS_LAYOUT_NCHW. */
typedef struct apus_pool_desc {
  size_t struct_size;
  int32_t dtype;        /* APUS_FLOAT32 or APUS_FLOAT64: of x, y, dx and dy */
  int32_t spatial_rank; /* 1 to 3 */
  int32_t kind;         /* APUS_POOL_... */
  int32_t layout;       /* APUS_LAYOUT_..., of all tensors */
  int32_t rounding;     /* APUS_ROUND_... */
  int32_t adaptive;     /* 1: output[] is given, window i covers floor(i in / out) to ceil((i + 1) in / out) - 1; window,
                           stride and rounding are not read, dilation must be 1 and padding 0 */
  int32_t index_type;   /* APUS_INT32 or APUS_INT64: of the indices of a maximum */
  int32_t reserved;
  int64_t batch, channels;
  int64_t input[APUS_MAX_SPATIAL_RANK];
  int64_t output[APUS_MAX_SPATIAL_RANK]; /* read if adaptive is 1 */
  int64_t window[APUS_MAX_SPATIAL_RANK];
  int64_t stride[APUS_MAX_SPATIAL_RANK];
  int64_t dilation[APUS_MAX_SPATIAL_RANK]; /* distance between the elements of a window; 1 unless kind is MAX */
  int64_t pad_before[APUS_MAX_SPATIAL_RANK];
  int64_t pad_after[APUS_MAX_SPATIAL_RANK];
  double norm; /* p of LP, above 0 */
} apus_pool_desc;

/* Fills in a problem in NCHW with stride = window, dilation 1, no padding, FLOOR, int32 indices and norm 2; every field
 * may be changed afterwards. input and window have spatial_rank numbers.
 * INVALID_ARGUMENT: NULL, a spatial_rank outside 1..3. The other rules are the plan's. */
apus_status apus_pool_desc_init(apus_pool_desc *desc, int32_t dtype, int32_t kind, int32_t spatial_rank, int64_t batch,
                                int64_t channels, const int64_t *input, const int64_t *window);

/* Sets pad_before and pad_after by APUS_PADDING_VALID or APUS_PADDING_SAME from input, window, stride and dilation.
 * INVALID_ARGUMENT: NULL, an unknown padding, sizes of which none is computed. */
apus_status apus_pool_desc_set_padding(apus_pool_desc *desc, int32_t padding);

/* Makes the window the whole input, without padding: one output for each plane. INVALID_ARGUMENT: NULL, a spatial_rank
 * outside 1..3. */
apus_status apus_pool_desc_set_global(apus_pool_desc *desc);

/* The size of the output along each spatial dimension into output, which has room for spatial_rank numbers.
 * INVALID_ARGUMENT as for apus_pool_plan_create. */
apus_status apus_pool_output_shape(const apus_pool_desc *desc, int64_t *output);

/* A planned pooling: validated, algorithm chosen, immutable; usable by many threads at once. */
typedef struct apus_pool_plan apus_pool_plan;

/* Plans a direction: APUS_FORWARD, APUS_BACKWARD_DATA, APUS_POOL_UNPOOL or APUS_POOL_UNPOOL_BACKWARD. The instruction set
 * is the context's and stays with the plan. *plan is set only on success. Allocates the plan and its tables: 8 bytes for
 * each position of input and output along each dimension and, where an average's divisor is not the same everywhere, one
 * plane of the output. A batch of 0 is legal, and so are 0 channels.
 * INVALID_ARGUMENT: an unknown number in a field; a size outside of 1..INT32_MAX, a negative batch; a window that spans
 * more than the padded input; padding or rounding that leaves a window without an element of the input (so pad_before is
 * below the window's span); dilation other than 1 unless kind is MAX; STRICT rounding with a stride that does not divide;
 * a norm that is not a number above 0; sizes in bytes that overflow; unpooling of another kind than MAX.
 * UNSUPPORTED: a reserved dtype; more than 2^26 positions along a dimension; a maximum of planes with more than
 * INT32_MAX positions, unless dtype is float64 and index_type int64. OUT_OF_MEMORY: the tables were refused. */
apus_status apus_pool_plan_create(const apus_context *context, const apus_pool_desc *desc, int32_t direction,
                                  apus_pool_plan **plan);
/* Frees a plan; NULL is legal. */
void apus_pool_plan_destroy(apus_pool_plan *plan);

typedef struct apus_pool_plan_info {
  size_t struct_size;
  double flops;          /* of one run: one for each element of each window, padding counted; at least one for each
                            element of x; of unpooling 0 */
  double bytes;          /* read and written at least: every operand that a run cannot do without once */
  int64_t scratch_bytes; /* what a run with this context's threads takes if the caller passes scratch */
  int64_t output[APUS_MAX_SPATIAL_RANK];
  int32_t isa, threads;
} apus_pool_plan_info;
apus_status apus_pool_plan_get_info(const apus_context *context, const apus_pool_plan *plan, apus_pool_plan_info *info);

/* As apus_gemm_plan_describe. */
apus_status apus_pool_plan_describe(const apus_pool_plan *plan, char *text, size_t capacity, size_t *needed);

/* The data of a run. By direction, what is read and what is written:
 *   FORWARD          reads x; writes y and, of a maximum where indices is not NULL, the indices
 *   BACKWARD_DATA    writes dx from dy. MAX reads indices too or, where they are NULL, x, in which it finds the same ones
 *                    (the gradient is the same); LP reads x and y. AVERAGE reads nothing else
 *   UNPOOL           reads y and indices; writes x. Of several elements with one index the last one, in memory, counts
 *   UNPOOL_BACKWARD  reads dx and indices; writes dy
 * x and dx are input-shaped; y, dy and indices output-shaped. An index is the position of the maximum in its plane,
 * (d * H + h) * W + w in both layouts: of several equal maxima the first, of NaN the first. BACKWARD_DATA takes an index
 * to lie in its own window: one that does not is not used. UNPOOL and UNPOOL_BACKWARD take any position of the plane.
 * The gradient of LP is 0 where x is; that of MAX goes to the one element of the index. */
typedef struct apus_pool_args {
  size_t struct_size;
  void *x;
  void *y;
  void *indices; /* of the plan's index_type */
  void *dy;
  void *dx;
  int32_t accumulate; /* 1: BACKWARD_DATA adds to dx, UNPOOL_BACKWARD to dy; 0: they overwrite. 0 in other directions */
  int32_t reserved;
  void *scratch;        /* NULL: from the engine's per-thread buffers */
  size_t scratch_bytes; /* at least scratch_bytes of apus_pool_plan_get_info with the same context */
} apus_pool_args;

/* struct_size, all pointers NULL, numbers 0. INVALID_ARGUMENT: NULL. */
apus_status apus_pool_args_init(apus_pool_args *args);

/* Runs a plan. Allocates nothing (but each thread's buffer at its first use, where scratch is NULL and one is needed).
 * context says back end and threads; the instruction set is the plan's. A result has the same bits for any number of
 * threads, any back end and any alignment, and a sample the same bits whatever batch is around it. What is written may
 * overlap nothing that is read.
 * INVALID_ARGUMENT: NULL where data are needed; indices given to another kind than MAX; accumulate where no gradient is
 * written; scratch that is too small; UNPOOL and UNPOOL_BACKWARD: an index outside of the plane (all are looked at before
 * anything is written). */
apus_status apus_pool_run(const apus_context *context, const apus_pool_plan *plan, const apus_pool_args *args);

/* ------------------------------------------------------------------------------------------ recurrent layers */

/* Cells. x is a step's input, h (and c) the state before the step, h' (and c') the one after it; W and U are the input's
 * and the recurrent weights of a gate, b and d their biases; * multiplies element by element, s is the sigmoid.
 *   RNN_TANH          h' = tanh(W x + b + U h + d)
 *   RNN_RELU          h' = max(0, W x + b + U h + d)
 *   LSTM              i = s(Wi x + bi + Ui h + di + pi * c)      f = s(Wf x + bf + Uf h + df + pf * c)
 *                     g = tanh(Wg x + bg + Ug h + dg)            c' = clip(f * c + i * g)
 *                     o = s(Wo x + bo + Uo h + do + po * c')     h' = o * tanh(c'), or P (o * tanh(c')) with a projection
 *                     (pi, pf, po: peepholes, if there are any; clip: to -cell_clip..cell_clip, if that is above 0)
 *   GRU               r = s(Wr x + br + Ur h + dr)               z = s(Wz x + bz + Uz h + dz)
 *                     n = tanh(Wn x + bn + r * (Un h + dn))      h' = (1 - z) * n + z * h
 *   GRU_RESET_BEFORE  as GRU, but n = tanh(Wn x + bn + Un (r * h) + dn)
 * GRU is what PyTorch, cuDNN, Keras (reset_after) and ONNX (linear_before_reset = 1) compute; GRU_RESET_BEFORE is the
 * definition of the paper (K. Cho et al., 2014) and ONNX's default. Orders of gates: i, f, g, o and r, z, n. */
enum {
  APUS_RNN_TANH = 0,
  APUS_RNN_RELU = 1,
  APUS_RNN_LSTM = 2,
  APUS_RNN_GRU = 3,
  APUS_RNN_GRU_RESET_BEFORE = 4
};

/* In which order every layer takes the steps. */
enum {
  APUS_RNN_FORWARD = 0,
  APUS_RNN_REVERSE = 1,
  APUS_RNN_BIDIRECTIONAL = 2,    /* both, their outputs side by side: forward's first */
  APUS_RNN_BIDIRECTIONAL_SUM = 3 /* both, their outputs added */
};

/* What a plan is for. INFERENCE saves nothing; TRAINING fills a workspace for apus_rnn_backward. */
enum { APUS_RNN_INFERENCE = 0, APUS_RNN_TRAINING = 1 };

/* Properties, combined with |. */
enum {
  APUS_RNN_PEEPHOLES = 1,  /* LSTM */
  APUS_RNN_BATCH_MAJOR = 2 /* x, y, dx and dy are (B, T, size) rather than (T, B, size) */
};

/* The tensors of a recurrence (one direction of one layer). All lie one after the other in one buffer of parameters,
 * layer by layer, direction by direction, in this order; G is the number of gates (1, 4 or 3), I the size of the layer's
 * input, S the size of h. This is the order of PyTorch's flat weights. */
enum {
  APUS_RNN_WEIGHT_INPUT = 0,     /* G * H rows of I: gate by gate */
  APUS_RNN_WEIGHT_RECURRENT = 1, /* G * H rows of S */
  APUS_RNN_BIAS_INPUT = 2,       /* G * H numbers, if biases is 1 or 2 */
  APUS_RNN_BIAS_RECURRENT = 3,   /* G * H numbers, if biases is 2 */
  APUS_RNN_PROJECTION = 4,       /* S rows of H, if projection is above 0 */
  APUS_RNN_PEEPHOLE = 5          /* 3 rows of H: i, f, o, with APUS_RNN_PEEPHOLES */
};

/* Layers over sequences: T = steps, B = batch, I = input, H = hidden, L = layers, D = 1 or 2 directions,
 * S = projection if that is above 0, else H. */
typedef struct apus_rnn_desc {
  size_t struct_size;
  int32_t dtype;     /* APUS_FLOAT32 or APUS_FLOAT64: of every tensor */
  int32_t cell;      /* APUS_RNN_TANH ... */
  int32_t direction; /* APUS_RNN_FORWARD ... */
  int32_t biases;    /* 0, 1 or 2 */
  int32_t flags;
  int32_t reserved;
  int64_t layers;    /* each takes the outputs of the one before, D * S numbers (S if the directions are added) */
  int64_t steps, batch, input, hidden; /* a batch of 0 is legal */
  int64_t projection; /* LSTM: size of h, less than hidden; 0: none */
  double cell_clip;   /* LSTM: bound of c; 0: none. The gradient by a c that was clipped is 0 */
} apus_rnn_desc;

/* Fills in one layer, forward, time-major, with two biases; every field may be changed afterwards.
 * INVALID_ARGUMENT: NULL. The other rules are the plan's. */
apus_status apus_rnn_desc_init(apus_rnn_desc *desc, int32_t dtype, int32_t cell, int64_t steps, int64_t batch,
                               int64_t input, int64_t hidden);

/* Elements of all parameters into *count. INVALID_ARGUMENT, UNSUPPORTED as for apus_rnn_plan_create. */
apus_status apus_rnn_parameter_count(const apus_rnn_desc *desc, int64_t *count);

/* Where a tensor of a recurrence lies among the parameters: its first element's index, rows and columns (a bias has one
 * column); each of the three pointers may be NULL. A tensor that the description does without has 0 rows.
 * INVALID_ARGUMENT as above, and for a layer, direction or parameter that there is not. */
apus_status apus_rnn_parameter(const apus_rnn_desc *desc, int64_t layer, int32_t direction, int32_t parameter,
                               int64_t *offset, int64_t *rows, int64_t *columns);

/* Weights as others keep them. Orders of gates (LSTM; GRU), shapes, biases:
 *   ONNX    i o f c; z r h.  weight (G * H, I), recurrence (G * H, S), bias (2, G * H), peephole (3, H) as i o f
 *   ONEDNN  i f c o; u r o.  weights_layer (I, G, H), weights_iter (S, G, H): format ldigo; bias (G, H), of GRU (4, H), whose
 *                            last row is the recurrent bias of the last gate; projection (H, S); peephole (3, H) as i f o
 *   KERAS   i f c o; z r h.  kernel (I, G * H), recurrent_kernel (H, G * H), bias (G * H), of GRU (2, G * H)
 *   CUDNN   i f c o; r z h.  as here: weights (G * H, I) and (G * H, S), bias (2, G * H), projection (S, H) */
enum { APUS_RNN_FORMAT_ONNX = 1, APUS_RNN_FORMAT_ONEDNN = 2, APUS_RNN_FORMAT_KERAS = 3, APUS_RNN_FORMAT_CUDNN = 4 };

/* One recurrence's weights in another format. Pointers to what the description does without are not read. */
typedef struct apus_rnn_weights {
  size_t struct_size;
  int32_t format; /* APUS_RNN_FORMAT_... */
  int32_t reserved;
  void *input;
  void *recurrent;
  void *bias; /* both biases, as the format has them */
  void *projection;
  void *peephole;
} apus_rnn_weights;

/* struct_size, the format, all pointers NULL. INVALID_ARGUMENT: NULL. */
apus_status apus_rnn_weights_init(apus_rnn_weights *weights, int32_t format);

/* Copies one recurrence's weights from another format into the parameters, and back. Where the format has one bias and
 * the description two, import puts it into the first and zeros into the second, and export writes their sum; where the
 * format has two and the description one, import adds them (of a GRU only if the second one of gate n is zero, because the
 * reset stands between the two), and export writes zeros for the second.
 * INVALID_ARGUMENT: NULL where the description has a tensor, an unknown layer, direction or format. UNSUPPORTED: a
 * projection or peepholes in a format that has none. Nothing is written then. */
apus_status apus_rnn_import_weights(const apus_rnn_desc *desc, int64_t layer, int32_t direction,
                                    const apus_rnn_weights *weights, void *parameters);
apus_status apus_rnn_export_weights(const apus_rnn_desc *desc, int64_t layer, int32_t direction, const void *parameters,
                                    const apus_rnn_weights *weights);

/* Planned layers: validated, immutable; usable by many threads at once. */
typedef struct apus_rnn_plan apus_rnn_plan;

/* Plans. mode is APUS_RNN_INFERENCE or APUS_RNN_TRAINING. The instruction set is the context's and stays with the plan.
 * *plan is set only on success. Allocates the plan alone.
 * INVALID_ARGUMENT: an unknown number in a field; a size that is negative or above INT32_MAX, or 0 except batch and
 * projection; a projection, peepholes or cell_clip with another cell than LSTM; a projection that is not less than hidden;
 * sizes in bytes that overflow. UNSUPPORTED: a reserved dtype. */
apus_status apus_rnn_plan_create(const apus_context *context, const apus_rnn_desc *desc, int32_t mode,
                                 apus_rnn_plan **plan);
/* Frees a plan; NULL is legal. */
void apus_rnn_plan_destroy(apus_rnn_plan *plan);

typedef struct apus_rnn_plan_info {
  size_t struct_size;
  double flops;            /* of a forward run's products; a multiply-add counts as two */
  double backward_flops;   /* of a backward run's, with all gradients */
  double bytes;            /* that a forward run reads and writes at least: parameters, x and y once */
  int64_t scratch_bytes;   /* what a run with this context's threads takes if the caller passes scratch */
  int64_t workspace_bytes; /* what a forward run in training saves; 0 for inference */
  int64_t packed_bytes;    /* size of the packed weights */
  int64_t parameter_count; /* elements */
  int32_t isa, threads;
} apus_rnn_plan_info;
apus_status apus_rnn_plan_get_info(const apus_context *context, const apus_rnn_plan *plan, apus_rnn_plan_info *info);

/* As apus_gemm_plan_describe. */
apus_status apus_rnn_plan_describe(const apus_rnn_plan *plan, char *text, size_t capacity, size_t *needed);

/* Packs all parameters into the engine's own form: packed has room for packed_bytes, any alignment (64 is fastest). The
 * buffer is position independent and may be stored; it serves plans of the same type, instruction set, cell, sizes,
 * layers, directions, biases and peepholes, whatever their steps and batch; what a training plan packed serves inference
 * too, with the same bits. Any other plan's run refuses it with ERROR_MISMATCH.
 * INVALID_ARGUMENT: NULL, too little room. */
apus_status apus_rnn_pack(const apus_context *context, const apus_rnn_plan *plan, const void *parameters, void *packed,
                          size_t packed_bytes);

/* The data of a run. Tensors are dense. */
typedef struct apus_rnn_args {
  size_t struct_size;
  const void *parameters;    /* not read where packed is given; else each run packs them into its scratch */
  const void *packed;        /* made by apus_rnn_pack, or NULL */
  const void *x;             /* (T, B, I), or (B, T, I) */
  const int64_t *lengths;    /* B numbers, 0 to T: steps of each sequence, the rest is padding; NULL: T */
  const void *h0, *c0;       /* (L * D, B, S) and (L * D, B, H): states before the first step; NULL: zeros. c: LSTM only */
  void *y;                   /* forward: (T, B, D * S), or (T, B, S) if the directions are added, or batch-major; NULL: not
                                wanted. Padding is not written */
  void *hn, *cn;             /* forward: states after each sequence's last step in the direction of the recurrence, as h0
                                and c0, which they may be; NULL: not wanted */
  void *workspace;           /* training: workspace_bytes, filled by forward, read by backward, any alignment */
  size_t workspace_bytes;
  const void *dy;            /* backward: gradient by y; NULL: zero. Padding is not read */
  const uint8_t *dy_steps;   /* backward: T flags; where one is 0, dy of that step is zero and is not read; NULL: all 1 */
  const void *dhn, *dcn;     /* backward: gradients by hn and cn; NULL: zero */
  void *dx, *dh0, *dc0;      /* backward: gradients; NULL: not wanted. Padding of dx is zero (accumulating: as it was) */
  void *dparameters;         /* backward: gradients of all parameters, in their order; NULL: not wanted */
  int32_t accumulate;        /* 1: gradients are added to what their tensors hold; 0: they overwrite it */
  int32_t reserved;
  void *scratch;             /* NULL: from the engine's per-thread buffers */
  size_t scratch_bytes;      /* at least scratch_bytes of apus_rnn_plan_get_info with the same context */
} apus_rnn_args;

/* struct_size, all pointers NULL, numbers 0. INVALID_ARGUMENT: NULL. */
apus_status apus_rnn_args_init(apus_rnn_args *args);

/* Runs the layers forward: from parameters (or packed), x, lengths, h0 and c0 to y, hn, cn and, in training, the workspace.
 * A plan with steps = 1 is a single step for streaming and decoding; hn = h0 (and cn = c0) then updates the state in place.
 * Allocates nothing (but each thread's buffer at its first use, where scratch is NULL). context says back end and threads;
 * the instruction set is the plan's. Results have the same bits for any number of threads, any back end and any alignment;
 * a sequence the same bits whatever batch is around it, and in windows, state carried over, the same as in one piece.
 * What is written may overlap nothing that is read, but for hn and cn. Padding of x may hold anything, NaN too.
 * INVALID_ARGUMENT: NULL where data are needed, a length outside of 0..T, c0, cn, dc0 or dcn with another cell than LSTM,
 * a workspace or scratch that is too small. MISMATCH: weights packed for another plan. Nothing is written then. */
apus_status apus_rnn_forward(const apus_context *context, const apus_rnn_plan *plan, const apus_rnn_args *args);

/* Runs the layers backward through time: from dy, dhn and dcn to dx, dh0, dc0 and dparameters, with the x, lengths and
 * parameters (or packed) of the forward run and the workspace that it filled, which stays as it is. Truncated
 * backpropagation cuts a sequence into windows and carries hn and cn over; backpropagation through all windows gives a
 * window's dh0 and dc0 to the one before as dhn and dcn. dx and the state gradients of a sequence have the same bits
 * whatever batch is around it; gradients of parameters are sums over steps and batch, and have the same bits for any number
 * of threads. With biases = 2 both have the same gradient, except for gate n of GRU.
 * As apus_rnn_forward; UNSUPPORTED: a plan for inference; MISMATCH: a workspace that no forward run of such a plan filled. */
apus_status apus_rnn_backward(const apus_context *context, const apus_rnn_plan *plan, const apus_rnn_args *args);
/* ------------------------------------------------------------------------------- functions of every element */

/* The families from here on have no plans: a description is checked at each call, which costs some nanoseconds, and holds
 * nothing. Calls allocate nothing but each thread's buffer at its first use. Results have the same bits for any number of
 * threads, any back end and any alignment. Tensors are dense unless an apus_tensor describes them. Where an output may be an
 * input, it is the same pointer: partial overlaps are errors that are not noticed.
 * Every call: INVALID_ARGUMENT for NULL where elements are needed, negative sizes, sizes in bytes that overflow;
 * UNSUPPORTED for a reserved dtype; OUT_OF_MEMORY where a thread's buffer is refused. Nothing has been written then. */

/* Activations beyond those that products apply themselves (APUS_ACTIVATION_NONE to _TANH above), with alpha and beta:
 *   leaky ReLU    x < 0: alpha x (0.01)                       ELU         x < 0: alpha (e^x - 1)  (1)
 *   SELU          1.0507 x, x < 0: 1.0507 1.6733 (e^x - 1)    CELU        x < 0: alpha (e^(x / alpha) - 1)  (1)
 *   SOFTPLUS      log(1 + e^(alpha x)) / alpha  (1)           SOFTSIGN    x / (1 + |x|)
 *   HARD_SIGMOID  x / 6 + 1/2 within 0..1                     HARD_TANH   x within alpha..beta  (-1, 1)
 *   HARD_SWISH    x hard_sigmoid(x)                           SILU        x sigmoid(x)
 *   GELU          x (1 + erf(x / sqrt 2)) / 2                 GELU_TANH   x sigmoid(2 sqrt(2/pi) (x + 0.044715 x^3))
 *   MISH          x tanh(log(1 + e^x))                        CLAMP       x within alpha..beta  (0, 1)
 * exp, log, erf, tanh, sigmoid and softplus (of alpha 1) are within 2 ulp in float32, and in float64 within 2.5. */
enum {
  APUS_ACTIVATION_SELU = 6,
  APUS_ACTIVATION_CELU = 7,
  APUS_ACTIVATION_SOFTPLUS = 8,
  APUS_ACTIVATION_SOFTSIGN = 9,
  APUS_ACTIVATION_HARD_SIGMOID = 10,
  APUS_ACTIVATION_HARD_TANH = 11,
  APUS_ACTIVATION_HARD_SWISH = 12,
  APUS_ACTIVATION_SILU = 13,
  APUS_ACTIVATION_GELU = 14,
  APUS_ACTIVATION_GELU_TANH = 15,
  APUS_ACTIVATION_MISH = 16,
  APUS_ACTIVATION_CLAMP = 17
};

/* Other functions; AFFINE is alpha x + beta, SIGN is -1, 0 or 1. */
enum {
  APUS_FUNCTION_EXP = 32,
  APUS_FUNCTION_LOG = 33,
  APUS_FUNCTION_SQRT = 34,
  APUS_FUNCTION_ABS = 35,
  APUS_FUNCTION_NEGATE = 36,
  APUS_FUNCTION_SQUARE = 37,
  APUS_FUNCTION_RECIPROCAL = 38,
  APUS_FUNCTION_SIGN = 39,
  APUS_FUNCTION_EXPM1 = 40,
  APUS_FUNCTION_ERF = 41,
  APUS_FUNCTION_AFFINE = 42
};

typedef struct apus_elementwise_desc {
  size_t struct_size;
  int32_t dtype;
  int32_t function; /* APUS_ACTIVATION_... or APUS_FUNCTION_... */
  int64_t count;    /* elements */
  double alpha, beta;
  int32_t from_output; /* backward only: 1: saved is y, 0: it is x */
  int32_t accumulate;  /* backward only: 1: added to dx */
} apus_elementwise_desc;

/* Fills in a function with its usual alpha and beta. INVALID_ARGUMENT: NULL. */
apus_status apus_elementwise_desc_init(apus_elementwise_desc *desc, int32_t dtype, int32_t function, int64_t count);

/* y = f(x); y may be x.
 * INVALID_ARGUMENT: alpha of CELU and SOFTPLUS that is not above 0; alpha above beta of HARD_TANH and CLAMP. */
apus_status apus_elementwise_forward(const apus_context *context, const apus_elementwise_desc *desc, const void *x, void *y);

/* dx = f'(x) dy. saved is forward's x or, with from_output, its y; dx may be dy or saved. The output tells the gradient of NONE,
 * RELU, LEAKY_RELU and ELU with alpha >= 0, SIGMOID, TANH, SELU, CELU, SOFTPLUS, SOFTSIGN, HARD_SIGMOID, HARD_TANH, CLAMP, EXP and
 * SQRT; others refuse from_output with INVALID_ARGUMENT. At a corner the gradient is that of the flat side, for leaky ReLU, ELU
 * and their like that of x > 0. NaN in saved makes NaN, but of those with a corner at 0 (except ReLU), which let dy pass. */
apus_status apus_elementwise_backward(const apus_context *context, const apus_elementwise_desc *desc, const void *saved,
                                      const void *dy, void *dx);

/* PReLU: x < 0: slope x, with a slope for each channel; x is outer x channels x inner elements. y may be x. */
apus_status apus_prelu_forward(const apus_context *context, int32_t dtype, int64_t outer, int64_t channels, int64_t inner,
                               const void *x, const void *slopes, void *y);
/* dx, and the slopes' gradient, added up in the order of outer. dx may be dy. */
apus_status apus_prelu_backward(const apus_context *context, int32_t dtype, int64_t outer, int64_t channels, int64_t inner,
                                const void *x, const void *slopes, const void *dy, void *dx, void *dslopes);

/* ------------------------------------------------------------------------------------------------ softmax */

/* e^x over the sum of e^x along one axis of outer x size x inner elements, or its logarithm. The largest element is taken away
 * first: finite arguments of any size give finite results. An element's error is within (size / 64 + 16) eps of it. */
typedef struct apus_softmax_desc {
  size_t struct_size;
  int32_t dtype;
  int32_t logarithm; /* 1: the logarithm of softmax */
  int64_t outer, size, inner;
} apus_softmax_desc;

/* The axis of a dense tensor with rank sizes; axis -1 is the last one. INVALID_ARGUMENT: NULL, an axis outside of -rank..rank-1. */
apus_status apus_softmax_desc_init(apus_softmax_desc *desc, int32_t dtype, int32_t rank, const int64_t *shape, int32_t axis);

/* y from x; y may be x. */
apus_status apus_softmax_forward(const apus_context *context, const apus_softmax_desc *desc, const void *x, void *y);
/* dx from forward's y and dy; dx may be dy. */
apus_status apus_softmax_backward(const apus_context *context, const apus_softmax_desc *desc, const void *y, const void *dy,
                                  void *dx);

/* ------------------------------------------------------------------------------------------------ normalisation */

/* y = (x - mean) / sqrt(variance + epsilon) gamma + beta, where mean and variance are those of
 *   BATCH     a channel over the batch (S. Ioffe, C. Szegedy, 2015)
 *   LAYER     a row (J. L. Ba et al., 2016)
 *   INSTANCE  a channel of a sample (D. Ulyanov et al., 2016)
 *   GROUP     a group of channels of a sample (Y. Wu, K. He, 2018)
 *   RMS       a row, with the mean taken for 0 (B. Zhang, R. Sennrich, 2019)
 * Variances are sums of squared deviations from the mean, never differences of large numbers. */
enum { APUS_NORM_BATCH = 0, APUS_NORM_LAYER = 1, APUS_NORM_INSTANCE = 2, APUS_NORM_GROUP = 3, APUS_NORM_RMS = 4 };

/* LAYER and RMS: batch rows of channels elements, positions 1, and gamma and beta have a number for each element. Others:
 * batch x channels planes of positions elements, or with NHWC batch x positions pixels of channels. */
typedef struct apus_norm_desc {
  size_t struct_size;
  int32_t dtype;
  int32_t kind;     /* APUS_NORM_... */
  int32_t layout;   /* APUS_LAYOUT_... */
  int32_t training; /* BATCH: 1: statistics of the batch, 0: the running ones. 1 for the others */
  int64_t batch, channels, positions;
  int64_t groups;   /* GROUP: divides channels */
  double epsilon;   /* 1e-5 */
  double momentum;  /* BATCH: running += momentum (batch's - running), the variance with n - 1; 0.1 */
} apus_norm_desc;

/* Fills in a normalisation of NCHW for training, with one group. INVALID_ARGUMENT: NULL. */
apus_status apus_norm_desc_init(apus_norm_desc *desc, int32_t dtype, int32_t kind, int64_t batch, int64_t channels,
                                int64_t positions);

/* Numbers of mean and of scale: channels, rows, batch * channels or batch * groups. INVALID_ARGUMENT as forward. */
apus_status apus_norm_statistics_count(const apus_norm_desc *desc, int64_t *count);

typedef struct apus_norm_args {
  size_t struct_size;
  const void *x;
  const void *gamma;      /* a number for each channel; NULL: 1 */
  const void *beta;       /* a number for each channel; NULL: 0. RMS takes one too */
  void *y;                /* forward: the result; may be x */
  void *mean;             /* forward: written if not NULL; backward: read (not by RMS) */
  void *scale;            /* 1 / sqrt(variance + epsilon), likewise */
  void *running_mean;     /* BATCH, a number for each channel: updated in training if not NULL, read otherwise */
  void *running_variance; /* likewise */
  const void *dy;         /* backward */
  void *dx;               /* backward: written if not NULL; may be dy */
  void *dgamma;           /* backward: written if not NULL */
  void *dbeta;            /* backward: written if not NULL */
} apus_norm_args;

/* struct_size, all pointers NULL. INVALID_ARGUMENT: NULL. */
apus_status apus_norm_args_init(apus_norm_args *args);

/* y, and the statistics. INVALID_ARGUMENT: groups that do not divide channels, positions of rows, epsilon below 0, momentum
 * outside of 0..1. */
apus_status apus_norm_forward(const apus_context *context, const apus_norm_desc *desc, const apus_norm_args *args);
/* dx, dgamma and dbeta, those that are not NULL, from x, dy, gamma, mean and scale. */
apus_status apus_norm_backward(const apus_context *context, const apus_norm_desc *desc, const apus_norm_args *args);

/* Folds a BATCH normalisation with running statistics (args: gamma, beta, running_mean, running_variance) into the convolution or
 * linear layer before it, whose weights are channels x per_channel: new_weights = weights gamma scale,
 * new_bias = (bias - mean) gamma scale + beta. bias may be NULL, for 0; the new ones may be the old ones. */
apus_status apus_norm_fold(const apus_norm_desc *desc, const apus_norm_args *args, int64_t per_channel, const void *weights,
                           const void *bias, void *new_weights, void *new_bias);

/* Local response normalisation across channels (A. Krizhevsky et al., 2012): y = x (k + alpha / size * sum of x^2)^-beta, the sum
 * over channels c - size / 2 to c - size / 2 + size - 1. */
typedef struct apus_lrn_desc {
  size_t struct_size;
  int32_t dtype;
  int32_t layout; /* APUS_LAYOUT_... */
  int64_t batch, channels, positions;
  int64_t size;          /* 5 */
  double alpha, beta, k; /* 1e-4, 0.75, 1 */
} apus_lrn_desc;
/* Fills in the usual numbers and NCHW. INVALID_ARGUMENT: NULL. */
apus_status apus_lrn_desc_init(apus_lrn_desc *desc, int32_t dtype, int64_t batch, int64_t channels, int64_t positions);
/* y from x; y may be x. INVALID_ARGUMENT: size outside of 1..2^20, k that is not above 0, alpha below 0. */
apus_status apus_lrn_forward(const apus_context *context, const apus_lrn_desc *desc, const void *x, void *y);
/* dx from x and dy; dx may be dy. */
apus_status apus_lrn_backward(const apus_context *context, const apus_lrn_desc *desc, const void *x, const void *dy, void *dx);

/* ------------------------------------------------------------------------- arithmetic with broadcasting */

/* y = f(a, b). Comparisons give 1 or 0; those with NaN are false, but for NOT_EQUAL. MINIMUM and MAXIMUM of NaN are NaN. POWER is
 * libm's pow (float32: powf), element by element. */
enum {
  APUS_BINARY_ADD = 0,
  APUS_BINARY_SUBTRACT = 1,
  APUS_BINARY_MULTIPLY = 2,
  APUS_BINARY_DIVIDE = 3,
  APUS_BINARY_POWER = 4,
  APUS_BINARY_MINIMUM = 5,
  APUS_BINARY_MAXIMUM = 6,
  APUS_BINARY_EQUAL = 7,
  APUS_BINARY_NOT_EQUAL = 8,
  APUS_BINARY_LESS = 9,
  APUS_BINARY_LESS_OR_EQUAL = 10,
  APUS_BINARY_GREATER = 11,
  APUS_BINARY_GREATER_OR_EQUAL = 12
};

/* Tensors of one dtype with any strides; 0 repeats. Sizes are compared from the last dimension on: a size of a source is that of
 * y or 1, and missing dimensions are 1. y may be a source with the same shape and strides; its elements must not overlap.
 * INVALID_ARGUMENT: shapes that do not broadcast to y's (the message has both), dtypes that differ. */
apus_status apus_binary(const apus_context *context, int32_t function, const apus_tensor *a_tensor, const void *a,
                        const apus_tensor *b_tensor, const void *b, const apus_tensor *y_tensor, void *y);
/* y = condition ? a : b, where a number that is not 0 (NaN is one) is true. */
apus_status apus_select(const apus_context *context, const apus_tensor *condition_tensor, const void *condition,
                        const apus_tensor *a_tensor, const void *a, const apus_tensor *b_tensor, const void *b,
                        const apus_tensor *y_tensor, void *y);

/* ------------------------------------------------------------------------- reductions, along axes, movement */

/* What elements become. The sums of a run are made in vectors by blocks of 1024 elements; runs of an axis are joined as doubles
 * (columns: by blocks of 128 rows in the data type), so a sum of n elements is within (n / 1024 + 64) eps of the sum of their
 * magnitudes, along columns within (n / 128 + 128) eps. VARIANCE is the mean squared distance from the mean, divided by the count
 * less correction; LOG_SUM_EXP takes the largest away first. */
enum {
  APUS_REDUCE_SUM = 0,
  APUS_REDUCE_MEAN = 1,
  APUS_REDUCE_MAX = 2,
  APUS_REDUCE_MIN = 3,
  APUS_REDUCE_VARIANCE = 4,
  APUS_REDUCE_NORM1 = 5,
  APUS_REDUCE_NORM2 = 6,
  APUS_REDUCE_LOG_SUM_EXP = 7
};

/* y from x, which has any strides; bit i of axes says that axis i is reduced. y is dense, with the sizes that are kept in their
 * order. correction is VARIANCE's. INVALID_ARGUMENT: a bit beyond x's axes, MAX and MIN of nothing. */
apus_status apus_reduce(const apus_context *context, int32_t reduction, int32_t axes, double correction,
                        const apus_tensor *x_tensor, const void *x, void *y);

/* The place of the first largest (least: 1, smallest) element along an axis, of the first NaN where there is one: x is
 * outer x size x inner, indices outer x inner of index_type. INVALID_ARGUMENT: size below 1 or beyond index_type. */
apus_status apus_argmax(const apus_context *context, int32_t dtype, int32_t least, int64_t outer, int64_t size, int64_t inner,
                        const void *x, int32_t index_type, void *indices);

/* Running sums along an axis of outer x size x inner elements, as doubles; reverse: from its end; exclusive: without the element
 * itself. y may be x. */
apus_status apus_cumulative_sum(const apus_context *context, int32_t dtype, int32_t reverse, int32_t exclusive, int64_t outer,
                                int64_t size, int64_t inner, const void *x, void *y);

/* y = x between views of any strides, x broadcast to y's shape and converted to its dtype (APUS_FLOAT32, _FLOAT64, _INT32,
 * _INT64; to integers towards zero, out of range to the nearest, NaN to 0). With views it permutes and slices. */
apus_status apus_copy(const apus_context *context, const apus_tensor *x_tensor, const void *x, const apus_tensor *y_tensor,
                      void *y);
/* Every element of a view of any strides; float32 and float64. */
apus_status apus_fill(const apus_context *context, double value, const apus_tensor *y_tensor, void *y);

/* y = count tensors x[i], one behind the other along an axis; views of any strides, converted as apus_copy does.
 * INVALID_ARGUMENT: shapes that differ elsewhere, or whose sizes along the axis do not add up to y's. All are looked at before
 * anything is written. */
apus_status apus_concatenate(const apus_context *context, int32_t axis, int64_t count, const apus_tensor *const *x_tensors,
                             const void *const *x, const apus_tensor *y_tensor, void *y);
/* The other way round: x's parts along an axis into count tensors y[i]. */
apus_status apus_split(const apus_context *context, int32_t axis, const apus_tensor *x_tensor, const void *x, int64_t count,
                       const apus_tensor *const *y_tensors, void *const *y);

/* What lies around a padded tensor. Along 0 1 2 3 with two elements on each side:
 *   CONSTANT   v v 0 1 2 3 v v    value
 *   REFLECT    2 1 0 1 2 3 2 1    less padding than elements
 *   REPLICATE  0 0 0 1 2 3 3 3    at least one element
 *   CIRCULAR   2 3 0 1 2 3 0 1    at most as much padding as elements */
enum { APUS_PAD_CONSTANT = 0, APUS_PAD_REFLECT = 1, APUS_PAD_REPLICATE = 2, APUS_PAD_CIRCULAR = 3 };
/* y = x with before[i] elements before it along dimension i, and behind it what y's shape has beyond; views of any strides that do
 * not overlap. float32 and float64; int32 and int64 too, but for CONSTANT. INVALID_ARGUMENT: shapes that do not fit, a padding
 * that the mode has not. */
apus_status apus_pad(const apus_context *context, int32_t mode, double value, const int64_t *before, const apus_tensor *x_tensor,
                     const void *x, const apus_tensor *y_tensor, void *y);
/* dx from dy: each element's gradient and those of its copies, added up in dtype in a fixed order. */
apus_status apus_pad_backward(const apus_context *context, int32_t mode, const int64_t *before, const apus_tensor *dy_tensor,
                              const void *dy, const apus_tensor *dx_tensor, void *dx);

/* Dimension i of view is dimension axes[i] of tensor. INVALID_ARGUMENT: axes that are no permutation. */
apus_status apus_tensor_permute(const apus_tensor *tensor, const int32_t *axes, apus_tensor *view);
/* Elements start, start + step, ... (count of them) along an axis; *offset gets the first one's distance in elements from the
 * tensor's. A negative step runs backwards. INVALID_ARGUMENT: an axis or an element that the tensor has not. */
apus_status apus_tensor_slice(const apus_tensor *tensor, int32_t axis, int64_t start, int64_t count, int64_t step,
                              apus_tensor *view, int64_t *offset);

/* y[o, i, :] = x[o, indices[i], :]; x is outer x size x inner, y outer x count x inner. All indices are looked at before anything
 * is written. INVALID_ARGUMENT: an index outside of 0..size-1. */
apus_status apus_gather(const apus_context *context, int32_t dtype, int64_t outer, int64_t size, int64_t inner, const void *x,
                        int32_t index_type, int64_t count, const void *indices, void *y);
/* y[o, indices[i], :] += x[o, i, :] in the order of i; x is outer x count x inner, y outer x size x inner. */
apus_status apus_scatter_add(const apus_context *context, int32_t dtype, int64_t outer, int64_t size, int64_t inner, const void *x,
                             int32_t index_type, int64_t count, const void *indices, void *y);
/* y = count rows of size elements, 1 at the row's index and 0 elsewhere. */
apus_status apus_one_hot(int32_t dtype, int64_t size, int32_t index_type, int64_t count, const void *indices, void *y);

/* ------------------------------------------------------------------------------------------------ losses */

/* What the losses of samples become; a mean divides by the sum of their weights. */
enum { APUS_LOSS_NONE = 0, APUS_LOSS_MEAN = 1, APUS_LOSS_SUM = 2 };

/* Softmax cross-entropy of rows of logits: -sum of t w log softmax(x), where targets t are probabilities or labels and w
 * are class weights; or, with logarithm, the negative of the label's element, x being log-probabilities. x, dx and probabilities
 * are batch x classes x positions, labels and losses batch x positions: positions is 1 for contiguous rows, the number of pixels
 * for images whose classes are planes. */
typedef struct apus_cross_entropy_desc {
  size_t struct_size;
  int32_t dtype;
  int32_t logarithm;   /* 1: negative log-likelihood: labels only, no smoothing */
  int32_t target_type; /* APUS_INT32 or APUS_INT64: labels; 0: probabilities of dtype */
  int32_t reduction;   /* APUS_LOSS_... */
  int64_t batch, classes, positions;
  double smoothing;    /* t becomes (1 - smoothing) t + smoothing / classes */
  int32_t ignores;     /* 1: samples with ignored_label count for nothing */
  int32_t reserved;
  int64_t ignored_label; /* -100 */
} apus_cross_entropy_desc;
/* The mean over all rows, without smoothing; positions is 1. INVALID_ARGUMENT: NULL. */
apus_status apus_cross_entropy_desc_init(apus_cross_entropy_desc *desc, int32_t dtype, int64_t batch, int64_t classes,
                                         int32_t target_type);
/* loss: one number, or batch x positions of them. weights: a number for each class, or NULL. The mean over no sample is NaN.
 * INVALID_ARGUMENT: a label outside of 0..classes-1 that is not the ignored one (all are looked at before anything is written),
 * smoothing outside of 0..1. */
apus_status apus_cross_entropy_forward(const apus_context *context, const apus_cross_entropy_desc *desc, const void *x,
                                       const void *targets, const void *weights, void *loss);
/* dx from the loss's gradient dloss, of loss's size; NULL is 1. dx may be x. */
apus_status apus_cross_entropy_backward(const apus_context *context, const apus_cross_entropy_desc *desc, const void *x,
                                        const void *targets, const void *weights, const void *dloss, void *dx);

/* Losses of a prediction x and a target t each:
 *   BCE_LOGITS  log(1 + e^x) - x t         MSE    (x - t)^2       MAE  |x - t|
 *   HUBER       (x - t)^2 / 2, from |x - t| = delta on delta (|x - t| - delta / 2)
 *   HINGE       max(0, delta - x t), with targets -1 and 1 */
enum { APUS_LOSS_BCE_LOGITS = 16, APUS_LOSS_MSE = 17, APUS_LOSS_MAE = 18, APUS_LOSS_HUBER = 19, APUS_LOSS_HINGE = 20 };
/* Of count elements; reduction is APUS_LOSS_NONE, _MEAN or _SUM, loss one number or count of them. delta must be above 0. */
apus_status apus_element_loss_forward(const apus_context *context, int32_t dtype, int32_t kind, int32_t reduction, double delta,
                                      int64_t count, const void *x, const void *targets, void *loss);
/* dx from dloss, of loss's size; NULL is 1. dx may be x. */
apus_status apus_element_loss_backward(const apus_context *context, int32_t dtype, int32_t kind, int32_t reduction, double delta,
                                       int64_t count, const void *x, const void *targets, const void *dloss, void *dx);

/* ------------------------------------------------------------------------------------------------ optimizers */

enum {
  APUS_OPTIMIZER_SGD = 0,     /* d = g + decay p; with momentum m = momentum m + (1 - dampening) d, d = m, or d + momentum m */
  APUS_OPTIMIZER_ADAGRAD = 1, /* v += g^2;                       p -= rate g / (sqrt(v) + epsilon) */
  APUS_OPTIMIZER_RMSPROP = 2, /* v = beta2 v + (1 - beta2) g^2;  the same, with momentum m = momentum m + the step */
  APUS_OPTIMIZER_ADAM = 3,    /* m, v; p -= rate m' / (sqrt(v') + epsilon), m' and v' divided by 1 - beta^step */
  APUS_OPTIMIZER_ADAMW = 4    /* the same, after p -= rate decay p instead of g += decay p */
};

typedef struct apus_optimizer_desc {
  size_t struct_size;
  int32_t dtype;
  int32_t kind; /* APUS_OPTIMIZER_... */
  double learning_rate;
  double momentum;       /* SGD, RMSPROP: 0 has no first state */
  double dampening;      /* SGD */
  double weight_decay;   /* ADAMW 0.01, others 0 */
  double beta1, beta2;   /* ADAM(W) 0.9, 0.999; RMSPROP 0.99 */
  double epsilon;        /* 1e-8; ADAGRAD 1e-10 */
  double gradient_scale; /* factor of every gradient before all else: 1, or what apus_gradient_norm gives */
  double clip_value;     /* gradients are then brought within -clip_value..clip_value; infinite: not */
  int64_t step;          /* 1 for the first: ADAM(W); SGD's first momentum is the gradient itself */
  int32_t nesterov;      /* SGD */
  int32_t reserved;
} apus_optimizer_desc;
/* The usual numbers. INVALID_ARGUMENT: NULL. */
apus_status apus_optimizer_desc_init(apus_optimizer_desc *desc, int32_t dtype, int32_t kind, double learning_rate);

/* Updates tensors parameter arrays of counts[i] elements in one pass. first: momentum (SGD, RMSPROP) or mean (ADAM); second:
 * squares; a list that the kind has no use for may be NULL. States begin as zeros. INVALID_ARGUMENT: numbers out of range. */
apus_status apus_optimizer_step(const apus_context *context, const apus_optimizer_desc *desc, int64_t tensors, const int64_t *counts,
                                void *const *parameters, const void *const *gradients, void *const *first, void *const *second);

/* The Euclidean norm of all gradients as one vector, in one pass. *scale (may be NULL) gets min(1, max_norm / norm), for
 * gradient_scale. A NaN or an infinity among the gradients makes *norm NaN or infinite, and *scale NaN: it is the caller's to skip
 * the step then. To clip in place use apus_elementwise_forward with AFFINE (by norm) or CLAMP (by value). */
apus_status apus_gradient_norm(const apus_context *context, int32_t dtype, int64_t tensors, const int64_t *counts,
                               const void *const *gradients, double max_norm, double *norm, double *scale);

/* ------------------------------------------------------------------------------------------------ random numbers */

/* Philox4x32-10 (J. Salmon et al., 2011): number offset + i of a seed's sequence goes to element i, whatever the threads and
 * however a tensor is cut. To go on, add count to offset.
 *   UNIFORM           in a..b, b excluded
 *   NORMAL            mean a, standard deviation b, by the inverse distribution
 *   TRUNCATED_NORMAL  the same between low and high standard deviations, which lie within -5..5 */
enum { APUS_RANDOM_UNIFORM = 0, APUS_RANDOM_NORMAL = 1, APUS_RANDOM_TRUNCATED_NORMAL = 2 };
/* INVALID_ARGUMENT: b below a (UNIFORM) or below 0, low that is not below high. low and high are TRUNCATED_NORMAL's. */
apus_status apus_random_fill(const apus_context *context, int32_t dtype, int32_t distribution, double a, double b, double low,
                             double high, uint64_t seed, uint64_t offset, int64_t count, void *y);

/* y = x / (1 - probability), or 0 with that probability, which number offset + i of the seed's words decides. Backward is the same
 * call with dy for x. y may be x. INVALID_ARGUMENT: a probability outside of 0..1. */
apus_status apus_dropout(const apus_context *context, int32_t dtype, double probability, uint64_t seed, uint64_t offset,
                         int64_t count, const void *x, void *y);

/* Initial weights; gain times a bound (uniform) or deviation (normal): Glorot sqrt(6 or 2 / (fan_in + fan_out)), He
 * sqrt(6 or 2 / fan_in), LeCun sqrt(3 or 1 / fan_in). ORTHOGONAL: fan_out rows of fan_in elements at right angles (columns, where
 * they are fewer), times gain; count is fan_in fan_out. */
enum {
  APUS_INIT_GLOROT_UNIFORM = 0,
  APUS_INIT_GLOROT_NORMAL = 1,
  APUS_INIT_HE_UNIFORM = 2,
  APUS_INIT_HE_NORMAL = 3,
  APUS_INIT_LECUN_UNIFORM = 4,
  APUS_INIT_LECUN_NORMAL = 5,
  APUS_INIT_ORTHOGONAL = 6
};
apus_status apus_initialize(const apus_context *context, int32_t dtype, int32_t initializer, int64_t fan_in, int64_t fan_out,
                            double gain, uint64_t seed, uint64_t offset, int64_t count, void *y);

/* ------------------------------------------------------------------------------------------------ embedding */

typedef struct apus_embedding_desc {
  size_t struct_size;
  int32_t dtype;
  int32_t index_type;    /* APUS_INT32 or APUS_INT64 */
  int64_t rows, width;   /* of the table */
  int64_t count;         /* indices */
  int64_t padding_index; /* a row that gets no gradient, or -1 */
} apus_embedding_desc;
/* int32 indices, no padding. INVALID_ARGUMENT: NULL. */
apus_status apus_embedding_desc_init(apus_embedding_desc *desc, int32_t dtype, int64_t rows, int64_t width, int64_t count);
/* y[i] = table[indices[i]]. INVALID_ARGUMENT: an index outside of 0..rows-1 (all are looked at before anything is written). */
apus_status apus_embedding_forward(const apus_context *context, const apus_embedding_desc *desc, const void *table,
                                   const void *indices, void *y);
/* dtable[indices[i]] += dy[i] in the order of i; accumulate 0: from zeros, 1: from what dtable holds. */
apus_status apus_embedding_backward(const apus_context *context, const apus_embedding_desc *desc, const void *dy,
                                    const void *indices, int32_t accumulate, void *dtable);

#ifdef __cplusplus
}
#endif
#endif /* APUS_H */
