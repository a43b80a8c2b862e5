internal import ApusEngine

/// Weights in the form that a plan's algorithm reads, made once by ``Convolution/makePackedWeights(from:for:context:)`` and
/// used by many runs.
///
/// It is an immutable value that owns its memory; copies share it, and any number of threads may use it at once. It serves
/// every plan of the same type, instruction set, algorithm, direction, channels, groups and kernel (backward by data, also of
/// the same stride, dilation and padding); others throw `mismatch`. ``ConvolutionAlgorithm/direct`` and
/// ``ConvolutionAlgorithm/implicitGemm`` share theirs.
public struct PackedWeights<Scalar: GemmScalar>: GemmOperand, Sendable {
  /// The direction whose runs read it.
  public let direction: ConvolutionDirection
  /// The instruction set whose kernels read it.
  public let instructionSet: InstructionSet
  private let storage: PackedStorage

  init(bytes: Int, direction: ConvolutionDirection, instructionSet: InstructionSet) throws(ApusError) {
    self.direction = direction
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
