internal import ApusEngine
internal import ApusKernelInterface

/// The shape that two broadcast to: sizes are compared from the last on, and a size of 1, or none, repeats.
func broadcastShape(_ operation: StaticString, _ a: [Int], _ b: [Int]) -> [Int] {
  if a == b { return a }
  let rank = max(a.count, b.count)
  var shape = [Int](repeating: 1, count: rank)
  for i in 0..<rank {
    let x = i < a.count ? a[a.count - 1 - i] : 1
    let y = i < b.count ? b[b.count - 1 - i] : 1
    require(x == y || x == 1 || y == 1, "\(operation): the shapes \(a) and \(b) do not broadcast")
    shape[rank - 1 - i] = x == 1 ? y : x
  }
  return shape
}

/// f(a, b) off the tape; comparisons give the sources' type here.
func binary(_ name: StaticString, _ function: BinaryFunction, _ a: Tensor, _ b: Tensor) -> Tensor {
  require(
    a.dtype == b.dtype,
    "\(name): both tensors must have one type, but they are \(a.dtype) \(a.shape) and \(b.dtype) \(b.shape)")
  let shape = broadcastShape(name, a.shape, b.shape)
  if !a.dtype.isFloatingPoint { return integerBinary(name, function, a, b, shape) }
  // The result lies as the source that has its shape.
  let y =
    a.shape == shape
    ? a.uninitializedLike() : b.shape == shape ? b.uninitializedLike() : Tensor(uninitialized: shape, a.dtype)
  compute(name, a, b, y) { context throws(ApusEngine.ApusError) in
    if a.shape == b.shape && a.strides == y.strides && b.strides == y.strides && y.isDense {
      var flat = StridedTensor(y.dtype.engine)
      try flat.append(size: y.count, stride: 1, name: "tensor")
      return try ApusEngine.Arithmetic.binary(
        function, context: context, flat, a.base, flat, b.base, flat, y.result)
    }
    try ApusEngine.Arithmetic.binary(
      function, context: context, a.strided, a.base, b.strided, b.base, y.strided, y.result)
  }
  return y
}

/// Through int64, with overflow that wraps; bytes and bools as numbers.
private func integerBinary(
  _ name: StaticString, _ function: BinaryFunction, _ a: Tensor, _ b: Tensor, _ shape: [Int]
) -> Tensor {
  let x = a.detached().broadcast(to: shape).converted(to: .int64)
  let z = b.detached().broadcast(to: shape).converted(to: .int64)
  let y = Tensor(uninitialized: shape, .int64)
  x.withElements(Int64.self) { x in
    z.withElements(Int64.self) { z in
      let target = y.result.assumingMemoryBound(to: Int64.self)
      for i in x.indices { target[i] = integer(name, function, x[i], z[i]) }
    }
  }
  return y.wrapped(to: a.dtype)
}

private func integer(_ name: StaticString, _ function: BinaryFunction, _ a: Int64, _ b: Int64) -> Int64 {
  switch function {
  case .add: return a &+ b
  case .subtract: return a &- b
  case .multiply: return a &* b
  case .divide:
    require(b != 0, "\(name): an integer was divided by zero")
    return a.dividedReportingOverflow(by: b).partialValue
  case .minimum: return min(a, b)
  case .maximum: return max(a, b)
  case .equal: return a == b ? 1 : 0
  case .notEqual: return a != b ? 1 : 0
  case .less: return a < b ? 1 : 0
  case .lessOrEqual: return a <= b ? 1 : 0
  case .greater: return a > b ? 1 : 0
  case .greaterOrEqual: return a >= b ? 1 : 0
  case .power, .prelu: fatalError("\(name) takes floating-point tensors")
  }
}

extension Tensor {
  /// Of int64: the low bits as a narrower integer; bool: whether it is not 0.
  fileprivate func wrapped(to type: DataType) -> Tensor {
    let y = Tensor(uninitialized: shape, type)
    withElements(Int64.self) { x in
      switch type {
      case .int64: y.result.copyMemory(from: base, byteCount: count * 8)
      case .int32:
        for i in x.indices {
          y.result.storeBytes(of: Int32(truncatingIfNeeded: x[i]), toByteOffset: 4 * i, as: Int32.self)
        }
      case .uint8:
        for i in x.indices { y.result.storeBytes(of: UInt8(truncatingIfNeeded: x[i]), toByteOffset: i, as: UInt8.self) }
      case .bool: for i in x.indices { y.result.storeBytes(of: x[i] != 0, toByteOffset: i, as: Bool.self) }
      case .float32, .float64: fatalError("integers do not become \(type) here")
      }
    }
    return y
  }

  /// The gradient of a tensor that was broadcast: the sum over what was repeated.
  func summed(to target: [Int]) -> Tensor {
    if shape == target { return self }
    let leading = rank - target.count
    let axes =
      Array(0..<leading) + target.indices.filter { target[$0] == 1 && shape[$0 + leading] != 1 }.map { $0 + leading }
    return sum(along: axes).reshaped(target)
  }

  /// Adds element by element, with broadcasting.
  public static func + (a: Tensor, b: Tensor) -> Tensor {
    let (aShape, bShape) = (a.shape, b.shape)
    return binary("+", .add, a, b).recorded("+", a, b) { dy in
      [a.isTracked ? dy.summed(to: aShape) : nil, b.isTracked ? dy.summed(to: bShape) : nil]
    }
  }

