import ApusKernelInterface

/// Convolution of one input channel in each group, forward and by data: lanes are channels of the result.
///
/// Every element of the result is one chain of multiply-adds over depth, height, width of the kernel and, by data, the
/// channels that a multiplier gave its channel, in this order, whatever the layout, batch and threads. Rows of padding are
/// left out, columns of padding are multiplied as zeros. A channels-last tensor is read and written where it lies, without
/// a padded copy; a channels-first one, and one whose channels a multiplier repeats, by way of a few rows.
final class DepthwiseConvolution: GatherMethod {
  let source: ChannelTensor
  let result: ChannelTensor
  let samples: Int
  let passes: [PreparedPass]
  /// Positions that the parts of a run divide: the most that a pass has in each dimension.
  let positions: Extents
  let weights: DepthwiseWeights
  let rows: DepthwiseRows
  /// Positions of a part whose source is copied.
  let linesPerBand: Int
  let pixelsPerBand: Int
  /// Result elements from position to position.
  let step: Extents
  let gemm: GemmKernels
  let kernels: DepthwiseKernels
  let size: Int
  let zeros = OffsetTable([Int](repeating: 0, count: 8))
  /// By data with a 3x3 kernel of stride 2: all passes at once, where a position has all of their pixels.
  let spreads: Bool

  /// A pass with the place of its taps in a vector's weights.
  struct PreparedPass: Sendable {
    var pass: ConvolutionPass
    var weightOffset: Int
  }

  /// Bytes of copied rows that tiles read again: a quarter of a second-level cache of 512 KB.
  private static let bandBytes = 128 << 10
  /// Lines of a part, where threads divide them: kernels take fewer ones by pairs, which read more places at once.
  private static let leastLines = 6
  /// Bytes of results that wait to be finished, and of those that the passes of a stride write in turn: half of a
  /// first-level cache.
  private static let blockBytes = 16 << 10

  init(
    _ sides: ConvolutionSides, backward: Bool, _ gemm: GemmKernels, _ convolution: ConvolutionKernels, size: Int
  ) {
    self.gemm = gemm
    self.size = size
    kernels = convolution.depthwise
    samples = sides.batch
    let passes = backward ? sides.backwardPasses() : [sides.forwardPass()]
    source = ChannelTensor(
      channels: backward ? sides.k : sides.c, extents: backward ? sides.output : sides.window.input,
      layout: backward ? sides.yLayout : sides.xLayout)
    result = ChannelTensor(
      channels: backward ? sides.c : sides.k, extents: backward ? sides.window.input : sides.output,
      layout: backward ? sides.xLayout : sides.yLayout)
    var order = passes.flatMap {
      $0.tapIndices(kernelHeight: sides.window.window.height, kernelWidth: sides.window.window.width)
    }
    // Taps that only positions beyond the result would meet are kept, so that the form holds all weights.
    order += Set(0..<sides.taps).subtracting(order).sorted()
    let sources = backward ? sides.multiplier : 1
    weights = DepthwiseWeights(
      channels: result.channels, sources: sources, order: order, gemm, convolution, size: size)
    var positions = Extents(repeating: 0)
    for i in 0..<3 { positions[i] = passes.map { $0[i].positions }.max() ?? 0 }
    self.positions = positions
    let step = Extents(passes[0].depth.step, passes[0].height.step, passes[0].width.step)
    self.step = step
    rows = DepthwiseRows(
      source, passes: passes, repeats: backward ? 1 : sides.multiplier, sources: sources, lanes: gemm.lanes, size: size)
    var tapsBefore = 0
    self.passes = passes.map { pass in
      defer { tapsBefore += pass.taps }
      return PreparedPass(pass: pass, weightOffset: tapsBefore * sources * gemm.lanes)
    }
    let isPlane = passes.allSatisfy { $0.depth.taps == 1 && $0.depth.offset == 0 && $0.depth.source == 1 }
    spreads =
      passes.count == 4 && sources == 1 && isPlane
      && (1...2).allSatisfy { i in
        let taps = passes.map { $0[i].taps }
        return step[i] == 2 && taps.min() == 1 && taps.max() == 2
          && passes.allSatisfy { $0[i].taps == 1 || $0[i].tapStep == 1 }
      }
    let split = rows.split(positions, bytes: Self.bandBytes)
    linesPerBand = split.lines
    pixelsPerBand = split.pixels
  }

