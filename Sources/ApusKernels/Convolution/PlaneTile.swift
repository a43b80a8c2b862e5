import ApusKernelInterface

/// NK channels x R rows x NV vectors of a result stay in registers; see `PlaneTileShape`.
///
/// A row of the source is loaded once for each width tap and serves every row of the result that a height tap F takes
/// there: with few channels the loads, which mostly cross a cache line, would else take longer than the multiply-adds.
@inline(never)
func planeTile<let NK: Int, let R: Int, let NV: Int, let F: Int, V: KernelVector>(
  _ t: UnsafePointer<PlaneTileShape>, _ source: UnsafePointer<V.Scalar>, _ weights: UnsafePointer<V.Scalar>,
  _ result: UnsafeMutablePointer<V.Scalar>, _: V.Type, _: Count<NK>.Type, _: Count<R>.Type, _: Count<NV>.Type,
  _: Count<F>.Type
) {
  var sums = InlineArray<NK, InlineArray<R, InlineArray<NV, V>>>(
    repeating: InlineArray<R, InlineArray<NV, V>>(repeating: InlineArray<NV, V>(repeating: V.zero)))
  let rows = t.pointee.rows
  let lastCount = t.pointee.columns &- (NV &- 1) &* V.lanes
  if t.pointee.continues {
    for k in 0..<NK {
      for i in 0..<R where i < rows {
        let p = UnsafePointer(result + (k &* t.pointee.resultPlaneStride &+ i &* t.pointee.resultRowStride))
        for j in 0..<NV - 1 { sums[k][i][j] = V.load(p + j &* V.lanes) }
        sums[k][i][NV - 1] = V.load(p + (NV &- 1) &* V.lanes, first: lastCount)
      }
    }
  }
  let rowStride = t.pointee.rowStride
  let widthTaps = t.pointee.widthTaps
  let tapStride = t.pointee.tapStride
  let skippedWeights = t.pointee.skippedWeights
  let firstRow = t.pointee.firstRow
  let endRow = t.pointee.endRow
  var w = weights
  var plane = source
  var left = t.pointee.channels
  while left > 0 {
    var x = plane
    var taps = widthTaps
    while taps > 0 {
      for h in 0..<R + F - 1 where h >= firstRow && h < endRow {
        var row = InlineArray<NV, V>(repeating: V.zero)
        for j in 0..<NV { row[j] = V.load(x + (h &* rowStride &+ j &* V.lanes)) }
        for i in 0..<R where h - i >= 0 && h - i < F {
          for k in 0..<NK {
            let scalar = V(repeating: w[k &* F &+ (h &- i)])
            // One vector wide, few weights stay in registers; more would push sums out.
            let factor = NV == 1 && (NK < 3 || F == 1) ? scalar : V.pinned(scalar)
            for j in 0..<NV { sums[k][i][j] = V.multiplyAdd(sums[k][i][j], factor, row[j]) }
          }
        }
      }
      w += NK &* F
      x += tapStride
      taps &-= 1
    }
    w += skippedWeights
    plane += t.pointee.planeStride
    left &-= 1
  }
  let accumulate = t.pointee.accumulate
  if t.pointee.hasPositiveZeros {
    for k in 0..<NK {
      for i in 0..<R {
        for j in 0..<NV { sums[k][i][j] = withPositiveZeros(sums[k][i][j]) }
      }
    }
  }
  for k in 0..<NK {
    for i in 0..<R where i < rows {
      let p = result + (k &* t.pointee.resultPlaneStride &+ i &* t.pointee.resultRowStride)
      for j in 0..<NV {
        let count = j == NV - 1 ? lastCount : V.lanes
        let q = p + j &* V.lanes
        let x = accumulate ? V.load(UnsafePointer(q), first: count) + sums[k][i][j] : sums[k][i][j]
        x.store(q, first: count)
      }
    }
  }
}

