internal import ApusEngine

/// Element types. Kernels compute in the first two; a ``Tensor`` has any of them.
public enum DataType: CaseIterable, Sendable, Hashable, CustomStringConvertible {
  /// `Float`.
  case float32
  /// `Double`.
  case float64
  /// `Int32`.
  case int32
  /// `Int64`.
  case int64
  /// `UInt8`.
  case uint8
  /// `Bool`, a byte of 0 or 1.
  case bool

  /// As NumPy calls it: "float32" and so on.
  public var description: String { self == .bool ? "bool" : engine.name }

  var engine: ApusEngine.DataType {
    switch self {
    case .float32: .float32
    case .float64: .float64
    case .int32: .int32
    case .int64: .int64
    case .uint8, .bool: .uint8
    }
  }
}

/// The types that matrices can be multiplied in: `Float` and `Double`. Conform no other type.
public protocol GemmScalar: BinaryFloatingPoint, BitwiseCopyable, Sendable {
  /// The type in memory.
  static var dataType: DataType { get }
  /// The nearest `Double`.
  var asDouble: Double { get }
}

extension Float: GemmScalar {
  /// float32
  public static var dataType: DataType { .float32 }
  /// Exact.
  @inlinable public var asDouble: Double { Double(self) }
}

extension Double: GemmScalar {
  /// float64
  public static var dataType: DataType { .float64 }
  /// Itself.
  @inlinable public var asDouble: Double { self }
}
