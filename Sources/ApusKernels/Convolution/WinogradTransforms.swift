import ApusKernelInterface

// F(4x4, 3x3) with the points 0, ±5/8, ±3/2 and infinity, in the notation of A. Lavin and S. Gray, "Fast Algorithms for
// Convolutional Neural Networks", 2016: Y = At ((G g Gt) * (Bt d B)) A. Every coefficient of A and B is exact.
//
// The rounding error. Each factor of a term of At (G g * Bt d) passes n roundings, so the error is below n u times the sum
// of |At| (|G| |g| * |Bt| |d|), u being half an eps. In one dimension that is at most k max|d| sum|g| with k the largest
// of the sums over i of |At|[row][i] |G|[i][tap] sum|Bt|[i]; in two, k². These points have k = 13.24, so 175 n u S; n is
// at most 4 roundings a dimension in Bt and in At, 5 in G (its constants count), one for each channel, and the product's:
// C + 27. The usual points 0, ±1, ±2 cost the same and have k = 29.33, k² = 860, and in random data two to three times
// the error. (B. Barabasz et al., "Error Analysis and Improving the Accuracy of Winograd Convolution for Deep Neural
// Networks", 2020, has the method; among ±a, ±b with short binary fractions ±5/8, ±3/2 is the best found, and oneDNN's.)
//
// With p = 5/8 and q = 3/2:
//   Bt = [p²q²  0  -p²-q²  0   1  0]   G = [1/p²q²                    0   0 ]   At = [1  1   1   1   1  0]
//        [0  -pq²   -q²    p   1  0]       [1   p  p²] / 2p²(p²-q²)                  [0  p  -p   q  -q  0]
//        [0   pq²   -q²   -p   1  0]       [1  -p  p²] / 2p²(p²-q²)                  [0  p²  p²  q²  q² 0]
//        [0  -p²q   -p²    q   1  0]       [1   q  q²] / 2q²(q²-p²)                  [0  p³ -p³  q³ -q³ 1]
//        [0   p²q   -p²   -q   1  0]       [1  -q  q²] / 2q²(q²-p²)
//        [0  p²q²   0  -p²-q²  0  1]       [0   0   1]

/// The points and their powers, constants in every place.
private enum Point {
  static var p: Double { 0.625 }
  static var q: Double { 1.5 }
  static var p2: Double { p * p }
  static var q2: Double { q * q }
  /// What G's rows are divided by.
  static var pScale: Double { 1 / (2 * p2 * (p2 - q2)) }
  static var qScale: Double { 1 / (2 * q2 * (q2 - p2)) }
}

/// Bt d.
@inline(__always)
private func toPlanes<V: KernelVector>(_ d0: V, _ d1: V, _ d2: V, _ d3: V, _ d4: V, _ d5: V) -> (V, V, V, V, V, V) {
  @inline(__always) func constant(_ x: Double) -> V { V(repeating: V.Scalar(x)) }
  // d4 - q² d2 and d3 - q² d1 belong to ±p, and the other way round.
  let evenP = V.multiplyAdd(d4, constant(-Point.q2), d2)
  let oddP = V.multiplyAdd(d3, constant(-Point.q2), d1)
  let evenQ = V.multiplyAdd(d4, constant(-Point.p2), d2)
  let oddQ = V.multiplyAdd(d3, constant(-Point.p2), d1)
  let zero = V.multiplyAdd(V.multiplyAdd(d4, constant(-(Point.p2 + Point.q2)), d2), constant(Point.p2 * Point.q2), d0)
  let infinity = V.multiplyAdd(
    V.multiplyAdd(d5, constant(-(Point.p2 + Point.q2)), d3), constant(Point.p2 * Point.q2), d1)
  return (
    zero, V.multiplyAdd(evenP, constant(Point.p), oddP), V.multiplyAdd(evenP, constant(-Point.p), oddP),
    V.multiplyAdd(evenQ, constant(Point.q), oddQ), V.multiplyAdd(evenQ, constant(-Point.q), oddQ), infinity
  )
}

