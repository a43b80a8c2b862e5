import ApusKernelInterface
import ApusShims

/// sums += the products of one line of dy with its sources, for TAPROWS x TAPS taps from (`rowTap`, `tap`) on, whose sums
/// stay in registers along the line, from position `start` on; for every vector of `channels`.
///
/// STRIDE 0 is any stride, of positions and of taps: then TAPS is 1.
@inline(never)
func depthwiseGradientLine<
  let TAPROWS: Int, let TAPS: Int, let STRIDE: Int, V: KernelVector, L: LastVector
>(
  _ shape: UnsafePointer<DepthwiseShape>, _ source: UnsafePointer<V.Scalar>, _ sums: UnsafeMutablePointer<V.Scalar>,
  _ dy: UnsafePointer<V.Scalar>, _ row: Int, _ rowTap: Int, _ tap: Int, _ start: Int, _ channels: Range<Int>, _: V.Type,
  _: L.Type, _: Count<TAPROWS>.Type, _: Count<TAPS>.Type, _: Count<STRIDE>.Type
) {
  let zeros = shape.pointee.zeros.assumingMemoryBound(to: V.Scalar.self)
  let columns: DepthwiseColumns<V.Scalar> = (
    shape.pointee.column &+ tap &* shape.pointee.widthStep, shape.pointee.sourceWidth, shape.pointee.pixelPitch, zeros
  )
  let stride = STRIDE == 0 ? shape.pointee.columnStride : STRIDE
  let first = row &+ rowTap &* shape.pointee.heightStep
  // Rows of this call's taps that exist.
  var exists = InlineArray<TAPROWS, Bool>(repeating: false)
  for r in 0..<TAPROWS {
    let at = first &+ r &* shape.pointee.heightStep
    exists[r] = at >= 0 && at < shape.pointee.sourceHeight
  }
  let rowPitch = shape.pointee.heightStep &* shape.pointee.rowPitch
  let from = source + (first &* shape.pointee.rowPitch &+ columns.first &* columns.pitch)
  let lines: GradientLine<V.Scalar> = (rowPitch, shape.pointee.resultPixelPitch, stride)
  let positions = shape.pointee.columns
  let tapRow = shape.pointee.widthTaps &* V.lanes
  let together = (positions &- start) % 7 == 0 && V.lanes > 4 ? 7 : 4
  let reach = TAPS &- 1
  var channel = channels.lowerBound
  while channel < channels.upperBound {
    let count = min(V.lanes, channels.upperBound &- channel)
    let w = sums + (channel / V.lanes &* shape.pointee.weightPitch &+ rowTap &* tapRow &+ tap &* V.lanes)
    var acc = InlineArray<TAPROWS, InlineArray<TAPS, V>>(repeating: InlineArray<TAPS, V>(repeating: V.zero))
    for r in 0..<TAPROWS {
      for t in 0..<TAPS { acc[r][t] = V.load(UnsafePointer(w + (r &* tapRow &+ t &* V.lanes))) }
    }
    var position = start
    while position &+ together <= positions {
      let at = columns.first &+ position &* stride
      let isInner = at >= -1 && at &+ (together &- 1) &* stride &+ reach <= columns.width
      let p = from + (position &* stride &* columns.pitch &+ channel)
      let q = dy + (position &* lines.dyPitch &+ channel)
      switch (together, isInner) {
      case (7, true):
        addProducts(
          columns, lines, p, q, at, count, exists, &acc, V.self, L.self, EdgeColumns.self, Count<7>.self,
          Count<STRIDE>.self)
      case (7, false):
        addProducts(
          columns, lines, p, q, at, count, exists, &acc, V.self, L.self, BorderColumns.self, Count<7>.self,
          Count<STRIDE>.self)
      case (_, true):
        addProducts(
          columns, lines, p, q, at, count, exists, &acc, V.self, L.self, EdgeColumns.self, Count<4>.self,
          Count<STRIDE>.self)
      default:
        addProducts(
          columns, lines, p, q, at, count, exists, &acc, V.self, L.self, BorderColumns.self, Count<4>.self,
          Count<STRIDE>.self)
      }
      position &+= together
    }
    while position < positions {
      let at = columns.first &+ position &* stride
      addProducts(
        columns, lines, from + (position &* stride &* columns.pitch &+ channel),
        dy + (position &* lines.dyPitch &+ channel), at, count, exists, &acc, V.self, L.self, BorderColumns.self,
        Count<1>.self, Count<STRIDE>.self)
      position &+= 1
    }
    for r in 0..<TAPROWS {
      for t in 0..<TAPS { acc[r][t].store(w + (r &* tapRow &+ t &* V.lanes)) }
    }
    channel &+= V.lanes
  }
}

