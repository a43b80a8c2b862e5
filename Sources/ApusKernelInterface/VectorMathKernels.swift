/// Elementary functions over arrays, filled in by each instruction set.
///
/// Each takes (source, result, number of elements); source and result may be the same array. NaN and infinities are
/// handled, an element's bits do not depend on its place in the array, and denormals follow the caller's MXCSR or FPCR.
@frozen public struct VectorMathKernels: Sendable {
  /// (source, result, count)
  public typealias Map = @convention(c) (UnsafeRawPointer, UnsafeMutableRawPointer, Int) -> Void

  /// e^x in float32.
  public var exp32: Map
  /// e^x - 1.
  public var expMinusOne32: Map
  /// 1 / (1 + e^-x).
  public var sigmoid32: Map
  /// The hyperbolic tangent.
  public var tanh32: Map
  /// The natural logarithm.
  public var log32: Map
  /// The error function.
  public var erf32: Map
  /// log(1 + e^x).
  public var softplus32: Map
  /// e^x in float64.
  public var exp64: Map
  /// e^x - 1.
  public var expMinusOne64: Map
  /// 1 / (1 + e^-x).
  public var sigmoid64: Map
  /// The hyperbolic tangent.
  public var tanh64: Map
  /// The natural logarithm.
  public var log64: Map
  /// The error function.
  public var erf64: Map
  /// log(1 + e^x).
  public var softplus64: Map

  /// A whole set; the names are the fields'.
  @inlinable public init(
    exp32: Map, expMinusOne32: Map, sigmoid32: Map, tanh32: Map, log32: Map, erf32: Map, softplus32: Map,
    exp64: Map, expMinusOne64: Map, sigmoid64: Map, tanh64: Map, log64: Map, erf64: Map, softplus64: Map
  ) {
    self.exp32 = exp32
    self.expMinusOne32 = expMinusOne32
    self.sigmoid32 = sigmoid32
    self.tanh32 = tanh32
    self.log32 = log32
    self.erf32 = erf32
    self.softplus32 = softplus32
    self.exp64 = exp64
    self.expMinusOne64 = expMinusOne64
    self.sigmoid64 = sigmoid64
    self.tanh64 = tanh64
    self.log64 = log64
    self.erf64 = erf64
    self.softplus64 = softplus64
  }
}
