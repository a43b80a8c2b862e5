/// Functions of one element. Raw values are the C header's: APUS_ACTIVATION_... up to 31, APUS_UNARY_... beyond.
@frozen public enum ElementFunction: Int32, CaseIterable, Sendable {
  case identity = 0
  case relu = 1
  case leakyReLU = 2
  case elu = 3
  case sigmoid = 4
  case tanh = 5
  case selu = 6
  case celu = 7
  case softplus = 8
  case softsign = 9
  case hardSigmoid = 10
  case hardTanh = 11
  case hardSwish = 12
  case silu = 13
  case gelu = 14
  case geluTanh = 15
  case mish = 16
  case clamp = 17
  case exp = 32
  case log = 33
  case squareRoot = 34
  case absolute = 35
  case negate = 36
  case square = 37
  case reciprocal = 38
  case sign = 39
  case expMinusOne = 40
  case erf = 41
  case affine = 42
}

/// Functions of two elements. Raw values are the C header's, APUS_BINARY_....
@frozen public enum BinaryFunction: Int32, CaseIterable, Sendable {
  case add = 0
  case subtract = 1
  case multiply = 2
  case divide = 3
  case power = 4
  case minimum = 5
  case maximum = 6
  case equal = 7
  case notEqual = 8
  case less = 9
  case lessOrEqual = 10
  case greater = 11
  case greaterOrEqual = 12
  /// x where x is not below 0, else x times the other.
  case prelu = 13
}

/// What a function of one element takes beside it.
@frozen public struct ElementOptions: Sendable {
  /// Slope, scale or lower bound.
  public var alpha = 0.0
  /// Upper bound or offset.
  public var beta = 0.0
  /// Backward: the saved tensor is y rather than x.
  public var fromOutput = false
  /// Backward: added to what dx holds.
  public var accumulates = false
  /// Results go past the caches.
  public var streams = false

  /// Zeros.
  @inlinable public init() {}
}

/// Up to three sources and a result in two loops; strides are in elements.
@frozen public struct ElementGrid {
  /// Repetitions of the outer loop.
  public var rows = 1
  /// Of the inner loop.
  public var columns = 0
  /// Sources; `c` chooses between the others.
  public var a: UnsafeRawPointer?
  /// See `a`.
  public var b: UnsafeRawPointer?
  /// See `a`.
  public var c: UnsafeRawPointer?
  /// The result, which may be a source with the same strides.
  public var y: UnsafeMutableRawPointer?
  /// Outer strides.
  public var aRow = 0
  /// See `aRow`.
  public var bRow = 0
  /// See `aRow`.
  public var cRow = 0
  /// See `aRow`.
  public var yRow = 0
  /// Inner strides: 0 and 1 are fast.
  public var aColumn = 1
  /// See `aColumn`.
  public var bColumn = 1
  /// See `aColumn`.
  public var cColumn = 1
  /// See `aColumn`.
  public var yColumn = 1
  /// Results go past the caches.
  public var streams = false

  /// No elements.
  @inlinable public init() {}
}

/// Elementwise kernels for one data type, filled in by each instruction set. An element's bits depend neither on its place
/// nor on the length of a call.
@frozen public struct ElementKernels: Sendable {
  /// (`ElementFunction`, source, result, count, pointer to `ElementOptions`); the result may be the source.
  public typealias Map =
    @convention(c) (
      Int32, UnsafeRawPointer, UnsafeMutableRawPointer, Int, UnsafeRawPointer
    ) -> Void
  /// (`ElementFunction`, x or y, dy, dx, count, pointer to `ElementOptions`); dx may be either source.
  public typealias Backward =
    @convention(c) (
      Int32, UnsafeRawPointer, UnsafeRawPointer, UnsafeMutableRawPointer, Int, UnsafeRawPointer
    ) -> Void
  /// (`BinaryFunction`, pointer to `ElementGrid`)
  public typealias Binary = @convention(c) (Int32, UnsafeRawPointer) -> Void
  /// (pointer to `ElementGrid`): a where c is not 0, else b.
  public typealias Select = @convention(c) (UnsafeRawPointer) -> Void
  /// (x, slopes, dy, dx, pointer to a sum, count, whether there is a slope for each element): PReLU's gradients. dx is
  /// written; one slope's sum of dy min(x, 0) is written to the pointer, or added to each element's.
  public typealias PReLUBackward =
    @convention(c) (
      UnsafeRawPointer, UnsafeRawPointer, UnsafeRawPointer, UnsafeMutableRawPointer, UnsafeMutableRawPointer, Int, Bool
    ) -> Void

  /// Elements of a vector.
  public var lanes: Int
  /// y = f(x).
  public var map: Map
  /// dx = f'(x) dy.
  public var backward: Backward
  /// y = f(a, b).
  public var binary: Binary
  /// y = c ? a : b.
  public var select: Select
  /// PReLU's gradients.
  public var preluBackward: PReLUBackward

  /// A set's kernels.
  @inlinable public init(
    lanes: Int, map: Map, backward: Backward, binary: Binary, select: Select, preluBackward: PReLUBackward
  ) {
    self.lanes = lanes
    self.map = map
    self.backward = backward
    self.binary = binary
    self.select = select
    self.preluBackward = preluBackward
  }
}
