/// 1 / (1 + e^-x): at most 2 units in the last place, denormal results included.
///
/// With e^-x = 2^n (1 + t), the denominator is (1 + 2^n) + (2^n t + what 1 + 2^n lost in rounding; T. J. Dekker's
/// fast two-sum, 1971). Numerator and denominator carry a factor 1 / scale, which keeps 2^n finite where the result
/// is denormal; there the product, by a power of two, is the only operation that rounds it.
@inline(__always)
func sigmoid<V: KernelVector>(_ x: V) -> V {
  typealias Scalar = V.Scalar
  let scale = V(repeating: 1 / Scalar.sigmoidScale)
  // The bound stands first, so NaN passes.
  let bounded = V.minimum(V(repeating: Scalar.negligibleExp), V.maximum(V(repeating: Scalar.expUnderflow), x))
  let (t, power) = reducedExp(
    V.zero - bounded, bias: V(repeating: Scalar.exponentBias - Scalar.sigmoidScaleExponent))
  // Lost is at most half a unit, at n = 24 in float32, but together with the other roundings that would exceed 2.
  let sum = scale + power
  let lost = scale - (sum - power)
  return scale * V.reciprocal(sum + V.multiplyAdd(lost, power, t))
}

extension KernelScalar {
  /// 2^(150 - 32) and 2^(1076 - 64) are finite, 2^(-26 - 32) and 2^(-58 - 64) are normal.
  @inline(__always) static var sigmoidScale: Self { exponentBias > 127 ? 0x1p64 : 0x1p32 }
  @inline(__always) static var sigmoidScaleExponent: Self { exponentBias > 127 ? 64 : 32 }
}
