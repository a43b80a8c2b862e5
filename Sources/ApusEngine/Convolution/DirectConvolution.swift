import ApusKernelInterface

/// Convolution by register tiles: pixels of a row of the result x channels of the result, summed over the taps of the
/// kernel and the channels of the source ("direct"), or over patches that a few rows of the source are laid out in
/// ("implicit GEMM"). Forward and backward by data are both gathers, see `ConvolutionPass`.
///
/// Every element of the result is one chain of multiply-adds over depth, height, width of the kernel and the source's
/// channels in this order, whatever the layout, batch, threads, and whichever of the two forms. Products with zeros of the
/// padding are left out where that saves time: a function of the problem alone.
final class DirectConvolution: GatherMethod {
  let source: ChannelTensor
  let result: ChannelTensor
  let samples: Int
  let passes: [PreparedPass]
  /// Positions that the parts of a run divide: the most that a pass has in each dimension.
  let positions: Extents
  /// Result elements that no pass reaches are set by a plain overwriting run before all others.
  let leavesGaps: Bool
  let panels: WeightPanels
  /// nil: the source is read where it lies.
  let band: SourceBand?
  /// The lowest source position relative to `position * stride`, over all passes.
  let low: Extents
  let sourceStride: Extents
  let linesPerPart: Int
  let pixelsPerPart: Int
  /// The source of neighbouring parts is one stretch of memory.
  let isStretch: Bool
  /// The result goes past the caches, where its lines allow it.
  let isLarge: Bool
  let usesPatches: Bool
  let gemm: GemmKernels
  let convolution: ConvolutionKernels
  let size: Int

  /// A pass with the addresses of its blocks.
  struct PreparedPass: Sendable {
    var pass: ConvolutionPass
    /// Steps of a block.
    var steps: Int
    var aOffsets: OffsetTable
    var bOffsets: OffsetTable
    /// Blocks of each row of the kernel.
    var blocksPerRow: Int
    /// A block for each tap, and which taps are padding at a line's first (1) and last (2) pixel; nil where none are, or
    /// too few products are saved.
    var edges: Edges?
    /// First element of this pass's taps in a panel.
    var panelOffset: Int
  }

  /// See `PreparedPass.edges`.
  struct Edges: Sendable {
    var aOffsets: OffsetTable
    var bOffsets: OffsetTable
    var zeroRows: OffsetTable
  }

  /// Source bytes that a part's tiles read again and again: half of a second-level cache of 512 KB.
  private static let bandBytes = 256 << 10
  /// Source channels from which on it pays to let the tiles at a line's ends pass over padding, tap by tap.
  private static let edgeChannels = 32
  /// Pixels whose patches lie in the first-level cache together, where a patch is a few dozen elements.
  private static let patchPixels = 112
  /// Bytes between addresses of one set in a first-level cache of 32 KB with 8 ways, or of 48 KB with 12.
  private static let aliasing = 4096
  /// Pixels of a channels-first result that wait to be turned: with 32 channels 16 KB, half of a first-level cache.
  private static let turnedPixels = 128

