import ApusKernelInterface
import ApusShims

/// How a tile reads the columns of its source.
protocol ColumnBounds {
  /// Where column `index` of `count` neighbours lies, which is column `column` of the source: at `p`, or, where there is
  /// no such column, at a vector of zeros.
  static func pointer<S>(
    _ p: UnsafePointer<S>, _ index: Int, _ count: Int, _ column: Int, _ width: Int, _ zeros: UnsafePointer<S>
  ) -> UnsafePointer<S>
}
/// All exist.
enum InnerColumns: ColumnBounds {
  @inline(__always) static func pointer<S>(
    _ p: UnsafePointer<S>, _ index: Int, _ count: Int, _ column: Int, _ width: Int, _ zeros: UnsafePointer<S>
  ) -> UnsafePointer<S> { p }
}
/// All but the first and the last exist: inside, and at the borders of a 3x3 kernel with a padding of 1.
enum EdgeColumns: ColumnBounds {
  @inline(__always) static func pointer<S>(
    _ p: UnsafePointer<S>, _ index: Int, _ count: Int, _ column: Int, _ width: Int, _ zeros: UnsafePointer<S>
  ) -> UnsafePointer<S> {
    index == 0 || index == count - 1
      ? BorderColumns.pointer(p, index, count, column, width, zeros) : p
  }
}
/// Any may be padding. A choice between two pointers costs no branch, and two of them in a row are free beside the
/// multiply-adds: borders need neither code of their own nor a padded copy.
enum BorderColumns: ColumnBounds {
  @inline(__always) static func pointer<S>(
    _ p: UnsafePointer<S>, _ index: Int, _ count: Int, _ column: Int, _ width: Int, _ zeros: UnsafePointer<S>
  ) -> UnsafePointer<S> { UInt(bitPattern: column) < UInt(bitPattern: width) ? p : zeros }
}

/// First column of a tile, columns and pixel pitch of the source, zeros: a struct would be the set's own type.
typealias DepthwiseColumns<S> = (first: Int, width: Int, pitch: Int, zeros: UnsafePointer<S>)

/// A tile of two lines x MC positions of a 3x3 kernel with the same stride in both directions, for every whole vector of
/// the channels. The nine weights and the sums stay in registers, and every element of the source is loaded once.
@inline(never)
func depthwisePair<let MC: Int, let STRIDE: Int, V: KernelVector, B: ColumnBounds>(
  _ shape: UnsafePointer<DepthwiseShape>, _ source: UnsafePointer<V.Scalar>, _ weights: UnsafePointer<V.Scalar>,
  _ result: UnsafeMutablePointer<V.Scalar>, _ row: Int, _ column: Int, _: V.Type, _: B.Type, _: Count<MC>.Type,
  _: Count<STRIDE>.Type
) {
  let zeros = shape.pointee.zeros.assumingMemoryBound(to: V.Scalar.self)
  let columns: DepthwiseColumns<V.Scalar> = (column, shape.pointee.sourceWidth, shape.pointee.pixelPitch, zeros)
  let rowPitch = shape.pointee.rowPitch
  let high = shape.pointee.sourceHeight &- row
  let pixel = shape.pointee.resultPixelPitch
  let accumulate = shape.pointee.accumulate
  let streams = streamsSums(result, shape.pointee.isLarge && !accumulate, pixel, V.self)
  let whole = shape.pointee.channels &- V.lanes
  var channel = 0
  var vectorWeights = weights
  let first = source + (row &* rowPitch &+ column &* columns.pitch)
  while channel <= whole {
    var upper = InlineArray<MC, V>(repeating: V.zero)
    var lower = InlineArray<MC, V>(repeating: V.zero)
    var depthTap = shape.pointee.firstDepthTap
    while depthTap < shape.pointee.endDepthTap {
      let slice = shape.pointee.slice &+ depthTap &* shape.pointee.depthStep
      let p = first + (channel &+ slice &* shape.pointee.slicePitch)
      let w = vectorWeights + depthTap &* 9 &* V.lanes
      var factors = InlineArray<9, V>(repeating: V.zero)
      for t in 0..<9 { factors[t] = V.load(w + t &* V.lanes) }
      for r in 0..<3 + STRIDE where row &+ r >= 0 && r < high {
        // Pinned, or the addresses of all rows' columns would be kept through the loop, on the stack.
        let from = p + apus_pin_integer(r &* rowPitch)
        let column = apus_pin_integer(columns.first)
        let count = (MC - 1) * STRIDE + 3
        // With a stride of 2 there are more columns than address registers, and they would be loaded early: one running
        // offset, and each column in a register when it is due.
        var at = 0
        for i in 0..<count {
          let offset = STRIDE > 1 ? at : i &* columns.pitch
          var x = V.load(B.pointer(from + offset, i, count, column &+ i, columns.width, columns.zeros))
          if STRIDE > 1 {
            x = V.pinned(x)
            at = apus_pin_integer(at &+ columns.pitch)
          }
          for t in 0..<3 where i - t >= 0 && (i - t) % STRIDE == 0 && (i - t) / STRIDE < MC {
            let j = (i - t) / STRIDE
            if r < 3 { upper[j] = V.multiplyAdd(upper[j], x, factors[min(8, 3 * r + t)]) }
            if r >= STRIDE { lower[j] = V.multiplyAdd(lower[j], x, factors[max(0, 3 * (r - STRIDE) + t)]) }
          }
        }
      }
      depthTap &+= 1
    }
    let q = result + channel
    storeSums(upper, q, pixel, accumulate, streams, V.self)
    storeSums(lower, q + shape.pointee.resultRowPitch, pixel, accumulate, streams, V.self)
    channel &+= V.lanes
    vectorWeights += shape.pointee.weightPitch
  }
}

