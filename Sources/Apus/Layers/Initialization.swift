internal import ApusEngine

/// How weights begin. Fans are the numbers of products in an output's sum, and of outputs that an input goes to.
public enum Initialization: Sendable, Hashable {
  /// Uniform within 1 / sqrt(in), as PyTorch's layers begin.
  case standard
  /// Uniform within sqrt(6 / (in + out)) (X. Glorot, Y. Bengio, 2010).
  case glorotUniform
  /// Normal with deviation sqrt(2 / (in + out)).
  case glorotNormal
  /// Uniform within sqrt(6 / in) (K. He et al., 2015).
  case heUniform
  /// Normal with deviation sqrt(2 / in).
  case heNormal
  /// Normal with deviation sqrt(1 / in) (Y. LeCun et al., 1998).
  case lecunNormal
  /// Rows or columns of length 1 at right angles, of a matrix (A. Saxe et al., 2014).
  case orthogonal
  /// One number.
  case constant(Double)

  /// A tensor of weights. Its numbers are the next ones of the generator.
  public func makeTensor(
    _ shape: [Int], fanIn: Int, fanOut: Int, dtype: DataType = .float32, generator: RandomGenerator = .current
  ) -> Tensor {
    let kind: ApusEngine.Initializer
    switch self {
    case .constant(let value): return Tensor(repeating: value, shape: shape, dtype: dtype)
    case .standard:
      let bound = 1 / Double(max(1, fanIn)).squareRoot()
      return .uniform(shape, in: -bound..<bound, dtype: dtype, generator: generator)
    case .glorotUniform: kind = .glorotUniform
    case .glorotNormal: kind = .glorotNormal
    case .heUniform: kind = .heUniform
    case .heNormal: kind = .heNormal
    case .lecunNormal: kind = .lecunNormal
    case .orthogonal: kind = .orthogonal
    }
    // Orthogonal: a filter is a row, whatever its taps.
    let rows = shape.first ?? 1
    let (fanIn, fanOut) = self == .orthogonal ? (shape.dropFirst().reduce(1, *), rows) : (fanIn, fanOut)
    let y = Tensor(uninitialized: shape, dtype)
    let start = generator.reserve(y.count)
    compute("initialization", y) { context throws(ApusEngine.ApusError) in
      try kind.run(
        dtype.engine, context: context, fanIn: fanIn, fanOut: fanOut, gain: 1, seed: start.seed, offset: start.offset,
        count: y.count, y: y.result)
    }
    return y
  }
}
