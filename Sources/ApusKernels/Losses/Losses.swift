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
  let high = largest(size, V.self) { i, n in n == V.lanes ? V.load(x + i) : V.load(x + i, first: n, otherwise: none) }
  let most = V(repeating: high)
  let sum = fold(size, V.self) { i, n in
    expOfNonPositive((n == V.lanes ? V.load(x + i) : V.load(x + i, first: n, otherwise: none)) - most)
  }
  let (shares, products) = foldPair(size, V.self) { i, n in
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
  switch PointwiseLoss(rawValue: kind) {
  case .binaryCrossEntropyWithLogits: return run { softplus($0) - $0 * $1 }
  case .meanSquaredError:
    return run {
      let d = $0 - $1
      return d * d
    }
  case .meanAbsoluteError: return run { magnitude($0 - $1) }
  case .huber:
    return run {
      let d = magnitude($0 - $1)
      return V.select(half * d * d, delta * (d - half * delta), where: d, isLessThan: delta)
    }
  case .hinge: return run { V.maximum(V.zero, delta - $0 * $1) }
  case nil: return 0
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
      mapThree(x, t, dy, dx, count, streams: false, V.self) { f($0, $1) * ($2 * factor) }
    } else {
      mapTwo(x, t, dx, count, streams: false, V.self) { f($0, $1) * factor }
    }
  }
  switch PointwiseLoss(rawValue: kind) {
  case .binaryCrossEntropyWithLogits: run { sigmoid($0) - $1 }
  case .meanSquaredError:
    run {
      let d = $0 - $1
      return d + d
    }
  case .meanAbsoluteError:
    run {
      let d = $0 - $1
      return V.select(V(repeating: -1), V.select(V.one, d, where: V.zero, isLessThan: d), where: d, isLessThan: V.zero)
    }
  case .huber: run { V.minimum(delta, V.maximum(V.zero - delta, $0 - $1)) }
  case .hinge:
    run {
      let margin = delta - $0 * $1
      return V.select(V.zero - $1, V.maximum(V.zero, margin), where: V.zero, isLessThan: margin)
    }
  case nil: return
  }
}
