// Vector operations that the standard library's SIMD types lack or have slowly: lane-masked memory access, minimum and
// maximum with x86's rule for NaN, square root, conversions, and transposition of a square block in registers.
//
// Names end in the vector's shape, f32x16 being SIMD16<Float>. A vector shape is offered where the target's instruction
// set has registers for it; the x86 intrinsics are left out under APUS_PORTABLE, which then takes the path of arm64.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__x86_64__) && !defined(APUS_PORTABLE)
#define APUS_X86 1
#include <immintrin.h>
#endif
#define APUS_INLINE static inline __attribute__((always_inline))

typedef float apus_f32x4 __attribute__((ext_vector_type(4)));
typedef double apus_f64x2 __attribute__((ext_vector_type(2)));
#if APUS_X86 && defined(__AVX2__)
typedef float apus_f32x8 __attribute__((ext_vector_type(8)));
typedef double apus_f64x4 __attribute__((ext_vector_type(4)));
#endif
#if APUS_X86 && defined(__AVX512F__)
typedef float apus_f32x16 __attribute__((ext_vector_type(16)));
typedef double apus_f64x8 __attribute__((ext_vector_type(8)));
#endif

// A value that the compiler must have in a register at this point, in program order with other such points: it keeps the
// scheduler from moving all broadcasts of a tile's step up front, where they push the sums out of the registers.
#if defined(__aarch64__)
#define APUS_VECTOR_REGISTER "+w"
#elif defined(__AVX512F__)
#define APUS_VECTOR_REGISTER "+v"
#else
#define APUS_VECTOR_REGISTER "+x"
#endif

// a < b ? a : b, lane by lane (minps, maxps): where a lane is NaN the result is b, so a bound that stands first lets NaN pass.
// Also the choice between two other vectors: the standard library's comparisons are loops over lanes in generic code.
#define APUS_ARITHMETIC(V, S)                                                                                          \
  APUS_INLINE V apus_min_##S(V a, V b) { return a < b ? a : b; }                                                       \
  APUS_INLINE V apus_max_##S(V a, V b) { return a > b ? a : b; }                                                       \
  APUS_INLINE V apus_less_##S(V a, V b, V x, V y) { return a < b ? x : y; }                                            \
  APUS_INLINE V apus_pin_##S(V a) { __asm__ volatile("" : APUS_VECTOR_REGISTER(a)); return a; }                        \
  APUS_INLINE V apus_sqrt_##S(V a) { return __builtin_elementwise_sqrt(a); }

APUS_ARITHMETIC(apus_f32x4, f32x4)
APUS_ARITHMETIC(apus_f64x2, f64x2)
#if APUS_X86 && defined(__AVX2__)
APUS_ARITHMETIC(apus_f32x8, f32x8)
APUS_ARITHMETIC(apus_f64x4, f64x4)
#endif
#if APUS_X86 && defined(__AVX512F__)
APUS_ARITHMETIC(apus_f32x16, f32x16)
APUS_ARITHMETIC(apus_f64x8, f64x8)
#endif
#undef APUS_ARITHMETIC

// Lane-masked access: only the first `count` lanes touch memory, the others load as zero. 0 <= count <= lanes.
#define APUS_PARTIAL_LOOP(T, V, N, S)                                                                                  \
  APUS_INLINE V apus_load_first_##S(const T *p, ptrdiff_t count) {                                                     \
    union { V v; T x[N]; } u = {.v = (V)(T)0};                                                                         \
    for (ptrdiff_t i = 0; i < count; i++) u.x[i] = p[i];                                                               \
    return u.v;                                                                                                        \
  }                                                                                                                    \
  APUS_INLINE void apus_store_first_##S(T *p, ptrdiff_t count, V v) {                                                  \
    union { V v; T x[N]; } u = {.v = v};                                                                               \
    for (ptrdiff_t i = 0; i < count; i++) p[i] = u.x[i];                                                               \
  }
