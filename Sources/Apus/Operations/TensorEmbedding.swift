internal import ApusEngine

/// Rows of a table: y[i...] = table[indices[i...]].
///
/// - Parameters:
///   - table: Rows x width.
///   - indices: int32 or int64, any shape; one that is no row stops the program.
///   - paddingIndex: A row that gets no gradient.
/// - Returns: The shape of the indices, and width behind it.
public func embedding(_ table: Tensor, _ indices: Tensor, paddingIndex: Int? = nil) -> Tensor {
  require(
    table.rank == 2 && table.dtype.isFloatingPoint && (indices.dtype == .int32 || indices.dtype == .int64),
    "embedding: the table is a floating-point matrix and indices are int32 or int64, not \(table.dtype) \(table.shape) and \(indices.dtype) \(indices.shape)"
  )
  let (rows, numbers) = (table.detached().contiguous(), indices.detached().contiguous())
  var plan = ApusEngine.Embedding(
    dataType: table.dtype.engine, rows: table.shape[0], width: table.shape[1], count: indices.count)
  plan.indexType = indices.dtype.engine
  plan.paddingIndex = paddingIndex
  let y = Tensor(uninitialized: indices.shape + [table.shape[1]], table.dtype)
  compute("embedding", rows, numbers, y) { [plan] context throws(ApusEngine.ApusError) in
    try plan.forward(context: context, table: rows.base, indices: numbers.base, y: y.result)
  }
  let shape = table.shape
  return y.recorded(kernel: "embedding", table) { [plan] dy in
    let gradient = dy.detached().contiguous()
    let dtable = Tensor(uninitialized: shape, gradient.dtype)
    compute("embedding", gradient, numbers, dtable) { context throws(ApusEngine.ApusError) in
      try plan.backward(
        context: context, dy: gradient.base, indices: numbers.base, dtable: dtable.result, accumulates: false)
    }
    return [dtable]
  }
}