/// A tile of one line x MC positions, for every whole vector of the channels: `taps` of the width are neighbours in the
/// source, and so are, STRIDE apart, positions. Three taps at a time stay in registers with the sums of the tile, and
/// every column of the source is loaded once for them.
@inline(never)
func depthwiseTile<let MC: Int, let STRIDE: Int, V: KernelVector, B: ColumnBounds>(
  _ shape: UnsafePointer<DepthwiseShape>, _ source: UnsafePointer<V.Scalar>, _ weights: UnsafePointer<V.Scalar>,
  _ result: UnsafeMutablePointer<V.Scalar>, _ row: Int, _ column: Int, _: V.Type, _: B.Type, _: Count<MC>.Type,
  _: Count<STRIDE>.Type
) {
  let taps = shape.pointee.widthTaps
  let rowTaps = shape.pointee.heightTaps
  let step = shape.pointee.heightStep
  let zeros = shape.pointee.zeros.assumingMemoryBound(to: V.Scalar.self)
  let columns: DepthwiseColumns<V.Scalar> = (column, shape.pointee.sourceWidth, shape.pointee.pixelPitch, zeros)
  let whole = shape.pointee.channels &- V.lanes
  let tapRow = taps &* V.lanes
  var channel = 0
  var vectorWeights = weights
  while channel <= whole {
    var sums = InlineArray<MC, V>(repeating: V.zero)
    var depthTap = shape.pointee.firstDepthTap
    while depthTap < shape.pointee.endDepthTap {
      let slice = shape.pointee.slice &+ depthTap &* shape.pointee.depthStep
      var p =
        source
        + (channel &+ slice &* shape.pointee.slicePitch &+ row &* shape.pointee.rowPitch
          &+ column &* columns.pitch)
      var w = vectorWeights + depthTap &* rowTaps &* tapRow
      var r = row
      for _ in 0..<rowTaps {
        if UInt(bitPattern: r) < UInt(bitPattern: shape.pointee.sourceHeight) {
          var tap = 0
          while tap &+ 3 <= taps {
            addTaps(columns, p, w, tap, &sums, V.self, B.self, Count<STRIDE>.self, Count<3>.self)
            tap &+= 3
          }
          if tap &+ 2 == taps {
            addTaps(columns, p, w, tap, &sums, V.self, B.self, Count<STRIDE>.self, Count<2>.self)
          } else if tap &+ 1 == taps {
            addTaps(columns, p, w, tap, &sums, V.self, B.self, Count<STRIDE>.self, Count<1>.self)
          }
        }
        r &+= step
        p += step &* shape.pointee.rowPitch
        w += tapRow
      }
      depthTap &+= 1
    }
    storeSums(sums, result + channel, shape.pointee.resultPixelPitch, shape.pointee.accumulate, false, V.self)
    channel &+= V.lanes
    vectorWeights += shape.pointee.weightPitch
  }
}