  var details: String {
    (rows.inPlace ? "in place" : "\(linesPerBand) turned rows") + (passes.count > 1 ? ", \(passes.count) passes" : "")
  }
  var weightElements: Int { weights.elements }
  var weightParts: Int { weights.parts }
  func pack(_ from: UnsafeRawPointer, into own: UnsafeMutableRawPointer, part: Int) {
    weights.pack(from, into: own, part: part)
  }
  func unpack(_ own: UnsafeRawPointer, into to: UnsafeMutableRawPointer, accumulate: Bool, part: Int) {
    weights.unpack(own, into: to, accumulate: accumulate, part: part)
  }

  // MARK: Scratch

  /// Channels of a part whose source or result is copied, or whose sums are finished apart.
  private var blockChannels: Int {
    min(result.channels, (rows.inPlace && result.isChannelsLast ? 8 : 2) * gemm.lanes)
  }
  /// Positions that are computed before their results are finished.
  private func chunk(channels: Int) -> (lines: Int, pixels: Int) {
    let most = max(1, Self.blockBytes / (size * channels * step.height * step.width))
    if 2 * positions.width <= most { return (most / positions.width & ~1, positions.width) }
    return positions.height > 1 && most > 1 ? (2, max(1, most / 2)) : (1, most)
  }
  private var blockBytes: Int {
    let (lines, pixels) = chunk(channels: blockChannels)
    let elements = lines * pixels * step.height * step.width * blockChannels + gemm.lanes
    return (elements * size).roundedUp(to: 64)
  }
  private var bandBytes: Int {
    rows.inPlace ? 0 : (rows.elements(linesPerBand, pixelsPerBand, channels: blockChannels) * size).roundedUp(to: 64)
  }
  private var waitingBytes: Int { DepthwiseRows.waitingBytes(gemm, size: size) }
  func scratchBytes(threads: Int) -> (slot: Int, call: Int) {
    (waitingBytes + bandBytes + (result.isChannelsLast ? 1 : 2) * blockBytes, 0)
  }

  // MARK: Runs

