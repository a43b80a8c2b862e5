import ApusKernelInterface

/// i, f, o = sigmoid(x + sum + peephole), g = tanh(x + sum), c = f c + i g, h = o tanh(c) (S. Hochreiter and J.
/// Schmidhuber, "Long Short-Term Memory", 1997; forget gate and peepholes: F. Gers et al., 2000).
@inline(__always)
func finishLongShortTerm<V: KernelVector>(
  _ p: UnsafePointer<RecurrentPhase>, _ sums: UnsafePointer<V.Scalar>, _ row: Int, _ unit: Int, _ count: Int,
  _ isActive: Bool, _: V.Type
) {
  let cPlace = row &* p.pointee.cRowStride &+ unit
  let before = loadUnits(p.pointee.cBefore, cPlace, count, V.self)
  if !isActive {
    storeUnits(p.pointee.cAfter, cPlace, count, before)
    if let product = p.pointee.product {
      storeUnits(product, row &* p.pointee.productRowStride &+ unit, count, V.zero)
    } else {
      keepState(p, row, unit, count, V.self)
    }
    return
  }
  let gates = p.pointee.gateValues
  let place = row &* p.pointee.gateRowStride &+ unit
  let spacing = p.pointee.gateStride
  let units = p.pointee.units
  var i = gateInput(p, 0, row, unit, count, V.self) + gateSum(p, sums, 0, V.self)
  var f = gateInput(p, 1, row, unit, count, V.self) + gateSum(p, sums, 1, V.self)
  let g = tanh(gateInput(p, 2, row, unit, count, V.self) + gateSum(p, sums, 2, V.self))
  var o = gateInput(p, 3, row, unit, count, V.self) + gateSum(p, sums, 3, V.self)
  if let peepholes = p.pointee.peepholes {
    i = V.multiplyAdd(i, loadUnits(peepholes, unit, count, V.self), before)
    f = V.multiplyAdd(f, loadUnits(peepholes, units &+ unit, count, V.self), before)
  }
  i = sigmoid(i)
  f = sigmoid(f)
  let c = clipped(p, cellSum(i, g, f, before))
  if let peepholes = p.pointee.peepholes {
    o = V.multiplyAdd(o, loadUnits(peepholes, 2 &* units &+ unit, count, V.self), c)
  }
  o = sigmoid(o)
  storeUnits(p.pointee.cAfter, cPlace, count, c)
  if p.pointee.keeps {
    storeUnits(gates, place, count, i)
    storeUnits(gates, place &+ spacing, count, f)
    storeUnits(gates, place &+ 2 &* spacing, count, g)
    storeUnits(gates, place &+ 3 &* spacing, count, o)
  }
  let h = o * tanh(c)
  if let product = p.pointee.product {
    storeUnits(product, row &* p.pointee.productRowStride &+ unit, count, h)
  } else {
    storeState(p, row, unit, count, h)
  }
}

/// c before it is clipped; backward asks again.
@inline(__always)
private func cellSum<V: KernelVector>(_ i: V, _ g: V, _ f: V, _ before: V) -> V {
  V.multiplyAdd(i * g, f, before)
}

/// c within the bounds; NaN passes.
@inline(__always)
private func clipped<V: KernelVector>(_ p: UnsafePointer<RecurrentPhase>, _ c: V) -> V {
  if p.pointee.clip == 0 { return c }
  let limit = V(repeating: V.Scalar(p.pointee.clip))
  return V.minimum(limit, V.maximum(V.zero - limit, c))
}

/// Gradients before the gates' activations, and dc of the step before.
@inline(__always)
func finishLongShortTermBackward<V: KernelVector>(
  _ p: UnsafePointer<RecurrentPhase>, _ sums: UnsafePointer<V.Scalar>, _ row: Int, _ unit: Int, _ count: Int,
  _ isActive: Bool, _ isProjected: Bool, _: V.Type
) {
  if !isActive {
    if !isProjected { passGradient(p, sums, row, unit, count, V.self) }
    for gate in 0..<4 { storeGateGradient(p, gate, row, unit, count, V.zero) }
    return
  }
  let dh = isProjected ? V.load(sums) : stateGradient(p, sums, row, unit, count, V.self)
  let place = row &* p.pointee.gateRowStride &+ unit
  let spacing = p.pointee.gateStride
  let units = p.pointee.units
  let i = loadUnits(p.pointee.gateValues, place, count, V.self)
  let f = loadUnits(p.pointee.gateValues, place &+ spacing, count, V.self)
  let g = loadUnits(p.pointee.gateValues, place &+ 2 &* spacing, count, V.self)
  let o = loadUnits(p.pointee.gateValues, place &+ 3 &* spacing, count, V.self)
  let cPlace = row &* p.pointee.cRowStride &+ unit
  let before = loadUnits(p.pointee.cBefore, cPlace, count, V.self)
  let t = tanh(loadUnits(p.pointee.cAfter, cPlace, count, V.self))
  let dcPlace = row &* p.pointee.dcRowStride &+ unit
  let dO = sigmoidGradient(dh * t, o)
  var dc = loadUnits(p.pointee.dc, dcPlace, count, V.self) + tanhGradient(dh * o, t)
  if let peepholes = p.pointee.peepholes {
    dc = V.multiplyAdd(dc, loadUnits(peepholes, 2 &* units &+ unit, count, V.self), dO)
  }
  if p.pointee.clip != 0 {
    // Nothing passes where the bound held.
    let limit = V(repeating: V.Scalar(p.pointee.clip))
    let sum = cellSum(i, g, f, before)
    dc = V.select(V.zero, dc, where: limit, isLessThan: V.maximum(sum, V.zero - sum))
  }
  let di = sigmoidGradient(dc * g, i)
  let df = sigmoidGradient(dc * before, f)
  let dg = tanhGradient(dc * i, g)
  dc = dc * f
  if let peepholes = p.pointee.peepholes {
    dc = V.multiplyAdd(dc, loadUnits(peepholes, unit, count, V.self), di)
    dc = V.multiplyAdd(dc, loadUnits(peepholes, units &+ unit, count, V.self), df)
  }
  storeUnits(p.pointee.dc, dcPlace, count, dc)
  storeGateGradient(p, 0, row, unit, count, di)
  storeGateGradient(p, 1, row, unit, count, df)
  storeGateGradient(p, 2, row, unit, count, dg)
  storeGateGradient(p, 3, row, unit, count, dO)
  if !isProjected { storeCarry(p, row, unit, count, V.zero) }
}
