/// A plain convolution between two tensors: the big side x (C channels, the window's input) and the small side y (K
/// channels, the window's positions). A transposed convolution is one with its sides exchanged.
struct ConvolutionSides: Sendable {
  let batch: Int
  /// Channels of the big side and of the small one.
  let c: Int
  let k: Int
  let groups: Int
  /// Kernel, stride, dilation, padding, and the big side's size.
  let window: SpatialWindow
  /// The small side's size.
  let output: Extents
  let xLayout: TensorLayout
  let yLayout: TensorLayout

  var cPerGroup: Int { c / groups }
  var kPerGroup: Int { k / groups }
  var taps: Int { window.window.product }

  init(_ d: ConvolutionDescriptor) throws(ApusError) {
    let size = try d.outputSize()
    batch = d.batch
    groups = d.groups
    if d.isTransposed {
      var window = d.window
      window.input = size
      self.window = window
      output = d.window.input
      c = d.outputChannels
      k = d.inputChannels
      xLayout = d.yLayout
      yLayout = d.xLayout
    } else {
      window = d.window
      output = size
      c = d.inputChannels
      k = d.outputChannels
      xLayout = d.xLayout
      yLayout = d.yLayout
    }
  }
}

/// One dimension of a pass: result position `start + step * j` gathers from source positions
/// `stride * j + offset + tapStep * t`, t in 0..<taps, through the weights' tap `weight + weightStep * t`.
struct PassAxis: Sendable, Equatable {
  var positions: Int
  var start: Int
  var step: Int
  var stride: Int
  var taps: Int
  var offset: Int
  var tapStep: Int
  var weight: Int
  var weightStep: Int
  /// Size of the source along this dimension.
  var source: Int
  /// Size of the result along this dimension.
  var result: Int

  /// Source positions that `count` neighbouring results touch, padding included.
  func reach(_ count: Int) -> Int { (count - 1) * stride + (taps - 1) * tapStep + 1 }
  /// The taps of a position whose sources are no padding.
  func taps(at position: Int) -> Range<Int> {
    let first = position * stride + offset
    let low = min(max(0, -first).dividedRoundingUp(by: tapStep), taps)
    return low..<max(low, min(taps, max(0, source - first).dividedRoundingUp(by: tapStep)))
  }
  /// The positions for which a tap's source is no padding.
  func positions(ofTap tap: Int) -> Range<Int> {
    let first = tap * tapStep + offset
    let low = min(max(0, -first).dividedRoundingUp(by: stride), positions)
    return low..<max(low, min(positions, max(0, source - first).dividedRoundingUp(by: stride)))
  }
  /// Whether some position lies outside of the source.
  var touchesPadding: Bool {
    positions > 0 && taps > 0 && (offset < 0 || offset + reach(positions) > source)
  }
}

/// Result positions that share their taps. Forward is one pass; backward by data has one for each remainder of a position
/// by the stride.
struct ConvolutionPass: Sendable {
  var depth: PassAxis
  var height: PassAxis
  var width: PassAxis

  subscript(_ i: Int) -> PassAxis { i == 0 ? depth : i == 1 ? height : width }
  var taps: Int { depth.taps * height.taps * width.taps }
  var isEmpty: Bool { depth.positions == 0 || height.positions == 0 || width.positions == 0 }
  /// The framework's numbers of this pass's taps, in its order.
  func tapIndices(kernelHeight: Int, kernelWidth: Int) -> [Int] {
    var indices: [Int] = []
    for d in 0..<depth.taps {
      for h in 0..<height.taps {
        for w in 0..<width.taps {
          indices.append(
            ((depth.weight + d * depth.weightStep) * kernelHeight + height.weight + h * height.weightStep) * kernelWidth
              + width.weight + w * width.weightStep)
        }
      }
    }
    return indices
  }
}

extension ConvolutionSides {
  /// y from x.
  func forwardPass() -> ConvolutionPass {
    func axis(_ i: Int) -> PassAxis {
      PassAxis(
        positions: output[i], start: 0, step: 1, stride: window.stride[i], taps: window.window[i],
        offset: -window.padBefore[i], tapStep: window.dilation[i], weight: 0, weightStep: 1, source: window.input[i],
        result: output[i])
    }
    return ConvolutionPass(depth: axis(0), height: axis(1), width: axis(2))
  }

  /// Backward by data has a pass for each remainder of a position by the stride. Throws where they are too many to plan.
  func checkPasses() throws(ApusError) {
    var count = CheckedSize(1)
    for i in 0..<3 { count = count * min(window.stride[i], window.input[i]) }
    if !count.overflowed && count.value <= Self.mostPasses { return }
    throw ApusError(
      .unsupported,
      "stride is \(window.dimensions.map { window.stride[$0] }), but where each position meets taps of its own "
        + "(backward by data, or a transposed forward) the strides' product must be at most \(Self.mostPasses)")
  }
  /// Those of a stride of 256 x 256.
  static let mostPasses = 1 << 16

  /// dx from dy: position i of x meets tap r where i + pad - r * dilation is a multiple of the stride. The taps that
  /// remainder f of i by the stride meets are every (stride / gcd)-th one.
  func backwardPasses() -> [ConvolutionPass] {
    func axes(_ i: Int) -> [PassAxis] {
      let (stride, pad, dilation) = (window.stride[i], window.padBefore[i], window.dilation[i])
      let count = min(stride, window.input[i])
      // The taps of each remainder. Descending taps have ascending source positions.
      var tapsOf = [[Int]](repeating: [], count: count)
      for tap in (0..<window.window[i]).reversed() {
        let remainder = ((tap * dilation - pad) % stride + stride) % stride
        if remainder < count { tapsOf[remainder].append(tap) }
      }
      return tapsOf.enumerated().map { f, taps in
        let positions = (window.input[i] - f - 1) / stride + 1
        func position(_ tap: Int) -> Int { (f + pad - tap * dilation) / stride }
        return PassAxis(
          positions: positions, start: f, step: stride, stride: 1, taps: taps.count,
          offset: taps.isEmpty ? 0 : position(taps[0]),
          tapStep: taps.count > 1 ? position(taps[1]) - position(taps[0]) : 1, weight: taps.first ?? 0,
          weightStep: taps.count > 1 ? taps[1] - taps[0] : 0, source: output[i], result: window.input[i])
      }
    }
    var passes: [ConvolutionPass] = []
    for depth in axes(0) {
      for height in axes(1) {
        for width in axes(2) { passes.append(ConvolutionPass(depth: depth, height: height, width: width)) }
      }
    }
    return passes
  }
}