APUS_PARTIAL_LOOP(float, apus_f32x4, 4, f32x4)
APUS_PARTIAL_LOOP(double, apus_f64x2, 2, f64x2)
#undef APUS_PARTIAL_LOOP
#if APUS_X86 && defined(__AVX2__)
APUS_INLINE __m256i apus_first_lanes_32(ptrdiff_t count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
APUS_INLINE __m256i apus_first_lanes_64(ptrdiff_t count) {
  return _mm256_cmpgt_epi64(_mm256_set1_epi64x(count), _mm256_setr_epi64x(0, 1, 2, 3));
}
APUS_INLINE apus_f32x8 apus_load_first_f32x8(const float *p, ptrdiff_t count) {
  return _mm256_maskload_ps(p, apus_first_lanes_32(count));
}
APUS_INLINE void apus_store_first_f32x8(float *p, ptrdiff_t count, apus_f32x8 v) {
  _mm256_maskstore_ps(p, apus_first_lanes_32(count), v);
}
APUS_INLINE apus_f64x4 apus_load_first_f64x4(const double *p, ptrdiff_t count) {
  return _mm256_maskload_pd(p, apus_first_lanes_64(count));
}
APUS_INLINE void apus_store_first_f64x4(double *p, ptrdiff_t count, apus_f64x4 v) {
  _mm256_maskstore_pd(p, apus_first_lanes_64(count), v);
}
#endif
#if APUS_X86 && defined(__AVX512F__)
APUS_INLINE apus_f32x16 apus_load_first_f32x16(const float *p, ptrdiff_t count) {
  return _mm512_maskz_loadu_ps((__mmask16)_bzhi_u32(0xffff, (unsigned)count), p);
}
APUS_INLINE void apus_store_first_f32x16(float *p, ptrdiff_t count, apus_f32x16 v) {
  _mm512_mask_storeu_ps(p, (__mmask16)_bzhi_u32(0xffff, (unsigned)count), v);
}
APUS_INLINE apus_f64x8 apus_load_first_f64x8(const double *p, ptrdiff_t count) {
  return _mm512_maskz_loadu_pd((__mmask8)_bzhi_u32(0xff, (unsigned)count), p);
}
APUS_INLINE void apus_store_first_f64x8(double *p, ptrdiff_t count, apus_f64x8 v) {
  _mm512_mask_storeu_pd(p, (__mmask8)_bzhi_u32(0xff, (unsigned)count), v);
}
#endif

// The sum of all lanes, by halves: lane i and lane i + n/2 first, so the order is fixed.
APUS_INLINE float apus_sum_f32x4(apus_f32x4 a) { return (a.x + a.z) + (a.y + a.w); }
APUS_INLINE double apus_sum_f64x2(apus_f64x2 a) { return a.x + a.y; }
#if APUS_X86 && defined(__AVX2__)
APUS_INLINE float apus_sum_f32x8(apus_f32x8 a) { return apus_sum_f32x4(a.lo + a.hi); }
APUS_INLINE double apus_sum_f64x4(apus_f64x4 a) { return apus_sum_f64x2(a.lo + a.hi); }
#endif
#if APUS_X86 && defined(__AVX512F__)
APUS_INLINE float apus_sum_f32x16(apus_f32x16 a) { return apus_sum_f32x8(a.lo + a.hi); }
APUS_INLINE double apus_sum_f64x8(apus_f64x8 a) { return apus_sum_f64x4(a.lo + a.hi); }
#endif

// Transposition of a lanes x lanes block: row i of the source starts at s + i * ss, row j of the result at d + j * ds
// (strides in elements). Only `rows` rows and `columns` columns are read (1 to lanes each), and `columns` rows written;
// the last row stands in for those that are missing.
// Each stage exchanges blocks of 1, 2, 4, 8 lanes between two rows.
#define APUS_LOW_2_1 0, 2
#define APUS_HIGH_2_1 1, 3
#define APUS_LOW_4_1 0, 4, 2, 6
#define APUS_HIGH_4_1 1, 5, 3, 7
#define APUS_LOW_4_2 0, 1, 4, 5
#define APUS_HIGH_4_2 2, 3, 6, 7
#define APUS_LOW_8_1 0, 8, 2, 10, 4, 12, 6, 14
#define APUS_HIGH_8_1 1, 9, 3, 11, 5, 13, 7, 15
#define APUS_LOW_8_2 0, 1, 8, 9, 4, 5, 12, 13
#define APUS_HIGH_8_2 2, 3, 10, 11, 6, 7, 14, 15
#define APUS_LOW_8_4 0, 1, 2, 3, 8, 9, 10, 11
#define APUS_HIGH_8_4 4, 5, 6, 7, 12, 13, 14, 15
#define APUS_LOW_16_1 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30
#define APUS_HIGH_16_1 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31
#define APUS_LOW_16_2 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29
#define APUS_HIGH_16_2 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31
#define APUS_LOW_16_4 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27
#define APUS_HIGH_16_4 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31
#define APUS_LOW_16_8 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23
#define APUS_HIGH_16_8 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31
#define APUS_STAGE(R, N, STEP)                                                                                         \
  _Pragma("clang loop unroll(full)") for (int i = 0; i < N; i++)                                                       \
    if (!(i & STEP)) {                                                                                                 \
      __typeof__(R[0]) low = __builtin_shufflevector(R[i], R[i | STEP], APUS_LOW_##N##_##STEP);                        \
      R[i | STEP] = __builtin_shufflevector(R[i], R[i | STEP], APUS_HIGH_##N##_##STEP);                                \
      R[i] = low;                                                                                                      \
    }
#define APUS_STAGES_2(R) APUS_STAGE(R, 2, 1)
#define APUS_STAGES_4(R) APUS_STAGE(R, 4, 1) APUS_STAGE(R, 4, 2)
#define APUS_STAGES_8(R) APUS_STAGE(R, 8, 1) APUS_STAGE(R, 8, 2) APUS_STAGE(R, 8, 4)
#define APUS_STAGES_16(R) APUS_STAGE(R, 16, 1) APUS_STAGE(R, 16, 2) APUS_STAGE(R, 16, 4) APUS_STAGE(R, 16, 8)
#define APUS_TRANSPOSE(T, V, N, S)                                                                                     \
  APUS_INLINE void apus_transpose_##S(const T *s, ptrdiff_t ss, ptrdiff_t rows, ptrdiff_t columns, T *d,               \
                                      ptrdiff_t ds) {                                                                  \
    V r[N];                                                                                                            \
    if (columns == N) {                                                                                                \
      _Pragma("clang loop unroll(full)") for (int i = 0; i < N; i++)                                                   \
          memcpy(&r[i], s + (i < rows ? i : rows - 1) * ss, sizeof r[i]);                                              \
    } else {                                                                                                           \
      _Pragma("clang loop unroll(full)") for (int i = 0; i < N; i++) r[i] =                                            \
          apus_load_first_##S(s + (i < rows ? i : rows - 1) * ss, columns);                                            \
    }                                                                                                                  \
    APUS_STAGES_##N(r)                                                                                                 \
    _Pragma("clang loop unroll(full)") for (int i = 0; i < N; i++) {                                                   \
      if (i < columns) memcpy(d + i * ds, &r[i], sizeof r[i]);                                                         \
    }                                                                                                                  \
  }
APUS_TRANSPOSE(float, apus_f32x4, 4, f32x4)
APUS_TRANSPOSE(double, apus_f64x2, 2, f64x2)
#if APUS_X86 && defined(__AVX2__)
APUS_TRANSPOSE(float, apus_f32x8, 8, f32x8)
APUS_TRANSPOSE(double, apus_f64x4, 4, f64x4)
#endif
#if APUS_X86 && defined(__AVX512F__)
APUS_TRANSPOSE(float, apus_f32x16, 16, f32x16)
APUS_TRANSPOSE(double, apus_f64x8, 8, f64x8)
#endif
#undef APUS_TRANSPOSE
#undef APUS_STAGE

#if APUS_X86 && defined(__AVX512F__)
// 1 / a for normal a whose reciprocal is normal: 14 bits and one step of Newton's method, within 0.51 ulp and in half the
// time of a division.
APUS_INLINE apus_f32x16 apus_reciprocal_f32x16(apus_f32x16 a) {
  __m512 r = _mm512_rcp14_ps(a);
  return _mm512_fmadd_ps(r, _mm512_fnmadd_ps(a, r, _mm512_set1_ps(1)), r);
}
#endif

APUS_INLINE void apus_prefetch_second_level(const void *p) { __builtin_prefetch(p, 0, 2); }
// The compiler knows nothing of the result: what is computed from it stays where it is written, instead of being kept for
// a whole loop in more registers than there are.
APUS_INLINE intptr_t apus_pin_integer(intptr_t a) { __asm__ volatile("" : "+r"(a)); return a; }
APUS_INLINE void apus_prefetch_for_write(const void *p) { __builtin_prefetch(p, 1, 3); }

// Pooling. Indices travel as the bits of a vector of the same lanes, so that they go where the values go.
//   max_nan    the larger of two, the first where they are equal, NaN where one is
//   newer      x is larger than m, or the first NaN: q, else p
//   same       where the bits of a and b agree x, else 0
//   add_same   s, and where the bits of a and b agree s + x
//   even, odd  every second lane of two vectors, one after the other; interleave_low and _high undo that
//   power      |x|^p, by libm
#define APUS_POOLING(T, I, V, N, S)                                                                                    \
  typedef I apus_bits_##S __attribute__((ext_vector_type(N)));                                                         \
  typedef int32_t apus_narrow_##S __attribute__((ext_vector_type(N)));                                                 \
  typedef int64_t apus_wide_##S __attribute__((ext_vector_type(N)));                                                   \
  APUS_INLINE V apus_newer_##S(V m, V x, V p, V q) { return ((m == m) & ~(x <= m)) ? q : p; }                          \
  APUS_INLINE V apus_same_##S(V a, V b, V x) {                                                                         \
    return (apus_bits_##S)a == (apus_bits_##S)b ? x : (V)(T)0;                                                         \
  }                                                                                                                    \
  APUS_INLINE V apus_even_##S(V a, V b) { return __builtin_shufflevector(a, b, APUS_EVEN_##N); }                       \
  APUS_INLINE V apus_odd_##S(V a, V b) { return __builtin_shufflevector(a, b, APUS_ODD_##N); }                         \
  APUS_INLINE V apus_interleave_low_##S(V a, V b) { return __builtin_shufflevector(a, b, APUS_ZIP_LOW_##N); }          \
  APUS_INLINE V apus_interleave_high_##S(V a, V b) { return __builtin_shufflevector(a, b, APUS_ZIP_HIGH_##N); }        \
  static __attribute__((noinline, unused)) void apus_raise_##S(V *x, double p) {                                       \
    union { V v; T x[N]; } u = {.v = *x};                                                                              \
    for (int i = 0; i < N; i++) u.x[i] = (T)__builtin_pow(__builtin_fabs((double)u.x[i]), p);                          \
    *x = u.v;                                                                                                          \
  }                                                                                                                    \
  APUS_INLINE V apus_power_##S(V x, double p) {                                                                        \
    apus_raise_##S(&x, p);                                                                                             \
    return x;                                                                                                          \
  }                                                                                                                    \
  APUS_INLINE void apus_store_indices_##S(void *p, ptrdiff_t first, ptrdiff_t count, int wide, V v) {                  \
    if ((wide ? sizeof(int64_t) : sizeof(int32_t)) == sizeof(T)) {                                                     \
      apus_store_first_##S((T *)p + first, count, v);                                                                  \
      return;                                                                                                          \
    }                                                                                                                  \
    union { V v; I x[N]; } u = {.v = v};                                                                               \
    if (wide) {                                                                                                        \
      int64_t *d = (int64_t *)p + first;                                                                               \
      if (count == N) {                                                                                                \
        apus_wide_##S w = __builtin_convertvector((apus_bits_##S)v, apus_wide_##S);                                    \
        memcpy(d, &w, N * sizeof *d);                                                                                  \
      } else {                                                                                                         \
        _Pragma("clang loop unroll(disable)") for (ptrdiff_t i = 0; i < count; i++) d[i] = u.x[i];                     \
      }                                                                                                                \
    } else {                                                                                                           \
      int32_t *d = (int32_t *)p + first;                                                                               \
      if (count == N) {                                                                                                \
        apus_narrow_##S w = __builtin_convertvector((apus_bits_##S)v, apus_narrow_##S);                                \
        memcpy(d, &w, N * sizeof *d);                                                                                  \
      } else {                                                                                                         \
        _Pragma("clang loop unroll(disable)") for (ptrdiff_t i = 0; i < count; i++) d[i] = (int32_t)u.x[i];            \
      }                                                                                                                \
    }                                                                                                                  \
  }                                                                                                                    \
  APUS_INLINE V apus_load_indices_##S(const void *p, ptrdiff_t first, ptrdiff_t count, int wide) {                     \
    if ((wide ? sizeof(int64_t) : sizeof(int32_t)) == sizeof(T)) {                                                     \
      if (count != N) return apus_load_first_##S((const T *)p + first, count);                                         \
      V v;                                                                                                             \
      memcpy(&v, (const T *)p + first, sizeof v);                                                                      \
      return v;                                                                                                        \
    }                                                                                                                  \
    union { V v; I x[N]; } u = {.v = (V)(T)0};                                                                         \
    if (wide) {                                                                                                        \
      const int64_t *s = (const int64_t *)p + first;                                                                   \
      if (count == N) {                                                                                                \
        apus_wide_##S w;                                                                                               \
        memcpy(&w, s, N * sizeof *s);                                                                                  \
        return (V)__builtin_convertvector(w, apus_bits_##S);                                                           \
      }                                                                                                                \
      _Pragma("clang loop unroll(disable)") for (ptrdiff_t i = 0; i < count; i++) u.x[i] = (I)s[i];                    \
    } else {                                                                                                           \
      const int32_t *s = (const int32_t *)p + first;                                                                   \
      if (count == N) {                                                                                                \
        apus_narrow_##S w;                                                                                             \
        memcpy(&w, s, N * sizeof *s);                                                                                  \
        return (V)__builtin_convertvector(w, apus_bits_##S);                                                           \
      }                                                                                                                \
      _Pragma("clang loop unroll(disable)") for (ptrdiff_t i = 0; i < count; i++) u.x[i] = s[i];                       \
    }                                                                                                                  \
    return u.v;                                                                                                        \
  }
#define APUS_EVEN_2 0, 2
#define APUS_EVEN_4 APUS_EVEN_2, 4, 6
#define APUS_EVEN_8 APUS_EVEN_4, 8, 10, 12, 14
#define APUS_EVEN_16 APUS_EVEN_8, 16, 18, 20, 22, 24, 26, 28, 30
#define APUS_ODD_2 1, 3
#define APUS_ODD_4 APUS_ODD_2, 5, 7
#define APUS_ODD_8 APUS_ODD_4, 9, 11, 13, 15
#define APUS_ODD_16 APUS_ODD_8, 17, 19, 21, 23, 25, 27, 29, 31
#define APUS_ZIP_LOW_2 0, 2
#define APUS_ZIP_LOW_4 0, 4, 1, 5
#define APUS_ZIP_LOW_8 0, 8, 1, 9, 2, 10, 3, 11
#define APUS_ZIP_LOW_16 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define APUS_ZIP_HIGH_2 1, 3
#define APUS_ZIP_HIGH_4 2, 6, 3, 7
#define APUS_ZIP_HIGH_8 4, 12, 5, 13, 6, 14, 7, 15
#define APUS_ZIP_HIGH_16 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
APUS_POOLING(float, int32_t, apus_f32x4, 4, f32x4)
APUS_POOLING(double, int64_t, apus_f64x2, 2, f64x2)
#if APUS_X86 && defined(__AVX2__)
APUS_POOLING(float, int32_t, apus_f32x8, 8, f32x8)
APUS_POOLING(double, int64_t, apus_f64x4, 4, f64x4)
#endif
#if APUS_X86 && defined(__AVX512F__)
APUS_POOLING(float, int32_t, apus_f32x16, 16, f32x16)
APUS_POOLING(double, int64_t, apus_f64x8, 8, f64x8)
#endif
#undef APUS_POOLING

#define APUS_MAX_NAN(V, S)                                                                                             \
  APUS_INLINE V apus_max_nan_##S(V m, V x) {                                                                           \
    V larger = x > m ? x : m;                                                                                          \
    return x == x ? larger : x;                                                                                        \
  }                                                                                                                    \
  APUS_INLINE V apus_add_same_##S(V s, V a, V b, V x) { return s + apus_same_##S(a, b, x); }
