import ApusKernelInterface
import ApusShims

/// Layer and RMS normalisation forward: mean, then the squared deviations from it, while a row is in the first level.
func normalizeRows<V: KernelVector>(_ r: UnsafePointer<NormalizationRows>, _ first: Int, _ count: Int, _: V.Type) {
  typealias Scalar = V.Scalar
  let size = r.pointee.size
  guard let xBase = r.pointee.x, let yBase = r.pointee.y else { return }
  let gamma = r.pointee.gamma?.assumingMemoryBound(to: Scalar.self)
  let beta = r.pointee.beta?.assumingMemoryBound(to: Scalar.self)
  let means = r.pointee.mean?.assumingMemoryBound(to: Scalar.self)
  let scales = r.pointee.scale?.assumingMemoryBound(to: Scalar.self)
  let isRMS = r.pointee.isRMS
  let streams = r.pointee.streams
  // The mean that this makes is corrected below. A division would wait for each row's sums.
  let inverse = V.one / V(repeating: Scalar(size))
  let epsilon = V(repeating: Scalar(r.pointee.epsilon))
  for row in first..<first &+ count {
    let x = xBase.assumingMemoryBound(to: Scalar.self) + row &* size
    let y = yBase.assumingMemoryBound(to: Scalar.self) + row &* size
    var mean = V.zero
    if !isRMS {
      @inline(__always) func f1(_ i: Int, _ n: Int) -> V { loadLanes(x + i, n, V.self) }
      let total = fold(size, V.self, f1)
      mean = V(repeating: V.sum(total)) * inverse
    }
    // The corrected two-pass algorithm: what the mean lost in rounding is found again and taken out.
    @inline(__always) func deviation(_ i: Int, _ n: Int) -> V {
      (n == V.lanes ? V.load(x + i) : V.load(x + i, first: n, otherwise: mean)) - mean
    }
    let (rest, squares) = foldSquares(size, V.self, deviation)
    var variance = V(repeating: V.sum(squares)) * inverse
    if !isRMS {
      let lost = V(repeating: V.sum(rest)) * inverse
      mean += lost
      variance = V.maximum(V.zero, variance - lost * lost)
    }
    let scale = V.one / V.squareRoot(variance + epsilon)
    means?[row] = mean[0]
    scales?[row] = scale[0]
    if let gamma, let beta {
      @inline(__always) func f3(_ v0: V, _ v1: V, _ v2: V) -> V { V.multiplyAdd(v2, (v0 - mean) * scale, v1) }
      mapThree(x, gamma, beta, y, size, streams: streams, V.self, f3)
    } else if let gamma {
      @inline(__always) func f4(_ v0: V, _ v1: V) -> V { (v0 - mean) * scale * v1 }
      mapTwo(x, gamma, y, size, streams: streams, V.self, f4)
    } else if let beta {
      @inline(__always) func f5(_ v0: V, _ v1: V) -> V { V.multiplyAdd(v1, v0 - mean, scale) }
      mapTwo(x, beta, y, size, streams: streams, V.self, f5)
    } else {
      @inline(__always) func f6(_ v0: V) -> V { (v0 - mean) * scale }
      mapOne(x, y, size, streams: streams, V.self, f6)
    }
  }
}

/// y[i] = f(a[i], b[i], c[i]).
@inline(__always)
func mapThree<V: KernelVector>(
  _ a: UnsafePointer<V.Scalar>, _ b: UnsafePointer<V.Scalar>, _ c: UnsafePointer<V.Scalar>,
  _ y: UnsafeMutablePointer<V.Scalar>, _ count: Int, streams: Bool, _: V.Type, _ f: (V, V, V) -> V
) {
  var i = 0
  var lead = streams ? leadToAlignment(y, count, V.self) : 0
  while i < count {
    if lead == 0 && i &+ 2 &* V.lanes <= count {
      let j = i &+ V.lanes
      let p = f(V.load(a + i), V.load(b + i), V.load(c + i))
      let q = f(V.load(a + j), V.load(b + j), V.load(c + j))
      put(p, y + i, streams: streams)
      put(q, y + j, streams: streams)
      i = stepped(i, by: 2 &* V.lanes)
    } else {
      let n = lead > 0 ? lead : min(V.lanes, count &- i)
      f(V.load(a + i, first: n), V.load(b + i, first: n), V.load(c + i, first: n)).store(y + i, first: n)
      i = stepped(i, by: n)
      lead = 0
    }
  }
  if streams { apus_stream_fence() }
}

