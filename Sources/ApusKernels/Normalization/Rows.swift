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
  let length = V(repeating: Scalar(size))
  let epsilon = V(repeating: Scalar(r.pointee.epsilon))
  for row in first..<first &+ count {
    let x = xBase.assumingMemoryBound(to: Scalar.self) + row &* size
    let y = yBase.assumingMemoryBound(to: Scalar.self) + row &* size
    var mean = V.zero
    if !isRMS {
      mean = V(repeating: V.sum(fold(size, V.self) { i, n in loadLanes(x + i, n, V.self) })) / length
    }
    let sum = fold(size, V.self) { i, n in
      if n == V.lanes {
        let d = V.load(x + i) - mean
        return d * d
      }
      let d = V.load(x + i, first: n, otherwise: mean) - mean
      return d * d
    }
    let scale = V.one / V.squareRoot(V(repeating: V.sum(sum)) / length + epsilon)
    means?[row] = mean[0]
    scales?[row] = scale[0]
    if let gamma, let beta {
      mapThree(x, gamma, beta, y, size, streams: streams, V.self) { V.multiplyAdd($2, ($0 - mean) * scale, $1) }
    } else if let gamma {
      mapTwo(x, gamma, y, size, streams: streams, V.self) { ($0 - mean) * scale * $1 }
    } else if let beta {
      mapTwo(x, beta, y, size, streams: streams, V.self) { V.multiplyAdd($1, $0 - mean, scale) }
    } else {
      mapOne(x, y, size, streams: streams, V.self) { ($0 - mean) * scale }
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
  let isRMS = r.pointee.isRMS
  let streams = r.pointee.streams && r.pointee.dgamma == nil && r.pointee.dbeta == nil
  let inverse = V.one / V(repeating: Scalar(size))
  for row in first..<first &+ count {
    let x = xBase.assumingMemoryBound(to: Scalar.self) + row &* size
    let dy = dyBase.assumingMemoryBound(to: Scalar.self) + row &* size
    let mean = V(repeating: isRMS ? 0 : means?[row] ?? 0)
    let scale = V(repeating: scales.assumingMemoryBound(to: Scalar.self)[row])
    if let dxBase = r.pointee.dx {
      let dx = dxBase.assumingMemoryBound(to: Scalar.self) + row &* size
      let (s0, s1) = foldPair(size, V.self) { i, n in
        var g = loadLanes(dy + i, n, V.self)
        if let gamma { g *= loadLanes(gamma + i, n, V.self) }
        return (g, g * ((loadLanes(x + i, n, V.self) - mean) * scale))
      }
      let a = isRMS ? V.zero : V(repeating: V.sum(s0)) * inverse
      let b = V(repeating: V.sum(s1)) * inverse
      if let gamma, let dgamma, let dbeta {
        // What networks train with, in one loop.
        var i = 0
        while i < size {
          let n = min(V.lanes, size &- i)
          let d = loadLanes(dy + i, n, V.self)
          let h = (loadLanes(x + i, n, V.self) - mean) * scale
          let result = scale * ((d * loadLanes(gamma + i, n, V.self) - a) - h * b)
          let p = V.multiplyAdd(loadLanes(UnsafePointer(dgamma) + i, n, V.self), d, h)
          let q = loadLanes(UnsafePointer(dbeta) + i, n, V.self) + d
          if n == V.lanes {
            result.store(dx + i)
            p.store(dgamma + i)
            q.store(dbeta + i)
          } else {
            result.store(dx + i, first: n)
            p.store(dgamma + i, first: n)
            q.store(dbeta + i, first: n)
          }
          i = stepped(i, by: V.lanes)
        }
        continue
      }
      if let gamma {
        mapThree(x, dy, gamma, dx, size, streams: streams, V.self) {
          scale * (($1 * $2 - a) - (($0 - mean) * scale) * b)
        }
      } else {
        mapTwo(x, dy, dx, size, streams: streams, V.self) { scale * (($1 - a) - (($0 - mean) * scale) * b) }
      }
    }
    if let dgamma {
      mapThree(x, dy, UnsafePointer(dgamma), dgamma, size, streams: false, V.self) {
        V.multiplyAdd($2, $1, ($0 - mean) * scale)
      }
    }
    if let dbeta { mapTwo(dy, UnsafePointer(dbeta), dbeta, size, streams: false, V.self) { $0 + $1 } }
  }
}
