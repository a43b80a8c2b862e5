import ApusKernelInterface

/// The form of weights that register tiles read: for each group, panels of the result's channels, each
/// `[tap][source channel][panel columns]`, the taps in the order in which the passes visit them.
struct WeightPanels: Sendable {
  let groups: Int
  /// Channels of the source and of the result in each group.
  let sourceChannels: Int
  let resultChannels: Int
  /// Taps of the kernel.
  let taps: Int
  /// Columns of a panel: a whole number of vectors.
  let columns: Int
  /// Whether the framework's rows (K) are the result's channels (forward) or the source's (backward by data).
  let rowsAreResults: Bool
  /// Where the framework's tap i begins in a panel.
  let tapOffsets: OffsetTable
  let size: Int
  private let packTaps: ConvolutionKernels.TapPanel
  private let unpackTaps: ConvolutionKernels.TapPanel

  /// `order[i]` is the framework's number of the panel's tap i.
  init(
    groups: Int, sourceChannels: Int, resultChannels: Int, rowsAreResults: Bool, order: [Int],
    _ gemm: GemmKernels, _ convolution: ConvolutionKernels, size: Int
  ) {
    self.groups = groups
    self.sourceChannels = sourceChannels
    self.resultChannels = resultChannels
    self.rowsAreResults = rowsAreResults
    self.size = size
    taps = order.count
    columns = min(resultChannels.roundedUp(to: gemm.lanes), gemm.tileColumns)
    var offsets = [Int](repeating: 0, count: order.count)
    for (position, tap) in order.enumerated() { offsets[tap] = position * sourceChannels * columns }
    tapOffsets = OffsetTable(offsets)
    packTaps = convolution.packTaps
    unpackTaps = convolution.unpackTaps
  }

  var panelsPerGroup: Int { resultChannels.dividedRoundingUp(by: columns) }
  var panelElements: Int { taps * sourceChannels * columns }
  var elements: Int { groups * panelsPerGroup * panelElements }
  /// One for each panel of each group.
  var parts: Int { groups * panelsPerGroup }

  /// Result channels of panel `index` of a group.
  func width(_ index: Int) -> Int { min(columns, resultChannels - index * columns) }

  func pack(_ weights: UnsafeRawPointer, into own: UnsafeMutableRawPointer, part: Int) {
    let (group, index) = part.quotientAndRemainder(dividingBy: panelsPerGroup)
    let panel = own + part * panelElements * size
    let count = width(index)
    if rowsAreResults {
      var shape = TapPanelShape(
        rows: count, rowStride: sourceChannels * taps, channels: sourceChannels, taps: taps,
        tapOffsets: tapOffsets.pointer, channelStride: columns)
      packTaps(&shape, weights + (group * resultChannels + index * columns) * sourceChannels * taps * size, panel)
      return
    }
    for k in 0..<sourceChannels {
      let row = weights + ((group * sourceChannels + k) * resultChannels + index * columns) * taps * size
      let to = panel + k * columns * size
      if taps == 1 {
        to.copyMemory(from: row, byteCount: count * size)
        (to + count * size).initializeMemory(as: UInt8.self, repeating: 0, count: (columns - count) * size)
      } else {
        var shape = TapPanelShape(
          rows: count, rowStride: taps, channels: 1, taps: taps, tapOffsets: tapOffsets.pointer, channelStride: 0)
        packTaps(&shape, row, to)
      }
    }
  }

  func unpack(_ own: UnsafeRawPointer, into weights: UnsafeMutableRawPointer, accumulate: Bool, part: Int) {
    let (group, index) = part.quotientAndRemainder(dividingBy: panelsPerGroup)
    let panel = own + part * panelElements * size
    if rowsAreResults {
      var shape = TapPanelShape(
        rows: width(index), rowStride: sourceChannels * taps, channels: sourceChannels, taps: taps,
        tapOffsets: tapOffsets.pointer, channelStride: columns)
      shape.accumulate = accumulate
      unpackTaps(&shape, panel, weights + (group * resultChannels + index * columns) * sourceChannels * taps * size)
      return
    }
    for k in 0..<sourceChannels {
      let row = weights + ((group * sourceChannels + k) * resultChannels + index * columns) * taps * size
      var shape = TapPanelShape(
        rows: width(index), rowStride: taps, channels: 1, taps: taps, tapOffsets: tapOffsets.pointer, channelStride: 0)
      shape.accumulate = accumulate
      unpackTaps(&shape, panel + k * columns * size, row)
    }
  }
}
