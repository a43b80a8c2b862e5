import ApusKernelInterface

/// Where a tensor with channels lies: strides in elements.
struct ChannelTensor: Sendable {
  let channels: Int
  let extents: Extents
  /// Neighbouring channels are neighbours in memory.
  let isChannelsLast: Bool

  /// One channel, or one position, lies the same way in either layout.
  init(channels: Int, extents: Extents, layout: TensorLayout) {
    self.channels = channels
    self.extents = extents
    isChannelsLast = layout == .channelsLast || channels == 1 || extents.product == 1
  }

  var sampleElements: Int { channels * extents.product }
  /// From one channel's plane to the next.
  var planeStride: Int { isChannelsLast ? 1 : extents.product }
  /// From one position to the next.
  var pixelStride: Int { isChannelsLast ? channels : 1 }

  func offset(_ sample: Int, _ depth: Int, _ height: Int, _ width: Int, channel: Int) -> Int {
    sample &* sampleElements
      &+ ((depth &* extents.height &+ height) &* extents.width &+ width) &* pixelStride
      &+ channel &* planeStride
  }
}

/// A few rows of the source with their padding and, of a channels-first tensor, turned so that channels are neighbours:
/// `[slice][row][column][channel of the group]`.
struct SourceBand: Sendable {
  /// Rows, and columns of each, that there is room for.
  let slices: Int
  let rows: Int
  let columns: Int
  let channels: Int
  /// Elements from one column to the next, at least `channels`.
  let pixelPitch: Int
  /// From one of the source's rows that is kept to the next.
  let rowStep: Int

  var rowPitch: Int { columns * pixelPitch }
  var slicePitch: Int { rows * rowPitch }
  /// `slack` more elements are written past the end.
  func elements(slack: Int) -> Int { slices * slicePitch + slack }

  /// Copies the rows from (depth, height, width) of a sample on, `rowCount` of each slice and `columnCount` columns.
  func fill(
    _ band: UnsafeMutableRawPointer, from source: UnsafeRawPointer, _ tensor: ChannelTensor, sample: Int, depth: Int,
    height: Int, width: Int, channel: Int, rowCount: Int, columnCount: Int, _ gemm: GemmKernels, size: Int
  ) {
    // Columns that exist; the others are padding.
    let left = min(max(0, -width), columnCount)
    let right = min(max(0, width + columnCount - tensor.extents.width), columnCount - left)
    let count = columnCount - left - right
    for slice in 0..<slices {
      for row in 0..<rowCount {
        let to = band + (slice * slicePitch + row * rowPitch) * size
        let h = height + row * rowStep
        let exists =
          depth + slice >= 0 && depth + slice < tensor.extents.depth && h >= 0 && h < tensor.extents.height && count > 0
        if !exists {
          zero(to, columnCount * pixelPitch * size)
          continue
        }
        let from = source + tensor.offset(sample, depth + slice, h, width + left, channel: channel) * size
        let first = to + left * pixelPitch * size
        zero(to, left * pixelPitch * size)
        if !tensor.isChannelsLast {
          gemm.turn(from, channels, count, tensor.planeStride, first, pixelPitch)
        } else if channels == tensor.channels && pixelPitch == channels {
          first.copyMemory(from: from, byteCount: count * channels * size)
        } else {
          for i in 0..<count {
            (first + i * pixelPitch * size)
              .copyMemory(from: from + i * tensor.channels * size, byteCount: channels * size)
          }
        }
        // Last, because a turned row writes past its end.
        zero(first + count * pixelPitch * size, right * pixelPitch * size)
      }
    }
  }

  private func zero(_ p: UnsafeMutableRawPointer, _ bytes: Int) {
    if bytes > 0 { p.initializeMemory(as: UInt8.self, repeating: 0, count: bytes) }
  }
}
