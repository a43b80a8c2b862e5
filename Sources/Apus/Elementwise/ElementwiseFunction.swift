internal import ApusEngine
internal import ApusKernelInterface

/// A function of every element, such as an activation, and its gradient.
///
///     try ElementwiseFunction.gelu.apply(x.span, into: &y)
///     try ElementwiseFunction.gelu.applyGradient(x.span, dy.span, into: &dx)
///
/// exp, log, erf, tanh, sigmoid and softplus are within 2 units in the last place in float32, within 2.5 in float64. A result
/// has the same bits for any number of threads and any back end. Nothing is allocated.
public struct ElementwiseFunction: Sendable, Hashable {
  let function: ElementFunction
  let alpha: Double
  let beta: Double

  private init(_ function: ElementFunction, alpha: Double? = nil, beta: Double? = nil) {
    self.function = function
    self.alpha = alpha ?? function.defaults.alpha
    self.beta = beta ?? function.defaults.beta
  }

  /// max(x, 0)
  public static let relu = ElementwiseFunction(.relu)
  /// x, below 0 slope x.
  public static func leakyReLU(slope: Double = 0.01) -> Self { Self(.leakyReLU, alpha: slope) }
  /// x, below 0 alpha (e^x - 1).
  public static func elu(alpha: Double = 1) -> Self { Self(.elu, alpha: alpha) }
  /// ELU of fixed numbers that keep mean 0 and variance 1 (G. Klambauer et al., 2017).
  public static let selu = ElementwiseFunction(.selu)
  /// x, below 0 alpha (e^(x / alpha) - 1); alpha is above 0.
  public static func celu(alpha: Double = 1) -> Self { Self(.celu, alpha: alpha) }
  /// 1 / (1 + e^-x)
  public static let sigmoid = ElementwiseFunction(.sigmoid)
  /// The hyperbolic tangent.
  public static let tanh = ElementwiseFunction(.tanh)
  /// log(1 + e^(beta x)) / beta; beta is above 0.
  public static func softplus(beta: Double = 1) -> Self { Self(.softplus, alpha: beta) }
  /// x / (1 + |x|)
  public static let softsign = ElementwiseFunction(.softsign)
  /// x / 6 + 1/2 within 0...1.
  public static let hardSigmoid = ElementwiseFunction(.hardSigmoid)
  /// x within the bounds.
  public static func hardTanh(_ low: Double = -1, _ high: Double = 1) -> Self {
    Self(.hardTanh, alpha: low, beta: high)
  }
  /// x hardSigmoid(x)
  public static let hardSwish = ElementwiseFunction(.hardSwish)
  /// x sigmoid(x), also called swish.
  public static let silu = ElementwiseFunction(.silu)
  /// x times the normal distribution's function (D. Hendrycks, K. Gimpel, 2016).
  public static let gelu = ElementwiseFunction(.gelu)
  /// GELU's form with tanh.
  public static let geluTanh = ElementwiseFunction(.geluTanh)
  /// x tanh(softplus(x)) (D. Misra, 2019).
  public static let mish = ElementwiseFunction(.mish)
  /// x within the bounds.
  public static func clamp(_ low: Double, _ high: Double) -> Self { Self(.clamp, alpha: low, beta: high) }
  /// e^x
  public static let exp = ElementwiseFunction(.exp)
  /// The natural logarithm.
  public static let log = ElementwiseFunction(.log)
  /// The square root.
  public static let squareRoot = ElementwiseFunction(.squareRoot)
  /// |x|
  public static let absolute = ElementwiseFunction(.absolute)
  /// -x
  public static let negate = ElementwiseFunction(.negate)
  /// x^2
  public static let square = ElementwiseFunction(.square)
  /// 1 / x
  public static let reciprocal = ElementwiseFunction(.reciprocal)
  /// -1, 0 or 1.
  public static let sign = ElementwiseFunction(.sign)
  /// e^x - 1
  public static let expMinusOne = ElementwiseFunction(.expMinusOne)
  /// The error function.
  public static let erf = ElementwiseFunction(.erf)
  /// scale x + offset
  public static func affine(scale: Double, offset: Double) -> Self { Self(.affine, alpha: scale, beta: offset) }

  /// y = f(x).
  ///
  /// - Throws: `invalidArgument` where y is shorter than x or a number of the function is out of range.
  public func apply<Scalar: GemmScalar>(
    _ x: Span<Scalar>, into y: inout [Scalar], context: Context? = nil
  ) throws(ApusError) {
    try checkCount("y", y.count, x.count)
    var span = y.mutableSpan
    let (source, result) = (base(x), base(&span))
    let plan = plan(Scalar.self, x.count)
    let engine = try Context.resolve(context)
    try translatingErrors { () throws(ApusEngine.ApusError) in
      try plan.forward(context: engine, x: source, y: result)
    }
  }

  /// dx = f'(x) dy, by x or, with `fromOutput`, by y = f(x).
  ///
  /// - Throws: `invalidArgument` where arrays differ in length, or where y does not tell the gradient.
  public func applyGradient<Scalar: GemmScalar>(
    _ saved: Span<Scalar>, _ dy: Span<Scalar>, into dx: inout [Scalar], fromOutput: Bool = false,
    accumulates: Bool = false, context: Context? = nil
  ) throws(ApusError) {
    try checkCount("dy", dy.count, saved.count)
    try checkCount("dx", dx.count, saved.count)
    var span = dx.mutableSpan
    let (source, gradient, result) = (base(saved), base(dy), base(&span))
    var plan = plan(Scalar.self, saved.count)
    plan.fromOutput = fromOutput
    plan.accumulates = accumulates
    let engine = try Context.resolve(context)
    let final = plan
    try translatingErrors { () throws(ApusEngine.ApusError) in
      try final.backward(context: engine, saved: source, dy: gradient, dx: result)
    }
  }

  private func plan<Scalar: GemmScalar>(_: Scalar.Type, _ count: Int) -> Elementwise {
    var plan = Elementwise(function, dataType: Scalar.dataType.engine, count: count)
    plan.alpha = alpha
    plan.beta = beta
    return plan
  }
}

/// A span's memory stays where it is for as long as the span lives, which is the whole call; nothing writes to it.
func base<Element>(_ span: Span<Element>) -> UnsafeRawPointer? {
  span.withUnsafeBufferPointer { $0.baseAddress.map { UnsafeRawPointer($0) } }
}
func base<Element>(_ span: inout MutableSpan<Element>) -> UnsafeMutableRawPointer? {
  span.withUnsafeMutableBufferPointer { $0.baseAddress.map { UnsafeMutableRawPointer($0) } }
}

func checkCount(_ name: String, _ count: Int, _ needed: Int) throws(ApusError) {
  if count < needed { throw .invalid("\(name) has \(count) elements, but \(needed) are needed") }
}

func checkedProduct(_ sizes: Int...) throws(ApusError) -> Int {
  var product = 1
  for size in sizes {
    let (next, overflow) = product.multipliedReportingOverflow(by: size)
    if size < 0 || overflow { throw .invalid("the sizes are \(sizes), but they must be at least 0 and fit 63 bits") }
    product = next
  }
  return product
}
