internal import ApusEngine

/// Local response normalisation across channels, as AlexNet and GoogLeNet have it (A. Krizhevsky et al., 2012):
/// y = x (k + alpha / size * sum of x^2 over `size` neighbouring channels)^-beta.
///
///     let norm = ResponseNormalization<Float>(batch: 8, channels: 96, positions: 55 * 55)
///     try norm.forward(x.span, into: &y)
///
/// Results have the same bits for any number of threads and any back end. Nothing is allocated but a thread's buffer at its
/// first use.
public struct ResponseNormalization<Scalar: GemmScalar>: Sendable {
  private var plan: ApusEngine.ResponseNormalization
  private var count: Int { plan.batch * plan.channels * plan.positions }

  /// Sizes and numbers; they are checked by each run.
  public init(
    batch: Int, channels: Int, positions: Int, layout: TensorLayout = .channelsFirst, size: Int = 5,
    alpha: Double = 1e-4, beta: Double = 0.75, k: Double = 1
  ) {
    plan = ApusEngine.ResponseNormalization(
      dataType: Scalar.dataType.engine, batch: batch, channels: channels, positions: positions)
    plan.layout = layout.engine
    (plan.size, plan.alpha, plan.beta, plan.k) = (size, alpha, beta, k)
  }

  /// y from x.
  ///
  /// - Throws: `invalidArgument` where an array is shorter than the sizes say, or a number breaks a rule.
  public func forward(_ x: Span<Scalar>, into y: inout [Scalar], context: Context? = nil) throws(ApusError) {
    try translatingErrors { () throws(ApusEngine.ApusError) in try plan.check() }
    try checkCount("x", x.count, count)
    try checkCount("y", y.count, count)
    var span = y.mutableSpan
    let (source, result) = (base(x), base(&span))
    let engine = try Context.resolve(context)
    try translatingErrors { () throws(ApusEngine.ApusError) in
      try plan.forward(context: engine, x: source, y: result)
    }
  }

  /// dx from x and dy. Errors as `forward` has them.
  public func backward(
    _ x: Span<Scalar>, dy: Span<Scalar>, into dx: inout [Scalar], context: Context? = nil
  ) throws(ApusError) {
    try translatingErrors { () throws(ApusEngine.ApusError) in try plan.check() }
    try checkCount("x", x.count, count)
    try checkCount("dy", dy.count, count)
    try checkCount("dx", dx.count, count)
    var span = dx.mutableSpan
    let (source, gradient, result) = (base(x), base(dy), base(&span))
    let engine = try Context.resolve(context)
    try translatingErrors { () throws(ApusEngine.ApusError) in
      try plan.backward(context: engine, x: source, dy: gradient, dx: result)
    }
  }
}
