internal import ApusEngine

/// Element types.
public enum DataType: Sendable, Hashable, CustomStringConvertible {
  /// `Float`.
  case float32
  /// `Double`.
  case float64

  /// "float32" or "float64".
  public var description: String { engine.name }

  var engine: ApusEngine.DataType {
    switch self {
    case .float32: .float32
    case .float64: .float64
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
