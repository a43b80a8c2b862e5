extension Recurrent {
  /// Runs the layers forward, the state carried over: it is that before the first step, and becomes that after each
  /// sequence's last one.
  ///
  /// - Parameters:
  ///   - x: steps x batch x input, or batch-major. Padding may hold anything.
  ///   - weights: ``parameterCount`` numbers (a span, an array, an unsafe buffer), or ``PackedRecurrentWeights``.
  ///   - lengths: Steps of each sequence, what lies behind is padding; nil: all.
  ///   - state: Before and state.
  ///   - y: The outputs. Padding is not written.
  ///   - workspace: For a plan made for training: what backward will read.
  ///   - context: Threads and back end; nil: the process's default.
  /// - Throws: `invalidArgument` for arrays that are too short, a workspace that is missing, or a length outside of 0 to
  ///   the plan's steps; `mismatch` for weights packed for another plan; `outOfMemory`. Nothing has been written then.
  ///
  /// Allocates nothing, except a thread's buffer at its first use.
  public func forward<W: GemmOperand & ~Escapable>(
    _ x: Span<Scalar>, _ weights: W, lengths: Span<Int64>? = nil, state: inout RecurrentState<Scalar>,
    into y: inout MutableSpan<Scalar>, workspace: RecurrentWorkspace? = nil, context: Context? = nil
  ) throws(ApusError) where W.Scalar == Scalar {
    var buffers = RecurrentBuffers<Scalar>()
    // A span's memory stays where it is for as long as the span lives, which is the whole call.
    buffers.x = x.withUnsafeBufferPointer { $0 }
    buffers.lengths = lengths?.withUnsafeBufferPointer { $0 }
    buffers.workspace = workspace
    buffers.y = y.withUnsafeMutableBufferPointer { $0 }
    var h = state.h.mutableSpan
    buffers.hn = h.withUnsafeMutableBufferPointer { $0 }
    buffers.h0 = buffers.hn.map { UnsafeBufferPointer($0) }
    if cellCount > 0 {
      var c = state.c.mutableSpan
      buffers.cn = c.withUnsafeMutableBufferPointer { $0 }
      buffers.c0 = buffers.cn.map { UnsafeBufferPointer($0) }
      try forward(weights, buffers, context: context)
    } else {
      try forward(weights, buffers, context: context)
    }
  }

  /// Forward into an array; else as the form over spans.
  public func forward<W: GemmOperand & ~Escapable>(
    _ x: Span<Scalar>, _ weights: W, lengths: Span<Int64>? = nil, state: inout RecurrentState<Scalar>,
    into y: inout [Scalar], workspace: RecurrentWorkspace? = nil, context: Context? = nil
  ) throws(ApusError) where W.Scalar == Scalar {
    var span = y.mutableSpan
    try forward(
      x, weights, lengths: lengths, state: &state, into: &span, workspace: workspace, context: context)
  }

  /// Runs the layers backward through time.
  ///
  /// - Parameters:
  ///   - dy: The gradient by y; nil: zero, where all of it comes through the state.
  ///   - dySteps: Steps of dy that count; of others it is not read, and zero. nil: all.
  ///   - x: As forward had it.
  ///   - weights: As forward had them.
  ///   - lengths: As forward had them.
  ///   - workspace: What forward filled; it stays as it is.
  ///   - state: The gradient by the state after the last step, which becomes the gradient by that before the first:
  ///     backpropagation through windows hands it from one to the one before.
  ///   - dx: The gradient by x; in padding zero, or, accumulating, as it was.
  ///   - dParameters: The gradient by all parameters, in their order.
  ///   - accumulates: dx and dParameters are added to what they hold.
  ///   - context: Threads and back end; nil: the process's default.
  /// - Throws: As ``forward(_:_:lengths:state:into:workspace:context:)-(_,_,_,_,MutableSpan<Scalar>,_,_)``; `unsupported`
  ///   for a plan made for inference; `mismatch` for a workspace that no forward run of such a plan filled.
  ///
  /// Allocates the new state.
  public func backward<W: GemmOperand & ~Escapable>(
    _ dy: Span<Scalar>?, dySteps: Span<Bool>? = nil, x: Span<Scalar>, _ weights: W, lengths: Span<Int64>? = nil,
    workspace: RecurrentWorkspace, state: inout RecurrentState<Scalar>, into dx: inout [Scalar],
    parameters dParameters: inout [Scalar], accumulates: Bool = false, context: Context? = nil
  ) throws(ApusError) where W.Scalar == Scalar {
    var before = makeState()
    var buffers = RecurrentBuffers<Scalar>()
    buffers.dy = dy?.withUnsafeBufferPointer { $0 }
    buffers.dySteps = dySteps?.withUnsafeBufferPointer { $0 }
    buffers.x = x.withUnsafeBufferPointer { $0 }
    buffers.lengths = lengths?.withUnsafeBufferPointer { $0 }
    buffers.workspace = workspace
    buffers.accumulates = accumulates
    var h = before.h.mutableSpan
    buffers.dh0 = h.withUnsafeMutableBufferPointer { $0 }
    var gradient = dx.mutableSpan
    buffers.dx = gradient.withUnsafeMutableBufferPointer { $0 }
    var w = dParameters.mutableSpan
    buffers.dParameters = w.withUnsafeMutableBufferPointer { $0 }
    if cellCount > 0 {
      var c = before.c.mutableSpan
      buffers.dc0 = c.withUnsafeMutableBufferPointer { $0 }
      try backward(weights, &buffers, after: state, context)
    } else {
      try backward(weights, &buffers, after: state, context)
    }
    state = before
  }

  /// Lends the state after the last step.
  private func backward<W: GemmOperand & ~Escapable>(
    _ weights: W, _ buffers: inout RecurrentBuffers<Scalar>, after: RecurrentState<Scalar>, _ context: Context?
  ) throws(ApusError) where W.Scalar == Scalar {
    try after.h.withUnsafeBufferPointer { h throws(ApusError) in
      try after.c.withUnsafeBufferPointer { c throws(ApusError) in
        buffers.dhn = h
        buffers.dcn = cellCount > 0 ? c : nil
        try backward(weights, buffers, context: context)
      }
    }
  }
}
