import ApusKernelInterface

/// One run of neighbours, or of elements at a stride, into one number.
func foldRun<V: KernelVector>(
  _ kind: Int32, _ source: UnsafeRawPointer, _ count: Int, _ stride: Int, _ center: Double, _: V.Type
) -> Double {
  let x = source.assumingMemoryBound(to: V.Scalar.self)
  let middle = V(repeating: V.Scalar(center))
  @inline(__always) func load(_ i: Int, _ n: Int, _ other: V) -> V {
    if stride == 1 { return n == V.lanes ? V.load(x + i) : V.load(x + i, first: n, otherwise: other) }
    return V.load(x + i &* stride, stride: stride, first: n)
  }
  // At a stride the tail is taken element by element, by vectors of one: what `whole` leaves over.
  let whole = stride == 1 ? count : count / V.lanes &* V.lanes
  var result: Double
  switch Fold(rawValue: kind) {
  case .sum:
    @inline(__always) func f1(_ i: Int, _ n: Int) -> V { load(i, n, V.zero) }
    let total = fold(whole, V.self, f1)
    result = Double(V.sum(total))
  case .maximum:
    @inline(__always) func f2(_ i: Int, _ n: Int) -> V { load(i, n, V(repeating: -V.Scalar.infinity)) }
    let most = largest(whole, V.self, f2)
    result = Double(most)
  case .minimum:
    @inline(__always) func f3(_ i: Int, _ n: Int) -> V { V.zero - load(i, n, V(repeating: V.Scalar.infinity)) }
    let most = largest(whole, V.self, f3)
    result = -Double(most)
  case .magnitudes:
    @inline(__always) func f4(_ i: Int, _ n: Int) -> V { magnitude(load(i, n, V.zero)) }
    let total = fold(whole, V.self, f4)
    result = Double(V.sum(total))
  case .squares:
    @inline(__always) func f5(_ i: Int, _ n: Int) -> V {
      let d = load(i, n, middle) - middle
      return d * d
    }
    let total = fold(whole, V.self, f5)
    result = Double(V.sum(total))
  case .exponentials:
    @inline(__always) func f6(_ i: Int, _ n: Int) -> V { exp(load(i, n, V(repeating: -V.Scalar.infinity)) - middle) }
    let total = fold(whole, V.self, f6)
    result = Double(V.sum(total))
  case nil: return 0
  }
  var i = whole
  while i < count {
    let v = V(repeating: x[i &* stride])
    switch Fold(rawValue: kind) {
    case .sum: result += Double(v[0])
    case .maximum: result = joinMaximum(result, Double(v[0]))
    case .minimum: result = -joinMaximum(-result, -Double(v[0]))
    case .magnitudes: result += Double(magnitude(v)[0])
    case .squares:
      let d = v - middle
      result += Double((d * d)[0])
    case .exponentials: result += Double(exp(v - middle)[0])
    case nil: break
    }
    i = stepped(i, by: 1)
  }
  return result
}

/// The larger one, NaN where one is.
@inline(__always)
private func joinMaximum(_ a: Double, _ b: Double) -> Double { a != a || b <= a ? a : b }

