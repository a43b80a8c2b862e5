import ApusKernelInterface

extension ConvolutionSides {
  /// Every group has one channel of the big side.
  var isDepthwise: Bool { groups == c && c > 1 }
  /// Channels of the small side that each one of the big side has.
  var multiplier: Int { k / c }
  /// Whether depthwise methods would copy large stretches of their source that no tap meets: all between the taps of a few
  /// pixels is copied, where channels come first or are repeated.
  var copiesBetweenTaps: Bool {
    if window.dilation == Extents(repeating: 1) { return false }
    if xLayout == .channelsLast && yLayout == .channelsLast && multiplier == 1 { return false }
    let (span, input) = (window.span, window.input)
    let positions = min(span.depth, input.depth) * min(span.height, input.height) * min(span.width + 15, input.width)
    return positions > Self.mostCopiedPositions
  }
  /// With two vectors of 16 channels 4 MB in float32.
  private static let mostCopiedPositions = 1 << 15
}

/// The form of weights that depthwise kernels read: for each vector of the result's channels `[tap][source channel]`
/// vectors, padded with zeros at the end, the taps in the order in which the passes visit them. One vector's taps are
/// neighbours, because a tile takes all of them before the next vector's.
struct DepthwiseWeights: Sendable {
  /// Channels of the result, and source channels of each: 1 forward, the multiplier backward by data.
  let channels: Int
  let sources: Int
  let taps: Int
  let lanes: Int
  let size: Int
  private let tapOffsets: OffsetTable
  private let packTaps: ConvolutionKernels.TapPanel
  private let unpackTaps: ConvolutionKernels.TapPanel

  /// Vectors that a part packs.
  private static let vectorsPerPart = 4

  /// `order[i]` is the framework's number of the form's tap i.
  init(
    channels: Int, sources: Int, order: [Int], _ gemm: GemmKernels, _ convolution: ConvolutionKernels, size: Int
  ) {
    self.channels = channels
    self.sources = sources
    self.size = size
    taps = order.count
    lanes = gemm.lanes
    var offsets = [Int](repeating: 0, count: order.count)
    for (position, tap) in order.enumerated() { offsets[tap] = position * sources * gemm.lanes }
    tapOffsets = OffsetTable(offsets)
    packTaps = convolution.packTaps
    unpackTaps = convolution.unpackTaps
  }

  var vectors: Int { channels.dividedRoundingUp(by: lanes) }
  /// Elements from one vector of channels to the next.
  var pitch: Int { taps * sources * lanes }
  var elements: Int { vectors * pitch }
  var parts: Int { vectors.dividedRoundingUp(by: Self.vectorsPerPart) }

  /// The vectors of a part: the framework's element of the first channel, the form's, and what lies between.
  private func forEach(_ part: Int, _ body: (_ framework: Int, _ own: Int, inout TapPanelShape) -> Void) {
    for vector in part * Self.vectorsPerPart..<min(vectors, (part + 1) * Self.vectorsPerPart) {
      var shape = TapPanelShape(
        rows: min(lanes, channels - vector * lanes), rowStride: sources * taps, channels: sources, taps: taps,
        tapOffsets: tapOffsets.pointer, channelStride: lanes)
      body(vector * lanes * sources * taps * size, vector * pitch * size, &shape)
    }
  }

  func pack(_ weights: UnsafeRawPointer, into own: UnsafeMutableRawPointer, part: Int) {
    forEach(part) { framework, form, shape in packTaps(&shape, weights + framework, own + form) }
  }

  func unpack(_ own: UnsafeRawPointer, into weights: UnsafeMutableRawPointer, accumulate: Bool, part: Int) {
    forEach(part) { framework, form, shape in
      shape.accumulate = accumulate
      unpackTaps(&shape, own + form, weights + framework)
    }
  }
}
