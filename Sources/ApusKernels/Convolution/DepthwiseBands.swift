import ApusKernelInterface
import ApusShims

// Bands of a 3x3 kernel with a stride of 2: some lines x MC positions x a stretch of channels, one row of the source at a
// time. A row meets one line, or two, whose sums, or whose dy, wait in the first-level cache for the next row.
//
// So one row's columns are all that is read at a time, about a dozen places at once. Read with all of their rows, in
// registers from the first tap to the last, there would be many dozens: more than hardware follows, and where pixels lie a
// large power of two apart they share so few sets of the first-level cache that what was fetched ahead is gone when it is
// due. (With a stride of 1 a row meets three lines, and what waits costs more than that.)

/// Positions that a band takes at most, and vectors of channels, lines that wait, and lines of a band: few enough that
/// what a band's neighbour reads again is still in the second-level cache.
enum DepthwiseBand {
  #if APUS_32_REGISTERS
    static var positions: Int { 7 }
  #else
    static var positions: Int { 4 }
  #endif
  static var vectors: Int { 8 }
  static var lines: Int { 14 }
  /// Vectors from one waiting line to the next.
  static var waitingLine: Int { DepthwiseShape.waitingVectors / 2 }

  /// Positions of the next band of lines that have `left`; 0 where they are too few for one.
  @inline(__always) static func positions(_ left: Int) -> Int { left >= positions ? positions : left >= 4 ? 4 : 0 }
}

/// How many lines from `line` on make a band; 0 where the shape is none of a band's.
@inline(__always)
func depthwiseBandLines(_ s: DepthwiseShape, _ line: Int) -> Int {
  let isThree =
    s.multiplier == 1 && s.widthTaps == 3 && s.heightTaps == 3 && s.heightStep == 1 && s.widthStep == 1
    && s.rowStride == 2 && s.columnStride == 2
  let lines = min(DepthwiseBand.lines, s.lines &- line)
  // Each line must meet a row that exists.
  let row = s.row &+ 2 &* line
  let fits = row >= -2 && row &+ 2 &* (lines &- 1) < s.sourceHeight
  return isThree && fits && s.waiting != nil ? lines : 0
}

/// Whether all columns of `count` positions from `column` on exist, but for the first and the last.
@inline(__always)
func depthwiseBandFits(_ s: DepthwiseShape, _ column: Int, _ count: Int) -> Bool {
  column >= -1 && column &+ 2 &* count <= s.sourceWidth
}

/// A band's row: the newest line that it meets, with which tap row, and how many lines, an older one with tap row 2; as
/// bits, those of them for which it is the first row that exists, and the last.
typealias DepthwiseBandRow = (line: Int, tapRow: Int, count: Int, first: Int, last: Int)

/// Row `r` from a band's first tap on, which is row `row` of the source.
@inline(__always)
private func depthwiseBandRow(_ r: Int, _ row: Int, _ lines: Int, _ height: Int) -> DepthwiseBandRow {
  let line = min(r / 2, lines &- 1)
  let tapRow = r &- 2 &* line
  let count = tapRow == 0 && line > 0 ? 2 : 1
  var first = 0
  var last = 0
  for i in 0..<count {
    let tap = tapRow &+ 2 &* i
    if tap == 0 || row == 0 { first |= 1 &<< i }
    if tap == 2 || row == height &- 1 { last |= 1 &<< i }
  }
  return (line, tapRow, count, first, last)
}

/// sums += the products of one row's columns: by position and with factors by tap (BYTAP 0), or the other way round. Of
/// the block `next` elements on its columns are fetched ahead.
@inline(__always)
private func addBandColumns<let LINES: Int, let A: Int, let B: Int, let MC: Int, let BYTAP: Int, V: KernelVector>(
  _ columns: DepthwiseColumns<V.Scalar>, _ p: UnsafePointer<V.Scalar>, _ next: Int,
  _ sums: inout InlineArray<LINES, InlineArray<A, V>>, _ factors: InlineArray<LINES, InlineArray<B, V>>, _: V.Type,
  _: Count<MC>.Type, _: Count<BYTAP>.Type
) {
  let count = 2 * MC + 1
  let first = apus_pin_integer(columns.first)
  // One running offset, pinned: else every column's would be kept through the loop, on the stack.
  var at = apus_pin_integer(0)
  for i in 0..<count {
    var x = V.load(EdgeColumns.pointer(p + at, i, count, first &+ i, columns.width, columns.zeros))
    at = apus_pin_integer(at &+ columns.pitch)
    // Else columns would be loaded early, and push others out of the registers.
    x = V.pinned(x)
    for t in 0..<3 where i - t >= 0 && (i - t) % 2 == 0 && (i - t) / 2 < MC {
      let j = (i - t) / 2
      let (to, by) = BYTAP == 0 ? (min(j, A - 1), min(t, B - 1)) : (min(t, A - 1), min(j, B - 1))
      for l in 0..<LINES { sums[l][to] = V.multiplyAdd(sums[l][to], x, factors[l][by]) }
    }
  }
  if next != 0 {
    at = apus_pin_integer((1) &* columns.pitch &+ next)
    for _ in 0..<2 * MC {
      apus_prefetch_second_level(p + at)
      at = apus_pin_integer(at &+ columns.pitch)
    }
  }
}

