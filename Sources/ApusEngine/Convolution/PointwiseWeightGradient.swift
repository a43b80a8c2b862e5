import ApusKernelInterface

/// The gradient by weights of a 1x1 kernel on channels-last tensors as a product of packed x, by tiles of channels, and dy
/// where it lies, a stretch of pixels at a time. Read where they lie, the pixels of wide layers share few sets of the
/// caches, and each has a page of its own; a tile reads less than a line of each.
///
/// Each element is a sum over stretches, in order, of chains over a stretch's pixels in order. Stretches are a function of
/// the problem alone: threads divide the weights, never the pixels.
final class PointwiseWeightGradient: WeightGradientMethod {
  let x: ChannelTensor
  let dy: ChannelTensor
  let pass: ConvolutionPass
  /// Pixels of all samples, by chains.
  let stretches: BalancedSplit
  let panels: WeightPanels
  /// The channels of x by register tiles.
  let rowTiles: BalancedSplit
  /// Tiles of x that are packed at a time.
  let tilesTogether: Int
  /// Pixels of x follow each other as those of dy do.
  let isContiguous: Bool
  let gemm: GemmKernels
  let size: Int

  /// Pixels of a stretch at most: a panel of dy with them takes a small part of the second level.
  private static let chainSteps = 512
  /// Packed x, half of a second-level cache of 1 MB, which tiles read as a stream: so much that a pixel's part of it is long
  /// enough to be read as one, too.
  private static let xBytes = 512 << 10
  /// Channels of x, and filters that share what is packed, from which on packing costs less than it saves.
  private static let leastChannels = 128
  private static let leastFilters = 256
  /// Bytes between neighbouring pixels of x whose multiples share too few sets.
  private static let aliased = 512

  /// Whether packing pays.
  static func isFast(_ sides: ConvolutionSides, size: Int) -> Bool {
    let pass = sides.forwardPass()
    let distance = sides.c * pass.width.stride * size
    return sides.groups == 1 && sides.taps == 1 && sides.xLayout == .channelsLast && sides.yLayout == .channelsLast
      && !pass.isEmpty && !(0..<3).contains { pass[$0].touchesPadding }
      && sides.c >= leastChannels && sides.k >= leastFilters && distance.isMultiple(of: aliased)
  }

  init(_ sides: ConvolutionSides, _ gemm: GemmKernels, _ convolution: ConvolutionKernels, size: Int) {
    self.gemm = gemm
    self.size = size
    pass = sides.forwardPass()
    x = ChannelTensor(channels: sides.c, extents: sides.window.input, layout: .channelsLast)
    dy = ChannelTensor(channels: sides.k, extents: sides.output, layout: .channelsLast)
    isContiguous = (0..<3).allSatisfy { [pass] in pass[$0].isIdentity }
    stretches = BalancedSplit(sides.batch * sides.output.product, atMost: Self.chainSteps)
    panels = WeightPanels(
      groups: 1, sourceChannels: sides.c, resultChannels: sides.k, rowsAreResults: true, order: [0], gemm, convolution,
      size: size)
    rowTiles = BalancedSplit(sides.c, atMost: gemm.tileRows)
    tilesTogether =
      BalancedSplit(
        rowTiles.count, atMost: max(1, Self.xBytes / (max(1, stretches.longest) * rowTiles.longest * size))
      ).longest
  }

  var details: String { "x packed, chains of \(stretches.longest), tile \(gemm.tileRows)x\(panels.columns)" }
  var weightElements: Int { panels.elements }
  var weightParts: Int { panels.parts }
  func pack(_ weights: UnsafeRawPointer, into own: UnsafeMutableRawPointer, part: Int) {
    panels.pack(weights, into: own, part: part)
  }
  func unpack(_ own: UnsafeRawPointer, into weights: UnsafeMutableRawPointer, accumulate: Bool, part: Int) {
    panels.unpack(own, into: weights, accumulate: accumulate, part: part)
  }

  // MARK: Scratch

  private var packedXBytes: Int {
    ((stretches.longest * tilesTogether * rowTiles.longest + gemm.lanes) * size).roundedUp(to: 64)
  }
  func scratchBytes(threads: Int) -> (slot: Int, call: Int) { (packedXBytes * (isContiguous ? 1 : 2), 0) }

  // MARK: Runs