APUS_MAX_NAN(apus_f32x4, f32x4)
APUS_MAX_NAN(apus_f64x2, f64x2)
#if APUS_X86 && defined(__AVX2__)
APUS_MAX_NAN(apus_f32x8, f32x8)
APUS_MAX_NAN(apus_f64x4, f64x4)
#endif
#undef APUS_MAX_NAN
#if APUS_X86 && defined(__AVX512F__)
// maxps and addps under a mask: two instructions where the compiler makes three of the forms above.
APUS_INLINE apus_f32x16 apus_add_same_f32x16(apus_f32x16 s, apus_f32x16 a, apus_f32x16 b, apus_f32x16 x) {
  return _mm512_mask_add_ps(s, _mm512_cmpeq_epi32_mask((__m512i)a, (__m512i)b), s, x);
}
APUS_INLINE apus_f64x8 apus_add_same_f64x8(apus_f64x8 s, apus_f64x8 a, apus_f64x8 b, apus_f64x8 x) {
  return _mm512_mask_add_pd(s, _mm512_cmpeq_epi64_mask((__m512i)a, (__m512i)b), s, x);
}
APUS_INLINE apus_f32x16 apus_max_nan_f32x16(apus_f32x16 m, apus_f32x16 x) {
  return _mm512_mask_max_ps(x, _mm512_cmp_ps_mask(x, x, _CMP_ORD_Q), x, m);
}
APUS_INLINE apus_f64x8 apus_max_nan_f64x8(apus_f64x8 m, apus_f64x8 x) {
  return _mm512_mask_max_pd(x, _mm512_cmp_pd_mask(x, x, _CMP_ORD_Q), x, m);
}
#endif