/// Adds a row of the source to the sums of the lines that it meets, for `vectors` of channels; lines that it completes go
/// to the result.
@inline(never)
private func addRowToLines<let LINES: Int, let MC: Int, V: KernelVector>(
  _ shape: UnsafePointer<DepthwiseShape>, _ source: UnsafePointer<V.Scalar>, _ weights: UnsafePointer<V.Scalar>,
  _ result: UnsafeMutablePointer<V.Scalar>, _ waiting: UnsafeMutablePointer<V.Scalar>, _ place: DepthwiseBandRow,
  _ column: Int, _ vectors: Int, _: V.Type, _: Count<LINES>.Type, _: Count<MC>.Type
) {
  let zeros = shape.pointee.zeros.assumingMemoryBound(to: V.Scalar.self)
  let columns: DepthwiseColumns<V.Scalar> = (column, shape.pointee.sourceWidth, shape.pointee.pixelPitch, zeros)
  let pixel = shape.pointee.resultPixelPitch
  let line = shape.pointee.resultRowPitch
  let accumulate = shape.pointee.accumulate
  let streams = streamsSums(result, shape.pointee.isLarge && !accumulate, pixel, V.self)
  let next = shape.pointee.isLarge ? 2 &* MC &* columns.pitch : 0
  var slots = InlineArray<LINES, UnsafeMutablePointer<V.Scalar>>(repeating: waiting)
  for l in 0..<LINES { slots[l] = waiting + (place.line &- l) & 1 &* DepthwiseBand.waitingLine &* V.lanes }
  var w = weights + place.tapRow &* 3 &* V.lanes
  var p = source
  var q = result + place.line &* line
  var slot = 0
  for _ in 0..<vectors {
    var sums = InlineArray<LINES, InlineArray<MC, V>>(repeating: InlineArray<MC, V>(repeating: V.zero))
    var factors = InlineArray<LINES, InlineArray<3, V>>(repeating: InlineArray<3, V>(repeating: V.zero))
    for l in 0..<LINES {
      if place.first & (1 &<< l) == 0 {
        for j in 0..<MC { sums[l][j] = V.load(UnsafePointer(slots[l] + (slot &+ j &* V.lanes))) }
      }
      for t in 0..<3 { factors[l][t] = V.load(w + (6 &* l &+ t) &* V.lanes) }
    }
    addBandColumns(columns, p, next, &sums, factors, V.self, Count<MC>.self, Count<0>.self)
    for l in 0..<LINES {
      if place.last & (1 &<< l) != 0 {
        storeSums(sums[l], q - l &* line, pixel, accumulate, streams, V.self)
      } else {
        for j in 0..<MC { sums[l][j].store(slots[l] + (slot &+ j &* V.lanes)) }
      }
    }
    p += V.lanes
    q += V.lanes
    w += shape.pointee.weightPitch
    slot &+= MC &* V.lanes
  }
}

