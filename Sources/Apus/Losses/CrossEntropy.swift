internal import ApusEngine

/// The mean softmax cross-entropy of `labels.count` rows of logits, and its gradient.
///
/// - Parameters:
///   - logits: Rows of `classes` elements.
///   - labels: A class for each row, 0..<classes, or the ignored label.
///   - classes: Elements of a row.
///   - smoothing: Share of the uniform distribution in every target.
///   - ignoredLabel: A label whose rows count for nothing.
///   - dx: The gradient of the mean by the logits.
///   - context: How it runs; nil: the process's default.
/// - Returns: The mean; NaN where no row counts.
/// - Throws: `invalidArgument` for a label out of range and arrays that are too short. Nothing has been written then.
public func softmaxCrossEntropy<Scalar: GemmScalar>(
  _ logits: Span<Scalar>, labels: Span<Int32>, classes: Int, smoothing: Double = 0, ignoredLabel: Int? = nil,
  gradient dx: inout [Scalar], context: Context? = nil
) throws(ApusError) -> Scalar {
  var plan = CrossEntropy(
    dataType: Scalar.dataType.engine, batch: labels.count, classes: classes, target: .int32)
  plan.smoothing = smoothing
  plan.ignoredLabel = ignoredLabel
  let count = try checkedProduct(labels.count, classes)
  try checkCount("logits", logits.count, count)
  try checkCount("gradient", dx.count, count)
  var span = dx.mutableSpan
  let (x, targets, result) = (base(logits), base(labels), base(&span))
  let engine = try Context.resolve(context)
  let final = plan
  var loss: Scalar = 0
  try translatingErrors { () throws(ApusEngine.ApusError) in
    try withUnsafeMutablePointer(to: &loss) { loss throws(ApusEngine.ApusError) in
      try final.forward(
        context: engine, x: x, targets: targets, classWeights: nil, loss: UnsafeMutableRawPointer(loss))
    }
    try final.backward(context: engine, x: x, targets: targets, classWeights: nil, dloss: nil, dx: result)
  }
  return loss
}
