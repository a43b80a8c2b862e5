import ApusKernelInterface

extension ConvolutionPlan {
  /// The ordered list of algorithms for a problem.
  static func choices(
    _ sides: ConvolutionSides, _ direction: SidesDirection, _ gemm: GemmKernels, allowsWinograd: Bool
  ) -> [ConvolutionAlgorithm] {
    var list: [ConvolutionAlgorithm] = [.direct]
    if direction == .gatherSmall {
      // Runs of a row of taps that are shorter than a vector cost more in calls than in sums.
      let run = sides.cPerGroup * (sides.window.dilation.width == 1 ? sides.window.window.width : 1)
      let isPatchy = run < gemm.lanes && sides.taps > 1
      list.insert(.implicitGemm, at: isPatchy ? 0 : 1)
    }
    if sides.isDepthwise { list.insert(.depthwise, at: 0) }
    return list
  }

  static func makeMethod(
    _ algorithm: ConvolutionAlgorithm, _ sides: ConvolutionSides, _ direction: SidesDirection, _ gemm: GemmKernels,
    _ convolution: ConvolutionKernels, size: Int
  ) -> any ConvolutionMethod {
    switch (algorithm, direction) {
    case (.depthwise, .weights): DepthwiseGradient(sides, gemm, convolution, size: size)
    case (.depthwise, _):
      DepthwiseConvolution(sides, backward: direction == .gatherBig, gemm, convolution, size: size)
    case (_, .weights): DirectWeightGradient(sides, gemm, convolution, size: size)
    case (_, .gatherSmall):
      DirectConvolution(sides, backward: false, usesPatches: algorithm == .implicitGemm, gemm, convolution, size: size)
    case (_, .gatherBig):
      DirectConvolution(sides, backward: true, usesPatches: false, gemm, convolution, size: size)
    }
  }
}
