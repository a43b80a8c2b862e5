/// The types that tensors are made of: `Float`, `Double`, `Int32`, `Int64`, `UInt8` and `Bool`. Conform no other type.
public protocol TensorScalar: BitwiseCopyable, Sendable, Equatable {
  /// The type in memory.
  static var dtype: DataType { get }
  /// The nearest `Double`; of a bool 1 or 0.
  var asDouble: Double { get }
  /// To integers towards zero, out of range to the nearest, NaN to 0; to bool: whether it is not 0.
  init(nearest value: Double)
}

extension Float: TensorScalar {
  /// float32
  public static var dtype: DataType { .float32 }
  /// Rounded.
  public init(nearest value: Double) { self.init(value) }
}
extension Double: TensorScalar {
  /// float64
  public static var dtype: DataType { .float64 }
  /// Itself.
  public init(nearest value: Double) { self = value }
}
extension Int32: TensorScalar {
  /// int32
  public static var dtype: DataType { .int32 }
  /// Exact.
  public var asDouble: Double { Double(self) }
  /// Towards zero.
  public init(nearest value: Double) { self = nearestInteger(value) }
}
extension Int64: TensorScalar {
  /// int64
  public static var dtype: DataType { .int64 }
  /// Rounded.
  public var asDouble: Double { Double(self) }
  /// Towards zero.
  public init(nearest value: Double) { self = nearestInteger(value) }
}
extension UInt8: TensorScalar {
  /// uint8
  public static var dtype: DataType { .uint8 }
  /// Exact.
  public var asDouble: Double { Double(self) }
  /// Towards zero.
  public init(nearest value: Double) { self = nearestInteger(value) }
}
extension Bool: TensorScalar {
  /// bool
  public static var dtype: DataType { .bool }
  /// 1 or 0.
  public var asDouble: Double { self ? 1 : 0 }
  /// Whether it is not 0; NaN is not.
  public init(nearest value: Double) { self = value != 0 }
}

private func nearestInteger<I: FixedWidthInteger>(_ x: Double) -> I {
  x.isNaN ? 0 : x >= Double(I.max) ? .max : x <= Double(I.min) ? .min : I(x)
}

extension DataType {
  /// Bytes of an element.
  public var size: Int {
    switch self {
    case .float32, .int32: 4
    case .float64, .int64: 8
    case .uint8, .bool: 1
    }
  }

  /// Whether it is float32 or float64, which have gradients.
  public var isFloatingPoint: Bool { self == .float32 || self == .float64 }

  /// Calls `body` with the Swift type of the elements.
  func withScalar<Result>(_ body: (any TensorScalar.Type) -> Result) -> Result {
    switch self {
    case .float32: body(Float.self)
    case .float64: body(Double.self)
    case .int32: body(Int32.self)
    case .int64: body(Int64.self)
    case .uint8: body(UInt8.self)
    case .bool: body(Bool.self)
    }
  }
}
