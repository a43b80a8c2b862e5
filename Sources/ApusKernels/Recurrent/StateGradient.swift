import ApusKernelInterface

/// The state of a row after a step that it took part in: for the next step and, if wanted, the caller.
@inline(__always)
func storeState<V: KernelVector>(_ p: UnsafePointer<RecurrentPhase>, _ row: Int, _ unit: Int, _ count: Int, _ h: V) {
  storeUnits(p.pointee.hAfter, row &* p.pointee.hRowStride &+ unit, count, h)
  if let y = p.pointee.y { storeUnits(y, row &* p.pointee.yRowStride &+ unit, count, h) }
}

/// The state of a row that does not take part stays.
@inline(__always)
func keepState<V: KernelVector>(_ p: UnsafePointer<RecurrentPhase>, _ row: Int, _ unit: Int, _ count: Int, _: V.Type) {
  let place = row &* p.pointee.hRowStride &+ unit
  storeUnits(p.pointee.hAfter, place, count, loadUnits(p.pointee.hBefore, place, count, V.self))
}

/// h = sum.
@inline(__always)
func finishProject<V: KernelVector>(
  _ p: UnsafePointer<RecurrentPhase>, _ sums: UnsafePointer<V.Scalar>, _ row: Int, _ unit: Int, _ count: Int,
  _ isActive: Bool, _: V.Type
) {
  if isActive {
    storeState(p, row, unit, count, V.load(sums))
  } else {
    keepState(p, row, unit, count, V.self)
  }
}

/// What reaches h by way of the next step, of the caller and of `carry`.
@inline(__always)
func stateGradient<V: KernelVector>(
  _ p: UnsafePointer<RecurrentPhase>, _ sums: UnsafePointer<V.Scalar>, _ row: Int, _ unit: Int, _ count: Int, _: V.Type
) -> V {
  var dh = V.load(sums)
  if let dy = p.pointee.dy { dh += loadUnits(dy, row &* p.pointee.dyRowStride &+ unit, count, V.self) }
  if let carry = p.pointee.carry { dh += loadUnits(carry, row &* p.pointee.carryRowStride &+ unit, count, V.self) }
  return dh
}

/// What the step before gets other than through a product.
@inline(__always)
func storeCarry<V: KernelVector>(_ p: UnsafePointer<RecurrentPhase>, _ row: Int, _ unit: Int, _ count: Int, _ v: V) {
  if let carry = p.pointee.carry { storeUnits(carry, row &* p.pointee.carryRowStride &+ unit, count, v) }
}

/// The gradient by the state passes a row that does not take part.
@inline(__always)
func passGradient<V: KernelVector>(
  _ p: UnsafePointer<RecurrentPhase>, _ sums: UnsafePointer<V.Scalar>, _ row: Int, _ unit: Int, _ count: Int, _: V.Type
) {
  let place = row &* p.pointee.carryRowStride &+ unit
  storeCarry(p, row, unit, count, V.load(sums) + loadUnits(p.pointee.carry, place, count, V.self))
}

@inline(__always)
func finishCarry<V: KernelVector>(
  _ p: UnsafePointer<RecurrentPhase>, _ sums: UnsafePointer<V.Scalar>, _ row: Int, _ unit: Int, _ count: Int,
  _ isActive: Bool, _: V.Type
) {
  passGradient(p, sums, row, unit, count, V.self)
}

/// Gradient before the activation of gate `gate`.
@inline(__always)
func storeGateGradient<V: KernelVector>(
  _ p: UnsafePointer<RecurrentPhase>, _ gate: Int, _ row: Int, _ unit: Int, _ count: Int, _ v: V
) {
  storeUnits(
    p.pointee.dGates, row &* p.pointee.dGateRowStride &+ gate &* p.pointee.gateStride &+ unit, count, v)
}

@inline(__always)
func finishProjectBackward<V: KernelVector>(
  _ p: UnsafePointer<RecurrentPhase>, _ sums: UnsafePointer<V.Scalar>, _ row: Int, _ unit: Int, _ count: Int,
  _ isActive: Bool, _: V.Type
) {
  var dh = V.zero
  if isActive {
    dh = stateGradient(p, sums, row, unit, count, V.self)
    storeCarry(p, row, unit, count, V.zero)
  } else {
    passGradient(p, sums, row, unit, count, V.self)
  }
  storeUnits(p.pointee.product, row &* p.pointee.productRowStride &+ unit, count, dh)
}

/// result[j] (+)= sum over rows of a * b.
@inline(never)
func columnDots<V: KernelVector>(
  _ a: UnsafeRawPointer, _ aStride: Int, _ b: UnsafeRawPointer, _ bStride: Int, _ rows: Int, _ columns: Int,
  _ result: UnsafeMutableRawPointer, _ accumulate: Bool, _: V.Type
) {
  var j = 0
  while j < columns {
    let count = min(V.lanes, columns &- j)
    var sum = V.zero
    for row in 0..<rows {
      sum = V.multiplyAdd(
        sum, loadUnits(a, row &* aStride &+ j, count, V.self), loadUnits(b, row &* bStride &+ j, count, V.self))
    }
    if accumulate { sum += loadUnits(UnsafeRawPointer(result), j, count, V.self) }
    storeUnits(result, j, count, sum)
    j &+= V.lanes
  }
}
