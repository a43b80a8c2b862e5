/// The error function: at most 2 units in the last place; -0 stays -0.
///
/// An odd polynomial where |x| is small, else 1 - e^(-t (1 + Q(t))) with t = |x|: the form in which one polynomial serves up
/// to where the result is 1 (N. Juffa, 2014).
@inline(__always)
func erf<V: KernelVector>(_ x: V) -> V {
  if V.hasPieces { return erfByPieces(x) }
  typealias Scalar = V.Scalar
  let t = V.minimum(V(repeating: Scalar.erfLimit), magnitude(x))
  let z = t * t
  let small = V.multiplyAdd(t, t, Scalar.erfSmall(z, square: z * z))
  let exponent = V.multiplyAdd(t, t, Scalar.erfLarge(t, square: z))
  let (e, power) = reducedExp(V.zero - exponent, bias: V(repeating: Scalar.exponentBias))
  let large = V.one - V.multiplyAdd(power, power, e)
  return withSign(of: x, V.select(small, large, where: t, isLessThan: V(repeating: Scalar.erfThreshold)))
}

extension KernelScalar {
  @inline(__always) fileprivate static var erfThreshold: Self { 0.9277 }
  /// From here on erf is 1.
  @inline(__always) fileprivate static var erfLimit: Self { exponentBias > 127 ? 5.95 : 3.95 }

  /// p(z) in erf(x) = x + x p(z), z = x^2: relative error 2^-30.1 and 2^-55.3.
  @inline(__always)
  fileprivate static func erfSmall<V: KernelVector>(_ z: V, square: V) -> V where V.Scalar == Self {
    exponentBias > 127
      ? polynomial(
        z, square,
        [
          0x1.06eba8214db69p-3, -0x1.812746b037a2ap-2, 0x1.ce2f21a045d7fp-4, -0x1.b82ce31367c0ap-6,
          0x1.565bcd2dd763ep-8, -0x1.c02db90d78ebbp-11, 0x1.f9a3a5099cee5p-14, -0x1.f4d9e92e1d091p-17,
          0x1.ba2a97b385593p-20, -0x1.608ed4eaa095fp-23, 0x1.f9e0cb012a8abp-27, -0x1.0f7d97bf3d6e7p-30,
        ] as InlineArray<12, Self>)
      : polynomial(
        z, square,
        [
          0x1.06eba8p-3, -0x1.812742p-2, 0x1.ce2deep-4, -0x1.b80d2p-6, 0x1.54be8ap-8, -0x1.aa0514p-11, 0x1.5c4e76p-14,
        ] as InlineArray<7, Self>)
  }

  /// Q(t) in 1 - erf(t) = e^(-t (1 + Q(t))): relative error of erf 2^-28.3 and 2^-57.3.
  @inline(__always)
  fileprivate static func erfLarge<V: KernelVector>(_ t: V, square: V) -> V where V.Scalar == Self {
    exponentBias > 127
      ? polynomial(
        t, square,
        [
          0x1.06eba618576b9p-3, 0x1.45f30a2ee5816p-1, 0x1.a4f4bebf5d76dp-4, -0x1.396a32f16ace2p-6,
          -0x1.abef79fa8567dp-13, 0x1.b8e72dee4b033p-10, -0x1.2797211de962fp-11, -0x1.3f59049e6795dp-17,
          0x1.a692da89d1420p-14, -0x1.eb848df105ed5p-15, 0x1.65d61f09ec75dp-16, -0x1.7d0de67b9029ep-18,
          0x1.33a4ad0e96fc8p-20, -0x1.77b98c5cf6324p-23, 0x1.51d94a2dfc9cap-26, -0x1.a6e3fcf536ec8p-30,
          0x1.494b8b93d3571p-34, -0x1.e068797033d59p-40,
        ] as InlineArray<18, Self>)
      : polynomial(
        t, square,
        [0x1.0730c4p-3, 0x1.457e62p-1, 0x1.af16f8p-4, -0x1.76ddf2p-6, 0x1.a4fbdep-9, -0x1.bff79ap-13]
          as InlineArray<6, Self>)
  }
}