/// At m.
@inline(__always)
private func fromPlanes<V: KernelVector>(_ m0: V, _ m1: V, _ m2: V, _ m3: V, _ m4: V, _ m5: V) -> (V, V, V, V) {
  @inline(__always) func constant(_ x: Double) -> V { V(repeating: V.Scalar(x)) }
  let evenP = m1 + m2
  let oddP = m1 - m2
  let evenQ = m3 + m4
  let oddQ = m3 - m4
  return (
    m0 + (evenP + evenQ), V.multiplyAdd(oddP * constant(Point.p), constant(Point.q), oddQ),
    V.multiplyAdd(evenP * constant(Point.p2), constant(Point.q2), evenQ),
    V.multiplyAdd(
      V.multiplyAdd(m5, constant(Point.p2 * Point.p), oddP), constant(Point.q2 * Point.q), oddQ)
  )
}

/// G g.
@inline(__always)
private func weightsToPlanes<V: KernelVector>(_ g0: V, _ g1: V, _ g2: V) -> (V, V, V, V, V, V) {
  @inline(__always) func constant(_ x: Double) -> V { V(repeating: V.Scalar(x)) }
  let evenP = V.multiplyAdd(g0 * constant(Point.pScale), constant(Point.p2 * Point.pScale), g2)
  let evenQ = V.multiplyAdd(g0 * constant(Point.qScale), constant(Point.q2 * Point.qScale), g2)
  return (
    g0 * constant(1 / (Point.p2 * Point.q2)), V.multiplyAdd(evenP, constant(Point.p * Point.pScale), g1),
    V.multiplyAdd(evenP, constant(-Point.p * Point.pScale), g1),
    V.multiplyAdd(evenQ, constant(Point.q * Point.qScale), g1),
    V.multiplyAdd(evenQ, constant(-Point.q * Point.qScale), g1), g2
  )
}

/// One vector of channels of one tile: columns into the buffer, then rows of the buffer into the planes. Both at once
/// would take 36 registers. Columns that do not exist are zero in the buffer already.
@inline(__always)
private func sourceVector<V: KernelVector, L: LastVector>(
  _ rows: InlineArray<6, UnsafePointer<V.Scalar>>, _ columns: Range<Int>, _ pixelStride: Int, _ channel: Int,
  _ count: Int,
  _ buffer: UnsafeMutablePointer<V.Scalar>, _ planes: UnsafeMutablePointer<V.Scalar>, _ planeStride: Int, _: V.Type,
  _: L.Type
) {
  var column = columns.lowerBound
  var offset = column &* pixelStride &+ channel
  var to = buffer + column &* V.lanes
  while column < columns.upperBound {
    let x = toPlanes(
      L.load(rows[0] + offset, count, V.self), L.load(rows[1] + offset, count, V.self),
      L.load(rows[2] + offset, count, V.self), L.load(rows[3] + offset, count, V.self),
      L.load(rows[4] + offset, count, V.self), L.load(rows[5] + offset, count, V.self))
    x.0.store(to)
    x.1.store(to + 6 &* V.lanes)
    x.2.store(to + 12 &* V.lanes)
    x.3.store(to + 18 &* V.lanes)
    x.4.store(to + 24 &* V.lanes)
    x.5.store(to + 30 &* V.lanes)
    to += V.lanes
    offset &+= pixelStride
    column &+= 1
  }
  var plane = planes + channel
  for i in 0..<6 {
    let from = UnsafePointer(buffer + 6 &* i &* V.lanes)
    let x = toPlanes(
      V.load(from), V.load(from + V.lanes), V.load(from + 2 &* V.lanes), V.load(from + 3 &* V.lanes),
      V.load(from + 4 &* V.lanes), V.load(from + 5 &* V.lanes))
    x.0.store(plane)
    x.1.store(plane + planeStride)
    x.2.store(plane + 2 &* planeStride)
    x.3.store(plane + 3 &* planeStride)
    x.4.store(plane + 4 &* planeStride)
    x.5.store(plane + 5 &* planeStride)
    plane += 6 &* planeStride
  }
}

