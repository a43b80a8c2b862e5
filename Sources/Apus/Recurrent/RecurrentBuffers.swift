internal import ApusEngine

/// The tensors of a run, for callers that keep their own memory. Buffers are valid for the run; what is written may overlap
/// nothing that is read, but for hn and cn, which may be h0 and c0.
public struct RecurrentBuffers<Scalar: GemmScalar> {
  /// steps x batch x input, or batch-major. Padding may hold anything.
  public var x: UnsafeBufferPointer<Scalar>?
  /// Steps of each sequence; nil: all. What lies behind is padding.
  public var lengths: UnsafeBufferPointer<Int64>?
  /// h before the first step; nil: zeros.
  public var h0: UnsafeBufferPointer<Scalar>?
  /// c before the first step; nil: zeros.
  public var c0: UnsafeBufferPointer<Scalar>?
  /// Forward: the outputs; nil: not wanted. Padding is not written.
  public var y: UnsafeMutableBufferPointer<Scalar>?
  /// Forward: h after the last step; nil: not wanted.
  public var hn: UnsafeMutableBufferPointer<Scalar>?
  /// Forward: c after the last step; nil: not wanted.
  public var cn: UnsafeMutableBufferPointer<Scalar>?
  /// Training: filled forward, read backward.
  public var workspace: RecurrentWorkspace?
  /// Backward: the gradient by y; nil: zero. Padding is not read.
  public var dy: UnsafeBufferPointer<Scalar>?
  /// Backward: steps whose dy is not zero; of others it is not read. nil: all.
  public var dySteps: UnsafeBufferPointer<Bool>?
  /// Backward: the gradient by hn; nil: zero.
  public var dhn: UnsafeBufferPointer<Scalar>?
  /// Backward: the gradient by cn; nil: zero.
  public var dcn: UnsafeBufferPointer<Scalar>?
  /// Backward: the gradient by x; nil: not wanted.
  public var dx: UnsafeMutableBufferPointer<Scalar>?
  /// Backward: the gradient by h0; nil: not wanted.
  public var dh0: UnsafeMutableBufferPointer<Scalar>?
  /// Backward: the gradient by c0; nil: not wanted.
  public var dc0: UnsafeMutableBufferPointer<Scalar>?
  /// Backward: the gradient by all parameters, in their order; nil: not wanted.
  public var dParameters: UnsafeMutableBufferPointer<Scalar>?
  /// Gradients are added to what their tensors hold.
  public var accumulates = false
  /// Memory to work in, at least ``Recurrent/scratchBytes(context:)``; nil: a buffer that each thread keeps.
  public var scratch: UnsafeMutableRawBufferPointer?

  /// No tensors.
  public init() {}
}

extension Recurrent {
  /// Forward over unsafe buffers: from x, h0 and c0 to y, hn and cn and, in training, the workspace.
  ///
  /// - Parameters:
  ///   - weights: ``parameterCount`` numbers (a span, an array, an unsafe buffer), or ``PackedRecurrentWeights``.
  ///   - buffers: The tensors; those of backward alone are not looked at.
  ///   - context: Threads and back end; nil: the process's default. The instruction set is the plan's.
  /// - Throws: `invalidArgument` for a buffer that is missing or has fewer elements than the plan takes, a length outside
  ///   of 0 to the plan's steps, states of c of a cell that is no LSTM; `mismatch` for weights packed for another plan;
  ///   `outOfMemory`. Nothing has been written then.
  ///
  /// Allocates nothing, except a thread's buffer at its first use where there is no scratch.
  public func forward<W: GemmOperand & ~Escapable>(
    _ weights: W, _ buffers: RecurrentBuffers<Scalar>, context: Context? = nil
  ) throws(ApusError) where W.Scalar == Scalar {
    for (name, count, needed) in [
      ("y", buffers.y?.count, outputCount), ("hn", buffers.hn?.count, hiddenCount),
      ("cn", buffers.cn?.count, cellCount),
    ] {
      if let count { try check(name, count, needed) }
    }
    var arguments = RecurrentArguments()
    arguments.y = UnsafeMutableRawPointer(buffers.y?.baseAddress)
    arguments.hn = UnsafeMutableRawPointer(buffers.hn?.baseAddress)
    arguments.cn = UnsafeMutableRawPointer(buffers.cn?.baseAddress)
    try run(weights, buffers, arguments, context, isBackward: false)
  }

