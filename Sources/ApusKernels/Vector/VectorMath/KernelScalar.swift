/// What the vector functions need to know of a scalar type: Float and Double.
///
/// All are computed properties of literals, which fold into the code: stored ones would be initialised at run time.
protocol KernelScalar: BinaryFloatingPoint {
  /// 1.5 x 2^p for a significand of p explicit bits: added to a small number, it rounds it to an integer, which then
  /// stands in the low bits of the pattern. The 1.5 keeps the exponent for negative numbers too.
  static var roundingShift: Self { get }
  /// Explicit bits of the significand: a shift by as many turns an integer into the bits of an exponent.
  static var exponentShift: Int { get }
  /// The exponent's bias.
  static var exponentBias: Self { get }
  static var log2E: Self { get }
  /// ln 2 in two parts. The first has so few bits that its product with any n in range is exact.
  static var ln2High: Self { get }
  static var ln2Low: Self { get }
  /// exp is 0 from the first and infinite from the second on, both a little beyond the true bounds.
  static var expUnderflow: Self { get }
  static var expOverflow: Self { get }
  /// From here on exp(-x) is lost beside 1, and 2 exp(-2x) as well.
  static var negligibleExp: Self { get }
  /// A power of two, and its logarithm, that brings 2^n into the normal range when n is at one end of exp's range.
  static var scale: Self { get }
  static var scaleExponent: Self { get }
  /// q(r) in exp(r) - 1 = r + r^2 q(r) for |r| <= ln(2) / 2.
  static func expPolynomial<V: KernelVector>(_ r: V, square: V) -> V where V.Scalar == Self
  /// p(z) in tanh(x) = x + x z p(z) with z = x^2, for |x| <= `tanhThreshold`.
  static func tanhPolynomial<V: KernelVector>(_ z: V, square: V) -> V where V.Scalar == Self
}

extension KernelScalar {
  /// Just above the root of tanh(x) = 1/2: above it 1 - 2 / (exp(2x) + 1) does not cancel.
  @inline(__always) static var tanhThreshold: Self { 0.5625 }
}

/// sum of c[i] x^i: pairs of terms first, then Horner's rule in `square` = x^2.
///
/// As many operations as Horner's rule in x and half its latency (the first step of G. Estrin's scheme, 1960), which
/// decides how many vectors are under way in the schedulers at once.
@inline(__always)
func polynomial<let N: Int, V: KernelVector>(_ x: V, _ square: V, _ c: InlineArray<N, V.Scalar>) -> V {
  var i = (N - 1) / 2 * 2
  var sum = V(repeating: c[i])
  if N % 2 == 0 { sum = V.multiplyAdd(sum, V(repeating: c[N - 1]), x) }
  while i > 0 {
    i -= 2
    let pair = V.multiplyAdd(V(repeating: c[i]), V(repeating: c[i + 1]), x)
    sum = V.multiplyAdd(pair, sum, square)
  }
  return sum
}

// The polynomials are near-minimax fits of our own: Lawson's iteration (C. L. Lawson, 1961: least squares, reweighted
// by the error) in 300-bit arithmetic, weighted for the relative error of exp(r) - 1 and tanh(x), and the
// coefficients rounded one after the other from the lowest, the rest fitted anew each time. exp's first one is 1/2 by
// constraint.

extension Float: KernelScalar {
  @inline(__always) static var roundingShift: Float { 0x1.8p23 }
  @inline(__always) static var exponentShift: Int { 23 }
  @inline(__always) static var exponentBias: Float { 127 }
  @inline(__always) static var log2E: Float { 0x1.715476p0 }
  // 15 bits: |n| <= 150 has 8.
  @inline(__always) static var ln2High: Float { 0x1.62e4p-1 }
  @inline(__always) static var ln2Low: Float { 0x1.7f7d1cp-20 }
  @inline(__always) static var expUnderflow: Float { -104 }
  @inline(__always) static var expOverflow: Float { 89 }
  @inline(__always) static var negligibleExp: Float { 18 }
  @inline(__always) static var scale: Float { 0x1p64 }
  @inline(__always) static var scaleExponent: Float { 64 }

  /// Relative error of exp(r) - 1: 2^-26.1.
  @inline(__always) static func expPolynomial<V: KernelVector>(_ r: V, square: V) -> V where V.Scalar == Float {
    polynomial(r, square, [0.5, 0x1.5554b6p-3, 0x1.5555aap-5, 0x1.12240ap-7, 0x1.6c67c2p-10] as InlineArray<5, Float>)
  }

  /// Relative error of tanh: 2^-29.4.
  @inline(__always) static func tanhPolynomial<V: KernelVector>(_ z: V, square: V) -> V where V.Scalar == Float {
    polynomial(
      z, square,
      [-0x1.555548p-2, 0x1.110c62p-3, -0x1.b906eap-5, 0x1.581e7ep-6, -0x1.94a92ep-8]
        as InlineArray<5, Float>)
  }
}

extension Double: KernelScalar {
  @inline(__always) static var roundingShift: Double { 0x1.8p52 }
  @inline(__always) static var exponentShift: Int { 52 }
  @inline(__always) static var exponentBias: Double { 1023 }
  @inline(__always) static var log2E: Double { 0x1.71547652b82fep0 }
  // 29 bits: |n| <= 1076 has 11.
  @inline(__always) static var ln2High: Double { 0x1.62e42ffp-1 }
  @inline(__always) static var ln2Low: Double { -0x1.718432a1b0e26p-35 }
  @inline(__always) static var expUnderflow: Double { -746 }
  @inline(__always) static var expOverflow: Double { 710 }
  @inline(__always) static var negligibleExp: Double { 40 }
  @inline(__always) static var scale: Double { 0x1p64 }
  @inline(__always) static var scaleExponent: Double { 64 }

  /// Relative error of exp(r) - 1: 2^-55.2.
  @inline(__always) static func expPolynomial<V: KernelVector>(_ r: V, square: V) -> V where V.Scalar == Double {
    polynomial(
      r, square,
      [
        0.5, 0x1.555555555553ep-3, 0x1.5555555553b06p-5, 0x1.1111111118d02p-7, 0x1.6c16c17a0132ap-10,
        0x1.a01a017190e83p-13, 0x1.a019b394b88fp-16, 0x1.71de980af73e9p-19, 0x1.28976e65d8a79p-22,
        0x1.ae47920f906dfp-26,
      ] as InlineArray<10, Double>)
  }

  /// Relative error of tanh: 2^-59.8.
  @inline(__always) static func tanhPolynomial<V: KernelVector>(_ z: V, square: V) -> V where V.Scalar == Double {
    polynomial(
      z, square,
      [
        -0x1.555555555554bp-2, 0x1.1111111110255p-3, -0x1.ba1ba1b931318p-5, 0x1.664f48486cc14p-6,
        -0x1.226e2ce7fc296p-7, 0x1.d6d243dbb3b99p-9, -0x1.7d8b6ab1ed70bp-10, 0x1.345f69f2ca03dp-11,
        -0x1.e7fede08ea02fp-13, 0x1.595399be5e99dp-14, -0x1.3ce1e95dfffb1p-16,
      ] as InlineArray<11, Double>)
  }
}
