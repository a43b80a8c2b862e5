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
@inline(never)
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
  let isTall = Step.isSum && s.pointee.depth.window &* s.pointee.height.window > longestChain
  if Step.isCommon && !isTall && (taps == 2 || taps == 3) && s.pointee.width.dilation == 1
    && s.pointee.width.stride > 0
  {
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
      if Step.isSum && taps.depth &* taps.height &* taps.width > longestChain {
        poolLargeWindow(x + taps.first, to, taps, channel, end, factor, norm, V.self, Step.self)
        continue
      }
      var c = channel
      // Many vectors, so that more of each pixel is read at once: where pixels lie a large power of two apart, a line each of
      // them comes from one bank of the second level.
      #if APUS_32_REGISTERS
        while Step.isCommon && c &+ 16 &* V.lanes <= end {
          poolWindow(x + (taps.first &+ c), to + c, taps, factor, norm, V.self, Step.self, Count<4>.self)
          c = c &+ 16 &* V.lanes
        }
      #endif
      while Step.isCommon && c &+ 8 &* V.lanes <= end {
        poolWindow(x + (taps.first &+ c), to + c, taps, factor, norm, V.self, Step.self, Count<2>.self)
        c = c &+ 8 &* V.lanes
      }
      while c &+ 4 &* V.lanes <= end {
        poolWindow(x + (taps.first &+ c), to + c, taps, factor, norm, V.self, Step.self, Count<1>.self)
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

/// One pixel of FOURS times four vectors of channels.
@inline(__always)
private func poolWindow<let FOURS: Int, V: KernelVector, Step: PoolingStep>(
  _ x: UnsafePointer<V.Scalar>, _ to: UnsafeMutablePointer<V.Scalar>, _ taps: Taps, _ factor: V, _ norm: Double,
  _: V.Type, _: Step.Type, _: Count<FOURS>.Type
) {
  let empty = Step.start(V.self)
  var sums = InlineArray<FOURS, Four<V>>(repeating: (empty, empty, empty, empty))
  var slice = x
  var i = 0
  while i < taps.depth {
    var line = slice
    var j = 0
    while j < taps.height {
      var p = line
      var k = 0
      while k < taps.width {
        for f in 0..<FOURS { combineFour(&sums[f], p + 4 &* f &* V.lanes, norm, V.self, Step.self) }
        p += taps.widthStep
        k = counted(k)
      }
      line += taps.heightStep
      j = counted(j)
    }
    slice += taps.depthStep
    i = counted(i)
  }
  for f in 0..<FOURS { finishFour(sums[f], to + 4 &* f &* V.lanes, factor, norm, Step.self) }
}

/// One pixel of a sum over so many elements that chains are ended in between.
@inline(never)
private func poolLargeWindow<V: KernelVector, Step: PoolingStep>(
  _ x: UnsafePointer<V.Scalar>, _ to: UnsafeMutablePointer<V.Scalar>, _ taps: Taps, _ channel: Int, _ end: Int,
  _ factor: V, _ norm: Double, _: V.Type, _: Step.Type
) {
  var c = channel
  while c &+ 8 &* V.lanes <= end {
    let sum = sumLargeWindow(x + c, taps, norm, vectors: 8, V.lanes, V.self, Step.self)
    finishFour(sum.0, to + c, factor, norm, Step.self)
    finishFour(sum.1, to + (c &+ 4 &* V.lanes), factor, norm, Step.self)
    c = c &+ 8 &* V.lanes
  }
  if c &+ 4 &* V.lanes <= end {
    let sum = sumLargeWindow(x + c, taps, norm, vectors: 4, V.lanes, V.self, Step.self)
    finishFour(sum.0, to + c, factor, norm, Step.self)
    c = c &+ 4 &* V.lanes
  }
  while c < end {
    let count = min(V.lanes, end &- c)
    let sum = sumLargeWindow(x + c, taps, norm, vectors: 1, count, V.self, Step.self)
    Step.finish(sum.0.0, factor, norm).store(to + c, first: count)
    c = c &+ V.lanes
  }
}

/// Eight or four vectors of channels, or the first `count` lanes of one: whole rows of the window in a chain, or pieces of
/// a row.
@inline(__always)
private func sumLargeWindow<V: KernelVector, Step: PoolingStep>(
  _ x: UnsafePointer<V.Scalar>, _ taps: Taps, _ norm: Double, vectors: Int, _ count: Int, _: V.Type, _: Step.Type
) -> (Four<V>, Four<V>) {
  let start = Step.start(V.self)
  let empty: Four<V> = (start, start, start, start)
  var total = (empty, empty)
  var sums = (empty, empty)
  var chains = 0
  let rowsTogether = max(1, longestChain / taps.width)
  var i = 0
  while i < taps.depth {
    var j = 0
    while j < taps.height {
      let lastRow = min(taps.height, j &+ rowsTogether)
      var first = 0
      while first < taps.width {
        let last = min(taps.width, first &+ longestChain)
        var a = empty
        var b = empty
        for row in j..<lastRow {
          var p = x + (i &* taps.depthStep &+ row &* taps.heightStep &+ first &* taps.widthStep)
          var k = first
          while k < last {
            if vectors == 1 {
              a.0 = Step.combine(a.0, V.load(p, first: count), norm)
            } else {
              combineFour(&a, p, norm, V.self, Step.self)
              if vectors == 8 { combineFour(&b, p + 4 &* V.lanes, norm, V.self, Step.self) }
            }
            p += taps.widthStep
            k = counted(k)
          }
        }
        sums = (joinFour(sums.0, a, Step.self), joinFour(sums.1, b, Step.self))
        chains = counted(chains)
        if chains == longestChain {
          total = (joinFour(total.0, sums.0, Step.self), joinFour(total.1, sums.1, Step.self))
          sums = (empty, empty)
          chains = 0
        }
        first = last
      }
      j = lastRow
    }
    i = counted(i)
  }
  return (joinFour(total.0, sums.0, Step.self), joinFour(total.1, sums.1, Step.self))
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
///
/// Sweeps go down some rows before they go on to the next channels, along stretches of a row: what the next row's windows
/// read again is still in the first-level cache.
@inline(never)
private func sweepChannels<V: KernelVector, Step: PoolingStep>(
  _ s: UnsafePointer<PoolingShape>, _ x: UnsafePointer<V.Scalar>, _ y: UnsafeMutablePointer<V.Scalar>, _ row: Int,
  _ rows: Int, _ channel: Int, _ channels: Int, _: V.Type, _: Step.Type
) {
  let end = channel &+ channels
  let columns = s.pointee.width.output
  // What goes past the caches comes from beyond them, in long runs.
  let stretches = s.pointee.streams ? 1 : (columns &+ 27) / 28
  let stretch = (columns &+ stretches &- 1) / max(1, stretches)
  var r = row
  while r < row &+ rows {
    let some = r..<min(row &+ rows, r &+ sweptRows)
    let place = splitRow(r, s.pointee.depth.output, s.pointee.height.output)
    var first = 0
    while first < columns {
      let last = min(columns, first &+ stretch)
      var c = channel
      while c < end {
        let count = min(V.lanes, end &- c)
        let four = c &+ 4 &* V.lanes <= end
        sweepDown(s, x + c, y + c, some, place, first, last, count, four, V.self, Step.self)
        c = c &+ (four ? 4 &* V.lanes : V.lanes)
      }
      first = last
    }
    r = some.upperBound
  }
}

/// A stretch of some rows, the first of which is `place`, for four vectors of channels, or the first lanes of one.
@inline(__always)
private func sweepDown<V: KernelVector, Step: PoolingStep>(
  _ s: UnsafePointer<PoolingShape>, _ x: UnsafePointer<V.Scalar>, _ y: UnsafeMutablePointer<V.Scalar>,
  _ rows: Range<Int>, _ place: (sample: Int, d: Int, h: Int), _ first: Int, _ last: Int, _ count: Int, _ four: Bool,
  _: V.Type, _: Step.Type
) {
  let pixel = s.pointee.channels
  let columns = s.pointee.width.output
  let inSample = s.pointee.depth.output &* s.pointee.height.output
  var place = place
  for r in rows {
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
    if four {
      sweepFour(s, from, to, window, factors, first, last, V.self, Step.self)
    } else if count == V.lanes {
      sweepRow(s, from, to, window, factors, first, last, count, whole: true, V.self, Step.self)
    } else {
      sweepRow(s, from, to, window, factors, first, last, count, whole: false, V.self, Step.self)
    }
  }
}

/// Four vectors of channels.
private typealias Four<V> = (V, V, V, V)

/// Output pixels `first ..< last` of four vectors of channels.
@inline(__always)
private func sweepFour<V: KernelVector, Step: PoolingStep>(
  _ s: UnsafePointer<PoolingShape>, _ x: UnsafePointer<V.Scalar>, _ y: UnsafeMutablePointer<V.Scalar>,
  _ window: WindowRows, _ factors: UnsafePointer<V.Scalar>?, _ first: Int, _ last: Int, _: V.Type, _: Step.Type
) {
  let pixel = s.pointee.channels
  let width = s.pointee.width.input
  let stride = s.pointee.width.stride
  let taps = s.pointee.width.window
  let norm = s.pointee.norm
  let factor = V(repeating: V.Scalar(s.pointee.factor))
  let fetchesAhead = s.pointee.streams
  let start = Step.start(V.self)
  let empty: Four<V> = (start, start, start, start)
  // The columns of the window, oldest first.
  var a = empty
  var b = empty
  var c = empty
  // The next column of the input.
  var next = first &* stride &- s.pointee.width.padBefore
  var column = x + next &* pixel
  var to = y + first &* pixel
  var w = first
  while w < last {
    let begin = w &* stride &- s.pointee.width.padBefore
    if next < begin {
      column += (begin &- next) &* pixel
      next = begin
    }
    // What is missing comes in on the right.
    let end = begin &+ taps
    while next < end {
      a = b
      b = c
      if next >= 0 && next < width {
        c = columnOfFour(column, window, norm, V.self, Step.self)
        if fetchesAhead { fetchRows(column + window.rows &* window.rowStep, window.rowStep, V.self) }
      } else {
        c = empty
      }
      column += pixel
      next = counted(next)
    }
    let sum: Four<V> = taps == 3 ? joinFour(joinFour(a, b, Step.self), c, Step.self) : joinFour(b, c, Step.self)
    finishFour(sum, to, factors.map { V(repeating: $0[w]) } ?? factor, norm, Step.self)
    to += pixel
    w = counted(w)
  }
}

@inline(__always)
private func joinFour<V: KernelVector, Step: PoolingStep>(_ a: Four<V>, _ b: Four<V>, _: Step.Type) -> Four<V> {
  (Step.join(a.0, b.0), Step.join(a.1, b.1), Step.join(a.2, b.2), Step.join(a.3, b.3))
}

/// A pixel of each row of a window into one.
@inline(__always)
private func columnOfFour<V: KernelVector, Step: PoolingStep>(
  _ p: UnsafePointer<V.Scalar>, _ window: WindowRows, _ norm: Double, _: V.Type, _: Step.Type
) -> Four<V> {
  var a: Four<V> = (
    Step.first(V.load(p), norm), Step.first(V.load(p + V.lanes), norm), Step.first(V.load(p + 2 &* V.lanes), norm),
    Step.first(V.load(p + 3 &* V.lanes), norm)
  )
  if window.slices == 1 && window.rows <= 3 {
    // What networks have, without a loop.
    if window.rows > 1 { combineFour(&a, p + window.rowStep, norm, V.self, Step.self) }
    if window.rows > 2 { combineFour(&a, p + 2 &* window.rowStep, norm, V.self, Step.self) }
    return a
  }
  var first = 1
  var slice = 0
  while slice < window.slices {
    var i = first
    while i < window.rows {
      combineFour(&a, p + (slice &* window.sliceStep &+ i &* window.rowStep), norm, V.self, Step.self)
      i = counted(i)
    }
    first = 0
    slice = counted(slice)
  }
  return a
}

/// Asks for a pixel of the two rows that the next row of windows takes, which come from afar where x is large.
@inline(__always)
private func fetchRows<V: KernelVector>(_ p: UnsafePointer<V.Scalar>, _ rowStep: Int, _: V.Type) {
  for row in 0..<2 {
    let q = p + row &* rowStep
    apus_prefetch_second_level(q)
    apus_prefetch_second_level(q + V.lanes)
    apus_prefetch_second_level(q + 2 &* V.lanes)
    apus_prefetch_second_level(q + 3 &* V.lanes)
  }
}

/// Output pixels `first ..< last` of one vector of channels, or of its first lanes.
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
  let empty = Step.start(V.self)
  var a = empty
  var b = empty
  var c = empty
  var next = first &* stride &- s.pointee.width.padBefore
  var to = y + first &* pixel
  var w = first
  if taps == 2 && stride >= 2 && s.pointee.widthsAreWhole && factors == nil {
    // Windows that share nothing and lie within the row.
    var p = x + first &* stride &* pixel
    while w < last {
      b = combineColumn(p, window, norm, count, whole: whole, large: false, V.self, Step.self)
      c = combineColumn(p + pixel, window, norm, count, whole: whole, large: false, V.self, Step.self)
      storeSome(to, count, whole: whole, Step.finish(Step.join(b, c), factor, norm))
      p += stride &* pixel
      to += pixel
      w = counted(w)
    }
    return
  }
  while w < last {
    let begin = w &* stride &- s.pointee.width.padBefore
    next = max(next, begin)
    while next < begin &+ taps {
      a = b
      b = c
      c =
        next >= 0 && next < width
        ? combineColumn(x + next &* pixel, window, norm, count, whole: whole, large: false, V.self, Step.self)
        : empty
      next = counted(next)
    }
    let sum = taps == 3 ? Step.join(Step.join(a, b), c) : Step.join(b, c)
    storeSome(to, count, whole: whole, Step.finish(sum, factors.map { V(repeating: $0[w]) } ?? factor, norm))
    to += pixel
    w = counted(w)
  }
}

/// y and indices of a maximum.
@inline(never)
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
