import ApusKernelInterface
import ApusShims

/// e^x for x <= 0: exp without what it does for the other end of the range. Bit for bit the same.
@inline(__always)
func expOfNonPositive<V: KernelVector>(_ x: V) -> V {
  if V.hasPieces { return expByPieces(x) }
  typealias Scalar = V.Scalar
  let x = V.maximum(V(repeating: Scalar.expUnderflow), x)
  let (t, power) = reducedExp(x, bias: V(repeating: Scalar.exponentBias + Scalar.scaleExponent))
  return V.multiplyAdd(power, power, t) * V(repeating: 1 / Scalar.scale)
}

/// Rows one after the other. The largest element is taken away first, so that nothing overflows.
func softmaxForward<V: KernelVector>(
  _ s: UnsafePointer<SoftmaxShape>, _ source: UnsafeRawPointer, _ result: UnsafeMutableRawPointer, _ first: Int,
  _ count: Int, _: V.Type
) {
  let size = s.pointee.size
  if s.pointee.inner != 1 { return softmaxColumns(s, source, result, first, count, V.self) }
  let x = source.assumingMemoryBound(to: V.Scalar.self) + first &* size
  let y = result.assumingMemoryBound(to: V.Scalar.self) + first &* size
  let isLogarithm = s.pointee.isLogarithm
  let streams = s.pointee.streams
  if size <= V.lanes { return shortRows(x, y, size, count, isLogarithm: isLogarithm, V.self) }
  let scratch = streams ? s.pointee.scratch?.assumingMemoryBound(to: V.Scalar.self) : nil
  let none = V(repeating: -V.Scalar.infinity)
  for row in 0..<count {
    let x = x + row &* size
    let y = y + row &* size
    @inline(__always) func f1(_ i: Int, _ n: Int) -> V {
      n == V.lanes ? V.load(x + i) : V.load(x + i, first: n, otherwise: none)
    }
    let high = largest(size, V.self, f1)
    let most = V(repeating: high)
    if isLogarithm {
      @inline(__always) func f2(_ i: Int, _ n: Int) -> V {
        expOfNonPositive((n == V.lanes ? V.load(x + i) : V.load(x + i, first: n, otherwise: none)) - most)
      }
      let sum = fold(size, V.self, f2)
      let logarithm = log(V(repeating: V.sum(sum)))
      @inline(__always) func f3(_ v0: V) -> V { (v0 - most) - logarithm }
      mapOne(x, y, size, streams: streams, V.self, f3)
      continue
    }
    let work = scratch ?? y
    @inline(__always) func f4(_ i: Int, _ n: Int) -> V {
      if n == V.lanes {
        let e = expOfNonPositive(V.load(x + i) - most)
        e.store(work + i)
        return e
      }
      let e = expOfNonPositive(V.load(x + i, first: n, otherwise: none) - most)
      e.store(work + i, first: n)
      return e
    }
    let sum = fold(size, V.self, f4)
    let scale = V.one / V(repeating: V.sum(sum))
    @inline(__always) func f5(_ v0: V) -> V { v0 * scale }
    mapOne(work, y, size, streams: streams, V.self, f5)
  }
}

/// Rows of one vector.
@inline(__always)
private func shortRows<V: KernelVector>(
  _ x: UnsafePointer<V.Scalar>, _ y: UnsafeMutablePointer<V.Scalar>, _ size: Int, _ count: Int, isLogarithm: Bool,
  _: V.Type
) {
  let none = V(repeating: -V.Scalar.infinity)
  var row = 0
  while row < count {
    let v = V.load(x + row &* size, first: size, otherwise: none)
    let d = v - V(repeating: largestLane(v))
    let e = expOfNonPositive(d)
    let sum = V(repeating: V.sum(e))
    if isLogarithm {
      (d - log(sum)).store(y + row &* size, first: size)
    } else {
      // Longer rows multiply by the reciprocal too.
      (e * (V.one / sum)).store(y + row &* size, first: size)
    }
    row = stepped(row, by: 1)
  }
}