/// With g = dy gamma and h = (x - mean) scale: dx = scale (g - mean(g) - h mean(g h)), dgamma += dy h, dbeta += dy.
func normalizeRowsBackward<V: KernelVector>(
  _ r: UnsafePointer<NormalizationRows>, _ first: Int, _ count: Int, _: V.Type
) {
  typealias Scalar = V.Scalar
  let size = r.pointee.size
  guard let xBase = r.pointee.x, let dyBase = r.pointee.dy, let scales = r.pointee.scale else { return }
  let gamma = r.pointee.gamma?.assumingMemoryBound(to: Scalar.self)
  let means = r.pointee.mean?.assumingMemoryBound(to: Scalar.self)
  let dgamma = r.pointee.dgamma?.assumingMemoryBound(to: Scalar.self)
  let dbeta = r.pointee.dbeta?.assumingMemoryBound(to: Scalar.self)
  let dxBase = r.pointee.dx?.assumingMemoryBound(to: Scalar.self)
  let isRMS = r.pointee.isRMS
  let streams = r.pointee.streams
  let inverse = V.one / V(repeating: Scalar(size))
  /// A row's pointers, mean and scale, and the means of g and of g h.
  @inline(__always) func row(_ row: Int) -> (UnsafePointer<Scalar>, UnsafePointer<Scalar>, V, V, V, V) {
    let x = xBase.assumingMemoryBound(to: Scalar.self) + row &* size
    let dy = dyBase.assumingMemoryBound(to: Scalar.self) + row &* size
    let mean = V(repeating: isRMS ? 0 : means?[row] ?? 0)
    let scale = V(repeating: scales.assumingMemoryBound(to: Scalar.self)[row])
    if dxBase == nil { return (x, dy, mean, scale, V.zero, V.zero) }
    @inline(__always) func f7(_ i: Int, _ n: Int) -> (V, V) {
      var g = loadLanes(dy + i, n, V.self)
      if let gamma { g *= loadLanes(gamma + i, n, V.self) }
      return (g, g * ((loadLanes(x + i, n, V.self) - mean) * scale))
    }
    let (s0, s1) = foldPair(size, V.self, f7)
    return (x, dy, mean, scale, isRMS ? V.zero : V(repeating: V.sum(s0)) * inverse, V(repeating: V.sum(s1)) * inverse)
  }
  if let dxBase, let gamma, let dgamma, let dbeta {
    // What networks train with. Two rows at a time halve the loads and stores of the parameters' gradients, whose order
    // of additions stays that of the rows.
    var at = first
    while at < first &+ count {
      let isPair = at &+ 1 < first &+ count
      let (x0, dy0, mean0, scale0, a0, b0) = row(at)
      let (x1, dy1, mean1, scale1, a1, b1) = isPair ? row(at &+ 1) : (x0, dy0, mean0, scale0, a0, b0)
      let dx0 = dxBase + at &* size
      let dx1 = dx0 + (isPair ? size : 0)
      let past = streams && leadToAlignment(dx0, size, V.self) == 0 && leadToAlignment(dx1, size, V.self) == 0
      @inline(__always) func keep(_ v: V, _ to: UnsafeMutablePointer<Scalar>, _ n: Int) {
        if n == V.lanes { v.store(to) } else { v.store(to, first: n) }
      }
      @inline(__always) func keepResult(_ v: V, _ to: UnsafeMutablePointer<Scalar>, _ n: Int) {
        if past && n == V.lanes { v.stream(to) } else { keep(v, to, n) }
      }
      var i = 0
      while i < size {
        let n = min(V.lanes, size &- i)
        let factor = loadLanes(gamma + i, n, V.self)
        var p = loadLanes(UnsafePointer(dgamma) + i, n, V.self)
        var q = loadLanes(UnsafePointer(dbeta) + i, n, V.self)
        let d0 = loadLanes(dy0 + i, n, V.self)
        let h0 = (loadLanes(x0 + i, n, V.self) - mean0) * scale0
        keepResult(scale0 * ((d0 * factor - a0) - h0 * b0), dx0 + i, n)
        p = V.multiplyAdd(p, d0, h0)
        q += d0
        if isPair {
          let d1 = loadLanes(dy1 + i, n, V.self)
          let h1 = (loadLanes(x1 + i, n, V.self) - mean1) * scale1
          keepResult(scale1 * ((d1 * factor - a1) - h1 * b1), dx1 + i, n)
          p = V.multiplyAdd(p, d1, h1)
          q += d1
        }
        keep(p, dgamma + i, n)
        keep(q, dbeta + i, n)
        i = stepped(i, by: V.lanes)
      }
      at = stepped(at, by: 2)
    }
    if streams { apus_stream_fence() }
    return
  }
  for at in first..<first &+ count {
    let (x, dy, mean, scale, a, b) = row(at)
    if let dxBase {
      let dx = dxBase + at &* size
      if let gamma {
        @inline(__always) func f8(_ v0: V, _ v1: V, _ v2: V) -> V {
          scale * ((v1 * v2 - a) - ((v0 - mean) * scale) * b)
        }
        mapThree(x, dy, gamma, dx, size, streams: streams, V.self, f8)
      } else {
        @inline(__always) func f9(_ v0: V, _ v1: V) -> V { scale * ((v1 - a) - ((v0 - mean) * scale) * b) }
        mapTwo(x, dy, dx, size, streams: streams, V.self, f9)
      }
    }
    if let dgamma {
      @inline(__always) func f10(_ v0: V, _ v1: V, _ v2: V) -> V {
        V.multiplyAdd(v2, v1, (v0 - mean) * scale)
      }
      mapThree(x, dy, UnsafePointer(dgamma), dgamma, size, streams: false, V.self, f10)
    }
    if let dbeta {
      @inline(__always) func f11(_ v0: V, _ v1: V) -> V { v0 + v1 }
      mapTwo(dy, UnsafePointer(dbeta), dbeta, size, streams: false, V.self, f11)
    }
  }
}
