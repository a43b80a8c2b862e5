import ApusKernelInterface

// Forward over planes with the lanes along the width. A window is taken apart: first its rows, which become one row in
// scratch between the paddings, element by element; then that row's neighbours. So a 3x3 window costs 3 + 3 loads.

@inline(never)
func poolPlanes<V: KernelVector, Step: PoolingStep>(
  _ s: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ row: Int, _ rows: Int, _: V.Type,
  _: Step.Type
) {
  typealias Scalar = V.Scalar
  guard let xBase = operands.pointee.x, let yBase = operands.pointee.y, let scratchBase = operands.pointee.scratch
  else { return }
  let x = UnsafePointer(xBase.assumingMemoryBound(to: Scalar.self))
  let y = yBase.assumingMemoryBound(to: Scalar.self)
  let scratch = scratchBase.assumingMemoryBound(to: Scalar.self)
  if s.pointee.isGlobal { return poolWholePlanes(s, x, y, row, rows, scratch, V.self, Step.self) }
  if Step.isSum
    && (mostTaps(s.pointee.depth) &* mostTaps(s.pointee.height) > longestChain
      || mostTaps(s.pointee.width) > longestChain)
  {
    return poolLargeWindows(s, x, y, row, rows, scratch, V.self, Step.self)
  }
  if Step.isCommon && s.pointee.width.window == 2 && s.pointee.width.stride == 2 && s.pointee.widthsAreWhole
    && s.pointee.width.dilation == 1 && s.pointee.factors == nil
  {
    return poolPairs(s, x, y, row, rows, V.self, Step.self)
  }
  poolByRows(s, x, y, row, rows, scratch, large: false, V.self, Step.self)
}

/// Taps of a window along a dimension, at most.
@inline(__always)
private func mostTaps(_ dimension: PoolingDimension) -> Int {
  dimension.stride > 0 ? dimension.window : dimension.input / dimension.output &+ 2
}

/// Sums over so many elements that chains are ended in between.
@inline(never)
private func poolLargeWindows<V: KernelVector, Step: PoolingStep>(
  _ s: UnsafePointer<PoolingShape>, _ x: UnsafePointer<V.Scalar>, _ y: UnsafeMutablePointer<V.Scalar>, _ row: Int,
  _ rows: Int, _ scratch: UnsafeMutablePointer<V.Scalar>, _: V.Type, _: Step.Type
) {
  poolByRows(s, x, y, row, rows, scratch, large: true, V.self, Step.self)
}

@inline(__always)
private func poolByRows<V: KernelVector, Step: PoolingStep>(
  _ s: UnsafePointer<PoolingShape>, _ x: UnsafePointer<V.Scalar>, _ y: UnsafeMutablePointer<V.Scalar>, _ row: Int,
  _ rows: Int, _ scratch: UnsafeMutablePointer<V.Scalar>, large: Bool, _: V.Type, _: Step.Type
) {
  let pitch = s.pointee.pitch
  let width = s.pointee.width.input
  let lead = s.pointee.width.padBefore
  let blockRows = s.pointee.scratchRows
  let identity = Step.start(V.self)
  // The paddings: vertical steps never write there.
  for i in 0..<min(blockRows, rows) {
    let line = scratch + i &* pitch
    fill(line, lead, identity)
    fill(line + (lead &+ width), pitch &- lead &- width, identity)
  }
  var done = 0
  var place = splitRow(row, s.pointee.depth.output, s.pointee.height.output)
  while done < rows {
    let count = min(blockRows, rows &- done)
    let first = place
    for i in 0..<count {
      combineRows(s, x, windowRows(s, place), scratch + (i &* pitch &+ lead), large: large, V.self, Step.self)
      advance(&place, s.pointee.depth.output, s.pointee.height.output)
    }
    place = first
    for i in 0..<count {
      let inSample = (place.d &* s.pointee.height.output &+ place.h) &* s.pointee.width.output
      combineNeighbours(
        s, UnsafePointer(scratch + i &* pitch), y + (row &+ done &+ i) &* s.pointee.width.output,
        s.pointee.factors.map { $0.assumingMemoryBound(to: V.Scalar.self) + inSample }, large: large, V.self, Step.self)
      advance(&place, s.pointee.depth.output, s.pointee.height.output)
    }
    done = done &+ count
  }
}

@inline(__always)
func fill<V: KernelVector>(_ p: UnsafeMutablePointer<V.Scalar>, _ count: Int, _ value: V) {
  var i = 0
  while i &+ V.lanes <= count {
    value.store(p + i)
    i = i &+ V.lanes
  }
  if i < count { value.store(p + i, first: count &- i) }
}

