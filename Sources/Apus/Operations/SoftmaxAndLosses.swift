internal import ApusEngine
internal import ApusKernelInterface

/// What the losses of samples or elements become.
public enum LossReduction: CaseIterable, Sendable, Hashable {
  /// Each stays.
  case none
  /// Their mean, weighted where they have weights.
  case mean
  /// Their sum.
  case sum

  var engine: ApusEngine.LossReduction {
    switch self {
    case .none: .none
    case .mean: .mean
    case .sum: .sum
    }
  }
}

extension Tensor {
  /// e^x over the sum of e^x along an axis.
  public func softmax(along axis: Int = -1) -> Tensor { softmax("softmax", axis, isLogarithm: false) }

  /// The logarithm of the softmax along an axis.
  public func logSoftmax(along axis: Int = -1) -> Tensor { softmax("logSoftmax", axis, isLogarithm: true) }

  private func softmax(_ name: StaticString, _ axis: Int, isLogarithm: Bool) -> Tensor {
    let place = checkedAxis(name, axis)
    let x = detached().contiguous()
    let y = Tensor(uninitialized: shape, dtype)
    let along = alongAxis(place)
    let plan = ApusEngine.Softmax(
      dataType: dtype.engine, isLogarithm: isLogarithm, outer: along.outer, size: along.size, inner: along.inner)
    compute(name, x, y) { context throws(ApusEngine.ApusError) in
      try plan.forward(context: context, x: x.base, y: y.result)
    }
    return y.recorded(name, self) { [own = self] dy in
      if Tape.isRecording {
        let s = own.softmax(along: place)
        return [
          isLogarithm
            ? dy - s * dy.sum(along: [place], keepsAxes: true)
            : s * (dy - (s * dy).sum(along: [place], keepsAxes: true))
        ]
      }
      let gradient = dy.contiguous()
      let dx = Tensor(uninitialized: y.shape, y.dtype)
      compute(name, y, gradient, dx) { context throws(ApusEngine.ApusError) in
        try plan.backward(context: context, y: y.base, dy: gradient.base, dx: dx.result)
      }
      return [dx]
    }
  }
}

/// Softmax cross-entropy of logits: -sum of t log softmax(x) along the last dimension.
///
/// - Parameters:
///   - logits: Samples x classes, or with more dimensions before the classes.
///   - targets: int32 or int64 classes, one for each sample, or probabilities in the shape and type of the logits.
///   - classWeights: A number for each class; nil: 1.
///   - smoothing: Share of the uniform distribution in every target.
///   - ignoredLabel: A class whose samples count for nothing.
///   - reduction: What the samples' losses become.
/// - Returns: The loss: a scalar, or with `.none` a number for each sample. A class out of range stops the program.
public func softmaxCrossEntropy(
  _ logits: Tensor, _ targets: Tensor, classWeights: Tensor? = nil, smoothing: Double = 0, ignoredLabel: Int? = nil,
  reduction: LossReduction = .mean
) -> Tensor {
  crossEntropy(
    "softmaxCrossEntropy", logits, targets, classWeights, smoothing, ignoredLabel, reduction, isLogarithm: false)
}

/// The negative of the class's element of log-probabilities, as ``Tensor/logSoftmax(along:)`` gives them.
public func negativeLogLikelihood(
  _ logProbabilities: Tensor, _ targets: Tensor, classWeights: Tensor? = nil, ignoredLabel: Int? = nil,
  reduction: LossReduction = .mean
) -> Tensor {
  crossEntropy(
    "negativeLogLikelihood", logProbabilities, targets, classWeights, 0, ignoredLabel, reduction, isLogarithm: true)
}

private func crossEntropy(
  _ name: StaticString, _ logits: Tensor, _ targets: Tensor, _ weights: Tensor?, _ smoothing: Double, _ ignored: Int?,
  _ reduction: LossReduction, isLogarithm: Bool
) -> Tensor {
  let isLabels = targets.dtype == .int32 || targets.dtype == .int64
  require(
    logits.rank > 0 && (isLabels ? targets.shape == logits.shape.dropLast() : targets.shape == logits.shape)
      && (isLabels || targets.dtype == logits.dtype),
    "\(name): logits \(logits.dtype) \(logits.shape) take labels of \(Array(logits.shape.dropLast())) or probabilities of their own shape, not \(targets.dtype) \(targets.shape)"
  )
  requireConstant(name, "targets", targets)
  if let weights { requireConstant(name, "class weights", weights) }
  let classes = logits.shape[logits.rank - 1]
  require(
    weights.map { $0.shape == [classes] && $0.dtype == logits.dtype } ?? true,
    "\(name): class weights have the shape \(weights?.shape ?? []), but there are \(classes) classes")
  let (x, t, w) = (logits.detached().contiguous(), targets.detached().contiguous(), weights?.detached().contiguous())
  var plan = CrossEntropy(
    dataType: x.dtype.engine, batch: x.count / Swift.max(1, classes), classes: classes,
    target: t.dtype == .int32 ? .int32 : t.dtype == .int64 ? .int64 : .probabilities)
  plan.isLogarithm = isLogarithm
  plan.smoothing = smoothing
  plan.ignoredLabel = ignored
  plan.reduction = reduction.engine
  let loss = Tensor(uninitialized: reduction == .none ? logits.shape.dropLast() : [], x.dtype)
  compute(name, x, t, w, loss) { [plan] context throws(ApusEngine.ApusError) in
    try plan.forward(context: context, x: x.base, targets: t.base, classWeights: w?.base, loss: loss.result)
  }
  return loss.recorded(kernel: name, logits) { [plan] dy in
    let gradient = dy.detached().contiguous()
    let dx = Tensor(uninitialized: x.shape, x.dtype)
    compute(name, x, t, w, gradient, dx) { context throws(ApusEngine.ApusError) in
      try plan.backward(
        context: context, x: x.base, targets: t.base, classWeights: w?.base, dloss: gradient.base, dx: dx.result)
    }
    return [dx]
  }
}

