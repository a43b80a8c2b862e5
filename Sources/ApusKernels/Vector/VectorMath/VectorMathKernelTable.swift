import ApusKernelInterface

/// A function of every element of an array; the last vector is masked and takes the same operations.
///
/// Two vectors at a time: sets of 16 registers fetch most constants anew for each step, which the loads would limit.
@inline(__always)
private func map<V: KernelVector>(
  _ source: UnsafeRawPointer, _ result: UnsafeMutableRawPointer, _ count: Int, _: V.Type, _ function: (V) -> V
) {
  let source = source.assumingMemoryBound(to: V.Scalar.self)
  let result = result.assumingMemoryBound(to: V.Scalar.self)
  var i = 0
  while i + 2 * V.lanes <= count {
    let a = V.load(source + i)
    let b = V.load(source + i + V.lanes)
    let c = function(a)
    let d = function(b)
    c.store(result + i)
    d.store(result + i + V.lanes)
    i += 2 * V.lanes
  }
  if i + V.lanes <= count {
    function(V.load(source + i)).store(result + i)
    i += V.lanes
  }
  if i < count { function(V.load(source + i, first: count - i)).store(result + i, first: count - i) }
}

func makeVectorMathKernels() -> VectorMathKernels {
  VectorMathKernels(
    exp32: { map($0, $1, $2, VectorF32.self) { exp($0) } },
    expMinusOne32: { map($0, $1, $2, VectorF32.self) { expMinusOne($0) } },
    sigmoid32: { map($0, $1, $2, VectorF32.self) { sigmoid($0) } },
    tanh32: { map($0, $1, $2, VectorF32.self) { tanh($0) } },
    log32: { map($0, $1, $2, VectorF32.self) { log($0) } },
    erf32: { map($0, $1, $2, VectorF32.self) { erf($0) } },
    softplus32: { map($0, $1, $2, VectorF32.self) { softplus($0) } },
    exp64: { map($0, $1, $2, VectorF64.self) { exp($0) } },
    expMinusOne64: { map($0, $1, $2, VectorF64.self) { expMinusOne($0) } },
    sigmoid64: { map($0, $1, $2, VectorF64.self) { sigmoid($0) } },
    tanh64: { map($0, $1, $2, VectorF64.self) { tanh($0) } },
    log64: { map($0, $1, $2, VectorF64.self) { log($0) } },
    erf64: { map($0, $1, $2, VectorF64.self) { erf($0) } },
    softplus64: { map($0, $1, $2, VectorF64.self) { softplus($0) } })
}