/// The rows of the input that the windows of an output row take.
typealias WindowRows = (first: Int, slices: Int, rows: Int, sliceStep: Int, rowStep: Int, d: Int, h: Int)

/// The first row that the windows of an output row take, how many slices and rows, and the distances between them.
@inline(__always)
func windowRows(_ s: UnsafePointer<PoolingShape>, _ place: (sample: Int, d: Int, h: Int)) -> WindowRows {
  let sample = place.sample
  let depth = s.pointee.depth.windows[place.d]
  let height = s.pointee.height.windows[place.h]
  let inputHeight = s.pointee.height.input
  let width = s.pointee.width.input
  let first = (sample &* s.pointee.depth.input &+ Int(depth.first)) &* inputHeight &+ Int(height.first)
  return (
    first &* width, Int(depth.count), Int(height.count), s.pointee.depth.dilation &* inputHeight &* width,
    s.pointee.height.dilation &* width, Int(depth.first), Int(height.first)
  )
}

/// An element of each row of a window into one vector.
@inline(__always)
func combineColumn<V: KernelVector, Step: PoolingStep>(
  _ p: UnsafePointer<V.Scalar>, _ window: WindowRows, _ norm: Double, _ count: Int, whole: Bool, large: Bool,
  _: V.Type, _: Step.Type
) -> V {
  if large { return sumTallColumn(p, window, norm, count, whole: whole, V.self, Step.self) }
  var a = Step.first(loadSome(p, count, whole: whole, V.self), norm)
  if window.slices == 1 && window.rows <= 3 {
    // What networks have, without a loop.
    if window.rows > 1 { a = Step.combine(a, loadSome(p + window.rowStep, count, whole: whole, V.self), norm) }
    if window.rows > 2 { a = Step.combine(a, loadSome(p + 2 &* window.rowStep, count, whole: whole, V.self), norm) }
    return a
  }
  var first = 1
  var slice = 0
  while slice < window.slices {
    var i = first
    while i < window.rows {
      let from = p + (slice &* window.sliceStep &+ i &* window.rowStep)
      a = Step.combine(a, loadSome(from, count, whole: whole, V.self), norm)
      i = counted(i)
    }
    first = 0
    slice = counted(slice)
  }
  return a
}

/// `combineColumn` by chains.
@inline(__always)
private func sumTallColumn<V: KernelVector, Step: PoolingStep>(
  _ p: UnsafePointer<V.Scalar>, _ window: WindowRows, _ norm: Double, _ count: Int, whole: Bool, _: V.Type,
  _: Step.Type
) -> V {
  var total = Step.start(V.self)
  var sums = total
  var chains = 0
  var slice = 0
  while slice < window.slices {
    var i = 0
    while i < window.rows {
      let end = min(window.rows, i &+ longestChain)
      var a = Step.start(V.self)
      while i < end {
        let from = p + (slice &* window.sliceStep &+ i &* window.rowStep)
        a = Step.combine(a, loadSome(from, count, whole: whole, V.self), norm)
        i = counted(i)
      }
      joinChain(a, &sums, &total, &chains, Step.self)
    }
    slice = counted(slice)
  }
  return Step.join(total, sums)
}

/// All rows of an output row's windows into one.
@inline(__always)
private func combineRows<V: KernelVector, Step: PoolingStep>(
  _ s: UnsafePointer<PoolingShape>, _ x: UnsafePointer<V.Scalar>, _ window: WindowRows,
  _ line: UnsafeMutablePointer<V.Scalar>, large: Bool, _: V.Type, _: Step.Type
) {
  let width = s.pointee.width.input
  let norm = s.pointee.norm
  let first = x + window.first
  var i = 0
  while i &+ V.lanes <= width {
    combineColumn(first + i, window, norm, V.lanes, whole: true, large: large, V.self, Step.self).store(line + i)
    i = counted(i &+ V.lanes &- 1)
  }
  if i < width {
    combineColumn(first + i, window, norm, width &- i, whole: false, large: large, V.self, Step.self)
      .store(line + i, first: width &- i)
  }
}