/// From one tap row of the source to the next, from one position of dy to the next, columns from position to position.
private typealias GradientLine<S> = (rowPitch: Int, dyPitch: Int, stride: Int)

/// acc[r][t] += x of column (position * stride + t) of row r * dy of the position, positions in order.
@inline(__always)
private func addProducts<
  let TAPROWS: Int, let TAPS: Int, let MC: Int, let STRIDE: Int, V: KernelVector, L: LastVector, B: ColumnBounds
>(
  _ columns: DepthwiseColumns<V.Scalar>, _ lines: GradientLine<V.Scalar>, _ p: UnsafePointer<V.Scalar>,
  _ q: UnsafePointer<V.Scalar>, _ first: Int, _ count: Int, _ exists: InlineArray<TAPROWS, Bool>,
  _ acc: inout InlineArray<TAPROWS, InlineArray<TAPS, V>>, _: V.Type, _: L.Type, _: B.Type, _: Count<MC>.Type,
  _: Count<STRIDE>.Type
) {
  var gradients = InlineArray<MC, V>(repeating: V.zero)
  for j in 0..<MC { gradients[j] = L.load(q + j &* lines.dyPitch, count, V.self) }
  for r in 0..<TAPROWS where exists[r] {
    // Pinned for the sake of address registers.
    let from = p + apus_pin_integer(r &* lines.rowPitch)
    let first = apus_pin_integer(first)
    if STRIDE == 0 {
      for j in 0..<MC {
        let at = j &* lines.stride
        let x = L.load(
          B.pointer(from + at &* columns.pitch, j, MC, first &+ at, columns.width, columns.zeros), count, V.self)
        acc[r][0] = V.multiplyAdd(acc[r][0], x, gradients[j])
      }
    } else {
      let reach = (MC - 1) * STRIDE + TAPS
      var at = apus_pin_integer(0)
      for i in 0..<reach {
        let x = L.load(B.pointer(from + at, i, reach, first &+ i, columns.width, columns.zeros), count, V.self)
        at = apus_pin_integer(at &+ columns.pitch)
        for t in 0..<TAPS where i - t >= 0 && (i - t) % max(1, STRIDE) == 0 && (i - t) / max(1, STRIDE) < MC {
          acc[r][t] = V.multiplyAdd(acc[r][t], x, gradients[(i - t) / max(1, STRIDE)])
        }
      }
    }
  }
}

