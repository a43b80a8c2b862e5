import ApusKernelInterface

/// What shares a mean and a variance; raw values are the C header's.
public enum NormalizationKind: Int32, CaseIterable, Sendable {
  /// A channel over the whole batch.
  case batch = 0
  /// A row.
  case layer = 1
  /// A channel of a sample.
  case instance = 2
  /// A group of channels of a sample.
  case group = 3
  /// A row, whose mean is taken for 0.
  case rms = 4
}

/// A normalisation of a dense tensor of `batch` samples, `channels` and `positions`. Layer and RMS normalisation have rows:
/// `batch` of them, with `channels` elements. Checked at each call; results have the same bits for any threads and back
/// end.
public struct Normalization: Sendable, Equatable {
  /// float32 or float64.
  public var dataType: DataType
  /// What shares its statistics.
  public var kind: NormalizationKind
  /// Where the channels lie.
  public var layout = TensorLayout.channelsFirst
  /// Samples, or rows.
  public var batch: Int
  /// Channels, or elements of a row.
  public var channels: Int
  /// Elements of a channel's plane; 1 for rows.
  public var positions: Int
  /// Of group normalisation.
  public var groups = 1
  /// Added to the variance.
  public var epsilon = 1e-5
  /// Share of the batch in the running statistics.
  public var momentum = 0.1
  /// Batch normalisation takes its statistics from the batch, and backward goes through them; else they are the running
  /// ones.
  public var isTraining = true

  /// A normalisation with the usual numbers.
  public init(_ kind: NormalizationKind, dataType: DataType, batch: Int, channels: Int, positions: Int = 1) {
    self.kind = kind
    self.dataType = dataType
    self.batch = batch
    self.channels = channels
    self.positions = positions
  }

  /// Means, and inverse deviations, that forward writes and backward reads.
  public var statisticsCount: Int {
    switch kind {
    case .batch: channels
    case .layer, .rms: batch
    case .instance: batch * channels
    case .group: batch * groups
    }
  }

  /// Elements of x.
  public var count: Int { batch * channels * positions }

  /// Groups of a sample's channels, of instance and group normalisation.
  var sets: Int { kind == .group ? groups : channels }

  /// Throws the first rule that is broken.
  public func check() throws(ApusError) {
    try dataType.checkIsReal("normalization")
    _ = try elementCount(dataType, ("batch", batch), ("channels", channels), ("positions", positions))
    if (kind == .layer || kind == .rms) && positions != 1 {
      throw .invalid("positions", positions, "rows have one position: all that is normalised together is channels")
    }
    if kind == .group && (groups < 1 || channels % groups != 0) {
      throw .invalid("groups", groups, "it must be at least 1 and divide the \(channels) channels")
    }
    if !(epsilon >= 0 && epsilon.isFinite) { throw .invalid("epsilon", epsilon, "it must be a number of at least 0") }
    if !(momentum >= 0 && momentum <= 1) { throw .invalid("momentum", momentum, "it must be from 0 to 1") }
  }
}

/// What a run gets. nil where a run does without.
public struct NormalizationArguments {
  /// Data.
  public var x: UnsafeRawPointer?
  /// A factor for each channel; nil is 1.
  public var gamma: UnsafeRawPointer?
  /// A summand for each channel; nil is 0.
  public var beta: UnsafeRawPointer?
  /// Forward's result.
  public var y: UnsafeMutableRawPointer?
  /// `statisticsCount` means: forward writes them, backward reads them.
  public var mean: UnsafeMutableRawPointer?
  /// As many numbers 1 / sqrt(variance + epsilon).
  public var scale: UnsafeMutableRawPointer?
  /// A number for each channel: updated in training, read otherwise.
  public var runningMean: UnsafeMutableRawPointer?
  /// See `runningMean`.
  public var runningVariance: UnsafeMutableRawPointer?
  /// Gradient of y.
  public var dy: UnsafeRawPointer?
  /// Backward's results; each may be nil.
  public var dx: UnsafeMutableRawPointer?
  /// See `dx`.
  public var dgamma: UnsafeMutableRawPointer?
  /// See `dx`.
  public var dbeta: UnsafeMutableRawPointer?

  /// Nothing.
  public init() {}
}

