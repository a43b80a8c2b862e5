import ApusKernelInterface

// Forward with channels in the lanes: any geometry, one output pixel after the other. Taps are visited in the order of
// the input, so that sums have one order and the first of equal maxima wins.

/// The taps of one window that lie in the input, in elements.
private typealias Taps = (
  first: Int, depth: Int, height: Int, width: Int, depthStep: Int, heightStep: Int, widthStep: Int
)

@inline(__always)
private func depthAndHeight(_ s: UnsafePointer<PoolingShape>, _ sample: Int, _ d: Int, _ h: Int) -> Taps {
  let depth = s.pointee.depth.windows[d]
  let height = s.pointee.height.windows[h]
  let rowSize = s.pointee.width.input &* s.pointee.channels
  let sliceSize = s.pointee.height.input &* rowSize
  let first =
    (sample &* s.pointee.depth.input &+ Int(depth.first)) &* sliceSize &+ Int(height.first) &* rowSize
  return (
    first, Int(depth.count), Int(height.count), 0, s.pointee.depth.dilation &* sliceSize,
    s.pointee.height.dilation &* rowSize, s.pointee.width.dilation &* s.pointee.channels
  )
}

/// y, of an average or a norm or of a maximum without indices.
@inline(__always)
func poolChannels<V: KernelVector, Step: PoolingStep>(
  _ s: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ row: Int, _ rows: Int,
  _ channel: Int, _ channels: Int, _: V.Type, _: Step.Type
) {
  typealias Scalar = V.Scalar
  guard let xBase = operands.pointee.x, let yBase = operands.pointee.y else { return }
  let x = UnsafePointer(xBase.assumingMemoryBound(to: Scalar.self))
  let y = yBase.assumingMemoryBound(to: Scalar.self)
  let factors = s.pointee.factors?.assumingMemoryBound(to: Scalar.self)
  let norm = s.pointee.norm
  let pixel = s.pointee.channels
  let end = channel &+ channels
  let columns = s.pointee.width.output
  let windows = s.pointee.width.windows
  let outputRows = s.pointee.depth.output &* s.pointee.height.output
  for r in row..<row &+ rows {
    let (sample, d, h) = splitRow(r, s.pointee.depth.output, s.pointee.height.output)
    var taps = depthAndHeight(s, sample, d, h)
    let rowFirst = taps.first
    for w in 0..<columns {
      taps.first = rowFirst &+ Int(windows[w].first) &* pixel
      taps.width = Int(windows[w].count)
      let place = r &* columns &+ w
      let factor = V(
        repeating: factors.map { $0[place &- sample &* outputRows &* columns] } ?? Scalar(s.pointee.factor))
      let to = y + place &* pixel
      var c = channel
      while c &+ 4 &* V.lanes <= end {
        var a = Step.start(V.self)
        var b = a
        var e = a
        var f = a
        var slice = x + (taps.first &+ c)
        for _ in 0..<taps.depth {
          var line = slice
          for _ in 0..<taps.height {
            var p = line
            for _ in 0..<taps.width {
              a = Step.combine(a, V.load(p), norm)
              b = Step.combine(b, V.load(p + V.lanes), norm)
              e = Step.combine(e, V.load(p + 2 &* V.lanes), norm)
              f = Step.combine(f, V.load(p + 3 &* V.lanes), norm)
              p += taps.widthStep
            }
            line += taps.heightStep
          }
          slice += taps.depthStep
        }
        Step.finish(a, factor, norm).store(to + c)
        Step.finish(b, factor, norm).store(to + (c &+ V.lanes))
        Step.finish(e, factor, norm).store(to + (c &+ 2 &* V.lanes))
        Step.finish(f, factor, norm).store(to + (c &+ 3 &* V.lanes))
        c = c &+ 4 &* V.lanes
      }
      while c < end {
        let count = min(V.lanes, end &- c)
        var a = Step.start(V.self)
        var slice = x + (taps.first &+ c)
        for _ in 0..<taps.depth {
          var line = slice
          for _ in 0..<taps.height {
            var p = line
            for _ in 0..<taps.width {
              a = Step.combine(a, V.load(p, first: count), norm)
              p += taps.widthStep
            }
            line += taps.heightStep
          }
          slice += taps.depthStep
        }
        Step.finish(a, factor, norm).store(to + c, first: count)
        c = c &+ V.lanes
      }
    }
  }
}

/// y and indices of a maximum.
@inline(__always)
func poolChannelsWithIndices<V: KernelVector>(
  _ s: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ row: Int, _ rows: Int,
  _ channel: Int, _ channels: Int, _: V.Type
) {
  typealias Scalar = V.Scalar
  guard let xBase = operands.pointee.x, let indices = operands.pointee.indices else { return }
  let x = UnsafePointer(xBase.assumingMemoryBound(to: Scalar.self))
  let y = operands.pointee.y?.assumingMemoryBound(to: Scalar.self)
  let wide = s.pointee.indicesAreWide
  let pixel = s.pointee.channels
  let end = channel &+ channels
  let columns = s.pointee.width.output
  let windows = s.pointee.width.windows
  let widthDilation = s.pointee.width.dilation
  let heightDilation = s.pointee.height.dilation &* s.pointee.width.input
  let depthDilation = s.pointee.depth.dilation &* s.pointee.height.input &* s.pointee.width.input
  let plane = s.pointee.depth.input &* s.pointee.height.input &* s.pointee.width.input
  for r in row..<row &+ rows {
    let (sample, d, h) = splitRow(r, s.pointee.depth.output, s.pointee.height.output)
    var taps = depthAndHeight(s, sample, d, h)
    let rowFirst = taps.first
    for w in 0..<columns {
      taps.first = rowFirst &+ Int(windows[w].first) &* pixel
      taps.width = Int(windows[w].count)
      // The last axis of the input is the channel's, so that a position is the distance in pixels from the sample.
      let firstPosition = taps.first / pixel &- sample &* plane
      let place = (r &* columns &+ w) &* pixel
      var c = channel
      while c < end {
        let whole = c &+ V.lanes <= end
        let count = whole ? V.lanes : end &- c
        var best = V(repeating: -Scalar.infinity)
        var index = indexBits(firstPosition, V.self)
        var slice = x + (taps.first &+ c)
        var slicePosition = firstPosition
        for _ in 0..<taps.depth {
          var line = slice
          var linePosition = slicePosition
          for _ in 0..<taps.height {
            var p = line
            var position = linePosition
            for _ in 0..<taps.width {
              let value = whole ? V.load(p) : V.load(p, first: count)
              index = V.select(index, indexBits(position, V.self), where: value, isNewMaximumOver: best)
              best = V.select(best, value, where: value, isNewMaximumOver: best)
              p += taps.widthStep
              position = position &+ widthDilation
            }
            line += taps.heightStep
            linePosition = linePosition &+ heightDilation
          }
          slice += taps.depthStep
          slicePosition = slicePosition &+ depthDilation
        }
        if whole {
          if let y { best.store(y + (place &+ c)) }
          index.storeIndices(indices, place &+ c, first: V.lanes, wide: wide)
        } else {
          if let y { best.store(y + (place &+ c), first: count) }
          index.storeIndices(indices, place &+ c, first: count, wide: wide)
        }
        c = c &+ V.lanes
      }
    }
  }
}
