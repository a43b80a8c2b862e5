import ApusKernelInterface
import ApusShims

// Backward with channels in the lanes, in gather form: every input pixel adds what the windows that cover it send back, in
// their order, and is written once. So it takes no clearing, no order of scattered additions and no lock.

/// What a window sends back to one of its elements.
protocol GatherStep {
  /// Whether it depends on which element that is.
  static var isPerTap: Bool { get }
  /// Whether it is worth kernels of its own beside the general ones.
  static var isCommon: Bool { get }
  /// Whether it is the gradient times one factor.
  static var isUniform: Bool { get }
  /// Of window elements `i ..< i + count`, of which the first is number `window` of its plane, for the input positions
  /// whose bits are `places`.
  static func term<V: KernelVector>(
    _ s: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ i: Int, _ count: Int, whole: Bool,
    _ window: Int, _ places: V
  ) -> V
  /// The same where all lanes belong to one window.
  static func term<V: KernelVector>(
    _ s: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ i: Int, _ count: Int, whole: Bool,
    pixel window: Int, _ places: V
  ) -> V
  /// `sum` with one more term; `isPixel` where all lanes belong to one window.
  static func add<V: KernelVector>(
    _ sum: V, _ s: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ i: Int, _ count: Int,
    whole: Bool, isPixel: Bool, _ window: Int, _ places: V
  ) -> V
  /// The sum of all terms for input elements `i ..< i + count`.
  static func finish<V: KernelVector>(
    _ s: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ i: Int, _ count: Int, whole: Bool,
    _ sum: V
  ) -> V
}

extension GatherStep {
  @inline(__always) static var isPerTap: Bool { false }
  @inline(__always) static var isCommon: Bool { true }
  @inline(__always) static var isUniform: Bool { false }
  @inline(__always) static func term<V: KernelVector>(
    _ s: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ i: Int, _ count: Int, whole: Bool,
    pixel window: Int, _ places: V
  ) -> V { term(s, operands, i, count, whole: whole, window, places) }
  @inline(__always) static func add<V: KernelVector>(
    _ sum: V, _ s: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ i: Int, _ count: Int,
    whole: Bool, isPixel: Bool, _ window: Int, _ places: V
  ) -> V {
    isPixel
      ? sum + term(s, operands, i, count, whole: whole, pixel: window, places)
      : sum + term(s, operands, i, count, whole: whole, window, places)
  }
  @inline(__always) static func finish<V: KernelVector>(
    _: UnsafePointer<PoolingShape>, _: UnsafePointer<PoolingOperands>, _: Int, _: Int, whole: Bool, _ sum: V
  ) -> V { sum }
}

/// Of a maximum whose indices are Int32.
enum MaximumGather: GatherStep {
  @inline(__always) static func add<V: KernelVector>(
    _ sum: V, _: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ i: Int, _ count: Int,
    whole: Bool, isPixel: Bool, _: Int, _ places: V
  ) -> V {
    let index = V.loadIndices(
      operands.pointee.indices.unsafelyUnwrapped, i, first: whole ? V.lanes : count, wide: false)
    return V.sum(sum, adding: gradient(operands, i, count, whole: whole, V.self), whereBitsOf: index, equal: places)
  }
  @inline(__always) static var isPerTap: Bool { true }
  @inline(__always) static func term<V: KernelVector>(
    _: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ i: Int, _ count: Int, whole: Bool,
    _: Int, _ places: V
  ) -> V {
    let index = V.loadIndices(
      operands.pointee.indices.unsafelyUnwrapped, i, first: whole ? V.lanes : count, wide: false)
    return V.select(gradient(operands, i, count, whole: whole, V.self), whereBitsOf: index, equal: places)
  }
}

