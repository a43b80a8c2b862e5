import ApusKernelInterface
import ApusShims

// Bands of a 3x3 kernel: some lines x MC positions x a stretch of channels, one or two rows of the source at a time. A row
// meets up to three lines with a stride of 1, two with a stride of 2, whose sums, or whose dy, wait in the first-level
// cache for the next row.
//
// So one row's columns are all that is read at a time, about a dozen places at once, and then those of the next vector of
// channels. Read with all of their rows, in registers from the first tap to the last, there would be many dozens: more than
// hardware follows, and where pixels lie a large power of two apart all of one vector of channels share so few sets of the
// first-level cache, and so few banks of the second level, that each line takes three to five times as long.

/// Positions that a band takes at most, lines that wait, and lines of a band: few enough that what a band's neighbour reads
/// again is still in the second-level cache.
enum DepthwiseBand {
  #if APUS_32_REGISTERS
    static var positions: Int { 7 }
  #else
    static var positions: Int { 4 }
  #endif
  @inline(__always) static func lines(stride: Int) -> Int { stride == 1 ? 28 : 14 }
  /// Vectors from one waiting line to the next; there are three.
  static var waitingLine: Int { DepthwiseShape.waitingVectors / 3 }
  /// Lines that wait share room with the one that is as many lines later.
  @inline(__always) static func slot(_ line: Int) -> Int { line % 3 &* waitingLine }

  /// Positions of the next band of lines that have `left`; 0 where they are too few for one.
  @inline(__always) static func positions(_ left: Int) -> Int { left >= positions ? positions : left >= 4 ? 4 : 0 }
}

/// How many lines from `line` on make a band; 0 where the shape is none of a band's.
@inline(__always)
func depthwiseBandLines(_ s: DepthwiseShape, _ line: Int) -> Int {
  #if APUS_32_REGISTERS
    let leastStride = 1
  #else
    let leastStride = 2
  #endif
  let stride = s.rowStride
  let isThree =
    s.multiplier == 1 && s.widthTaps == 3 && s.heightTaps == 3 && s.heightStep == 1 && s.widthStep == 1
    && stride == s.columnStride && stride >= leastStride && stride <= 2
  let lines = min(DepthwiseBand.lines(stride: stride), s.lines &- line)
  // Each line must meet a row that exists.
  let row = s.row &+ stride &* line
  let fits = row >= -2 && row &+ stride &* (lines &- 1) < s.sourceHeight
  return isThree && fits && s.waiting != nil ? lines : 0
}

/// Positions of a line that bands take, from the first one on: all of their columns exist, but for the first and the last.
@inline(__always)
func depthwiseBandPositions(_ s: DepthwiseShape) -> Int {
  let most = DepthwiseBand.positions
  let done = s.columns >= most ? s.columns &- s.columns % most : 0
  let all = done &+ (s.columns &- done) / 4 &* 4
  return s.column >= -1 && s.column &+ (all &- 1) &* s.columnStride &+ 2 <= s.sourceWidth ? all : 0
}

/// A band's row: the newest line that it meets, with which tap row, and how many lines, older ones with later tap rows; as
/// bits, those of them for which it is the first row that exists, and the last.
typealias DepthwiseBandRow = (line: Int, tapRow: Int, count: Int, first: Int, last: Int)

/// What a row is taken by: vectors of channels, and groups of positions, with all of these vectors each.
typealias DepthwiseBandUnits = (vectors: Int, groups: Int)

/// Row `r` from a band's first tap on, which is row `row` of the source.
@inline(__always)
private func depthwiseBandRow(
  _ r: Int, _ row: Int, _ lines: Int, _ height: Int, _ stride: Int
) -> DepthwiseBandRow {
  let line = min(r / stride, lines &- 1)
  let tapRow = r &- stride &* line
  let count = min(line, (2 &- tapRow) / stride) &+ 1
  var first = 0
  var last = 0
  for i in 0..<count {
    let tap = tapRow &+ stride &* i
    if tap == 0 || row == 0 { first |= 1 &<< i }
    if tap == 2 || row == height &- 1 { last |= 1 &<< i }
  }
  return (line, tapRow, count, first, last)
}