  /// Backward through time over unsafe buffers: from dy, dhn and dcn to dx, dh0, dc0 and dParameters, with x, lengths,
  /// weights and the workspace of the forward run.
  ///
  /// - Throws: As ``forward(_:_:context:)``; `unsupported` for a plan made for inference; `mismatch` for a workspace that no
  ///   forward run of such a plan filled.
  public func backward<W: GemmOperand & ~Escapable>(
    _ weights: W, _ buffers: RecurrentBuffers<Scalar>, context: Context? = nil
  ) throws(ApusError) where W.Scalar == Scalar {
    for (name, count, needed) in [
      ("dy", buffers.dy?.count, outputCount), ("dySteps", buffers.dySteps?.count, plan.descriptor.steps),
      ("dhn", buffers.dhn?.count, hiddenCount), ("dcn", buffers.dcn?.count, cellCount),
      ("dx", buffers.dx?.count, inputCount), ("dh0", buffers.dh0?.count, hiddenCount),
      ("dc0", buffers.dc0?.count, cellCount), ("dParameters", buffers.dParameters?.count, parameterCount),
    ] {
      if let count { try check(name, count, needed) }
    }
    var arguments = RecurrentArguments()
    arguments.dy = UnsafeRawPointer(buffers.dy?.baseAddress)
    // A Bool is a byte, 0 or 1.
    arguments.dySteps = UnsafeRawPointer(buffers.dySteps?.baseAddress)?.assumingMemoryBound(to: UInt8.self)
    arguments.dhn = UnsafeRawPointer(buffers.dhn?.baseAddress)
    arguments.dcn = UnsafeRawPointer(buffers.dcn?.baseAddress)
    arguments.dx = UnsafeMutableRawPointer(buffers.dx?.baseAddress)
    arguments.dh0 = UnsafeMutableRawPointer(buffers.dh0?.baseAddress)
    arguments.dc0 = UnsafeMutableRawPointer(buffers.dc0?.baseAddress)
    arguments.dParameters = UnsafeMutableRawPointer(buffers.dParameters?.baseAddress)
    arguments.accumulate = buffers.accumulates
    try run(weights, buffers, arguments, context, isBackward: true)
  }

  /// What both directions take.
  private func run<W: GemmOperand & ~Escapable>(
    _ weights: W, _ buffers: RecurrentBuffers<Scalar>, _ given: RecurrentArguments, _ context: Context?,
    isBackward: Bool
  ) throws(ApusError) where W.Scalar == Scalar {
    for (name, count, needed) in [
      ("x", buffers.x?.count, inputCount), ("lengths", buffers.lengths?.count, plan.descriptor.batch),
      ("h0", buffers.h0?.count, hiddenCount), ("c0", buffers.c0?.count, cellCount),
    ] {
      if let count { try check(name, count, needed) }
    }
    let engine = try Context.resolve(context)
    var arguments = given
    arguments.x = UnsafeRawPointer(buffers.x?.baseAddress)
    arguments.lengths = buffers.lengths?.baseAddress
    arguments.h0 = UnsafeRawPointer(buffers.h0?.baseAddress)
    arguments.c0 = UnsafeRawPointer(buffers.c0?.baseAddress)
    arguments.workspace = buffers.workspace?.memory
    arguments.workspaceBytes = buffers.workspace?.byteCount ?? 0
    arguments.scratch = buffers.scratch?.baseAddress
    arguments.scratchBytes = buffers.scratch?.count ?? 0
    try weights.withGemmOperand { view throws(ApusError) in
      if view.isPacked {
        arguments.packed = view.base
      } else {
        try check("weights", view.count, parameterCount)
        arguments.parameters = view.base
      }
      try translatingErrors { () throws(ApusEngine.ApusError) in
        if isBackward {
          try plan.backward(context: engine, arguments)
        } else {
          try plan.forward(context: engine, arguments)
        }
      }
    }
    withExtendedLifetime(buffers.workspace) {}
  }
}
