import ApusKernelInterface

/// y = f(a, b) over a grid.
func mapBinary<V: KernelVector>(_ function: Int32, _ g: UnsafePointer<ElementGrid>, _: V.Type) {
  switch BinaryFunction(rawValue: function) {
  case .add: mapGrid(g, V.self) { $0 + $1 }
  case .subtract: mapGrid(g, V.self) { $0 - $1 }
  case .multiply: mapGrid(g, V.self) { $0 * $1 }
  case .divide: mapGrid(g, V.self) { $0 / $1 }
  case .power: mapGrid(g, V.self) { V.power($0, by: $1) }
  case .minimum: mapGrid(g, V.self) { V.zero - V.maximumOrNaN(V.zero - $0, V.zero - $1) }
  case .maximum: mapGrid(g, V.self) { V.maximumOrNaN($0, $1) }
  case .equal: mapGrid(g, V.self) { V.ones(where: $0, equals: $1) }
  case .notEqual: mapGrid(g, V.self) { V.one - V.ones(where: $0, equals: $1) }
  case .less: mapGrid(g, V.self) { V.select(V.one, V.zero, where: $0, isLessThan: $1) }
  case .lessOrEqual: mapGrid(g, V.self) { V.ones(where: $0, isAtMost: $1) }
  case .greater: mapGrid(g, V.self) { V.select(V.one, V.zero, where: $1, isLessThan: $0) }
  case .greaterOrEqual: mapGrid(g, V.self) { V.ones(where: $1, isAtMost: $0) }
  case .prelu: mapGrid(g, V.self) { V.select($0 * $1, $0, where: $0, isLessThan: V.zero) }
  case nil: return
  }
}

/// y = a where c is not 0 (NaN is not), else b.
func selectGrid<V: KernelVector>(_ g: UnsafePointer<ElementGrid>, _: V.Type) {
  typealias Scalar = V.Scalar
  guard let aBase = g.pointee.a, let bBase = g.pointee.b, let cBase = g.pointee.c, let yBase = g.pointee.y else {
    return
  }
  let columns = g.pointee.columns
  for row in 0..<g.pointee.rows {
    let a = aBase.assumingMemoryBound(to: Scalar.self) + row &* g.pointee.aRow
    let b = bBase.assumingMemoryBound(to: Scalar.self) + row &* g.pointee.bRow
    let c = cBase.assumingMemoryBound(to: Scalar.self) + row &* g.pointee.cRow
    let y = yBase.assumingMemoryBound(to: Scalar.self) + row &* g.pointee.yRow
    var i = 0
    while i < columns {
      let n = min(V.lanes, columns &- i)
      let isZero = V.ones(where: loadAlong(c, i, g.pointee.cColumn, first: n, V.self), equals: V.zero)
      let result = V.select(
        loadAlong(a, i, g.pointee.aColumn, first: n, V.self), loadAlong(b, i, g.pointee.bColumn, first: n, V.self),
        where: isZero, isLessThan: V(repeating: 0.5))
      result.store(y + i &* g.pointee.yColumn, stride: g.pointee.yColumn, first: n)
      i = stepped(i, by: V.lanes)
    }
  }
}

/// PReLU's gradients over a run: with a slope for each element, or with one slope, whose sum is made in four parts.
func preluGradients<V: KernelVector>(
  _ source: UnsafeRawPointer, _ weights: UnsafeRawPointer, _ gradient: UnsafeRawPointer,
  _ result: UnsafeMutableRawPointer, _ sums: UnsafeMutableRawPointer, _ count: Int, _ perElement: Bool, _: V.Type
) {
  let x = source.assumingMemoryBound(to: V.Scalar.self)
  let w = weights.assumingMemoryBound(to: V.Scalar.self)
  let dy = gradient.assumingMemoryBound(to: V.Scalar.self)
  let dx = result.assumingMemoryBound(to: V.Scalar.self)
  let dw = sums.assumingMemoryBound(to: V.Scalar.self)
  var sum = V.zero
  var i = 0
  while i < count {
    let n = min(V.lanes, count &- i)
    let value = V.load(x + i, first: n)
    let g = V.load(dy + i, first: n)
    let slope = perElement ? V.load(w + i, first: n) : V(repeating: w.pointee)
    let term = V.select(g * value, V.zero, where: value, isLessThan: V.zero)
    V.select(g * slope, g, where: value, isLessThan: V.zero).store(dx + i, first: n)
    if perElement { (V.load(dw + i, first: n) + term).store(dw + i, first: n) } else { sum += term }
    i = stepped(i, by: V.lanes)
  }
  if !perElement { dw.pointee = V.sum(sum) }
}
