import ApusKernelInterface

/// The gradient by weights by register tiles: source channels (with neighbouring taps of the width, where those are
/// neighbours in memory) x result channels, summed over pixels; x and dy are read where they lie, or from a padded and
/// turned copy of a few rows.
///
/// Each element is a sum over bands, in order, of chains over a band's pixels in order. Bands are a function of the
/// problem alone: threads divide the weights, never the pixels.
final class DirectWeightGradient: WeightGradientMethod {
  let x: ChannelTensor
  let dy: ChannelTensor
  let samples: Int
  let groups: Int
  let pass: ConvolutionPass
  let panels: WeightPanels
  let band: SourceBand?
  /// Lines, pixels of a line and samples that are summed in one chain.
  let linesPerBand: Int
  let pixelsPerBand: Int
  let samplesPerBand: Int
  /// Weights whose sources are neighbours: taps of the width x channels, or channels alone. `runs` of them make a kernel.
  let runLength: Int
  /// dy's panels are laid out as one stretch: turned where channels come first.
  let copiesDy: Bool
  /// x and dy are long lines of pixels that no cache holds: bands are short, and what the next one reads is asked for in the
  /// order in which it lies, because tiles of channels, a line or two out of each pixel, do not start the hardware's
  /// prefetcher.
  let asksAhead: Bool
  /// `runLength` by register tiles.
  let rowTiles: BalancedSplit
  let runs: [Run]
  let gemm: GemmKernels
  let size: Int

  /// Where a run begins, from a pixel's base, and the positions for which it is no padding.
  struct Run: Sendable {
    var offset: Int
    var depths: Range<Int>
    var lines: Range<Int>
    var pixels: Range<Int>
  }

  /// Channels from which on it pays to pass over padding at a line's ends, tap by tap.
  private static let edgeChannels = 32
  /// x that the tiles of a band read again for every panel: half of a second-level cache of 1 MB.
  private static let bandBytes = 512 << 10
  /// Panels of dy that stay in the second-level cache beside x.
  private static let dyBytes = 128 << 10
  /// x and dy of a band and of the next one: three quarters of a second-level cache of 1 MB.
  private static let twoBandsBytes = 768 << 10
  /// x and dy of a problem that one core's share of a last cache does not hold, roughly. Not the machine's, because bands
  /// decide the bits of the sums.
  private static let largeBytes = 8 << 20
  /// A chain of fewer steps waits for its sums to be stored.
  private static let chainSteps = 512

