import ApusKernelInterface

/// The source of a depthwise convolution as its kernels read it, with the result's channels as neighbours: where it lies,
/// or as a copy of those rows that exist, `[source channel][slice][row][column][channel]`.
struct DepthwiseRows: Sendable {
  let tensor: ChannelTensor
  /// Forward, result channels that read one source channel.
  let repeats: Int
  /// By data, source channels that one result channel reads.
  let sources: Int
  let lanes: Int
  let size: Int
  /// The source lies as kernels want it.
  let inPlace: Bool
  /// Source positions that position i meets: `i * stride + low` to `i * stride + high`, over all passes.
  private let low: Extents
  private let high: Extents
  private let stride: Extents

  init(_ tensor: ChannelTensor, passes: [ConvolutionPass], repeats: Int, sources: Int, lanes: Int, size: Int) {
    self.tensor = tensor
    self.repeats = repeats
    self.sources = sources
    self.lanes = lanes
    self.size = size
    inPlace = tensor.isChannelsLast && repeats == 1 && sources == 1
    var low = Extents(repeating: 0)
    var high = Extents(repeating: 0)
    var stride = Extents(repeating: 1)
    for i in 0..<3 {
      let gathering = passes.map { $0[i] }.filter { $0.taps > 0 }
      low[i] = gathering.map(\.offset).min() ?? 0
      high[i] = gathering.map { $0.offset + ($0.taps - 1) * $0.tapStep }.max() ?? 0
      stride[i] = passes.first?[i].stride ?? 1
    }
    self.low = low
    self.high = high
    self.stride = stride
  }

  /// Room for what waits, which threads write all the time, and a gap after it: hardware fetches ahead what follows, and would
  /// take the next thread's lines from it.
  static func waitingBytes(_ gemm: GemmKernels, size: Int) -> Int {
    (DepthwiseShape.waitingVectors * gemm.lanes * size).roundedUp(to: 64) + (8 << 10)
  }

  /// Whether two tensors take more than a fraction of the last cache, which others use too: what a call writes then is gone
  /// before anything reads it, and what it reads is worth asking for early.
  static func isLarge(_ x: ChannelTensor, _ y: ChannelTensor, samples: Int, size: Int, fraction: Int) -> Bool {
    bytes(x, y, samples: samples, size: size) > Double(max(4 << 20, Machine.caches.level3 / fraction))
  }
  /// Of both.
  static func bytes(_ x: ChannelTensor, _ y: ChannelTensor, samples: Int, size: Int) -> Double {
    Double(x.channels * x.extents.product + y.channels * y.extents.product) * Double(samples * size)
  }

  /// Source positions in dimension `i` that some positions meet, those that exist.
  private func reach(_ i: Int, _ positions: Range<Int>) -> Range<Int> {
    let first = min(max(0, positions.lowerBound * stride[i] + low[i]), tensor.extents[i])
    return first..<max(first, min(tensor.extents[i], (positions.upperBound - 1) * stride[i] + high[i] + 1))
  }
  /// At most so many.
  private func reach(_ i: Int, _ count: Int) -> Int {
    min(tensor.extents[i], (max(1, count) - 1) * stride[i] + high[i] - low[i] + 1)
  }

  /// Elements of a copy; turned rows write up to a vector past their end.
  func elements(_ lines: Int, _ pixels: Int, channels: Int) -> Int {
    sources * reach(0, 1) * reach(1, lines) * reach(2, pixels) * channels + lanes
  }

  /// Positions whose copy, with two vectors of channels, takes about `bytes`.
  func split(_ positions: Extents, bytes: Int) -> (lines: Int, pixels: Int) {
    func fits(_ lines: Int, _ pixels: Int) -> Bool {
      elements(lines, pixels, channels: 2 * lanes) * size <= bytes
    }
    var pixels = max(1, positions.width)
    while pixels > 16 && !fits(1, pixels) { pixels = (pixels + 1) / 2 }
    var lines = 1
    if pixels >= positions.width {
      while lines < positions.height && fits(lines + 1, pixels) { lines += 1 }
      if lines < positions.height && lines > 1 { lines &= ~1 }
    }
    return (lines, pixels)
  }

  /// A part's source, as if all of it were there.
  struct View {
    /// Slice 0, row 0, column 0, first channel of the part; not itself inside of the copy.
    var base: UnsafeRawPointer
    var pixelPitch: Int
    var rowPitch: Int
    var slicePitch: Int
    var sourcePitch: Int
  }