/// A row inside of a band, which is the first that its newest line meets and the last of its oldest one; with a stride of 2
/// every other row is neither for any line. Known at compile time, because sums that either come from memory or begin
/// are moved about, and spilled, where it is a branch that decides.
@inline(__always)
private func isInner(_ place: DepthwiseBandRow, _ stride: Int) -> Bool {
  place.count == 4 &- stride
    ? place.first == 1 && place.last == 1 &<< (place.count &- 1)
    : stride == 2 && place.count == 1 && place.first == 0 && place.last == 0
}
/// Whether it is the first row that line `l` of those it meets has.
@inline(__always)
private func isFirst(_ place: DepthwiseBandRow, _ l: Int, _ lines: Int, _ stride: Int, _ inner: Int) -> Bool {
  inner == 1 ? lines == 4 &- stride && l == 0 : place.first & (1 &<< l) != 0
}
/// Whether it is the last row.
@inline(__always)
private func isLast(_ place: DepthwiseBandRow, _ l: Int, _ lines: Int, _ stride: Int, _ inner: Int) -> Bool {
  inner == 1 ? lines == 4 &- stride && l == lines &- 1 : place.last & (1 &<< l) != 0
}

/// sums += the products of one row's columns: by position and with factors by tap (BYTAP 0), or the other way round. The
/// columns `next` elements on are fetched ahead.
@inline(__always)
private func addBandColumns<
  let LINES: Int, let A: Int, let B: Int, let MC: Int, let S: Int, let BYTAP: Int, V: KernelVector
>(
  _ columns: DepthwiseColumns<V.Scalar>, _ p: UnsafePointer<V.Scalar>, _ next: Int,
  _ sums: inout InlineArray<LINES, InlineArray<A, V>>, _ factors: InlineArray<LINES, InlineArray<B, V>>, _: V.Type,
  _: Count<MC>.Type, _: Count<S>.Type, _: Count<BYTAP>.Type
) {
  let count = (MC - 1) * S + 3
  let first = apus_pin_integer(columns.first)
  // One running offset, pinned: else every column's would be kept through the loop, on the stack.
  var at = apus_pin_integer(0)
  for i in 0..<count {
    var x = V.load(EdgeColumns.pointer(p + at, i, count, first &+ i, columns.width, columns.zeros))
    at = apus_pin_integer(at &+ columns.pitch)
    // Else columns would be loaded early, and sums wait for them, and push others out of the registers.
    x = V.pinned(x)
    for t in 0..<3 where i - t >= 0 && (i - t) % S == 0 && (i - t) / S < MC {
      let j = (i - t) / S
      let (to, by) = BYTAP == 0 ? (min(j, A - 1), min(t, B - 1)) : (min(t, A - 1), min(j, B - 1))
      for l in 0..<LINES { sums[l][to] = V.pinned(V.multiplyAdd(sums[l][to], x, factors[l][by])) }
    }
  }
  if next != 0 {
    at = apus_pin_integer(columns.pitch &+ next)
    for _ in 0..<S * MC {
      apus_prefetch_second_level(p + at)
      at = apus_pin_integer(at &+ columns.pitch)
    }
  }
}

/// Adds a row of the source to the sums of the lines that it meets; lines that it completes go to the result.
@inline(never)
private func addRowToLines<
  let LINES: Int, let MC: Int, let S: Int, let INNER: Int, let ROWS: Int, V: KernelVector
