import ApusKernelInterface

/// The gradient by weights of one input channel in each group: lanes are channels of dy.
///
/// Each element is a sum over bands of positions, in order, of chains over a band's positions in order. Bands are a
/// function of the problem alone; threads divide bands and channels, and the sums of several bands meet in the call's scratch.
final class DepthwiseGradient: WeightGradientMethod {
  let dy: ChannelTensor
  let samples: Int
  let pass: ConvolutionPass
  let weights: DepthwiseWeights
  let rows: DepthwiseRows
  /// dy's rows.
  let dyRows: DepthwiseRows
  /// Positions whose copies are made at once.
  let linesPerCopy: Int
  let pixelsPerCopy: Int
  /// Lines of all samples and slices, one after the other, that a band has.
  let bands: BalancedSplit
  /// x and dy are read where they lie and outgrow the caches: a band fetches its next columns ahead.
  let fetchesAhead: Bool
  let gemm: GemmKernels
  let kernels: DepthwiseKernels
  let size: Int
  let zeros = OffsetTable([Int](repeating: 0, count: 8))

  private static let copyBytes = 128 << 10
  /// A chain is no shorter than this, where the problem is not, and bands are no more than that.
  private static let chainSteps = 1024
  private static let mostBands = 32

  init(_ sides: ConvolutionSides, _ gemm: GemmKernels, _ convolution: ConvolutionKernels, size: Int) {
    self.gemm = gemm
    self.size = size
    kernels = convolution.depthwise
    samples = sides.batch
    pass = sides.forwardPass()
    dy = ChannelTensor(channels: sides.k, extents: sides.output, layout: sides.yLayout)
    weights = DepthwiseWeights(
      channels: sides.k, sources: 1, order: Array(0..<sides.taps), gemm, convolution, size: size)
    rows = DepthwiseRows(
      ChannelTensor(channels: sides.c, extents: sides.window.input, layout: sides.xLayout), passes: [pass],
      repeats: sides.multiplier, sources: 1, lanes: gemm.lanes, size: size)
    var identity = pass
    identity.depth = .identity(sides.output.depth)
    identity.height = .identity(sides.output.height)
    identity.width = .identity(sides.output.width)
    dyRows = DepthwiseRows(dy, passes: [identity], repeats: 1, sources: 1, lanes: gemm.lanes, size: size)
    let split = rows.split(sides.output, bytes: Self.copyBytes)
    let copies = !rows.inPlace || !dyRows.inPlace
    // Asking for what lies in the last level costs more than it saves.
    fetchesAhead = !copies && DepthwiseRows.isLarge(rows.tensor, dy, samples: sides.batch, size: size, fraction: 2)
    linesPerCopy = copies ? split.lines : sides.output.height
    pixelsPerCopy = copies ? split.pixels : sides.output.width
    let lines = sides.batch * sides.output.depth * sides.output.height
    // Whole blocks of the kernel, which are seven lines, or two.
    let linesPerChain = max(1, Self.chainSteps / sides.output.width).roundedUp(to: 14)
    bands = BalancedSplit(
      lines, atMost: max(linesPerChain, lines.dividedRoundingUp(by: Self.mostBands)))
  }