// A number that the compiler cannot foresee: a loop that counts with it is not unrolled, which for the two or three turns
// of a pooling window costs more than the loop.
APUS_INLINE ptrdiff_t apus_opaque(ptrdiff_t x) {
  __asm__("" : "+r"(x));
  return x;
}

// Past the caches, for results that are larger than they are: whoever writes so ends with a fence, because such stores
// are not ordered with others. p is aligned to the vector.
#define APUS_STREAM(T, V, S)                                                                                           \
  APUS_INLINE void apus_stream_##S(T *p, V v) { __builtin_nontemporal_store(v, (V *)p); }
APUS_STREAM(float, apus_f32x4, f32x4)
APUS_STREAM(double, apus_f64x2, f64x2)
#if APUS_X86 && defined(__AVX2__)
APUS_STREAM(float, apus_f32x8, f32x8)
APUS_STREAM(double, apus_f64x4, f64x4)
#endif
#if APUS_X86 && defined(__AVX512F__)
APUS_STREAM(float, apus_f32x16, f32x16)
APUS_STREAM(double, apus_f64x8, f64x8)
#endif
#undef APUS_STREAM
APUS_INLINE void apus_stream_fence(void) {
#if APUS_X86
  _mm_sfence();
#else
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

// Elementwise operations and row reductions.
//   equal, at_most    1 where a == b (a <= b), 0 elsewhere and where one is NaN
//   raise             a^b, lane by lane, by libm
//   load_or           the first lanes from memory, those of `other` behind them
//   load_strided, store_strided   the first lanes from or to elements that lie `stride` apart
#define APUS_ELEMENTS(T, V, N, S)                                                                                      \
  APUS_INLINE V apus_equal_##S(V a, V b) { return a == b ? (V)(T)1 : (V)(T)0; }                                        \
  APUS_INLINE V apus_at_most_##S(V a, V b) { return a <= b ? (V)(T)1 : (V)(T)0; }                                      \
  static __attribute__((noinline, unused)) void apus_pow_lanes_##S(V *a, const V *b) {                                 \
    union { V v; T x[N]; } u = {.v = *a}, e = {.v = *b};                                                               \
    _Pragma("clang loop unroll(disable)") for (int i = 0; i < N; i++) u.x[i] =                                         \
        sizeof(T) == 4 ? (T)__builtin_powf((float)u.x[i], (float)e.x[i]) : (T)__builtin_pow(u.x[i], e.x[i]);           \
    *a = u.v;                                                                                                          \
  }                                                                                                                    \
  APUS_INLINE V apus_raise_by_##S(V a, V b) {                                                                          \
    apus_pow_lanes_##S(&a, &b);                                                                                        \
    return a;                                                                                                          \
  }                                                                                                                    \
  APUS_INLINE V apus_load_strided_##S(const T *p, ptrdiff_t stride, ptrdiff_t count) {                                 \
    union { V v; T x[N]; } u = {.v = (V)(T)0};                                                                         \
    _Pragma("clang loop unroll(disable)") for (ptrdiff_t i = 0; i < count; i++) u.x[i] = p[i * stride];                \
    return u.v;                                                                                                        \
  }                                                                                                                    \
  APUS_INLINE void apus_store_strided_##S(T *p, ptrdiff_t stride, ptrdiff_t count, V v) {                              \
    union { V v; T x[N]; } u = {.v = v};                                                                               \
    _Pragma("clang loop unroll(disable)") for (ptrdiff_t i = 0; i < count; i++) p[i * stride] = u.x[i];                \
  }