#if APUS_32_REGISTERS
  /// The same for all taps of a 3x3 kernel of stride 1 and two lines at once, which share rows of the source; `positions`
  /// of them, in groups of MC. Products go by groups, and in a group by lines.
  @inline(never)
  func depthwiseGradientPair<let MC: Int, V: KernelVector>(
    _ shape: UnsafePointer<DepthwiseShape>, _ source: UnsafePointer<V.Scalar>, _ sums: UnsafeMutablePointer<V.Scalar>,
    _ dy: UnsafePointer<V.Scalar>, _ row: Int, _ positions: Range<Int>, _ channels: Range<Int>, _: V.Type,
    _: Count<MC>.Type
  ) {
    let zeros = shape.pointee.zeros.assumingMemoryBound(to: V.Scalar.self)
    let columns: DepthwiseColumns<V.Scalar> = (
      shape.pointee.column, shape.pointee.sourceWidth, shape.pointee.pixelPitch, zeros
    )
    let rowPitch = shape.pointee.rowPitch
    let pitch = shape.pointee.resultPixelPitch
    let below = dy + shape.pointee.resultRowPitch
    let next = shape.pointee.isLarge ? MC &* columns.pitch : 0
    var channel = channels.lowerBound
    while channel < channels.upperBound {
      let w = sums + channel / V.lanes &* shape.pointee.weightPitch
      var acc = nineZeros(V.self)
      for t in 0..<9 { acc[t] = V.load(UnsafePointer(w + t &* V.lanes)) }
      var position = positions.lowerBound
      while position < positions.upperBound {
        let at = columns.first &+ position
        var gradient = apus_pin_integer(position &* pitch &+ channel)
        var upper = InlineArray<MC, V>(repeating: V.zero)
        var lower = InlineArray<MC, V>(repeating: V.zero)
        for j in 0..<MC {
          upper[j] = V.load(dy + gradient)
          lower[j] = V.load(below + gradient)
          gradient = apus_pin_integer(gradient &+ pitch)
        }
        // Row by row as instances of their own: a loop over them leaves dy in memory.
        let p = source + (row &* rowPitch &+ at &* columns.pitch &+ channel)
        let rows: GradientRows<V.Scalar> = (p, rowPitch, row, shape.pointee.sourceHeight, at)
        addRow(columns, rows, next, upper, lower, &acc, V.self, Count<0>.self)
        addRow(columns, rows, next, upper, lower, &acc, V.self, Count<1>.self)
        addRow(columns, rows, next, upper, lower, &acc, V.self, Count<2>.self)
        addRow(columns, rows, next, upper, lower, &acc, V.self, Count<3>.self)
        position &+= MC
      }
      for t in 0..<9 { acc[t].store(w + t &* V.lanes) }
      channel &+= V.lanes
    }
  }

  /// First element, row pitch, row, rows of the source, column.
  private typealias GradientRows<S> = (p: UnsafePointer<S>, pitch: Int, row: Int, height: Int, column: Int)

  /// The products of row R of those that two lines meet; of the group `next` elements on it fetches its own.
  @inline(__always)
  private func addRow<let R: Int, let MC: Int, V: KernelVector>(
    _ columns: DepthwiseColumns<V.Scalar>, _ rows: GradientRows<V.Scalar>, _ next: Int, _ upper: InlineArray<MC, V>,
    _ lower: InlineArray<MC, V>, _ acc: inout InlineArray<9, V>, _: V.Type, _: Count<R>.Type
  ) {
    if rows.row &+ R < 0 || rows.row &+ R >= rows.height { return }
    let first = apus_pin_integer(rows.column)
    let count = MC + 2
    // One running offset, pinned: else every column's would be kept through the loop, on the stack.
    var at = apus_pin_integer(R &* rows.pitch)
    for i in 0..<count {
      let x = V.load(EdgeColumns.pointer(rows.p + at, i, count, first &+ i, columns.width, columns.zeros))
      // Without a condition, which would be a branch for each.
      if i >= 2 { apus_prefetch_second_level(rows.p + (at &+ next)) }
      at = apus_pin_integer(at &+ columns.pitch)
      for t in 0..<3 where i - t >= 0 && i - t < MC {
        let j = i - t
        if R < 3 { acc[3 * min(R, 2) + t] = V.multiplyAdd(acc[3 * min(R, 2) + t], x, upper[j]) }
        if R >= 1 {
          acc[3 * max(R - 1, 0) + t] = V.multiplyAdd(acc[3 * max(R - 1, 0) + t], x, lower[j])
        }
      }
    }
  }

  /// The same for seven lines and groups of seven positions with a stride of 1: dy of the three lines that a row of the
  /// source meets stays in registers beside the nine sums, and every element of a group's source is loaded once. Products
  /// go by groups, and in a group by rows of the source.
  @inline(never)
  func depthwiseGradientBlock<V: KernelVector>(
    _ shape: UnsafePointer<DepthwiseShape>, _ source: UnsafePointer<V.Scalar>, _ sums: UnsafeMutablePointer<V.Scalar>,
    _ dy: UnsafePointer<V.Scalar>, _ row: Int, _ position: Int, _ channels: Range<Int>,
    _ ahead: UnsafeMutablePointer<V.Scalar>?, _: V.Type
  ) {
    let zeros = shape.pointee.zeros.assumingMemoryBound(to: V.Scalar.self)
    let columns: DepthwiseColumns<V.Scalar> = (
      shape.pointee.column, shape.pointee.sourceWidth, shape.pointee.pixelPitch, zeros
    )
    let lines: BlockLines = (shape.pointee.resultPixelPitch, shape.pointee.resultRowPitch, shape.pointee.isLarge)
    let at = columns.first &+ position
    var channel = channels.lowerBound
    if let ahead {
      for i in 0..<7 {
        for j in 0..<7 {
          V.load(dy + (channel &+ i &* lines.line &+ (position &+ j) &* lines.pixel))
            .store(ahead + (i &* 7 &+ j) &* V.lanes)
        }
      }
    }
    while channel < channels.upperBound {
      let w = sums + channel / V.lanes &* shape.pointee.weightPitch
      var acc = nineZeros(V.self)
      for t in 0..<9 { acc[t] = V.load(UnsafePointer(w + t &* V.lanes)) }
      let q = dy + apus_pin_integer(position &* lines.pixel &+ channel)
      let p = source + (row &* shape.pointee.rowPitch &+ at &* columns.pitch &+ channel)
      let rows: GradientRows<V.Scalar> = (p, shape.pointee.rowPitch, row, shape.pointee.sourceHeight, at)
      let next = channel &+ V.lanes < channels.upperBound ? V.lanes : 0
      var gradients = blockZeros(V.self)
      addBlockRow(columns, rows, lines, q, ahead, next, &gradients, &acc, V.self, Count<0>.self)
      addBlockRow(columns, rows, lines, q, ahead, next, &gradients, &acc, V.self, Count<1>.self)
      addBlockRow(columns, rows, lines, q, ahead, next, &gradients, &acc, V.self, Count<2>.self)
      addBlockRow(columns, rows, lines, q, ahead, next, &gradients, &acc, V.self, Count<3>.self)
      addBlockRow(columns, rows, lines, q, ahead, next, &gradients, &acc, V.self, Count<4>.self)
      addBlockRow(columns, rows, lines, q, ahead, next, &gradients, &acc, V.self, Count<5>.self)
      addBlockRow(columns, rows, lines, q, ahead, next, &gradients, &acc, V.self, Count<6>.self)
      addBlockRow(columns, rows, lines, q, ahead, next, &gradients, &acc, V.self, Count<7>.self)
      addBlockRow(columns, rows, lines, q, ahead, next, &gradients, &acc, V.self, Count<8>.self)
      for t in 0..<9 { acc[t].store(w + t &* V.lanes) }
      channel &+= V.lanes
    }
  }

  /// From one position of dy to the next, from one line to the next, and whether the next block is fetched ahead.
  private typealias BlockLines = (pixel: Int, line: Int, fetchesAhead: Bool)

  /// The products of row R of a block's source with the lines R - 2 to R, the last of which it loads: from dy, or from
  /// `ahead`, where the vector of channels before left it, and where this leaves the next, `next` elements on.
  @inline(__always)
  private func addBlockRow<let R: Int, V: KernelVector>(
    _ columns: DepthwiseColumns<V.Scalar>, _ rows: GradientRows<V.Scalar>, _ lines: BlockLines,
    _ dy: UnsafePointer<V.Scalar>, _ ahead: UnsafeMutablePointer<V.Scalar>?, _ next: Int,
    _ gradients: inout InlineArray<3, InlineArray<7, V>>, _ acc: inout InlineArray<9, V>, _: V.Type, _: Count<R>.Type
  ) {
    if R < 7 {
      var from = apus_pin_integer(R &* lines.line)
      if let ahead {
        let slot = ahead + R &* 7 &* V.lanes
        for j in 0..<7 { gradients[R % 3][j] = V.load(UnsafePointer(slot) + j &* V.lanes) }
        // The last vector has none after it, and loads its own again.
        from = apus_pin_integer(from &+ next)
        for j in 0..<7 {
          V.load(dy + from).store(slot + j &* V.lanes)
          from = apus_pin_integer(from &+ lines.pixel)
        }
      } else {
        for j in 0..<7 {
          gradients[R % 3][j] = V.load(dy + from)
          from = apus_pin_integer(from &+ lines.pixel)
        }
      }
      if lines.fetchesAhead {
        for _ in 7..<14 {
          apus_prefetch_second_level(dy + from)
          from = apus_pin_integer(from &+ lines.pixel)
        }
      }
    }
    if rows.row &+ R < 0 || rows.row &+ R >= rows.height { return }
    let first = apus_pin_integer(rows.column)
    // One running offset, as above.
    var at = apus_pin_integer(R &* rows.pitch)
    for i in 0..<9 {
      let x = V.load(EdgeColumns.pointer(rows.p + at, i, 9, first &+ i, columns.width, columns.zeros))
      at = apus_pin_integer(at &+ columns.pitch)
      for t in 0..<3 where i - t >= 0 && i - t < 7 {
        for tapRow in 0..<3 where R - tapRow >= 0 && R - tapRow < 7 {
          let a = 3 * tapRow + t
          acc[a] = V.multiplyAdd(acc[a], x, gradients[(R + 3 - tapRow) % 3][i - t])
        }
      }
    }
    if lines.fetchesAhead {
      for _ in 9..<16 {
        apus_prefetch_second_level(rows.p + at)
        at = apus_pin_integer(at &+ columns.pitch)
      }
    }
  }

  /// Positions of a line that bands, or pairs of lines, take together, from the first one on.
  private func sharedPositions(_ s: DepthwiseShape, _ isBand: Bool) -> Int {
    if isBand {
      let done = s.columns >= DepthwiseBand.positions ? s.columns &- s.columns % DepthwiseBand.positions : 0
      let all = done &+ (s.columns &- done) / 4 &* 4
      return depthwiseBandFits(s, s.column, all) ? all : 0
    }
    let isThree =
      s.widthTaps == 3 && s.heightTaps == 3 && s.heightStep == 1 && s.widthStep == 1 && s.rowStride == 1
      && s.columnStride == 1
    let done = s.columns % 7 == 0 ? s.columns : s.columns & ~3
    // All columns but the first and the last of a group must exist.
    let fits = s.column >= -1 && s.column &+ done &+ 1 <= s.sourceWidth
    return isThree && fits ? done : 0
  }
