import ApusKernelInterface

/// Rows and columns of a tensor as planes with their padding, `[channel][row][column]`.
struct PlaneBand: Sendable {
  let channels: Int
  /// Rows, and columns of each, that there is room for.
  let rows: Int
  let columns: Int
  /// Elements of a vector: rows are written by whole ones, and tiles read two past a row.
  let lanes: Int

  /// From one channel's plane to the next.
  var planePitch: Int { rows * columns + 2 * lanes }
  /// The surplus of the last row included.
  var elements: Int { channels * planePitch + 2 * lanes }

  /// Copies `rowCount` rows from `top` and `columnCount` columns from `left` on; what the tensor lacks is zero. `some`
  /// are the tensor's channels that are meant, at most those that there is room for.
  func fill(
    _ band: UnsafeMutableRawPointer, from source: UnsafeRawPointer, _ tensor: ChannelTensor, _ some: Range<Int>,
    sample: Int, top: Int, rowCount: Int, left start: Int, columnCount: Int, _ gemm: GemmKernels,
    _ planes: PlaneKernels, size: Int
  ) {
    let left = min(max(0, -start), columnCount)
    let right = min(max(0, start + columnCount - tensor.extents.width), columnCount - left)
    let inside = max(0, top)..<max(max(0, top), min(top + rowCount, tensor.extents.height))
    let above = min(rowCount, inside.lowerBound - top)
    let below = rowCount - above - inside.count
    var padding = PadRowsShape(
      rows: above, columns: 0, sourceStride: 0, resultStride: columns, left: columnCount, right: 0)
    var existing = PadRowsShape(
      rows: inside.count, columns: columnCount - left - right, sourceStride: tensor.extents.width,
      resultStride: columns, left: left, right: right)
    for channel in some {
      let plane = band + (channel - some.lowerBound) * planePitch * size
      if above > 0 { planes.padRows(&padding, source, plane) }
      if tensor.isChannelsFirst {
        planes.padRows(
          &existing, source + tensor.offset(sample, 0, inside.lowerBound, start + left, channel: channel) * size,
          plane + above * columns * size)
      }
    }
    if !tensor.isChannelsFirst {
      turn(band, source, tensor, some, sample, inside, above, start, left, right, columnCount, gemm, size)
    }
    if below > 0 {
      padding.rows = below
      for channel in 0..<some.count {
        planes.padRows(&padding, source, band + (channel * planePitch + (above + inside.count) * columns) * size)
      }
    }
  }

  /// Rows of a channels-last tensor; a row's surplus in every plane lies where its padding and the next row come.
  private func turn(
    _ band: UnsafeMutableRawPointer, _ source: UnsafeRawPointer, _ tensor: ChannelTensor, _ some: Range<Int>,
    _ sample: Int, _ inside: Range<Int>, _ above: Int, _ start: Int, _ left: Int, _ right: Int, _ columnCount: Int,
    _ gemm: GemmKernels, _ size: Int
  ) {
    for row in 0..<inside.count {
      let to = band + (above + row) * columns * size
      gemm.turn(
        source + tensor.offset(sample, 0, inside.lowerBound + row, start + left, channel: some.lowerBound) * size,
        columnCount - left - right, some.count, tensor.channels, to + left * size, planePitch)
      if left + right == 0 { continue }
      for channel in 0..<some.count {
        let line = to + channel * planePitch * size
        line.initializeMemory(as: UInt8.self, repeating: 0, count: left * size)
        (line + (columnCount - right) * size).initializeMemory(as: UInt8.self, repeating: 0, count: right * size)
      }
    }
  }
}
