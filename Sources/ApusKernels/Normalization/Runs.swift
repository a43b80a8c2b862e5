import ApusKernelInterface

// Statistics of runs: blocks of some 4096 elements stay in the first level while their mean and the squared deviations
// from it are added up, and blocks are joined by the formula of T. F. Chan, G. H. Golub and R. J. LeVeque (1983), which
// loses nothing where the mean is large beside the deviation.

/// Elements that a block of whole runs, or a piece of a long run, has at most.
@inline(__always) private var momentBlock: Int { 4096 }

/// (mean, sum of squared deviations) of `count` more elements joined to those of `n`.
@inline(__always)
private func join(
  _ mean: inout Double, _ m2: inout Double, _ n: inout Double, _ mean1: Double, _ m21: Double, _ count: Double
) {
  let total = n + count
  let delta = mean1 - mean
  mean += delta * (count / total)
  m2 += m21 + delta * delta * (n * count / total)
  n = total
}

/// A sum over several runs of `length` elements, in the same vectors.
@inline(__always)
private func foldRuns<V: KernelVector>(
  _ x: UnsafePointer<V.Scalar>, _ length: Int, _ stride: Int, _ count: Int, _: V.Type, _ f: (V) -> V, fill: V
) -> V {
  var s0 = V.zero, s1 = V.zero
  for run in 0..<count {
    let p = x + run &* stride
    var i = 0
    while i &+ 2 &* V.lanes <= length {
      s0 += f(V.load(p + i))
      s1 += f(V.load(p + (i &+ V.lanes)))
      i = stepped(i, by: 2 &* V.lanes)
    }
    while i < length {
      let n = min(V.lanes, length &- i)
      s0 += f(n == V.lanes ? V.load(p + i) : V.load(p + i, first: n, otherwise: fill))
      i = stepped(i, by: V.lanes)
    }
  }
  return s0 + s1
}

/// The sums of x - center and of its square over several runs.
@inline(__always)
private func foldDeviations<V: KernelVector>(
  _ x: UnsafePointer<V.Scalar>, _ length: Int, _ stride: Int, _ count: Int, _ center: V
) -> (V, V) {
  var a0 = V.zero, a1 = V.zero, b0 = V.zero, b1 = V.zero
  for run in 0..<count {
    let p = x + run &* stride
    var i = 0
    while i &+ 2 &* V.lanes <= length {
      let d = V.load(p + i) - center
      let e = V.load(p + (i &+ V.lanes)) - center
      a0 += d
      a1 += e
      b0 = V.multiplyAdd(b0, d, d)
      b1 = V.multiplyAdd(b1, e, e)
      i = stepped(i, by: 2 &* V.lanes)
    }
    while i < length {
      let n = min(V.lanes, length &- i)
      let d = (n == V.lanes ? V.load(p + i) : V.load(p + i, first: n, otherwise: center)) - center
      a0 += d
      b0 = V.multiplyAdd(b0, d, d)
      i = stepped(i, by: V.lanes)
    }
  }
  return (a0 + a1, b0 + b1)
}

func runMoments<V: KernelVector>(
  _ source: UnsafeRawPointer, _ r: UnsafePointer<NormalizationRuns>, _ result: UnsafeMutablePointer<Double>, _: V.Type
) {
  let length = r.pointee.length
  let stride = r.pointee.stride
  let count = r.pointee.count
  var mean = 0.0
  var m2 = 0.0
  var n = 0.0
  let perBlock = max(1, momentBlock / max(1, length))
  var run = 0
  while run < count {
    let runs = min(perBlock, count &- run)
    var first = 0
    while first < length {
      let part = min(momentBlock, length &- first)
      let x = source.assumingMemoryBound(to: V.Scalar.self) + (run &* stride &+ first)
      let elements = Double(part &* runs)
      @inline(__always) func identity(_ v: V) -> V { v }
      let sum = V.sum(foldRuns(x, part, stride, runs, V.self, identity, fill: V.zero))
      let blockMean = sum / V.Scalar(part &* runs)
      let center = V(repeating: blockMean)
      // What the mean lost in rounding is found again and taken out.
      let (rest, squares) = foldDeviations(x, part, stride, runs, center)
      let lost = Double(V.sum(rest)) / elements
      join(
        &mean, &m2, &n, Double(blockMean) + lost, Swift.max(0, Double(V.sum(squares)) - lost * lost * elements),
        elements)
      first = stepped(first, by: momentBlock)
    }
    run = stepped(run, by: perBlock)
  }
  result[0] = mean
  result[1] = m2
}

