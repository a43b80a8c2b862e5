import ApusKernelInterface

/// What lies around a padded tensor; raw values are the C header's.
public enum PaddingMode: Int32, CaseIterable, Sendable {
  /// A number.
  case constant = 0
  /// The tensor mirrored at its first and last element, which are not repeated.
  case reflect = 1
  /// The nearest element.
  case replicate = 2
  /// The tensor again, from its other end.
  case circular = 3
}

/// Padding of a tensor along any of its dimensions. Checked at each call; bits do not depend on threads and back end.
public struct Padding: Sendable {
  /// What is put around.
  public var mode: PaddingMode
  /// Elements before the tensor, along each dimension. What y has beyond lies behind.
  public var before: InlineArray<8, Int>
  /// The number of `constant`.
  public var value = 0.0

  /// A padding; nothing is checked before a run.
  public init(_ mode: PaddingMode, before: InlineArray<8, Int>) {
    self.mode = mode
    self.before = before
  }

  /// y from x, between views of any strides that do not overlap. Types: float32, float64; int32 and int64 without a
  /// constant. Throws where a rule is broken or data are missing; nothing is written then.
  public func forward(
    context: ExecutionContext, _ xTensor: StridedTensor, _ x: UnsafeRawPointer?, _ yTensor: StridedTensor,
    _ y: UnsafeMutableRawPointer?
  ) throws(ApusError) {
    try context.recorded("movement", yTensor.dataType, "\(mode):\(yTensor.text)") { () throws(ApusError) in
      let count = try check(xTensor, "x", yTensor, "y")
      try need("x", x, try xTensor.checkedCount("x_tensor"))
      try need("y", UnsafeRawPointer(y), count)
      guard let y, count > 0 else { return }
      if mode == .constant { try Movement.put(context: context, yTensor, y, value: value) }
      guard let x else { return }
      if mode == .constant {
        let (inside, offset) = inside(xTensor, yTensor)
        return try Movement.move(context: context, xTensor, x, inside, y + offset * yTensor.dataType.size)
      }
      let size = yTensor.dataType.size
      let inner = yTensor.rank - 1
      if inner < 0 { return try Movement.move(context: context, xTensor, x, yTensor, y) }
      let columns = yTensor.shape[inner]
      let (xStep, yStep) = (xTensor.strides[inner], yTensor.strides[inner])
      let (first, width) = (before[inner], xTensor.shape[inner])
      try context.overStretches(
        of: count / columns, grain: max(1, Elementwise.grain / columns), nanoseconds: Double(count * size) / 8
      ) { start, rows in
        for row in start..<start + rows {
          var rest = row
          var (from, to) = (x, y)
          for i in (0..<inner).reversed() {
            let place = rest % yTensor.shape[i]
            rest /= yTensor.shape[i]
            to += place * yTensor.strides[i] * size
            from += source(place, i, xTensor) * xTensor.strides[i] * size
          }
          if xStep == 1 && yStep == 1 {
            (to + first * size).copyMemory(from: from, byteCount: width * size)
          } else {
            move(from, xStep, to + first * yStep * size, yStep, width, size)
          }
          for i in 0..<first {
            move(from + source(i, inner, xTensor) * xStep * size, 0, to + i * yStep * size, 0, 1, size)
          }
          for i in first + width..<columns {
            move(from + source(i, inner, xTensor) * xStep * size, 0, to + i * yStep * size, 0, 1, size)
          }
        }
      }
    }
  }

