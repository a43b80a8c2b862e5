import ApusKernelInterface

// Backward over planes with the lanes along the width, a row of the input after the other: first what the rows of windows
// over it send back, element by element, into rows in scratch that stand between zeros; then each position takes the
// windows that cover it. An average's and a norm's taps all get the same; of a maximum, each tap has a row.

@inline(__always)
func gatherPlanes<V: KernelVector, Step: GatherStep>(
  _ s: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ row: Int, _ rows: Int, _: V.Type,
  _: Step.Type
) {
  typealias Scalar = V.Scalar
  guard let dxBase = operands.pointee.dx, let scratchBase = operands.pointee.scratch else { return }
  let dx = dxBase.assumingMemoryBound(to: Scalar.self)
  let accumulates = s.pointee.accumulates
  let pitch = s.pointee.pitch
  let width = s.pointee.width.input
  let columns = s.pointee.width.output
  let taps = s.pointee.width.window
  let stride = s.pointee.width.stride
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
  let outputHeight = s.pointee.height.output
  let outputPlane = s.pointee.depth.output &* outputHeight &* columns
  for r in row..<row &+ rows {
    let (sample, d, h) = splitRow(r, s.pointee.depth.input, s.pointee.height.input)
    let depth = s.pointee.depth.covers[d]
    let height = s.pointee.height.covers[h]
    let first = (Int(depth.first) &* outputHeight &+ Int(height.first)) &* columns
    let position = (d &* s.pointee.height.input &+ h) &* width &- pad
    for t in 0..<lineCount {
      let line = lines + (t &* pitch &+ lead)
      // Where tap t of a vector's windows lies: only a maximum looks at it.
      var w = 0
      while w < columns {
        let whole = w &+ V.lanes <= columns
        let count = whole ? V.lanes : columns &- w
        let places = perTap ? positions(position &+ t &+ w &* stride, stride, V.self) : V.zero
        var sum = V.zero
        for slice in 0..<Int(depth.count) {
          for over in 0..<Int(height.count) {
            let window = first &+ (slice &* outputHeight &+ over) &* columns &+ w
            let i = sample &* outputPlane &+ window
            if whole {
              sum += Step.term(s, operands, i, V.lanes, whole: true, window, places)
            } else {
              sum += Step.term(s, operands, i, count, whole: false, window, places)
            }
          }
        }
        if whole { sum.store(line + w) } else { sum.store(line + w, first: count) }
        w = w &+ V.lanes
      }
    }
    var to = r &* width
    let end = to &+ width
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
          let even0 = lines + (perTap ? 2 &* t &* pitch : 0)
          even += V.load(even0 + (lead &+ q &- t))
          if 2 &* t &+ 1 < taps { odd += V.load(even0 + ((perTap ? pitch : 0) &+ lead &+ q &- t)) }
          t = t &- 1
        }
        V.interleavedLow(even, odd).store(sums + 2 &* q)
        V.interleavedHigh(even, odd).store(sums + (2 &* q &+ V.lanes))
        q = q &+ V.lanes
      }
    }
    let from = sums + (stride == 2 ? pad : 0)
    var w = 0
    while w < width {
      let whole = w &+ V.lanes <= width
      var sum: V
      if stride == 1 {
        sum = V.zero
        var t = taps &- 1
        while t >= 0 {
          sum += V.load(lines + ((perTap ? t &* pitch : 0) &+ lead &+ w &+ pad &- t))
          t = t &- 1
        }
      } else {
        sum = V.load(from + w)
      }
      if whole {
        sum = Step.finish(s, operands, to, V.lanes, whole: true, sum)
        if accumulates { sum += V.load(dx + to) }
        sum.store(dx + to)
      } else {
        let count = end &- to
        sum = Step.finish(s, operands, to, count, whole: false, sum)
        if accumulates { sum += V.load(dx + to, first: count) }
        sum.store(dx + to, first: count)
      }
      w = w &+ V.lanes
      to = to &+ V.lanes
    }
  }
}

/// `first`, `first + stride`... as bits.
@inline(__always)
private func positions<V: KernelVector>(_ first: Int, _ stride: Int, _: V.Type) -> V {
  var bits = V.MaskStorage(repeating: V.MaskStorage.Scalar(truncatingIfNeeded: first))
  for i in 0..<V.lanes { bits[i] = bits[i] &+ V.MaskStorage.Scalar(truncatingIfNeeded: i &* stride) }
  return unsafeBitCast(bits, to: V.self)
}