/// Adds a row of the source times the lines of dy that it meets to the sums of their taps, for `vectors` of channels; a
/// line that it is the first to meet waits for the next rows.
@inline(never)
private func addRowToTaps<let LINES: Int, let MC: Int, V: KernelVector>(
  _ shape: UnsafePointer<DepthwiseShape>, _ source: UnsafePointer<V.Scalar>, _ sums: UnsafeMutablePointer<V.Scalar>,
  _ dy: UnsafePointer<V.Scalar>, _ waiting: UnsafeMutablePointer<V.Scalar>, _ place: DepthwiseBandRow, _ column: Int,
  _ vectors: Int, _: V.Type, _: Count<LINES>.Type, _: Count<MC>.Type
) {
  let zeros = shape.pointee.zeros.assumingMemoryBound(to: V.Scalar.self)
  let columns: DepthwiseColumns<V.Scalar> = (column, shape.pointee.sourceWidth, shape.pointee.pixelPitch, zeros)
  let pixel = shape.pointee.resultPixelPitch
  let line = shape.pointee.resultRowPitch
  let next = shape.pointee.isLarge ? 2 &* MC &* columns.pitch : 0
  var slots = InlineArray<LINES, UnsafeMutablePointer<V.Scalar>>(repeating: waiting)
  for l in 0..<LINES { slots[l] = waiting + (place.line &- l) & 1 &* DepthwiseBand.waitingLine &* V.lanes }
  var w = sums + place.tapRow &* 3 &* V.lanes
  var p = source
  var q = dy + place.line &* line
  var slot = 0
  for _ in 0..<vectors {
    var acc = InlineArray<LINES, InlineArray<3, V>>(repeating: InlineArray<3, V>(repeating: V.zero))
    var gradients = InlineArray<LINES, InlineArray<MC, V>>(repeating: InlineArray<MC, V>(repeating: V.zero))
    for l in 0..<LINES {
      if place.first & (1 &<< l) != 0 {
        var at = apus_pin_integer(-l &* line)
        for j in 0..<MC {
          gradients[l][j] = V.load(q + at)
          gradients[l][j].store(slots[l] + (slot &+ j &* V.lanes))
          at = apus_pin_integer(at &+ pixel)
        }
        if next != 0 {
          for _ in 0..<MC {
            apus_prefetch_second_level(q + at)
            at = apus_pin_integer(at &+ pixel)
          }
        }
      } else {
        for j in 0..<MC { gradients[l][j] = V.load(UnsafePointer(slots[l] + (slot &+ j &* V.lanes))) }
      }
      for t in 0..<3 { acc[l][t] = V.load(UnsafePointer(w + (6 &* l &+ t) &* V.lanes)) }
    }
    addBandColumns(columns, p, next, &acc, gradients, V.self, Count<MC>.self, Count<1>.self)
    for l in 0..<LINES {
      for t in 0..<3 { acc[l][t].store(w + (6 &* l &+ t) &* V.lanes) }
    }
    p += V.lanes
    q += V.lanes
    w += shape.pointee.weightPitch
    slot &+= MC &* V.lanes
  }
}

/// A band of `lines` from row `row` on and `count` positions from `column` on, over whole vectors of channels: sums of the
/// result, or with `isGradient` of the taps, which are then `weights`, and `result` is dy. `source` is a slice's row 0,
/// column 0.
@inline(__always)
func depthwiseBand<V: KernelVector>(
  _ shape: UnsafePointer<DepthwiseShape>, _ source: UnsafePointer<V.Scalar>, _ weights: UnsafeMutablePointer<V.Scalar>,
  _ result: UnsafeMutablePointer<V.Scalar>, _ lines: Int, _ row: Int, _ column: Int, _ count: Int, _ isGradient: Bool,
  _: V.Type
) {
  guard let waiting = shape.pointee.waiting?.assumingMemoryBound(to: V.Scalar.self) else { return }
  let height = shape.pointee.sourceHeight
  let vectors = shape.pointee.channels / V.lanes
  let (v, one, two, four) = (V.self, Count<1>.self, Count<2>.self, Count<4>.self)
  var vector = 0
  while vector < vectors {
    let some = min(DepthwiseBand.vectors, vectors &- vector)
    let w = weights + vector &* shape.pointee.weightPitch
    let q = result + vector &* V.lanes
    for r in max(0, -row)..<min(2 &* lines &+ 1, height &- row) {
      let p = source + ((row &+ r) &* shape.pointee.rowPitch &+ column &* shape.pointee.pixelPitch &+ vector &* V.lanes)
      let place = depthwiseBandRow(r, row &+ r, lines, height)
      switch (isGradient, count, place.count) {
      #if APUS_32_REGISTERS
        case (true, 7, 1): addRowToTaps(shape, p, w, q, waiting, place, column, some, v, one, Count<7>.self)
        case (true, 7, _): addRowToTaps(shape, p, w, q, waiting, place, column, some, v, two, Count<7>.self)
        case (true, _, 1): addRowToTaps(shape, p, w, q, waiting, place, column, some, v, one, four)
        case (true, _, _): addRowToTaps(shape, p, w, q, waiting, place, column, some, v, two, four)
        case (_, 7, 1): addRowToLines(shape, p, w, q, waiting, place, column, some, v, one, Count<7>.self)
        case (_, 7, _): addRowToLines(shape, p, w, q, waiting, place, column, some, v, two, Count<7>.self)
      #endif
      case (_, _, 1): addRowToLines(shape, p, w, q, waiting, place, column, some, v, one, four)
      default: addRowToLines(shape, p, w, q, waiting, place, column, some, v, two, four)
      }
    }
    vector &+= some
  }
}