  init(_ sides: ConvolutionSides, _ gemm: GemmKernels, _ convolution: ConvolutionKernels, size: Int) {
    self.gemm = gemm
    self.size = size
    groups = sides.groups
    var pass = sides.forwardPass()
    var xExtents = sides.window.input
    var dyExtents = sides.output
    var samples = sides.batch
    let isPointwise = (0..<3).allSatisfy { [pass] in pass[$0].isIdentity }
    asksAhead =
      isPointwise && sides.xLayout == .channelsLast && sides.yLayout == .channelsLast && sides.groups == 1
      && sides.batch * xExtents.product * (sides.c + sides.k) * size > Self.largeBytes
    if isPointwise {
      var pixels = xExtents.product
      if sides.xLayout == .channelsLast && sides.yLayout == .channelsLast {
        pixels *= samples
        samples = min(samples, 1)
      }
      xExtents = Extents(1, 1, pixels)
      dyExtents = xExtents
      pass.depth = .identity(1)
      pass.height = .identity(1)
      pass.width = .identity(pixels)
    }
    self.samples = samples
    self.pass = pass
    x = ChannelTensor(channels: sides.c, extents: xExtents, layout: sides.xLayout)
    dy = ChannelTensor(channels: sides.k, extents: dyExtents, layout: sides.yLayout)
    let cin = sides.cPerGroup
    panels = WeightPanels(
      groups: sides.groups, sourceChannels: cin, resultChannels: sides.kPerGroup, rowsAreResults: true,
      order: Array(0..<sides.taps), gemm, convolution, size: size)

    let copies = !x.isChannelsLast || (0..<3).contains { pass[$0].touchesPadding }
    let taps = (0..<3).map { [pass] i in (0..<pass[i].taps).map { $0 * pass[i].tapStep } }
    // Pixels this far apart share few sets of a cache. What is copied anyway, or read many times, gets another distance.
    func isAliased(_ elements: Int) -> Bool { elements * size % 1024 == 0 }
    let isPitched = copies && cin >= 8 * gemm.tileRows && isAliased(pass.width.stride * cin)
    let pitch = isPitched ? cin + gemm.lanes : cin
    func rows(_ lines: Int) -> Int {
      BandAxis.kept(taps: taps[1], stride: pass.height.stride, results: lines, skips: true)
    }
    func columns(_ pixels: Int) -> Int {
      BandAxis.kept(taps: taps[2], stride: pass.width.stride, results: pixels, skips: false)
    }
    let slices = BandAxis(taps: taps[0], stride: 1, results: 1, skips: true)
    let budget = Self.bandBytes / size
    var pixels = max(1, pass.width.positions)
    if asksAhead {
      pixels = BalancedSplit(pixels, atMost: max(64, Self.twoBandsBytes / (2 * (sides.c + sides.k) * size))).longest
    }
    while pixels > 64 && slices.kept * rows(1) * columns(pixels) * pitch > budget { pixels = (pixels + 1) / 2 }
    pixels = pixels < pass.width.positions ? BalancedSplit(pass.width.positions, atMost: pixels).longest : pixels
    func elements(_ lines: Int) -> Int { slices.kept * rows(lines) * columns(pixels) * pitch }
    var lines = 1
    if pixels == pass.width.positions {
      while lines < pass.height.positions && lines * pixels < 4 * Self.chainSteps && elements(lines + 1) <= budget {
        lines += 1
      }
      lines = max(1, BalancedSplit(pass.height.positions, atMost: lines).longest)
    }
    linesPerBand = lines
    pixelsPerBand = pixels
    var together = 1
    if lines == pass.height.positions && pixels == pass.width.positions && pass.depth.positions == 1 {
      while together < samples && together * lines * pixels < Self.chainSteps
        && (together + 1) * elements(lines) <= budget
      {
        together += 1
      }
      together = BalancedSplit(samples, atMost: together).longest
    }
    samplesPerBand = max(1, together)
    let band =
      copies
      ? SourceBand(
        slices: slices, rows: BandAxis(taps: taps[1], stride: pass.height.stride, results: lines, skips: true),
        columns: BandAxis(taps: taps[2], stride: pass.width.stride, results: pixels, skips: false), channels: cin,
        pixelPitch: pitch) : nil
    self.band = band
    let pixelPitch = copies ? pitch : x.channels
    let rowPitch = copies ? band!.rowPitch : xExtents.width * x.channels
    let slicePitch = copies ? band!.slicePitch : xExtents.height * xExtents.width * x.channels
    let merges =
      pass.width.tapStep == 1 && pixelPitch == cin && (cin < Self.edgeChannels || !pass.width.touchesPadding)
      && band?.columns.isInPieces != true
    runLength = merges ? pass.width.taps * cin : cin
    var runs: [Run] = []
    for d in 0..<pass.depth.taps {
      for h in 0..<pass.height.taps {
        for w in 0..<(merges ? 1 : pass.width.taps) {
          runs.append(
            Run(
              offset: (band?.slices.place(taps[0][d]) ?? taps[0][d]) * slicePitch
                + (band?.rows.place(taps[1][h]) ?? taps[1][h]) * rowPitch
                + (band?.columns.place(taps[2][w]) ?? taps[2][w]) * pixelPitch,
              depths: pass.depth.positions(ofTap: d), lines: pass.height.positions(ofTap: h),
              pixels: merges ? 0..<pass.width.positions : pass.width.positions(ofTap: w)))
        }
      }
    }
    self.runs = runs
    rowTiles = BalancedSplit(runLength, atMost: panels.columns > gemm.lanes ? gemm.tileRows : gemm.narrowTileRows)
    // Steps of a panel that lie one after the other are also the steps of what is asked for.
    copiesDy = !dy.isChannelsLast || asksAhead || isAliased(dy.channels) && runs.count * rowTiles.count >= 16
  }

