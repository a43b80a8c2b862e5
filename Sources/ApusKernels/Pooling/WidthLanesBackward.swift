import ApusKernelInterface

// Backward over planes with the lanes along the width, a row of the input after the other: first what the rows of windows
// over it send back, element by element, into rows in scratch that stand between zeros; then each position takes the
// windows that cover it. An average's and a norm's taps all get the same; of a maximum, each tap has a row.

/// The rows of windows over one row of the input.
private typealias CoverRows = (first: Int, slices: Int, rows: Int, sliceStep: Int, rowStep: Int)

@inline(__always)
private func coverRows(_ s: UnsafePointer<PoolingShape>, _ place: (sample: Int, d: Int, h: Int)) -> CoverRows {
  let depth = s.pointee.depth.covers[place.d]
  let height = s.pointee.height.covers[place.h]
  let columns = s.pointee.width.output
  let slice = s.pointee.height.output &* columns
  return (
    Int(depth.first) &* slice &+ Int(height.first) &* columns, Int(depth.count), Int(height.count), slice, columns
  )
}

@inline(never)
func gatherPlanes<V: KernelVector, Step: GatherStep>(
  _ s: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ row: Int, _ rows: Int, _: V.Type,
  _: Step.Type
) {
  typealias Scalar = V.Scalar
  guard let dxBase = operands.pointee.dx, let scratchBase = operands.pointee.scratch else { return }
  let dx = dxBase.assumingMemoryBound(to: Scalar.self)
  if Step.isUniform && s.pointee.isGlobal { return spreadPlanes(s, operands, row, rows, dx, V.self) }
  let taps = s.pointee.width.window
  let stride = s.pointee.width.stride
  if Step.isCommon && stride == 2 && taps == 2 && s.pointee.widthsAreWhole {
    return gatherPairs(s, operands, row, rows, dx, V.self, Step.self)
  }
  let pitch = s.pointee.pitch
  let width = s.pointee.width.input
  let columns = s.pointee.width.output
  let pad = s.pointee.width.padBefore
  let perTap = Step.isPerTap
  let lineCount = perTap ? taps : 1
  // Windows before the first one, which send nothing.
  let lead = taps
  let lines = scratchBase.assumingMemoryBound(to: Scalar.self)
  let sums = lines + lineCount &* pitch
  for t in 0..<lineCount {
    fill(lines + t &* pitch, lead, V.zero)
    fill(lines + (t &* pitch &+ lead &+ columns), pitch &- lead &- columns, V.zero)
  }
  let outputPlane = s.pointee.depth.output &* s.pointee.height.output &* columns
  let iota = indexBits(from: 0, by: stride, V.self)
  var place = splitRow(row, s.pointee.depth.input, s.pointee.height.input)
  for r in row..<row &+ rows {
    let cover = coverRows(s, place)
    let base = place.sample &* outputPlane
    let position = (place.d &* s.pointee.height.input &+ place.h) &* width &- pad
    advance(&place, s.pointee.depth.input, s.pointee.height.input)
    var t = 0
    while t < lineCount {
      // Three taps share what is read.
      let line = lines + (t &* pitch &+ lead)
      var w = 0
      while w < columns {
        let count = min(V.lanes, columns &- w)
        let at = perTap ? moved(iota, by: position &+ t &+ w &* stride) : V.zero
        var a = V.zero
        var b = a
        var c = a
        if count == V.lanes {
          sumRows(s, operands, base, cover, w, V.lanes, whole: true, at, &a, &b, &c, V.self, Step.self)
        } else {
          sumRows(s, operands, base, cover, w, count, whole: false, at, &a, &b, &c, V.self, Step.self)
        }
        // Whole vectors: what is past the row's end is 0, as it must be.
        a.store(line + w)
        if perTap && t &+ 1 < taps { b.store(line + (pitch &+ w)) }
        if perTap && t &+ 2 < taps { c.store(line + (2 &* pitch &+ w)) }
        w = counted(w &+ V.lanes &- 1)
      }
      t = counted(t &+ 2)
    }
    if !s.pointee.hasVectorStride {
      for w in 0..<width {
        let cover = s.pointee.width.covers[w]
        var sum: Scalar = 0
        for o in Int(cover.first)..<Int(cover.first &+ cover.count) { sum += lines[lead &+ o] }
        sums[w] = sum
      }
    } else if stride == 2 {
      // Position 2 q + phase, padding counted, lies under windows q, q - 1... with taps phase, phase + 2...
      var q = 0
      while 2 &* q < width &+ pad {
        var even = V.zero
        var odd = V.zero
        var t = (taps &- 1) / 2
        while t >= 0 {
          let line = lines + ((perTap ? 2 &* t &* pitch : 0) &+ lead &+ q &- t)
          even += V.load(line)
          if 2 &* t &+ 1 < taps { odd += V.load(line + (perTap ? pitch : 0)) }
          t = counted(t &- 2)
        }
        V.interleavedLow(even, odd).store(sums + 2 &* q)
        V.interleavedHigh(even, odd).store(sums + (2 &* q &+ V.lanes))
        q = counted(q &+ V.lanes &- 1)
      }
    }
    let from = sums + (stride == 2 ? pad : 0)
    let to = r &* width
    var w = 0
    while w < width {
      let whole = w &+ V.lanes <= width
      var sum: V
      if stride == 1 {
        sum = V.zero
        let line = lines + (lead &+ w &+ pad)
        var t = taps &- 1
        while t >= 0 {
          sum += V.load(line + ((perTap ? t &* pitch : 0) &- t))
          t = counted(t &- 2)
        }
      } else {
        sum = V.load(from + w)
      }
      send(s, operands, dx, to &+ w, whole ? V.lanes : width &- w, whole: whole, sum, Step.self)
      w = counted(w &+ V.lanes &- 1)
    }
  }
}