>(
  _ shape: UnsafePointer<DepthwiseShape>, _ source: UnsafePointer<V.Scalar>, _ weights: UnsafePointer<V.Scalar>,
  _ result: UnsafeMutablePointer<V.Scalar>, _ waiting: UnsafeMutablePointer<V.Scalar>, _ place: DepthwiseBandRow,
  _ column: Int, _ units: DepthwiseBandUnits, _: V.Type, _: Count<LINES>.Type, _: Count<MC>.Type, _: Count<S>.Type,
  _: Count<INNER>.Type, _: Count<ROWS>.Type
) {
  let zeros = shape.pointee.zeros.assumingMemoryBound(to: V.Scalar.self)
  var columns: DepthwiseColumns<V.Scalar> = (column, shape.pointee.sourceWidth, shape.pointee.pixelPitch, zeros)
  let pixel = shape.pointee.resultPixelPitch
  let line = shape.pointee.resultRowPitch
  let accumulate = shape.pointee.accumulate
  let streams = streamsSums(result, shape.pointee.isLarge && !accumulate, pixel, V.self)
  let next = shape.pointee.isLarge ? units.groups &* S &* MC &* columns.pitch : 0
  var slots = InlineArray<LINES, UnsafeMutablePointer<V.Scalar>>(repeating: waiting)
  for l in 0..<LINES { slots[l] = waiting + DepthwiseBand.slot(place.line &- l) &* V.lanes }
  let firstWeights = weights + place.tapRow &* 3 &* V.lanes
  var w = firstWeights
  var p = source
  var q = result + place.line &* line
  var slot = 0
  var vector = 0
  for _ in 0..<units.vectors &* units.groups {
    var sums = InlineArray<LINES, InlineArray<MC, V>>(repeating: InlineArray<MC, V>(repeating: V.zero))
    var factors = InlineArray<LINES, InlineArray<3, V>>(repeating: InlineArray<3, V>(repeating: V.zero))
    for l in 0..<LINES {
      if !isFirst(place, l, LINES, S, INNER) {
        for j in 0..<MC { sums[l][j] = V.load(UnsafePointer(slots[l] + (slot &+ j &* V.lanes))) }
      }
      for t in 0..<3 { factors[l][t] = V.load(w + (3 &* S &* l &+ t) &* V.lanes) }
    }
    addBandColumns(columns, p, next, &sums, factors, V.self, Count<MC>.self, Count<S>.self, Count<0>.self)
    if ROWS == 2 {
      // The oldest line is complete, and the next row meets a new one.
      storeSums(sums[LINES - 1], q - (LINES - 1) &* line, pixel, accumulate, streams, V.self)
      for l in 1..<LINES { sums[LINES - l] = sums[LINES - l - 1] }
      for j in 0..<MC { sums[0][j] = V.zero }
      addBandColumns(
        columns, p + shape.pointee.rowPitch, next, &sums, factors, V.self, Count<MC>.self, Count<S>.self,
        Count<0>.self)
    }
    for l in 0..<LINES {
      if isLast(place, l, LINES, S, INNER) {
        storeSums(sums[l], q - (l &- ROWS &+ 1) &* line, pixel, accumulate, streams, V.self)
      } else {
        // The second of two rows has a line more, whose room is that of the oldest.
        let to = slots[(l + LINES - ROWS + 1) % LINES]
        for j in 0..<MC { sums[l][j].store(to + (slot &+ j &* V.lanes)) }
      }
    }
    p += V.lanes
    q += V.lanes
    w += shape.pointee.weightPitch
    slot &+= MC &* V.lanes
    vector &+= 1
    if vector == units.vectors {
      vector = 0
      w = firstWeights
      p += MC &* S &* columns.pitch &- units.vectors &* V.lanes
      q += MC &* pixel &- units.vectors &* V.lanes
      columns.first &+= MC &* S
    }
  }
}

/// Adds a row of the source times the lines of dy that it meets to the sums of their taps; a line that it is the first to
/// meet waits for the next rows.
@inline(never)
private func addRowToTaps<
  let LINES: Int, let MC: Int, let S: Int, let INNER: Int, let ROWS: Int, V: KernelVector
