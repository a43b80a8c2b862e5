import ApusKernelInterface
import ApusShims

/// Elements before the first one that is aligned for a vector of the result.
@inline(__always)
func leadToAlignment<V: KernelVector>(_ p: UnsafeMutablePointer<V.Scalar>, _ count: Int, _: V.Type) -> Int {
  let size = MemoryLayout<V>.size
  let beyond = Int(bitPattern: UnsafeRawPointer(p)) & (size &- 1)
  return beyond == 0 ? 0 : min(count, (size &- beyond) / MemoryLayout<V.Scalar>.size)
}

/// Elements before the loop of whole vectors: up to alignment where stores past the caches ask for it, and where so many
/// vectors would each cross from one line into the next that a step more costs less.
@inline(__always)
func leadOfLoop<V: KernelVector>(
  _ p: UnsafeMutablePointer<V.Scalar>, _ count: Int, streams: Bool, _: V.Type
) -> Int {
  streams || count >= 8 &* V.lanes ? leadToAlignment(p, count, V.self) : 0
}

/// `i` further on, in a way that keeps the compiler from unrolling the loop, whose body has its vectors spelled out.
@inline(__always)
func stepped(_ i: Int, by distance: Int) -> Int { apus_opaque(i &+ distance) }

/// Stores a result, past the caches or not.
@inline(__always)
func put<V: KernelVector>(_ v: V, _ p: UnsafeMutablePointer<V.Scalar>, streams: Bool) {
  if streams { v.stream(p) } else { v.store(p) }
}

/// y[i] = f(x[i]); the ends are masked and take the same operations. Past the caches only in whole aligned vectors. One
/// loop for all of that, because f may be long and is compiled once for each place where it stands.
@inline(__always)
func mapOne<V: KernelVector>(
  _ x: UnsafePointer<V.Scalar>, _ y: UnsafeMutablePointer<V.Scalar>, _ count: Int, streams: Bool, _: V.Type,
  _ f: (V) -> V
) {
  var i = 0
  var lead = streams ? leadToAlignment(y, count, V.self) : 0
  while i < count {
    if lead == 0 && i &+ 2 &* V.lanes <= count {
      let a = V.load(x + i)
      let b = V.load(x + (i &+ V.lanes))
      put(f(a), y + i, streams: streams)
      put(f(b), y + (i &+ V.lanes), streams: streams)
      i = stepped(i, by: 2 &* V.lanes)
    } else {
      let n = lead > 0 ? lead : min(V.lanes, count &- i)
      f(V.load(x + i, first: n)).store(y + i, first: n)
      i = stepped(i, by: n)
      lead = 0
    }
  }
  if streams { apus_stream_fence() }
}

/// y[i] = f(a[i], b[i]), or added to it.
@inline(__always)
func mapTwo<V: KernelVector>(
  _ a: UnsafePointer<V.Scalar>, _ b: UnsafePointer<V.Scalar>, _ y: UnsafeMutablePointer<V.Scalar>, _ count: Int,
  streams: Bool, accumulates: Bool = false, _: V.Type, _ f: (V, V) -> V
) {
  var i = 0
  var lead = leadOfLoop(y, count, streams: streams, V.self)
  while i < count {
    if lead == 0 && !accumulates && i &+ 2 &* V.lanes <= count {
      let p = f(V.load(a + i), V.load(b + i))
      let q = f(V.load(a + (i &+ V.lanes)), V.load(b + (i &+ V.lanes)))
      put(p, y + i, streams: streams)
      put(q, y + (i &+ V.lanes), streams: streams)
      i = stepped(i, by: 2 &* V.lanes)
    } else {
      let n = lead > 0 ? lead : min(V.lanes, count &- i)
      var r = f(V.load(a + i, first: n), V.load(b + i, first: n))
      if accumulates { r += V.load(y + i, first: n) }
      r.store(y + i, first: n)
      i = stepped(i, by: n)
      lead = 0
    }
  }
  if streams { apus_stream_fence() }
}

/// A vector of a source whose elements are neighbours, one and the same, or anything else.
@inline(__always)
func loadAlong<V: KernelVector>(
  _ p: UnsafePointer<V.Scalar>, _ i: Int, _ stride: Int, first count: Int, _: V.Type
) -> V {
  if stride == 1 { return V.load(p + i, first: count) }
  if stride == 0 { return V(repeating: p.pointee) }
  return V.load(p + i &* stride, stride: stride, first: count)
}

/// y = f(a, b) over a grid.
@inline(__always)
func mapGrid<V: KernelVector>(_ g: UnsafePointer<ElementGrid>, _: V.Type, _ f: (V, V) -> V) {
  typealias Scalar = V.Scalar
  guard let aBase = g.pointee.a, let bBase = g.pointee.b, let yBase = g.pointee.y else { return }
  let columns = g.pointee.columns
  let aColumn = g.pointee.aColumn
  let bColumn = g.pointee.bColumn
  let yColumn = g.pointee.yColumn
  let streams = g.pointee.streams
  for row in 0..<g.pointee.rows {
    let a = aBase.assumingMemoryBound(to: Scalar.self) + row &* g.pointee.aRow
    let b = bBase.assumingMemoryBound(to: Scalar.self) + row &* g.pointee.bRow
    let y = yBase.assumingMemoryBound(to: Scalar.self) + row &* g.pointee.yRow
    if yColumn == 1 && aColumn == 1 && bColumn == 1 {
      mapTwo(a, b, y, columns, streams: streams, V.self, f)
    } else if yColumn == 1 && aColumn == 1 && bColumn == 0 {
      let constant = V(repeating: b.pointee)
      @inline(__always) func left(_ v: V) -> V { f(v, constant) }
      mapOne(a, y, columns, streams: streams, V.self, left)
    } else if yColumn == 1 && aColumn == 0 && bColumn == 1 {
      let constant = V(repeating: a.pointee)
      @inline(__always) func right(_ v: V) -> V { f(constant, v) }
      mapOne(b, y, columns, streams: streams, V.self, right)
    } else {
      var i = 0
      while i < columns {
        let n = min(V.lanes, columns &- i)
        let result = f(
          loadAlong(a, i, aColumn, first: n, V.self), loadAlong(b, i, bColumn, first: n, V.self))
        if yColumn == 1 {
          result.store(y + i, first: n)
        } else {
          result.store(y + i &* yColumn, stride: yColumn, first: n)
        }
        i = stepped(i, by: V.lanes)
      }
    }
  }
}
