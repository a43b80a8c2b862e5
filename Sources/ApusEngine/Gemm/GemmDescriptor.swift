import ApusKernelInterface

/// What is added to each row or column before the activation; raw values are the C header's.
public enum GemmBias: Int32, CaseIterable, Sendable {
  case none = 0
  /// One number for each of the m rows.
  case byRow = 1
  /// One number for each of the n columns.
  case byColumn = 2
}

/// Where the matrices of a batch lie; raw values are the C header's.
public enum GemmBatchKind: Int32, CaseIterable, Sendable {
  /// Matrix i lies `i * stride` elements after the first.
  case strided = 0
  /// a, b, c and residual point to arrays of pointers.
  case pointers = 1
}

/// `C = activation(alpha op(A) op(B) + beta C + bias + residual)` for each matrix of a batch: op(A) is m x k, op(B)
/// k x n. Leading dimensions and strides are in elements. Nothing is checked before a plan is made.
public struct GemmDescriptor: Sendable, Equatable {
  /// Of A, B, C, bias and residual: float32 or float64.
  public var dataType: DataType
  /// Whether the rows or the columns of A, B, C and residual are contiguous, before any transposition.
  public var order = MatrixOrder.rowMajor
  /// op(A) is the transpose of A, which lies in memory as k x m.
  public var transposeA = false
  /// op(B) is the transpose of B, which lies in memory as n x k.
  public var transposeB = false
  /// Rows of op(A) and of C.
  public var m: Int
  /// Columns of op(B) and of C.
  public var n: Int
  /// Columns of op(A) and rows of op(B): products in each sum.
  public var k: Int
  /// Distance between rows (columns, if column-major) of A as it lies in memory.
  public var lda: Int
  /// Distance between rows (columns, if column-major) of B as it lies in memory.
  public var ldb: Int
  /// Distance between rows (columns, if column-major) of C.
  public var ldc: Int
  /// Number of products; 0 leaves nothing to do.
  public var batch = 1
  /// How a run finds the matrices of a batch.
  public var batchKind = GemmBatchKind.strided
  /// Distance between the matrices of A in a strided batch; 0 shares one.
  public var strideA = 0
  /// Distance between the matrices of B in a strided batch; 0 shares one.
  public var strideB = 0
  /// Distance between the matrices of C in a strided batch; they must not overlap.
  public var strideC = 0
  /// Whether a bias is added, and along which dimension it runs.
  public var bias = GemmBias.none
  /// Applied last, to the whole sum.
  public var activation = Activation.identity
  /// Of leaky ReLU and ELU.
  public var slope: Double = 0
  /// Adds a matrix of the shape and order of C.
  public var hasResidual = false
  /// Distance between rows (columns, if column-major) of the residual.
  public var ldr = 0
  /// Distance between the residuals in a strided batch; 0 shares one.
  public var strideResidual = 0
  /// Row i of C has the same bits however many other rows there are.
  public var isRowInvariant = false
  /// A is a buffer that `GemmPlan.pack` made; lda is then ignored.
  public var packedA = false
  /// B is a buffer that `GemmPlan.pack` made; ldb is then ignored.
  public var packedB = false

  /// A plain row-major problem with the smallest leading dimensions.
  public init(dataType: DataType, m: Int, n: Int, k: Int) {
    self.dataType = dataType
    self.m = m
    self.n = n
    self.k = k
    lda = max(1, k)
    ldb = max(1, n)
    ldc = max(1, n)
    ldr = max(1, n)
  }

  /// The same with transpositions and the smallest leading dimensions that they need.
  public init(
    dataType: DataType, m: Int, n: Int, k: Int, transposeA: Bool, transposeB: Bool, order: MatrixOrder = .rowMajor
  ) {
    self.init(dataType: dataType, m: m, n: n, k: k)
    self.order = order
    self.transposeA = transposeA
    self.transposeB = transposeB
    let rowMajor = order == .rowMajor
    lda = max(1, transposeA == rowMajor ? m : k)
    ldb = max(1, transposeB == rowMajor ? k : n)
    ldc = max(1, rowMajor ? n : m)
    ldr = ldc
  }
}

extension GemmDescriptor {
  /// Throws the first rule that is broken, naming the argument as the C header does.
  func validate() throws(ApusError) {
    if dataType != .float32 && dataType != .float64 {
      throw ApusError(.unsupported, "dtype is \(dataType.name), but GEMM has float32 and float64")
    }
    for (name, value) in [("m", m), ("n", n), ("k", k), ("batch", batch)] where value < 0 {
      throw .invalid(name, value, "a size must be at least 0")
    }
    let rowMajor = order == .rowMajor
    // Length of a row (row-major) or column as it lies in memory, and how many there are.
    let a = transposeA == rowMajor ? (m, k) : (k, m)
    let b = transposeB == rowMajor ? (k, n) : (n, k)
    let c = rowMajor ? (n, m) : (m, n)
    if !packedA { try check("a", "lda", lda, a, strideA) }
    if !packedB { try check("b", "ldb", ldb, b, strideB) }
    let extentC = try check("c", "ldc", ldc, c, strideC)
    if hasResidual { try check("residual", "ldr", ldr, c, strideResidual) }
    let (_, overflow) = m.multipliedReportingOverflow(by: max(1, n))
    if overflow { throw .invalid("m * n", "\(m) * \(n)", "it must fit 63 bits") }
    if packedA || packedB {
      if batchKind == .pointers {
        throw .invalid("batch_kind", "pointers", "a packed operand is one buffer for the whole batch: use strides")
      }
      if (CheckedSize(k) * max(1, m, n).roundedUp(to: 64) * dataType.size).overflowed {
        throw .invalid("k", k, "the size of the packed operand must fit 63 bits")
      }
    }
    if batchKind == .strided && batch > 1 && m > 0 && n > 0 {
      // Apart from each other, or row by row between each other's rows.
      let interleaved = strideC >= c.0 && strideC * (batch - 1) + c.0 <= ldc
      if strideC < extentC && !interleaved {
        throw .invalid("stride_c", strideC, "the matrices of C must not overlap: at least \(extentC)")
      }
    }
  }

  @discardableResult
  private func check(
    _ matrix: String, _ name: String, _ leading: Int, _ shape: (length: Int, count: Int), _ stride: Int
  ) throws(ApusError) -> Int {
    if leading < max(1, shape.length) {
      throw .invalid(
        name, leading, "it must be at least max(1, \(shape.length)), the length of a row of \(matrix) in memory")
    }
    let extent = CheckedSize(leading) * max(0, shape.count - 1) + CheckedSize(shape.length)
    var whole = extent
    if batchKind == .strided {
      if stride < 0 { throw .invalid("stride_\(matrix)", stride, "it must be at least 0") }
      whole = CheckedSize(stride) * max(0, batch - 1) + extent
    }
    if (whole * dataType.size).overflowed && !(extent * dataType.size).overflowed {
      throw .invalid("stride_\(matrix)", stride, "the bytes of \(matrix) (batch \(batch)) must fit 63 bits")
    }
    if (whole * dataType.size).overflowed {
      throw .invalid(
        name, leading, "the bytes of \(matrix) (\(shape.count) x \(leading), batch \(batch)) must fit 63 bits")
    }
    return extent.value
  }
}