  var details: String {
    (band == nil ? "x in place" : "\(linesPerBand) padded rows")
      + (copiesDy ? ", dy by panels" : "")
      + ", chains of \(samplesPerBand * linesPerBand * pixelsPerBand), tile "
      + "\(panels.columns > gemm.lanes ? gemm.tileRows : gemm.narrowTileRows)x\(panels.columns)"
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

  private var bandElements: Int { band.map { $0.elements(slack: 0) } ?? 0 }
  private var bandBytes: Int {
    band == nil ? 0 : ((samplesPerBand * bandElements + gemm.lanes) * size).roundedUp(to: 64)
  }
  private var steps: Int { samplesPerBand * linesPerBand * pixelsPerBand }
  private var turnedBytes: Int {
    !copiesDy ? 0 : ((steps * panels.columns + gemm.lanes) * size).roundedUp(to: 64)
  }
  private var tableBytes: Int { 2 * samplesPerBand * linesPerBand * MemoryLayout<Int>.size }
  func scratchBytes(threads: Int) -> (slot: Int, call: Int) {
    (bandBytes + turnedBytes + tableBytes.roundedUp(to: 64), 0)
  }

  // MARK: Runs

  func run(
    _ task: WeightGradientTask, _ scratch: UnsafeMutableRawPointer, threads: Int, _ context: ExecutionContext
  ) throws(ApusError) {
    // Each part goes through all pixels, so there are no more than threads can take: a group, or a stretch of all groups'
    // tiles, panel by panel and run by run.
    let tiles = panels.panelsPerGroup * tilesPerPanel
    let parts = groups >= threads ? groups : min(groups * tiles, threads)
    let slotBytes = scratchBytes(threads: threads).slot
    try context.parallel(parts: parts, slots: threads) { slot, part in
      var first = groups * tiles * part / parts
      let end = groups * tiles * (part + 1) / parts
      while first < end {
        let group = first / tiles
        let last = min(end, (group + 1) * tiles)
        runPart(task, group, first - group * tiles..<last - group * tiles, scratch + slot * slotBytes)
        first = last
      }
    }
  }

  private var tilesPerPanel: Int { runs.count * rowTiles.count }

  /// The weights of some tiles of a group, over all pixels.
  private func runPart(
    _ task: WeightGradientTask, _ group: Int, _ tiles: Range<Int>, _ scratch: UnsafeMutableRawPointer
  ) {
    let lineSplit = BalancedSplit(pass.height.positions, atMost: linesPerBand)
    let pixelSplit = BalancedSplit(pass.width.positions, atMost: pixelsPerBand)
    let sampleSplit = BalancedSplit(samples, atMost: samplesPerBand)
    var accumulate = task.accumulate
    for sampleBand in 0..<sampleSplit.count {
      for depth in 0..<pass.depth.positions {
        for lineBand in 0..<lineSplit.count {
          for pixelBand in 0..<pixelSplit.count {
            let part = Band(
              samples: sampleSplit.start(sampleBand)..<sampleSplit.start(sampleBand + 1), depth: depth,
              lines: lineSplit.start(lineBand)..<lineSplit.start(lineBand + 1),
              pixels: pixelSplit.start(pixelBand)..<pixelSplit.start(pixelBand + 1),
              ahead: asksAhead && pixelBand + 1 < pixelSplit.count
                ? pixelSplit.start(pixelBand + 1)..<pixelSplit.start(pixelBand + 2) : 0..<0)
            add(task, part, group, tiles, accumulate, scratch)
            accumulate = true
          }
        }
      }
    }
  }

  /// Positions that one chain sums.
  struct Band {
    var samples: Range<Int>
    var depth: Int
    var lines: Range<Int>
    var pixels: Range<Int>
    /// Pixels that are asked for: see `asksAhead`.
    var ahead: Range<Int>
  }

  private func add(
    _ task: WeightGradientTask, _ part: Band, _ group: Int, _ tiles: Range<Int>, _ accumulate: Bool,
    _ scratch: UnsafeMutableRawPointer
  ) {
    let turned = scratch + bandBytes
    let aTable = (turned + turnedBytes).assumingMemoryBound(to: Int.self)
    let bTable = aTable + samplesPerBand * linesPerBand
    let depth = part.depth * pass.depth.stride + pass.depth.offset
    let height = part.lines.lowerBound * pass.height.stride + pass.height.offset
    let width = part.pixels.lowerBound * pass.width.stride + pass.width.offset
    let channel = group * panels.sourceChannels
    let aBase: UnsafeRawPointer
    let aLine: Int
    let aSample: Int
    let aPixel: Int
    if let band {
      for (i, sample) in part.samples.enumerated() {
        band.fill(
          scratch + i * bandElements * size, from: task.x, x, sample: sample, depth: depth, height: height,
          width: width, channel: channel, lines: part.lines.count, pixels: part.pixels.count, gemm, size: size)
      }
      aBase = UnsafeRawPointer(scratch)
      aLine = band.rows.stride * band.rowPitch
      aSample = bandElements
      aPixel = band.pixelPitch
    } else {
      aBase = task.x + x.offset(part.samples.lowerBound, depth, height, width, channel: channel) * size
      aLine = pass.height.stride * x.extents.width * x.channels
      aSample = x.sampleElements
      aPixel = x.channels
    }
    let pixels = part.pixels.count
    let blocks = part.samples.count * part.lines.count
    // Panels that share a tile's rows of x while those are near: as many as keep dy in the second-level cache.
    let together =
      copiesDy ? 1 : max(1, Self.dyBytes / (blocks * pixels * panels.columns * size))
    // What is asked for, x and then dy in elements, spread over the tiles.
    let xAhead = part.ahead.count * x.channels
    let allAhead = xAhead + part.ahead.count * dy.channels
    var (asked, done) = (0, 0)
    var next = tiles.lowerBound
    while next < tiles.upperBound {
      // Some whole panels, or a stretch of one.
      let (panel, firstTile) = next.quotientAndRemainder(dividingBy: tilesPerPanel)
      let wholePanels = firstTile == 0 ? (tiles.upperBound - next) / tilesPerPanel : 0
      let end = panel + max(1, min(together, wholePanels))
      let stretch = firstTile..<min(tilesPerPanel, firstTile + tiles.upperBound - next)
      next += (end - panel) * stretch.count
      let first = group * panels.resultChannels + panel * panels.columns
      var tile = GemmTileShape(
        aRowStride: 1, aStepStride: pass.width.stride * aPixel, bStepStride: dy.channels, cRowStride: panels.columns,
        k: pixels, rows: 0, columns: panels.width(panel), bIsPadded: false, accumulate: accumulate)
      var bLine = dy.extents.width * dy.channels
      var bSample = dy.sampleElements
      var bBase = task.dy
      if !copiesDy {
        bBase +=
          dy.offset(
            part.samples.lowerBound, part.depth, part.lines.lowerBound, part.pixels.lowerBound, channel: first) * size
      } else {
        bBase = UnsafeRawPointer(turned)
        tile.bStepStride = tile.columns
        tile.bIsPadded = true
        bLine = pixels * tile.columns
        bSample = part.lines.count * bLine
        turn(task.dy, part, first, tile.columns, turned)
      }
      tile.aOffsets = UnsafePointer(aTable)
      tile.bOffsets = UnsafePointer(bTable)
      for run in stretch.lowerBound / rowTiles.count..<stretch.upperBound.dividedRoundingUp(by: rowTiles.count) {
        // What lies in the padding is passed over.
        let lines = runs[run].depths.contains(part.depth) ? runs[run].lines.clamped(to: part.lines) : 0..<0
        let columns = runs[run].pixels.clamped(to: part.pixels)
        let first = columns.isEmpty ? 0 : columns.lowerBound - part.pixels.lowerBound
        tile.k = lines.isEmpty ? 0 : columns.count
        if tile.k == 0 && accumulate { continue }
        tile.blocks = tile.k == 0 ? 1 : part.samples.count * lines.count
        for block in 0..<tile.blocks {
          let (sample, line) =
            lines.isEmpty ? (0, 0) : block.quotientAndRemainder(dividingBy: lines.count)
          let row = lines.lowerBound - part.lines.lowerBound + line
          aTable[block] = sample * aSample + row * aLine + first * tile.aStepStride
          bTable[block] = sample * bSample + row * bLine + first * tile.bStepStride
        }
        for number in stretch.clamped(to: run * rowTiles.count..<(run + 1) * rowTiles.count) {
          let i = number - run * rowTiles.count
          tile.rows = rowTiles.length(i)
          let row = rowTiles.start(i)
          for p in panel..<end {
            tile.columns = panels.width(p)
            let b = bBase + (p - panel) * panels.columns * size
            done += 1
            tile.bPrefetch = 0
            if asked * tiles.count < allAhead * done {
              let isX = asked < xAhead
              let from =
                isX
                ? task.x + (part.ahead.lowerBound * x.channels + asked) * size
                : task.dy + (part.ahead.lowerBound * dy.channels + asked - xAhead) * size
              tile.bPrefetch = (from - b) / size
              asked = min(asked + tile.k * tile.bStepStride, isX ? xAhead : allAhead)
            }
            gemm.tile(
              &tile, aBase + (runs[run].offset + row) * size, b,
              task.weights
                + ((group * panels.panelsPerGroup + p) * panels.panelElements
                  + (run * runLength + row) * panels.columns) * size)
          }
        }
      }
    }
  }

  /// A panel's channels of dy, `[sample][line][pixel][channel]`.
  private func turn(
    _ source: UnsafeRawPointer, _ part: Band, _ channel: Int, _ columns: Int, _ turned: UnsafeMutableRawPointer
  ) {
    var to = turned
    let pixels = part.pixels.count
    let isRun = pixels == dy.extents.width
    var tile = BalancedSplit(columns, atMost: columns)
    for sample in part.samples {
      for line in isRun ? 0..<1 : 0..<part.lines.count {
        let count = isRun ? pixels * part.lines.count : pixels
        let from =
          source + dy.offset(sample, part.depth, part.lines.lowerBound + line, part.pixels.lowerBound, channel: channel)
          * size
        if dy.isChannelsLast {
          gemm.packA(from, &tile, columns, count, 1, dy.channels, to)
        } else {
          gemm.turn(from, columns, count, dy.planeStride, to, columns)
        }
        to += count * columns * size
      }
    }
  }
}
