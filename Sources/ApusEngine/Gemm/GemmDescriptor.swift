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

/// `C = activation(alpha op(A) op(B) + beta C + bias + residual)` for each matrix of a batch: op(A) is m x k, op(B) k x n.
/// Leading dimensions and strides are in elements. Nothing is checked before a plan is made.
public struct GemmDescriptor: Sendable, Equatable {
  public var dataType: DataType
  public var order = MatrixOrder.rowMajor
  public var transposeA = false
  public var transposeB = false
  public var m: Int
  public var n: Int
  public var k: Int
  public var lda: Int
  public var ldb: Int
  public var ldc: Int
  public var batch = 1
  public var batchKind = GemmBatchKind.strided
  public var strideA = 0
  public var strideB = 0
  public var strideC = 0
  public var bias = GemmBias.none
  public var activation = Activation.identity
  /// Of leaky ReLU and ELU.
  public var slope: Double = 0
  public var hasResidual = false
  public var ldr = 0
  public var strideResidual = 0
  /// Row i of C has the same bits however many other rows there are.
  public var isRowInvariant = false
  /// A (B) is a buffer that `GemmPlan.pack` made; lda (ldb) is then ignored.
  public var packedA = false
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
      throw .invalid(name, leading, "it must be at least max(1, \(shape.length)), the length of a row of \(matrix) in memory")
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
      throw .invalid(name, leading, "the bytes of \(matrix) (\(shape.count) x \(leading), batch \(batch)) must fit 63 bits")
    }
    return extent.value
  }
}
