internal import ApusEngine

/// Fills with normal numbers, truncated at two deviations or not: number `offset + i` of the seed's Philox sequence goes to
/// element i, whatever the threads.
public func fillNormal<Scalar: GemmScalar>(
  _ y: inout [Scalar], mean: Double = 0, deviation: Double = 1, truncated: Bool = false, seed: UInt64,
  offset: UInt64 = 0, context: Context? = nil
) throws(ApusError) {
  try fill(
    RandomFill(truncated ? .truncatedNormal : .normal, dataType: Scalar.dataType.engine, a: mean, b: deviation), &y,
    seed, offset, context)
}

/// Fills with uniform numbers of the range, likewise.
public func fillUniform<Scalar: GemmScalar>(
  _ y: inout [Scalar], in range: Range<Double> = 0..<1, seed: UInt64, offset: UInt64 = 0, context: Context? = nil
) throws(ApusError) {
  try fill(
    RandomFill(.uniform, dataType: Scalar.dataType.engine, a: range.lowerBound, b: range.upperBound), &y, seed, offset,
    context)
}

private func fill<Scalar: GemmScalar>(
  _ plan: RandomFill, _ y: inout [Scalar], _ seed: UInt64, _ offset: UInt64, _ context: Context?
) throws(ApusError) {
  let count = y.count
  var span = y.mutableSpan
  let result = base(&span)
  let engine = try Context.resolve(context)
  try translatingErrors { () throws(ApusEngine.ApusError) in
    try plan.run(context: engine, seed: seed, offset: offset, count: count, y: result)
  }
}

/// y = x / (1 - probability), or 0 with that probability, decided by number `offset + i` of the seed's sequence. The gradient
/// is the same call on dy.
public func dropout<Scalar: GemmScalar>(
  _ x: Span<Scalar>, probability: Double, seed: UInt64, offset: UInt64 = 0, into y: inout [Scalar],
  context: Context? = nil
) throws(ApusError) {
  try checkCount("y", y.count, x.count)
  let count = x.count
  var span = y.mutableSpan
  let (source, result) = (base(x), base(&span))
  let engine = try Context.resolve(context)
  try translatingErrors { () throws(ApusEngine.ApusError) in
    try Dropout.run(
      Scalar.dataType.engine, context: engine, probability: probability, seed: seed, offset: offset, count: count,
      x: source, y: result)
  }
}
