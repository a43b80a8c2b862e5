import ApusKernelInterface

/// NK planes of dy by F shifts of x: NK x F vectors of sums stay in registers; see `PlaneProductShape`.
@inline(never)
func planeProducts<let NK: Int, let F: Int, V: KernelVector>(
  _ t: UnsafePointer<PlaneProductShape>, _ x0: UnsafePointer<V.Scalar>, _ dy0: UnsafePointer<V.Scalar>,
  _ result: UnsafeMutablePointer<V.Scalar>, _: V.Type, _: Count<NK>.Type, _: Count<F>.Type
) {
  var sums = InlineArray<NK, InlineArray<F, V>>(repeating: InlineArray<F, V>(repeating: V.zero))
  let columns = t.pointee.columns
  let planeStride = t.pointee.dyPlaneStride
  for sample in 0..<t.pointee.samples {
    for row in 0..<t.pointee.rows {
      let x = x0 + (sample &* t.pointee.xSampleStride &+ row &* t.pointee.xRowStride)
      let dy = dy0 + (sample &* t.pointee.dySampleStride &+ row &* t.pointee.dyRowStride)
      var column = 0
      while column &+ V.lanes <= columns {
        var d = InlineArray<NK, V>(repeating: V.zero)
        for k in 0..<NK { d[k] = V.load(dy + (k &* planeStride &+ column)) }
        for s in 0..<F {
          let shifted = V.load(x + (column &+ s))
          for k in 0..<NK { sums[k][s] = V.multiplyAdd(sums[k][s], d[k], shifted) }
        }
        column &+= V.lanes
      }
      if column < columns {
        // Both masked: what lies past a row need not be a number.
        let count = columns &- column
        var d = InlineArray<NK, V>(repeating: V.zero)
        for k in 0..<NK { d[k] = V.load(dy + (k &* planeStride &+ column), first: count) }
        for s in 0..<F {
          let shifted = V.load(x + (column &+ s), first: count)
          for k in 0..<NK { sums[k][s] = V.multiplyAdd(sums[k][s], d[k], shifted) }
        }
      }
    }
  }
  for k in 0..<NK {
    for s in 0..<F { result[k &* t.pointee.resultStride &+ s] += V.sum(sums[k][s]) }
  }
}

@inline(__always)
private func planeProductsOfShifts<let NK: Int, V: KernelVector>(
  _ t: UnsafePointer<PlaneProductShape>, _ x: UnsafePointer<V.Scalar>, _ dy: UnsafePointer<V.Scalar>,
  _ result: UnsafeMutablePointer<V.Scalar>, _: V.Type, _: Count<NK>.Type
) {
  switch t.pointee.shifts {
  case 1: planeProducts(t, x, dy, result, V.self, Count<NK>.self, Count<1>.self)
  case 2: planeProducts(t, x, dy, result, V.self, Count<NK>.self, Count<2>.self)
  case 3: planeProducts(t, x, dy, result, V.self, Count<NK>.self, Count<3>.self)
  case 4: planeProducts(t, x, dy, result, V.self, Count<NK>.self, Count<4>.self)
  case 5: planeProducts(t, x, dy, result, V.self, Count<NK>.self, Count<5>.self)
  default: break
  }
}

/// The instance for a number of planes and shifts.
@inline(__always)
func planeProducts<V: KernelVector>(
  _ t: UnsafePointer<PlaneProductShape>, _ x: UnsafePointer<V.Scalar>, _ dy: UnsafePointer<V.Scalar>,
  _ result: UnsafeMutablePointer<V.Scalar>, _: V.Type
) {
  switch t.pointee.planes {
  case 1: planeProductsOfShifts(t, x, dy, result, V.self, Count<1>.self)
  case 2: planeProductsOfShifts(t, x, dy, result, V.self, Count<2>.self)
  case 3: planeProductsOfShifts(t, x, dy, result, V.self, Count<3>.self)
  default: break
  }
}