/// What all windows over a row send to one of its taps, and of a maximum to the next two as well.
@inline(__always)
private func sumRows<V: KernelVector, Step: GatherStep>(
  _ s: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ base: Int, _ cover: CoverRows,
  _ w: Int, _ count: Int, whole: Bool, _ at: V, _ a: inout V, _ b: inout V, _ c: inout V, _: V.Type, _: Step.Type
) {
  var slice = 0
  while slice < cover.slices {
    var over = 0
    while over < cover.rows {
      let window = cover.first &+ slice &* cover.sliceStep &+ over &* cover.rowStep &+ w
      a = Step.add(a, s, operands, base &+ window, count, whole: whole, isPixel: false, window, at)
      if Step.isPerTap {
        b = Step.add(b, s, operands, base &+ window, count, whole: whole, isPixel: false, window, moved(at, by: 1))
        c = Step.add(c, s, operands, base &+ window, count, whole: whole, isPixel: false, window, moved(at, by: 2))
      }
      over = counted(over)
    }
    slice = counted(slice)
  }
}

/// Windows two wide at stride 2 without padding: nothing needs to go through scratch.
@inline(never)
private func gatherPairs<V: KernelVector, Step: GatherStep>(
  _ s: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ row: Int, _ rows: Int,
  _ dx: UnsafeMutablePointer<V.Scalar>, _: V.Type, _: Step.Type
) {
  let width = s.pointee.width.input
  let columns = s.pointee.width.output
  let outputPlane = s.pointee.depth.output &* s.pointee.height.output &* columns
  let iota = indexBits(from: 0, by: 2, V.self)
  // Rows that lie two by two under the same windows are written together.
  let isPaired =
    s.pointee.height.stride == 2 && s.pointee.height.window == 2 && s.pointee.height.padBefore == 0
    && s.pointee.height.dilation == 1
  let height = s.pointee.height.input
  var place = splitRow(row, s.pointee.depth.input, height)
  var r = row
  while r < row &+ rows {
    let cover = coverRows(s, place)
    let base = place.sample &* outputPlane
    let position = (place.d &* height &+ place.h) &* width
    let two = isPaired && place.h & 1 == 0 && place.h &+ 1 < height && r &+ 1 < row &+ rows
    advance(&place, s.pointee.depth.input, height)
    if two { advance(&place, s.pointee.depth.input, height) }
    let to = r &* width
    var w = 0
    while w < columns {
      let count = min(V.lanes, columns &- w)
      let at = Step.isPerTap ? moved(iota, by: position &+ 2 &* w) : V.zero
      let below = Step.isPerTap ? moved(at, by: width) : V.zero
      var a = V.zero
      var b = a
      var c = a
      var d = a
      let i = to &+ 2 &* w
      if count == V.lanes {
        sumPairs(s, operands, base, cover, w, V.lanes, whole: true, at, below, two, &a, &b, &c, &d, Step.self)
        send(s, operands, dx, i, V.lanes, whole: true, V.interleavedLow(a, b), Step.self)
        send(s, operands, dx, i &+ V.lanes, V.lanes, whole: true, V.interleavedHigh(a, b), Step.self)
        if two {
          send(s, operands, dx, i &+ width, V.lanes, whole: true, V.interleavedLow(c, d), Step.self)
          send(s, operands, dx, i &+ width &+ V.lanes, V.lanes, whole: true, V.interleavedHigh(c, d), Step.self)
        }
      } else {
        sumPairs(s, operands, base, cover, w, count, whole: false, at, below, two, &a, &b, &c, &d, Step.self)
        let low = min(V.lanes, 2 &* count)
        let high = 2 &* count &- low
        send(s, operands, dx, i, low, whole: false, V.interleavedLow(a, b), Step.self)
        if high > 0 { send(s, operands, dx, i &+ low, high, whole: false, V.interleavedHigh(a, b), Step.self) }
        if two {
          send(s, operands, dx, i &+ width, low, whole: false, V.interleavedLow(c, d), Step.self)
          if high > 0 {
            send(s, operands, dx, i &+ width &+ low, high, whole: false, V.interleavedHigh(c, d), Step.self)
          }
        }
      }
      w = counted(w &+ V.lanes &- 1)
    }
    // Columns that no window covers.
    w = 2 &* columns
    while w < width {
      send(s, operands, dx, to &+ w, min(V.lanes, width &- w), whole: false, V.zero, Step.self)
      if two { send(s, operands, dx, to &+ width &+ w, min(V.lanes, width &- w), whole: false, V.zero, Step.self) }
      w = counted(w &+ V.lanes &- 1)
    }
    r = counted(two ? r &+ 1 : r)
  }
}