  /// dx from dy: an element's own gradient, then those of its copies in the order of y, added up in the data type. float32
  /// and float64; throws as `forward` does.
  public func backward(
    context: ExecutionContext, _ dyTensor: StridedTensor, _ dy: UnsafeRawPointer?, _ dxTensor: StridedTensor,
    _ dx: UnsafeMutableRawPointer?
  ) throws(ApusError) {
    try context.recorded("movement", dxTensor.dataType, "\(mode):\(dyTensor.text):backward") { () throws(ApusError) in
      try dxTensor.dataType.checkIsReal("the gradient of a padding")
      let yCount = try check(dxTensor, "dx", dyTensor, "dy")
      let count = try dxTensor.checkedCount("dx_tensor")
      try need("dy", dy, yCount)
      try need("dx", UnsafeRawPointer(dx), count)
      guard let dy, let dx, count > 0 else { return }
      let size = dxTensor.dataType.size
      let inner = dxTensor.rank - 1
      if mode == .constant || inner < 0 {
        let (inside, offset) = inside(dxTensor, dyTensor)
        return try Movement.move(context: context, inside, dy + offset * size, dxTensor, dx)
      }
      let kernels = Arithmetic.kernels(context, dxTensor.dataType)
      let width = dxTensor.shape[inner]
      let columns = dyTensor.shape[inner]
      let (xStep, yStep) = (dxTensor.strides[inner], dyTensor.strides[inner])
      let first = before[inner]
      try context.overStretches(
        of: count / width, grain: max(1, Elementwise.grain / width), nanoseconds: Double(yCount * size) / 8
      ) { start, rows in
        for row in start..<start + rows {
          // Which rows of dy this row of dx went to: the product of each outer dimension's copies. `turn` counts through them.
          var to = dx
          var rest = row
          var places = InlineArray<8, Int>(repeating: 0)
          var copies = 1
          for i in (0..<inner).reversed() {
            places[i] = rest % dxTensor.shape[i]
            rest /= dxTensor.shape[i]
            to += places[i] * dxTensor.strides[i] * size
            copies *= copiesOf(places[i], i, dxTensor, dyTensor)
          }
          for turn in 0..<copies {
            var digits = turn
            var from = dy
            for i in (0..<inner).reversed() {
              let own = copiesOf(places[i], i, dxTensor, dyTensor)
              from += copy(digits % own, places[i], i, dxTensor) * dyTensor.strides[i] * size
              digits /= own
            }
            if turn == 0 {
              move(from + first * yStep * size, yStep, to, xStep, width, size)
            } else {
              var grid = ElementGrid()
              grid.columns = width
              (grid.a, grid.b, grid.y) = (UnsafeRawPointer(to), from + first * yStep * size, to)
              (grid.aColumn, grid.bColumn, grid.yColumn) = (xStep, yStep, xStep)
              withUnsafePointer(to: grid) { kernels.binary(BinaryFunction.add.rawValue, $0) }
            }
            let gradients = Reals(UnsafeMutableRawPointer(mutating: from), dxTensor.dataType)
            let sums = Reals(to, dxTensor.dataType)
            for i in 0..<first { sums[source(i, inner, dxTensor) * xStep] += gradients[i * yStep] }
            for i in first + width..<columns { sums[source(i, inner, dxTensor) * xStep] += gradients[i * yStep] }
          }
        }
      }
    }
  }

  /// Which element of x lies at `place` of y, along dimension i; not for a constant.
  @inline(__always)
  private func source(_ place: Int, _ i: Int, _ x: StridedTensor) -> Int {
    let (inside, size) = (place - before[i], x.shape[i])
    if inside >= 0 && inside < size { return inside }
    switch mode {
    case .constant, .replicate: return inside < 0 ? 0 : size - 1
    case .reflect: return inside < 0 ? -inside : 2 * (size - 1) - inside
    case .circular: return inside < 0 ? inside + size : inside - size
    }
  }

  /// Places of y before and behind the tensor that have element `place` of x, as ranges.
  @inline(__always)
  private func outside(_ place: Int, _ i: Int, _ x: StridedTensor) -> (before: Range<Int>, behind: Int) {
    let (first, size) = (before[i], x.shape[i])
    switch mode {
    case .constant: return (0..<0, first + size)
    case .replicate: return (0..<(place == 0 ? first : 0), first + size)
    case .reflect:
      let mirrored = place > 0 && place <= first
      return (mirrored ? first - place..<first - place + 1 : 0..<0, first + 2 * (size - 1) - place)
    case .circular:
      let again = first + place - size
      return (again >= 0 ? again..<again + 1 : 0..<0, first + size + place)
    }
  }

