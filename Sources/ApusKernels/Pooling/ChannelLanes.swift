import ApusKernelInterface
import ApusShims

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
  let taps = s.pointee.width.window
  if Step.isCommon && (taps == 2 || taps == 3) && s.pointee.width.dilation == 1 && s.pointee.width.stride > 0 {
    return sweepChannels(s, x, y, row, rows, channel, channels, V.self, Step.self)
  }
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
      // Eight vectors where windows are large, so that more of each pixel is read at once.
      while Step.isCommon && c &+ 8 &* V.lanes <= end {
        let empty = Step.start(V.self)
        var a = (empty, empty, empty, empty)
        var b = a
        var slice = x + (taps.first &+ c)
        var i = 0
        while i < taps.depth {
          var line = slice
          var j = 0
          while j < taps.height {
            var p = line
            var k = 0
            while k < taps.width {
              combineFour(&a, p, norm, V.self, Step.self)
              combineFour(&b, p + 4 &* V.lanes, norm, V.self, Step.self)
              p += taps.widthStep
              k = counted(k)
            }
            line += taps.heightStep
            j = counted(j)
          }
          slice += taps.depthStep
          i = counted(i)
        }
        finishFour(a, to + c, factor, norm, Step.self)
        finishFour(b, to + (c &+ 4 &* V.lanes), factor, norm, Step.self)
        c = c &+ 8 &* V.lanes
      }
      while c &+ 4 &* V.lanes <= end {
        var a = Step.start(V.self)
        var b = a
        var e = a
        var f = a
        var slice = x + (taps.first &+ c)
        var i = 0
        while i < taps.depth {
          var line = slice
          var j = 0
          while j < taps.height {
            var p = line
            var k = 0
            while k < taps.width {
              a = Step.combine(a, V.load(p), norm)
              b = Step.combine(b, V.load(p + V.lanes), norm)
              e = Step.combine(e, V.load(p + 2 &* V.lanes), norm)
              f = Step.combine(f, V.load(p + 3 &* V.lanes), norm)
              p += taps.widthStep
              k = counted(k)
            }
            line += taps.heightStep
            j = counted(j)
          }
          slice += taps.depthStep
          i = counted(i)
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
        var i = 0
        while i < taps.depth {
          var line = slice
          var j = 0
          while j < taps.height {
            var p = line
            var k = 0
            while k < taps.width {
              a = Step.combine(a, V.load(p, first: count), norm)
              p += taps.widthStep
              k = counted(k)
            }
            line += taps.heightStep
            j = counted(j)
          }
          slice += taps.depthStep
          i = counted(i)
        }
        Step.finish(a, factor, norm).store(to + c, first: count)
        c = c &+ V.lanes
      }
    }
  }
}

@inline(__always)
private func combineFour<V: KernelVector, Step: PoolingStep>(
  _ a: inout (V, V, V, V), _ p: UnsafePointer<V.Scalar>, _ norm: Double, _: V.Type, _: Step.Type
) {
  a.0 = Step.combine(a.0, V.load(p), norm)
  a.1 = Step.combine(a.1, V.load(p + V.lanes), norm)
  a.2 = Step.combine(a.2, V.load(p + 2 &* V.lanes), norm)
  a.3 = Step.combine(a.3, V.load(p + 3 &* V.lanes), norm)
}

@inline(__always)
private func finishFour<V: KernelVector, Step: PoolingStep>(
  _ a: (V, V, V, V), _ to: UnsafeMutablePointer<V.Scalar>, _ factor: V, _ norm: Double, _: Step.Type
) {
  Step.finish(a.0, factor, norm).store(to)
  Step.finish(a.1, factor, norm).store(to + V.lanes)
  Step.finish(a.2, factor, norm).store(to + 2 &* V.lanes)
  Step.finish(a.3, factor, norm).store(to + 3 &* V.lanes)
}