/// What the windows over a row send to their two taps in it and, if `two`, in the row below.
@inline(__always)
private func sumPairs<V: KernelVector, Step: GatherStep>(
  _ s: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ base: Int, _ cover: CoverRows,
  _ w: Int, _ count: Int, whole: Bool, _ at: V, _ below: V, _ two: Bool, _ a: inout V, _ b: inout V, _ c: inout V,
  _ d: inout V, _: Step.Type
) {
  var slice = 0
  while slice < cover.slices {
    var over = 0
    while over < cover.rows {
      let window = cover.first &+ slice &* cover.sliceStep &+ over &* cover.rowStep &+ w
      a = Step.add(a, s, operands, base &+ window, count, whole: whole, isPixel: false, window, at)
      if Step.isPerTap {
        b = Step.add(b, s, operands, base &+ window, count, whole: whole, isPixel: false, window, moved(at, by: 1))
        if two {
          c = Step.add(c, s, operands, base &+ window, count, whole: whole, isPixel: false, window, below)
          d = Step.add(d, s, operands, base &+ window, count, whole: whole, isPixel: false, window, moved(below, by: 1))
        }
      }
      over = counted(over)
    }
    slice = counted(slice)
  }
  if !Step.isPerTap {
    b = a
    c = a
    d = a
  }
}

/// Each plane's average to all of the plane.
@inline(never)
private func spreadPlanes<V: KernelVector>(
  _ s: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ row: Int, _ rows: Int,
  _ dx: UnsafeMutablePointer<V.Scalar>, _: V.Type
) {
  guard let dy = operands.pointee.dy?.assumingMemoryBound(to: V.Scalar.self) else { return }
  let size = s.pointee.depth.input &* s.pointee.height.input &* s.pointee.width.input
  let factor = V.Scalar(s.pointee.factor)
  var i = row &* s.pointee.width.input
  let end = (row &+ rows) &* s.pointee.width.input
  var plane = i / size
  while i < end {
    let stop = min(end, (plane &+ 1) &* size)
    let value = V(repeating: dy[plane] * factor)
    while i < stop {
      let count = stop &- i
      if count >= V.lanes {
        (s.pointee.accumulates ? V.load(dx + i) + value : value).store(dx + i)
      } else {
        (s.pointee.accumulates ? V.load(dx + i, first: count) + value : value).store(dx + i, first: count)
      }
      i = i &+ V.lanes
    }
    i = stop
    plane = plane &+ 1
  }
}
