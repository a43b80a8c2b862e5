/// A positive normal number as 2^k m with m in [2/3, 4/3), and what log makes of it.
///
/// log(m) with s = f / (2 + f), f = m - 1, is 2 s + s R(s^2), written as f - (f^2/2 - s (f^2/2 + R)), whose first term is
/// exact: the arrangement of Sun's fdlibm (K. C. Ng, 1993). `correction` is added to the low part, relative to m.
@inline(__always)
private func logOfNormal<V: KernelVector>(_ x: V, exponent: V, correction: V) -> V {
  typealias Scalar = V.Scalar
  let bits = unsafeBitCast(x, to: V.MaskStorage.self)
  let two3rds = unsafeBitCast(V(repeating: 2.0 / 3.0), to: V.MaskStorage.self)
  let field = V.MaskStorage(repeating: V.MaskStorage.Scalar(truncatingIfNeeded: Scalar.exponentShift))
  let k = (bits &- two3rds) &>> field
  let m = unsafeBitCast(bits &- (k &<< field), to: V.self)
  // The integer in the low bits of a number whose unit is 1.
  let shift = V(repeating: Scalar.roundingShift)
  let n = unsafeBitCast(k &+ unsafeBitCast(shift, to: V.MaskStorage.self), to: V.self) - shift + exponent
  let f = m - V.one
  let s = f / (V(repeating: 2) + f)
  let z = s * s
  let r = z * Scalar.logPolynomial(z, square: z * z)
  let half = V(repeating: 0.5) * f * f
  let low = V.multiplyAdd(correction, n, V(repeating: Scalar.ln2Low))
  let rest = V.multiplyAdd(low, s, half + r)
  return V.multiplyAdd(f - (half - rest), n, V(repeating: Scalar.ln2High))
}

/// ln x: at most 2 units in the last place, denormal arguments included. -infinity at both zeros, NaN below.
@inline(__always)
func log<V: KernelVector>(_ x: V) -> V {
  typealias Scalar = V.Scalar
  let normal = V(repeating: Scalar.leastNormalMagnitude)
  let scaled = V.select(x * V(repeating: Scalar.scale), x, where: x, isLessThan: normal)
  let exponent = V.select(V(repeating: -Scalar.scaleExponent), V.zero, where: x, isLessThan: normal)
  let result = logOfNormal(scaled, exponent: exponent, correction: V.zero)
  let none = V.select(V(repeating: Scalar.nan), V(repeating: -Scalar.infinity), where: x, isLessThan: V.zero)
  let signed = V.select(result, none, where: V.zero, isLessThan: x)
  return V.select(signed, x, where: x, isLessThan: V(repeating: Scalar.infinity))
}

/// log(1 + e^x), at most 2 units in the last place, denormal results included: max(x, 0) + log(1 + e^-|x|).
///
/// e^-|x| is 2^n + 2^n t, and 1 + e^-|x| as well is kept in two parts, of which the low one enters the logarithm as a
/// relative correction.
@inline(__always)
func softplus<V: KernelVector>(_ x: V) -> V {
  typealias Scalar = V.Scalar
  let negative = V.maximum(V(repeating: Scalar.expUnderflow), V.zero - magnitude(x))
  let (t, power) = reducedExp(negative, bias: V(repeating: Scalar.exponentBias + Scalar.scaleExponent))
  let scaled = V.multiplyAdd(power, power, t)
  let back = V(repeating: 1 / Scalar.scale)
  let u = scaled * back
  let lostOfU = V.multiplyAdd(power - scaled, power, t) * back
  let w = V.one + u
  let lost = (u - (w - V.one)) + lostOfU
  let logarithm = logOfNormal(w, exponent: V.zero, correction: lost / w)
  // Where u is lost beside 1 it is the result itself.
  let small = V.select(u, logarithm, where: negative, isLessThan: V(repeating: -Scalar.negligibleExp))
  return V.maximum(V.zero, x) + small
}

extension KernelScalar {
  /// R(z) / z in log((1 + s) / (1 - s)) = 2 s + s R(z), z = s^2 <= 1/25.
  @inline(__always)
  fileprivate static func logPolynomial<V: KernelVector>(_ z: V, square: V) -> V where V.Scalar == Self {
    exponentBias > 127
      ? polynomial(
        z, square,
        [
          0x1.555555555554fp-1, 0x1.999999999c22ep-2, 0x1.24924921d44fap-2, 0x1.c71c74a099d59p-3,
          0x1.745c4682dff9ep-3, 0x1.3b36579c75cbdp-3, 0x1.0dc1458a26bccp-3, 0x1.1bc9673c97333p-3,
        ] as InlineArray<8, Self>)
      : polynomial(
        z, square,
        [0x1.555554p-1, 0x1.999c02p-2, 0x1.23e33ap-2, 0x1.ee367ap-3] as InlineArray<4, Self>)
  }
}
