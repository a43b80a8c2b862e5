import ApusKernelInterface

extension ConvolutionPlan {
  /// The ordered list of algorithms for a problem.
  static func choices(
    _ sides: ConvolutionSides, _ direction: SidesDirection, _ gemm: GemmKernels, _ descriptor: ConvolutionDescriptor
  ) -> [ConvolutionAlgorithm] {
    var list: [ConvolutionAlgorithm] = [.direct]
    if direction == .gatherSmall {
      // Runs of a row of taps of a few elements cost more in loops than in sums.
      let run = sides.cPerGroup * (sides.window.dilation.width == 1 ? sides.window.window.width : 1)
      list.insert(.implicitGemm, at: run < 4 && sides.taps > 1 ? 0 : 1)
    }
    if direction != .weights && PlanesConvolution.canDo(sides, backward: direction == .gatherBig) {
      // Register tiles leave lanes idle where a result has fewer channels than a vector.
      let channels = direction == .gatherSmall ? sides.k : sides.c
      list.insert(.planes, at: channels <= 6 ? 0 : list.count)
    }
    if direction == .weights && PlanesWeightGradient.canDo(sides) {
      // As many rows of a register tile as a row of taps has channels, and as many columns as there are filters.
      let run = sides.cPerGroup * sides.window.window.width
      let isNarrow = run <= 8 && sides.k <= 8 || run < 16 && sides.k <= 64 && sides.yLayout == .channelsFirst
      list.insert(.planes, at: isNarrow && sides.output.width >= gemm.lanes ? 0 : list.count)
    }
    if direction != .weights && PointwiseConvolution.canDo(sides) {
      // Small images leave the columns of the product's tiles idle.
      list.insert(.pointwise, at: sides.output.product >= 256 ? 0 : list.count)
    }
    if descriptor.allowsWinograd && direction != .weights && WinogradConvolution.canDo(sides) {
      let isFast = WinogradConvolution.isFast(
        sides, backward: direction == .gatherBig, packedWeights: descriptor.packedWeights)
      list.insert(.winograd, at: isFast ? 0 : list.count)
    }
    if sides.isDepthwise { list.insert(.depthwise, at: sides.copiesBetweenTaps ? list.count : 0) }
    return list
  }

  static func makeMethod(
    _ algorithm: ConvolutionAlgorithm, _ sides: ConvolutionSides, _ direction: SidesDirection,
    _ descriptor: ConvolutionDescriptor, isForward: Bool, _ context: ExecutionContext
  ) throws(ApusError) -> any ConvolutionMethod {
    let table = context.instructionSet.kernels
    let size = descriptor.dataType.size
    let gemm = size == 4 ? table.gemm32 : table.gemm64
    let convolution = size == 4 ? table.convolution32 : table.convolution64
    let planes = size == 4 ? table.planes32 : table.planes64
    if algorithm == .pointwise {
      return try PointwiseConvolution(
        sides, backward: direction == .gatherBig, descriptor, isForward: isForward, context)
    }
    let winograd = size == 4 ? table.winograd32 : table.winograd64
    return switch (algorithm, direction) {
    case (.depthwise, .weights): DepthwiseGradient(sides, gemm, convolution, size: size)
    case (.depthwise, _):
      DepthwiseConvolution(sides, backward: direction == .gatherBig, gemm, convolution, size: size)
    case (.winograd, .gatherSmall), (.winograd, .gatherBig):
      WinogradConvolution(sides, backward: direction == .gatherBig, gemm, convolution, winograd, size: size)
    case (.planes, .gatherSmall): PlanesConvolution(sides, backward: false, gemm, planes, size: size)
    case (.planes, .gatherBig): PlanesConvolution(sides, backward: true, gemm, planes, size: size)
    case (.planes, .weights): PlanesWeightGradient(sides, gemm, planes, size: size)
    case (_, .weights) where PointwiseWeightGradient.isFast(sides, size: size):
      PointwiseWeightGradient(sides, gemm, convolution, size: size)
    case (_, .weights): DirectWeightGradient(sides, gemm, convolution, size: size)
    case (_, .gatherSmall):
      DirectConvolution(sides, backward: false, usesPatches: algorithm == .implicitGemm, gemm, convolution, size: size)
    case (_, .gatherBig):
      DirectConvolution(sides, backward: true, usesPatches: false, gemm, convolution, size: size)
    }
  }
}
