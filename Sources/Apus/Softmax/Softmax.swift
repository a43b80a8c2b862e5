internal import ApusEngine

/// e^x over the sum of e^x along an axis of a dense tensor, or its logarithm; -1 is the last axis. The largest element is taken
/// away first, so that finite arguments of any size give finite results. Allocates a description of some words.
///
/// - Throws: `invalidArgument` for an axis that the shape has not and arrays that are shorter than the shape.
public func softmax<Scalar: GemmScalar>(
  _ x: Span<Scalar>, shape: [Int], axis: Int = -1, logarithm: Bool = false, into y: inout [Scalar],
  context: Context? = nil
) throws(ApusError) {
  let plan = try translatingErrors { () throws(ApusEngine.ApusError) in
    try ApusEngine.Softmax(dataType: Scalar.dataType.engine, isLogarithm: logarithm, shape: shape, axis: axis)
  }
  let count = try checkedProduct(plan.outer, plan.size, plan.inner)
  try checkCount("x", x.count, count)
  try checkCount("y", y.count, count)
  var span = y.mutableSpan
  let (source, result) = (base(x), base(&span))
  let engine = try Context.resolve(context)
  try translatingErrors { () throws(ApusEngine.ApusError) in
    try plan.forward(context: engine, x: source, y: result)
  }
}

/// The gradient of ``softmax(_:shape:axis:logarithm:into:context:)`` from its y and dy. Errors as there.
public func softmaxGradient<Scalar: GemmScalar>(
  y: Span<Scalar>, dy: Span<Scalar>, shape: [Int], axis: Int = -1, logarithm: Bool = false, into dx: inout [Scalar],
  context: Context? = nil
) throws(ApusError) {
  let plan = try translatingErrors { () throws(ApusEngine.ApusError) in
    try ApusEngine.Softmax(dataType: Scalar.dataType.engine, isLogarithm: logarithm, shape: shape, axis: axis)
  }
  let count = try checkedProduct(plan.outer, plan.size, plan.inner)
  for (name, length) in [("y", y.count), ("dy", dy.count), ("dx", dx.count)] { try checkCount(name, length, count) }
  var span = dx.mutableSpan
  let (output, gradient, result) = (base(y), base(dy), base(&span))
  let engine = try Context.resolve(context)
  try translatingErrors { () throws(ApusEngine.ApusError) in
    try plan.backward(context: engine, y: output, dy: gradient, dx: result)
  }
}