>(
  _ shape: UnsafePointer<DepthwiseShape>, _ source: UnsafePointer<V.Scalar>, _ sums: UnsafeMutablePointer<V.Scalar>,
  _ dy: UnsafePointer<V.Scalar>, _ waiting: UnsafeMutablePointer<V.Scalar>, _ place: DepthwiseBandRow, _ column: Int,
  _ units: DepthwiseBandUnits, _: V.Type, _: Count<LINES>.Type, _: Count<MC>.Type, _: Count<S>.Type,
  _: Count<INNER>.Type, _: Count<ROWS>.Type
) {
  let zeros = shape.pointee.zeros.assumingMemoryBound(to: V.Scalar.self)
  var columns: DepthwiseColumns<V.Scalar> = (column, shape.pointee.sourceWidth, shape.pointee.pixelPitch, zeros)
  let pixel = shape.pointee.resultPixelPitch
  let line = shape.pointee.resultRowPitch
  let next = shape.pointee.isLarge ? units.groups &* S &* MC &* columns.pitch : 0
  var slots = InlineArray<LINES, UnsafeMutablePointer<V.Scalar>>(repeating: waiting)
  for l in 0..<LINES { slots[l] = waiting + DepthwiseBand.slot(place.line &- l) &* V.lanes }
  let firstSums = sums + place.tapRow &* 3 &* V.lanes
  var w = firstSums
  var p = source
  var q = dy + place.line &* line
  var slot = 0
  var vector = 0
  for _ in 0..<units.vectors &* units.groups {
    var acc = InlineArray<LINES, InlineArray<3, V>>(repeating: InlineArray<3, V>(repeating: V.zero))
    var gradients = InlineArray<LINES, InlineArray<MC, V>>(repeating: InlineArray<MC, V>(repeating: V.zero))
    for l in 0..<LINES {
      if isFirst(place, l, LINES, S, INNER) {
        var at = apus_pin_integer(-l &* line)
        for j in 0..<MC {
          gradients[l][j] = V.load(q + at)
          gradients[l][j].store(slots[l] + (slot &+ j &* V.lanes))
          at = apus_pin_integer(at &+ pixel)
        }
        if next != 0 {
          at = apus_pin_integer(at &+ (units.groups &- 1) &* MC &* pixel)
          for _ in 0..<MC {
            apus_prefetch_second_level(q + at)
            at = apus_pin_integer(at &+ pixel)
          }
        }
      } else {
        for j in 0..<MC { gradients[l][j] = V.load(UnsafePointer(slots[l] + (slot &+ j &* V.lanes))) }
      }
      for t in 0..<3 { acc[l][t] = V.load(UnsafePointer(w + (3 &* S &* l &+ t) &* V.lanes)) }
    }
    addBandColumns(columns, p, next, &acc, gradients, V.self, Count<MC>.self, Count<S>.self, Count<1>.self)
    if ROWS == 2 {
      // The next row meets a new line, whose room is that of the oldest.
      for l in 1..<LINES { gradients[LINES - l] = gradients[LINES - l - 1] }
      var at = apus_pin_integer(line)
      for j in 0..<MC {
        gradients[0][j] = V.load(q + at)
        gradients[0][j].store(slots[LINES - 1] + (slot &+ j &* V.lanes))
        at = apus_pin_integer(at &+ pixel)
      }
      addBandColumns(
        columns, p + shape.pointee.rowPitch, next, &acc, gradients, V.self, Count<MC>.self, Count<S>.self,
        Count<1>.self)
    }
    for l in 0..<LINES {
      for t in 0..<3 { acc[l][t].store(w + (3 &* S &* l &+ t) &* V.lanes) }
    }
    p += V.lanes
    q += V.lanes
    w += shape.pointee.weightPitch
    slot &+= MC &* V.lanes
    vector &+= 1
    if vector == units.vectors {
      vector = 0
      w = firstSums
      p += MC &* S &* columns.pitch &- units.vectors &* V.lanes
      q += MC &* pixel &- units.vectors &* V.lanes
      columns.first &+= MC &* S
    }
  }
}

/// A band of `lines` from row `row` on and the first `positions`, over whole vectors of channels: sums of the result, or
/// with `isGradient` of the taps, which are then `weights`, and `result` is dy. `source` is a slice's row 0, column 0.
@inline(__always)
func depthwiseBand<V: KernelVector>(
  _ shape: UnsafePointer<DepthwiseShape>, _ source: UnsafePointer<V.Scalar>, _ weights: UnsafeMutablePointer<V.Scalar>,
  _ result: UnsafeMutablePointer<V.Scalar>, _ lines: Int, _ row: Int, _ positions: Int, _ isGradient: Bool, _: V.Type
) {
  let (one, two) = (Count<1>.self, Count<2>.self)
  #if APUS_32_REGISTERS
    if shape.pointee.rowStride == 1 {
      return bandOfStride(shape, source, weights, result, lines, row, positions, isGradient, V.self, one)
    }
  #endif
  bandOfStride(shape, source, weights, result, lines, row, positions, isGradient, V.self, two)
}

