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
  /// What there is room for.
  let slices: BandAxis
  let rows: BandAxis
  let columns: BandAxis
  let channels: Int
  /// Elements from one column to the next, at least `channels`.
  let pixelPitch: Int

  var rowPitch: Int { columns.kept * pixelPitch }
  var slicePitch: Int { rows.kept * rowPitch }
  /// `slack` more elements are written past the end.
  func elements(slack: Int) -> Int { slices.kept * slicePitch + slack }

  /// Copies what `lines` x `pixels` results meet, whose lowest position is (depth, height, width) of a sample.
  func fill(
    _ band: UnsafeMutableRawPointer, from source: UnsafeRawPointer, _ tensor: ChannelTensor, sample: Int, depth: Int,
    height: Int, width: Int, channel: Int, lines: Int, pixels: Int, _ gemm: GemmKernels, size: Int
  ) {
    let (rowCount, columnCount) = (rows.positions(lines), columns.positions(pixels))
    for slice in 0..<slices.kept {
      let d = depth + slices.starts[slice / slices.room] + slice % slices.room
      for piece in rows.starts.indices {
        for row in 0..<rowCount {
          let h = height + rows.starts[piece] + row * rows.step
          let exists = d >= 0 && d < tensor.extents.depth && h >= 0 && h < tensor.extents.height
          let to = band + (slice * slicePitch + (piece * rows.room + row) * rowPitch) * size
          // In the order of memory, because a turned row writes past its end.
          for (i, start) in columns.starts.enumerated() {
            fillRow(
              to + i * columns.room * pixelPitch * size, from: source, tensor, sample: sample, depth: d, height: h,
              width: width + start, channel: channel, exists: exists, columnCount, gemm, size: size)
          }
        }
      }
    }
  }

  /// `columnCount` neighbouring columns of a row, which may not exist.
  private func fillRow(
    _ to: UnsafeMutableRawPointer, from source: UnsafeRawPointer, _ tensor: ChannelTensor, sample: Int, depth: Int,
    height: Int, width: Int, channel: Int, exists: Bool, _ columnCount: Int, _ gemm: GemmKernels, size: Int
  ) {
    // Columns that exist; the others are padding.
    let left = min(max(0, -width), columnCount)
    let right = min(max(0, width + columnCount - tensor.extents.width), columnCount - left)
    let count = columnCount - left - right
    if !exists || count == 0 { return zero(to, columnCount * pixelPitch * size) }
    let from = source + tensor.offset(sample, depth, height, width + left, channel: channel) * size
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

  private func zero(_ p: UnsafeMutableRawPointer, _ bytes: Int) {
    if bytes > 0 { p.initializeMemory(as: UInt8.self, repeating: 0, count: bytes) }
  }
}
