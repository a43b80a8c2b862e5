/// What can be A or B of a product: a span, an array, an unsafe buffer, or a ``PackedMatrix``.
///
/// A type of your own conforms by lending its elements as `Span` does.
public protocol GemmOperand<Scalar>: ~Escapable {
  /// The type of the elements.
  associatedtype Scalar: GemmScalar

  /// Calls `body` with the operand's memory, which is valid until `body` returns.
  func withGemmOperand<Result>(
    _ body: (GemmOperandView<Scalar>) throws(ApusError) -> Result
  ) throws(ApusError) -> Result
}

/// The memory of a ``GemmOperand``: valid only inside the closure that it was lent to.
@frozen public struct GemmOperandView<Scalar: GemmScalar> {
  @usableFromInline let base: UnsafeRawPointer?
  /// Elements of a matrix, bytes of a packed one.
  @usableFromInline let count: Int
  @usableFromInline let isPacked: Bool

  /// The elements of a matrix as it lies in memory.
  @inlinable public init(_ elements: UnsafeBufferPointer<Scalar>) {
    base = UnsafeRawPointer(elements.baseAddress)
    count = elements.count
    isPacked = false
  }

  init(packed base: UnsafeRawPointer, bytes: Int) {
    self.base = base
    count = bytes
    isPacked = true
  }
}

extension Span: GemmOperand where Element: GemmScalar {
  /// The element.
  public typealias Scalar = Element
  /// Lends the span's elements.
  @inlinable public func withGemmOperand<Result>(
    _ body: (GemmOperandView<Element>) throws(ApusError) -> Result
  ) throws(ApusError) -> Result {
    try withUnsafeBufferPointer { elements throws(ApusError) in try body(GemmOperandView(elements)) }
  }
}

extension UnsafeBufferPointer: GemmOperand where Element: GemmScalar {
  /// The element.
  public typealias Scalar = Element
  /// Lends the buffer's elements.
  @inlinable public func withGemmOperand<Result>(
    _ body: (GemmOperandView<Element>) throws(ApusError) -> Result
  ) throws(ApusError) -> Result {
    try body(GemmOperandView(self))
  }
}

extension UnsafeMutableBufferPointer: GemmOperand where Element: GemmScalar {
  /// The element.
  public typealias Scalar = Element
  /// Lends the buffer's elements.
  @inlinable public func withGemmOperand<Result>(
    _ body: (GemmOperandView<Element>) throws(ApusError) -> Result
  ) throws(ApusError) -> Result {
    try body(GemmOperandView(UnsafeBufferPointer(self)))
  }
}

extension Array: GemmOperand where Element: GemmScalar {
  /// The element.
  public typealias Scalar = Element
  /// Lends the array's elements.
  @inlinable public func withGemmOperand<Result>(
    _ body: (GemmOperandView<Element>) throws(ApusError) -> Result
  ) throws(ApusError) -> Result {
    try withUnsafeBufferPointer { elements throws(ApusError) in try body(GemmOperandView(elements)) }
  }
}

extension ArraySlice: GemmOperand where Element: GemmScalar {
  /// The element.
  public typealias Scalar = Element
  /// Lends the slice's elements.
  @inlinable public func withGemmOperand<Result>(
    _ body: (GemmOperandView<Element>) throws(ApusError) -> Result
  ) throws(ApusError) -> Result {
    try withUnsafeBufferPointer { elements throws(ApusError) in try body(GemmOperandView(elements)) }
  }
}
