extension Gemm {
  /// Runs the plan over spans.
  ///
  /// - Parameters:
  ///   - alpha: The factor of the product.
  ///   - a: A as it lies in memory (a span, an array, an unsafe buffer) or a ``PackedMatrix``, as the plan says.
  ///   - b: B, likewise.
  ///   - beta: The factor of what C was before; 0 never reads C.
  ///   - c: C as it lies in memory.
  ///   - bias: The numbers that the plan adds to rows or columns; nil if it adds none.
  ///   - residual: The matrix that the plan adds; nil if it adds none.
  ///   - scratch: Memory to work in, at least ``scratchBytes(context:)``; nil: a buffer that each thread keeps.
  ///   - context: Threads and back end; nil: the process's default. The instruction set is the plan's.
  /// - Throws: `invalidArgument` for a buffer that has fewer elements than the plan's shapes take, is missing or is not
  ///   wanted; `mismatch` for a packed matrix of another plan; `outOfMemory` where the system refuses a packing buffer.
  ///
  /// Allocates nothing, except a thread's packing buffer at its first use where there is no scratch.
  @inlinable
  public func run<A: GemmOperand & ~Escapable, B: GemmOperand & ~Escapable>(
    alpha: Scalar = 1, _ a: A, _ b: B, beta: Scalar = 0, into c: inout MutableSpan<Scalar>,
    bias: Span<Scalar>? = nil, residual: Span<Scalar>? = nil, scratch: UnsafeMutableRawBufferPointer? = nil,
    context: Context? = nil
  ) throws(ApusError) where A.Scalar == Scalar, B.Scalar == Scalar {
    // The memory of a span stays where it is for as long as the span lives, which is this whole call.
    let bias = bias?.withUnsafeBufferPointer { $0 }
    let residual = residual?.withUnsafeBufferPointer { $0 }
    try c.withUnsafeMutableBufferPointer { c throws(ApusError) in
      try run(
        alpha: alpha, a, b, beta: beta, into: c, bias: bias, residual: residual, scratch: scratch, context: context)
    }
  }

  /// Runs the plan into an array; else as the form over spans.
  @inlinable
  public func run<A: GemmOperand & ~Escapable, B: GemmOperand & ~Escapable>(
    alpha: Scalar = 1, _ a: A, _ b: B, beta: Scalar = 0, into c: inout [Scalar],
    bias: Span<Scalar>? = nil, residual: Span<Scalar>? = nil, scratch: UnsafeMutableRawBufferPointer? = nil,
    context: Context? = nil
  ) throws(ApusError) where A.Scalar == Scalar, B.Scalar == Scalar {
    let bias = bias?.withUnsafeBufferPointer { $0 }
    let residual = residual?.withUnsafeBufferPointer { $0 }
    try c.withUnsafeMutableBufferPointer { c throws(ApusError) in
      try run(
        alpha: alpha, a, b, beta: beta, into: c, bias: bias, residual: residual, scratch: scratch, context: context)
    }
  }

  /// Runs the plan over unsafe buffers. `residual` may be the memory of `c` if both have the same leading dimension and
  /// stride; nothing else may overlap `c`. Else as the form over spans.
  @inlinable
  public func run<A: GemmOperand & ~Escapable, B: GemmOperand & ~Escapable>(
    alpha: Scalar = 1, _ a: A, _ b: B, beta: Scalar = 0, into c: UnsafeMutableBufferPointer<Scalar>,
    bias: UnsafeBufferPointer<Scalar>? = nil, residual: UnsafeBufferPointer<Scalar>? = nil,
    scratch: UnsafeMutableRawBufferPointer? = nil, context: Context? = nil
  ) throws(ApusError) where A.Scalar == Scalar, B.Scalar == Scalar {
    try a.withGemmOperand { a throws(ApusError) in
      try b.withGemmOperand { b throws(ApusError) in
        try core.run(
          alpha: alpha.asDouble, a: GemmCore.Operand(a), b: GemmCore.Operand(b), beta: beta.asDouble,
          c: UnsafeMutableRawPointer(c.baseAddress), count: c.count,
          extras: GemmCore.Extras(bias: bias, residual: residual, scratch: scratch), context: context)
      }
    }
  }

  /// Runs a plan whose batch is ``GemmBatch/pointers(count:)``. The numbers of pointers are checked; that the memory
  /// behind them is large enough is the caller's to know. Else as the form over spans.
  public func run(
    alpha: Scalar = 1, _ a: UnsafeBufferPointer<UnsafePointer<Scalar>>, _ b: UnsafeBufferPointer<UnsafePointer<Scalar>>,
    beta: Scalar = 0, into c: UnsafeBufferPointer<UnsafeMutablePointer<Scalar>>,
    bias: UnsafeBufferPointer<Scalar>? = nil, residual: UnsafeBufferPointer<UnsafePointer<Scalar>>? = nil,
    scratch: UnsafeMutableRawBufferPointer? = nil, context: Context? = nil
  ) throws(ApusError) {
    try core.run(
      alpha: alpha.asDouble, a: UnsafeRawBufferPointer(a), b: UnsafeRawBufferPointer(b), beta: beta.asDouble,
      c: UnsafeRawBufferPointer(c), residual: residual.map { UnsafeRawBufferPointer($0) },
      extras: GemmCore.Extras(bias: bias, residual: nil, scratch: scratch), context: context)
  }
}
