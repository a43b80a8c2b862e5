import ApusKernelInterface

/// y (unless nil) and indices of a maximum over planes, the lanes along the width: taps in the order of the input, as in
/// the general kernel. Where windows hang over an end, rows are copied between paddings of -infinity, which no window ever
/// takes: it starts with the position of its first element.
@inline(never)
func poolPlanesWithIndices<V: KernelVector>(
  _ s: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ row: Int, _ rows: Int, _: V.Type
) {
  typealias Scalar = V.Scalar
  typealias Bits = V.MaskStorage
  guard let xBase = operands.pointee.x, let indices = operands.pointee.indices,
    let scratchBase = operands.pointee.scratch
  else { return }
  let x = UnsafePointer(xBase.assumingMemoryBound(to: Scalar.self))
  let y = operands.pointee.y?.assumingMemoryBound(to: Scalar.self)
  let scratch = scratchBase.assumingMemoryBound(to: Scalar.self)
  let wide = s.pointee.indicesAreWide
  let pitch = s.pointee.pitch
  let width = s.pointee.width.input
  let columns = s.pointee.width.output
  let lead = s.pointee.width.padBefore
  let taps = s.pointee.width.window
  let stride = s.pointee.width.stride
  let dilation = s.pointee.width.dilation
  let isWhole = s.pointee.widthsAreWhole
  // Row 0 of scratch: where each window's first element lies.
  let firsts = scratchBase.assumingMemoryBound(to: Bits.Scalar.self)
  for w in 0..<columns { firsts[w] = Bits.Scalar(truncatingIfNeeded: s.pointee.width.windows[w].first) }
  // Where the windows of one vector begin, padding counted.
  let iota = unsafeBitCast(indexBits(from: 0, by: stride, V.self), to: Bits.self)
  let lines = scratch + pitch
  if !isWhole {
    let slots = s.pointee.depth.window &* s.pointee.height.window
    for i in 0..<slots {
      fill(lines + i &* pitch, lead, V(repeating: -Scalar.infinity))
      fill(lines + (i &* pitch &+ lead &+ width), pitch &- lead &- width, V(repeating: -Scalar.infinity))
    }
  }
  var place = splitRow(row, s.pointee.depth.output, s.pointee.height.output)
  for r in row..<row &+ rows {
    let window = windowRows(s, place)
    advance(&place, s.pointee.depth.output, s.pointee.height.output)
    if !isWhole {
      var line = lines + lead
      for d in 0..<window.slices {
        for h in 0..<window.rows {
          let from = x + (window.first &+ d &* window.sliceStep &+ h &* window.rowStep)
          var i = 0
          while i &+ V.lanes <= width {
            V.load(from + i).store(line + i)
            i = i &+ V.lanes
          }
          if i < width { V.load(from + i, first: width &- i).store(line + i, first: width &- i) }
          line += pitch
        }
      }
    }
    // Distances between rows and slices of what is read, and of positions.
    let base = isWhole ? x + window.first : UnsafePointer(lines)
    let rowStep = isWhole ? window.rowStep : pitch
    let sliceStep = isWhole ? window.sliceStep : window.rows &* pitch
    let position = (window.d &* s.pointee.height.input &+ window.h) &* width
    var w = 0
    while w < columns {
      let count = min(V.lanes, columns &- w)
      var best = V(repeating: -Scalar.infinity)
      var index = unsafeBitCast(
        UnsafeRawPointer(firsts + w).loadUnaligned(as: Bits.self)
          &+ Bits(repeating: Bits.Scalar(truncatingIfNeeded: position)), to: V.self)
      let start = iota &+ Bits(repeating: Bits.Scalar(truncatingIfNeeded: w &* stride &- lead))
      // A copy may be read past its end, the caller's row may not.
      let elements = (count &- 1) &* stride &+ 1
      let isSafe = !isWhole || count == V.lanes && w &* stride &+ stride &* V.lanes &+ (taps &- 1) &* dilation <= width
      var d = 0
      while d < window.slices {
        var h = 0
        while h < window.rows {
          var p = base + (d &* sliceStep &+ h &* rowStep &+ w &* stride)
          let place = position &+ d &* window.sliceStep &+ h &* window.rowStep
          var at = start &+ Bits(repeating: Bits.Scalar(truncatingIfNeeded: place))
          var t = 0
          while t < taps {
            let value: V
            if stride == 1 {
              value = isSafe ? V.load(p) : V.load(p, first: elements)
            } else if isSafe {
              value = V.evenLanes(V.load(p), V.load(p + V.lanes))
            } else {
              let low = min(V.lanes, elements)
              value = V.evenLanes(V.load(p, first: low), V.load(p + low, first: elements &- low))
            }
            let bits = unsafeBitCast(at, to: V.self)
            index = V.select(index, bits, where: value, isNewMaximumOver: best)
            best = V.select(best, value, where: value, isNewMaximumOver: best)
            p += dilation
            at = at &+ Bits(repeating: Bits.Scalar(truncatingIfNeeded: dilation))
            t = counted(t)
          }
          h = counted(h)
        }
        d = counted(d)
      }
      let to = r &* columns &+ w
      if count == V.lanes {
        if let y { best.store(y + to) }
        index.storeIndices(indices, to, first: V.lanes, wide: wide)
      } else {
        if let y { best.store(y + to, first: count) }
        index.storeIndices(indices, to, first: count, wide: wide)
      }
      w = w &+ V.lanes
    }
  }
}