/// The taps of windows by chains: of a vector of windows at a stride of 1 or 2, or of one window (0), `step` elements
/// apart.
@inline(__always)
private func sumWideRow<V: KernelVector, Step: PoolingStep>(
  _ p: UnsafePointer<V.Scalar>, _ taps: Int, _ step: Int, stride: Int, _: V.Type, _: Step.Type
) -> V {
  var total = Step.start(V.self)
  var sums = total
  var chains = 0
  var t = 0
  while t < taps {
    let end = min(taps, t &+ longestChain)
    var a = Step.start(V.self)
    while t < end {
      let from = p + t &* step
      a = Step.join(
        a,
        stride == 0
          ? V(repeating: from.pointee)
          : stride == 1 ? V.load(from) : V.evenLanes(V.load(from), V.load(from + V.lanes)))
      t = counted(t)
    }
    joinChain(a, &sums, &total, &chains, Step.self)
  }
  return Step.join(total, sums)
}

/// Neighbours of a padded row, whose first element is the first window's first tap, into a row of the output.
@inline(__always)
private func combineNeighbours<V: KernelVector, Step: PoolingStep>(
  _ s: UnsafePointer<PoolingShape>, _ line: UnsafePointer<V.Scalar>, _ y: UnsafeMutablePointer<V.Scalar>,
  _ factors: UnsafePointer<V.Scalar>?, large: Bool, _: V.Type, _: Step.Type
) {
  let columns = s.pointee.width.output
  let taps = s.pointee.width.window
  let norm = s.pointee.norm
  let factor = V(repeating: V.Scalar(s.pointee.factor))
  let stride = s.pointee.width.stride
  if !s.pointee.hasVectorStride {
    // One window after the other; an adaptive one begins where its table says.
    let windows = s.pointee.width.windows
    let dilation = s.pointee.width.dilation
    let lead = s.pointee.width.padBefore
    for w in 0..<columns {
      var a = Step.start(V.self)
      var p = line + (lead &+ Int(windows[w].first))
      if large {
        a = sumWideRow(p, Int(windows[w].count), dilation, stride: 0, V.self, Step.self)
      } else {
        for _ in 0..<windows[w].count {
          a = Step.join(a, V(repeating: p.pointee))
          p += dilation
        }
      }
      let scale = factors.map { V(repeating: $0[w]) } ?? factor
      Step.finish(a, scale, norm).store(y + w, first: 1)
    }
    return
  }
  var w = 0
  while w < columns {
    var a: V
    if stride == 1 {
      let step = s.pointee.width.dilation
      let p = line + w
      if large {
        a = sumWideRow(p, taps, step, stride: 1, V.self, Step.self)
      } else {
        a = V.load(p)
        if taps > 1 { a = Step.join(a, V.load(p + step)) }
        if taps > 2 { a = Step.join(a, V.load(p + 2 &* step)) }
        var t = 3
        while t < taps {
          a = Step.join(a, V.load(p + t &* step))
          t = counted(t)
        }
      }
    } else {
      let p = line + 2 &* w
      if large {
        a = sumWideRow(p, taps, 1, stride: 2, V.self, Step.self)
      } else {
        let low = V.load(p)
        let high = V.load(p + V.lanes)
        a = V.evenLanes(low, high)
        if taps > 1 { a = Step.join(a, V.oddLanes(low, high)) }
        if taps > 2 { a = Step.join(a, V.evenLanes(V.load(p + 2), V.load(p + (2 &+ V.lanes)))) }
        var t = 3
        while t < taps {
          a = Step.join(a, V.evenLanes(V.load(p + t), V.load(p + (t &+ V.lanes))))
          t = counted(t)
        }
      }
    }
    let count = columns &- w
    if count >= V.lanes {
      Step.finish(a, factors.map { V.load($0 + w) } ?? factor, norm).store(y + w)
    } else {
      Step.finish(a, factors.map { V.load($0 + w, first: count) } ?? factor, norm).store(y + w, first: count)
    }
    w = w &+ V.lanes
  }
}

