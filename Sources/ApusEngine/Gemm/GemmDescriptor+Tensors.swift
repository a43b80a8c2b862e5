extension GemmDescriptor {
  /// The problem that three tensors describe: rank 2 (m x k, k x n, m x n), or 3 with a leading batch, where a batch of 1
  /// in A or B is shared. Strides decide order, transposition and leading dimensions. Throws where types or shapes do not
  /// fit each other, or the last two dimensions of a tensor have no stride of 1.
  public init(a: TensorDescriptor, b: TensorDescriptor, c: TensorDescriptor) throws(ApusError) {
    if a.dataType != b.dataType || a.dataType != c.dataType {
      throw .invalid(
        "dtype", "\(a.dataType.name), \(b.dataType.name) and \(c.dataType.name)", "a, b and c must have one type")
    }
    let left = try MatrixView(a, "a")
    let right = try MatrixView(b, "b")
    let out = try MatrixView(c, "c")
    let fits = left.rows == out.rows && right.columns == out.columns && left.columns == right.rows
    let batchesFit = [left.batch, right.batch].allSatisfy { $0 == 1 || $0 == out.batch }
    if !fits || !batchesFit {
      throw .invalid("shapes", "\(a.shape) x \(b.shape) -> \(c.shape)", "they must be [m, k] x [k, n] -> [m, n]")
    }
    self.init(dataType: a.dataType, m: out.rows, n: out.columns, k: left.columns)
    order = out.runsAlongColumns ? .rowMajor : .columnMajor
    transposeA = left.runsAlongColumns != out.runsAlongColumns
    transposeB = right.runsAlongColumns != out.runsAlongColumns
    lda = left.leading
    ldb = right.leading
    ldc = out.leading
    ldr = out.leading
    batch = out.batch
    strideA = left.batch == 1 ? 0 : left.batchStride
    strideB = right.batch == 1 ? 0 : right.batchStride
    strideC = out.batchStride
    strideResidual = out.batchStride
  }
}

/// The last two dimensions of a tensor as a matrix in memory, and the one before them as a batch.
private struct MatrixView {
  let batch: Int
  let batchStride: Int
  let rows: Int
  let columns: Int
  let runsAlongColumns: Bool
  let leading: Int

  init(_ tensor: TensorDescriptor, _ name: String) throws(ApusError) {
    let rank = tensor.shape.count
    if rank != 2 && rank != 3 { throw .invalid("\(name)->rank", rank, "it must be 2, or 3 with a batch") }
    batch = rank == 3 ? tensor.shape[0] : 1
    batchStride = rank == 3 ? tensor.strides[0] : 0
    rows = tensor.shape[rank - 2]
    columns = tensor.shape[rank - 1]
    // A dimension of one element may have any stride.
    let byRow = tensor.strides[rank - 1] == 1 || columns <= 1
    let byColumn = tensor.strides[rank - 2] == 1 || rows <= 1
    let rowLeading = rows <= 1 ? max(1, columns) : tensor.strides[rank - 2]
    let columnLeading = columns <= 1 ? max(1, rows) : tensor.strides[rank - 1]
    if byRow && rowLeading >= max(1, columns) {
      runsAlongColumns = true
      leading = rowLeading
    } else if byColumn && columnLeading >= max(1, rows) {
      runsAlongColumns = false
      leading = columnLeading
    } else {
      throw .invalid(
        "\(name)->strides", tensor.strides, "one of the last two dimensions must be contiguous and the other apart")
    }
  }
}