#endif

/// All taps of some lines: by bands, blocks or pairs of lines, and what these leave of a line, line by line.
@inline(__always)
func depthwiseGradient<V: KernelVector>(
  _ shape: UnsafePointer<DepthwiseShape>, _ source: UnsafePointer<V.Scalar>, _ sums: UnsafeMutablePointer<V.Scalar>,
  _ dy: UnsafePointer<V.Scalar>, _: V.Type
) {
  let s = shape.pointee
  var line = 0
  while line < s.lines {
    let row = s.row &+ line &* s.rowStride
    let from = dy + line &* s.resultRowPitch
    var shared = 0
    var lines = 1
    #if APUS_32_REGISTERS
      let bandLines = s.channels >= V.lanes ? depthwiseBandLines(s, line) : 0
      if bandLines > 0 || line &+ 1 < s.lines && s.channels >= V.lanes { shared = sharedPositions(s, bandLines > 0) }
      let isBlock = bandLines == 0 && shared == s.columns && s.columns % 7 == 0 && line &+ 7 <= s.lines
      if shared > 0 { lines = bandLines > 0 ? bandLines : isBlock ? 7 : 2 }
    #endif
    for depthTap in s.firstDepthTap..<s.endDepthTap {
      let slice = source + (s.slice &+ depthTap &* s.depthStep) &* s.slicePitch
      let to = sums + depthTap &* s.heightTaps &* s.widthTaps &* V.lanes
      #if APUS_32_REGISTERS
        let whole = 0..<s.channels / V.lanes &* V.lanes
        let ahead = sharesSets(shape, source, dy, V.self) ? s.waiting?.assumingMemoryBound(to: V.Scalar.self) : nil
        var position = 0
        while position < shared {
          if bandLines > 0 {
            let count = DepthwiseBand.positions(shared &- position)
            depthwiseBand(
              shape, slice, to, UnsafeMutablePointer(mutating: from + position &* s.resultPixelPitch), lines, row,
              s.column &+ 2 &* position, count, true, V.self)
            position &+= count
          } else if isBlock {
            depthwiseGradientBlock(shape, slice, to, from, row, position, whole, ahead, V.self)
            position &+= 7
          } else {
            if s.columns % 7 == 0 {
              depthwiseGradientPair(shape, slice, to, from, row, 0..<shared, whole, V.self, Count<7>.self)
            } else {
              depthwiseGradientPair(shape, slice, to, from, row, 0..<shared, whole, V.self, Count<4>.self)
            }
            position = shared
          }
        }
      #endif
      for i in 0..<lines {
        gradientLine(shape, slice, to, from + i &* s.resultRowPitch, row &+ i &* s.rowStride, shared, V.self)
      }
    }
    line &+= lines
  }
}