/// Positions from left to right, and for them some vectors of channels after others: what hardware fetches ahead beside
/// those that are read is due soon.
@inline(__always)
private func bandOfStride<let S: Int, V: KernelVector>(
  _ shape: UnsafePointer<DepthwiseShape>, _ source: UnsafePointer<V.Scalar>, _ weights: UnsafeMutablePointer<V.Scalar>,
  _ result: UnsafeMutablePointer<V.Scalar>, _ lines: Int, _ row: Int, _ positions: Int, _ isGradient: Bool, _: V.Type,
  _ stride: Count<S>.Type
) {
  guard let waiting = shape.pointee.waiting?.assumingMemoryBound(to: V.Scalar.self) else { return }
  let height = shape.pointee.sourceHeight
  let vectors = shape.pointee.channels / V.lanes
  let most = max(1, DepthwiseShape.waitingUnits / shape.pointee.groups)
  // Where they lie further apart, two rows of eight vectors are too much for those sets.
  let takesPairs = shape.pointee.pixelPitch &* MemoryLayout<V.Scalar>.size <= 1024
  var position = 0
  while position < positions {
    let count = DepthwiseBand.positions(positions &- position)
    // With a stride of 2 neighbours share a column of fifteen, and past the caches more are fetched ahead in time.
    let groups = S == 1 ? min(shape.pointee.groups, (positions &- position) / count) : 1
    let column = shape.pointee.column &+ position &* S
    let to = result + position &* shape.pointee.resultPixelPitch
    var vector = 0
    while vector < vectors {
      let units: DepthwiseBandUnits = (min(most, vectors &- vector), groups)
      let w = weights + vector &* shape.pointee.weightPitch
      let q = to + vector &* V.lanes
      let first = source + (column &* shape.pointee.pixelPitch &+ vector &* V.lanes)
      var r = max(0, -row)
      let end = min((lines &- 1) &* S &+ 3, height &- row)
      while r < end {
        let p = first + (row &+ r) &* shape.pointee.rowPitch
        let place = depthwiseBandRow(r, row &+ r, lines, height, S)
        // Both are rows inside of the band.
        let hasTwo = S == 1 && takesPairs && isInner(place, S) && r &+ 1 < min(lines, end &- 1)
        #if APUS_32_REGISTERS
          if count == 7 {
            addRow(shape, p, w, q, waiting, place, column, units, isGradient, hasTwo, V.self, Count<7>.self, stride)
            r &+= hasTwo ? 2 : 1
            continue
          }
        #endif
        addRow(shape, p, w, q, waiting, place, column, units, isGradient, hasTwo, V.self, Count<4>.self, stride)
        r &+= hasTwo ? 2 : 1
      }
      vector &+= units.vectors
    }
    position &+= groups &* count
  }
}

/// The instance for the lines that a row meets.
@inline(__always)
private func addRow<let MC: Int, let S: Int, V: KernelVector>(
  _ shape: UnsafePointer<DepthwiseShape>, _ p: UnsafePointer<V.Scalar>, _ w: UnsafeMutablePointer<V.Scalar>,
  _ q: UnsafeMutablePointer<V.Scalar>, _ waiting: UnsafeMutablePointer<V.Scalar>, _ place: DepthwiseBandRow,
  _ column: Int, _ units: DepthwiseBandUnits, _ isGradient: Bool, _ hasTwo: Bool, _: V.Type,
  _ positions: Count<MC>.Type, _ stride: Count<S>.Type
) {
  let (zero, one, two, three) = (Count<0>.self, Count<1>.self, Count<2>.self, Count<3>.self)
  @inline(__always) func add<let LINES: Int, let INNER: Int, let ROWS: Int>(
    _ lines: Count<LINES>.Type, _ inner: Count<INNER>.Type, _ rows: Count<ROWS>.Type
  ) {
    #if APUS_32_REGISTERS
      if isGradient {
        return addRowToTaps(
          shape, p, w, q, waiting, place, column, units, V.self, lines, positions, stride, inner, rows)
      }
    #endif
    addRowToLines(shape, p, w, q, waiting, place, column, units, V.self, lines, positions, stride, inner, rows)
  }
  // Only rows of a stride of 1 meet three lines.
  switch (place.count, isInner(place, S)) {
  case (1, false): add(one, zero, one)
  case (2, false): add(two, zero, one)
  case (3, false): if S == 1 { add(three, zero, one) }
  case (3, true): if S == 1 { hasTwo ? add(three, one, two) : add(three, one, one) }
  case (2, true): if S == 2 { add(two, one, one) }
  default: if S == 2 { add(one, one, one) }
  }
}