  func run(
    _ task: GatherTask, _ scratch: UnsafeMutableRawPointer, threads: Int, _ context: ExecutionContext
  ) throws(ApusError) {
    let storesSums = result.isChannelsLast && (task.output.isOverwrite || task.output.isAccumulate)
    var channels = rows.inPlace && storesSums ? result.channels : blockChannels
    var lines = rows.inPlace ? positions.height : linesPerBand
    var pixels = rows.inPlace ? positions.width : pixelsPerBand
    if threads > 1 {
      // Lines first, as long as they make bands, then channels by stretches that memory likes, then positions of a line.
      // What the threads' own caches hold is divided once, and lies call after call where it is needed; else who is done
      // early helps.
      let isNear =
        DepthwiseRows.bytes(source, result, samples: samples, size: size) <= Double(threads * Machine.caches.level2)
      func parts() -> Int {
        samples * positions.depth * positions.height.dividedRoundingUp(by: lines)
          * positions.width.dividedRoundingUp(by: pixels) * result.channels.dividedRoundingUp(by: channels)
      }
      func areFew() -> Bool {
        let count = parts()
        return count < 4 * threads && !(isNear && count >= threads && count % threads == 0)
      }
      while areFew() && lines >= 2 * Self.leastLines { lines = (lines / 2 + 1) & ~1 }
      while areFew() && channels >= 8 * gemm.lanes {
        channels = (channels / 2).roundedUp(to: gemm.lanes)
      }
      while areFew() && pixels >= 64 { pixels = (pixels / 2).roundedUp(to: 8) }
    }
    let lineSplit = BalancedSplit(positions.height, atMost: lines)
    let channelCount = result.channels.dividedRoundingUp(by: channels)
    let pixelCount = positions.width.dividedRoundingUp(by: pixels)
    let slotBytes = scratchBytes(threads: threads).slot
    // One thread stores past the caches as fast as into the last level; several do not.
    let isLarge = DepthwiseRows.isLarge(
      source, result, samples: samples, size: size, fraction: threads > 1 ? 2 : 4)
    try context.parallel(
      parts: samples * positions.depth * lineSplit.count * pixelCount * channelCount, slots: threads, inPieces: true
    ) { slot, part in
      var rest = part
      func next(_ count: Int) -> Int {
        let (quotient, remainder) = rest.quotientAndRemainder(dividingBy: count)
        rest = quotient
        return remainder
      }
      let channel = next(channelCount) * channels
      let pixel = next(pixelCount) * pixels
      let line = next(lineSplit.count)
      let depth = next(positions.depth)
      runPart(
        task,
        Part(
          sample: rest, depth: depth, lines: lineSplit.start(line)..<lineSplit.start(line + 1),
          pixels: pixel..<min(pixel + pixels, positions.width),
          channels: channel..<min(channel + channels, result.channels), isLarge: isLarge),
        storesSums, scratch + slot * slotBytes)
    }
  }

  /// What one call of a thread's computes.
  struct Part {
    var sample: Int
    var depth: Int
    var lines: Range<Int>
    var pixels: Range<Int>
    var channels: Range<Int>
    /// Source and result outgrow the caches.
    var isLarge: Bool
  }

  private func runPart(
    _ task: GatherTask, _ part: Part, _ storesSums: Bool, _ scratch: UnsafeMutableRawPointer
  ) {
    let view = rows.view(
      task.source, sample: part.sample, depth: part.depth, lines: part.lines, pixels: part.pixels,
      channels: part.channels, band: scratch + waitingBytes, gemm)
    // Passes that share lines of the result take turns, so that these stay near.
    let chunk =
      storesSums && (passes.count == 1 || spreads)
      ? (lines: part.lines.count, pixels: part.pixels.count)
      : chunk(channels: storesSums ? part.channels.count : blockChannels)
    for depthStart in 0..<step.depth where depthStart + part.depth * step.depth < result.extents.depth {
      var line = part.lines.lowerBound
      while line < part.lines.upperBound {
        let lineEnd = min(line + chunk.lines, part.lines.upperBound)
        var pixel = part.pixels.lowerBound
        while pixel < part.pixels.upperBound {
          let pixelEnd = min(pixel + chunk.pixels, part.pixels.upperBound)
          runChunk(
            task, part, view, depthStart, line..<lineEnd, pixel..<pixelEnd, storesSums, scratch)
          pixel = pixelEnd
        }
        line = lineEnd
      }
    }
  }

