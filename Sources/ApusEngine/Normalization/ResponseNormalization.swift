import ApusKernelInterface

/// Local response normalisation across channels: y = x (k + alpha / size * sum of x^2 over `size` channels)^-beta; the
/// window of channel c is c - size / 2 ..< c - size / 2 + size, cut at the ends.
public struct ResponseNormalization: Sendable, Equatable {
  /// float32 or float64.
  public var dataType: DataType
  /// Where the channels lie.
  public var layout = TensorLayout.channelsFirst
  /// Samples.
  public var batch: Int
  /// Channels of a sample.
  public var channels: Int
  /// Elements of a channel's plane.
  public var positions: Int
  /// Channels of a window.
  public var size = 5
  /// See the formula.
  public var alpha = 1e-4
  /// See the formula.
  public var beta = 0.75
  /// See the formula.
  public var k = 1.0

  /// The usual numbers.
  public init(dataType: DataType, batch: Int, channels: Int, positions: Int) {
    self.dataType = dataType
    self.batch = batch
    self.channels = channels
    self.positions = positions
  }

  private var problemText: String {
    "response:" + layerShape(batch, channels, positions) + (layout == .channelsLast ? ":nhwc" : "")
  }

  /// Throws the first rule that is broken.
  public func check() throws(ApusError) { _ = try checkedShape() }

  private func checkedShape() throws(ApusError) -> ResponseShape {
    try dataType.checkIsReal("local response normalization")
    _ = try elementCount(dataType, ("batch", batch), ("channels", channels), ("positions", positions))
    if size < 1 || size > 1 << 20 { throw .invalid("size", size, "it must be 1 to \(1 << 20)") }
    if !(k > 0 && k.isFinite) { throw .invalid("k", k, "it must be a number above 0") }
    if !(alpha >= 0 && alpha.isFinite) { throw .invalid("alpha", alpha, "it must be a number of at least 0") }
    if !beta.isFinite { throw .invalid("beta", beta, "it must be a number") }
    var shape = ResponseShape()
    shape.channels = channels
    shape.positions = positions
    shape.channelsLast = layout == .channelsLast
    shape.size = size
    shape.alpha = alpha
    shape.beta = beta
    shape.k = k
    return shape
  }

  /// y from x; y may be x.
  public func forward(
    context: ExecutionContext, x: UnsafeRawPointer?, y: UnsafeMutableRawPointer?
  ) throws(ApusError) {
    try context.recorded("norm", dataType, problemText) { () throws(ApusError) in
      let shape = try checkedShape()
      let count = batch * channels * positions
      try need("x", x, count)
      try need("y", UnsafeRawPointer(y), count)
      guard let x, let y, count > 0 else { return }
      let kernels = kernels(context)
      try overSamples(context, areas: 1, kernels.lanes) { n, scratch in
        withUnsafePointer(to: shape) { kernels.response($0, x, y, n, 1, scratch) }
      }
    }
  }

  /// dx from x and dy; dx may be dy.
  public func backward(
    context: ExecutionContext, x: UnsafeRawPointer?, dy: UnsafeRawPointer?, dx: UnsafeMutableRawPointer?
  ) throws(ApusError) {
    try context.recorded("norm", dataType, problemText + ":backward") { () throws(ApusError) in
      let shape = try checkedShape()
      let count = batch * channels * positions
      try need("x", x, count)
      try need("dy", dy, count)
      try need("dx", UnsafeRawPointer(dx), count)
      guard let x, let dy, let dx, count > 0 else { return }
      let kernels = kernels(context)
      try overSamples(context, areas: 2, kernels.lanes) { n, scratch in
        withUnsafePointer(to: shape) { kernels.responseBackward($0, x, dy, dx, n, 1, scratch) }
      }
    }
  }

  private func kernels(_ context: ExecutionContext) -> NormalizationKernels {
    dataType == .float32
      ? context.instructionSet.kernels.normalization32 : context.instructionSet.kernels.normalization64
  }

  private func overSamples(
    _ context: ExecutionContext, areas: Int, _ lanes: Int, _ body: (Int, UnsafeMutableRawPointer) -> Void
  ) throws(ApusError) {
    let cost = Double(batch * channels * positions) * 2
    let slots = context.slots(parts: batch, nanoseconds: cost)
    let bytes = areas * (channels + 2 * size) * lanes * dataType.size
    try withBuffer(bytes: slots * bytes) { (buffer) throws(ApusError) in
      try context.parallel(parts: batch, slots: slots) { slot, n in body(n, buffer + slot * bytes) }
    }
  }
}
