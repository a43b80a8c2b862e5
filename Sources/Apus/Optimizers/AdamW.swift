internal import ApusEngine

/// One step of AdamW (I. Loshchilov, F. Hutter, 2019): parameters, mean and squares are updated in one pass.
///
/// - Parameters:
///   - parameters: What is updated.
///   - gradients: As many elements.
///   - mean: The first state, zeros before step 1.
///   - squares: The second one, likewise.
///   - step: 1 for the first.
///   - learningRate: Length of a step.
///   - decay: Weight decay, times the learning rate taken from the parameters.
///   - gradientScale: A factor of every gradient, such as that of ``gradientNorm(_:context:)`` clipping.
///   - context: How it runs; nil: the process's default.
/// - Throws: `invalidArgument` for arrays that differ in length and a step below 1.
public func adamWStep<Scalar: GemmScalar>(
  _ parameters: inout [Scalar], gradients: Span<Scalar>, mean: inout [Scalar], squares: inout [Scalar], step: Int,
  learningRate: Double, decay: Double = 0.01, gradientScale: Double = 1, context: Context? = nil
) throws(ApusError) {
  let count = parameters.count
  try checkCount("gradients", gradients.count, count)
  try checkCount("mean", mean.count, count)
  try checkCount("squares", squares.count, count)
  var optimizer = Optimizer(.adamW, dataType: Scalar.dataType.engine, rate: learningRate)
  optimizer.step = step
  optimizer.decay = decay
  optimizer.gradientScale = gradientScale
  var p = parameters.mutableSpan
  var m = mean.mutableSpan
  var q = squares.mutableSpan
  let tensor = OptimizerTensor(
    count: count, parameters: base(&p), gradients: base(gradients), first: base(&m), second: base(&q))
  let engine = try Context.resolve(context)
  let final = optimizer
  try translatingErrors { () throws(ApusEngine.ApusError) in
    try final.run(context: engine, count: 1) { _ in tensor }
  }
}

/// The Euclidean norm of a gradient, in one pass; NaN or infinite where an element is.
public func gradientNorm<Scalar: GemmScalar>(
  _ gradients: Span<Scalar>, context: Context? = nil
) throws(ApusError) -> Double {
  let (count, data) = (gradients.count, base(gradients))
  let engine = try Context.resolve(context)
  return try translatingErrors { () throws(ApusEngine.ApusError) in
    try Clipping.norm(Scalar.dataType.engine, context: engine, count: 1) { _ in (count, data) }
  }
}
