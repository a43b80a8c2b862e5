import ApusKernelInterface

/// See `LossKernels.Row`.
func lossRow<V: KernelVector>(
  _ source: UnsafeRawPointer, _ targets: UnsafeRawPointer?, _ classWeights: UnsafeRawPointer?, _ size: Int,
  _ result: UnsafeMutablePointer<Double>, _: V.Type
) {
  let x = source.assumingMemoryBound(to: V.Scalar.self)
  let t = targets?.assumingMemoryBound(to: V.Scalar.self)
  let w = classWeights?.assumingMemoryBound(to: V.Scalar.self)
  let none = V(repeating: -V.Scalar.infinity)
  @inline(__always) func f1(_ i: Int, _ n: Int) -> V {
    n == V.lanes ? V.load(x + i) : V.load(x + i, first: n, otherwise: none)
  }
  let high = largest(size, V.self, f1)
  let most = V(repeating: high)
  @inline(__always) func f2(_ i: Int, _ n: Int) -> V {
    expOfNonPositive((n == V.lanes ? V.load(x + i) : V.load(x + i, first: n, otherwise: none)) - most)
  }
  let sum = fold(size, V.self, f2)
  @inline(__always) func f3(_ i: Int, _ n: Int) -> (V, V) {
    let d = (n == V.lanes ? V.load(x + i) : V.load(x + i, first: n, otherwise: most)) - most
    // Without targets and weights d alone is wanted, which is 0 behind the end.
    if let t {
      var share = loadLanes(t + i, n, V.self)
      if let w { share *= loadLanes(w + i, n, V.self) }
      return (share, share * d)
    }
    guard let w else { return (V.zero, d) }
    let share = loadLanes(w + i, n, V.self)
    return (share, share * d)
  }
  let (shares, products) = foldPair(size, V.self, f3)
  result[0] = Double(high)
  result[1] = Double(log(V(repeating: V.sum(sum)))[0])
  result[2] = t == nil && w == nil ? Double(size) : Double(V.sum(shares))
  result[3] = Double(V.sum(products))
}

/// See `LossKernels.RowGradient`.
func lossRowGradient<V: KernelVector>(
  _ source: UnsafeRawPointer, _ targets: UnsafeRawPointer?, _ classWeights: UnsafeRawPointer?,
  _ result: UnsafeMutableRawPointer, _ size: Int, _ logarithm: Double, _ factor: Double, _ share: Double, _: V.Type
) {
  let x = source.assumingMemoryBound(to: V.Scalar.self)
  let t = targets?.assumingMemoryBound(to: V.Scalar.self)
  let w = classWeights?.assumingMemoryBound(to: V.Scalar.self)
  let dx = result.assumingMemoryBound(to: V.Scalar.self)
  let total = V(repeating: V.Scalar(logarithm))
  let factor = V(repeating: V.Scalar(factor))
  let share = V(repeating: V.Scalar(share))
  var i = 0
  while i < size {
    let n = min(V.lanes, size &- i)
    var taken = share
    if let t { taken *= V.load(t + i, first: n) }
    if let w { taken *= V.load(w + i, first: n) }
    (exp(V.load(x + i, first: n) - total) * factor - taken).store(dx + i, first: n)
    i = stepped(i, by: V.lanes)
  }
}

