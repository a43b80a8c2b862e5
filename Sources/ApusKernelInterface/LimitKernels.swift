/// Loops that reach what the hardware can do, for one data type: the yardstick of every other kernel. They are compiled
/// per instruction set like the kernels that are measured against them.
@frozen public struct LimitKernels: Sendable {
  /// (iterations, pointer to a factor and a summand, pointer to a result): `flopsPerIteration` floating-point
  /// operations an iteration, all in registers. The result depends on every one of them.
  public typealias Arithmetic = @convention(c) (Int, UnsafeRawPointer, UnsafeMutableRawPointer) -> Void
  /// (source, bytes, pointer to a result): reads every byte once; the result depends on all of them.
  public typealias Read = @convention(c) (UnsafeRawPointer, Int, UnsafeMutableRawPointer) -> Void
  /// (destination, source, bytes)
  public typealias Copy = @convention(c) (UnsafeMutableRawPointer, UnsafeRawPointer, Int) -> Void
  /// (destination, first source, second source, bytes of each): destination = first + 3 * second.
  public typealias Triad = @convention(c) (UnsafeMutableRawPointer, UnsafeRawPointer, UnsafeRawPointer, Int) -> Void

  /// A multiply-add counts as two.
  public var flopsPerIteration: Int
  /// Sizes that `read`, both copies and `triad` take are multiples of this; what is beyond is left out.
  public var bytesPerStep: Int
  /// Operations on registers.
  public var multiplyAdds: Arithmetic
  /// The bandwidth of reading.
  public var read: Read
  /// The bandwidth of copying.
  public var copy: Copy
  /// The bandwidth of copying with stores past the caches; both places aligned to 64 bytes.
  public var streamedCopy: Copy
  /// The bandwidth of two streams in and one out.
  public var triad: Triad

  /// A set's loops.
  @inlinable public init(
    flopsPerIteration: Int, bytesPerStep: Int, multiplyAdds: Arithmetic, read: Read, copy: Copy, streamedCopy: Copy,
    triad: Triad
  ) {
    self.flopsPerIteration = flopsPerIteration
    self.bytesPerStep = bytesPerStep
    self.multiplyAdds = multiplyAdds
    self.read = read
    self.copy = copy
    self.streamedCopy = streamedCopy
    self.triad = triad
  }
}
