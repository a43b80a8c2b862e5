internal import ApusEngine

/// A leaky ReLU whose slope is learned, one for each channel or one for all (K. He et al., 2015): x where it is not below 0,
/// else slope x.
///
///     let prelu = PReLUFunction<Float>(batch: 8, channels: 64, positions: 56 * 56)
///     try prelu.forward(x.span, slopes: slopes.span, into: &y)
///
/// Arrays are batch x channels x positions; channels last have a batch of all positions, and one position. Results have the
/// same bits for any number of threads and any back end. Nothing is allocated but a thread's buffer at its first use.
public struct PReLUFunction<Scalar: GemmScalar>: Sendable {
  private let plan: ApusEngine.PReLU
  private var count: Int { plan.outer * plan.channels * plan.inner }

  /// Sizes; they are checked by each run.
  public init(batch: Int, channels: Int, positions: Int = 1) {
    plan = ApusEngine.PReLU(
      dataType: Scalar.dataType.engine, outer: batch, channels: channels, inner: positions)
  }

  /// y from x and `channels` slopes.
  ///
  /// - Throws: `invalidArgument` where an array is shorter than the sizes say, or a size is negative.
  public func forward(
    _ x: Span<Scalar>, slopes: Span<Scalar>, into y: inout [Scalar], context: Context? = nil
  ) throws(ApusError) {
    try translatingErrors { () throws(ApusEngine.ApusError) in try plan.check() }
    try checkCount("x", x.count, count)
    try checkCount("slopes", slopes.count, plan.channels)
    try checkCount("y", y.count, count)
    var span = y.mutableSpan
    let (source, factors, result) = (base(x), base(slopes), base(&span))
    let engine = try Context.resolve(context)
    try translatingErrors { () throws(ApusEngine.ApusError) in
      try plan.forward(context: engine, x: source, slopes: factors, y: result)
    }
  }

  /// dx, and the slopes' gradient added up in the order of the batch. Errors as `forward` has them.
  public func backward(
    _ x: Span<Scalar>, dy: Span<Scalar>, slopes: Span<Scalar>, into dx: inout [Scalar], dslopes: inout [Scalar],
    context: Context? = nil
  ) throws(ApusError) {
    try translatingErrors { () throws(ApusEngine.ApusError) in try plan.check() }
    try checkCount("x", x.count, count)
    try checkCount("dy", dy.count, count)
    try checkCount("slopes", slopes.count, plan.channels)
    try checkCount("dx", dx.count, count)
    try checkCount("dslopes", dslopes.count, plan.channels)
    var span = dx.mutableSpan
    var sums = dslopes.mutableSpan
    let (source, gradient, factors, result, total) = (base(x), base(dy), base(slopes), base(&span), base(&sums))
    let engine = try Context.resolve(context)
    try translatingErrors { () throws(ApusEngine.ApusError) in
      try plan.backward(context: engine, x: source, slopes: factors, dy: gradient, dx: result, dslopes: total)
    }
  }
}