#define APUS_LOAD_OR(T, V, N, S)                                                                                       \
  APUS_INLINE V apus_load_or_##S(const T *p, ptrdiff_t count, V other) {                                               \
    union { V v; T x[N]; } u = {.v = other};                                                                           \
    _Pragma("clang loop unroll(disable)") for (ptrdiff_t i = 0; i < count; i++) u.x[i] = p[i];                         \
    return u.v;                                                                                                        \
  }
APUS_ELEMENTS(float, apus_f32x4, 4, f32x4)
APUS_ELEMENTS(double, apus_f64x2, 2, f64x2)
APUS_LOAD_OR(float, apus_f32x4, 4, f32x4)
APUS_LOAD_OR(double, apus_f64x2, 2, f64x2)
#if APUS_X86 && defined(__AVX2__)
APUS_ELEMENTS(float, apus_f32x8, 8, f32x8)
APUS_ELEMENTS(double, apus_f64x4, 4, f64x4)
APUS_INLINE apus_f32x8 apus_load_or_f32x8(const float *p, ptrdiff_t count, apus_f32x8 other) {
  __m256i m = apus_first_lanes_32(count);
  return _mm256_blendv_ps(other, _mm256_maskload_ps(p, m), (__m256)m);
}
APUS_INLINE apus_f64x4 apus_load_or_f64x4(const double *p, ptrdiff_t count, apus_f64x4 other) {
  __m256i m = apus_first_lanes_64(count);
  return _mm256_blendv_pd(other, _mm256_maskload_pd(p, m), (__m256d)m);
}
#endif
#if APUS_X86 && defined(__AVX512F__)
APUS_ELEMENTS(float, apus_f32x16, 16, f32x16)
APUS_ELEMENTS(double, apus_f64x8, 8, f64x8)
APUS_INLINE apus_f32x16 apus_load_or_f32x16(const float *p, ptrdiff_t count, apus_f32x16 other) {
  return _mm512_mask_loadu_ps(other, (__mmask16)_bzhi_u32(0xffff, (unsigned)count), p);
}
APUS_INLINE apus_f64x8 apus_load_or_f64x8(const double *p, ptrdiff_t count, apus_f64x8 other) {
  return _mm512_mask_loadu_pd(other, (__mmask8)_bzhi_u32(0xff, (unsigned)count), p);
}
#endif
#undef APUS_ELEMENTS
#undef APUS_LOAD_OR