/// Columns of neighbours down the rows, by blocks of 128 rows.
func foldColumns<V: KernelVector>(
  _ kind: Int32, _ source: UnsafeRawPointer, _ rows: Int, _ stride: Int, _ columns: Int, _ centers: UnsafeRawPointer?,
  _ results: UnsafeMutableRawPointer, _ begins: Bool, _: V.Type
) {
  typealias Scalar = V.Scalar
  let x = source.assumingMemoryBound(to: Scalar.self)
  let y = results.assumingMemoryBound(to: Scalar.self)
  let center = centers?.assumingMemoryBound(to: Scalar.self)
  @inline(__always) func down(_ start: V, _ join: (V, V) -> V, _ f: (V, V) -> V) {
    var j = 0
    while j < columns {
      let n = min(V.lanes, columns &- j)
      let middle = center.map { V.load($0 + j, first: n) } ?? V.zero
      var total = begins ? start : V.load(y + j, first: n)
      var i = 0
      while i < rows {
        let end = min(rows, i &+ 128)
        var part = start
        var p = x + (i &* stride &+ j)
        while i < end {
          part = join(part, f(loadLanes(p, n, V.self), middle))
          p += stride
          i = stepped(i, by: 1)
        }
        total = join(total, part)
      }
      total.store(y + j, first: n)
      j = stepped(j, by: V.lanes)
    }
  }
  @inline(__always) func add(_ a: V, _ b: V) -> V { a + b }
  @inline(__always) func greater(_ a: V, _ b: V) -> V { V.maximumOrNaN(a, b) }
  @inline(__always) func less(_ a: V, _ b: V) -> V { V.zero - V.maximumOrNaN(V.zero - a, V.zero - b) }
  @inline(__always) func plain(_ v: V, _: V) -> V { v }
  @inline(__always) func size(_ v: V, _: V) -> V { magnitude(v) }
  @inline(__always) func deviation(_ v: V, _ middle: V) -> V {
    let d = v - middle
    return d * d
  }
  @inline(__always) func exponential(_ v: V, _ middle: V) -> V { exp(v - middle) }
  switch Fold(rawValue: kind) {
  case .sum: down(V.zero, add, plain)
  case .maximum: down(V(repeating: -Scalar.infinity), greater, plain)
  case .minimum: down(V(repeating: Scalar.infinity), less, plain)
  case .magnitudes: down(V.zero, add, size)
  case .squares: down(V.zero, add, deviation)
  case .exponentials: down(V.zero, add, exponential)
  case nil: return
  }
}

/// Where the first largest (least) lies, or the first NaN.
func firstLargest<Scalar: KernelScalar>(
  _ source: UnsafeRawPointer, _ count: Int, _ stride: Int, _ least: Bool, _: Scalar.Type
) -> Int {
  let x = source.assumingMemoryBound(to: Scalar.self)
  var best = 0
  var value = x[0]
  var i = 1
  while i < count {
    let v = x[i &* stride]
    if value == value && (v != v || (least ? v < value : v > value)) {
      best = i
      value = v
    }
    i = i &+ 1
  }
  return best
}

/// Whole blocks in registers, the rest element by element.
func transposeMatrix<V: KernelVector>(
  _ source: UnsafeRawPointer, _ xs: Int, _ rows: Int, _ columns: Int, _ result: UnsafeMutableRawPointer, _ ys: Int,
  _: V.Type
) {
  let x = source.assumingMemoryBound(to: V.Scalar.self)
  let y = result.assumingMemoryBound(to: V.Scalar.self)
  let wholeRows = rows / V.lanes &* V.lanes
  let wholeColumns = columns / V.lanes &* V.lanes
  var i = 0
  while i < wholeRows {
    var j = 0
    while j < wholeColumns {
      V.transpose(x + (i &* xs &+ j), xs, rows: V.lanes, columns: V.lanes, y + (j &* ys &+ i), ys)
      j = stepped(j, by: V.lanes)
    }
    while j < columns {
      V.load(x + (i &* xs &+ j), stride: xs, first: V.lanes).store(y + (j &* ys &+ i))
      j = stepped(j, by: 1)
    }
    i = stepped(i, by: V.lanes)
  }
  if i < rows {
    var j = 0
    while j < columns {
      V.load(x + (i &* xs &+ j), stride: xs, first: rows &- i).store(y + (j &* ys &+ i), first: rows &- i)
      j = stepped(j, by: 1)
    }
  }
}

func makeReductionKernelsF32() -> ReductionKernels {
  ReductionKernels(
    run: { foldRun($0, $1, $2, $3, $4, VectorF32.self) },
    columns: { foldColumns($0, $1, $2, $3, $4, $5, $6, $7, VectorF32.self) },
    position: { firstLargest($0, $1, $2, $3, Float.self) },
    transpose: { transposeMatrix($0, $1, $2, $3, $4, $5, VectorF32.self) })
}

func makeReductionKernelsF64() -> ReductionKernels {
  ReductionKernels(
    run: { foldRun($0, $1, $2, $3, $4, VectorF64.self) },
    columns: { foldColumns($0, $1, $2, $3, $4, $5, $6, $7, VectorF64.self) },
    position: { firstLargest($0, $1, $2, $3, Double.self) },
    transpose: { transposeMatrix($0, $1, $2, $3, $4, $5, VectorF64.self) })
}
