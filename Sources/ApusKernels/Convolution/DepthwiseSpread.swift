import ApusKernelInterface
import ApusShims

/// MC positions of a line, for every vector of the channels. What bounds this is the stores, four for nine multiply-adds;
/// few positions at a time, because pixels a power of two apart share the sets of the first-level cache.
@inline(never)
func depthwiseSpreadTile<let MC: Int, V: KernelVector, B: ColumnBounds>(
  _ shape: UnsafePointer<DepthwiseSpreadShape>, _ source: UnsafePointer<V.Scalar>, _ weights: UnsafePointer<V.Scalar>,
  _ result: UnsafeMutablePointer<V.Scalar>, _ row: Int, _ column: Int, _: V.Type, _: B.Type, _: Count<MC>.Type
) {
  let zeros = shape.pointee.zeros.assumingMemoryBound(to: V.Scalar.self)
  let columns: DepthwiseColumns<V.Scalar> = (column, shape.pointee.sourceWidth, shape.pointee.pixelPitch, zeros)
  let height = shape.pointee.sourceHeight
  let rowPitch = shape.pointee.rowPitch
  let single = shape.pointee.singleColumn
  let position = shape.pointee.resultColumnPitch
  let accumulate = shape.pointee.accumulate
  let isAligned =
    shape.pointee.oneRow % V.lanes == 0 && shape.pointee.twoRow % V.lanes == 0 && position % (2 &* V.lanes) == 0
  let streams = streamsSums(result, shape.pointee.isLarge && isAligned && !accumulate, position, V.self)
  let singleRow = row &+ shape.pointee.singleRow
  var channel = 0
  var w = weights
  while channel < shape.pointee.channels {
    let p = source + apus_pin_integer(row &* rowPitch &+ column &* columns.pitch &+ channel)
    let q = result + channel
    var one = InlineArray<MC, V>(repeating: V.zero)
    var two = InlineArray<MC, V>(repeating: V.zero)
    if singleRow >= 0 && singleRow < height {
      addSpread(
        columns, p + shape.pointee.singleRow &* rowPitch, single, w + shape.pointee.oneOne, w + shape.pointee.oneTwo,
        &one, &two, V.self, B.self)
    }
    storeSums(one, q + (shape.pointee.oneRow &+ shape.pointee.oneColumn), position, accumulate, streams, V.self)
    storeSums(two, q + (shape.pointee.oneRow &+ shape.pointee.twoColumn), position, accumulate, streams, V.self)
    one = InlineArray<MC, V>(repeating: V.zero)
    two = InlineArray<MC, V>(repeating: V.zero)
    if row >= 0 && row < height {
      addSpread(
        columns, p, single, w + shape.pointee.twoOne, w + shape.pointee.twoTwo, &one, &two, V.self, B.self)
    }
    if row &+ 1 >= 0 && row &+ 1 < height {
      addSpread(
        columns, p + rowPitch, single, w + (shape.pointee.twoOne &+ V.lanes),
        w + (shape.pointee.twoTwo &+ 2 &* V.lanes),
        &one, &two, V.self, B.self)
    }
    storeSums(one, q + (shape.pointee.twoRow &+ shape.pointee.oneColumn), position, accumulate, streams, V.self)
    storeSums(two, q + (shape.pointee.twoRow &+ shape.pointee.twoColumn), position, accumulate, streams, V.self)
    channel &+= V.lanes
    w += shape.pointee.weightPitch
  }
}

/// one += a tap of the row's single column, two += its two taps.
@inline(__always)
private func addSpread<let MC: Int, V: KernelVector, B: ColumnBounds>(
  _ columns: DepthwiseColumns<V.Scalar>, _ p: UnsafePointer<V.Scalar>, _ single: Int,
  _ oneWeight: UnsafePointer<V.Scalar>,
  _ twoWeights: UnsafePointer<V.Scalar>, _ one: inout InlineArray<MC, V>, _ two: inout InlineArray<MC, V>, _: V.Type,
  _: B.Type
) {
  let factor = V.load(oneWeight)
  let first = V.load(twoWeights)
  let second = V.load(twoWeights + V.lanes)
  let aligned = p + single &* columns.pitch
  for j in 0..<MC {
    let at = columns.first &+ j
    let x = V.load(B.pointer(p + j &* columns.pitch, j, MC + 1, at, columns.width, columns.zeros))
    let next = V.load(
      B.pointer(p + (j &+ 1) &* columns.pitch, j + 1, MC + 1, at &+ 1, columns.width, columns.zeros))
    let v = V.load(
      B.pointer(aligned + j &* columns.pitch, j, MC, at &+ single, columns.width, columns.zeros))
    one[j] = V.multiplyAdd(one[j], v, factor)
    two[j] = V.multiplyAdd(two[j], x, first)
    two[j] = V.multiplyAdd(two[j], next, second)
  }
}

/// All positions of some lines.
@inline(__always)
func depthwiseSpread<V: KernelVector>(
  _ shape: UnsafePointer<DepthwiseSpreadShape>, _ source: UnsafePointer<V.Scalar>, _ weights: UnsafePointer<V.Scalar>,
  _ result: UnsafeMutablePointer<V.Scalar>, _: V.Type
) {
  let s = shape.pointee
  for line in 0..<s.lines {
    let row = s.row &+ line
    var position = 0
    while position < s.columns {
      let to = result + (line &* s.resultLinePitch &+ position &* s.resultColumnPitch)
      let column = s.column &+ position
      let count = s.columns &- position >= 2 ? 2 : 1
      let isInner = column >= 0 && column &+ count < s.sourceWidth
      switch (count, isInner) {
      case (2, true):
        depthwiseSpreadTile(shape, source, weights, to, row, column, V.self, InnerColumns.self, Count<2>.self)
      case (2, false):
        depthwiseSpreadTile(shape, source, weights, to, row, column, V.self, BorderColumns.self, Count<2>.self)
      default: depthwiseSpreadTile(shape, source, weights, to, row, column, V.self, BorderColumns.self, Count<1>.self)
      }
      position &+= count
    }
  }
  if s.isLarge { apus_stream_fence() }
}
