internal import ApusEngine

/// A planned matrix multiplication,
///
///     C = activation(alpha * op(A) * op(B) + beta * C + bias + residual)
///
/// for each product of a batch, where op(A) is m x k, op(B) is k x n and C is m x n, and op is transposition or nothing.
///
/// A plan is made once and run many times. Making it checks every argument and chooses the algorithm. It is immutable: any
/// number of threads may run it at once. NaN and infinity propagate; the rounding mode and the handling of denormals are
/// the caller's. Within an instruction set a result has the same bits for any number of threads, any back end and any
/// alignment, with scratch or without.
///
///     let layer = try Gemm<Float>(m: batch, n: outputs, k: inputs, transposeB: true, bias: .byColumn, activation: .relu)
///     try layer.run(x, weights, into: &y, bias: biases.span)
public struct Gemm<Scalar: GemmScalar>: Sendable {
  @usableFromInline let core: GemmCore

  /// Plans a multiplication.
  ///
  /// - Parameters:
  ///   - m: Rows of op(A) and C.
  ///   - n: Columns of op(B) and C.
  ///   - k: Columns of op(A) and rows of op(B).
  ///   - transposeA: Whether A lies in memory as k x m.
  ///   - lda: Elements between rows (columns, if column-major) of A as it lies in memory; nil: no gaps.
  ///   - transposeB: Whether B lies in memory as n x k.
  ///   - ldb: Likewise of B.
  ///   - ldc: Likewise of C.
  ///   - ldr: Likewise of the residual.
  ///   - order: The order of all matrices in memory.
  ///   - batch: Products that a run computes together.
  ///   - bias: Whether a run adds numbers to the rows or the columns. A batch shares them.
  ///   - activation: Applied last.
  ///   - addsResidual: Whether a run adds a matrix of C's shape before the activation.
  ///   - packed: The operands that runs take as a ``PackedMatrix``. A batch shares them.
  ///   - isRowInvariant: Whether a row of C must have the same bits however many other rows there are.
  ///   - context: Decides the instruction set; nil: the process's default.
  /// - Throws: `invalidArgument` for a negative size, a leading dimension below the length of a row, matrices of C that
  ///   overlap, or sizes in bytes that overflow. Messages name arguments as the C header does.
  ///
  /// Allocates the plan alone, some hundred bytes.
  public init(
    m: Int, n: Int, k: Int, transposeA: Bool = false, lda: Int? = nil, transposeB: Bool = false, ldb: Int? = nil,
    ldc: Int? = nil, order: MatrixOrder = .rowMajor, batch: GemmBatch = .single, bias: GemmBias = .none,
    activation: Activation = .none, addsResidual: Bool = false, ldr: Int? = nil, packed: PackedOperands = [],
    isRowInvariant: Bool = false, context: Context? = nil
  ) throws(ApusError) {
    var descriptor = GemmDescriptor(
      dataType: Scalar.dataType.engine, m: m, n: n, k: k, transposeA: transposeA, transposeB: transposeB,
      order: order.engine)
    if let lda { descriptor.lda = lda }
    if let ldb { descriptor.ldb = ldb }
    if let ldc { descriptor.ldc = ldc }
    descriptor.ldr = ldr ?? descriptor.ldc
    descriptor.bias =
      switch bias {
      case .none: .none
      case .byRow: .byRow
      case .byColumn: .byColumn
      }
    (descriptor.activation, descriptor.slope) = activation.engine
    descriptor.hasResidual = addsResidual
    descriptor.packedA = packed.contains(.a)
    descriptor.packedB = packed.contains(.b)
    descriptor.isRowInvariant = isRowInvariant
    descriptor.apply(batch)
    core = try GemmCore(descriptor, Context.resolve(context))
  }

  /// The instruction set of the plan: that of the context which it was made with.
  public var instructionSet: InstructionSet { InstructionSet(core.plan.instructionSet) }
  /// Floating-point operations of one run; a multiply-add counts as two.
  public var flops: Double { core.plan.flops }
  /// Bytes that one run reads and writes at least: every operand once.
  public var bytes: Double { core.plan.bytes }

  /// Bytes of scratch that a run with this context takes, if it is to use the caller's.
  public func scratchBytes(context: Context? = nil) throws(ApusError) -> Int {
    core.plan.scratchBytes(context: try Context.resolve(context))
  }

  /// Threads that a run with this context uses at most.
  public func threads(context: Context? = nil) throws(ApusError) -> Int {
    core.plan.threadsUsed(context: try Context.resolve(context))
  }

  /// Packs A for a plan that was made with `packed: .a`.
  ///
  /// - Parameters:
  ///   - a: The matrix as it lies in memory, in the plan's order and transposition.
  ///   - lda: Its leading dimension; nil: the plan's.
  ///   - context: As for a run.
  /// - Throws: `invalidArgument` if the plan takes A unpacked, `a` has too few elements or `lda` is too small;
  ///   `outOfMemory`.
  public func makePackedA<A: GemmOperand & ~Escapable>(
    from a: A, lda: Int? = nil, context: Context? = nil
  ) throws(ApusError) -> PackedMatrix<Scalar> where A.Scalar == Scalar {
    try a.withGemmOperand { a throws(ApusError) in try core.pack(.a, GemmCore.Operand(a), leading: lda, context) }
  }

  /// Packs B for a plan that was made with `packed: .b`.
  ///
  /// - Parameters:
  ///   - b: The matrix as it lies in memory, in the plan's order and transposition.
  ///   - ldb: Its leading dimension; nil: the plan's.
  ///   - context: As for a run.
  /// - Throws: `invalidArgument` if the plan takes B unpacked, `b` has too few elements or `ldb` is too small;
  ///   `outOfMemory`.
  public func makePackedB<B: GemmOperand & ~Escapable>(
    from b: B, ldb: Int? = nil, context: Context? = nil
  ) throws(ApusError) -> PackedMatrix<Scalar> where B.Scalar == Scalar {
    try b.withGemmOperand { b throws(ApusError) in try core.pack(.b, GemmCore.Operand(b), leading: ldb, context) }
  }
}

extension Gemm: CustomStringConvertible {
  /// Shape, algorithm, blocking and instruction set, for people.
  public var description: String { core.plan.description }
}

extension GemmDescriptor {
  fileprivate mutating func apply(_ batch: GemmBatch) {
    self.batch = batch.count
    batchKind = batch.isPointers ? .pointers : .strided
    // Rows (columns) as they lie in memory. A product that overflows is refused by the plan.
    func dense(_ leading: Int, _ rows: Int) -> Int {
      let (stride, overflow) = leading.multipliedReportingOverflow(by: rows)
      return overflow ? Int.max : max(0, stride)
    }
    let isRowMajor = order == .rowMajor
    strideA = batch.strideA ?? dense(lda, transposeA == isRowMajor ? k : m)
    strideB = batch.strideB ?? dense(ldb, transposeB == isRowMajor ? n : k)
    strideC = batch.strideC ?? dense(ldc, isRowMajor ? m : n)
    strideResidual = batch.strideResidual ?? dense(ldr, isRowMajor ? m : n)
  }
}