/// Along an axis that is not the last one: neighbours are in the lanes.
@inline(__always)
private func softmaxColumns<V: KernelVector>(
  _ s: UnsafePointer<SoftmaxShape>, _ source: UnsafeRawPointer, _ result: UnsafeMutableRawPointer, _ first: Int,
  _ count: Int, _: V.Type
) {
  let size = s.pointee.size
  let inner = s.pointee.inner
  let isLogarithm = s.pointee.isLogarithm
  for slice in first..<first &+ count {
    let x = source.assumingMemoryBound(to: V.Scalar.self) + slice &* size &* inner
    let y = result.assumingMemoryBound(to: V.Scalar.self) + slice &* size &* inner
    var j = 0
    while j < inner {
      let n = min(V.lanes, inner &- j)
      var most = V(repeating: -V.Scalar.infinity)
      var i = 0
      while i < size {
        most = V.maximumOrNaN(most, V.load(x + (i &* inner &+ j), first: n))
        i = stepped(i, by: 1)
      }
      var total = V.zero
      var sum = V.zero
      i = 0
      while i < size {
        let e = expOfNonPositive(V.load(x + (i &* inner &+ j), first: n) - most)
        if !isLogarithm { e.store(y + (i &* inner &+ j), first: n) }
        sum += e
        i = stepped(i, by: 1)
        if i & 255 == 0 {
          total += sum
          sum = V.zero
        }
      }
      total += sum
      let scale = isLogarithm ? log(total) : V.one / total
      i = 0
      while i < size {
        let p = i &* inner &+ j
        if isLogarithm {
          ((V.load(x + p, first: n) - most) - scale).store(y + p, first: n)
        } else {
          (V.load(y + p, first: n) * scale).store(y + p, first: n)
        }
        i = stepped(i, by: 1)
      }
      j = stepped(j, by: V.lanes)
    }
  }
}

/// dx = y (dy - sum of dy y), or of the logarithm dy - e^y (sum of dy).
func softmaxBackward<V: KernelVector>(
  _ s: UnsafePointer<SoftmaxShape>, _ output: UnsafeRawPointer, _ gradient: UnsafeRawPointer,
  _ result: UnsafeMutableRawPointer, _ first: Int, _ count: Int, _: V.Type
) {
  let size = s.pointee.size
  let inner = s.pointee.inner
  let isLogarithm = s.pointee.isLogarithm
  let streams = s.pointee.streams
  for slice in first..<first &+ count {
    let y = output.assumingMemoryBound(to: V.Scalar.self) + slice &* size &* inner
    let dy = gradient.assumingMemoryBound(to: V.Scalar.self) + slice &* size &* inner
    let dx = result.assumingMemoryBound(to: V.Scalar.self) + slice &* size &* inner
    if inner == 1 {
      if isLogarithm {
        @inline(__always) func f6(_ i: Int, _ n: Int) -> V { loadLanes(dy + i, n, V.self) }
        let total = fold(size, V.self, f6)
        let sum = V(repeating: V.sum(total))
        @inline(__always) func f7(_ v0: V, _ v1: V) -> V { v1 - exp(v0) * sum }
        mapTwo(y, dy, dx, size, streams: streams, V.self, f7)
      } else {
        @inline(__always) func f8(_ i: Int, _ n: Int) -> V {
          loadLanes(dy + i, n, V.self) * loadLanes(y + i, n, V.self)
        }
        let total = fold(size, V.self, f8)
        let sum = V(repeating: V.sum(total))
        @inline(__always) func f9(_ v0: V, _ v1: V) -> V { v0 * (v1 - sum) }
        mapTwo(y, dy, dx, size, streams: streams, V.self, f9)
      }
      continue
    }
    var j = 0
    while j < inner {
      let n = min(V.lanes, inner &- j)
      var total = V.zero
      var sum = V.zero
      var i = 0
      while i < size {
        let p = i &* inner &+ j
        let g = V.load(dy + p, first: n)
        sum += isLogarithm ? g : g * V.load(y + p, first: n)
        i = stepped(i, by: 1)
        if i & 255 == 0 {
          total += sum
          sum = V.zero
        }
      }
      total += sum
      i = 0
      while i < size {
        let p = i &* inner &+ j
        let value = V.load(y + p, first: n)
        let g = V.load(dy + p, first: n)
        (isLogarithm ? g - exp(value) * total : value * (g - total)).store(dx + p, first: n)
        i = stepped(i, by: 1)
      }
      j = stepped(j, by: V.lanes)
    }
  }
}

func makeSoftmaxKernelsF32() -> SoftmaxKernels {
  SoftmaxKernels(
    forward: { softmaxForward($0.assumingMemoryBound(to: SoftmaxShape.self), $1, $2, $3, $4, VectorF32.self) },
    backward: { softmaxBackward($0.assumingMemoryBound(to: SoftmaxShape.self), $1, $2, $3, $4, $5, VectorF32.self) })
}

func makeSoftmaxKernelsF64() -> SoftmaxKernels {
  SoftmaxKernels(
    forward: { softmaxForward($0.assumingMemoryBound(to: SoftmaxShape.self), $1, $2, $3, $4, VectorF64.self) },
    backward: { softmaxBackward($0.assumingMemoryBound(to: SoftmaxShape.self), $1, $2, $3, $4, $5, VectorF64.self) })
}