// Philox4x32-10 (J. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011): 64 words of a block from its number
// and a key. Words 16 w to 16 w + 15 are word w of the counters 16 block to 16 block + 15; stream is the counter's high half.
static __attribute__((noinline, unused)) void apus_philox_block(uint64_t key, uint64_t stream, uint64_t block, uint32_t *out) {
  uint32_t a[16], b[16], c[16], d[16], k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
  _Pragma("clang loop vectorize(enable) unroll(disable)") for (int i = 0; i < 16; i++) {
    uint64_t n = block * 16 + (uint64_t)i;
    a[i] = (uint32_t)n;
    b[i] = (uint32_t)(n >> 32);
    c[i] = (uint32_t)stream;
    d[i] = (uint32_t)(stream >> 32);
  }
  _Pragma("clang loop unroll(disable)") for (int round = 0; round < 10; round++) {
    _Pragma("clang loop vectorize(enable) unroll(disable)") for (int i = 0; i < 16; i++) {
      uint64_t p = (uint64_t)a[i] * 0xD2511F53u, q = (uint64_t)c[i] * 0xCD9E8D57u;
      uint32_t na = (uint32_t)(q >> 32) ^ b[i] ^ k0, nc = (uint32_t)(p >> 32) ^ d[i] ^ k1;
      b[i] = (uint32_t)q;
      d[i] = (uint32_t)p;
      a[i] = na;
      c[i] = nc;
    }
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  memcpy(out, a, sizeof a);
  memcpy(out + 16, b, sizeof b);
  memcpy(out + 32, c, sizeof c);
  memcpy(out + 48, d, sizeof d);
}
// Numbers in the open interval (0, 1): the middles of 2^23 (2^52) equal parts, from one word (two) each.
static __attribute__((noinline, unused)) void apus_uniform_f32(const uint32_t *words, const uint32_t *more, float *out) {
  (void)more;
  _Pragma("clang loop vectorize(enable) unroll(disable)") for (int i = 0; i < 64; i++) out[i] =
      ((float)(int32_t)(words[i] >> 9) + 0.5f) * 0x1p-23f;
}
static __attribute__((noinline, unused)) void apus_uniform_f64(const uint32_t *words, const uint32_t *more, double *out) {
  _Pragma("clang loop vectorize(enable) unroll(disable)") for (int i = 0; i < 64; i++) out[i] =
      ((double)(int32_t)(words[i] >> 1) * 0x1p21 + (double)(int32_t)(more[i] >> 11) + 0.5) * 0x1p-52;
}
// 1 where a word is at least the threshold, 0 elsewhere.
static __attribute__((noinline, unused)) void apus_kept_f32(const uint32_t *words, uint32_t threshold, float *out) {
  _Pragma("clang loop vectorize(enable) unroll(disable)") for (int i = 0; i < 64; i++) out[i] = words[i] >= threshold ? 1 : 0;
}
static __attribute__((noinline, unused)) void apus_kept_f64(const uint32_t *words, uint32_t threshold, double *out) {
  _Pragma("clang loop vectorize(enable) unroll(disable)") for (int i = 0; i < 64; i++) out[i] = words[i] >= threshold ? 1 : 0;
}
