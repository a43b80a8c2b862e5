/// The hyperbolic tangent: at most 2 units in the last place; -0 stays -0.
///
/// 1 - 2 / (e^2|x| + 1) with the sign of x where |x| is large, and an odd polynomial where that would cancel (the
/// division by cases is Cody and Waite's, 1980). The polynomial ends with the addition of x itself, so tiny arguments
/// come out exact.
@inline(__always)
func tanh<V: KernelVector>(_ x: V) -> V {
  if V.hasPieces { return tanhByPieces(x) }
  typealias Scalar = V.Scalar
  let magnitude = magnitude(x)
  let doubled = V.minimum(V(repeating: 2 * Scalar.negligibleExp), magnitude + magnitude)
  let (t, power) = reducedExp(doubled, bias: V(repeating: Scalar.exponentBias))
  let large = V.multiplyAdd(V.one, V(repeating: -2), V.reciprocal(V.multiplyAdd(power + V.one, power, t)))
  let z = magnitude * magnitude
  let small = V.multiplyAdd(magnitude, magnitude, z * Scalar.tanhPolynomial(z, square: z * z))
  return withSign(of: x, V.select(small, large, where: magnitude, isLessThan: V(repeating: Scalar.tanhThreshold)))
}
