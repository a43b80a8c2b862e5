extension Tensor {
  /// The numbers of an array, in the shape that is given or as a vector. Their type stays.
  public init<Scalar: TensorScalar>(_ values: [Scalar], shape: [Int]? = nil) {
    self = values.withUnsafeBufferPointer { Tensor(copying: $0, shape: shape) }
  }

  /// The same of `Int`s, as int64.
  public init(_ values: [Int], shape: [Int]? = nil) { self.init(values.map(Int64.init), shape: shape) }

  /// A copy of a buffer's numbers.
  public init<Scalar: TensorScalar>(copying values: UnsafeBufferPointer<Scalar>, shape: [Int]? = nil) {
    let shape = shape ?? [values.count]
    self.init(uninitialized: shape, Scalar.dtype)
    require(count == values.count, "a tensor of shape \(shape) has \(count) elements, but there are \(values.count)")
    if let start = values.baseAddress {
      result.copyMemory(from: UnsafeRawPointer(start), byteCount: values.count * dtype.size)
    }
  }

  /// A scalar.
  public init<Scalar: TensorScalar>(_ value: Scalar) { self.init([value], shape: []) }

  /// One number everywhere.
  public init(repeating value: Double, shape: [Int], dtype: DataType = .float32) {
    self.init(uninitialized: shape, dtype)
    let count = count
    let memory = result
    func fill<Scalar: TensorScalar>(_: Scalar.Type) {
      memory.initializeMemory(as: Scalar.self, repeating: Scalar(nearest: value), count: count)
    }
    dtype.withScalar { fill($0) }
  }

  /// Zeros.
  public static func zeros(_ shape: [Int], dtype: DataType = .float32) -> Tensor {
    let tensor = Tensor(uninitialized: shape, dtype)
    tensor.result.initializeMemory(as: UInt8.self, repeating: 0, count: tensor.count * dtype.size)
    return tensor
  }

  /// Ones.
  public static func ones(_ shape: [Int], dtype: DataType = .float32) -> Tensor {
    Tensor(repeating: 1, shape: shape, dtype: dtype)
  }

  /// Zeros of the shape and type of another.
  public static func zeros(like other: Tensor) -> Tensor { zeros(other.shape, dtype: other.dtype) }

  /// Ones of the shape and type of another.
  public static func ones(like other: Tensor) -> Tensor { ones(other.shape, dtype: other.dtype) }

  /// first, first + step, ... below `end` (above it, if the step is negative), as NumPy's arange.
  public static func range(from first: Double = 0, to end: Double, by step: Double = 1, dtype: DataType = .float32)
    -> Tensor
  {
    require(
      step != 0 && first.isFinite && end.isFinite && step.isFinite,
      "a range takes finite numbers and a step that is not 0, but its step is \(step)")
    let count = Swift.max(0, Int(((end - first) / step).rounded(.up)))
    let values = (0..<count).map { first + Double($0) * step }
    return Tensor(values).converted(to: dtype)
  }

  /// The identity matrix.
  public static func identity(_ size: Int, dtype: DataType = .float32) -> Tensor {
    var values = [Double](repeating: 0, count: size * size)
    for i in 0..<size { values[i * size + i] = 1 }
    return Tensor(values, shape: [size, size]).converted(to: dtype)
  }
}

/// Nested numbers as `[[1, 2], [3, 4]]`, from which a ``Tensor`` of float32 can be made.
public enum TensorLiteral: ExpressibleByArrayLiteral, ExpressibleByFloatLiteral, ExpressibleByIntegerLiteral {
  /// A number.
  case number(Double)
  /// Elements along a dimension.
  case row([TensorLiteral])

  /// A number.
  public init(floatLiteral value: Double) { self = .number(value) }
  /// A number.
  public init(integerLiteral value: Int) { self = .number(Double(value)) }
  /// Elements along a dimension.
  public init(arrayLiteral elements: TensorLiteral...) { self = .row(elements) }

  var shape: [Int] {
    switch self {
    case .number: []
    case .row(let rows): [rows.count] + (rows.first?.shape ?? [])
    }
  }

  func append(to values: inout [Float], _ expected: ArraySlice<Int>) {
    switch self {
    case .number(let value):
      require(
        expected.isEmpty, "a tensor's rows must have one length, but there is a number where \(Array(expected)) belong")
      values.append(Float(value))
    case .row(let rows):
      require(
        rows.count == expected.first,
        "a tensor's rows must have one length, but there are \(rows.count) elements where \(Array(expected)) belong")
      for row in rows { row.append(to: &values, expected.dropFirst()) }
    }
  }
}

extension Tensor: ExpressibleByArrayLiteral {
  /// float32; rows of different lengths stop the program.
  public init(arrayLiteral elements: TensorLiteral...) {
    let literal = TensorLiteral.row(elements)
    var values: [Float] = []
    literal.append(to: &values, literal.shape[...])
    self.init(values, shape: literal.shape)
  }
}
