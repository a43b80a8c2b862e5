// Coefficients of exp, tanh and erf in 16 pieces, for sets that look one up in a register for each lane: row k has the
// k-th of each piece. Near-minimax fits of our own, made as the other polynomials are (see KernelScalar.swift).
#pragma once
#include "ApusVectors.h"

#if APUS_X86 && defined(__AVX512F__)
// 2^(i / 16).
static const float apus_exp_pieces[1][16] = {
    {0x1p0f, 0x1.0b5586p0f, 0x1.172b84p0f, 0x1.2387a6p0f, 0x1.306fep0f, 0x1.3dea64p0f, 0x1.4bfdaep0f, 0x1.5ab07ep0f,
     0x1.6a09e6p0f, 0x1.7a1148p0f, 0x1.8ace54p0f, 0x1.9c4918p0f, 0x1.ae89fap0f, 0x1.c199bep0f, 0x1.d5818ep0f,
     0x1.ea4afap0f},
};
// By the low two bits of the exponent and the high two of the significand of |x| + 1: pieces are 1/4 wide up to 1, 1/2 up
// to 3, 1 up to 7, then 2; powers of the distance from the lower end. From 9 on tanh is 1. Relative error 2^-25.1.
static const float apus_tanh_pieces[7][16] = {
    {0x1.85efacp-1f, 0x1.cf6f98p-1f, 0x1.ed9506p-1f, 0x1.f92582p-1f, 0x1.fd77d2p-1f, 0x1.ffa818p-1f, 0x1.fff41ap-1f,
     0x1.fffe64p-1f, 0x1.ffffc8p-1f, 0x1p0f, 0x1p0f, 0x1p0f, 0, 0x1.f597eap-3f, 0x1.d9353ep-2f, 0x1.45323ep-1f},
    {0x1.ae0d14p-2f, 0x1.72155ep-3f, 0x1.21623ep-4f, 0x1.b3b694p-6f, 0x1.4337bep-7f, 0x1.5ef946p-10f,
     0x1.7a20aap-13f, 0x1.909cdcp-16f, 0x1.da1382p-19f, 0, 0, 0, 0x1p0f, 0x1.e149cp-1f, 0x1.92a8f4p-1f,
     0x1.317414p-1f},
    {-0x1.47792ep-2f, -0x1.4ee83p-3f, -0x1.16ee2p-4f, -0x1.ae75ecp-6f, -0x1.40bcecp-7f, -0x1.58c28cp-10f,
     -0x1.5d6b5ap-13f, -0x1.13ce32p-16f, -0x1.2e483cp-18f, 0, 0, 0, -0x1.268e0cp-20f, -0x1.d799d4p-3f,
     -0x1.74075ep-2f, -0x1.84281ap-2f},
    {0x1.a6ea4ep-4f, 0x1.669e58p-4f, 0x1.5836bcp-5f, 0x1.1bfecep-6f, 0x1.9f42c4p-8f, 0x1.9a795cp-11f,
     0x1.dd037ap-15f, -0x1.33fe62p-16f, 0x1.390b3p-18f, 0, 0, 0, -0x1.5544c8p-2f, -0x1.0644cep-2f, -0x1.8ac44p-4f,
     0x1.69fb4p-5f},
    {0x1.d4964cp-6f, -0x1.8e4e72p-6f, -0x1.1feb7ap-6f, -0x1.2ebb82p-7f, -0x1.73cdf2p-9f, -0x1.d68896p-13f,
     0x1.0ebb0ep-14f, 0x1.ee9486p-15f, -0x1.c279e8p-19f, 0, 0, 0, -0x1.3650a4p-10f, 0x1.10972ep-3f, 0x1.7574aap-3f,
     0x1.4d97a8p-4f},
    {-0x1.7da622p-5f, -0x1.450d3cp-9f, 0x1.1d667cp-8f, 0x1.42bcaep-8f, 0x1.a49ac8p-11f, -0x1.3d89cep-15f,
     -0x1.77932ap-14f, -0x1.dc05e4p-15f, 0x1.62c3ap-20f, 0, 0, 0, 0x1.250978p-3f, 0x1.8a2d1ep-4f, -0x1.840efcp-4f,
     -0x1.aa3e7ep-13f},
    {0x1.255e3p-6f, 0x1.037c88p-8f, -0x1.09069ep-12f, -0x1.06dfaap-9f, -0x1.b07384p-14f, 0x1.29d59ap-15f,
     0x1.14682ep-15f, 0x1.445508p-16f, -0x1.bf043p-23f, 0, 0, 0, -0x1.2eeb2cp-5f, -0x1.a91e54p-4f, 0x1.c310bap-5f,
     -0x1.413038p-4f},
};
// Piece i is the surroundings of i / 4, powers of the distance from there; the first piece is without the term x. The last
// one leans up, so that it ends at 1. Relative error 2^-25.1.
static const float apus_erf_pieces[6][16] = {
    {0, 0x1.1af54ep-2f, 0x1.0a7ef6p-1f, 0x1.6c1c98p-1f, 0x1.af767ap-1f, 0x1.d8865ep-1f, 0x1.eea556p-1f,
     0x1.f92d08p-1f, 0x1.fd9ae2p-1f, 0x1.ff4048p-1f, 0x1.ffcaa8p-1f, 0x1.fff2dp-1f, 0x1.fffd1ap-1f, 0x1.ffff7p-1f,
     0x1.ffffe8p-1f, 0x1.fffffcp-1f},
    {0x1.06eba8p-3f, 0x1.0f5d18p0f, 0x1.c1efccp-1f, 0x1.492e44p-1f, 0x1.a911fp-2f, 0x1.e4653p-3f, 0x1.e72372p-4f,
     0x1.b0553p-5f, 0x1.529bap-6f, 0x1.d4143cp-8f, 0x1.1d8316p-9f, 0x1.3360cep-11f, 0x1.2408eap-13f,
     0x1.e9b5eap-16f, 0x1.6a5972p-18f, 0x1.e619a6p-21f},
    {0x1.62077cp-22f, -0x1.0f5be6p-2f, -0x1.c1ef08p-2f, -0x1.edc704p-2f, -0x1.a9104cp-2f, -0x1.2ec172p-2f,
     -0x1.6d6026p-3f, -0x1.7a5396p-4f, -0x1.52b32cp-5f, -0x1.077166p-6f, -0x1.63ec0ep-8f, -0x1.a7d2c2p-10f,
     -0x1.a9d61cp-12f, -0x1.a5a37p-14f, -0x1.14b9b4p-15f, 0x1.98c2a4p-23f},
    {-0x1.812bf8p-2f, -0x1.3c9e4ap-2f, -0x1.2bfdecp-3f, 0x1.b6aad6p-6f, 0x1.1b6244p-3f, 0x1.571c0cp-3f,
     0x1.1c2a1ep-3f, 0x1.71494cp-4f, 0x1.8b0ae6p-5f, 0x1.63ef4cp-6f, 0x1.119d74p-7f, 0x1.69cc4cp-9f,
     0x1.9db0fep-11f, 0x1.9a9922p-13f, 0x1.62bd6ep-15f, 0x1.b725b8p-17f},
    {0x1.54cb64p-12f, 0x1.023cfcp-3f, 0x1.74fe4ap-3f, 0x1.348e36p-3f, 0x1.1a0868p-4f, -0x1.5ac10cp-8f,
     -0x1.655524p-5f, -0x1.846422p-5f, -0x1.143c9ap-5f, -0x1.2feb48p-6f, -0x1.3ae08p-7f, -0x1.88d348p-9f,
     -0x1.d7d5fp-10f, 0x1.2930a8p-14f, 0x1.b39754p-11f, -0x1.6ccd2ep-13f},
    {0x1.c5d27cp-4f, 0x1.4c4a38p-4f, 0x1.110e8ep-7f, -0x1.aab47cp-5f, -0x1.1adc78p-4f, -0x1.810f0ap-5f,
     -0x1.e97e8cp-7f, 0x1.aa21bap-8f, 0x1.ab0ba2p-7f, 0x1.5ce714p-7f, 0x1.918faap-8f, 0x1.6b426p-9f, 0x1.0cdd4p-10f,
     0x1.4d412cp-12f, 0x1.5e306p-14f, 0x1.eafb62p-14f},
};

