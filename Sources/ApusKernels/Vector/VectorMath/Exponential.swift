/// exp(x) as 2^n (1 + t): the argument reduced and the polynomial evaluated, which all functions here share.
///
/// Cody and Waite's reduction (W. J. Cody and W. Waite, "Software Manual for the Elementary Functions", 1980): n is x
/// / ln 2 rounded, r = (x - n ln2High) - n ln2Low, whose first step is exact with or without a fused multiply-add.
///
/// `bias` goes into the number that rounds, so that the low bits of the sum are those of the exponent field: its
/// integer part must keep n + bias between 1 and the field's largest finite value for `power` to be 2^(n + bias -
/// exponentBias).
@inline(__always)
func reducedExp<V: KernelVector>(_ x: V, bias: V) -> (t: V, power: V) {
  let shift = V(repeating: V.Scalar.roundingShift) + bias
  let shifted = V.multiplyAdd(shift, x, V(repeating: V.Scalar.log2E))
  let n = shifted - shift
  var r = V.multiplyAdd(x, n, V(repeating: -V.Scalar.ln2High))
  r = V.multiplyAdd(r, n, V(repeating: -V.Scalar.ln2Low))
  let square = r * r
  let t = V.multiplyAdd(r, square, V.Scalar.expPolynomial(r, square: square))
  let field = V.MaskStorage(repeating: V.MaskStorage.Scalar(truncatingIfNeeded: V.Scalar.exponentShift))
  return (t, unsafeBitCast(unsafeBitCast(shifted, to: V.MaskStorage.self) &<< field, to: V.self))
}

/// `magnitude` with the sign bit of `x` set where it is set in `x`.
@inline(__always)
func withSign<V: KernelVector>(of x: V, _ magnitude: V) -> V {
  let sign = unsafeBitCast(x, to: V.MaskStorage.self) & unsafeBitCast(V(repeating: -0.0), to: V.MaskStorage.self)
  return unsafeBitCast(unsafeBitCast(magnitude, to: V.MaskStorage.self) | sign, to: V.self)
}

/// e^x: at most 2 units in the last place, denormal results included. Overflows to infinity, underflows to 0.
///
/// 2^n alone would leave the range of normal numbers at both ends. It is made 2^64 larger for x < 0 and 2^64 smaller
/// else, and the last product, by a power of two, puts that right and is the only one to round a denormal result.
@inline(__always)
func exp<V: KernelVector>(_ x: V) -> V {
  if V.hasPieces { return expByPieces(x) }
  typealias Scalar = V.Scalar
  // The bound stands first, so NaN passes.
  let x = V.minimum(V(repeating: Scalar.expOverflow), V.maximum(V(repeating: Scalar.expUnderflow), x))
  let bias = V.select(
    V(repeating: Scalar.exponentBias + Scalar.scaleExponent), V(repeating: Scalar.exponentBias - Scalar.scaleExponent),
    where: x, isLessThan: V.zero)
  let scale = V.select(V(repeating: 1 / Scalar.scale), V(repeating: Scalar.scale), where: x, isLessThan: V.zero)
  let (t, power) = reducedExp(x, bias: bias)
  return V.multiplyAdd(power, power, t) * scale
}

/// e^x - 1: at most 2 units in the last place; 2.5 in float64 for positive x near 0.36, where n = 1 cancels. -0 stays
/// -0.
///
/// 2^n t + (2^n - 1), where the difference is exact for n >= -24 (float32) and its error invisible below. Halved, so
/// that 2^n does not overflow before the result does.
@inline(__always)
func expMinusOne<V: KernelVector>(_ x: V) -> V {
  typealias Scalar = V.Scalar
  let bounded = V.minimum(V(repeating: Scalar.expOverflow), V.maximum(V(repeating: -Scalar.negligibleExp), x))
  let (t, power) = reducedExp(bounded, bias: V(repeating: Scalar.exponentBias - 1))
  let half = V.multiplyAdd(power - V(repeating: 0.5), power, t)
  return withSign(of: x, half + half)
}
