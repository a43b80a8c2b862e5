import ApusKernelInterface

/// The gradient by weights of a 1x1 kernel on channels-last tensors as a product of packed operands, a stretch of pixels
/// at a time: x by tiles of channels, dy by panels. Read where they lie, the pixels of wide layers share few sets of the
/// caches, and each has a page of its own.
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
  /// Panels of dy, and tiles of x, that are packed at a time.
  let panelsTogether: Int
  let tilesTogether: Int
  /// Pixels of x follow each other as those of dy do.
  let isContiguous: Bool
  let gemm: GemmKernels
  let size: Int

  /// Pixels of a stretch at most: a panel of dy with them fills a first-level cache of 32 KB.
  private static let chainSteps = 256
  /// Packed dy that stays in a second-level cache of 1 MB while x passes.
  private static let dyBytes = 384 << 10
  /// Packed x, which tiles read as a stream: so much that a pixel's part of it is long enough to be read as one, too.
  private static let xBytes = 512 << 10
  /// Channels on either side from which on packing costs less than it saves.
  private static let leastChannels = 128

  /// Bytes between neighbouring pixels of x, and of dy, from which on they share too few sets. dy is read by panels of two
  /// lines, x by tiles of one.
  private static let aliasedX = 2048
  private static let aliasedDy = 4096

  /// Whether packing pays.
  static func isFast(_ sides: ConvolutionSides, size: Int) -> Bool {
    let pass = sides.forwardPass()
    return sides.groups == 1 && sides.taps == 1 && sides.xLayout == .channelsLast && sides.yLayout == .channelsLast
      && !pass.isEmpty && !(0..<3).contains { pass[$0].touchesPadding }
      && min(sides.c, sides.k) >= leastChannels
      && (isAliased(sides.c * pass.width.stride * size, aliasedX) || isAliased(sides.k * size, aliasedDy))
  }

  private static func isAliased(_ distance: Int, _ least: Int) -> Bool {
    distance >= least && distance.isMultiple(of: 1024)
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
    let pixels = max(1, stretches.longest)
    // In equal groups, because x is packed again for each group of panels.
    panelsTogether =
      BalancedSplit(panels.panelsPerGroup, atMost: max(1, Self.dyBytes / (pixels * panels.columns * size))).longest
    tilesTogether =
      BalancedSplit(rowTiles.count, atMost: max(1, Self.xBytes / (pixels * rowTiles.longest * size))).longest
  }

  var details: String {
    "x and dy packed, chains of \(stretches.longest), tile \(gemm.tileRows)x\(panels.columns)"
  }
  var weightElements: Int { panels.elements }
  var weightParts: Int { panels.parts }
  func pack(_ weights: UnsafeRawPointer, into own: UnsafeMutableRawPointer, part: Int) {
    panels.pack(weights, into: own, part: part)
  }
  func unpack(_ own: UnsafeRawPointer, into weights: UnsafeMutableRawPointer, accumulate: Bool, part: Int) {
    panels.unpack(own, into: weights, accumulate: accumulate, part: part)
  }

  // MARK: Scratch

  private func bytes(_ elements: Int) -> Int { ((elements + gemm.lanes) * size).roundedUp(to: 64) }
  private var packedDyBytes: Int { bytes(stretches.longest * panelsTogether * panels.columns) }
  private var packedXBytes: Int { bytes(stretches.longest * tilesTogether * rowTiles.longest) }
  func scratchBytes(threads: Int) -> (slot: Int, call: Int) {
    (packedDyBytes + packedXBytes * (isContiguous ? 1 : 2), 0)
  }

  // MARK: Runs

  func run(
    _ task: WeightGradientTask, _ scratch: UnsafeMutableRawPointer, threads: Int, _ context: ExecutionContext
  ) throws(ApusError) {
    // The wider side is divided: every thread packs the other one.
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
    _ task: WeightGradientTask, _ panelRange: Range<Int>, _ tileRange: Range<Int>, _ packedDy: UnsafeMutableRawPointer
  ) {
    let packedX = packedDy + packedDyBytes
    for stretch in 0..<stretches.count {
      let pixels = stretches.start(stretch)..<stretches.start(stretch + 1)
      for firstPanel in Swift.stride(from: panelRange.lowerBound, to: panelRange.upperBound, by: panelsTogether) {
        let somePanels = firstPanel..<min(firstPanel + panelsTogether, panelRange.upperBound)
        let channel = firstPanel * panels.columns
        let columns = min(somePanels.upperBound * panels.columns, dy.channels) - channel
        gemm.packB(
          task.dy + (pixels.lowerBound * dy.channels + channel) * size, pixels.count, columns, dy.channels, 1, packedDy)
        for firstTile in Swift.stride(from: tileRange.lowerBound, to: tileRange.upperBound, by: tilesTogether) {
          let tiles = firstTile..<min(firstTile + tilesTogether, tileRange.upperBound)
          // What holds all tiles is packed once.
          if tiles != tileRange || firstPanel == panelRange.lowerBound { pack(task.x, pixels, tiles, packedX) }
          multiply(
            packedX, packedDy, task.weights, pixels.count, somePanels, tiles,
            accumulate: task.accumulate || stretch > 0)
        }
      }
    }
  }

  /// The products of packed tiles and panels.
  private func multiply(
    _ packedX: UnsafeRawPointer, _ packedDy: UnsafeRawPointer, _ weights: UnsafeMutableRawPointer, _ pixels: Int,
    _ somePanels: Range<Int>, _ tiles: Range<Int>, accumulate: Bool
  ) {
    var tile = GemmTileShape(
      aRowStride: 1, aStepStride: 0, bStepStride: panels.columns, cRowStride: panels.columns, k: pixels, rows: 0,
      columns: 0, bIsPadded: true, accumulate: accumulate)
    let firstRow = rowTiles.start(tiles.lowerBound)
    for panel in somePanels {
      tile.columns = panels.width(panel)
      let b = packedDy + (panel - somePanels.lowerBound) * pixels * panels.columns * size
      for i in tiles {
        tile.rows = rowTiles.length(i)
        tile.aStepStride = tile.rows
        let row = rowTiles.start(i)
        gemm.tile(
          &tile, packedX + (row - firstRow) * pixels * size, b,
          weights + (panel * panels.panelElements + row * panels.columns) * size)
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
