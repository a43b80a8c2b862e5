internal import ApusEngine

/// y = gamma (x - mean) / sqrt(variance + epsilon) + beta with the statistics of each channel over a batch.
///
/// - Parameters:
///   - x: N x C, or N x C x spatial sizes.
///   - gamma: C numbers; nil: 1.
///   - beta: C numbers; nil: 0.
///   - running: The mean and variance that training updates by `momentum` and evaluation takes; nil: none are kept, and
///     every batch has its own.
///   - isTraining: The statistics are the batch's.
///   - momentum: Share of the batch in the running statistics.
///   - epsilon: Added to the variance.
public func batchNormalization(
  _ x: Tensor, gamma: Tensor? = nil, beta: Tensor? = nil, running: (mean: Buffer, variance: Buffer)? = nil,
  isTraining: Bool = true, momentum: Double = 0.1, epsilon: Double = 1e-5
) -> Tensor {
  require(x.rank >= 2, "batchNormalization: x has the shape \(x.shape), but it takes N x C and more")
  var plan = ApusEngine.Normalization(
    .batch, dataType: x.dtype.engine, batch: x.shape[0], channels: x.shape[1], positions: x.shape[2...].reduce(1, *))
  plan.momentum = momentum
  plan.isTraining = isTraining || running == nil
  return normalization("batchNormalization", plan, x, gamma, beta, epsilon, running)
}

/// y = gamma (x - mean) / sqrt(variance + epsilon) + beta with the statistics of each row: the last `axes` dimensions
/// (J. Ba et al., 2016). gamma and beta have the shape of a row.
public func layerNormalization(
  _ x: Tensor, gamma: Tensor? = nil, beta: Tensor? = nil, axes: Int = 1, epsilon: Double = 1e-5
) -> Tensor {
  rows("layerNormalization", .layer, x, gamma, beta, axes, epsilon)
}

/// y = gamma x / sqrt(mean of x^2 + epsilon) over each row, the last dimension (B. Zhang, R. Sennrich, 2019).
public func rmsNormalization(_ x: Tensor, gamma: Tensor? = nil, epsilon: Double = 1e-5) -> Tensor {
  rows("rmsNormalization", .rms, x, gamma, nil, 1, epsilon)
}

/// Batch normalisation's formula with the statistics of each group of channels of each sample (Y. Wu, K. He, 2018). With as
/// many groups as channels it is instance normalisation.
public func groupNormalization(
  _ x: Tensor, groups: Int, gamma: Tensor? = nil, beta: Tensor? = nil, epsilon: Double = 1e-5
) -> Tensor {
  require(x.rank >= 2, "groupNormalization: x has the shape \(x.shape), but it takes N x C and more")
  require(
    groups > 0 && x.shape[1] % groups == 0,
    "groupNormalization: \(groups) groups do not divide the channels of \(x.shape)")
  var plan = ApusEngine.Normalization(
    .group, dataType: x.dtype.engine, batch: x.shape[0], channels: x.shape[1], positions: x.shape[2...].reduce(1, *))
  plan.groups = groups
  return normalization("groupNormalization", plan, x, gamma, beta, epsilon, nil)
}

private func rows(
  _ name: StaticString, _ kind: NormalizationKind, _ x: Tensor, _ gamma: Tensor?, _ beta: Tensor?, _ axes: Int,
  _ epsilon: Double
) -> Tensor {
  require(axes > 0 && axes <= x.rank, "\(name): x of shape \(x.shape) has no \(axes) last dimensions")
  let row = Array(x.shape.suffix(axes))
  for (part, tensor) in [("gamma", gamma), ("beta", beta)] {
    require(
      tensor.map { $0.shape == row } ?? true,
      "\(name): \(part) has the shape \(tensor?.shape ?? []), but x has \(x.shape)")
  }
  let plan = ApusEngine.Normalization(
    kind, dataType: x.dtype.engine, batch: x.shape.dropLast(axes).reduce(1, *), channels: row.reduce(1, *))
  return normalization(name, plan, x, gamma?.reshaped([-1]), beta?.reshaped([-1]), epsilon, nil)
}