  init(
    _ sides: ConvolutionSides, backward: Bool, usesPatches: Bool, _ gemm: GemmKernels,
    _ convolution: ConvolutionKernels, size: Int
  ) {
    self.gemm = gemm
    self.convolution = convolution
    self.size = size
    self.usesPatches = usesPatches
    var passes = backward ? sides.backwardPasses() : [sides.forwardPass()]
    var sourceExtents = backward ? sides.output : sides.window.input
    var resultExtents = backward ? sides.window.input : sides.output
    let sourceLayout = backward ? sides.yLayout : sides.xLayout
    let resultLayout = backward ? sides.xLayout : sides.yLayout
    var samples = sides.batch
    // A 1x1 kernel without stride or padding does not see rows: one line of all pixels.
    let isPointwise = passes.count == 1 && (0..<3).allSatisfy { passes[0][$0].isIdentity }
    if isPointwise {
      var pixels = sourceExtents.product
      if sourceLayout == .channelsLast && resultLayout == .channelsLast {
        pixels *= samples
        samples = min(samples, 1)
      }
      sourceExtents = Extents(1, 1, pixels)
      resultExtents = sourceExtents
      passes[0].depth = .identity(1)
      passes[0].height = .identity(1)
      passes[0].width = .identity(pixels)
    }
    self.samples = samples
    isStretch = isPointwise && sourceLayout == .channelsLast && sides.groups == 1
    source = ChannelTensor(channels: backward ? sides.k : sides.c, extents: sourceExtents, layout: sourceLayout)
    result = ChannelTensor(channels: backward ? sides.c : sides.k, extents: resultExtents, layout: resultLayout)
    // Past the caches go whole lines of memory.
    isLarge =
      2 * gemm.lanes * size >= 64
      && DepthwiseRows.isLarge(source, result, samples: samples, size: size, fraction: 4)
    let cin = backward ? sides.kPerGroup : sides.cPerGroup
    var order = passes.flatMap {
      $0.tapIndices(kernelHeight: sides.window.window.height, kernelWidth: sides.window.window.width)
    }
    // Taps that only positions beyond the result would meet are kept, so that the form holds all weights.
    var isMet = [Bool](repeating: false, count: sides.taps)
    for tap in order { isMet[tap] = true }
    order += (0..<sides.taps).filter { !isMet[$0] }
    panels = WeightPanels(
      groups: sides.groups, sourceChannels: cin, resultChannels: backward ? sides.cPerGroup : sides.kPerGroup,
      rowsAreResults: !backward, order: order, gemm, convolution, size: size)
    var positions = Extents(repeating: 0)
    var low = Extents(repeating: 0)
    var stride = Extents(repeating: 1)
    // What the taps of all passes read, relative to the lowest position.
    var taps = [[Int]](repeating: [0], count: 3)
    for i in 0..<3 {
      positions[i] = passes.map { $0[i].positions }.max() ?? 0
      stride[i] = passes.first?[i].stride ?? 1
      // Passes that differ in another dimension share this one's axis.
      let axes = Dictionary(passes.map { ($0[i].start, $0[i]) }) { first, _ in first }.values.filter { $0.taps > 0 }
      if axes.isEmpty { continue }
      let offsets = Set(axes.flatMap { axis in (0..<axis.taps).map { axis.offset + $0 * axis.tapStep } }).sorted()
      low[i] = offsets[0]
      taps[i] = offsets.map { $0 - offsets[0] }
    }
    self.positions = positions
    self.low = low
    leavesGaps = passes.contains { $0.taps == 0 }

    // How many lines and pixels of the result belong to a part.
    // Neighbouring pixels of a tile that lie this far apart share a set of the first-level cache.
    let isAliased = (stride.width * (source.isChannelsLast ? source.channels : cin) * size) % Self.aliasing == 0
    let copies =
      usesPatches || isAliased || !source.isChannelsLast
      || passes.contains { pass in (0..<3).contains { pass[$0].touchesPadding } }
    func columns(_ pixels: Int) -> Int {
      BandAxis.kept(taps: taps[2], stride: stride.width, results: pixels, skips: false)
    }
    func rows(_ lines: Int) -> Int {
      BandAxis.kept(taps: taps[1], stride: stride.height, results: lines, skips: true)
    }
    let slices = BandAxis(taps: taps[0], stride: 1, results: 1, skips: true)
    let isPitched = copies && (stride.width * cin * size) % (Self.aliasing / 4) == 0
    let pitch = isPitched ? cin + gemm.lanes : cin
    let budget = Self.bandBytes / size
    var pixels = positions.width
    let least = 4 * gemm.tileRows
    if slices.kept * rows(1) * columns(pixels) * pitch > budget {
      // In one piece, or in one for each tap.
      let fitting = budget / (slices.kept * rows(1) * pitch)
      let reach = taps[2][taps[2].count - 1] + 1
      let further = max(fitting - reach, fitting / taps[2].count - 1) / stride.width
      pixels = min(pixels, max(least, further + 1))
    }
    var lines = 1
    if pixels == positions.width {
      while lines < positions.height && slices.kept * rows(lines + 1) * columns(pixels) * pitch <= budget {
        lines += 1
      }
      lines = BalancedSplit(positions.height, atMost: lines).longest
    } else {
      pixels = BalancedSplit(positions.width, atMost: pixels).longest
    }
    linesPerPart = max(1, lines)
    pixelsPerPart = max(1, pixels)
    band =
      copies
      ? SourceBand(
        slices: slices,
        rows: BandAxis(taps: taps[1], stride: stride.height, results: linesPerPart, skips: true),
        columns: BandAxis(taps: taps[2], stride: stride.width, results: pixelsPerPart, skips: false),
        channels: cin, pixelPitch: pitch)
      : nil
    sourceStride = stride

    // Offsets of the taps from a pixel's base, which lies at the lowest position.
    let pixelPitch = copies ? pitch : source.channels
    let rowPitch = copies ? band!.rowPitch : sourceExtents.width * source.channels
    let slicePitch = copies ? band!.slicePitch : sourceExtents.height * sourceExtents.width * source.channels
    var tapsBefore = 0
    let columnsOfPanel = panels.columns
    self.passes = passes.map { [band] pass in
      let merges = pass.width.tapStep == 1 && pixelPitch == cin && band?.columns.isInPieces != true
      func offsets(perRow: Int, steps: Int) -> (a: OffsetTable, b: OffsetTable) {
        func places(_ i: Int, _ axis: BandAxis?) -> [Int] {
          (0..<pass[i].taps).map {
            let tap = pass[i].offset - low[i] + $0 * pass[i].tapStep
            return axis?.place(tap) ?? tap
          }
        }
        let columns = places(2, band?.columns).prefix(perRow)
        let rows = places(1, band?.rows)
        var a: [Int] = []
        for d in places(0, band?.slices) {
          for h in rows {
            for w in columns { a.append(d * slicePitch + h * rowPitch + w * pixelPitch) }
          }
        }
        return (OffsetTable(a), OffsetTable(a.indices.map { $0 * steps * columnsOfPanel }))
      }
      let perRow = merges ? 1 : pass.width.taps
      let steps = merges ? pass.width.taps * cin : cin
      let (a, b) = offsets(perRow: perRow, steps: steps)
      var edges: Edges?
      if !usesPatches && cin >= Self.edgeChannels && pass.width.positions > 0 && pass.width.touchesPadding {
        let (first, last) = (pass.width.taps(at: 0), pass.width.taps(at: pass.width.positions - 1))
        let row = (0..<pass.width.taps).map { (first.contains($0) ? 0 : 1) | (last.contains($0) ? 0 : 2) }
        let (a, b) = offsets(perRow: pass.width.taps, steps: cin)
        edges = Edges(
          aOffsets: a, bOffsets: b, zeroRows: OffsetTable((0..<a.count).map { row[$0 % pass.width.taps] }))
      }
      defer { tapsBefore += pass.taps }
      return PreparedPass(
        pass: pass, steps: steps, aOffsets: a, bOffsets: b, blocksPerRow: perRow, edges: edges,
        panelOffset: tapsBefore * cin * columnsOfPanel)
    }
  }

