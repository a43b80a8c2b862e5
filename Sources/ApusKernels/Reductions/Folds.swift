import ApusKernelInterface

// Sums of a run of numbers. Their shape is a function of the length and the set alone: four vectors of running sums take
// turns, and every `foldBlock` elements they are joined and added to a total; then the lanes by halves. A sum of n terms
// is so within (256 / lanes + n / 1024 + 8) eps of the sum of magnitudes for n up to 2^20, and blocks of that size are
// pairwise beyond.

/// Elements of a block: a constant, so that bits do not depend on caches.
@inline(__always) var foldBlock: Int { 1024 }

/// The sum of f over vectors of `count` elements at offsets from 0 on; f gets an offset and how many lanes count, and must
/// return zeros in the others.
@inline(__always)
func fold<V: KernelVector>(_ count: Int, _: V.Type, _ f: (Int, Int) -> V) -> V {
  var total = V.zero
  var start = 0
  while start < count {
    let end = min(count, start &+ foldBlock)
    var s0 = V.zero, s1 = V.zero, s2 = V.zero, s3 = V.zero
    var i = start
    while i &+ 4 &* V.lanes <= end {
      s0 += f(i, V.lanes)
      s1 += f(i &+ V.lanes, V.lanes)
      s2 += f(i &+ 2 &* V.lanes, V.lanes)
      s3 += f(i &+ 3 &* V.lanes, V.lanes)
      i = stepped(i, by: 4 &* V.lanes)
    }
    while i < end {
      s0 += f(i, min(V.lanes, end &- i))
      i = stepped(i, by: V.lanes)
    }
    total += (s0 + s1) + (s2 + s3)
    start = stepped(start, by: foldBlock)
  }
  return total
}

/// Two sums at once, in two vectors each.
@inline(__always)
func foldPair<V: KernelVector>(_ count: Int, _: V.Type, _ f: (Int, Int) -> (V, V)) -> (V, V) {
  var total0 = V.zero, total1 = V.zero
  var start = 0
  while start < count {
    let end = min(count, start &+ foldBlock)
    var a0 = V.zero, a1 = V.zero, b0 = V.zero, b1 = V.zero
    var i = start
    while i &+ 2 &* V.lanes <= end {
      let (p, q) = f(i, V.lanes)
      let (r, s) = f(i &+ V.lanes, V.lanes)
      a0 += p
      b0 += q
      a1 += r
      b1 += s
      i = stepped(i, by: 2 &* V.lanes)
    }
    while i < end {
      let (p, q) = f(i, min(V.lanes, end &- i))
      a0 += p
      b0 += q
      i = stepped(i, by: V.lanes)
    }
    total0 += a0 + a1
    total1 += b0 + b1
    start = stepped(start, by: foldBlock)
  }
  return (total0, total1)
}

/// The sums of f and of its square, in four vectors each as `fold` has them, each square added in one step where the set
/// can.
@inline(__always)
func foldSquares<V: KernelVector>(_ count: Int, _: V.Type, _ f: (Int, Int) -> V) -> (V, V) {
  var total0 = V.zero, total1 = V.zero
  var start = 0
  while start < count {
    let end = min(count, start &+ foldBlock)
    var a0 = V.zero, a1 = V.zero, a2 = V.zero, a3 = V.zero
    var b0 = V.zero, b1 = V.zero, b2 = V.zero, b3 = V.zero
    var i = start
    while i &+ 4 &* V.lanes <= end {
      let p = f(i, V.lanes)
      let q = f(i &+ V.lanes, V.lanes)
      let r = f(i &+ 2 &* V.lanes, V.lanes)
      let s = f(i &+ 3 &* V.lanes, V.lanes)
      a0 += p
      a1 += q
      a2 += r
      a3 += s
      b0 = V.multiplyAdd(b0, p, p)
      b1 = V.multiplyAdd(b1, q, q)
      b2 = V.multiplyAdd(b2, r, r)
      b3 = V.multiplyAdd(b3, s, s)
      i = stepped(i, by: 4 &* V.lanes)
    }
    while i < end {
      let p = f(i, min(V.lanes, end &- i))
      a0 += p
      b0 = V.multiplyAdd(b0, p, p)
      i = stepped(i, by: V.lanes)
    }
    total0 += (a0 + a1) + (a2 + a3)
    total1 += (b0 + b1) + (b2 + b3)
    start = stepped(start, by: foldBlock)
  }
  return (total0, total1)
}

/// The largest of a run, NaN if there is one; -infinity of none.
@inline(__always)
func largest<V: KernelVector>(_ count: Int, _: V.Type, _ f: (Int, Int) -> V) -> V.Scalar {
  var a = V(repeating: -V.Scalar.infinity)
  var b = a, c = a, d = a
  var i = 0
  while i &+ 4 &* V.lanes <= count {
    a = V.maximumOrNaN(a, f(i, V.lanes))
    b = V.maximumOrNaN(b, f(i &+ V.lanes, V.lanes))
    c = V.maximumOrNaN(c, f(i &+ 2 &* V.lanes, V.lanes))
    d = V.maximumOrNaN(d, f(i &+ 3 &* V.lanes, V.lanes))
    i = stepped(i, by: 4 &* V.lanes)
  }
  while i < count {
    a = V.maximumOrNaN(a, f(i, min(V.lanes, count &- i)))
    i = stepped(i, by: V.lanes)
  }
  return largestLane(V.maximumOrNaN(V.maximumOrNaN(a, b), V.maximumOrNaN(c, d)))
}

/// The largest lane, NaN if there is one.
@inline(__always)
func largestLane<V: KernelVector>(_ v: V) -> V.Scalar {
  var a = V.maximumOrNaN(V.evenLanes(v, v), V.oddLanes(v, v))
  if V.lanes > 2 { a = V.maximumOrNaN(V.evenLanes(a, a), V.oddLanes(a, a)) }
  if V.lanes > 4 { a = V.maximumOrNaN(V.evenLanes(a, a), V.oddLanes(a, a)) }
  if V.lanes > 8 { a = V.maximumOrNaN(V.evenLanes(a, a), V.oddLanes(a, a)) }
  return a[0]
}

/// `count` lanes, or all.
@inline(__always)
func loadLanes<V: KernelVector>(_ p: UnsafePointer<V.Scalar>, _ count: Int, _: V.Type) -> V {
  count == V.lanes ? V.load(p) : V.load(p, first: count)
}
