import ApusKernelInterface

/// h = activation(x + sum).
@inline(__always)
func finishSimple<V: KernelVector>(
  _ p: UnsafePointer<RecurrentPhase>, _ sums: UnsafePointer<V.Scalar>, _ row: Int, _ unit: Int, _ count: Int,
  _ isActive: Bool, _: V.Type, _ activation: (V) -> V
) {
  if !isActive { return keepState(p, row, unit, count, V.self) }
  let x = gateInput(p, 0, row, unit, count, V.self)
  storeState(p, row, unit, count, activation(x + V.load(sums)))
}

/// dGates = gradient(dh, h), both activations' derivatives being functions of their values.
@inline(__always)
func finishSimpleBackward<V: KernelVector>(
  _ p: UnsafePointer<RecurrentPhase>, _ sums: UnsafePointer<V.Scalar>, _ row: Int, _ unit: Int, _ count: Int,
  _ isActive: Bool, _: V.Type, _ gradient: (V, V) -> V
) {
  if !isActive {
    passGradient(p, sums, row, unit, count, V.self)
    return storeGateGradient(p, 0, row, unit, count, V.zero)
  }
  let dh = stateGradient(p, sums, row, unit, count, V.self)
  let h = loadUnits(p.pointee.hAfter, row &* p.pointee.hRowStride &+ unit, count, V.self)
  storeGateGradient(p, 0, row, unit, count, gradient(dh, h))
  storeCarry(p, row, unit, count, V.zero)
}
