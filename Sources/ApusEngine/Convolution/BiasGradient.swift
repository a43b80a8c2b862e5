import ApusKernelInterface

/// db[k] = the sum of dy over samples and positions: blocks of `blockSteps` positions in chains (of a channels-first dy,
/// in lanes), and the blocks' sums in order. The error is at most eps (blockSteps + blocks) times the sum of magnitudes.
struct BiasGradient: Sendable {
  let dy: ChannelTensor
  let samples: Int
  let gemm: GemmKernels
  let size: Int

  private static let blockSteps = 512
  /// Channels that a part sums.
  private static let channelsPerPart = 64

  /// A block's sums, then ones.
  func scratchBytes() -> Int { (Self.channelsPerPart + Self.blockSteps) * size }

  func run(
    _ source: UnsafeRawPointer, into result: UnsafeMutableRawPointer, accumulate: Bool,
    _ scratch: UnsafeMutableRawPointer, threads: Int, _ context: ExecutionContext
  ) throws(ApusError) {
    let split = BalancedSplit(dy.channels, atMost: Self.channelsPerPart)
    try context.parallel(parts: split.count, slots: threads) { slot, part in
      sum(
        source, split.start(part)..<split.start(part + 1), result, accumulate,
        scratch + slot * scratchBytes().roundedUp(to: 64))
    }
  }

  private func sum(
    _ source: UnsafeRawPointer, _ channels: Range<Int>, _ result: UnsafeMutableRawPointer, _ accumulate: Bool,
    _ scratch: UnsafeMutableRawPointer
  ) {
    let ones = scratch + Self.channelsPerPart * size
    if size == 4 {
      ones.initializeMemory(as: Float.self, repeating: 1, count: Self.blockSteps)
    } else {
      ones.initializeMemory(as: Double.self, repeating: 1, count: Self.blockSteps)
    }
    let count = channels.count
    let to = result + channels.lowerBound * size
    // A channels-last tensor is one long list of pixels.
    let pixels = dy.isChannelsLast ? dy.extents.product * samples : dy.extents.product
    let blocks = BalancedSplit(pixels, atMost: Self.blockSteps)
    var isFirst = true
    for sample in 0..<(dy.isChannelsLast ? min(samples, 1) : samples) {
      for block in 0..<blocks.count {
        var arguments = MatrixVectorArguments(
          matrix: source
            + (sample * dy.sampleElements + blocks.start(block) * dy.pixelStride
              + channels.lowerBound * dy.planeStride) * size,
          matrixStride: dy.isChannelsLast ? dy.channels : dy.planeStride, vector: ones, vectorStride: 1,
          result: scratch,
          rows: count, k: blocks.length(block))
        if dy.isChannelsLast { gemm.update(&arguments) } else { gemm.dots(&arguments) }
        var output = GemmOutput()
        output.beta = isFirst && !accumulate ? 0 : 1
        gemm.finish(scratch, count, 1, count, to, count, &output)
        isFirst = false
      }
    }
    if isFirst && !accumulate { to.initializeMemory(as: UInt8.self, repeating: 0, count: count * size) }
  }
}