  func view(
    _ source: UnsafeRawPointer, sample: Int, depth: Int, lines: Range<Int>, pixels: Range<Int>, channels: Range<Int>,
    band: UnsafeMutableRawPointer, _ gemm: GemmKernels
  ) -> View {
    let e = tensor.extents
    if inPlace {
      return View(
        base: source + tensor.offset(sample, 0, 0, 0, channel: channels.lowerBound) * size, pixelPitch: tensor.channels,
        rowPitch: e.width * tensor.channels, slicePitch: e.height * e.width * tensor.channels, sourcePitch: 0)
    }
    let slices = reach(0, depth..<depth + 1)
    let rows = reach(1, lines)
    let columns = reach(2, pixels)
    let pixelPitch = channels.count
    let rowPitch = columns.count * pixelPitch
    let slicePitch = rows.count * rowPitch
    let sourcePitch = slices.count * slicePitch
    // Whole rows of a plane are neighbours.
    let isRun = columns.count == e.width
    for i in 0..<sources {
      for slice in slices where columns.count > 0 {
        for row in isRun ? rows.prefix(1) : rows {
          let to =
            band
            + (i * sourcePitch + (slice - slices.lowerBound) * slicePitch + (row - rows.lowerBound) * rowPitch) * size
          let from = source + tensor.offset(sample, slice, row, columns.lowerBound, channel: 0) * size
          let count = isRun ? rows.count * columns.count : columns.count
          if repeats == 1 && !tensor.isChannelsLast {
            var all = BalancedSplit(channels.count, atMost: channels.count)
            gemm.packA(
              from + (channels.lowerBound * sources + i) * tensor.planeStride * size, &all, channels.count, count,
              sources * tensor.planeStride, 1, to)
          } else if size == 4 {
            copy(from, to, count, channels, i, Float.self)
          } else {
            copy(from, to, count, channels, i, Double.self)
          }
        }
      }
    }
    return View(
      base: UnsafeRawPointer(band)
        - (slices.lowerBound * slicePitch + rows.lowerBound * rowPitch + columns.lowerBound * pixelPitch) * size,
      pixelPitch: pixelPitch, rowPitch: rowPitch, slicePitch: slicePitch, sourcePitch: sourcePitch)
  }

  /// `count` pixels with channels repeated, or every `sources`-th one.
  private func copy<S>(
    _ from: UnsafeRawPointer, _ to: UnsafeMutableRawPointer, _ count: Int, _ channels: Range<Int>, _ source: Int,
    _: S.Type
  ) {
    let from = from.assumingMemoryBound(to: S.self)
    let to = to.assumingMemoryBound(to: S.self)
    var column = 0
    var channel = channels.lowerBound
    while channel < channels.upperBound {
      // A run of result channels that one source channel serves.
      let end = min(channels.upperBound, (channel / repeats + 1) * repeats)
      let p = from + (channel / repeats * sources + source) * tensor.planeStride
      for pixel in 0..<count {
        let x = p[pixel &* tensor.pixelStride]
        let q = to + (pixel &* channels.count &+ column)
        for j in 0..<(end - channel) { q[j] = x }
      }
      column += end - channel
      channel = end
    }
  }

  /// The taps of a pass from a position on.
  func describe(
    _ pass: ConvolutionPass, _ view: View, _ depth: Int, _ line: Int, _ pixel: Int, _ shape: inout DepthwiseShape
  ) {
    shape.sourceHeight = tensor.extents.height
    shape.sourceWidth = tensor.extents.width
    shape.pixelPitch = view.pixelPitch
    shape.rowPitch = view.rowPitch
    shape.slicePitch = view.slicePitch
    shape.slice = depth * pass.depth.stride + pass.depth.offset
    shape.row = line * pass.height.stride + pass.height.offset
    shape.column = pixel * pass.width.stride + pass.width.offset
    shape.rowStride = pass.height.stride
    shape.columnStride = pass.width.stride
    shape.heightTaps = pass.height.taps
    shape.widthTaps = pass.width.taps
    shape.depthStep = pass.depth.tapStep
    shape.heightStep = pass.height.tapStep
    shape.widthStep = pass.width.tapStep
    shape.multiplier = sources
    shape.multiplierPitch = view.sourcePitch
    // Taps that exist are a range: slices ascend with them.
    var (first, end) = (0, pass.depth.taps)
    while first < end && shape.slice + first * shape.depthStep < 0 { first += 1 }
    while end > first && shape.slice + (end - 1) * shape.depthStep >= tensor.extents.depth { end -= 1 }
    shape.firstDepthTap = first
    shape.endDepthTap = end
  }
}
