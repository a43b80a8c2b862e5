import ApusKernelInterface

/// Images in the lanes of a vector, where small images with much padding leave a row's lanes idle.
///
/// A vector then holds one position of as many samples, and taps that meet padding are passed over. The rows' tiles
/// multiply some of that padding by weights: an exact zero, which changes no sum but the sign of one that is zero. So with
/// finite weights, and zeros stored as +0, a sample's bits are the same either way.
extension PlanesConvolution {
  /// Samples that are lanes of some vectors together, group by group.
  struct ImageGroups: Sendable {
    var samples: Int
    /// Samples of a group, but of the last one.
    var size: Int
    static var none: ImageGroups { ImageGroups(samples: 0, size: 1) }
    var count: Int { samples.dividedRoundingUp(by: size) }
    func range(_ i: Int) -> Range<Int> { i * size..<min((i + 1) * size, samples) }
  }

  /// Bytes of a group's source at most, so that it stays in the second-level cache.
  private static var groupBytes: Int { 256 << 10 }

  /// A function of the layer, not of the batch.
  static func mayTakeImages(
    _ passes: [PlanePass], _ source: ChannelTensor, _ result: ChannelTensor, _ gemm: GemmKernels, size: Int
  ) -> Bool {
    guard passes.count == 1, let pass = passes.first, pass.pieces.count == 1, pass.width.taps > 0 else { return false }
    if min(source.sampleElements, result.sampleElements) == 0 { return false }
    let largest = max(source.sampleElements, result.sampleElements)
    if largest * 2 * gemm.lanes * size > groupBytes { return false }
    // Products that meet a source, of those that rows' tiles compute.
    let columns = pass.width.positions
    let useful = (0..<columns).reduce(0) { $0 + pass.width.taps(at: $1).count }
    return 10 * useful <= 7 * columns.roundedUp(to: gemm.lanes) * pass.width.taps
  }

  /// Whether a product with zero is zero.
  func takesImages(_ weights: UnsafeRawPointer, threads: Int) -> Bool {
    if !mayTakeImages || imageGroups(threads: threads).samples == 0 { return false }
    // The largest exponent is that of infinity and NaN.
    if size == 4 {
      let bits = UnsafeBufferPointer(start: weights.assumingMemoryBound(to: UInt32.self), count: weightElements)
      return bits.reduce(0) { max($0, $1 & 0x7f80_0000) } < 0x7f80_0000
    }
    let bits = UnsafeBufferPointer(start: weights.assumingMemoryBound(to: UInt64.self), count: weightElements)
    return bits.reduce(0) { max($0, $1 & 0x7ff0_0000_0000_0000) } < 0x7ff0_0000_0000_0000
  }

  /// Two vectors of images where they are enough for all threads. A rest that leaves half of a vector idle is left to
  /// tiles of rows, as are all samples where threads would wait.
  func imageGroups(threads: Int) -> ImageGroups {
    let lanes = gemm.lanes
    let size = samples >= 2 * lanes * threads ? 2 * lanes : lanes
    let rest = samples % lanes
    let taken = 2 * rest >= lanes ? samples : samples - rest
    let groups = ImageGroups(samples: taken, size: size)
    return 2 * groups.count >= threads ? groups : ImageGroups.none
  }

  /// `[position and channel as in memory][image]`
  private var groupSourceBytes: Int { ((source.sampleElements * 2 + 1) * gemm.lanes * size).roundedUp(to: 64) }
  private var groupResultBytes: Int { ((result.sampleElements * 2 + 1) * gemm.lanes * size).roundedUp(to: 64) }
  var imageScratchBytes: Int { groupSourceBytes + 2 * groupResultBytes }

  /// All results of some samples.
  func runImages(_ task: GatherTask, _ images: Range<Int>, _ scratch: UnsafeMutableRawPointer) {
    let pass = passes[0]
    let width = images.count.roundedUp(to: gemm.lanes)
    let sums = scratch + groupSourceBytes
    gemm.turn(
      task.source + images.lowerBound * source.sampleElements * size, images.count, source.sampleElements,
      source.sampleElements, scratch, width)
    var shape = PlaneTileShape(
      channels: source.channels, planeStride: source.planeStride * width,
      rowStride: source.extents.width * source.pixelStride * width, widthTaps: 0,
      tapStride: source.pixelStride * width, skippedWeights: 0, heightTaps: pass.height.taps, resultChannels: 0,
      resultPlaneStride: result.planeStride * width,
      resultRowStride: result.extents.width * result.pixelStride * width, rows: 0, columns: width, accumulate: false,
      continues: false, firstRow: 0, endRow: 0, hasPositiveZeros: true)
    var weights = task.weights
    for first in Swift.stride(from: 0, to: result.channels, by: Self.together) {
      shape.resultChannels = min(Self.together, result.channels - first)
      let step = (width > gemm.lanes ? planes.wideRows : planes.narrowRows)[shape.resultChannels - 1]
      let weightsOfTap = shape.resultChannels * shape.heightTaps
      for row in Swift.stride(from: 0, to: rows, by: step) {
        let top = row + pass.height.offset
        shape.rows = min(step, rows - row)
        shape.firstRow = max(0, -top)
        shape.endRow = max(0, source.extents.height - top)
        for column in 0..<columns {
          let taps = pass.width.taps(at: column)
          shape.widthTaps = taps.count
          shape.skippedWeights = (pass.width.taps - taps.count) * weightsOfTap
          let from = top * shape.rowStride + (column + pass.width.offset + taps.lowerBound) * shape.tapStride
          let to =
            first * shape.resultPlaneStride + row * shape.resultRowStride + column * result.pixelStride * width
          planes.tile(
            &shape, scratch + from * size, weights + taps.lowerBound * weightsOfTap * size, sums + to * size)
        }
      }
      weights += source.channels * pass.width.taps * weightsOfTap * size
    }
    finishImages(task, images, sums, width)
  }

  /// Sums with images as neighbours into the result.
  private func finishImages(
    _ task: GatherTask, _ images: Range<Int>, _ sums: UnsafeMutableRawPointer, _ width: Int
  ) {
    let (elements, lanes) = (result.sampleElements, gemm.lanes)
    let to = task.result + images.lowerBound * elements * size
    if task.output.isOverwrite && elements >= lanes {
      // Whole vectors alone, so that nothing past the result is written; the last ones overlap.
      let whole = elements / lanes * lanes
      gemm.turn(sums, whole, images.count, width, to, elements)
      if whole < elements {
        let rest = elements - lanes
        gemm.turn(sums + rest * width * size, lanes, images.count, width, to + rest * size, elements)
      }
      return
    }
    let turned = sums + groupResultBytes
    gemm.turn(sums, elements, images.count, width, turned, elements)
    var output = task.output
    output.biasIsByRow = result.isChannelsFirst
    let rows = result.isChannelsFirst ? result.channels : result.extents.product
    let columns = elements / rows
    for (i, image) in images.enumerated() {
      output.residual = task.output.residual.map { $0 + image * elements * size }
      output.residualRowStride = columns
      gemm.finish(turned + i * elements * size, columns, rows, columns, to + i * elements * size, columns, &output)
    }
  }
}