  /// All passes of some positions.
  private func runChunk(
    _ task: GatherTask, _ part: Part, _ view: DepthwiseRows.View, _ depthStart: Int, _ lines: Range<Int>,
    _ pixels: Range<Int>, _ storesSums: Bool, _ scratch: UnsafeMutableRawPointer
  ) {
    let block = scratch + waitingBytes + bandBytes
    let depth = depthStart + part.depth * step.depth
    let channels = part.channels.count
    // Rows and columns of the result, which may end in mid-stride.
    let height = lines.lowerBound * step.height..<min(lines.upperBound * step.height, result.extents.height)
    let width = pixels.lowerBound * step.width..<min(pixels.upperBound * step.width, result.extents.width)
    let first = result.offset(
      part.sample, depth, height.lowerBound, width.lowerBound, channel: part.channels.lowerBound)
    let pixelPitch = storesSums ? result.channels : channels
    let rowPitch = storesSums ? result.extents.width * result.channels : width.count * channels
    let target = Target(
      at: storesSums ? task.result + first * size : block, pixelPitch: pixelPitch, rowPitch: rowPitch,
      lines: lines, pixels: pixels, accumulate: storesSums && task.output.isAccumulate,
      isLarge: storesSums && part.isLarge, waiting: scratch)
    let weights =
      task.weights + part.channels.lowerBound / gemm.lanes * self.weights.pitch * size
    if spreads {
      // Every pass has as many positions, or one less: where the last pixel of a position is missing.
      let allLines = lines.clamped(to: 0..<(passes.map { $0.pass.height.positions }.min() ?? 0))
      let allPixels = pixels.clamped(to: 0..<(passes.map { $0.pass.width.positions }.min() ?? 0))
      let whole = channels / gemm.lanes * gemm.lanes
      spread(view, weights, target, allLines, allPixels, whole)
      runPasses(view, weights, target, depthStart, part.depth, lines, pixels, whole..<channels)
      runPasses(
        view, weights, target, depthStart, part.depth, allLines.upperBound..<lines.upperBound, pixels, 0..<whole)
      runPasses(
        view, weights, target, depthStart, part.depth, allLines, allPixels.upperBound..<pixels.upperBound, 0..<whole)
    } else {
      runPasses(view, weights, target, depthStart, part.depth, lines, pixels, 0..<channels)
    }
    if !storesSums { finish(task, part, depth, height, width, block) }
  }

  /// Where a chunk's pixels go: its first one, and from one to the next.
  private struct Target {
    var at: UnsafeMutableRawPointer
    var pixelPitch: Int
    var rowPitch: Int
    /// Positions of the chunk.
    var lines: Range<Int>
    var pixels: Range<Int>
    var accumulate: Bool
    /// It is the result itself, and that outgrows the caches.
    var isLarge: Bool
    /// See `DepthwiseShape.waiting`.
    var waiting: UnsafeMutableRawPointer
  }

  /// Each pass over some positions of a chunk, and some of its channels.
  private func runPasses(
    _ view: DepthwiseRows.View, _ weights: UnsafeRawPointer, _ target: Target, _ depthStart: Int, _ depth: Int,
    _ lines: Range<Int>, _ pixels: Range<Int>, _ channels: Range<Int>
  ) {
    if lines.isEmpty || pixels.isEmpty || channels.isEmpty { return }
    for prepared in passes where prepared.pass.depth.start == depthStart {
      let pass = prepared.pass
      var shape = DepthwiseShape(zeros: UnsafeRawPointer(zeros.pointer))
      shape.lines = min(lines.upperBound, pass.height.positions) - lines.lowerBound
      shape.columns = min(pixels.upperBound, pass.width.positions) - pixels.lowerBound
      if shape.lines <= 0 || shape.columns <= 0 { continue }
      shape.channels = channels.count
      rows.describe(pass, view, depth, lines.lowerBound, pixels.lowerBound, &shape)
      shape.resultPixelPitch = step.width * target.pixelPitch
      shape.resultRowPitch = step.height * target.rowPitch
      shape.accumulate = target.accumulate
      shape.isLarge = target.isLarge
      shape.waiting = target.waiting
      shape.groups = DepthwiseShape.groups(vectors: result.channels / gemm.lanes)
      shape.weightPitch = self.weights.pitch
      let row = pass.height.start + (lines.lowerBound - target.lines.lowerBound) * step.height
      let column = pass.width.start + (pixels.lowerBound - target.pixels.lowerBound) * step.width
      kernels.lines(
        &shape, view.base + channels.lowerBound * size,
        weights + (channels.lowerBound / gemm.lanes * self.weights.pitch + prepared.weightOffset) * size,
        target.at + (row * target.rowPitch + column * target.pixelPitch + channels.lowerBound) * size)
    }
  }

