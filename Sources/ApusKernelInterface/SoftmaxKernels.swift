/// Softmax over rows, or over columns of `inner` neighbours.
@frozen public struct SoftmaxShape {
  /// Elements along the axis.
  public var size = 0
  /// Elements between neighbours along the axis; 1 means rows.
  public var inner = 1
  /// The logarithm of softmax.
  public var isLogarithm = false
  /// Results go past the caches.
  public var streams = false
  /// A row, where results go past the caches and are no place to work in.
  public var scratch: UnsafeMutableRawPointer?

  /// No elements.
  @inlinable public init() {}
}

/// Softmax for one data type, filled in by each instruction set.
@frozen public struct SoftmaxKernels: Sendable {
  /// (pointer to `SoftmaxShape`, x, y, first, count): rows, or by columns slices of size x inner elements. x and y may be
  /// the same.
  public typealias Forward =
    @convention(c) (
      UnsafeRawPointer, UnsafeRawPointer, UnsafeMutableRawPointer, Int, Int
    ) -> Void
  /// (pointer to `SoftmaxShape`, y, dy, dx, first, count); dx may be dy.
  public typealias Backward =
    @convention(c) (
      UnsafeRawPointer, UnsafeRawPointer, UnsafeRawPointer, UnsafeMutableRawPointer, Int, Int
    ) -> Void

  /// y from x.
  public var forward: Forward
  /// dx from y and dy.
  public var backward: Backward

  /// A set's kernels.
  @inlinable public init(forward: Forward, backward: Backward) {
    self.forward = forward
    self.backward = backward
  }
}