/// The sum of pointwise losses, and each.
func pointwiseLosses<V: KernelVector>(
  _ kind: Int32, _ source: UnsafeRawPointer, _ targets: UnsafeRawPointer, _ results: UnsafeMutableRawPointer?,
  _ count: Int, _ delta: Double, _: V.Type
) -> Double {
  let x = source.assumingMemoryBound(to: V.Scalar.self)
  let t = targets.assumingMemoryBound(to: V.Scalar.self)
  let y = results?.assumingMemoryBound(to: V.Scalar.self)
  let delta = V(repeating: V.Scalar(delta))
  let half = V(repeating: 0.5)
  @inline(__always) func run(_ f: (V, V) -> V) -> Double {
    var total = 0.0
    var start = 0
    while start < count {
      let end = min(count, start &+ foldBlock)
      var sum = V.zero
      var i = start
      while i &+ V.lanes <= end {
        let v = f(V.load(x + i), V.load(t + i))
        y.map { v.store($0 + i) }
        sum += v
        i = stepped(i, by: V.lanes)
      }
      total += Double(V.sum(sum))
      // A vector's last lanes would not be 0 for every loss: they are taken one by one.
      while i < end {
        let v = f(V.load(x + i, first: 1), V.load(t + i, first: 1))
        y.map { v.store($0 + i, first: 1) }
        total += Double(v[0])
        i = stepped(i, by: 1)
      }
      start = stepped(start, by: foldBlock)
    }
    return total
  }
  switch kind {
  case 16:  // binaryCrossEntropyWithLogits
    @inline(__always) func f4(_ v0: V, _ v1: V) -> V { softplus(v0) - v0 * v1 }
    return run(f4)
  case 17:  // meanSquaredError
    @inline(__always) func f5(_ v0: V, _ v1: V) -> V {
      let d = v0 - v1
      return d * d
    }
    return run(f5)
  case 18:  // meanAbsoluteError
    @inline(__always) func f6(_ v0: V, _ v1: V) -> V { magnitude(v0 - v1) }
    return run(f6)
  case 19:  // huber
    @inline(__always) func f7(_ v0: V, _ v1: V) -> V {
      let d = magnitude(v0 - v1)
      return V.select(half * d * d, delta * (d - half * delta), where: d, isLessThan: delta)
    }
    return run(f7)
  case 20:  // hinge
    @inline(__always) func f8(_ v0: V, _ v1: V) -> V { V.maximum(V.zero, delta - v0 * v1) }
    return run(f8)
  default: return 0
  }
}

/// dx = factor (dy) f'.
func pointwiseGradients<V: KernelVector>(
  _ kind: Int32, _ source: UnsafeRawPointer, _ targets: UnsafeRawPointer, _ gradients: UnsafeRawPointer?,
  _ result: UnsafeMutableRawPointer, _ count: Int, _ delta: Double, _ factor: Double, _: V.Type
) {
  let x = source.assumingMemoryBound(to: V.Scalar.self)
  let t = targets.assumingMemoryBound(to: V.Scalar.self)
  let dy = gradients?.assumingMemoryBound(to: V.Scalar.self)
  let dx = result.assumingMemoryBound(to: V.Scalar.self)
  let delta = V(repeating: V.Scalar(delta))
  let factor = V(repeating: V.Scalar(factor))
  @inline(__always) func run(_ f: (V, V) -> V) {
    if let dy {
      @inline(__always) func each(_ x: V, _ t: V, _ g: V) -> V { f(x, t) * (g * factor) }
      mapThree(x, t, dy, dx, count, streams: false, V.self, each)
    } else {
      @inline(__always) func all(_ x: V, _ t: V) -> V { f(x, t) * factor }
      mapTwo(x, t, dx, count, streams: false, V.self, all)
    }
  }
  switch kind {
  case 16:  // binaryCrossEntropyWithLogits
    @inline(__always) func f9(_ v0: V, _ v1: V) -> V { sigmoid(v0) - v1 }
    run(f9)
  case 17:  // meanSquaredError
    @inline(__always) func f10(_ v0: V, _ v1: V) -> V {
      let d = v0 - v1
      return d + d
    }
    run(f10)
  case 18:  // meanAbsoluteError
    @inline(__always) func f11(_ v0: V, _ v1: V) -> V {
      let d = v0 - v1
      return V.select(V(repeating: -1), V.select(V.one, d, where: V.zero, isLessThan: d), where: d, isLessThan: V.zero)
    }
    run(f11)
  case 19:  // huber
    @inline(__always) func f12(_ v0: V, _ v1: V) -> V { V.minimum(delta, V.maximum(V.zero - delta, v0 - v1)) }
    run(f12)
  case 20:  // hinge
    @inline(__always) func f13(_ v0: V, _ v1: V) -> V {
      let margin = delta - v0 * v1
      return V.select(V.zero - v1, V.maximum(V.zero, margin), where: V.zero, isLessThan: margin)
    }
    run(f13)
  default: return
  }
}
