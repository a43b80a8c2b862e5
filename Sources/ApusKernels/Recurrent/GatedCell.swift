import ApusKernelInterface

// Gated recurrent units (K. Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", 2014). The order of
// gates is r, z, n. Kept for backward: r, z, n and in the fourth place the recurrent part of n, where the reset comes
// after the product.

/// (1 - z) n + z h.
@inline(__always)
private func mixed<V: KernelVector>(_ z: V, _ n: V, _ h: V) -> V { V.multiplyAdd((V.one - z) * n, z, h) }

/// r, z = sigmoid(x + sum), n = tanh(x + r (sum + bias)), h = (1 - z) n + z h.
@inline(__always)
func finishResetAfter<V: KernelVector>(
  _ p: UnsafePointer<RecurrentPhase>, _ sums: UnsafePointer<V.Scalar>, _ row: Int, _ unit: Int, _ count: Int,
  _ isActive: Bool, _: V.Type
) {
  if !isActive { return keepState(p, row, unit, count, V.self) }
  let gates = p.pointee.gateValues
  let place = row &* p.pointee.gateRowStride &+ unit
  let spacing = p.pointee.gateStride
  let r = sigmoid(gateInput(p, 0, row, unit, count, V.self) + gateSum(p, sums, 0, V.self))
  let z = sigmoid(gateInput(p, 1, row, unit, count, V.self) + gateSum(p, sums, 1, V.self))
  var q = gateSum(p, sums, 2, V.self)
  if let bias = p.pointee.gateBias { q += loadUnits(bias, unit, count, V.self) }
  let n = tanh(V.multiplyAdd(gateInput(p, 2, row, unit, count, V.self), r, q))
  let h = mixed(z, n, loadUnits(p.pointee.hBefore, row &* p.pointee.hRowStride &+ unit, count, V.self))
  if p.pointee.keeps {
    storeUnits(gates, place, count, r)
    storeUnits(gates, place &+ spacing, count, z)
    storeUnits(gates, place &+ 2 &* spacing, count, n)
    storeUnits(gates, place &+ 3 &* spacing, count, q)
  }
  storeState(p, row, unit, count, h)
}

/// r, z = sigmoid(x + sum); z stays in its place for the second phase, r h is its left operand.
@inline(__always)
func finishReset<V: KernelVector>(
  _ p: UnsafePointer<RecurrentPhase>, _ sums: UnsafePointer<V.Scalar>, _ row: Int, _ unit: Int, _ count: Int,
  _ isActive: Bool, _: V.Type
) {
  let productPlace = row &* p.pointee.productRowStride &+ unit
  if !isActive { return storeUnits(p.pointee.product, productPlace, count, V.zero) }
  let gates = p.pointee.gateValues
  let place = row &* p.pointee.gateRowStride &+ unit
  let spacing = p.pointee.gateStride
  let r = sigmoid(gateInput(p, 0, row, unit, count, V.self) + gateSum(p, sums, 0, V.self))
  let z = sigmoid(gateInput(p, 1, row, unit, count, V.self) + gateSum(p, sums, 1, V.self))
  let h = loadUnits(p.pointee.hBefore, row &* p.pointee.hRowStride &+ unit, count, V.self)
  if p.pointee.keeps { storeUnits(gates, place, count, r) }
  storeUnits(gates, place &+ spacing, count, z)
  storeUnits(p.pointee.product, productPlace, count, r * h)
}

/// n = tanh(x + sum), h = (1 - z) n + z h.
@inline(__always)
func finishResetBefore<V: KernelVector>(
  _ p: UnsafePointer<RecurrentPhase>, _ sums: UnsafePointer<V.Scalar>, _ row: Int, _ unit: Int, _ count: Int,
  _ isActive: Bool, _: V.Type
) {
  if !isActive { return keepState(p, row, unit, count, V.self) }
  let gates = p.pointee.gateValues
  let place = row &* p.pointee.gateRowStride &+ unit
  let spacing = p.pointee.gateStride
  let z = loadUnits(gates, place &+ spacing, count, V.self)
  let n = tanh(gateInput(p, 2, row, unit, count, V.self) + V.load(sums))
  let h = mixed(z, n, loadUnits(p.pointee.hBefore, row &* p.pointee.hRowStride &+ unit, count, V.self))
  if p.pointee.keeps { storeUnits(gates, place &+ 2 &* spacing, count, n) }
  storeState(p, row, unit, count, h)
}

