internal import ApusEngine
internal import ApusKernelInterface

/// The larger of each two elements, with broadcasting; NaN where one is. Where they are the same, each gets half of the
/// gradient.
public func maximum(_ a: Tensor, _ b: Tensor) -> Tensor { extremum("maximum", .maximum, .greater, a, b) }

/// The smaller of each two elements, with broadcasting; NaN where one is. Where they are the same, each gets half of the
/// gradient.
public func minimum(_ a: Tensor, _ b: Tensor) -> Tensor { extremum("minimum", .minimum, .less, a, b) }

private func extremum(
  _ name: StaticString, _ function: BinaryFunction, _ wins: BinaryFunction, _ a: Tensor, _ b: Tensor
) -> Tensor {
  binary(name, function, a, b).recorded(name, a, b) { dy in
    let share = binary(name, wins, a, b) + binary(name, .equal, a, b) * 0.5
    return [
      a.isTracked ? (dy * share).summed(to: a.shape) : nil,
      b.isTracked ? (dy * (1 - share)).summed(to: b.shape) : nil,
    ]
  }
}

/// a where `condition` is true, else b, with broadcasting.
public func select(_ condition: Tensor, _ a: Tensor, _ b: Tensor) -> Tensor {
  require(
    a.dtype == b.dtype && a.dtype.isFloatingPoint,
    "select: a and b must have one floating-point type, but they are \(a.dtype) and \(b.dtype)")
  let shape = broadcastShape("select", broadcastShape("select", condition.shape, a.shape), b.shape)
  // By way of bool: a float64 that is not 0 may be 0 in float32.
  let mask = condition.detached().converted(to: .bool).converted(to: a.dtype)
  let y = Tensor(uninitialized: shape, a.dtype)
  compute("select", mask, a, b, y) { context throws(ApusEngine.ApusError) in
    try ApusEngine.Arithmetic.select(
      context: context, mask.strided, mask.base, a.strided, a.base, b.strided, b.base, y.strided, y.result)
  }
  return y.recorded("select", a, b) { dy in
    let zero = Tensor.zeros([], dtype: dy.dtype)
    return [
      a.isTracked ? select(mask, dy, zero).summed(to: a.shape) : nil,
      b.isTracked ? select(mask, zero, dy).summed(to: b.shape) : nil,
    ]
  }
}

extension Tensor {
  private static func compare(_ function: BinaryFunction, _ a: Tensor, _ b: Tensor) -> Tensor {
    binary("comparison", function, a.detached(), b.detached()).converted(to: .bool)
  }

  /// Integers are compared as float64, which has what lies between them.
  private static func compare(_ function: BinaryFunction, _ a: Tensor, _ value: Double) -> Tensor {
    let x = a.dtype.isFloatingPoint ? a : a.converted(to: .float64)
    return compare(function, x, Tensor(repeating: value, shape: [], dtype: x.dtype))
  }

  /// Where elements are the same, with broadcasting: bool.
  public static func .== (a: Tensor, b: Tensor) -> Tensor { compare(.equal, a, b) }
  /// Where elements differ, with broadcasting: bool.
  public static func .!= (a: Tensor, b: Tensor) -> Tensor { compare(.notEqual, a, b) }
  /// Where a is less, with broadcasting: bool.
  public static func .< (a: Tensor, b: Tensor) -> Tensor { compare(.less, a, b) }
  /// Where a is less or the same, with broadcasting: bool.
  public static func .<= (a: Tensor, b: Tensor) -> Tensor { compare(.lessOrEqual, a, b) }
  /// Where a is greater, with broadcasting: bool.
  public static func .> (a: Tensor, b: Tensor) -> Tensor { compare(.greater, a, b) }
  /// Where a is greater or the same, with broadcasting: bool.
  public static func .>= (a: Tensor, b: Tensor) -> Tensor { compare(.greaterOrEqual, a, b) }

  /// Where an element is a number: bool.
  public static func .== (a: Tensor, value: Double) -> Tensor { compare(.equal, a, value) }
  /// Where an element is less than a number: bool.
  public static func .< (a: Tensor, value: Double) -> Tensor { compare(.less, a, value) }
  /// Where an element is greater than a number: bool.
  public static func .> (a: Tensor, value: Double) -> Tensor { compare(.greater, a, value) }

  /// Whether shapes and types are the same and no element differs by more than `tolerance` + `relative` |b|. NaN is near
  /// nothing.
  public func isClose(to other: Tensor, tolerance: Double = 1e-8, relative: Double = 1e-5) -> Bool {
    guard shape == other.shape && dtype == other.dtype else { return false }
    return zip(array(of: Double.self), other.array(of: Double.self)).allSatisfy {
      $0 == $1 || $1.isFinite && abs($0 - $1) <= tolerance + relative * abs($1)
    }
  }
}

extension Tensor: Equatable {
  /// Whether shapes, types and all elements are the same; NaN is not the same as NaN.
  public static func == (a: Tensor, b: Tensor) -> Bool {
    func same<Scalar: TensorScalar>(_: Scalar.Type) -> Bool {
      a.withElements(Scalar.self) { x in b.withElements(Scalar.self) { x.elementsEqual($0) } }
    }
    return a.shape == b.shape && a.dtype == b.dtype && a.dtype.withScalar { same($0) }
  }
}