/// See `WinogradSourceShape`.
@inline(__always)
func winogradSource<V: KernelVector>(
  _ shape: UnsafePointer<WinogradSourceShape>, _ source: UnsafePointer<V.Scalar>, _ zeros: UnsafePointer<V.Scalar>,
  _ buffer: UnsafeMutablePointer<V.Scalar>, _ planes: UnsafeMutablePointer<V.Scalar>, _: V.Type
) {
  let channels = shape.pointee.channels
  let pixelStride = shape.pointee.pixelStride
  let planeStride = shape.pointee.planeStride
  for tile in 0..<shape.pointee.tiles {
    var rows = InlineArray<6, UnsafePointer<V.Scalar>>(repeating: zeros)
    for i in 0..<6 where i >= shape.pointee.firstRow && i < shape.pointee.endRow {
      rows[i] = source + (i &* shape.pointee.rowStride &+ 4 &* tile &* pixelStride)
    }
    let first = max(0, min(6, shape.pointee.firstColumn &- 4 &* tile))
    let end = max(first, min(6, shape.pointee.endColumn &- 4 &* tile))
    if end &- first < 6 {
      for i in 0..<36 { V.zero.store(buffer + i &* V.lanes) }
    }
    let to = planes + tile &* shape.pointee.tileStride
    var channel = 0
    while channel &+ V.lanes <= channels {
      sourceVector(
        rows, first..<end, pixelStride, channel, V.lanes, buffer, to, planeStride, V.self, WholeLastVector.self)
      channel &+= V.lanes
    }
    if channel < channels {
      sourceVector(
        rows, first..<end, pixelStride, channel, channels &- channel, buffer, to, planeStride, V.self,
        PartialLastVector.self)
    }
  }
}

/// See `WinogradResultShape`.
@inline(__always)
func winogradResult<V: KernelVector>(
  _ shape: UnsafePointer<WinogradResultShape>, _ planes: UnsafePointer<V.Scalar>,
  _ buffer: UnsafeMutablePointer<V.Scalar>, _ result: UnsafeMutablePointer<V.Scalar>, _: V.Type
) {
  let channels = shape.pointee.channels
  let planeStride = shape.pointee.planeStride
  let pixelStride = shape.pointee.pixelStride
  let accumulate = shape.pointee.accumulate
  let rows = shape.pointee.rows
  var from = planes
  var to = result
  var left = shape.pointee.columns
  while left > 0 {
    var channel = 0
    while channel < channels {
      let count = min(V.lanes, channels &- channel)
      var plane = from + channel
      for j in 0..<6 {
        let x = fromPlanes(
          V.load(plane), V.load(plane + 6 &* planeStride), V.load(plane + 12 &* planeStride),
          V.load(plane + 18 &* planeStride), V.load(plane + 24 &* planeStride), V.load(plane + 30 &* planeStride))
        x.0.store(buffer + j &* V.lanes)
        x.1.store(buffer + (6 &+ j) &* V.lanes)
        x.2.store(buffer + (12 &+ j) &* V.lanes)
        x.3.store(buffer + (18 &+ j) &* V.lanes)
        plane += planeStride
      }
      var row = 0
      var pixel = to + channel
      var line = UnsafePointer(buffer)
      while row < rows {
        let x = fromPlanes(
          V.load(line), V.load(line + V.lanes), V.load(line + 2 &* V.lanes), V.load(line + 3 &* V.lanes),
          V.load(line + 4 &* V.lanes), V.load(line + 5 &* V.lanes))
        put(x.0, pixel, count, accumulate)
        if left > 1 { put(x.1, pixel + pixelStride, count, accumulate) }
        if left > 2 { put(x.2, pixel + 2 &* pixelStride, count, accumulate) }
        if left > 3 { put(x.3, pixel + 3 &* pixelStride, count, accumulate) }
        pixel += shape.pointee.rowStride
        line += 6 &* V.lanes
        row &+= 1
      }
      channel &+= V.lanes
    }
    from += shape.pointee.tileStride
    to += 4 &* pixelStride
    left &-= 4
  }
}