func runGradientSums<V: KernelVector>(
  _ source: UnsafeRawPointer, _ gradient: UnsafeRawPointer, _ r: UnsafePointer<NormalizationRuns>, _ mean: Double,
  _ result: UnsafeMutablePointer<Double>, _: V.Type
) {
  let length = r.pointee.length
  let stride = r.pointee.stride
  let count = r.pointee.count
  let center = V(repeating: V.Scalar(mean))
  var total0 = 0.0
  var total1 = 0.0
  let perBlock = max(1, momentBlock / max(1, length))
  var run = 0
  while run < count {
    let runs = min(perBlock, count &- run)
    var first = 0
    while first < length {
      let part = min(momentBlock, length &- first)
      let offset = run &* stride &+ first
      let x = source.assumingMemoryBound(to: V.Scalar.self) + offset
      let dy = gradient.assumingMemoryBound(to: V.Scalar.self) + offset
      var a0 = V.zero, a1 = V.zero, b0 = V.zero, b1 = V.zero
      for k in 0..<runs {
        let p = x + k &* stride
        let q = dy + k &* stride
        var i = 0
        while i &+ 2 &* V.lanes <= part {
          let g = V.load(q + i)
          let h = V.load(q + (i &+ V.lanes))
          a0 += g
          a1 += h
          b0 = V.multiplyAdd(b0, g, V.load(p + i) - center)
          b1 = V.multiplyAdd(b1, h, V.load(p + (i &+ V.lanes)) - center)
          i = stepped(i, by: 2 &* V.lanes)
        }
        while i < part {
          let n = min(V.lanes, part &- i)
          let g = loadLanes(q + i, n, V.self)
          a0 += g
          let d = (n == V.lanes ? V.load(p + i) : V.load(p + i, first: n, otherwise: center)) - center
          b0 = V.multiplyAdd(b0, g, d)
          i = stepped(i, by: V.lanes)
        }
      }
      total0 += Double(V.sum(a0 + a1))
      total1 += Double(V.sum(b0 + b1))
      first = stepped(first, by: momentBlock)
    }
    run = stepped(run, by: perBlock)
  }
  result[0] = total0
  result[1] = total1
}

/// y = (x - mean) factor + summand.
func applyRun<V: KernelVector>(
  _ source: UnsafeRawPointer, _ result: UnsafeMutableRawPointer, _ count: Int, _ mean: Double, _ factor: Double,
  _ summand: Double, _ streams: Bool, _: V.Type
) {
  let center = V(repeating: V.Scalar(mean))
  let factor = V(repeating: V.Scalar(factor))
  let summand = V(repeating: V.Scalar(summand))
  @inline(__always) func f1(_ v0: V) -> V { V.multiplyAdd(summand, v0 - center, factor) }
  mapOne(
    source.assumingMemoryBound(to: V.Scalar.self), result.assumingMemoryBound(to: V.Scalar.self), count,
    streams: streams, V.self, f1)
}

/// dx = dy a + (x - mean) b + c.
func applyGradientRun<V: KernelVector>(
  _ source: UnsafeRawPointer, _ gradient: UnsafeRawPointer, _ result: UnsafeMutableRawPointer, _ count: Int,
  _ mean: Double, _ a: Double, _ b: Double, _ c: Double, _ streams: Bool, _: V.Type
) {
  let center = V(repeating: V.Scalar(mean))
  let a = V(repeating: V.Scalar(a))
  let b = V(repeating: V.Scalar(b))
  let c = V(repeating: V.Scalar(c))
  @inline(__always) func f2(_ v0: V, _ v1: V) -> V { V.multiplyAdd(V.multiplyAdd(c, v0 - center, b), v1, a) }
  mapTwo(
    source.assumingMemoryBound(to: V.Scalar.self), gradient.assumingMemoryBound(to: V.Scalar.self),
    result.assumingMemoryBound(to: V.Scalar.self), count, streams: streams, V.self, f2)
}
