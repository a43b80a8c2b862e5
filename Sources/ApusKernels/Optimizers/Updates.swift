import ApusKernelInterface

/// Parameters, gradient and states in one pass. Adam: D. Kingma, J. Ba (2015); AdamW: I. Loshchilov, F. Hutter (2019);
/// Adagrad: J. Duchi et al. (2011); RMSProp: T. Tieleman, G. Hinton (2012); Nesterov's momentum as I. Sutskever et al.
/// (2013) have it.
func updateParameters<V: KernelVector>(
  _ o: UnsafePointer<OptimizerNumbers>, _ parameters: UnsafeMutableRawPointer, _ gradients: UnsafeRawPointer,
  _ firstState: UnsafeMutableRawPointer?, _ secondState: UnsafeMutableRawPointer?, _ count: Int, _: V.Type
) {
  typealias Scalar = V.Scalar
  let p = parameters.assumingMemoryBound(to: Scalar.self)
  let g = gradients.assumingMemoryBound(to: Scalar.self)
  let s = firstState?.assumingMemoryBound(to: Scalar.self)
  let q = secondState?.assumingMemoryBound(to: Scalar.self)
  let rate = V(repeating: Scalar(o.pointee.rate))
  let momentum = V(repeating: Scalar(o.pointee.momentum))
  let fresh = V(repeating: Scalar(1 - o.pointee.dampening))
  let epsilon = V(repeating: Scalar(o.pointee.epsilon))
  let decay = V(repeating: Scalar(o.pointee.decay))
  let scale = V(repeating: Scalar(o.pointee.gradientScale))
  let limit = V(repeating: Scalar(o.pointee.limit))
  let isNesterov = o.pointee.isNesterov
  let isFirst = o.pointee.isFirst
  @inline(__always) func gradient(_ i: Int, _ n: Int, _ parameter: V, decays: Bool) -> V {
    var v = loadLanes(g + i, n, V.self) * scale
    v = V.minimum(limit, V.maximum(V.zero - limit, v))
    return decays ? V.multiplyAdd(v, decay, parameter) : v
  }
  @inline(__always) func keep(_ v: V, _ to: UnsafeMutablePointer<Scalar>, _ i: Int, _ n: Int) {
    if n == V.lanes { v.store(to + i) } else { v.store(to + i, first: n) }
  }
  var i = 0
  switch o.pointee.kind {
  case .sgd:
    while i < count {
      let n = min(V.lanes, count &- i)
      let parameter = loadLanes(UnsafePointer(p) + i, n, V.self)
      var d = gradient(i, n, parameter, decays: true)
      if let s {
        let old = loadLanes(UnsafePointer(s) + i, n, V.self)
        let new = isFirst ? d : V.multiplyAdd(fresh * d, momentum, old)
        keep(new, s, i, n)
        d = isNesterov ? V.multiplyAdd(d, momentum, new) : new
      }
      keep(parameter - rate * d, p, i, n)
      i = stepped(i, by: V.lanes)
    }
  case .adagrad:
    guard let q else { return }
    while i < count {
      let n = min(V.lanes, count &- i)
      let parameter = loadLanes(UnsafePointer(p) + i, n, V.self)
      let d = gradient(i, n, parameter, decays: true)
      let sum = V.multiplyAdd(loadLanes(UnsafePointer(q) + i, n, V.self), d, d)
      keep(sum, q, i, n)
      keep(parameter - rate * d / (V.squareRoot(sum) + epsilon), p, i, n)
      i = stepped(i, by: V.lanes)
    }
  case .rmsProp:
    guard let q else { return }
    let old = V(repeating: Scalar(o.pointee.squares))
    let new = V(repeating: Scalar(1 - o.pointee.squares))
    while i < count {
      let n = min(V.lanes, count &- i)
      let parameter = loadLanes(UnsafePointer(p) + i, n, V.self)
      let d = gradient(i, n, parameter, decays: true)
      let mean = V.multiplyAdd(old * loadLanes(UnsafePointer(q) + i, n, V.self), new, d * d)
      keep(mean, q, i, n)
      var step = d / (V.squareRoot(mean) + epsilon)
      if let s {
        step = V.multiplyAdd(step, momentum, loadLanes(UnsafePointer(s) + i, n, V.self))
        keep(step, s, i, n)
      }
      keep(parameter - rate * step, p, i, n)
      i = stepped(i, by: V.lanes)
    }
  case .adam, .adamW:
    guard let s, let q else { return }
    let decouples = o.pointee.kind == .adamW
    let kept = V(repeating: Scalar(1 - o.pointee.decay))
    let newGradient = V(repeating: Scalar(1 - o.pointee.momentum))
    let old = V(repeating: Scalar(o.pointee.squares))
    let new = V(repeating: Scalar(1 - o.pointee.squares))
    let rootFactor = V(repeating: Scalar(o.pointee.rootFactor))
    while i < count {
      let n = min(V.lanes, count &- i)
      var parameter = loadLanes(UnsafePointer(p) + i, n, V.self)
      let d = gradient(i, n, parameter, decays: !decouples)
      if decouples { parameter *= kept }
      let mean = V.multiplyAdd(momentum * loadLanes(UnsafePointer(s) + i, n, V.self), newGradient, d)
      let square = V.multiplyAdd(old * loadLanes(UnsafePointer(q) + i, n, V.self), new, d * d)
      keep(mean, s, i, n)
      keep(square, q, i, n)
      let root = V.multiplyAdd(epsilon, V.squareRoot(square), rootFactor)
      keep(parameter - rate * (mean / root), p, i, n)
      i = stepped(i, by: V.lanes)
    }
  }
}

func makeOptimizerKernelsF32() -> OptimizerKernels {
  OptimizerKernels(
    step: { updateParameters($0.assumingMemoryBound(to: OptimizerNumbers.self), $1, $2, $3, $4, $5, VectorF32.self) },
    squares: { squaresOf($0, $1, VectorF32.self) })
}

func makeOptimizerKernelsF64() -> OptimizerKernels {
  OptimizerKernels(
    step: { updateParameters($0.assumingMemoryBound(to: OptimizerNumbers.self), $1, $2, $3, $4, $5, VectorF64.self) },
    squares: { squaresOf($0, $1, VectorF64.self) })
}

private func squaresOf<V: KernelVector>(_ source: UnsafeRawPointer, _ count: Int, _: V.Type) -> Double {
  let x = source.assumingMemoryBound(to: V.Scalar.self)
  @inline(__always) func f1(_ i: Int, _ n: Int) -> V {
    let v = loadLanes(x + i, n, V.self)
    return v * v
  }
  let total = fold(count, V.self, f1)
  return Double(V.sum(total))
}