/// The same for windows two or three wide, by the sweep of a few channels along an output row: a window's rows are
/// combined first, column by column, and columns that the next window shares stay in registers.
@inline(__always)
private func sweepChannels<V: KernelVector, Step: PoolingStep>(
  _ s: UnsafePointer<PoolingShape>, _ x: UnsafePointer<V.Scalar>, _ y: UnsafeMutablePointer<V.Scalar>, _ row: Int,
  _ rows: Int, _ channel: Int, _ channels: Int, _: V.Type, _: Step.Type
) {
  let pixel = s.pointee.channels
  let end = channel &+ channels
  let columns = s.pointee.width.output
  let inSample = s.pointee.depth.output &* s.pointee.height.output
  var place = splitRow(row, s.pointee.depth.output, s.pointee.height.output)
  for r in row..<row &+ rows {
    var window = windowRows(s, place)
    window.first = window.first &* pixel
    window.sliceStep = window.sliceStep &* pixel
    window.rowStep = window.rowStep &* pixel
    let factors = s.pointee.factors.map {
      $0.assumingMemoryBound(to: V.Scalar.self) + (r &- place.sample &* inSample) &* columns
    }
    advance(&place, s.pointee.depth.output, s.pointee.height.output)
    let from = x + window.first
    let to = y + r &* columns &* pixel
    // Stretches of pixels, so that what one sweep fetches is still near when the next one takes its neighbours.
    let stretch = channels <= 2 &* V.lanes ? columns : 16
    var first = 0
    while first < columns {
      let last = min(columns, first &+ stretch)
      var c = channel
      while c &+ 2 &* V.lanes <= end {
        sweepRow(s, from + c, to + c, window, factors, first, last, 2 &* V.lanes, whole: true, V.self, Step.self)
        c = c &+ 2 &* V.lanes
      }
      if c &+ V.lanes <= end {
        sweepRow(s, from + c, to + c, window, factors, first, last, V.lanes, whole: true, V.self, Step.self)
        c = c &+ V.lanes
      }
      if c < end {
        sweepRow(s, from + c, to + c, window, factors, first, last, end &- c, whole: false, V.self, Step.self)
      }
      first = last
    }
  }
}