@inline(__always)
private func addTaps<let MC: Int, let STRIDE: Int, let TAPS: Int, V: KernelVector, B: ColumnBounds>(
  _ columns: DepthwiseColumns<V.Scalar>, _ p: UnsafePointer<V.Scalar>, _ w: UnsafePointer<V.Scalar>, _ tap: Int,
  _ sums: inout InlineArray<MC, V>, _: V.Type, _: B.Type, _: Count<STRIDE>.Type, _: Count<TAPS>.Type
) {
  var factors = InlineArray<TAPS, V>(repeating: V.zero)
  for t in 0..<TAPS { factors[t] = V.load(w + (tap &+ t) &* V.lanes) }
  // Pinned for the sake of address registers, as above.
  let from = p + apus_pin_integer(tap &* columns.pitch)
  let first = apus_pin_integer(columns.first &+ tap)
  let count = (MC - 1) * STRIDE + TAPS
  for i in 0..<count {
    let x = V.load(B.pointer(from + i &* columns.pitch, i, count, first &+ i, columns.width, columns.zeros))
    for t in 0..<TAPS where i - t >= 0 && (i - t) % STRIDE == 0 && (i - t) / STRIDE < MC {
      sums[(i - t) / STRIDE] = V.multiplyAdd(sums[(i - t) / STRIDE], x, factors[t])
    }
  }
}

@inline(__always)
func storeSums<let MC: Int, V: KernelVector>(
  _ sums: InlineArray<MC, V>, _ result: UnsafeMutablePointer<V.Scalar>, _ pixel: Int, _ accumulate: Bool,
  _ streams: Bool, _: V.Type
) {
  if streams {
    for j in 0..<MC { sums[j].stream(result + j &* pixel) }
  } else if accumulate {
    for j in 0..<MC { (V.load(result + j &* pixel) + sums[j]).store(result + j &* pixel) }
  } else {
    for j in 0..<MC { sums[j].store(result + j &* pixel) }
  }
}

/// Whether whole vectors of a result may go past the caches: all of them are aligned.
@inline(__always)
func streamsSums<V: KernelVector>(
  _ result: UnsafeMutablePointer<V.Scalar>, _ wanted: Bool, _ pixel: Int, _: V.Type
) -> Bool {
  wanted && pixel % V.lanes == 0 && Int(bitPattern: result) % MemoryLayout<V>.size == 0
}

/// A tile of one line x MC positions over any taps and strides: every product loads its source. `channels` from
/// `channel` on, the last vector only as far as they go.
@inline(never)
func depthwiseAnyTile<let MC: Int, V: KernelVector, L: LastVector>(
  _ shape: UnsafePointer<DepthwiseShape>, _ source: UnsafePointer<V.Scalar>, _ weights: UnsafePointer<V.Scalar>,
  _ result: UnsafeMutablePointer<V.Scalar>, _ row: Int, _ column: Int, _ channels: Range<Int>, _: V.Type, _: L.Type,
  _: Count<MC>.Type
) {
  let zeros = shape.pointee.zeros.assumingMemoryBound(to: V.Scalar.self)
  let pitch = shape.pointee.pixelPitch
  let width = shape.pointee.sourceWidth
  let stride = shape.pointee.columnStride
  let multiplier = shape.pointee.multiplier
  var channel = channels.lowerBound
  while channel < channels.upperBound {
    let count = min(V.lanes, channels.upperBound &- channel)
    var sums = InlineArray<MC, V>(repeating: V.zero)
    let vectorWeights = weights + channel / V.lanes &* shape.pointee.weightPitch
    for depthTap in shape.pointee.firstDepthTap..<shape.pointee.endDepthTap {
      let slice = source + (shape.pointee.slice &+ depthTap &* shape.pointee.depthStep) &* shape.pointee.slicePitch
      for rowTap in 0..<shape.pointee.heightTaps {
        let r = row &+ rowTap &* shape.pointee.heightStep
        if r < 0 || r >= shape.pointee.sourceHeight { continue }
        let p = slice + (r &* shape.pointee.rowPitch &+ channel)
        let taps = shape.pointee.widthTaps
        var w = vectorWeights + (depthTap &* shape.pointee.heightTaps &+ rowTap) &* taps &* multiplier &* V.lanes
        for tap in 0..<taps {
          let first = column &+ tap &* shape.pointee.widthStep
          for i in 0..<multiplier {
            let factor = V.load(w)
            w += V.lanes
            for j in 0..<MC {
              let at = first &+ j &* stride
              let from = BorderColumns.pointer(
                p + (at &* pitch &+ i &* shape.pointee.multiplierPitch), j, MC, at, width, zeros)
              sums[j] = V.multiplyAdd(sums[j], L.load(from, count, V.self), factor)
            }
          }
        }
      }
    }
    for j in 0..<MC {
      let q = result + (j &* shape.pointee.resultPixelPitch &+ channel)
      if shape.pointee.accumulate { sums[j] += L.load(UnsafePointer(q), count, V.self) }
      L.store(sums[j], q, count)
    }
    channel &+= V.lanes
  }
}

