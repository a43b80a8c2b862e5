extension Normalization {
  /// Folds a batch normalisation with running statistics into the convolution (or linear layer) before it, whose weights
  /// have `perChannel` elements for each output channel, outermost: new weights w gamma scale, new bias
  /// (bias - mean) gamma scale + beta. The new ones may be the old ones; `bias` may be nil, for 0.
  public func fold(
    _ a: NormalizationArguments, perChannel: Int, weights: UnsafeRawPointer?, bias: UnsafeRawPointer?,
    newWeights: UnsafeMutableRawPointer?, newBias: UnsafeMutableRawPointer?
  ) throws(ApusError) {
    try check()
    if kind != .batch { throw .invalid("kind", "\(kind)", "only a batch normalisation can be folded") }
    let total = try elementCount(dataType, ("channels", channels), ("per_channel", perChannel))
    try need("running_mean", UnsafeRawPointer(a.runningMean), channels)
    try need("running_variance", UnsafeRawPointer(a.runningVariance), channels)
    try need("weights", weights, total)
    try need("new_weights", UnsafeRawPointer(newWeights), total)
    try need("new_bias", UnsafeRawPointer(newBias), channels)
    for c in 0..<channels {
      let variance = number(UnsafeRawPointer(a.runningVariance), c, otherwise: 1)
      let factor = number(a.gamma, c, otherwise: 1) / (variance + epsilon).squareRoot()
      let mean = number(UnsafeRawPointer(a.runningMean), c, otherwise: 0)
      store(
        (number(bias, c, otherwise: 0) - mean) * factor + number(a.beta, c, otherwise: 0), newBias, c)
      for i in c * perChannel..<(c + 1) * perChannel {
        store(number(weights, i, otherwise: 0) * factor, newWeights, i)
      }
    }
  }
}
