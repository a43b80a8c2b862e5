extension Convolution {
  // MARK: Forward

  /// y = activation(conv(x, weights) + bias + residual), over spans.
  ///
  /// - Parameters:
  ///   - x: batch x inputChannels x `input` in the input's layout: a span, an array or an unsafe buffer.
  ///   - weights: outputChannels x (inputChannels / groups) x `kernel` (transposed: inputChannels x (outputChannels / groups)
  ///     x `kernel`), or ``PackedWeights``, as the plan says.
  ///   - y: batch x outputChannels x ``outputShape`` in the output's layout.
  ///   - bias: outputChannels numbers; nil if the plan adds none.
  ///   - residual: A tensor of y's shape and layout; nil if the plan adds none.
  ///   - accumulates: The sums are added to what y holds, before the activation; else y is never read.
  ///   - scratch: Memory to work in, at least ``scratchBytes(for:context:)``; nil: a buffer that each thread keeps.
  ///   - context: Threads and back end; nil: the process's default. The instruction set is the plan's.
  /// - Throws: `invalidArgument` for a direction that the plan has not, and for a buffer that has fewer elements than the
  ///   plan's shapes take, is missing or is not wanted; `mismatch` for weights packed for another plan; `outOfMemory` where
  ///   the system refuses a buffer. Nothing has been written then.
  ///
  /// Allocates nothing, except a thread's buffer at its first use where there is no scratch.
  @inlinable
  public func forward<X: GemmOperand & ~Escapable, W: GemmOperand & ~Escapable>(
    _ x: X, _ weights: W, into y: inout MutableSpan<Scalar>, bias: Span<Scalar>? = nil, residual: Span<Scalar>? = nil,
    accumulates: Bool = false, scratch: UnsafeMutableRawBufferPointer? = nil, context: Context? = nil
  ) throws(ApusError) where X.Scalar == Scalar, W.Scalar == Scalar {
    // The memory of a span stays where it is for as long as the span lives, which is this whole call.
    let bias = bias?.withUnsafeBufferPointer { $0 }
    let residual = residual?.withUnsafeBufferPointer { $0 }
    try y.withUnsafeMutableBufferPointer { y throws(ApusError) in
      try forward(
        x, weights, into: y, bias: bias, residual: residual, accumulates: accumulates, scratch: scratch,
        context: context)
    }
  }

  /// Forward into an array; else as the form over spans.
  @inlinable
  public func forward<X: GemmOperand & ~Escapable, W: GemmOperand & ~Escapable>(
    _ x: X, _ weights: W, into y: inout [Scalar], bias: Span<Scalar>? = nil, residual: Span<Scalar>? = nil,
    accumulates: Bool = false, scratch: UnsafeMutableRawBufferPointer? = nil, context: Context? = nil
  ) throws(ApusError) where X.Scalar == Scalar, W.Scalar == Scalar {
    let bias = bias?.withUnsafeBufferPointer { $0 }
    let residual = residual?.withUnsafeBufferPointer { $0 }
    try y.withUnsafeMutableBufferPointer { y throws(ApusError) in
      try forward(
        x, weights, into: y, bias: bias, residual: residual, accumulates: accumulates, scratch: scratch,
        context: context)
    }
  }

  /// Forward over unsafe buffers. `residual` may be the memory of `y`; nothing else may overlap `y`. Else as the form over
  /// spans.
  @inlinable
  public func forward<X: GemmOperand & ~Escapable, W: GemmOperand & ~Escapable>(
    _ x: X, _ weights: W, into y: UnsafeMutableBufferPointer<Scalar>, bias: UnsafeBufferPointer<Scalar>? = nil,
    residual: UnsafeBufferPointer<Scalar>? = nil, accumulates: Bool = false,
    scratch: UnsafeMutableRawBufferPointer? = nil, context: Context? = nil
  ) throws(ApusError) where X.Scalar == Scalar, W.Scalar == Scalar {
    try x.withGemmOperand { x throws(ApusError) in
      try weights.withGemmOperand { weights throws(ApusError) in
        try core.forward(
          GemmCore.Operand(x), GemmCore.Operand(weights), UnsafeMutableRawPointer(y.baseAddress), count: y.count,
          accumulates: accumulates, extras: GemmCore.Extras(bias: bias, residual: residual, scratch: scratch),
          context: context)
      }
    }
  }

  // MARK: Backward by data

  /// dx = the gradient by x: the transpose of the convolution, applied to dy, over spans.
  ///
  /// - Parameters:
  ///   - dy: The gradient by y before the activation, in y's shape and layout.
  ///   - weights: As forward takes them, or ``PackedWeights`` for `.backwardData`.
  ///   - dx: In x's shape and layout.
  ///   - accumulates: The gradient is added to what dx holds; else dx is never read.
  ///   - scratch: Memory to work in, at least ``scratchBytes(for:context:)``; nil: a buffer that each thread keeps.
  ///   - context: Threads and back end; nil: the process's default.
  /// - Throws: As forward does. Allocates as forward does.
  @inlinable
  public func backwardData<Y: GemmOperand & ~Escapable, W: GemmOperand & ~Escapable>(
    _ dy: Y, _ weights: W, into dx: inout MutableSpan<Scalar>, accumulates: Bool = false,
    scratch: UnsafeMutableRawBufferPointer? = nil, context: Context? = nil
  ) throws(ApusError) where Y.Scalar == Scalar, W.Scalar == Scalar {
    try dx.withUnsafeMutableBufferPointer { dx throws(ApusError) in
      try backwardData(dy, weights, into: dx, accumulates: accumulates, scratch: scratch, context: context)
    }
  }

  /// Backward by data into an array; else as the form over spans.
  @inlinable
  public func backwardData<Y: GemmOperand & ~Escapable, W: GemmOperand & ~Escapable>(
    _ dy: Y, _ weights: W, into dx: inout [Scalar], accumulates: Bool = false,
    scratch: UnsafeMutableRawBufferPointer? = nil, context: Context? = nil
  ) throws(ApusError) where Y.Scalar == Scalar, W.Scalar == Scalar {
    try dx.withUnsafeMutableBufferPointer { dx throws(ApusError) in
      try backwardData(dy, weights, into: dx, accumulates: accumulates, scratch: scratch, context: context)
    }
  }

  /// Backward by data over unsafe buffers; nothing may overlap `dx`. Else as the form over spans.
  @inlinable
  public func backwardData<Y: GemmOperand & ~Escapable, W: GemmOperand & ~Escapable>(
    _ dy: Y, _ weights: W, into dx: UnsafeMutableBufferPointer<Scalar>, accumulates: Bool = false,
    scratch: UnsafeMutableRawBufferPointer? = nil, context: Context? = nil
  ) throws(ApusError) where Y.Scalar == Scalar, W.Scalar == Scalar {
    try dy.withGemmOperand { dy throws(ApusError) in
      try weights.withGemmOperand { weights throws(ApusError) in
        try core.backwardData(
          GemmCore.Operand(dy), GemmCore.Operand(weights), UnsafeMutableRawPointer(dx.baseAddress), count: dx.count,
          accumulates: accumulates, scratch: scratch, context: context)
      }
    }
  }

  // MARK: Backward by weights

  /// dw = the gradient by the weights, in their order, into an array; for plans without a bias.
  ///
  /// - Parameters:
  ///   - x: As forward takes it.
  ///   - dy: The gradient by y before the activation, in y's shape and layout.
  ///   - dw: In the weights' shape.
  ///   - accumulates: The gradient is added to what dw holds; else dw is never read.
  ///   - scratch: Memory to work in, at least ``scratchBytes(for:context:)``; nil: a buffer that each thread keeps.
  ///   - context: Threads and back end; nil: the process's default.
  /// - Throws: As forward does. Allocates as forward does. An empty batch gives zeros.
  @inlinable
  public func backwardWeights<X: GemmOperand & ~Escapable, Y: GemmOperand & ~Escapable>(
    _ x: X, _ dy: Y, into dw: inout [Scalar], accumulates: Bool = false,
    scratch: UnsafeMutableRawBufferPointer? = nil, context: Context? = nil
  ) throws(ApusError) where X.Scalar == Scalar, Y.Scalar == Scalar {
    try dw.withUnsafeMutableBufferPointer { dw throws(ApusError) in
      try backwardWeights(x, dy, into: dw, accumulates: accumulates, scratch: scratch, context: context)
    }
  }

  /// dw, and db = the gradient by the bias, into arrays; for plans with a bias. Else as the form without.
  @inlinable
  public func backwardWeights<X: GemmOperand & ~Escapable, Y: GemmOperand & ~Escapable>(
    _ x: X, _ dy: Y, into dw: inout [Scalar], bias db: inout [Scalar], accumulates: Bool = false,
    scratch: UnsafeMutableRawBufferPointer? = nil, context: Context? = nil
  ) throws(ApusError) where X.Scalar == Scalar, Y.Scalar == Scalar {
    try dw.withUnsafeMutableBufferPointer { dw throws(ApusError) in
      try db.withUnsafeMutableBufferPointer { db throws(ApusError) in
        try backwardWeights(x, dy, into: dw, bias: db, accumulates: accumulates, scratch: scratch, context: context)
      }
    }
  }

  /// dw and db into spans; for plans with a bias. Else as the form over arrays.
  @inlinable
  public func backwardWeights<X: GemmOperand & ~Escapable, Y: GemmOperand & ~Escapable>(
    _ x: X, _ dy: Y, into dw: inout MutableSpan<Scalar>, bias db: inout MutableSpan<Scalar>, accumulates: Bool = false,
    scratch: UnsafeMutableRawBufferPointer? = nil, context: Context? = nil
  ) throws(ApusError) where X.Scalar == Scalar, Y.Scalar == Scalar {
    // The memory of a span stays where it is for as long as the span lives, which is this whole call.
    let db = db.withUnsafeMutableBufferPointer { $0 }
    try dw.withUnsafeMutableBufferPointer { dw throws(ApusError) in
      try backwardWeights(x, dy, into: dw, bias: db, accumulates: accumulates, scratch: scratch, context: context)
    }
  }

  /// dw into a span; for plans without a bias. Else as the form over arrays.
  @inlinable
  public func backwardWeights<X: GemmOperand & ~Escapable, Y: GemmOperand & ~Escapable>(
    _ x: X, _ dy: Y, into dw: inout MutableSpan<Scalar>, accumulates: Bool = false,
    scratch: UnsafeMutableRawBufferPointer? = nil, context: Context? = nil
  ) throws(ApusError) where X.Scalar == Scalar, Y.Scalar == Scalar {
    try dw.withUnsafeMutableBufferPointer { dw throws(ApusError) in
      try backwardWeights(x, dy, into: dw, accumulates: accumulates, scratch: scratch, context: context)
    }
  }

  /// dw, and db where the plan has a bias, into unsafe buffers, which nothing may overlap. Else as the form over arrays.
  @inlinable
  public func backwardWeights<X: GemmOperand & ~Escapable, Y: GemmOperand & ~Escapable>(
    _ x: X, _ dy: Y, into dw: UnsafeMutableBufferPointer<Scalar>, bias db: UnsafeMutableBufferPointer<Scalar>? = nil,
    accumulates: Bool = false, scratch: UnsafeMutableRawBufferPointer? = nil, context: Context? = nil
  ) throws(ApusError) where X.Scalar == Scalar, Y.Scalar == Scalar {
    try x.withGemmOperand { x throws(ApusError) in
      try dy.withGemmOperand { dy throws(ApusError) in
        try core.backwardWeights(
          GemmCore.Operand(x), GemmCore.Operand(dy), UnsafeMutableRawBufferPointer(dw),
          db.map { UnsafeMutableRawBufferPointer($0) }, accumulates: accumulates, scratch: scratch, context: context)
      }
    }
  }
}