/// All taps of a line in height and width; whole vectors of channels from position `start` on.
@inline(__always)
private func gradientLine<V: KernelVector>(
  _ shape: UnsafePointer<DepthwiseShape>, _ source: UnsafePointer<V.Scalar>, _ sums: UnsafeMutablePointer<V.Scalar>,
  _ dy: UnsafePointer<V.Scalar>, _ row: Int, _ start: Int, _: V.Type
) {
  let s = shape.pointee
  let neighbours = s.widthStep == 1 && (s.columnStride == 1 || s.columnStride == 2)
  let whole = neighbours ? s.channels / V.lanes &* V.lanes : 0
  var rowTap = 0
  while rowTap < s.heightTaps {
    let rowTaps = rowTap &+ 3 <= s.heightTaps ? 3 : 1
    if whole > 0 && start < s.columns {
      var tap = 0
      while tap < s.widthTaps {
        let taps = min(3, s.widthTaps &- tap)
        if s.columnStride == 1 {
          gradientOf(shape, source, sums, dy, row, rowTap, rowTaps, tap, taps, start, 0..<whole, V.self, Count<1>.self)
        } else {
          gradientOf(shape, source, sums, dy, row, rowTap, rowTaps, tap, taps, start, 0..<whole, V.self, Count<2>.self)
        }
        tap &+= taps
      }
    }
    if whole < s.channels {
      for tap in 0..<s.widthTaps {
        let (c, l, o, z) = (whole..<s.channels, PartialLastVector.self, Count<1>.self, Count<0>.self)
        if rowTaps == 3 {
          depthwiseGradientLine(shape, source, sums, dy, row, rowTap, tap, 0, c, V.self, l, Count<3>.self, o, z)
        } else {
          depthwiseGradientLine(shape, source, sums, dy, row, rowTap, tap, 0, c, V.self, l, o, o, z)
        }
      }
    }
    rowTap &+= rowTaps
  }
}