/// Cross-entropy has a gradient by the logits alone: another that is asked for stops here rather than be zero.
private func requireConstant(_ name: StaticString, _ part: String, _ tensor: Tensor) {
  require(
    !Tape.isRecording || !tensor.isTracked,
    "\(name): there is no gradient by \(part), of shape \(tensor.shape), which are tracked: pass detached() ones")
}

private func elementLoss(
  _ name: StaticString, _ kind: PointwiseLoss, _ prediction: Tensor, _ target: Tensor, _ reduction: LossReduction,
  delta: Double = 1
) -> Tensor {
  require(
    prediction.shape == target.shape && prediction.dtype == target.dtype,
    "\(name): the prediction is \(prediction.dtype) \(prediction.shape), but the target \(target.dtype) \(target.shape)"
  )
  let (x, t) = (prediction.detached().contiguous(), target.detached().contiguous())
  var plan = ElementLoss(kind, dataType: x.dtype.engine, count: x.count)
  plan.reduction = reduction.engine
  plan.delta = delta
  let loss = Tensor(uninitialized: reduction == .none ? x.shape : [], x.dtype)
  compute(name, x, t, loss) { [plan] context throws(ApusEngine.ApusError) in
    try plan.forward(context: context, x: x.base, targets: t.base, loss: loss.result)
  }
  return loss.recorded(kernel: name, from: [prediction, target]) { [plan] dy in
    let gradient = dy.detached().contiguous()
    func byFirst(_ x: Tensor, _ t: Tensor) -> Tensor {
      let dx = Tensor(uninitialized: x.shape, x.dtype)
      compute(name, x, t, gradient, dx) { context throws(ApusEngine.ApusError) in
        try plan.backward(context: context, x: x.base, targets: t.base, dloss: gradient.base, dx: dx.result)
      }
      return dx
    }
    func byTarget() -> Tensor {
      switch kind {
      case .meanSquaredError, .meanAbsoluteError, .huber: -byFirst(x, t)
      // Both sides stand in it alike.
      case .hinge: byFirst(t, x)
      case .binaryCrossEntropyWithLogits: -x * gradient / (plan.reduction == .mean ? Double(x.count) : 1)
      }
    }
    return [prediction.isTracked ? byFirst(x, t) : nil, target.isTracked ? byTarget() : nil]
  }
}

/// (x - t)^2.
public func meanSquaredError(_ prediction: Tensor, _ target: Tensor, reduction: LossReduction = .mean) -> Tensor {
  elementLoss("meanSquaredError", .meanSquaredError, prediction, target, reduction)
}

/// |x - t|.
public func meanAbsoluteError(_ prediction: Tensor, _ target: Tensor, reduction: LossReduction = .mean) -> Tensor {
  elementLoss("meanAbsoluteError", .meanAbsoluteError, prediction, target, reduction)
}

/// (x - t)^2 / 2, linear from |x - t| = delta on.
public func huberLoss(
  _ prediction: Tensor, _ target: Tensor, delta: Double = 1, reduction: LossReduction = .mean
) -> Tensor {
  elementLoss("huberLoss", .huber, prediction, target, reduction, delta: delta)
}

/// max(0, margin - x t) for targets -1 and 1.
public func hingeLoss(
  _ prediction: Tensor, _ target: Tensor, margin: Double = 1, reduction: LossReduction = .mean
) -> Tensor {
  elementLoss("hingeLoss", .hinge, prediction, target, reduction, delta: margin)
}

/// log(1 + e^x) - x t: binary cross-entropy of logits and targets in 0...1.
public func sigmoidCrossEntropy(_ logits: Tensor, _ target: Tensor, reduction: LossReduction = .mean) -> Tensor {
  elementLoss("sigmoidCrossEntropy", .binaryCrossEntropyWithLogits, logits, target, reduction)
}
