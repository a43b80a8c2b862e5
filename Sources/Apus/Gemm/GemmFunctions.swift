/// C = alpha * op(A) * op(B) + beta * C in one call, where op(A) is m x k, op(B) is k x n and C is m x n.
///
///     let a: [Float] = [1, 2, 3, 4, 5, 6]     // 2 x 3
///     let b: [Float] = [1, 0, 0, 1, 1, 1]     // 3 x 2
///     var c = [Float](repeating: 0, count: 4) // 2 x 2
///     try gemm(m: 2, n: 2, k: 3, a, b, into: &c)
///
/// It plans and runs; what is called often with one shape is better planned once, as a ``Gemm``. Zero sizes are legal:
/// with m or n zero nothing is done, with k zero C is multiplied by beta. Threads work on it when that pays.
///
/// - Parameters:
///   - m: Rows of op(A) and C.
///   - n: Columns of op(B) and C.
///   - k: Columns of op(A) and rows of op(B).
///   - alpha: The factor of the product.
///   - a: A as it lies in memory: a span, an array or an unsafe buffer.
///   - transposeA: Whether A lies in memory as k x m.
///   - lda: Elements between rows (columns, if column-major) of A as it lies in memory; nil: no gaps.
///   - b: B, likewise.
///   - transposeB: Whether B lies in memory as n x k.
///   - ldb: Likewise of B.
///   - beta: The factor of what C was before; 0 never reads C.
///   - c: C as it lies in memory.
///   - ldc: Likewise of C.
///   - order: The order of all matrices in memory.
///   - context: How it runs; nil: the process's default.
/// - Throws: `invalidArgument` for a negative size, a leading dimension below the length of a row, sizes in bytes that
///   overflow, and a buffer that has fewer elements than the shapes take; `outOfMemory` where the system refuses a packing
///   buffer. Nothing has been written then.
///
/// Allocates a plan, which it frees, and a thread's packing buffer at its first use.
@inlinable
public func gemm<Scalar: GemmScalar, A: GemmOperand & ~Escapable, B: GemmOperand & ~Escapable>(
  m: Int, n: Int, k: Int, alpha: Scalar = 1, _ a: A, transposeA: Bool = false, lda: Int? = nil,
  _ b: B, transposeB: Bool = false, ldb: Int? = nil, beta: Scalar = 0, into c: inout MutableSpan<Scalar>,
  ldc: Int? = nil, order: MatrixOrder = .rowMajor, context: Context? = nil
) throws(ApusError) where A.Scalar == Scalar, B.Scalar == Scalar {
  let plan = try Gemm<Scalar>(
    m: m, n: n, k: k, transposeA: transposeA, lda: lda, transposeB: transposeB, ldb: ldb, ldc: ldc, order: order,
    context: context)
  try plan.run(alpha: alpha, a, b, beta: beta, into: &c, context: context)
}

/// C = alpha * op(A) * op(B) + beta * C into an array; else as the form over spans.
@inlinable
public func gemm<Scalar: GemmScalar, A: GemmOperand & ~Escapable, B: GemmOperand & ~Escapable>(
  m: Int, n: Int, k: Int, alpha: Scalar = 1, _ a: A, transposeA: Bool = false, lda: Int? = nil,
  _ b: B, transposeB: Bool = false, ldb: Int? = nil, beta: Scalar = 0, into c: inout [Scalar],
  ldc: Int? = nil, order: MatrixOrder = .rowMajor, context: Context? = nil
) throws(ApusError) where A.Scalar == Scalar, B.Scalar == Scalar {
  let plan = try Gemm<Scalar>(
    m: m, n: n, k: k, transposeA: transposeA, lda: lda, transposeB: transposeB, ldb: ldb, ldc: ldc, order: order,
    context: context)
  try plan.run(alpha: alpha, a, b, beta: beta, into: &c, context: context)
}

/// C = alpha * op(A) * op(B) + beta * C into an unsafe buffer, which neither A nor B may overlap; else as the form over
/// spans.
@inlinable
public func gemm<Scalar: GemmScalar, A: GemmOperand & ~Escapable, B: GemmOperand & ~Escapable>(
  m: Int, n: Int, k: Int, alpha: Scalar = 1, _ a: A, transposeA: Bool = false, lda: Int? = nil,
  _ b: B, transposeB: Bool = false, ldb: Int? = nil, beta: Scalar = 0,
  into c: UnsafeMutableBufferPointer<Scalar>, ldc: Int? = nil, order: MatrixOrder = .rowMajor, context: Context? = nil
) throws(ApusError) where A.Scalar == Scalar, B.Scalar == Scalar {
  let plan = try Gemm<Scalar>(
    m: m, n: n, k: k, transposeA: transposeA, lda: lda, transposeB: transposeB, ldb: ldb, ldc: ldc, order: order,
    context: context)
  try plan.run(alpha: alpha, a, b, beta: beta, into: c, context: context)
}
