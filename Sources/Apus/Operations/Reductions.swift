internal import ApusEngine

extension Tensor {
  /// The axes, all where there are none given, as bits and in the order of the dimensions.
  private func axes(_ operation: StaticString, _ axes: [Int]?) -> (bits: Int, list: [Int]) {
    guard let axes else { return ((1 << rank) - 1, Array(shape.indices)) }
    let list = Set(axes.map { checkedAxis(operation, $0) }).sorted()
    return (list.reduce(0) { $0 | 1 << $1 }, list)
  }

  private func reduced(_ name: StaticString, _ kind: ReductionKind, _ bits: Int, keeps: Bool, correction: Double = 0)
    -> Tensor
  {
    require(dtype.isFloatingPoint, "\(name) takes a floating-point tensor, but this one is \(dtype) \(shape)")
    let kept = shape.indices.filter { bits >> $0 & 1 == 0 }.map { shape[$0] }
    let y = Tensor(uninitialized: kept, dtype)
    var reduction = Reduction(kind, axes: bits)
    reduction.correction = correction
    compute(name, self, y) { [reduction] context throws(ApusEngine.ApusError) in
      try reduction.run(context: context, strided, x: base, y: y.result)
    }
    return keeps ? y.reshaped(shape.indices.map { bits >> $0 & 1 == 0 ? shape[$0] : 1 }) : y
  }

  /// A gradient of reduced shape, back to this shape's sizes with ones, ready to broadcast.
  private static func restored(_ dy: Tensor, _ shape: [Int], _ axes: [Int]) -> Tensor {
    var sizes = shape
    for axis in axes { sizes[axis] = 1 }
    return dy.reshaped(sizes)
  }

  /// The sum over axes, or over everything. `keepsAxes` leaves them with size 1. Integers add up as int64.
  public func sum(along axes: [Int]? = nil, keepsAxes: Bool = false) -> Tensor {
    let (bits, list) = self.axes("sum", axes)
    let own = shape
    if !dtype.isFloatingPoint { return integerSum(bits, keepsAxes: keepsAxes) }
    return reduced("sum", .sum, bits, keeps: keepsAxes).recorded("sum", self) { dy in
      [Self.restored(dy, own, list).broadcast(to: own)]
    }
  }

  /// Sums of int64, which wrap.
  private func integerSum(_ bits: Int, keepsAxes: Bool) -> Tensor {
    let x = converted(to: .int64)
    let sizes = shape.indices.map { bits >> $0 & 1 == 0 ? shape[$0] : 1 }
    let y = Tensor.zeros(sizes, dtype: .int64)
    let (from, to) = (x.base.assumingMemoryBound(to: Int64.self), y.result.assumingMemoryBound(to: Int64.self))
    forEachPlace(shape, x.strides, shape.indices.map { bits >> $0 & 1 == 0 ? y.strides[$0] : 0 }) {
      to[$1] &+= from[$0]
    }
    withExtendedLifetime((x, y)) {}
    return keepsAxes ? y : y.reshaped(shape.indices.filter { bits >> $0 & 1 == 0 }.map { shape[$0] })
  }

  /// The mean over axes, or over everything.
  public func mean(along axes: [Int]? = nil, keepsAxes: Bool = false) -> Tensor {
    let (bits, list) = self.axes("mean", axes)
    let own = shape
    let elements = list.reduce(1) { $0 * shape[$1] }
    return reduced("mean", .mean, bits, keeps: keepsAxes).recorded("mean", self) { dy in
      [(Self.restored(dy, own, list) / Double(elements)).broadcast(to: own)]
    }
  }

  /// The mean squared distance from the mean over axes, divided by the count less `correction` (1: the unbiased estimate).
  public func variance(along axes: [Int]? = nil, correction: Double = 0, keepsAxes: Bool = false) -> Tensor {
    let (bits, list) = self.axes("variance", axes)
    let own = shape
    let divisor = Double(list.reduce(1) { $0 * shape[$1] }) - correction
    return reduced("variance", .variance, bits, keeps: keepsAxes, correction: correction).recorded("variance", self) {
      [x = self] dy in
      [Self.restored(dy, own, list) * (x - x.mean(along: list, keepsAxes: true)) * (2 / divisor)]
    }
  }

