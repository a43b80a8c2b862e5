import ApusKernelInterface
import ApusShims

// Channels in the lanes: rows of `channels` neighbours. Each column's sum runs down the rows of a call, which the engine
// cuts at places that depend on the number of rows alone.

/// Mean and sum of squared deviations of each column.
func columnMoments<V: KernelVector>(
  _ source: UnsafeRawPointer, _ rows: Int, _ channels: Int, _ means: UnsafeMutableRawPointer,
  _ squares: UnsafeMutableRawPointer, _: V.Type
) {
  let x = source.assumingMemoryBound(to: V.Scalar.self)
  let mean = means.assumingMemoryBound(to: V.Scalar.self)
  let m2 = squares.assumingMemoryBound(to: V.Scalar.self)
  let length = V(repeating: V.Scalar(rows))
  var j = 0
  while j < channels {
    let n = min(V.lanes, channels &- j)
    @inline(__always) func f1(_ v0: V) -> V { v0 }
    let sum = downColumns(x + j, rows, channels, n, V.self, f1)
    let m = sum / length
    @inline(__always) func difference(_ v: V) -> V { v - m }
    let lost = downColumns(x + j, rows, channels, n, V.self, difference) / length
    let center = m + lost
    center.store(mean + j, first: n)
    @inline(__always) func deviation(_ v: V) -> V {
      let d = v - center
      return d * d
    }
    let deviations = downColumns(x + j, rows, channels, n, V.self, deviation)
    deviations.store(m2 + j, first: n)
    j = stepped(j, by: V.lanes)
  }
}

/// A sum down the rows in four vectors that take turns.
@inline(__always)
private func downColumns<V: KernelVector>(
  _ p: UnsafePointer<V.Scalar>, _ rows: Int, _ stride: Int, _ n: Int, _: V.Type, _ f: (V) -> V
) -> V {
  var s0 = V.zero, s1 = V.zero, s2 = V.zero, s3 = V.zero
  var q = p
  var i = 0
  while i &+ 4 <= rows {
    s0 += f(loadLanes(q, n, V.self))
    s1 += f(loadLanes(q + stride, n, V.self))
    s2 += f(loadLanes(q + 2 &* stride, n, V.self))
    s3 += f(loadLanes(q + 3 &* stride, n, V.self))
    q += 4 &* stride
    i = stepped(i, by: 4)
  }
  while i < rows {
    s0 += f(loadLanes(q, n, V.self))
    q += stride
    i = stepped(i, by: 1)
  }
  return (s0 + s1) + (s2 + s3)
}

/// Sums of dy and of dy (x - mean) of each column.
func columnGradientSums<V: KernelVector>(
  _ source: UnsafeRawPointer, _ gradient: UnsafeRawPointer, _ rows: Int, _ channels: Int, _ means: UnsafeRawPointer,
  _ sums: UnsafeMutableRawPointer, _ products: UnsafeMutableRawPointer, _: V.Type
) {
  let x = source.assumingMemoryBound(to: V.Scalar.self)
  let dy = gradient.assumingMemoryBound(to: V.Scalar.self)
  let mean = means.assumingMemoryBound(to: V.Scalar.self)
  var j = 0
  while j < channels {
    let n = min(V.lanes, channels &- j)
    let center = V.load(mean + j, first: n)
    var a0 = V.zero, a1 = V.zero, b0 = V.zero, b1 = V.zero
    var p = x + j
    var q = dy + j
    var i = 0
    while i &+ 2 <= rows {
      let g = loadLanes(q, n, V.self)
      let h = loadLanes(q + channels, n, V.self)
      a0 += g
      a1 += h
      b0 = V.multiplyAdd(b0, g, loadLanes(p, n, V.self) - center)
      b1 = V.multiplyAdd(b1, h, loadLanes(p + channels, n, V.self) - center)
      p += 2 &* channels
      q += 2 &* channels
      i = stepped(i, by: 2)
    }
    if i < rows {
      let g = loadLanes(q, n, V.self)
      a0 += g
      b0 = V.multiplyAdd(b0, g, loadLanes(p, n, V.self) - center)
    }
    (a0 + a1).store(sums.assumingMemoryBound(to: V.Scalar.self) + j, first: n)
    (b0 + b1).store(products.assumingMemoryBound(to: V.Scalar.self) + j, first: n)
    j = stepped(j, by: V.lanes)
  }
}

/// y = (x - mean) factor + summand, each with a number for every channel.
func columnApply<V: KernelVector>(
  _ source: UnsafeRawPointer, _ result: UnsafeMutableRawPointer, _ rows: Int, _ channels: Int,
  _ means: UnsafeRawPointer, _ factors: UnsafeRawPointer, _ summands: UnsafeRawPointer, _ streams: Bool, _: V.Type
) {
  let mean = means.assumingMemoryBound(to: V.Scalar.self)
  let factor = factors.assumingMemoryBound(to: V.Scalar.self)
  let summand = summands.assumingMemoryBound(to: V.Scalar.self)
  // Past the caches only where every row begins at a vector.
  let streams =
    streams && channels % V.lanes == 0 && Int(bitPattern: UnsafeRawPointer(result)) % MemoryLayout<V>.size == 0
  for row in 0..<rows {
    let x = source.assumingMemoryBound(to: V.Scalar.self) + row &* channels
    let y = result.assumingMemoryBound(to: V.Scalar.self) + row &* channels
    var j = 0
    while j < channels {
      let n = min(V.lanes, channels &- j)
      let v = V.multiplyAdd(
        loadLanes(summand + j, n, V.self), loadLanes(x + j, n, V.self) - loadLanes(mean + j, n, V.self),
        loadLanes(factor + j, n, V.self))
      if n == V.lanes { put(v, y + j, streams: streams) } else { v.store(y + j, first: n) }
      j = stepped(j, by: V.lanes)
    }
  }
  if streams { apus_stream_fence() }
}

/// dx = dy a + (x - mean) b + c.
func columnGradientApply<V: KernelVector>(
  _ source: UnsafeRawPointer, _ gradient: UnsafeRawPointer, _ result: UnsafeMutableRawPointer, _ rows: Int,
  _ channels: Int, _ means: UnsafeRawPointer, _ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ c: UnsafeRawPointer,
  _: V.Type
) {
  let mean = means.assumingMemoryBound(to: V.Scalar.self)
  let a = a.assumingMemoryBound(to: V.Scalar.self)
  let b = b.assumingMemoryBound(to: V.Scalar.self)
  let c = c.assumingMemoryBound(to: V.Scalar.self)
  for row in 0..<rows {
    let x = source.assumingMemoryBound(to: V.Scalar.self) + row &* channels
    let dy = gradient.assumingMemoryBound(to: V.Scalar.self) + row &* channels
    let dx = result.assumingMemoryBound(to: V.Scalar.self) + row &* channels
    var j = 0
    while j < channels {
      let n = min(V.lanes, channels &- j)
      let d = loadLanes(x + j, n, V.self) - loadLanes(mean + j, n, V.self)
      let v = V.multiplyAdd(
        V.multiplyAdd(loadLanes(c + j, n, V.self), d, loadLanes(b + j, n, V.self)), loadLanes(dy + j, n, V.self),
        loadLanes(a + j, n, V.self))
      if n == V.lanes { v.store(dx + j) } else { v.store(dx + j, first: n) }
      j = stepped(j, by: V.lanes)
    }
  }
}
