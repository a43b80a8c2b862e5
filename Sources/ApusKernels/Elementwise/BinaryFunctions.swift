import ApusKernelInterface

/// y = f(a, b) over a grid.
func mapBinary<V: KernelVector>(_ function: Int32, _ g: UnsafePointer<ElementGrid>, _: V.Type) {
  switch BinaryFunction(rawValue: function) {
  case .add:
    @inline(__always) func f1(_ v0: V, _ v1: V) -> V { v0 + v1 }
    mapGrid(g, V.self, f1)
  case .subtract:
    @inline(__always) func f2(_ v0: V, _ v1: V) -> V { v0 - v1 }
    mapGrid(g, V.self, f2)
  case .multiply:
    @inline(__always) func f3(_ v0: V, _ v1: V) -> V { v0 * v1 }
    mapGrid(g, V.self, f3)
  case .divide:
    @inline(__always) func f4(_ v0: V, _ v1: V) -> V { v0 / v1 }
    mapGrid(g, V.self, f4)
  case .power:
    @inline(__always) func f5(_ v0: V, _ v1: V) -> V { V.power(v0, by: v1) }
    mapGrid(g, V.self, f5)
  case .minimum:
    @inline(__always) func f6(_ v0: V, _ v1: V) -> V { V.zero - V.maximumOrNaN(V.zero - v0, V.zero - v1) }
    mapGrid(g, V.self, f6)
  case .maximum:
    @inline(__always) func f7(_ v0: V, _ v1: V) -> V { V.maximumOrNaN(v0, v1) }
    mapGrid(g, V.self, f7)
  case .equal:
    @inline(__always) func f8(_ v0: V, _ v1: V) -> V { V.ones(where: v0, equals: v1) }
    mapGrid(g, V.self, f8)
  case .notEqual:
    @inline(__always) func f9(_ v0: V, _ v1: V) -> V { V.one - V.ones(where: v0, equals: v1) }
    mapGrid(g, V.self, f9)
  case .less:
    @inline(__always) func f10(_ v0: V, _ v1: V) -> V { V.select(V.one, V.zero, where: v0, isLessThan: v1) }
    mapGrid(g, V.self, f10)
  case .lessOrEqual:
    @inline(__always) func f11(_ v0: V, _ v1: V) -> V { V.ones(where: v0, isAtMost: v1) }
    mapGrid(g, V.self, f11)
  case .greater:
    @inline(__always) func f12(_ v0: V, _ v1: V) -> V { V.select(V.one, V.zero, where: v1, isLessThan: v0) }
    mapGrid(g, V.self, f12)
  case .greaterOrEqual:
    @inline(__always) func f13(_ v0: V, _ v1: V) -> V { V.ones(where: v1, isAtMost: v0) }
    mapGrid(g, V.self, f13)
  case .prelu:
    @inline(__always) func f14(_ v0: V, _ v1: V) -> V { V.select(v0 * v1, v0, where: v0, isLessThan: V.zero) }
    mapGrid(g, V.self, f14)
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
