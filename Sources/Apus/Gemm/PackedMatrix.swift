internal import ApusEngine

/// A matrix in the order that the kernels read it, made once by ``Gemm/makePackedA(from:lda:context:)`` or
/// ``Gemm/makePackedB(from:ldb:context:)`` and used by many runs.
///
/// It is an immutable value that owns its memory; copies share it, and any number of threads may use it at once. It serves
/// every plan of the same type, order, instruction set and sizes (m and k for A, k and n for B); others throw `mismatch`.
public struct PackedMatrix<Scalar: GemmScalar>: GemmOperand, Sendable {
  /// The instruction set whose kernels read it.
  public let instructionSet: InstructionSet
  private let storage: PackedStorage

  init(_ operand: ApusEngine.GemmOperand, bytes: Int, instructionSet: InstructionSet) throws(ApusError) {
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

/// Memory that is written once, before it is shared.
final class PackedStorage: @unchecked Sendable {
  let memory: UnsafeMutableRawPointer
  let bytes: Int

  init(bytes: Int) throws(ApusError) {
    memory = try translatingErrors { () throws(ApusEngine.ApusError) in try Memory.allocate(bytes: bytes) }
    self.bytes = bytes
  }
  deinit { Memory.free(memory) }
}
