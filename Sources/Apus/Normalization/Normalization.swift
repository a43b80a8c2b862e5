internal import ApusEngine

/// y = (x - mean) / sqrt(variance + epsilon) gamma + beta over a dense tensor. Layer and RMS normalisation take rows: `batch` of
/// them with `channels` elements.
///
///     let norm = Normalization<Float>(.layer, batch: 32, channels: 256)
///     try norm.forward(x.span, gamma: gamma.span, beta: beta.span, into: &y, mean: &mean, scale: &scale)
///
/// Variances are sums of squared deviations. Results have the same bits for any number of threads and any back end. Nothing is
/// allocated but a thread's buffer at its first use.
public struct Normalization<Scalar: GemmScalar>: Sendable {
  /// What shares a mean and a variance.
  public enum Kind: Sendable, Hashable {
    /// A channel over the batch.
    case batch
    /// A row.
    case layer
    /// A channel of a sample.
    case instance
    /// So many groups of channels of a sample.
    case group(Int)
    /// A row, whose mean is taken for 0.
    case rms
  }

  private var plan: ApusEngine.Normalization

  /// Sizes and numbers; they are checked by each run.
  public init(
    _ kind: Kind, batch: Int, channels: Int, positions: Int = 1, layout: TensorLayout = .channelsFirst,
    epsilon: Double = 1e-5
  ) {
    let engine: NormalizationKind =
      switch kind {
      case .batch: .batch
      case .layer: .layer
      case .instance: .instance
      case .group: .group
      case .rms: .rms
      }
    plan = ApusEngine.Normalization(
      engine, dataType: Scalar.dataType.engine, batch: batch, channels: channels, positions: positions)
    if case .group(let groups) = kind { plan.groups = groups }
    plan.layout = layout.engine
    plan.epsilon = epsilon
  }

  /// Means, and as many numbers 1 / sqrt(variance + epsilon), that forward finds and backward takes.
  public var statisticsCount: Int { plan.statisticsCount }

  /// y from x. Throws `invalidArgument` where an array is too short or a size breaks a rule.
  public func forward(
    _ x: Span<Scalar>, gamma: Span<Scalar>, beta: Span<Scalar>, into y: inout [Scalar],
    mean: inout [Scalar], scale: inout [Scalar], context: Context? = nil
  ) throws(ApusError) {
    try translatingErrors { () throws(ApusEngine.ApusError) in try plan.check() }
    try checkCount("x", x.count, plan.count)
    try checkCount("y", y.count, plan.count)
    try checkCount("gamma", gamma.count, plan.channels)
    try checkCount("beta", beta.count, plan.channels)
    try checkCount("mean", mean.count, plan.statisticsCount)
    try checkCount("scale", scale.count, plan.statisticsCount)
    var arguments = NormalizationArguments()
    arguments.x = base(x)
    arguments.gamma = base(gamma)
    arguments.beta = base(beta)
    var result = y.mutableSpan
    var means = mean.mutableSpan
    var scales = scale.mutableSpan
    arguments.y = base(&result)
    arguments.mean = base(&means)
    arguments.scale = base(&scales)
    let engine = try Context.resolve(context)
    let final = arguments
    try translatingErrors { () throws(ApusEngine.ApusError) in try plan.forward(context: engine, final) }
  }

  /// dx, dgamma and dbeta from x, dy, gamma and what forward found. Errors as there.
  public func backward(
    _ x: Span<Scalar>, dy: Span<Scalar>, gamma: Span<Scalar>, mean: Span<Scalar>, scale: Span<Scalar>,
    into dx: inout [Scalar], dgamma: inout [Scalar], dbeta: inout [Scalar], context: Context? = nil
  ) throws(ApusError) {
    try translatingErrors { () throws(ApusEngine.ApusError) in try plan.check() }
    try checkCount("x", x.count, plan.count)
    try checkCount("dy", dy.count, plan.count)
    try checkCount("dx", dx.count, plan.count)
    try checkCount("gamma", gamma.count, plan.channels)
    try checkCount("dgamma", dgamma.count, plan.channels)
    try checkCount("dbeta", dbeta.count, plan.channels)
    try checkCount("mean", mean.count, plan.statisticsCount)
    try checkCount("scale", scale.count, plan.statisticsCount)
    var arguments = NormalizationArguments()
    arguments.x = base(x)
    arguments.dy = base(dy)
    arguments.gamma = base(gamma)
    // Backward only reads them.
    arguments.mean = base(mean).map { UnsafeMutableRawPointer(mutating: $0) }
    arguments.scale = base(scale).map { UnsafeMutableRawPointer(mutating: $0) }
    var result = dx.mutableSpan
    var gammas = dgamma.mutableSpan
    var betas = dbeta.mutableSpan
    arguments.dx = base(&result)
    arguments.dgamma = base(&gammas)
    arguments.dbeta = base(&betas)
    let engine = try Context.resolve(context)
    let final = arguments
    try translatingErrors { () throws(ApusEngine.ApusError) in try plan.backward(context: engine, final) }
  }
}