  func run(
    _ task: WeightGradientTask, _ scratch: UnsafeMutableRawPointer, threads: Int, _ context: ExecutionContext
  ) throws(ApusError) {
    // The wider side is divided; where that is dy, every thread packs x.
    let dividesPanels = panels.resultChannels >= panels.sourceChannels
    func divided(_ count: Int, _ isDivided: Bool) -> BalancedSplit {
      BalancedSplit(count, atMost: isDivided ? count.dividedRoundingUp(by: threads) : count)
    }
    let panelSplit = divided(panels.panelsPerGroup, dividesPanels)
    let tileSplit = divided(rowTiles.count, !dividesPanels)
    let slotBytes = scratchBytes(threads: threads).slot
    try context.parallel(parts: panelSplit.count * tileSplit.count, slots: threads) { slot, part in
      let (panel, tile) = part.quotientAndRemainder(dividingBy: tileSplit.count)
      runPart(
        task, panelSplit.start(panel)..<panelSplit.start(panel + 1), tileSplit.start(tile)..<tileSplit.start(tile + 1),
        scratch + slot * slotBytes)
    }
  }

  /// The weights of some panels and tiles, over all pixels.
  private func runPart(
    _ task: WeightGradientTask, _ panelRange: Range<Int>, _ tileRange: Range<Int>, _ packed: UnsafeMutableRawPointer
  ) {
    for stretch in 0..<stretches.count {
      let pixels = stretches.start(stretch)..<stretches.start(stretch + 1)
      for first in Swift.stride(from: tileRange.lowerBound, to: tileRange.upperBound, by: tilesTogether) {
        let tiles = first..<min(first + tilesTogether, tileRange.upperBound)
        pack(task.x, pixels, tiles, packed)
        multiply(packed, task, pixels, panelRange, tiles, accumulate: task.accumulate || stretch > 0)
      }
    }
  }

  /// The products of packed tiles and some panels of dy; the first tile of a panel asks for the next panel.
  private func multiply(
    _ packed: UnsafeRawPointer, _ task: WeightGradientTask, _ pixels: Range<Int>, _ panelRange: Range<Int>,
    _ tiles: Range<Int>, accumulate: Bool
  ) {
    var tile = GemmTileShape(
      aRowStride: 1, aStepStride: 0, bStepStride: dy.channels, cRowStride: panels.columns, k: pixels.count, rows: 0,
      columns: 0, bIsPadded: false, accumulate: accumulate)
    let firstRow = rowTiles.start(tiles.lowerBound)
    let stretch = task.dy + pixels.lowerBound * dy.channels * size
    for panel in panelRange {
      tile.columns = panels.width(panel)
      // As far as the last element of the next panel's lines: see GEMM's block kernel.
      tile.bPrefetch = panel + 1 < panelRange.upperBound ? panels.columns + 64 / size - 1 : 0
      for i in tiles {
        tile.rows = rowTiles.length(i)
        tile.aStepStride = tile.rows
        let row = rowTiles.start(i)
        gemm.tile(
          &tile, packed + (row - firstRow) * pixels.count * size, stretch + panel * panels.columns * size,
          task.weights + (panel * panels.panelElements + row * panels.columns) * size)
        tile.bPrefetch = 0
      }
    }
  }

  /// Some tiles' channels of x: `[tile][pixel][channel]`.
  private func pack(
    _ source: UnsafeRawPointer, _ pixels: Range<Int>, _ tiles: Range<Int>, _ packed: UnsafeMutableRawPointer
  ) {
    var split = rowTiles.slice(tiles)
    let channel = rowTiles.start(tiles.lowerBound)
    let channels = rowTiles.start(tiles.upperBound) - channel
    if isContiguous {
      let from = source + (pixels.lowerBound * x.channels + channel) * size
      return gemm.packA(from, &split, channels, pixels.count, 1, x.channels, packed)
    }
    // With gaps between lines and samples: those pixels side by side first.
    let gathered = packed + packedXBytes
    var to = gathered
    var pixel = pixels.lowerBound
    while pixel < pixels.upperBound {
      let (line, width) = pixel.quotientAndRemainder(dividingBy: dy.extents.width)
      let (slice, height) = line.quotientAndRemainder(dividingBy: dy.extents.height)
      let (sample, depth) = slice.quotientAndRemainder(dividingBy: dy.extents.depth)
      let count = min(dy.extents.width - width, pixels.upperBound - pixel)
      var from =
        source
        + x.offset(
          sample, depth * pass.depth.stride, height * pass.height.stride, width * pass.width.stride, channel: channel)
        * size
      for _ in 0..<count {
        to.copyMemory(from: from, byteCount: channels * size)
        from += pass.width.stride * x.channels * size
        to += channels * size
      }
      pixel += count
    }
    gemm.packA(gathered, &split, channels, pixels.count, 1, channels, packed)
  }
}