  /// Subtracts element by element, with broadcasting.
  public static func - (a: Tensor, b: Tensor) -> Tensor {
    let (aShape, bShape) = (a.shape, b.shape)
    return binary("-", .subtract, a, b).recorded("-", a, b) { dy in
      [a.isTracked ? dy.summed(to: aShape) : nil, b.isTracked ? (-dy).summed(to: bShape) : nil]
    }
  }

  /// Multiplies element by element, with broadcasting.
  public static func * (a: Tensor, b: Tensor) -> Tensor {
    binary("*", .multiply, a, b).recorded("*", a, b) { dy in
      [a.isTracked ? (dy * b).summed(to: a.shape) : nil, b.isTracked ? (dy * a).summed(to: b.shape) : nil]
    }
  }

  /// Divides element by element, with broadcasting; integers towards zero.
  public static func / (a: Tensor, b: Tensor) -> Tensor {
    binary("/", .divide, a, b).recorded("/", a, b) { dy in
      [
        a.isTracked ? (dy / b).summed(to: a.shape) : nil,
        b.isTracked ? (-(dy * a) / (b * b)).summed(to: b.shape) : nil,
      ]
    }
  }

  /// The negative.
  public static prefix func - (x: Tensor) -> Tensor { x.dtype.isFloatingPoint ? x.negated() : x.affine("-", -1, 0) }
  /// Adds a number to each element.
  public static func + (x: Tensor, value: Double) -> Tensor { x.affine("+", 1, value) }
  /// Adds a number to each element.
  public static func + (value: Double, x: Tensor) -> Tensor { x.affine("+", 1, value) }
  /// Subtracts a number from each element.
  public static func - (x: Tensor, value: Double) -> Tensor { x.affine("-", 1, -value) }
  /// Subtracts each element from a number.
  public static func - (value: Double, x: Tensor) -> Tensor { x.affine("-", -1, value) }
  /// Multiplies each element by a number.
  public static func * (x: Tensor, value: Double) -> Tensor { x.affine("*", value, 0) }
  /// Multiplies each element by a number.
  public static func * (value: Double, x: Tensor) -> Tensor { x.affine("*", value, 0) }
  /// Divides each element by a number.
  public static func / (x: Tensor, value: Double) -> Tensor {
    if x.dtype.isFloatingPoint { return x / Tensor(repeating: value, shape: [], dtype: x.dtype) }
    return (x.converted(to: .int64) / x.wholeNumber("/", value)).wrapped(to: x.dtype)
  }
  /// Divides a number by each element; integers towards zero.
  public static func / (value: Double, x: Tensor) -> Tensor {
    if x.dtype.isFloatingPoint { return Tensor(repeating: value, shape: [], dtype: x.dtype) / x }
    return (x.wholeNumber("/", value) / x.converted(to: .int64)).wrapped(to: x.dtype)
  }

  /// Adds.
  public static func += (a: inout Tensor, b: Tensor) { a = a + b }
  /// Subtracts.
  public static func -= (a: inout Tensor, b: Tensor) { a = a - b }
  /// Multiplies.
  public static func *= (a: inout Tensor, b: Tensor) { a = a * b }
  /// Divides.
  public static func /= (a: inout Tensor, b: Tensor) { a = a / b }

  /// A number beside a tensor of integers, as int64. What is no whole number stops.
  private func wholeNumber(_ name: StaticString, _ value: Double) -> Tensor {
    require(
      value == value.rounded(),
      "\(name): \(value) is no whole number, but the tensor is \(dtype) \(shape): convert it to a floating-point type")
    return Tensor(repeating: value, shape: [], dtype: .int64)
  }

  /// scale x + offset. Integers wrap.
  private func affine(_ name: StaticString, _ scale: Double, _ offset: Double) -> Tensor {
    if !dtype.isFloatingPoint {
      let numbers = converted(to: .int64)
      let y = numbers * wholeNumber(name, scale) + wholeNumber(name, offset)
      return dtype == .bool ? y : y.wrapped(to: dtype)
    }
    let x = dense()
    let y = x.uninitializedLike()
    var plan = Elementwise(.affine, dataType: dtype.engine, count: x.count)
    plan.alpha = scale
    plan.beta = offset
    compute(name, x, y) { context throws(ApusEngine.ApusError) in
      try plan.forward(context: context, x: x.base, y: y.result)
    }
    return y.recorded(name, self) { dy in [scale == 1 ? dy : dy * scale] }
  }

  /// Each element to the power of a number; the gradient is p x^(p - 1).
  public func power(_ exponent: Double) -> Tensor {
    if exponent == 2 { return squared() }
    let p = Tensor(repeating: exponent, shape: [], dtype: dtype)
    // x^-1 times 0 would be no number at 0.
    if exponent == 0 {
      return binary("power", .power, self, p).recorded("power", self) { [x = self] _ in [.zeros(like: x)] }
    }
    return binary("power", .power, self, p).recorded("power", self) { [x = self] dy in
      [dy * (x.power(exponent - 1) * exponent)]
    }
  }

  /// a^b element by element, with broadcasting. The gradient by b takes a above 0.
  public func power(_ exponent: Tensor) -> Tensor {
    let (a, b) = (self, exponent)
    return binary("power", .power, a, b).recorded("power", a, b) { dy in
      [
        a.isTracked ? (dy * select(b .== 0, .zeros(like: b), b * a.power(b - 1))).summed(to: a.shape) : nil,
        b.isTracked ? (dy * a.log() * a.power(b)).summed(to: b.shape) : nil,
      ]
    }
  }
}