/// Output pixels `first ..< last` of one or two vectors of channels, or of the first lanes of one.
@inline(__always)
private func sweepRow<V: KernelVector, Step: PoolingStep>(
  _ s: UnsafePointer<PoolingShape>, _ x: UnsafePointer<V.Scalar>, _ y: UnsafeMutablePointer<V.Scalar>,
  _ window: WindowRows, _ factors: UnsafePointer<V.Scalar>?, _ first: Int, _ last: Int, _ count: Int, whole: Bool,
  _: V.Type, _: Step.Type
) {
  let pixel = s.pointee.channels
  let width = s.pointee.width.input
  let stride = s.pointee.width.stride
  let taps = s.pointee.width.window
  let norm = s.pointee.norm
  let factor = V(repeating: V.Scalar(s.pointee.factor))
  let two = whole && count == 2 &* V.lanes
  let empty = Step.start(V.self)
  // The columns of the window, oldest first; of two vectors the second has a p before its name.
  var a = empty
  var b = empty
  var c = empty
  var pa = empty
  var pb = empty
  var pc = empty
  // The next column of the input, and how many of the window's are kept from the one before.
  var next = first &* stride &- s.pointee.width.padBefore
  var kept = 0
  var to = y + first &* pixel
  var w = first
  let fetchesAhead = s.pointee.fetchesAhead
  if taps == 2 && stride >= 2 && s.pointee.widthsAreWhole && !fetchesAhead && factors == nil {
    // Windows that share nothing and lie within the row.
    var p = x + first &* stride &* pixel
    while w < last {
      b = sweepColumn(p, window, norm, count, whole: whole, V.self, Step.self)
      c = sweepColumn(p + pixel, window, norm, count, whole: whole, V.self, Step.self)
      if two {
        pb = sweepColumn(p + V.lanes, window, norm, count, whole: true, V.self, Step.self)
        pc = sweepColumn(p + (pixel &+ V.lanes), window, norm, count, whole: true, V.self, Step.self)
        Step.finish(Step.join(pb, pc), factor, norm).store(to + V.lanes)
      }
      let sum = Step.finish(Step.join(b, c), factor, norm)
      if whole { sum.store(to) } else { sum.store(to, first: count) }
      p += stride &* pixel
      to += pixel
      w = counted(w)
    }
    return
  }
  while w < last {
    let start = w &* stride &- s.pointee.width.padBefore
    if next < start {
      next = start
      kept = 0
    }
    let missing = taps &- kept
    if next >= 0 && next &+ missing <= width {
      // The usual case, without a loop. The rows that the next row of windows takes come from afar, where x is large.
      var p = x + next &* pixel
      if fetchesAhead {
        let ahead = p + window.rows &* window.rowStep
        fetch(ahead)
        fetch(ahead + window.rowStep)
        if two {
          fetch(ahead + V.lanes)
          fetch(ahead + (window.rowStep &+ V.lanes))
        }
        if missing > 1 {
          fetch(ahead + pixel)
          fetch(ahead + (window.rowStep &+ pixel))
          if two {
            fetch(ahead + (pixel &+ V.lanes))
            fetch(ahead + (window.rowStep &+ pixel &+ V.lanes))
          }
        }
      }
      a = b
      pa = pb
      if missing >= 2 {
        if missing == 3 {
          a = sweepColumn(p, window, norm, count, whole: whole, V.self, Step.self)
          if two { pa = sweepColumn(p + V.lanes, window, norm, count, whole: true, V.self, Step.self) }
          p += pixel
        } else {
          a = c
          pa = pc
        }
        b = sweepColumn(p, window, norm, count, whole: whole, V.self, Step.self)
        if two { pb = sweepColumn(p + V.lanes, window, norm, count, whole: true, V.self, Step.self) }
        p += pixel
      } else {
        b = c
        pb = pc
      }
      c = sweepColumn(p, window, norm, count, whole: whole, V.self, Step.self)
      if two { pc = sweepColumn(p + V.lanes, window, norm, count, whole: true, V.self, Step.self) }
      next = next &+ missing
    } else {
      var left = missing
      while left > 0 {
        a = b
        b = c
        c = empty
        pa = pb
        pb = pc
        pc = empty
        if next >= 0 && next < width {
          let p = x + next &* pixel
          c = sweepColumn(p, window, norm, count, whole: whole, V.self, Step.self)
          if two { pc = sweepColumn(p + V.lanes, window, norm, count, whole: true, V.self, Step.self) }
        }
        next = next &+ 1
        left = counted(left &- 2)
      }
    }
    kept = max(0, taps &- stride)
    let scale = factors.map { V(repeating: $0[w]) } ?? factor
    let sum = taps == 3 ? Step.join(Step.join(a, b), c) : Step.join(b, c)
    if whole {
      Step.finish(sum, scale, norm).store(to)
      if two {
        let other = taps == 3 ? Step.join(Step.join(pa, pb), pc) : Step.join(pb, pc)
        Step.finish(other, scale, norm).store(to + V.lanes)
      }
    } else {
      Step.finish(sum, scale, norm).store(to, first: count)
    }
    to += pixel
    w = counted(w)
  }
}

@inline(__always)
private func fetch<Scalar>(_ p: UnsafePointer<Scalar>) { apus_prefetch_second_level(p) }

@inline(__always)
private func sweepColumn<V: KernelVector, Step: PoolingStep>(
  _ p: UnsafePointer<V.Scalar>, _ window: WindowRows, _ norm: Double, _ count: Int, whole: Bool, _: V.Type,
  _: Step.Type
) -> V {
  whole
    ? combineColumn(p, window, norm, V.lanes, whole: true, V.self, Step.self)
    : combineColumn(p, window, norm, count, whole: false, V.self, Step.self)
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
        var i = 0
        while i < taps.depth {
          var line = slice
          var linePosition = slicePosition
          var j = 0
          while j < taps.height {
            var p = line
            var position = linePosition
            var k = 0
            while k < taps.width {
              let value = whole ? V.load(p) : V.load(p, first: count)
              index = V.select(index, indexBits(position, V.self), where: value, isNewMaximumOver: best)
              best = V.select(best, value, where: value, isNewMaximumOver: best)
              p += taps.widthStep
              position = position &+ widthDilation
              k = counted(k)
            }
            line += taps.heightStep
            linePosition = linePosition &+ heightDilation
            j = counted(j)
          }
          slice += taps.depthStep
          slicePosition = slicePosition &+ depthDilation
          i = counted(i)
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