private func normalization(
  _ name: StaticString, _ plan: ApusEngine.Normalization, _ x: Tensor, _ gamma: Tensor?, _ beta: Tensor?,
  _ epsilon: Double, _ running: (mean: Buffer, variance: Buffer)?
) -> Tensor {
  require(x.dtype.isFloatingPoint, "\(name) takes a floating-point tensor, but x is \(x.dtype) \(x.shape)")
  for (part, tensor) in [
    ("gamma", gamma), ("beta", beta), ("running mean", running?.mean.value),
    ("running variance", running?.variance.value),
  ] {
    require(
      tensor.map { $0.shape == [plan.channels] && $0.dtype == x.dtype } ?? true,
      "\(name): \(part) is \(tensor?.dtype ?? x.dtype) \(tensor?.shape ?? []), but x is \(x.dtype) \(x.shape)")
  }
  var plan = plan
  plan.epsilon = epsilon
  let (source, layout) = plan.positions > 1 ? x.imagesLaidOut() : (x.detached().contiguous(), .channelsFirst)
  plan.layout = layout
  let (g, b) = (gamma?.detached().contiguous(), beta?.detached().contiguous())
  let y = source.uninitializedLike()
  let mean = Tensor(uninitialized: [plan.statisticsCount], x.dtype)
  let scale = Tensor(uninitialized: [plan.statisticsCount], x.dtype)
  var a = NormalizationArguments()
  a.x = source.base
  a.gamma = g?.base
  a.beta = b?.base
  a.y = y.result
  a.mean = mean.result
  a.scale = scale.result
  if let running, plan.isTraining {
    running.mean.value.makeUnique()
    running.variance.value.makeUnique()
  }
  let (runningMean, runningVariance) = (running?.mean.value.contiguous(), running?.variance.value.contiguous())
  a.runningMean = runningMean?.result
  a.runningVariance = runningVariance?.result
  compute(name, source, g, b, y, mean) { [a, plan] context throws(ApusEngine.ApusError) in
    try plan.forward(context: context, a)
  }
  withExtendedLifetime((runningMean, runningVariance, scale)) {}
  let sources = [x] + [gamma, beta].compactMap { $0 }
  return y.recorded(kernel: name, from: sources) { [plan] dy in
    let gradient = dy.laidOut(as: source)
    let dx = x.isTracked ? source.uninitializedLike() : nil
    let dgamma = gamma.map { Tensor(uninitialized: $0.shape, x.dtype) }
    let dbeta = beta.map { Tensor(uninitialized: $0.shape, x.dtype) }
    var a = NormalizationArguments()
    a.x = source.base
    a.gamma = g?.base
    a.mean = mean.result
    a.scale = scale.result
    a.dy = gradient.base
    a.dx = dx?.result
    a.dgamma = dgamma?.result
    a.dbeta = dbeta?.result
    compute(name, source, g, mean, scale, gradient) { [a] context throws(ApusEngine.ApusError) in
      try plan.backward(context: context, a)
    }
    withExtendedLifetime((dx, dgamma, dbeta)) {}
    return [dx] + (gamma == nil ? [] : [dgamma]) + (beta == nil ? [] : [dbeta])
  }
}

/// Local response normalisation across channels (A. Krizhevsky et al., 2012):
/// y = x (k + alpha / size sum of x^2 over `size` channels around)^-beta. x is N x C, or N x C x spatial sizes.
public func localResponseNormalization(
  _ x: Tensor, size: Int = 5, alpha: Double = 1e-4, beta: Double = 0.75, k: Double = 1
) -> Tensor {
  require(
    x.rank >= 2 && x.dtype.isFloatingPoint,
    "localResponseNormalization: x is \(x.dtype) \(x.shape), but it takes floating-point N x C and more")
  let (source, layout) = x.rank > 2 ? x.imagesLaidOut() : (x.detached().contiguous(), .channelsFirst)
  var plan = ApusEngine.ResponseNormalization(
    dataType: x.dtype.engine, batch: x.shape[0], channels: x.shape[1], positions: x.shape[2...].reduce(1, *))
  plan.layout = layout
  plan.size = size
  plan.alpha = alpha
  plan.beta = beta
  plan.k = k
  let y = source.uninitializedLike()
  compute("localResponseNormalization", source, y) { [plan] context throws(ApusEngine.ApusError) in
    try plan.forward(context: context, x: source.base, y: y.result)
  }
  return y.recorded(kernel: "localResponseNormalization", x) { [plan] dy in
    let gradient = dy.laidOut(as: source)
    let dx = source.uninitializedLike()
    compute("localResponseNormalization", source, gradient, dx) { context throws(ApusEngine.ApusError) in
      try plan.backward(context: context, x: source.base, dy: gradient.base, dx: dx.result)
    }
    return [dx]
  }
}