  /// How often y has element `place` of x along dimension i.
  @inline(__always)
  private func copiesOf(_ place: Int, _ i: Int, _ x: StridedTensor, _ y: StridedTensor) -> Int {
    let (ahead, behind) = outside(place, i, x)
    let end = y.shape[i]
    switch mode {
    case .constant: return 1
    case .replicate: return 1 + ahead.count + (place == x.shape[i] - 1 ? end - behind : 0)
    case .reflect: return 1 + ahead.count + (place < x.shape[i] - 1 && behind < end ? 1 : 0)
    case .circular: return 1 + ahead.count + (behind < end ? 1 : 0)
    }
  }

  /// The place in y of copy `number` of element `place` of x: itself, then those before it, then those behind.
  @inline(__always)
  private func copy(_ number: Int, _ place: Int, _ i: Int, _ x: StridedTensor) -> Int {
    if number == 0 { return before[i] + place }
    let (ahead, behind) = outside(place, i, x)
    return number <= ahead.count ? ahead.lowerBound + number - 1 : behind + number - 1 - ahead.count
  }

  /// The view of y that x lies in, and where it begins.
  private func inside(_ x: StridedTensor, _ y: StridedTensor) -> (StridedTensor, Int) {
    var view = y
    var offset = 0
    for i in 0..<y.rank {
      view = view.part(of: x.shape[i], along: i)
      offset += before[i] * y.strides[i]
    }
    return (view, offset)
  }

  @inline(__always)
  private func move(
    _ x: UnsafeRawPointer, _ xs: Int, _ y: UnsafeMutableRawPointer, _ ys: Int, _ count: Int, _ size: Int
  ) {
    if size == 8 {
      Movement.move(x, xs, y, ys, count, UInt64.self)
    } else {
      Movement.move(x, xs, y, ys, count, UInt32.self)
    }
  }

  /// Elements of y. Throws the first rule that is broken.
  private func check(
    _ x: StridedTensor, _ xName: String, _ y: StridedTensor, _ yName: String
  ) throws(ApusError) -> Int {
    try Movement.checkType("\(xName)_tensor", x.dataType)
    if mode == .constant { try x.dataType.checkIsReal("padding with a number") }
    if x.dataType != y.dataType {
      throw .invalid("\(yName)_tensor's dtype", y.dataType.name, "it must be that of \(xName), \(x.dataType.name)")
    }
    let elements = try x.checkedCount("\(xName)_tensor")
    let count = try y.checkedCount("\(yName)_tensor")
    if x.rank != y.rank { throw .invalid("\(yName)_tensor's rank", y.rank, "\(xName) has \(x.rank) dimensions") }
    for i in 0..<x.rank {
      let behind = y.shape[i].subtractingReportingOverflow(x.shape[i]).partialValue
      if before[i] < 0 || before[i] > y.shape[i] {
        throw .invalid("before[\(i)]", before[i], "it must be 0 to \(yName)'s size, which is \(y.shape[i])")
      }
      if behind < before[i] {
        throw .invalid(
          "\(yName)_tensor->shape[\(i)]", y.shape[i],
          "it must be at least before[\(i)] + the size of \(xName), which is \(before[i]) + \(x.shape[i])")
      }
      let most = max(before[i], behind - before[i])
      switch mode {
      case .constant: continue
      case .replicate:
        if most > 0 && x.shape[i] == 0 { throw Self.tooFar(i, most, "must be 0 where there is no element to repeat") }
      case .reflect:
        if most > max(0, x.shape[i] - 1) { throw Self.tooFar(i, most, "must be less than the size, \(x.shape[i])") }
      case .circular:
        if most > x.shape[i] { throw Self.tooFar(i, most, "must be at most the size, \(x.shape[i])") }
      }
    }
    return elements == 0 && mode != .constant ? 0 : count
  }

  private static func tooFar(_ i: Int, _ padding: Int, _ rule: String) -> ApusError {
    .invalid("the padding of dimension \(i)", padding, "it \(rule)")
  }
}