extension LastVector {
  @inline(__always) static func store<V: KernelVector>(_ x: V, _ p: UnsafeMutablePointer<V.Scalar>, _ count: Int) {
    if Self.self == WholeLastVector.self { x.store(p) } else { x.store(p, first: count) }
  }
}

/// Positions that a tile takes at most: with two lines their sums, six weights and a column of the source fit the
/// registers.
#if APUS_32_REGISTERS
  private typealias DepthwisePositions = Count<8>
#else
  private typealias DepthwisePositions = Count<4>
#endif

/// All positions of some lines, by bands, pairs of lines or line by line. Positions go from left to right, and all
/// channels of a tile before the next, so that every stretch of channels is read in one go.
@inline(__always)
func depthwiseLines<V: KernelVector>(
  _ shape: UnsafePointer<DepthwiseShape>, _ source: UnsafePointer<V.Scalar>, _ weights: UnsafePointer<V.Scalar>,
  _ result: UnsafeMutablePointer<V.Scalar>, _: V.Type
) {
  let s = shape.pointee
  let neighbours =
    s.multiplier == 1 && (s.widthStep == 1 || s.widthTaps <= 1) && (s.columnStride == 1 || s.columnStride == 2)
  let isThree =
    neighbours && s.widthTaps == 3 && s.heightTaps == 3 && s.heightStep == 1 && s.rowStride == s.columnStride
  let whole = s.channels / V.lanes &* V.lanes
  let reach = (max(1, s.widthTaps) &- 1) &* s.widthStep
  let most = s.columns % 7 == 0 ? min(7, DepthwisePositions.value) : DepthwisePositions.value
  let slices = s.endDepthTap &- s.firstDepthTap
  let hasBands = whole > 0 && slices == 1 && bandsPay(s, V.self)
  var line = 0
  while line < s.lines {
    let row = s.row &+ line &* s.rowStride
    let shared = hasBands ? depthwiseBandPositions(s) : 0
    let bandLines = shared > 0 ? depthwiseBandLines(s, line) : 0
    let lines = max(bandLines, isThree && line &+ 1 < s.lines ? 2 : 1)
    var position = 0
    if bandLines > 0 {
      let slice = source + (s.slice &+ s.firstDepthTap &* s.depthStep) &* s.slicePitch
      let w = UnsafeMutablePointer(mutating: weights + s.firstDepthTap &* 9 &* V.lanes)
      depthwiseBand(shape, slice, w, result + line &* s.resultRowPitch, lines, row, shared, false, V.self)
      if whole == s.channels { position = shared }
    }
    while position < s.columns {
      let left = s.columns &- position
      let column = s.column &+ position &* s.columnStride
      let to = result + (line &* s.resultRowPitch &+ position &* s.resultPixelPitch)
      let isDone = bandLines > 0 && position < shared
      let count = isDone ? min(most, shared &- position) : left >= most ? most : left >= 4 ? 4 : 1
      if isDone {
        // Bands have all but the channels behind the last whole vector.
      } else if neighbours && whole > 0 {
        let margin = s.widthTaps <= 3 ? 1 : 0
        let isInner =
          column &+ margin >= 0 && column &+ (count &- 1) &* s.columnStride &+ reach &- margin < s.sourceWidth
        switch (s.columnStride, isThree && lines == 2 && count > 1) {
        case (1, true): pairOf(shape, source, weights, to, row, column, count, isInner, V.self, Count<1>.self)
        case (2, true): pairOf(shape, source, weights, to, row, column, count, isInner, V.self, Count<2>.self)
        default:
          for i in 0..<lines {
            let (r, q) = (row &+ i &* s.rowStride, to + i &* s.resultRowPitch)
            if s.columnStride == 1 {
              tileOf(shape, source, weights, q, r, column, count, isInner, V.self, Count<1>.self)
            } else {
              tileOf(shape, source, weights, q, r, column, count, isInner, V.self, Count<2>.self)
            }
          }
        }
      } else if whole > 0 {
        for i in 0..<lines {
          anyTile(
            shape, source, weights, to + i &* s.resultRowPitch, row &+ i &* s.rowStride, column, 0..<whole, count,
            V.self, WholeLastVector.self)
        }
      }
      if whole < s.channels {
        for i in 0..<lines {
          anyTile(
            shape, source, weights, to + i &* s.resultRowPitch, row &+ i &* s.rowStride, column, whole..<s.channels,
            count, V.self, PartialLastVector.self)
        }
      }
      position &+= count
    }
    line &+= lines
  }
  if s.isLarge { apus_stream_fence() }
}