/// Of a maximum whose indices are Int64.
enum WideMaximumGather: GatherStep {
  @inline(__always) static func add<V: KernelVector>(
    _ sum: V, _: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ i: Int, _ count: Int,
    whole: Bool, isPixel: Bool, _: Int, _ places: V
  ) -> V {
    let index = V.loadIndices(
      operands.pointee.indices.unsafelyUnwrapped, i, first: whole ? V.lanes : count, wide: true)
    return V.sum(sum, adding: gradient(operands, i, count, whole: whole, V.self), whereBitsOf: index, equal: places)
  }
  @inline(__always) static var isPerTap: Bool { true }
  @inline(__always) static func term<V: KernelVector>(
    _: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ i: Int, _ count: Int, whole: Bool,
    _: Int, _ places: V
  ) -> V {
    let index = V.loadIndices(operands.pointee.indices.unsafelyUnwrapped, i, first: whole ? V.lanes : count, wide: true)
    return V.select(gradient(operands, i, count, whole: whole, V.self), whereBitsOf: index, equal: places)
  }
}

/// Of an average with one factor for all windows.
enum AverageGather: GatherStep {
  @inline(__always) static var isUniform: Bool { true }
  @inline(__always) static func term<V: KernelVector>(
    _: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ i: Int, _ count: Int, whole: Bool,
    _: Int, _: V
  ) -> V { gradient(operands, i, count, whole: whole, V.self) }
  @inline(__always) static func finish<V: KernelVector>(
    _ s: UnsafePointer<PoolingShape>, _: UnsafePointer<PoolingOperands>, _: Int, _: Int, whole: Bool, _ sum: V
  ) -> V { sum * V(repeating: V.Scalar(s.pointee.factor)) }
}

/// Of an average whose windows have factors of their own.
enum WeightedAverageGather: GatherStep {
  @inline(__always) static func term<V: KernelVector>(
    _ s: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ i: Int, _ count: Int, whole: Bool,
    _ window: Int, _: V
  ) -> V {
    let factors = s.pointee.factors.unsafelyUnwrapped.assumingMemoryBound(to: V.Scalar.self) + window
    return gradient(operands, i, count, whole: whole, V.self) * loadSome(factors, count, whole: whole, V.self)
  }
  @inline(__always) static func term<V: KernelVector>(
    _ s: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ i: Int, _ count: Int, whole: Bool,
    pixel window: Int, _: V
  ) -> V {
    let factors = s.pointee.factors.unsafelyUnwrapped.assumingMemoryBound(to: V.Scalar.self)
    return gradient(operands, i, count, whole: whole, V.self) * V(repeating: factors[window])
  }
}

