internal import ApusEngine
internal import ApusKernelInterface

/// The order of a matrix in memory.
public enum MatrixOrder: Sendable, Hashable {
  /// The elements of a row are neighbours.
  case rowMajor
  /// The elements of a column are neighbours.
  case columnMajor

  var engine: ApusEngine.MatrixOrder { self == .rowMajor ? .rowMajor : .columnMajor }
}

/// What is applied to each element of a result.
public enum Activation: Sendable, Hashable {
  /// x
  case none
  /// max(0, x)
  case relu
  /// x, or slope * x where x < 0
  case leakyReLU(slope: Double = 0.01)
  /// x, or slope * (exp(x) - 1) where x < 0
  case elu(slope: Double = 1)
  /// 1 / (1 + exp(-x)), within 2 ulp in float32
  case sigmoid
  /// The hyperbolic tangent, within 2 ulp in float32
  case tanh
}

extension Activation {
  /// As the engine has it, with its slope.
  var engine: (ApusKernelInterface.Activation, slope: Double) {
    switch self {
    case .none: (.identity, 0)
    case .relu: (.relu, 0)
    case .leakyReLU(let slope): (.leakyReLU, slope)
    case .elu(let slope): (.elu, slope)
    case .sigmoid: (.sigmoid, 0)
    case .tanh: (.tanh, 0)
    }
  }
}

/// What is added to each row or column of C before the activation.
public enum GemmBias: Sendable, Hashable {
  /// Nothing.
  case none
  /// m numbers: number i is added to row i.
  case byRow
  /// n numbers: number j is added to column j (the bias of a fully connected layer with row-major data).
  case byColumn
}

/// Which operands of a plan are packed ahead of time.
public struct PackedOperands: OptionSet, Sendable, Hashable {
  /// The bits.
  public let rawValue: Int
  /// From bits.
  public init(rawValue: Int) { self.rawValue = rawValue }
  /// A is a ``PackedMatrix``.
  public static let a = PackedOperands(rawValue: 1)
  /// B is a ``PackedMatrix``.
  public static let b = PackedOperands(rawValue: 2)
}

/// Products of the same shape that one run computes together.
public struct GemmBatch: Sendable, Hashable {
  var count: Int
  var isPointers = false
  var strideA: Int?
  var strideB: Int?
  var strideC: Int?
  var strideResidual: Int?

  /// One product.
  public static let single = GemmBatch(count: 1)

  /// Matrix i of A starts `i * strideA` elements after the first, and so on; nil places the matrices one after the other.
  /// A stride of 0 shares one matrix, but not of C, whose matrices must not overlap. Strides of packed operands are ignored:
  /// they are shared.
  public static func strided(
    count: Int, strideA: Int? = nil, strideB: Int? = nil, strideC: Int? = nil, strideResidual: Int? = nil
  ) -> GemmBatch {
    GemmBatch(count: count, strideA: strideA, strideB: strideB, strideC: strideC, strideResidual: strideResidual)
  }

  /// The matrices lie anywhere; a run takes arrays of pointers.
  public static func pointers(count: Int) -> GemmBatch { GemmBatch(count: count, isPointers: true) }
}