/// Windows two wide at stride 2 without padding: nothing needs to go through scratch.
@inline(never)
private func poolPairs<V: KernelVector, Step: PoolingStep>(
  _ s: UnsafePointer<PoolingShape>, _ x: UnsafePointer<V.Scalar>, _ y: UnsafeMutablePointer<V.Scalar>, _ row: Int,
  _ rows: Int, _: V.Type, _: Step.Type
) {
  let columns = s.pointee.width.output
  let norm = s.pointee.norm
  let factor = V(repeating: V.Scalar(s.pointee.factor))
  // The last vector of a row: how many elements of its two input vectors there are.
  let tail = columns &- (columns &- 1) / V.lanes &* V.lanes
  let low = min(V.lanes, 2 &* tail)
  let high = 2 &* tail &- low
  let whole = (columns &- tail) / V.lanes
  var to = y + row &* columns
  var place = splitRow(row, s.pointee.depth.output, s.pointee.height.output)
  for _ in 0..<rows {
    let window = windowRows(s, place)
    advance(&place, s.pointee.depth.output, s.pointee.height.output)
    var from = x + window.first
    var i = 0
    while i < whole {
      let a = combineColumn(from, window, norm, V.lanes, whole: true, large: false, V.self, Step.self)
      let b = combineColumn(from + V.lanes, window, norm, V.lanes, whole: true, large: false, V.self, Step.self)
      Step.finish(Step.join(V.evenLanes(a, b), V.oddLanes(a, b)), factor, norm).store(to)
      from += 2 &* V.lanes
      to += V.lanes
      i = counted(i)
    }
    let a = combineColumn(from, window, norm, low, whole: false, large: false, V.self, Step.self)
    let b = combineColumn(from + low, window, norm, high, whole: false, large: false, V.self, Step.self)
    Step.finish(Step.join(V.evenLanes(a, b), V.oddLanes(a, b)), factor, norm).store(to, first: tail)
    to += tail
  }
}

/// Each plane into one element. As many planes as there are lanes share the last steps: lanes are joined in pairs, and
/// the pairs of two planes fill a vector.
@inline(never)
private func poolWholePlanes<V: KernelVector, Step: PoolingStep>(
  _ s: UnsafePointer<PoolingShape>, _ x: UnsafePointer<V.Scalar>, _ y: UnsafeMutablePointer<V.Scalar>, _ row: Int,
  _ rows: Int, _ scratch: UnsafeMutablePointer<V.Scalar>, _: V.Type, _: Step.Type
) {
  let size = s.pointee.depth.input &* s.pointee.height.input &* s.pointee.width.input
  let norm = s.pointee.norm
  let factor = V(repeating: V.Scalar(s.pointee.factor))
  var done = 0
  while done < rows {
    let count = min(V.lanes, rows &- done)
    for plane in 0..<count {
      let p = x + (row &+ done &+ plane) &* size
      var a = Step.start(V.self)
      var b = a
      var i = 0
      if Step.isSum && size > 2 &* V.lanes &* longestChain {
        i = size / (2 &* V.lanes &* longestChain) &* (2 &* V.lanes &* longestChain)
        a = sumBlocks(p, i, norm, V.self, Step.self)
      }
      while i &+ 2 &* V.lanes <= size {
        a = Step.combine(a, V.load(p + i), norm)
        b = Step.combine(b, V.load(p + (i &+ V.lanes)), norm)
        i = i &+ 2 &* V.lanes
      }
      if i &+ V.lanes <= size {
        a = Step.combine(a, V.load(p + i), norm)
        i = i &+ V.lanes
      }
      a = Step.join(a, b)
      if i < size {
        // Lanes beyond the end must not count: they stand for an empty window.
        a.store(scratch + plane &* V.lanes)
        Step.combine(a, V.load(p + i, first: size &- i), norm).store(scratch + plane &* V.lanes, first: size &- i)
      } else {
        a.store(scratch + plane &* V.lanes)
      }
    }
    var vectors = V.lanes
    while vectors > 1 {
      for i in 0..<vectors / 2 {
        let a = V.load(scratch + 2 &* i &* V.lanes)
        let b = V.load(scratch + (2 &* i &+ 1) &* V.lanes)
        Step.join(V.evenLanes(a, b), V.oddLanes(a, b)).store(scratch + i &* V.lanes)
      }
      vectors = vectors / 2
    }
    Step.finish(V.load(scratch), factor, norm).store(y + (row &+ done), first: count)
    done = done &+ count
  }
}

/// The first `count` elements of a plane, whole blocks of two chains in every lane.
@inline(never)
private func sumBlocks<V: KernelVector, Step: PoolingStep>(
  _ p: UnsafePointer<V.Scalar>, _ count: Int, _ norm: Double, _: V.Type, _: Step.Type
) -> V {
  var total = Step.start(V.self)
  var sums = total
  var chains = 0
  var i = 0
  while i < count {
    let end = i &+ 2 &* V.lanes &* longestChain
    var a = Step.start(V.self)
    var b = a
    while i < end {
      a = Step.combine(a, V.load(p + i), norm)
      b = Step.combine(b, V.load(p + (i &+ V.lanes)), norm)
      i = i &+ 2 &* V.lanes
    }
    joinChain(Step.join(a, b), &sums, &total, &chains, Step.self)
  }
  return Step.join(total, sums)
}