enum NormGather: GatherStep {
  @inline(__always) static var isCommon: Bool { false }
  @inline(__always) static func term<V: KernelVector>(
    _ s: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ i: Int, _ count: Int, whole: Bool,
    _: Int, _: V
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
    return normGradient(sum, loadSome(x + i, count, whole: whole, V.self), s.pointee.norm)
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

@inline(never)
func gatherChannels<V: KernelVector, Step: GatherStep>(
  _ s: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ row: Int, _ rows: Int,
  _ channel: Int, _ channels: Int, _: V.Type, _: Step.Type
) {
  typealias Scalar = V.Scalar
  guard let dxBase = operands.pointee.dx else { return }
  let dx = dxBase.assumingMemoryBound(to: Scalar.self)
  let accumulates = s.pointee.accumulates
  let pixel = s.pointee.channels
  let end = channel &+ channels
  let columns = s.pointee.width.input
  let outputColumns = s.pointee.width.output
  let outputHeight = s.pointee.height.output
  let sliceStep = outputHeight &* outputColumns
  let isPaired =
    Step.isCommon && s.pointee.isPairedAlongHeight && s.pointee.depth.input == 1 && s.pointee.depth.output == 1
    && s.pointee.width.window == 2
    && s.pointee.width.stride == 2 && s.pointee.widthsAreWhole
  let outputPlane = s.pointee.depth.output &* sliceStep
  let taps = s.pointee.width.window
  if Step.isCommon && !isPaired && (taps == 2 || taps == 3) && s.pointee.width.dilation == 1
    && s.pointee.width.stride > 0
  {
    return sweepGather(s, operands, dx, row, rows, channel, channels, V.self, Step.self)
  }
  var r = row &- 1
  while counted(r) < row &+ rows {
    r = r &+ 1
    let (sample, d, h) = splitRow(r, s.pointee.depth.input, s.pointee.height.input)
    if isPaired && h & 1 == 0 && h &+ 1 < s.pointee.height.input && r &+ 1 < row &+ rows {
      // Two rows under one row of windows.
      if h / 2 < outputHeight {
        let first = (sample &* outputHeight &+ h / 2) &* outputColumns
        gatherSquares(s, operands, dx, first, h, r, channel, channels, V.self, Step.self)
        r = r &+ 1
        continue
      }
    }
    let depth = s.pointee.depth.covers[d]
    let height = s.pointee.height.covers[h]
    let firstRow = (Int(depth.first) &* outputHeight &+ Int(height.first)) &* outputColumns
    let base = sample &* outputPlane
    for w in 0..<columns {
      let width = s.pointee.width.covers[w]
      // A pixel that no window covers has no windows at all.
      let over = Int(width.count)
      let lines = over == 0 ? 0 : Int(height.count)
      let slices = lines == 0 ? 0 : Int(depth.count)
      let first = firstRow &+ Int(width.first)
      let place = indexBits((d &* s.pointee.height.input &+ h) &* columns &+ w, V.self)
      let to = (r &* columns &+ w) &* pixel
      var c = channel
      while c &+ 4 &* V.lanes <= end {
        var a = V.zero
        var b = a
        var e = a
        var f = a
        let i = (base &+ first) &* pixel &+ c
        if slices > 0 { sumLine(s, operands, i, first, over, place, &a, &b, &e, &f, Step.self) }
        if slices > 0 && lines > 1 {
          sumLine(
            s, operands, i &+ outputColumns &* pixel, first &+ outputColumns, over, place, &a, &b, &e, &f, Step.self)
        }
        // What is left: a third line, and other slices.
        var slice = 0
        var line = 2
        while slice < slices {
          while line < lines {
            let window = first &+ slice &* sliceStep &+ line &* outputColumns
            sumLine(s, operands, (base &+ window) &* pixel &+ c, window, over, place, &a, &b, &e, &f, Step.self)
            line = counted(line)
          }
          line = 0
          slice = counted(slice)
        }
        let t = to &+ c
        a = Step.finish(s, operands, t, V.lanes, whole: true, a)
        b = Step.finish(s, operands, t &+ V.lanes, V.lanes, whole: true, b)
        e = Step.finish(s, operands, t &+ 2 &* V.lanes, V.lanes, whole: true, e)
        f = Step.finish(s, operands, t &+ 3 &* V.lanes, V.lanes, whole: true, f)
        if accumulates {
          a += V.load(dx + t)
          b += V.load(dx + (t &+ V.lanes))
          e += V.load(dx + (t &+ 2 &* V.lanes))
          f += V.load(dx + (t &+ 3 &* V.lanes))
        }
        a.store(dx + t)
        b.store(dx + (t &+ V.lanes))
        e.store(dx + (t &+ 2 &* V.lanes))
        f.store(dx + (t &+ 3 &* V.lanes))
        c = c &+ 4 &* V.lanes
      }
      while c < end {
        let count = min(V.lanes, end &- c)
        var sum = V.zero
        if over == 1 && lines == 1 && slices == 1 && count == V.lanes {
          // Windows that do not overlap.
          let i = (base &+ first) &* pixel &+ c
          sum = Step.term(s, operands, i, V.lanes, whole: true, pixel: first, place)
          sum = Step.finish(s, operands, to &+ c, V.lanes, whole: true, sum)
          if accumulates { sum += V.load(dx + (to &+ c)) }
          sum.store(dx + (to &+ c))
          c = c &+ V.lanes
          continue
        }
        var slice = 0
        while slice < slices {
          var line = 0
          while line < lines {
            let window = first &+ slice &* sliceStep &+ line &* outputColumns
            var w = 0
            while w < over {
              let i = (base &+ window &+ w) &* pixel &+ c
              if count == V.lanes {
                sum = Step.add(sum, s, operands, i, V.lanes, whole: true, isPixel: true, window &+ w, place)
              } else {
                sum = Step.add(sum, s, operands, i, count, whole: false, isPixel: true, window &+ w, place)
              }
              w = counted(w)
            }
            line = counted(line)
          }
          slice = counted(slice)
        }
        sum = Step.finish(s, operands, to &+ c, count, whole: false, sum)
        if accumulates { sum += V.load(dx + (to &+ c), first: count) }
        sum.store(dx + (to &+ c), first: count)
        c = c &+ V.lanes
      }
    }
  }
}

/// Four vectors of channels.
private typealias Four<V> = (V, V, V, V)

/// The same for windows two or three wide, by sweeps of a few channels along a row: what a window reads is read once for
/// all its columns, whose sums stay in registers until the last window over them has passed. Sweeps go down some rows before
/// they go on to the next channels.
@inline(never)
private func sweepGather<V: KernelVector, Step: GatherStep>(
  _ s: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ dx: UnsafeMutablePointer<V.Scalar>,
  _ row: Int, _ rows: Int, _ channel: Int, _ channels: Int, _: V.Type, _: Step.Type
) {
  let pixel = s.pointee.channels
  let end = channel &+ channels
  let width = s.pointee.width.input
  let columns = s.pointee.width.output
  let pad = s.pointee.width.padBefore
  let sliceStep = s.pointee.height.output &* columns
  let outputPlane = s.pointee.depth.output &* sliceStep
  let isThree = s.pointee.width.window == 3
  let bytes = MemoryLayout<V>.size
  let isAligned =
    (Int(bitPattern: dx) | pixel &* MemoryLayout<V.Scalar>.size | channel &* MemoryLayout<V.Scalar>.size)
    & (bytes &- 1) == 0
  let fetches = s.pointee.streams
  let streams = s.pointee.streams && isAligned && !s.pointee.accumulates
  var firstRow = row
  while firstRow < row &+ rows {
    let some = firstRow..<min(row &+ rows, firstRow &+ sweptRows)
    let firstPlace = splitRow(firstRow, s.pointee.depth.input, s.pointee.height.input)
    var channelNow = channel
    while channelNow < end {
      let four = channelNow &+ 4 &* V.lanes <= end
      let count = min(V.lanes, end &- channelNow)
      var place = firstPlace
      for r in some {
        let depth = s.pointee.depth.covers[place.d]
        let height = s.pointee.height.covers[place.h]
        let first = Int(depth.first) &* sliceStep &+ Int(height.first) &* columns
        let slices = Int(depth.count)
        let lines = Int(height.count)
        let base = place.sample &* outputPlane
        let position = (place.d &* s.pointee.height.input &+ place.h) &* width
        advance(&place, s.pointee.depth.input, s.pointee.height.input)
        // Sums of the columns from `column` on.
        var a: Four<V> = (V.zero, V.zero, V.zero, V.zero)
        var b = a
        var c = a
        var column = 0 &- pad
        var to = (r &* width &+ column) &* pixel &+ channelNow
        var w = 0
        // One turn more than there are windows, which writes what is left.
        while w <= columns {
          let start = w < columns ? w &* s.pointee.width.stride &- pad : width
          while column < start {
            if column >= 0 {
              if four && streams {
                Step.finish(s, operands, to, V.lanes, whole: true, a.0).stream(dx + to)
                Step.finish(s, operands, to, V.lanes, whole: true, a.1).stream(dx + (to &+ V.lanes))
                Step.finish(s, operands, to, V.lanes, whole: true, a.2).stream(dx + (to &+ 2 &* V.lanes))
                Step.finish(s, operands, to, V.lanes, whole: true, a.3).stream(dx + (to &+ 3 &* V.lanes))
              } else if four {
                send(s, operands, dx, to, V.lanes, whole: true, a.0, Step.self)
                send(s, operands, dx, to &+ V.lanes, V.lanes, whole: true, a.1, Step.self)
                send(s, operands, dx, to &+ 2 &* V.lanes, V.lanes, whole: true, a.2, Step.self)
                send(s, operands, dx, to &+ 3 &* V.lanes, V.lanes, whole: true, a.3, Step.self)
              } else {
                send(s, operands, dx, to, count, whole: false, a.0, Step.self)
              }
            }
            a = b
            b = c
            c = (V.zero, V.zero, V.zero, V.zero)
            to = to &+ pixel
            column = counted(column)
          }
          if w == columns { break }
          let at = indexBits(position &+ start, V.self)
          if four && fetches {
            fetchFour(s, operands, (base &+ first &+ lines &* columns &+ w) &* pixel &+ channelNow, V.self)
          }
          var slice = 0
          while slice < slices {
            var line = 0
            while line < lines {
              let window = first &+ slice &* sliceStep &+ line &* columns &+ w
              let i = (base &+ window) &* pixel &+ channelNow
              if four {
                sumFour(s, operands, i, window, at, &a.0, &a.1, &a.2, &a.3, Step.self)
                sumFour(s, operands, i, window, moved(at, by: 1), &b.0, &b.1, &b.2, &b.3, Step.self)
                if isThree {
                  sumFour(s, operands, i, window, moved(at, by: 2), &c.0, &c.1, &c.2, &c.3, Step.self)
                }
              } else {
                a.0 = Step.add(a.0, s, operands, i, count, whole: false, isPixel: true, window, at)
                b.0 = Step.add(b.0, s, operands, i, count, whole: false, isPixel: true, window, moved(at, by: 1))
                if isThree {
                  c.0 = Step.add(c.0, s, operands, i, count, whole: false, isPixel: true, window, moved(at, by: 2))
                }
              }
              line = counted(line)
            }
            slice = counted(slice)
          }
          w = counted(w)
        }
      }
      channelNow = channelNow &+ (four ? 4 &* V.lanes : V.lanes)
    }
    firstRow = some.upperBound
  }
  if streams { apus_stream_fence() }
}

/// Asks for what four vectors of a window of the next row send back.
@inline(__always)
private func fetchFour<V: KernelVector>(
  _ s: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ i: Int, _: V.Type
) {
  let gradient = operands.pointee.dy.unsafelyUnwrapped + i &* MemoryLayout<V.Scalar>.size
  for line in 0..<4 * MemoryLayout<V>.size / 64 { apus_prefetch_second_level(gradient + 64 &* line) }
  guard let indices = operands.pointee.indices else { return }
  let size = s.pointee.indicesAreWide ? 8 : 4
  for line in 0..<4 &* V.lanes &* size / 64 { apus_prefetch_second_level(indices + i &* size + 64 &* line) }
}

/// Two rows of the input that lie under one row of windows two by two, whose first element is number `first`: what each
/// window reads is read once.
@inline(never)
private func gatherSquares<V: KernelVector, Step: GatherStep>(
  _ s: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ dx: UnsafeMutablePointer<V.Scalar>,
  _ first: Int, _ h: Int, _ row: Int, _ channel: Int, _ channels: Int, _: V.Type, _: Step.Type
) {
  let pixel = s.pointee.channels
  let columns = s.pointee.width.output
  let width = s.pointee.width.input
  let below = width &* pixel
  let inSample = h / 2 &* columns
  var w = 0
  while w < columns {
    let place = h &* width &+ 2 &* w
    let places = (
      indexBits(place, V.self), indexBits(place &+ 1, V.self), indexBits(place &+ width, V.self),
      indexBits(place &+ width &+ 1, V.self)
    )
    var i = (first &+ w) &* pixel &+ channel
    var to = (row &* width &+ 2 &* w) &* pixel &+ channel
    var left = channels
    while left > 0 {
      let window = inSample &+ w
      if left >= V.lanes {
        let a = Step.term(s, operands, i, V.lanes, whole: true, pixel: window, places.0)
        let b = Step.term(s, operands, i, V.lanes, whole: true, pixel: window, places.1)
        let c = Step.term(s, operands, i, V.lanes, whole: true, pixel: window, places.2)
        let d = Step.term(s, operands, i, V.lanes, whole: true, pixel: window, places.3)
        send(s, operands, dx, to, V.lanes, whole: true, a, Step.self)
        send(s, operands, dx, to &+ pixel, V.lanes, whole: true, b, Step.self)
        send(s, operands, dx, to &+ below, V.lanes, whole: true, c, Step.self)
        send(s, operands, dx, to &+ below &+ pixel, V.lanes, whole: true, d, Step.self)
      } else {
        let a = Step.term(s, operands, i, left, whole: false, pixel: window, places.0)
        let b = Step.term(s, operands, i, left, whole: false, pixel: window, places.1)
        let c = Step.term(s, operands, i, left, whole: false, pixel: window, places.2)
        let d = Step.term(s, operands, i, left, whole: false, pixel: window, places.3)
        send(s, operands, dx, to, left, whole: false, a, Step.self)
        send(s, operands, dx, to &+ pixel, left, whole: false, b, Step.self)
        send(s, operands, dx, to &+ below, left, whole: false, c, Step.self)
        send(s, operands, dx, to &+ below &+ pixel, left, whole: false, d, Step.self)
      }
      i = i &+ V.lanes
      to = to &+ V.lanes
      left = left &- V.lanes
    }
    w = counted(w)
  }
  // Columns that no window covers.
  w = 2 &* columns
  while w < width {
    let to = (row &* width &+ w) &* pixel
    var c = channel
    while c < channel &+ channels {
      let count = min(V.lanes, channel &+ channels &- c)
      send(s, operands, dx, to &+ c, count, whole: false, V.zero, Step.self)
      send(s, operands, dx, to &+ below &+ c, count, whole: false, V.zero, Step.self)
      c = c &+ V.lanes
    }
    w = counted(w)
  }
}

/// A finished sum to dx.
@inline(__always)
func send<V: KernelVector, Step: GatherStep>(
  _ s: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ dx: UnsafeMutablePointer<V.Scalar>,
  _ i: Int, _ count: Int, whole: Bool, _ sum: V, _: Step.Type
) {
  if whole {
    var result = Step.finish(s, operands, i, V.lanes, whole: true, sum)
    if s.pointee.accumulates { result = V.load(dx + i) + result }
    result.store(dx + i)
  } else {
    var result = Step.finish(s, operands, i, count, whole: false, sum)
    if s.pointee.accumulates { result = V.load(dx + i, first: count) + result }
    result.store(dx + i, first: count)
  }
}

/// What neighbouring windows send back to four vectors of channels: up to three without a loop.
@inline(__always)
private func sumLine<V: KernelVector, Step: GatherStep>(
  _ s: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ i: Int, _ window: Int, _ over: Int,
  _ place: V, _ a: inout V, _ b: inout V, _ c: inout V, _ d: inout V, _: Step.Type
) {
  let pixel = s.pointee.channels
  sumFour(s, operands, i, window, place, &a, &b, &c, &d, Step.self)
  if over > 1 { sumFour(s, operands, i &+ pixel, window &+ 1, place, &a, &b, &c, &d, Step.self) }
  if over > 2 { sumFour(s, operands, i &+ 2 &* pixel, window &+ 2, place, &a, &b, &c, &d, Step.self) }
  var w = 3
  while w < over {
    sumFour(s, operands, i &+ w &* pixel, window &+ w, place, &a, &b, &c, &d, Step.self)
    w = counted(w)
  }
}

/// What one window sends back to four vectors of channels.
@inline(__always)
private func sumFour<V: KernelVector, Step: GatherStep>(
  _ s: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ i: Int, _ window: Int, _ place: V,
  _ a: inout V, _ b: inout V, _ c: inout V, _ d: inout V, _: Step.Type
) {
  a = Step.add(a, s, operands, i, V.lanes, whole: true, isPixel: true, window, place)
  b = Step.add(b, s, operands, i &+ V.lanes, V.lanes, whole: true, isPixel: true, window, place)
  c = Step.add(c, s, operands, i &+ 2 &* V.lanes, V.lanes, whole: true, isPixel: true, window, place)
  d = Step.add(d, s, operands, i &+ 3 &* V.lanes, V.lanes, whole: true, isPixel: true, window, place)
}