/// Gradients before the activations, in the order q, r, z, n: the recurrent weights see the first three, the input's the
/// last three.
@inline(__always)
func finishResetAfterBackward<V: KernelVector>(
  _ p: UnsafePointer<RecurrentPhase>, _ sums: UnsafePointer<V.Scalar>, _ row: Int, _ unit: Int, _ count: Int,
  _ isActive: Bool, _: V.Type
) {
  if !isActive {
    passGradient(p, sums, row, unit, count, V.self)
    for gate in 0..<4 { storeGateGradient(p, gate, row, unit, count, V.zero) }
    return
  }
  let dh = stateGradient(p, sums, row, unit, count, V.self)
  let place = row &* p.pointee.gateRowStride &+ unit
  let spacing = p.pointee.gateStride
  let r = loadUnits(p.pointee.gateValues, place, count, V.self)
  let z = loadUnits(p.pointee.gateValues, place &+ spacing, count, V.self)
  let n = loadUnits(p.pointee.gateValues, place &+ 2 &* spacing, count, V.self)
  let q = loadUnits(p.pointee.gateValues, place &+ 3 &* spacing, count, V.self)
  let h = loadUnits(p.pointee.hBefore, row &* p.pointee.hRowStride &+ unit, count, V.self)
  let dn = tanhGradient(dh * (V.one - z), n)
  storeGateGradient(p, 0, row, unit, count, dn * r)
  storeGateGradient(p, 1, row, unit, count, sigmoidGradient(dn * q, r))
  storeGateGradient(p, 2, row, unit, count, sigmoidGradient(dh * (h - n), z))
  storeGateGradient(p, 3, row, unit, count, dn)
  storeCarry(p, row, unit, count, dh * z)
}

/// The reset before the product: gradients of z and n, in the order r, z, n.
@inline(__always)
func finishResetBeforeBackward<V: KernelVector>(
  _ p: UnsafePointer<RecurrentPhase>, _ sums: UnsafePointer<V.Scalar>, _ row: Int, _ unit: Int, _ count: Int,
  _ isActive: Bool, _: V.Type
) {
  if !isActive {
    passGradient(p, sums, row, unit, count, V.self)
    for gate in 1..<3 { storeGateGradient(p, gate, row, unit, count, V.zero) }
    return
  }
  let dh = stateGradient(p, sums, row, unit, count, V.self)
  let place = row &* p.pointee.gateRowStride &+ unit
  let spacing = p.pointee.gateStride
  let z = loadUnits(p.pointee.gateValues, place &+ spacing, count, V.self)
  let n = loadUnits(p.pointee.gateValues, place &+ 2 &* spacing, count, V.self)
  let h = loadUnits(p.pointee.hBefore, row &* p.pointee.hRowStride &+ unit, count, V.self)
  storeGateGradient(p, 1, row, unit, count, sigmoidGradient(dh * (h - n), z))
  storeGateGradient(p, 2, row, unit, count, tanhGradient(dh * (V.one - z), n))
  storeCarry(p, row, unit, count, dh * z)
}

/// The gradient by r h, which is the sum, into those of r and h.
@inline(__always)
func finishResetBackward<V: KernelVector>(
  _ p: UnsafePointer<RecurrentPhase>, _ sums: UnsafePointer<V.Scalar>, _ row: Int, _ unit: Int, _ count: Int,
  _ isActive: Bool, _: V.Type
) {
  if !isActive { return storeGateGradient(p, 0, row, unit, count, V.zero) }
  let product = V.load(sums)
  let r = loadUnits(p.pointee.gateValues, row &* p.pointee.gateRowStride &+ unit, count, V.self)
  let h = loadUnits(p.pointee.hBefore, row &* p.pointee.hRowStride &+ unit, count, V.self)
  storeGateGradient(p, 0, row, unit, count, sigmoidGradient(product * h, r))
  let place = row &* p.pointee.carryRowStride &+ unit
  storeCarry(p, row, unit, count, V.multiplyAdd(loadUnits(p.pointee.carry, place, count, V.self), product, r))
}