  var details: String {
    (rows.inPlace ? "x in place" : "x turned") + (dyRows.inPlace ? "" : ", dy turned")
      + ", chains of \(bands.longest * pass.width.positions)"
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

  /// Channels of a part that copies.
  private var copyChannels: Int { min(dy.channels, 2 * gemm.lanes) }
  private var xBytes: Int {
    rows.inPlace ? 0 : (rows.elements(linesPerCopy, pixelsPerCopy, channels: copyChannels) * size).roundedUp(to: 64)
  }
  private var dyBytes: Int {
    dyRows.inPlace
      ? 0 : (dyRows.elements(linesPerCopy, pixelsPerCopy, channels: copyChannels) * size).roundedUp(to: 64)
  }
  func scratchBytes(threads: Int) -> (slot: Int, call: Int) {
    (
      xBytes + dyBytes + DepthwiseRows.waitingBytes(gemm, size: size),
      (bands.count * weights.elements * size).roundedUp(to: 64)
    )
  }

  // MARK: Runs

  func run(
    _ task: WeightGradientTask, _ scratch: UnsafeMutableRawPointer, threads: Int, _ context: ExecutionContext
  ) throws(ApusError) {
    let (slotBytes, callBytes) = scratchBytes(threads: threads)
    let copies = !rows.inPlace || !dyRows.inPlace
    var channels = copies ? copyChannels : dy.channels
    while threads > 1 && channels > gemm.lanes
      && bands.count * dy.channels.dividedRoundingUp(by: channels) < threads
    {
      channels = (channels / 2).roundedUp(to: gemm.lanes)
    }
    let channelCount = dy.channels.dividedRoundingUp(by: channels)
    // The sums of an only band are the result.
    let isWhole = bands.count == 1 && !task.accumulate
    try context.parallel(parts: bands.count * channelCount, slots: threads, inPieces: true) { slot, part in
      let (band, index) = part.quotientAndRemainder(dividingBy: channelCount)
      runBand(
        task, band, index * channels..<min(dy.channels, (index + 1) * channels),
        isWhole ? task.weights : scratch + band * weights.elements * size, scratch + callBytes + slot * slotBytes)
    }
    if isWhole { return }
    let vectors = BalancedSplit(weights.vectors, atMost: 8)
    try context.parallel(parts: vectors.count, slots: weights.elements * bands.count < 1 << 15 ? 1 : threads) {
      _, part in
      let first = vectors.start(part) * weights.pitch
      let count = vectors.length(part) * weights.pitch
      var output = GemmOutput()
      for band in 0..<bands.count {
        output.beta = band > 0 || task.accumulate ? 1 : 0
        gemm.finish(
          scratch + (band * weights.elements + first) * size, count, 1, count, task.weights + first * size, count,
          &output)
      }
    }
  }

  /// The chains of a band.
  private func runBand(
    _ task: WeightGradientTask, _ band: Int, _ channels: Range<Int>, _ sums: UnsafeMutableRawPointer,
    _ scratch: UnsafeMutableRawPointer
  ) {
    let to = sums + channels.lowerBound / weights.lanes * weights.pitch * size
    let vectors = channels.count.dividedRoundingUp(by: weights.lanes)
    to.initializeMemory(as: UInt8.self, repeating: 0, count: vectors * weights.pitch * size)
    var line = bands.start(band)
    let end = bands.start(band + 1)
    while line < end {
      // Lines of one slice.
      let (plane, first) = line.quotientAndRemainder(dividingBy: pass.height.positions)
      let (sample, depth) = plane.quotientAndRemainder(dividingBy: pass.depth.positions)
      let count = min(end - line, pass.height.positions - first, linesPerCopy)
      var pixel = 0
      while pixel < pass.width.positions {
        let pixels = pixel..<min(pixel + pixelsPerCopy, pass.width.positions)
        add(task, sample, depth, first..<first + count, pixels, channels, to, scratch)
        pixel = pixels.upperBound
      }
      line += count
    }
  }

  private func add(
    _ task: WeightGradientTask, _ sample: Int, _ depth: Int, _ lines: Range<Int>, _ pixels: Range<Int>,
    _ channels: Range<Int>, _ sums: UnsafeMutableRawPointer, _ scratch: UnsafeMutableRawPointer
  ) {
    let x = rows.view(
      task.x, sample: sample, depth: depth, lines: lines, pixels: pixels, channels: channels, band: scratch, gemm)
    let gradient = dyRows.view(
      task.dy, sample: sample, depth: depth, lines: lines, pixels: pixels, channels: channels, band: scratch + xBytes,
      gemm)
    var shape = DepthwiseShape(zeros: UnsafeRawPointer(zeros.pointer))
    shape.lines = lines.count
    shape.columns = pixels.count
    shape.channels = channels.count
    rows.describe(pass, x, depth, lines.lowerBound, pixels.lowerBound, &shape)
    shape.resultPixelPitch = gradient.pixelPitch
    shape.resultRowPitch = gradient.rowPitch
    shape.weightPitch = weights.pitch
    shape.isLarge = fetchesAhead
    shape.waiting = scratch + xBytes + dyBytes
    shape.groups = DepthwiseShape.groups(vectors: dy.channels / gemm.lanes)
    let first =
      depth * gradient.slicePitch + lines.lowerBound * gradient.rowPitch + pixels.lowerBound * gradient.pixelPitch
    kernels.gradient(&shape, x.base, sums, gradient.base + first * size)
  }
}