  var details: String {
    let reading =
      band == nil ? "in place" : usesPatches ? "patches of \(linesPerPart) rows" : "\(linesPerPart) padded rows"
    return "\(reading), tile \(panels.columns > gemm.lanes ? gemm.tileRows : gemm.narrowTileRows)x\(panels.columns)"
      + (passes.count > 1 ? ", \(passes.count) passes" : "")
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

  private var bandBytes: Int { band.map { ($0.elements(slack: gemm.lanes) * size).roundedUp(to: 64) } ?? 0 }
  /// Lines and pixels whose patches are laid out at a time.
  private var patches: (lines: Int, pixels: Int) {
    let pixels = min(pixelsPerPart, Self.patchPixels)
    return (min(linesPerPart, max(1, Self.patchPixels / pixels)), pixels)
  }
  private var patchBytes: Int {
    if !usesPatches { return 0 }
    return ((patches.lines * patches.pixels * panels.taps * panels.sourceChannels + gemm.lanes) * size).roundedUp(
      to: 64)
  }
  private var tileBytes: Int {
    (max(gemm.tileRows, gemm.narrowTileRows) * gemm.tileColumns * size).roundedUp(to: 64)
  }
  /// Result rows and columns of a block that is turned.
  private var turned: (lines: Int, pixels: Int) {
    let step = passes.first.map { ($0.pass.height.step, $0.pass.width.step) } ?? (1, 1)
    let pixels = min(pixelsPerPart, max(1, Self.turnedPixels / step.1))
    let lines = pixels < pixelsPerPart ? 1 : min(linesPerPart, max(1, Self.turnedPixels / (step.0 * step.1 * pixels)))
    return (lines, pixels)
  }
  private var turnedElements: Int {
    guard !result.isChannelsLast, let pass = passes.first?.pass else { return 0 }
    return turned.lines * turned.pixels * pass.height.step * pass.width.step * panels.columns + gemm.lanes
  }
  func scratchBytes(threads: Int) -> (slot: Int, call: Int) {
    (bandBytes + patchBytes + tileBytes + 2 * (turnedElements * size).roundedUp(to: 64), 0)
  }

  // MARK: Runs

  func run(
    _ task: GatherTask, _ scratch: UnsafeMutableRawPointer, threads: Int, _ context: ExecutionContext
  ) throws(ApusError) {
    if leavesGaps && result.isChannelsLast && task.output.isOverwrite {
      let bytes = samples * result.sampleElements * size
      try context.parallel(count: bytes, grain: 1 << 20) { range in
        (task.result + range.lowerBound).initializeMemory(as: UInt8.self, repeating: 0, count: range.count)
      }
    }
    // Bands first; where they are too few for the threads, shorter ones, and then panels.
    var lines = linesPerPart
    let bandsPerLine = samples * positions.depth * positions.width.dividedRoundingUp(by: pixelsPerPart) * panels.groups
    let wanted = threads == 1 ? 1 : 4 * threads
    if bandsPerLine * positions.height.dividedRoundingUp(by: lines) < wanted && pixelsPerPart == positions.width {
      let span = band?.rows.positions(1) ?? 1
      let least = max(1, min(lines, 2 * span, 4 * gemm.tileRows / max(1, pixelsPerPart)))
      lines = max(least, min(lines, positions.height * bandsPerLine / max(1, wanted)))
    }
    // As many parts for each thread, where shorter ones read nothing twice.
    let lineSplit = BalancedSplit(
      positions.height, atMost: lines, threads: bandsPerLine.isMultiple(of: threads) || panels.taps > 1 ? 1 : threads)
    let others = samples * positions.depth * lineSplit.count * panels.groups
    let pixelSplit = BalancedSplit(
      positions.width, atMost: pixelsPerPart, threads: others.isMultiple(of: threads) ? 1 : threads)
    let bands = others * pixelSplit.count
    let panelGroups = max(1, min(panels.panelsPerGroup, threads == 1 ? 1 : wanted / max(1, bands)))
    let panelSplit = BalancedSplit(
      panels.panelsPerGroup, atMost: panels.panelsPerGroup.dividedRoundingUp(by: panelGroups))
    let slotBytes = scratchBytes(threads: threads).slot
    // Threads take parts in turn: this one is likely to get the one that is so many further.
    func ahead(_ pixel: Int) -> Range<Int> {
      let next = pixel + threads
      if !isStretch || panelSplit.count > 1 || next >= pixelSplit.count { return 0..<0 }
      return pixelSplit.start(next)..<pixelSplit.start(next + 1)
    }
    try context.parallel(parts: bands * panelSplit.count, slots: threads) { slot, part in
      var rest = part
      func next(_ count: Int) -> Int {
        let (quotient, remainder) = rest.quotientAndRemainder(dividingBy: count)
        rest = quotient
        return remainder
      }
      let panel = next(panelSplit.count)
      let pixel = next(pixelSplit.count)
      let line = next(lineSplit.count)
      let depth = next(positions.depth)
      let group = next(panels.groups)
      runPart(
        task,
        Part(
          sample: rest, group: group, depth: depth, lines: lineSplit.start(line)..<lineSplit.start(line + 1),
          pixels: pixelSplit.start(pixel)..<pixelSplit.start(pixel + 1),
          panels: panelSplit.start(panel)..<panelSplit.start(panel + 1), ahead: ahead(pixel)),
        scratch + slot * slotBytes)
    }
  }

  /// What one call of a thread's computes: positions, and panels of result channels.
  struct Part {
    var sample: Int
    var group: Int
    var depth: Int
    var lines: Range<Int>
    var pixels: Range<Int>
    var panels: Range<Int>
    /// Pixels of the same line that the thread comes to next, if they are known to follow each other in memory.
    var ahead: Range<Int>
  }

  private func runPart(_ task: GatherTask, _ part: Part, _ scratch: UnsafeMutableRawPointer) {
    let channel = part.group * panels.sourceChannels
    let depth = part.depth * sourceStride.depth + low.depth
    let height = part.lines.lowerBound * sourceStride.height + low.height
    let width = part.pixels.lowerBound * sourceStride.width + low.width
    // Where the lowest position of the part's first pixel lies.
    let base: UnsafeRawPointer
    if let band {
      band.fill(
        scratch, from: task.source, source, sample: part.sample, depth: depth, height: height, width: width,
        channel: channel, lines: part.lines.count, pixels: part.pixels.count, gemm, size: size)
      base = UnsafeRawPointer(scratch)
    } else {
      base = task.source + source.offset(part.sample, depth, height, width, channel: channel) * size
    }
    if !usesPatches { return runPanels(task, part, base, scratch) }
    let (lines, pixels) = patches
    var piece = part
    var line = part.lines.lowerBound
    while line < part.lines.upperBound {
      let (same, rows) = kernelRows(passes[0], depth: part.depth, line..<part.lines.upperBound)
      piece.lines = same.clamped(to: line..<line + lines)
      for pixel in Swift.stride(from: part.pixels.lowerBound, to: part.pixels.upperBound, by: pixels) {
        piece.pixels = pixel..<min(pixel + pixels, part.pixels.upperBound)
        layOut(
          piece, rows,
          base
            + ((line - part.lines.lowerBound) * bandStrides.line + (pixel - part.pixels.lowerBound) * bandStrides.pixel)
              * size,
          scratch + bandBytes)
        runPanels(task, piece, UnsafeRawPointer(scratch + bandBytes), scratch)
      }
      line = piece.lines.upperBound
    }
  }

  /// All panels of a part, whose first pixel's lowest source position is at `base`.
  private func runPanels(_ task: GatherTask, _ part: Part, _ base: UnsafeRawPointer, _ scratch: UnsafeMutableRawPointer)
  {
    for panel in part.panels {
      let weights =
        task.weights + (part.group * panels.panelsPerGroup + panel) * panels.panelElements * size
      if result.isChannelsLast {
        for pass in passes where pass.pass.depth.positions > part.depth {
          store(task, part, pass, base, weights, panel, scratch + bandBytes + patchBytes)
        }
      } else {
        turn(task, part, base, weights, panel, scratch + bandBytes + patchBytes)
      }
    }
  }

  /// The patches of some pixels, of some rows of the kernel.
  private func layOut(
    _ part: Part, _ rows: Range<Int>, _ base: UnsafeRawPointer, _ patches: UnsafeMutableRawPointer
  ) {
    let pass = passes[0]
    var shape = PatchShape(
      lines: part.lines.count, pixels: part.pixels.count, lineStride: bandStrides.line, pixelStride: bandStrides.pixel,
      runs: rows.count * pass.blocksPerRow, length: pass.steps,
      offsets: UnsafePointer(pass.aOffsets.pointer + rows.lowerBound * pass.blocksPerRow))
    convolution.patches(&shape, base, patches)
  }

  /// From one position's source to the next one's, along a line and between lines, in elements.
  private var bandStrides: (line: Int, pixel: Int) {
    guard let band else {
      return (sourceStride.height * source.extents.width * source.channels, sourceStride.width * source.channels)
    }
    return (band.rows.stride * band.rowPitch, band.columns.stride * band.pixelPitch)
  }

  /// As many of the lines, from the first on, as meet the same rows of the kernel, and those rows: what lies in the padding
  /// altogether is passed over. Rows are counted through all slices of the kernel; of one that has several, whole slices
  /// alone are passed over.
  private func kernelRows(
    _ pass: PreparedPass, depth: Int, _ lines: Range<Int>
  ) -> (lines: Range<Int>, rows: Range<Int>) {
    let (height, slices) = (pass.pass.height, pass.pass.depth.taps(at: depth))
    if pass.pass.depth.taps > 1 {
      return (lines, slices.lowerBound * height.taps..<slices.upperBound * height.taps)
    }
    let rows = slices.isEmpty ? 0..<0 : height.taps(at: lines.lowerBound)
    var end = lines.lowerBound + 1
    while end < lines.upperBound && (slices.isEmpty || height.taps(at: end) == rows) { end += 1 }
    return (lines.lowerBound..<end, rows)
  }

  /// Where the sums of some positions go: the first element of C, its strides, and how they reach it.
  private struct Target {
    var c: UnsafeMutableRawPointer
    var rowStride: Int
    var lineStride: Int
    var output = GemmOutput()
    var tileBuffer: UnsafeMutableRawPointer?
    /// See `GemmTileShape.streams` and `TileLinesShape.ahead`.
    var streams = false
    var ahead: UnsafeRawPointer?
    var aheadElements = 0
  }

  /// The tiles of one pass over some of a part's positions, one panel wide.
  private func multiply(
    _ part: Part, _ pass: PreparedPass, _ lines: Range<Int>, _ pixels: Range<Int>, _ base: UnsafeRawPointer,
    _ weights: UnsafeRawPointer, columns: Int, bPrefetch: Int, _ target: Target
  ) {
    var line = lines.lowerBound
    while line < lines.upperBound {
      let (same, rows) = kernelRows(pass, depth: part.depth, line..<lines.upperBound)
      var shape = shape(
        part, pass, rows, lines: same.count, pixels: pixels, columns: columns, cRow: target.rowStride,
        cLine: target.lineStride)
      shape.tile.streams = target.streams
      if line == lines.lowerBound {
        shape.tile.bPrefetch = bPrefetch
        shape.ahead = target.ahead
        shape.aheadElements = target.aheadElements
      }
      let cOffset = (line - lines.lowerBound) * target.lineStride * size
      shape.output = target.output
      shape.output.residual = target.output.residual.map { $0 + cOffset }
      shape.output.residualRowStride = target.rowStride
      shape.residualLineStride = target.lineStride
      shape.tileBuffer = target.tileBuffer
      shape.tileBufferStride = panels.columns
      let aOffset =
        (line - part.lines.lowerBound) * shape.aLineStride
        + (pixels.lowerBound - part.pixels.lowerBound) * shape.tile.aRowStride
      let firstStep = pass.panelOffset + rows.lowerBound * pass.blocksPerRow * pass.steps * panels.columns
      convolution.lines(&shape, base + aOffset * size, weights + firstStep * size, target.c + cOffset)
      line = same.upperBound
    }
  }

  /// The tiles of one pass over `lines` x `pixels` of a part's positions, with some rows of the kernel.
  private func shape(
    _ part: Part, _ pass: PreparedPass, _ rows: Range<Int>, lines: Int, pixels: Range<Int>, columns: Int, cRow: Int,
    cLine: Int
  ) -> TileLinesShape {
    var strides = bandStrides
    var tile = GemmTileShape(
      aRowStride: 0, aStepStride: 1, bStepStride: panels.columns, cRowStride: cRow, k: pass.steps, rows: 0,
      columns: columns, bIsPadded: true, accumulate: false)
    let (first, blocks) = (rows.lowerBound * pass.blocksPerRow, rows.count * pass.blocksPerRow)
    if blocks == 0 {
      tile.k = 0
    } else if usesPatches {
      tile.k = pass.steps * blocks
      strides = (part.pixels.count * tile.k, tile.k)
    } else {
      tile.blocks = blocks
      tile.aOffsets = UnsafePointer(pass.aOffsets.pointer + first)
      // Counted from the first step of these rows.
      tile.bOffsets = UnsafePointer(pass.bOffsets.pointer)
    }
    tile.aRowStride = strides.pixel
    // Lines that follow each other in both tensors are one, so that tiles need not end where they do.
    let isOneLine = strides.line == pixels.count * strides.pixel && cLine == pixels.count * cRow
    let tileRows = columns > gemm.lanes ? gemm.tileRows : gemm.narrowTileRows
    var shape = TileLinesShape(
      tile: tile, tiles: BalancedSplit(isOneLine ? lines * pixels.count : pixels.count, atMost: tileRows),
      lines: isOneLine ? 1 : lines, aLineStride: strides.line, cLineStride: cLine)
    if let edges = pass.edges, !isOneLine && !rows.isEmpty {
      let width = pass.pass.width
      shape.edgeMask = (pixels.lowerBound == 0 ? 1 : 0) | (pixels.upperBound == width.positions ? 2 : 0)
      shape.edgeBlocks = rows.count * width.taps
      shape.edgeSteps = panels.sourceChannels
      shape.edgeAOffsets = UnsafePointer(edges.aOffsets.pointer + rows.lowerBound * width.taps)
      shape.edgeBOffsets = UnsafePointer(edges.bOffsets.pointer)
      shape.edgeZeroRows = UnsafePointer(edges.zeroRows.pointer)
    }
    return shape
  }

  /// A pass's share of a part, clipped to the pass's positions.
  private func clip(_ range: Range<Int>, _ axis: PassAxis) -> Range<Int> {
    range.lowerBound..<max(range.lowerBound, min(range.upperBound, axis.positions))
  }

  /// A channels-last result: tiles store where they belong.
  private func store(
    _ task: GatherTask, _ part: Part, _ pass: PreparedPass, _ base: UnsafeRawPointer, _ weights: UnsafeRawPointer,
    _ panel: Int, _ tileBuffer: UnsafeMutableRawPointer
  ) {
    if pass.pass.taps == 0 && (task.output.isOverwrite || task.output.isAccumulate) { return }
    let lines = clip(part.lines, pass.pass.height)
    let pixels = clip(part.pixels, pass.pass.width)
    if lines.isEmpty || pixels.isEmpty { return }
    let channel = part.group * panels.resultChannels + panel * panels.columns
    let first = result.offset(
      part.sample, pass.pass.depth.start + part.depth * pass.pass.depth.step,
      pass.pass.height.start + lines.lowerBound * pass.pass.height.step,
      pass.pass.width.start + pixels.lowerBound * pass.pass.width.step, channel: channel)
    var target = Target(
      c: task.result + first * size, rowStride: pass.pass.width.step * result.channels,
      lineStride: pass.pass.height.step * result.extents.width * result.channels)
    target.output = task.output
    target.output.bias = task.output.bias.map { $0 + channel * size }
    target.output.residual = task.output.residual.map { $0 + first * size }
    if !task.output.isOverwrite && !task.output.isAccumulate { target.tileBuffer = tileBuffer }
    target.streams =
      isLarge && task.output.isOverwrite && (panels.resultChannels * size).isMultiple(of: 64)
      && UInt(bitPattern: task.result).isMultiple(of: 64)
    // Every panel asks for its share.
    let count = part.ahead.count * source.channels
    let share = count.dividedRoundingUp(by: part.panels.count)
    let done = min((panel - part.panels.lowerBound) * share, count)
    if count > done {
      target.ahead = task.source + (source.offset(part.sample, 0, 0, part.ahead.lowerBound, channel: 0) + done) * size
      target.aheadElements = min(share, count - done)
    }
    multiply(
      part, pass, lines, pixels, base, weights, columns: panels.width(panel),
      bPrefetch: panel + 1 < part.panels.upperBound ? panels.panelElements : 0, target)
  }

  /// A channels-first result: a block of positions is computed with its channels as neighbours, turned and finished by
  /// channel.
  private func turn(
    _ task: GatherTask, _ part: Part, _ base: UnsafeRawPointer, _ weights: UnsafeRawPointer, _ panel: Int,
    _ scratch: UnsafeMutableRawPointer
  ) {
    guard let first = passes.first?.pass else { return }
    let channel = part.group * panels.resultChannels + panel * panels.columns
    let width = panels.width(panel)
    let block = scratch + tileBytes
    let turnedBlock = block + (turnedElements * size).roundedUp(to: 64)
    let (heightStep, widthStep) = (first.height.step, first.width.step)
    for depthStart in 0..<max(1, first.depth.step) {
      let depth = depthStart + part.depth * first.depth.step
      if depth >= result.extents.depth { continue }
      var line = part.lines.lowerBound
      while line < part.lines.upperBound {
        let lineEnd = min(line + turned.lines, part.lines.upperBound)
        var pixel = part.pixels.lowerBound
        while pixel < part.pixels.upperBound {
          let pixelEnd = min(pixel + turned.pixels, part.pixels.upperBound)
          // Rows and columns of the result that this block covers, which may end in mid-stride.
          let rows = line * heightStep..<min(lineEnd * heightStep, result.extents.height)
          let columns = pixel * widthStep..<min(pixelEnd * widthStep, result.extents.width)
          for pass in passes where pass.pass.depth.start == depthStart {
            let lines = clip(line..<lineEnd, pass.pass.height)
            let pixels = clip(pixel..<pixelEnd, pass.pass.width)
            if lines.isEmpty || pixels.isEmpty { continue }
            multiply(
              part, pass, lines, pixels, base, weights, columns: width, bPrefetch: 0,
              Target(
                c: block
                  + (pass.pass.height.start * columns.count + pass.pass.width.start) * panels.columns * size,
                rowStride: widthStep * panels.columns, lineStride: heightStep * columns.count * panels.columns))
          }
          finish(task, part, depth, rows, columns, channel, width, block, turnedBlock)
          pixel = pixelEnd
        }
        line = lineEnd
      }
    }
  }

  /// Rows and columns of a channels-first result from their block, `[row][column][panel columns]`.
  private func finish(
    _ task: GatherTask, _ part: Part, _ depth: Int, _ rows: Range<Int>, _ columns: Range<Int>, _ channel: Int,
    _ width: Int, _ block: UnsafeMutableRawPointer, _ turnedBlock: UnsafeMutableRawPointer
  ) {
    let pixels = rows.count * columns.count
    gemm.turn(block, pixels, width, panels.columns, turnedBlock, pixels)
    // Whole rows are neighbours in the result's planes.
    let isRun = columns.count == result.extents.width
    for row in isRun ? 0..<1 : 0..<rows.count {
      let first = result.offset(part.sample, depth, rows.lowerBound + row, columns.lowerBound, channel: channel)
      var output = task.output
      output.bias = task.output.bias.map { $0 + channel * size }
      output.biasIsByRow = true
      output.residual = task.output.residual.map { $0 + first * size }
      output.residualRowStride = result.planeStride
      gemm.finish(
        turnedBlock + row * columns.count * size, pixels, width, isRun ? pixels : columns.count,
        task.result + first * size, result.planeStride, &output)
    }
  }
}

extension PassAxis {
  /// Every position is its own only source.
  var isIdentity: Bool {
    positions == source && positions == result && start == 0 && step == 1 && stride == 1 && taps == 1 && offset == 0
  }
  static func identity(_ positions: Int) -> PassAxis {
    PassAxis(
      positions: positions, start: 0, step: 1, stride: 1, taps: 1, offset: 0, tapStep: 1, weight: 0, weightStep: 0,
      source: positions, result: positions)
  }
}