/// The first `count` lanes of x, stored or added.
@inline(__always)
private func put<V: KernelVector>(_ x: V, _ p: UnsafeMutablePointer<V.Scalar>, _ count: Int, _ accumulate: Bool) {
  if count == V.lanes {
    (accumulate ? V.load(UnsafePointer(p)) + x : x).store(p)
  } else {
    (accumulate ? V.load(UnsafePointer(p), first: count) + x : x).store(p, first: count)
  }
}

/// G g Gt: 9 planes of `elements`, whole vectors, into 36.
@inline(__always)
func winogradWeights<V: KernelVector>(
  _ taps: UnsafePointer<V.Scalar>, _ elements: Int, _ planes: UnsafeMutablePointer<V.Scalar>, _: V.Type
) {
  var i = 0
  while i < elements {
    let g = taps + i
    let left = weightsToPlanes(V.load(g), V.load(g + 3 &* elements), V.load(g + 6 &* elements))
    let middle = weightsToPlanes(
      V.load(g + elements), V.load(g + 4 &* elements), V.load(g + 7 &* elements))
    let right = weightsToPlanes(
      V.load(g + 2 &* elements), V.load(g + 5 &* elements), V.load(g + 8 &* elements))
    let u = planes + i
    storeRow(weightsToPlanes(left.0, middle.0, right.0), u, elements)
    storeRow(weightsToPlanes(left.1, middle.1, right.1), u + 6 &* elements, elements)
    storeRow(weightsToPlanes(left.2, middle.2, right.2), u + 12 &* elements, elements)
    storeRow(weightsToPlanes(left.3, middle.3, right.3), u + 18 &* elements, elements)
    storeRow(weightsToPlanes(left.4, middle.4, right.4), u + 24 &* elements, elements)
    storeRow(weightsToPlanes(left.5, middle.5, right.5), u + 30 &* elements, elements)
    i &+= V.lanes
  }
}

@inline(__always)
private func storeRow<V: KernelVector>(
  _ x: (V, V, V, V, V, V), _ p: UnsafeMutablePointer<V.Scalar>, _ stride: Int
) {
  x.0.store(p)
  x.1.store(p + stride)
  x.2.store(p + 2 &* stride)
  x.3.store(p + 3 &* stride)
  x.4.store(p + 4 &* stride)
  x.5.store(p + 5 &* stride)
}

func makeWinogradKernelsF32() -> WinogradKernels {
  WinogradKernels(
    source: {
      winogradSource(
        $0.assumingMemoryBound(to: WinogradSourceShape.self), $1.assumingMemoryBound(to: Float.self),
        $2.assumingMemoryBound(to: Float.self), $3.assumingMemoryBound(to: Float.self),
        $4.assumingMemoryBound(to: Float.self), VectorF32.self)
    },
    result: {
      winogradResult(
        $0.assumingMemoryBound(to: WinogradResultShape.self), $1.assumingMemoryBound(to: Float.self),
        $2.assumingMemoryBound(to: Float.self), $3.assumingMemoryBound(to: Float.self), VectorF32.self)
    },
    weights: {
      winogradWeights(
        $0.assumingMemoryBound(to: Float.self), $1, $2.assumingMemoryBound(to: Float.self), VectorF32.self)
    })
}

func makeWinogradKernelsF64() -> WinogradKernels {
  WinogradKernels(
    source: {
      winogradSource(
        $0.assumingMemoryBound(to: WinogradSourceShape.self), $1.assumingMemoryBound(to: Double.self),
        $2.assumingMemoryBound(to: Double.self), $3.assumingMemoryBound(to: Double.self),
        $4.assumingMemoryBound(to: Double.self), VectorF64.self)
    },
    result: {
      winogradResult(
        $0.assumingMemoryBound(to: WinogradResultShape.self), $1.assumingMemoryBound(to: Double.self),
        $2.assumingMemoryBound(to: Double.self), $3.assumingMemoryBound(to: Double.self), VectorF64.self)
    },
    weights: {
      winogradWeights(
        $0.assumingMemoryBound(to: Double.self), $1, $2.assumingMemoryBound(to: Double.self), VectorF64.self)
    })
}