/// Whether bands beat pairs of lines, which read their rows once for all taps: of enough lines for what a band's neighbours
/// read again, and, with a stride of 2, where pixels lie so far apart that a tile's share few sets of the first-level cache,
/// or past the caches.
@inline(__always)
private func bandsPay<V: KernelVector>(_ s: DepthwiseShape, _: V.Type) -> Bool {
  let isAliased = s.pixelPitch &* MemoryLayout<V.Scalar>.size % 512 == 0
  return s.lines >= 6 && (s.columnStride == 1 || isAliased || s.isLarge)
}

/// `count` positions of two lines over whole vectors of channels.
@inline(__always)
private func pairOf<let STRIDE: Int, V: KernelVector>(
  _ shape: UnsafePointer<DepthwiseShape>, _ source: UnsafePointer<V.Scalar>, _ weights: UnsafePointer<V.Scalar>,
  _ result: UnsafeMutablePointer<V.Scalar>, _ row: Int, _ column: Int, _ count: Int, _ isInner: Bool, _: V.Type,
  _ stride: Count<STRIDE>.Type
) {
  let (v, inner, border) = (V.self, EdgeColumns.self, BorderColumns.self)
  switch (count, isInner) {
  case (4, true): depthwisePair(shape, source, weights, result, row, column, v, inner, Count<4>.self, stride)
  case (4, false): depthwisePair(shape, source, weights, result, row, column, v, border, Count<4>.self, stride)
  #if APUS_32_REGISTERS
    case (7, true): depthwisePair(shape, source, weights, result, row, column, v, inner, Count<7>.self, stride)
    case (7, false): depthwisePair(shape, source, weights, result, row, column, v, border, Count<7>.self, stride)
    case (8, true): depthwisePair(shape, source, weights, result, row, column, v, inner, Count<8>.self, stride)
    case (8, false): depthwisePair(shape, source, weights, result, row, column, v, border, Count<8>.self, stride)
  #endif
  default: break
  }
}

/// `count` positions of a line over whole vectors of channels.
@inline(__always)
private func tileOf<let STRIDE: Int, V: KernelVector>(
  _ shape: UnsafePointer<DepthwiseShape>, _ source: UnsafePointer<V.Scalar>, _ weights: UnsafePointer<V.Scalar>,
  _ result: UnsafeMutablePointer<V.Scalar>, _ row: Int, _ column: Int, _ count: Int, _ isInner: Bool, _: V.Type,
  _ stride: Count<STRIDE>.Type
) {
  let (v, inner, border) = (V.self, EdgeColumns.self, BorderColumns.self)
  switch (count, isInner) {
  case (1, _): depthwiseTile(shape, source, weights, result, row, column, v, border, Count<1>.self, stride)
  case (4, true): depthwiseTile(shape, source, weights, result, row, column, v, inner, Count<4>.self, stride)
  case (4, false): depthwiseTile(shape, source, weights, result, row, column, v, border, Count<4>.self, stride)
  #if APUS_32_REGISTERS
    case (7, true): depthwiseTile(shape, source, weights, result, row, column, v, inner, Count<7>.self, stride)
    case (7, false): depthwiseTile(shape, source, weights, result, row, column, v, border, Count<7>.self, stride)
    case (8, true): depthwiseTile(shape, source, weights, result, row, column, v, inner, Count<8>.self, stride)
    case (8, false): depthwiseTile(shape, source, weights, result, row, column, v, border, Count<8>.self, stride)
  #endif
  default: break
  }
}

/// `count` positions, whatever the taps.
@inline(__always)
private func anyTile<V: KernelVector, L: LastVector>(
  _ shape: UnsafePointer<DepthwiseShape>, _ source: UnsafePointer<V.Scalar>, _ weights: UnsafePointer<V.Scalar>,
  _ result: UnsafeMutablePointer<V.Scalar>, _ row: Int, _ column: Int, _ channels: Range<Int>, _ count: Int, _: V.Type,
  _: L.Type
) {
  let pitch = shape.pointee.resultPixelPitch
  let stride = shape.pointee.columnStride
  var done = 0
  while done &+ 4 <= count {
    depthwiseAnyTile(
      shape, source, weights, result + done &* pitch, row, column &+ done &* stride, channels, V.self, L.self,
      Count<4>.self)
    done &+= 4
  }
  while done < count {
    depthwiseAnyTile(
      shape, source, weights, result + done &* pitch, row, column &+ done &* stride, channels, V.self, L.self,
      Count<1>.self)
    done &+= 1
  }
}
