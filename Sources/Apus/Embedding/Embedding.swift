internal import ApusEngine

/// y[i] = table[indices[i]], rows of `width` elements.
///
/// - Throws: `invalidArgument` for an index that is no row, and arrays that are too short. Nothing has been written then.
public func embedding<Scalar: GemmScalar>(
  _ table: Span<Scalar>, width: Int, indices: Span<Int32>, into y: inout [Scalar], context: Context? = nil
) throws(ApusError) {
  try checkCount("y", y.count, try checkedProduct(indices.count, width))
  let plan = Embedding(
    dataType: Scalar.dataType.engine, rows: width < 1 ? 0 : table.count / width, width: width, count: indices.count)
  var span = y.mutableSpan
  let (rows, places, result) = (base(table), base(indices), base(&span))
  let engine = try Context.resolve(context)
  try translatingErrors { () throws(ApusEngine.ApusError) in
    try plan.forward(context: engine, table: rows, indices: places, y: result)
  }
}

/// The gradient of the table: dtable[indices[i]] += dy[i] in the order of i, from zeros. The padding row gets none.
public func embeddingGradient<Scalar: GemmScalar>(
  _ dy: Span<Scalar>, width: Int, indices: Span<Int32>, paddingIndex: Int? = nil, into dtable: inout [Scalar],
  context: Context? = nil
) throws(ApusError) {
  try checkCount("dy", dy.count, try checkedProduct(indices.count, width))
  var plan = Embedding(
    dataType: Scalar.dataType.engine, rows: width < 1 ? 0 : dtable.count / width, width: width, count: indices.count)
  plan.paddingIndex = paddingIndex
  var span = dtable.mutableSpan
  let (gradient, places, result) = (base(dy), base(indices), base(&span))
  let engine = try Context.resolve(context)
  let final = plan
  try translatingErrors { () throws(ApusEngine.ApusError) in
    try final.backward(context: engine, dy: gradient, indices: places, dtable: result, accumulates: false)
  }
}
