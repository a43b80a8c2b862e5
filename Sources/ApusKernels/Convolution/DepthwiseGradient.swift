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

/// All taps of some lines: by bands, and what these leave of a line, line by line.
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
    var lines = 1
    var shared = 0
    #if APUS_32_REGISTERS
      let bandLines = s.channels >= V.lanes ? depthwiseBandLines(s, line) : 0
      if bandLines > 0 { shared = depthwiseBandPositions(s) }
      if shared > 0 { lines = bandLines }
    #endif
    for depthTap in s.firstDepthTap..<s.endDepthTap {
      let slice = source + (s.slice &+ depthTap &* s.depthStep) &* s.slicePitch
      let to = sums + depthTap &* s.heightTaps &* s.widthTaps &* V.lanes
      #if APUS_32_REGISTERS
        if shared > 0 {
          depthwiseBand(shape, slice, to, UnsafeMutablePointer(mutating: from), lines, row, shared, true, V.self)
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
