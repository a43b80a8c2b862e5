import ApusKernelInterface

/// A function of every element of an array, and its gradient. The description is the plan: it is checked at each call,
/// which costs some nanoseconds, and holds nothing. Results have the same bits for any threads, back end and alignment.
public struct Elementwise: Sendable, Equatable {
  /// float32 or float64.
  public var dataType: DataType
  /// Which function.
  public var function: ElementFunction
  /// Elements.
  public var count: Int
  /// Slope, scale or lower bound, by function.
  public var alpha: Double
  /// Upper bound or offset, by function.
  public var beta: Double
  /// Backward takes y for what forward's x was.
  public var fromOutput = false
  /// Backward adds to dx.
  public var accumulates = false

  /// A function with the numbers that are usual for it.
  public init(_ function: ElementFunction, dataType: DataType, count: Int) {
    self.dataType = dataType
    self.function = function
    self.count = count
    (alpha, beta) = function.defaults
  }

  /// y = f(x); y may be x. Throws where the description breaks a rule or data are missing; nothing is written then.
  public func forward(
    context: ExecutionContext, x: UnsafeRawPointer?, y: UnsafeMutableRawPointer?
  ) throws(ApusError) {
    try context.recorded("elementwise", dataType, "\(function):n\(count)") { () throws(ApusError) in
      try check()
      try need("x", x, count)
      try need("y", UnsafeRawPointer(y), count)
      guard let x, let y else { return }
      let size = dataType.size
      var options = options
      options.streams = 2 * count * size > streamingBytes && x != UnsafeRawPointer(y)
      let kernels = kernels(context)
      try context.overStretches(of: count, grain: Self.grain, nanoseconds: nanoseconds(kernels.lanes, streams: 2)) {
        first, count in
        withUnsafePointer(to: options) {
          kernels.map(function.rawValue, x + first * size, y + first * size, count, $0)
        }
      }
    }
  }

  /// dx = f'(x) dy, by the x or, with `fromOutput`, the y of the forward pass; dx may be dy or what was saved. Throws as
  /// `forward` does, and where y does not tell the gradient.
  public func backward(
    context: ExecutionContext, saved: UnsafeRawPointer?, dy: UnsafeRawPointer?, dx: UnsafeMutableRawPointer?
  ) throws(ApusError) {
    try context.recorded("elementwise", dataType, "\(function):n\(count):backward") { () throws(ApusError) in
      try check()
      if fromOutput && !function.hasGradient(fromOutputWithAlpha: alpha) {
        throw .invalid(
          "from_output", 1, "the output of \(function) with alpha \(alpha) does not tell its gradient: it must be 0")
      }
      try need("saved", saved, count)
      try need("dy", dy, count)
      try need("dx", UnsafeRawPointer(dx), count)
      guard let saved, let dy, let dx else { return }
      let size = dataType.size
      var options = options
      let result = UnsafeRawPointer(dx)
      options.streams = 3 * count * size > streamingBytes && saved != result && dy != result && !accumulates
      let kernels = kernels(context)
      try context.overStretches(of: count, grain: Self.grain, nanoseconds: nanoseconds(kernels.lanes, streams: 3)) {
        first, count in
        let offset = first * size
        withUnsafePointer(to: options) {
          kernels.backward(function.rawValue, saved + offset, dy + offset, dx + offset, count, $0)
        }
      }
    }
  }

  /// Elements of a stretch: 32 KB of float32, so that stretches begin at lines as the arrays do.
  static let grain = 8192

  private var options: ElementOptions {
    var options = ElementOptions()
    options.alpha = alpha
    options.beta = beta
    options.fromOutput = fromOutput
    options.accumulates = accumulates
    return options
  }

  private func kernels(_ context: ExecutionContext) -> ElementKernels {
    dataType == .float32 ? context.instructionSet.kernels.elements32 : context.instructionSet.kernels.elements64
  }

  private func nanoseconds(_ lanes: Int, streams: Int) -> Double {
    Double(count) * (Double(streams * dataType.size) / 64 + (function.isCheap ? 0 : 8 / Double(lanes)))
  }

  private func check() throws(ApusError) {
    try dataType.checkIsReal("an elementwise function")
    _ = try elementCount(dataType, ("count", count))
    switch function {
    case .celu, .softplus:
      if !(alpha > 0 && alpha.isFinite) { throw .invalid("alpha", alpha, "\(function) takes a number above 0") }
    case .clamp, .hardTanh:
      if !(alpha <= beta) { throw .invalid("alpha", alpha, "the lower bound must be at most beta, which is \(beta)") }
    default: break
    }
  }
}

extension ElementFunction: CustomStringConvertible {
  /// alpha and beta unless told otherwise.
  public var defaults: (alpha: Double, beta: Double) {
    switch self {
    case .leakyReLU: (0.01, 0)
    case .elu, .celu, .softplus, .affine: (1, 0)
    case .hardTanh: (-1, 1)
    case .clamp: (0, 1)
    default: (0, 0)
    }
  }

  /// Whether the output tells the gradient.
  public func hasGradient(fromOutputWithAlpha alpha: Double) -> Bool {
    switch self {
    case .identity, .relu, .sigmoid, .tanh, .selu, .celu, .softplus, .softsign, .hardSigmoid, .hardTanh, .clamp, .exp,
      .squareRoot:
      true
    case .leakyReLU, .elu: alpha >= 0
    default: false
    }
  }

  /// A few instructions a vector.
  var isCheap: Bool {
    switch self {
    case .identity, .relu, .leakyReLU, .hardSigmoid, .hardTanh, .hardSwish, .clamp, .absolute, .negate, .square, .sign,
      .affine:
      true
    default: false
    }
  }

  /// As messages and kbench have it.
  public var description: String {
    switch self {
    case .identity: "identity"
    case .relu: "relu"
    case .leakyReLU: "leakyrelu"
    case .elu: "elu"
    case .sigmoid: "sigmoid"
    case .tanh: "tanh"
    case .selu: "selu"
    case .celu: "celu"
    case .softplus: "softplus"
    case .softsign: "softsign"
    case .hardSigmoid: "hardsigmoid"
    case .hardTanh: "hardtanh"
    case .hardSwish: "hardswish"
    case .silu: "silu"
    case .gelu: "gelu"
    case .geluTanh: "gelutanh"
    case .mish: "mish"
    case .clamp: "clamp"
    case .exp: "exp"
    case .log: "log"
    case .squareRoot: "sqrt"
    case .absolute: "abs"
    case .negate: "neg"
    case .square: "square"
    case .reciprocal: "reciprocal"
    case .sign: "sign"
    case .expMinusOne: "expm1"
    case .erf: "erf"
    case .affine: "affine"
    }
  }
}
