/// What one run of a plan gets; shapes as in the descriptor, T steps, B sequences, L layers, D directions, and state size
/// S = projection or hidden. Tensors are dense.
public struct RecurrentArguments {
  /// Parameters in the framework's order; may be nil where `packed` is given.
  public var parameters: UnsafeRawPointer?
  /// What `RecurrentPlan.pack` made of them.
  public var packed: UnsafeRawPointer?
  /// (T, B, input), or batch-major (B, T, input).
  public var x: UnsafeRawPointer?
  /// B numbers, 0 to T; nil: every sequence has T steps. Steps from a sequence's length on are padding.
  public var lengths: UnsafePointer<Int64>?
  /// (L * D, B, S); nil: zeros.
  public var h0: UnsafeRawPointer?
  /// (L * D, B, hidden), LSTM; nil: zeros.
  public var c0: UnsafeRawPointer?
  /// Forward: (T, B, output), or batch-major; nil where it is not wanted. Padding is not written.
  public var y: UnsafeMutableRawPointer?
  /// Forward: as h0, after each sequence's last step in the direction of the recurrence; may be h0. nil: not wanted.
  public var hn: UnsafeMutableRawPointer?
  /// Forward: as c0; may be c0.
  public var cn: UnsafeMutableRawPointer?
  /// Training: `RecurrentPlan.workspaceBytes` that forward fills and backward reads.
  public var workspace: UnsafeMutableRawPointer?
  /// Size of `workspace`.
  public var workspaceBytes = 0
  /// Backward: gradient by y; nil: zero. Padding is not read.
  public var dy: UnsafeRawPointer?
  /// Backward: T flags; where one is 0, dy of that step is zero and not read. nil: all are read.
  public var dySteps: UnsafePointer<UInt8>?
  /// Backward: gradient by hn; nil: zero.
  public var dhn: UnsafeRawPointer?
  /// Backward: gradient by cn; nil: zero.
  public var dcn: UnsafeRawPointer?
  /// Backward: gradient by x; nil where not wanted. Padding is zero, or, accumulating, as it was.
  public var dx: UnsafeMutableRawPointer?
  /// Backward: gradient by h0; nil where not wanted.
  public var dh0: UnsafeMutableRawPointer?
  /// Backward: gradient by c0; nil where not wanted.
  public var dc0: UnsafeMutableRawPointer?
  /// Backward: gradients by the parameters, in their order; nil where not wanted.
  public var dParameters: UnsafeMutableRawPointer?
  /// Gradients are added to what their tensors hold.
  public var accumulate = false
  /// nil: the calling thread's own buffer.
  public var scratch: UnsafeMutableRawPointer?
  /// Size of `scratch`, at least `RecurrentPlan.scratchBytes(context:)`.
  public var scratchBytes = 0

  /// Overwriting, without data and scratch.
  public init() {}
}