// Sums rounded to the nearest whatever the caller's mode is: else an argument would fall into the piece beside its own.
APUS_INLINE apus_f32x16 apus_add_nearest_f32x16(apus_f32x16 a, apus_f32x16 b) {
  return _mm512_add_round_ps(a, b, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
APUS_INLINE apus_f32x16 apus_multiply_add_nearest_f32x16(apus_f32x16 sum, apus_f32x16 a, apus_f32x16 b) {
  return _mm512_fmadd_round_ps(a, b, sum, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
// Coefficient k of the piece that the low four bits of each lane name.
APUS_INLINE apus_f32x16 apus_piece_f32x16(const float *row, apus_f32x16 index) {
  return _mm512_permutexvar_ps((__m512i)index, _mm512_loadu_ps(row));
}
APUS_INLINE apus_f32x16 apus_exp_piece_f32x16(apus_f32x16 index) { return apus_piece_f32x16(apus_exp_pieces[0], index); }
APUS_INLINE apus_f32x16 apus_tanh_piece_f32x16(ptrdiff_t k, apus_f32x16 index) {
  return apus_piece_f32x16(apus_tanh_pieces[k], index);
}
APUS_INLINE apus_f32x16 apus_erf_piece_f32x16(ptrdiff_t k, apus_f32x16 index) {
  return apus_piece_f32x16(apus_erf_pieces[k], index);
}
// a 2^floor(n) for a in [1/2, 2), rounded once. Whatever else a is, NaN too, it is brought into that range first, so that
// where n is out of all bounds it alone decides; the result is NaN where n is.
APUS_INLINE apus_f32x16 apus_scaled_f32x16(apus_f32x16 a, apus_f32x16 n) {
  __m512i bits = _mm512_or_si512(_mm512_and_si512((__m512i)a, _mm512_set1_epi32(0x3fffffff)), _mm512_set1_epi32(0x3f000000));
  return _mm512_scalef_ps((__m512)bits, n);
}
#endif