  /// All passes of a stride of 2 over some positions of a chunk, and its first channels.
  private func spread(
    _ view: DepthwiseRows.View, _ weights: UnsafeRawPointer, _ target: Target, _ lines: Range<Int>,
    _ pixels: Range<Int>, _ channels: Int
  ) {
    func pass(_ rowTaps: Int, _ columnTaps: Int) -> PreparedPass {
      passes.first { $0.pass.height.taps == rowTaps && $0.pass.width.taps == columnTaps } ?? passes[0]
    }
    if lines.isEmpty || pixels.isEmpty || channels == 0 { return }
    let (one, two) = (pass(1, 1), pass(2, 2))
    var shape = DepthwiseSpreadShape(zeros: UnsafeRawPointer(zeros.pointer))
    shape.lines = lines.count
    shape.columns = pixels.count
    shape.channels = channels
    shape.sourceHeight = source.extents.height
    shape.sourceWidth = source.extents.width
    shape.pixelPitch = view.pixelPitch
    shape.rowPitch = view.rowPitch
    shape.row = lines.lowerBound + two.pass.height.offset
    shape.column = pixels.lowerBound + two.pass.width.offset
    shape.singleRow = one.pass.height.offset - two.pass.height.offset
    shape.singleColumn = one.pass.width.offset - two.pass.width.offset
    shape.oneOne = one.weightOffset
    shape.oneTwo = pass(1, 2).weightOffset
    shape.twoOne = pass(2, 1).weightOffset
    shape.twoTwo = two.weightOffset
    shape.oneRow = one.pass.height.start * target.rowPitch
    shape.twoRow = two.pass.height.start * target.rowPitch
    shape.oneColumn = one.pass.width.start * target.pixelPitch
    shape.twoColumn = two.pass.width.start * target.pixelPitch
    shape.resultColumnPitch = 2 * target.pixelPitch
    shape.resultLinePitch = 2 * target.rowPitch
    shape.accumulate = target.accumulate
    shape.isLarge = target.isLarge
    shape.weightPitch = self.weights.pitch
    let row = (lines.lowerBound - target.lines.lowerBound) * 2
    let column = (pixels.lowerBound - target.pixels.lowerBound) * 2
    kernels.spread(
      &shape, view.base, weights, target.at + (row * target.rowPitch + column * target.pixelPitch) * size)
  }

  /// Sums of a block `[row][column][channel]` into the result.
  private func finish(
    _ task: GatherTask, _ part: Part, _ depth: Int, _ height: Range<Int>, _ width: Range<Int>,
    _ block: UnsafeMutableRawPointer
  ) {
    let channels = part.channels.count
    let pixels = height.count * width.count
    // Whole rows of the result are neighbours.
    let isRun = width.count == result.extents.width
    var sums = block
    if !result.isChannelsLast {
      sums = block + blockBytes
      var all = BalancedSplit(pixels, atMost: pixels)
      gemm.packA(block, &all, pixels, channels, channels, 1, sums)
    }
    for row in isRun ? 0..<1 : 0..<height.count {
      let first = result.offset(
        part.sample, depth, height.lowerBound + row, width.lowerBound, channel: part.channels.lowerBound)
      var output = task.output
      output.bias = task.output.bias.map { $0 + part.channels.lowerBound * size }
      output.residual = task.output.residual.map { $0 + first * size }
      let count = isRun ? pixels : width.count
      if result.isChannelsLast {
        output.residualRowStride = result.channels
        gemm.finish(
          sums + row * count * channels * size, channels, count, channels, task.result + first * size, result.channels,
          &output)
      } else {
        output.biasIsByRow = true
        output.residualRowStride = result.planeStride
        gemm.finish(
          sums + row * count * size, pixels, channels, count, task.result + first * size, result.planeStride, &output)
      }
    }
  }
}