extension Normalization {
  /// y from x, and the statistics. Throws where a rule is broken or data are missing; nothing is written then.
  public func forward(context: ExecutionContext, _ a: NormalizationArguments) throws(ApusError) {
    try context.recorded("norm", dataType, problemText) { () throws(ApusError) in
      try check()
      try need("x", a.x, count)
      try need("y", UnsafeRawPointer(a.y), count)
      if kind == .batch && !isTraining {
        try need("running_mean", UnsafeRawPointer(a.runningMean), channels)
        try need("running_variance", UnsafeRawPointer(a.runningVariance), channels)
      }
      if count == 0 { return }
      switch (kind, layout) {
      case (.layer, _), (.rms, _): try rowsForward(context, a)
      case (_, .channelsFirst): try planesForward(context, a)
      case (.batch, _): try batchColumnsForward(context, a)
      default: try groupColumnsForward(context, a)
      }
    }
  }

  /// dx, dgamma and dbeta, those that are not nil, from x, dy and the statistics.
  public func backward(context: ExecutionContext, _ a: NormalizationArguments) throws(ApusError) {
    try context.recorded("norm", dataType, problemText + ":backward") { () throws(ApusError) in
      try check()
      try need("x", a.x, count)
      try need("dy", a.dy, count)
      if kind != .rms { try need("mean", UnsafeRawPointer(a.mean), statisticsCount) }
      try need("scale", UnsafeRawPointer(a.scale), statisticsCount)
      if a.dx == nil && a.dgamma == nil && a.dbeta == nil {
        throw .invalid("dx", "NULL", "one of dx, dgamma and dbeta must be wanted")
      }
      if count == 0 {
        for p in [a.dgamma, a.dbeta] {
          if let p { for c in 0..<channels { Reals(p, dataType)[c] = 0 } }
        }
        return
      }
      switch (kind, layout) {
      case (.layer, _), (.rms, _): try rowsBackward(context, a)
      case (_, .channelsFirst): try planesBackward(context, a)
      case (.batch, _): try batchColumnsBackward(context, a)
      default: try groupColumnsBackward(context, a)
      }
    }
  }

  private var problemText: String {
    "\(kind):" + layerShape(batch, channels, positions) + (layout == .channelsLast ? ":nhwc" : "")
  }

  func kernels(_ context: ExecutionContext) -> NormalizationKernels {
    dataType == .float32
      ? context.instructionSet.kernels.normalization32 : context.instructionSet.kernels.normalization64
  }

  /// A number of an optional array.
  func number(_ p: UnsafeRawPointer?, _ i: Int, otherwise: Double) -> Double {
    p.map { Reals(UnsafeMutableRawPointer(mutating: $0), dataType)[i] } ?? otherwise
  }

  func store(_ value: Double, _ p: UnsafeMutableRawPointer?, _ i: Int) {
    if let p { Reals(p, dataType)[i] = value }
  }

  /// Mean and inverse deviation of a channel or group from what the kernels found; keeps them and the running ones.
  func settle(
    _ a: NormalizationArguments, _ set: Int, mean: Double, squares: Double, elements: Int
  ) -> (mean: Double, scale: Double) {
    let variance = squares / Double(elements)
    let scale = 1 / (variance + epsilon).squareRoot()
    store(mean, a.mean, set)
    store(scale, a.scale, set)
    if kind == .batch {
      if let p = a.runningMean {
        let running = Reals(p, dataType)
        running[set] += momentum * (mean - running[set])
      }
      if let p = a.runningVariance {
        let running = Reals(p, dataType)
        let unbiased = elements > 1 ? squares / Double(elements - 1) : variance
        running[set] += momentum * (unbiased - running[set])
      }
    }
    return (mean, scale)
  }

  /// The running statistics of a channel, which forward keeps as it does those of a batch.
  func frozen(_ a: NormalizationArguments, _ c: Int) -> (mean: Double, scale: Double) {
    let mean = number(UnsafeRawPointer(a.runningMean), c, otherwise: 0)
    let scale = 1 / (number(UnsafeRawPointer(a.runningVariance), c, otherwise: 1) + epsilon).squareRoot()
    store(mean, a.mean, c)
    store(scale, a.scale, c)
    return (mean, scale)
  }
}