@inline(__always)
private func gradientOf<let STRIDE: Int, V: KernelVector>(
  _ shape: UnsafePointer<DepthwiseShape>, _ source: UnsafePointer<V.Scalar>, _ sums: UnsafeMutablePointer<V.Scalar>,
  _ dy: UnsafePointer<V.Scalar>, _ row: Int, _ rowTap: Int, _ rowTaps: Int, _ tap: Int, _ taps: Int, _ start: Int,
  _ channels: Range<Int>, _: V.Type, _ stride: Count<STRIDE>.Type
) {
  let (v, l) = (V.self, WholeLastVector.self)
  let (one, two, three) = (Count<1>.self, Count<2>.self, Count<3>.self)
  switch (rowTaps, taps) {
  case (3, 3):
    depthwiseGradientLine(shape, source, sums, dy, row, rowTap, tap, start, channels, v, l, three, three, stride)
  case (3, 2):
    depthwiseGradientLine(shape, source, sums, dy, row, rowTap, tap, start, channels, v, l, three, two, stride)
  case (3, 1):
    depthwiseGradientLine(shape, source, sums, dy, row, rowTap, tap, start, channels, v, l, three, one, stride)
  case (_, 3):
    depthwiseGradientLine(shape, source, sums, dy, row, rowTap, tap, start, channels, v, l, one, three, stride)
  case (_, 2): depthwiseGradientLine(shape, source, sums, dy, row, rowTap, tap, start, channels, v, l, one, two, stride)
  default: depthwiseGradientLine(shape, source, sums, dy, row, rowTap, tap, start, channels, v, l, one, one, stride)
  }
}