  /// The largest element along axes, or of everything; NaN where one is. Elements that share a maximum share the gradient.
  public func max(along axes: [Int]? = nil, keepsAxes: Bool = false) -> Tensor {
    extremum("max", .maximum, axes, keepsAxes)
  }

  /// The smallest element along axes, or of everything; NaN where one is. Elements that share a minimum share the gradient.
  public func min(along axes: [Int]? = nil, keepsAxes: Bool = false) -> Tensor {
    extremum("min", .minimum, axes, keepsAxes)
  }

  private func extremum(_ name: StaticString, _ kind: ReductionKind, _ axes: [Int]?, _ keeps: Bool) -> Tensor {
    let (bits, list) = self.axes(name, axes)
    let own = shape
    let y = reduced(name, kind, bits, keeps: keeps)
    return y.recorded(name, self) { [x = self.detached()] dy in
      let mask = binary(name, .equal, x, Self.restored(y, own, list))
      return [Self.restored(dy, own, list) * (mask / mask.sum(along: list, keepsAxes: true))]
    }
  }

  /// log(sum of e^x) over axes, or over everything, without overflow.
  public func logSumExp(along axes: [Int]? = nil, keepsAxes: Bool = false) -> Tensor {
    let (bits, list) = self.axes("logSumExp", axes)
    let own = shape
    return reduced("logSumExp", .logSumExp, bits, keeps: keepsAxes).recorded("logSumExp", self) { [x = self] dy in
      [Self.restored(dy, own, list) * (x - x.logSumExp(along: list, keepsAxes: true)).exp()]
    }
  }

  /// The Euclidean norm over axes, or of everything.
  public func norm(along axes: [Int]? = nil, keepsAxes: Bool = false) -> Tensor {
    let (bits, list) = self.axes("norm", axes)
    let own = shape
    return reduced("norm", .norm2, bits, keeps: keepsAxes).recorded("norm", self) { [x = self] dy in
      // At the zero vector any direction will do; none is the usual one.
      let norm = x.norm(along: list, keepsAxes: true)
      return [Self.restored(dy, own, list) * x / select(norm .== 0, .ones(like: norm), norm)]
    }
  }

  /// Where the first largest element lies along an axis, the first NaN where there is one: int32.
  public func argmax(along axis: Int = -1) -> Tensor { position("argmax", axis, least: false) }

  /// Where the first smallest element lies along an axis, the first NaN where there is one: int32.
  public func argmin(along axis: Int = -1) -> Tensor { position("argmin", axis, least: true) }

  private func position(_ name: StaticString, _ axis: Int, least: Bool) -> Tensor {
    let place = checkedAxis(name, axis)
    require(shape[place] > 0, "\(name): axis \(axis) of \(shape) has no element")
    let x = (dtype.isFloatingPoint ? detached() : converted(to: .float64)).contiguous()
    var sizes = shape
    sizes.remove(at: place)
    let y = Tensor(uninitialized: sizes, .int32)
    let function = x.alongAxis(place)
    compute(name, x, y) { context throws(ApusEngine.ApusError) in
      try function.position(context: context, least: least, x: x.base, indexType: .int32, indices: y.result)
    }
    return y
  }

  /// x[0] + ... + x[i] along an axis.
  public func cumulativeSum(along axis: Int = -1) -> Tensor { runningSum(axis, isReversed: false) }

  private func runningSum(_ axis: Int, isReversed: Bool) -> Tensor {
    let place = checkedAxis("cumulativeSum", axis)
    let x = detached().contiguous()
    let y = Tensor(uninitialized: shape, dtype)
    let function = alongAxis(place)
    compute("cumulativeSum", x, y) { context throws(ApusEngine.ApusError) in
      try function.cumulativeSum(context: context, isReversed: isReversed, isExclusive: false, x: x.base, y: y.result)
    }
    return y.recorded("cumulativeSum", self) { dy in [dy.runningSum(place, isReversed: !isReversed)] }
  }

  func alongAxis(_ place: Int) -> AxisFunction {
    AxisFunction(
      dataType: dtype.engine, outer: shape[..<place].reduce(1, *), size: shape[place],
      inner: shape[(place + 1)...].reduce(1, *))
  }
}