/// x, but +0 for -0, whatever the rounding.
@inline(__always)
private func withPositiveZeros<V: KernelVector>(_ x: V) -> V {
  V.select(x, V.select(x, x * x, where: V.zero, isLessThan: x), where: x, isLessThan: V.zero)
}

/// The instance for a number of height taps.
@inline(__always)
private func planeTileOfTaps<let NK: Int, let R: Int, let NV: Int, V: KernelVector>(
  _ t: UnsafePointer<PlaneTileShape>, _ x: UnsafePointer<V.Scalar>, _ w: UnsafePointer<V.Scalar>,
  _ c: UnsafeMutablePointer<V.Scalar>, _: V.Type, _: Count<NK>.Type, _: Count<R>.Type, _: Count<NV>.Type
) {
  switch t.pointee.heightTaps {
  case 1: planeTile(t, x, w, c, V.self, Count<NK>.self, Count<R>.self, Count<NV>.self, Count<1>.self)
  case 2: planeTile(t, x, w, c, V.self, Count<NK>.self, Count<R>.self, Count<NV>.self, Count<2>.self)
  case 3: planeTile(t, x, w, c, V.self, Count<NK>.self, Count<R>.self, Count<NV>.self, Count<3>.self)
  case 4: planeTile(t, x, w, c, V.self, Count<NK>.self, Count<R>.self, Count<NV>.self, Count<4>.self)
  case 5: planeTile(t, x, w, c, V.self, Count<NK>.self, Count<R>.self, Count<NV>.self, Count<5>.self)
  default: break
  }
}

/// The instance for a number of channels and vectors.
@inline(__always)
func planeTile<V: KernelVector>(
  _ t: UnsafePointer<PlaneTileShape>, _ x: UnsafePointer<V.Scalar>, _ w: UnsafePointer<V.Scalar>,
  _ c: UnsafeMutablePointer<V.Scalar>, _: V.Type
) {
  switch (t.pointee.resultChannels, t.pointee.columns > V.lanes) {
  case (1, false): planeTileOfTaps(t, x, w, c, V.self, Count<1>.self, NarrowPlaneRows1.self, Count<1>.self)
  case (2, false): planeTileOfTaps(t, x, w, c, V.self, Count<2>.self, NarrowPlaneRows2.self, Count<1>.self)
  case (3, false): planeTileOfTaps(t, x, w, c, V.self, Count<3>.self, NarrowPlaneRows3.self, Count<1>.self)
  case (1, true): planeTileOfTaps(t, x, w, c, V.self, Count<1>.self, WidePlaneRows1.self, Count<2>.self)
  case (2, true): planeTileOfTaps(t, x, w, c, V.self, Count<2>.self, WidePlaneRows2.self, Count<2>.self)
  case (3, true): planeTileOfTaps(t, x, w, c, V.self, Count<3>.self, WidePlaneRows3.self, Count<2>.self)
  default: break
  }
}

/// Rows with zeros on both sides; see `PadRowsShape`. What lies past a row in its last vector is zero already.
@inline(__always)
func padRows<V: KernelVector>(
  _ shape: UnsafePointer<PadRowsShape>, _ source: UnsafePointer<V.Scalar>, _ result: UnsafeMutablePointer<V.Scalar>,
  _: V.Type
) {
  let columns = shape.pointee.columns
  let left = shape.pointee.left
  let width = left &+ columns &+ shape.pointee.right
  var from = source
  var to = result
  for _ in 0..<shape.pointee.rows {
    var i = 0
    while i < left {
      V.zero.store(to + i)
      i &+= V.lanes
    }
    i = 0
    while i &+ V.lanes <= columns {
      V.load(from + i).store(to + (left &+ i))
      i &+= V.lanes
    }
    if i < columns {
      V.load(from + i, first: columns &- i).store(to + (left &+ i))
      i &+= V.lanes
    }
    i &+= left
    while i < width {
      V.zero.store(to + i)
      i &+= V.lanes
    }
    from += shape.pointee.sourceStride
    to += shape.pointee.resultStride
  }
}
