/// Element types; raw values are the C header's.
public enum DataType: Int32, CaseIterable, Sendable {
  case float32 = 1
  case float64 = 2
  case bfloat16 = 3
  case float16 = 4
  case int8 = 5
  case uint8 = 6
  case int32 = 7
  case int64 = 8

  /// Bytes of an element.
  public var size: Int {
    switch self {
    case .int8, .uint8: 1
    case .bfloat16, .float16: 2
    case .float32, .int32: 4
    case .float64, .int64: 8
    }
  }

  /// As problem strings and messages call it.
  public var name: String {
    switch self {
    case .float32: "float32"
    case .float64: "float64"
    case .bfloat16: "bfloat16"
    case .float16: "float16"
    case .int8: "int8"
    case .uint8: "uint8"
    case .int32: "int32"
    case .int64: "int64"
    }
  }
}

/// Order of a matrix in memory; raw values are the C header's and CBLAS's.
public enum MatrixOrder: Int32, CaseIterable, Sendable {
  case rowMajor = 101
  case columnMajor = 102
}
