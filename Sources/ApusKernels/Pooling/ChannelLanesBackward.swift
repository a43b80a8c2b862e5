import ApusKernelInterface

// Backward with channels in the lanes, in gather form: every input pixel adds what the windows that cover it send back, in
// their order, and is written once. So it takes no clearing, no order of scattered additions and no lock.

/// What a window sends back to one of its elements.
protocol GatherStep {
  /// Of window elements `i ..< i + count`, the window's factor given, for the input position whose bits are `position`.
  static func term<V: KernelVector>(
    _ s: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ i: Int, _ count: Int, whole: Bool,
    _ factor: V, _ position: V
  ) -> V
  /// The sum of all terms for input elements `i ..< i + count`.
  static func finish<V: KernelVector>(
    _ s: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ i: Int, _ count: Int, whole: Bool,
    _ sum: V
  ) -> V
}

enum MaximumGather: GatherStep {
  @inline(__always) static func term<V: KernelVector>(
    _ s: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ i: Int, _ count: Int, whole: Bool,
    _: V, _ position: V
  ) -> V {
    let index = V.loadIndices(
      operands.pointee.indices.unsafelyUnwrapped, i, first: whole ? V.lanes : count, wide: s.pointee.indicesAreWide)
    return V.select(gradient(operands, i, count, whole: whole, V.self), whereBitsOf: index, equal: position)
  }
  @inline(__always) static func finish<V: KernelVector>(
    _: UnsafePointer<PoolingShape>, _: UnsafePointer<PoolingOperands>, _: Int, _: Int, whole: Bool, _ sum: V
  ) -> V { sum }
}

enum AverageGather: GatherStep {
  @inline(__always) static func term<V: KernelVector>(
    _: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ i: Int, _ count: Int, whole: Bool,
    _ factor: V, _: V
  ) -> V { gradient(operands, i, count, whole: whole, V.self) * factor }
  @inline(__always) static func finish<V: KernelVector>(
    _: UnsafePointer<PoolingShape>, _: UnsafePointer<PoolingOperands>, _: Int, _: Int, whole: Bool, _ sum: V
  ) -> V { sum }
}

enum NormGather: GatherStep {
  @inline(__always) static func term<V: KernelVector>(
    _ s: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ i: Int, _ count: Int, whole: Bool,
    _: V, _: V
  ) -> V {
    let y = UnsafePointer(operands.pointee.y.unsafelyUnwrapped.assumingMemoryBound(to: V.Scalar.self))
    return normWeight(
      gradient(operands, i, count, whole: whole, V.self), loadSome(y + i, count, whole: whole, V.self), s.pointee.norm)
  }
  @inline(__always) static func finish<V: KernelVector>(
    _ s: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ i: Int, _ count: Int, whole: Bool,
    _ sum: V
  ) -> V {
    let x = UnsafePointer(operands.pointee.x.unsafelyUnwrapped.assumingMemoryBound(to: V.Scalar.self))
    return sum * normSlope(loadSome(x + i, count, whole: whole, V.self), s.pointee.norm)
  }
}

@inline(__always)
private func gradient<V: KernelVector>(
  _ operands: UnsafePointer<PoolingOperands>, _ i: Int, _ count: Int, whole: Bool, _: V.Type
) -> V {
  loadSome(
    UnsafePointer(operands.pointee.dy.unsafelyUnwrapped.assumingMemoryBound(to: V.Scalar.self)) + i, count,
    whole: whole, V.self)
}

@inline(__always)
func gatherChannels<V: KernelVector, Step: GatherStep>(
  _ s: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ row: Int, _ rows: Int,
  _ channel: Int, _ channels: Int, _: V.Type, _: Step.Type
) {
  typealias Scalar = V.Scalar
  guard let dxBase = operands.pointee.dx else { return }
  let dx = dxBase.assumingMemoryBound(to: Scalar.self)
  let factors = s.pointee.factors?.assumingMemoryBound(to: Scalar.self)
  let factor = V(repeating: Scalar(s.pointee.factor))
  let accumulates = s.pointee.accumulates
  let pixel = s.pointee.channels
  let end = channel &+ channels
  let columns = s.pointee.width.input
  let outputColumns = s.pointee.width.output
  let outputHeight = s.pointee.height.output
  let outputPlane = s.pointee.depth.output &* outputHeight &* outputColumns
  for r in row..<row &+ rows {
    let (sample, d, h) = splitRow(r, s.pointee.depth.input, s.pointee.height.input)
    let depth = s.pointee.depth.covers[d]
    let height = s.pointee.height.covers[h]
    let firstRow = (Int(depth.first) &* outputHeight &+ Int(height.first)) &* outputColumns
    let base = sample &* outputPlane
    for w in 0..<columns {
      let width = s.pointee.width.covers[w]
      let first = firstRow &+ Int(width.first)
      let position = indexBits((d &* s.pointee.height.input &+ h) &* columns &+ w, V.self)
      let to = (r &* columns &+ w) &* pixel
      var c = channel
      while c < end {
        let whole = c &+ V.lanes <= end
        let count = whole ? V.lanes : end &- c
        var sum = V.zero
        var slice = first
        for _ in 0..<depth.count {
          var line = slice
          for _ in 0..<height.count {
            for window in line..<line &+ Int(width.count) {
              let i = (base &+ window) &* pixel &+ c
              let f = factors.map { V(repeating: $0[window]) } ?? factor
              if whole {
                sum += Step.term(s, operands, i, V.lanes, whole: true, f, position)
              } else {
                sum += Step.term(s, operands, i, count, whole: false, f, position)
              }
            }
            line = line &+ outputColumns
          }
          slice = slice &+ outputHeight &* outputColumns
        }
        if whole {
          var result = Step.finish(s, operands, to &+ c, V.lanes, whole: true, sum)
          if accumulates { result = V.load(dx + (to &+ c)) + result }
          result.store(dx + (to &+ c))
        } else {
          var result = Step.finish(s, operands, to &+ c, count, whole: false, sum)
          if accumulates { result = V.load(dx + (to &+ c), first: count) + result }
          result.store(dx + (to &+ c), first: count)
        }
        c = c &+ V.lanes
      }
    }
  }
}
