internal import ApusEngine

/// What a recurrence carries from step to step: h, and c of an LSTM. Also the gradient by it.
public struct RecurrentState<Scalar: GemmScalar>: Sendable, Equatable {
  /// layers x directions x batch x numbers of a state.
  public var h: [Scalar]
  /// layers x directions x batch x hidden; empty where the cell has none.
  public var c: [Scalar]

  /// A state of the caller's; ``Recurrent/makeState()`` makes one of zeros.
  public init(h: [Scalar], c: [Scalar] = []) {
    self.h = h
    self.c = c
  }
}

/// What a forward run in training saved for the backward runs that follow. Owns its memory; a forward run fills it anew.
///
/// Forward runs write it: no two threads may use one at the same time, unless all of them run backward.
public final class RecurrentWorkspace: @unchecked Sendable {
  /// Bytes of memory that it holds.
  public let byteCount: Int
  let memory: UnsafeMutableRawPointer

  init(bytes: Int) throws(ApusError) {
    memory = try translatingErrors { () throws(ApusEngine.ApusError) in try Memory.allocate(bytes: bytes) }
    byteCount = bytes
    // A workspace that no run has filled is refused.
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: min(bytes, 256))
  }
  deinit { Memory.free(memory) }
}

/// All parameters in the form that the kernels read, made once by ``Recurrent/makePackedWeights(from:context:)`` and used
/// by many runs.
///
/// It is an immutable value that owns its memory; copies share it, and any number of threads may use it at once. It serves
/// every plan of the same type, instruction set, cell, sizes, layers, directions, biases and peepholes, whatever their
/// steps and batch; what a plan for training packed serves inference too. Others throw `mismatch`.
public struct PackedRecurrentWeights<Scalar: GemmScalar>: GemmOperand, Sendable {
  /// The instruction set whose kernels read it.
  public let instructionSet: InstructionSet
  private let storage: PackedStorage

  init(bytes: Int, instructionSet: InstructionSet) throws(ApusError) {
    self.instructionSet = instructionSet
    storage = try PackedStorage(bytes: bytes)
  }

  /// Bytes of memory that it holds.
  public var byteCount: Int { storage.bytes }

  /// To be written before anybody else sees it.
  var memory: UnsafeMutableRawPointer { storage.memory }

  /// Lends the packed bytes.
  public func withGemmOperand<Result>(
    _ body: (GemmOperandView<Scalar>) throws(ApusError) -> Result
  ) throws(ApusError) -> Result {
    defer { withExtendedLifetime(storage) {} }
    return try body(GemmOperandView(packed: storage.memory, bytes: storage.bytes))
  }
}
