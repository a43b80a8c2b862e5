import ApusKernelInterface

/// All kernels of the set that this folder is compiled for.
func makeKernelTable() -> KernelTable {
  KernelTable(
    gemm32: makeGemmKernelsF32(), gemm64: makeGemmKernelsF64(), convolution32: makeConvolutionKernelsF32(),
    convolution64: makeConvolutionKernelsF64(), planes32: makePlaneKernelsF32(), planes64: makePlaneKernelsF64(),
    pooling32: makePoolingKernelsF32(), pooling64: makePoolingKernelsF64(), winograd32: makeWinogradKernelsF32(),
    winograd64: makeWinogradKernelsF64(), recurrent32: makeRecurrentKernelsF32(),
    recurrent64: makeRecurrentKernelsF64(), elements32: makeElementKernelsF32(),
    elements64: makeElementKernelsF64(), softmax32: makeSoftmaxKernelsF32(),
    softmax64: makeSoftmaxKernelsF64(), normalization32: makeNormalizationKernelsF32(),
    normalization64: makeNormalizationKernelsF64(), losses32: makeLossKernelsF32(),
    losses64: makeLossKernelsF64(), optimizers32: makeOptimizerKernelsF32(),
    optimizers64: makeOptimizerKernelsF64(), random32: makeRandomKernelsF32(),
    random64: makeRandomKernelsF64(), reductions32: makeReductionKernelsF32(),
    reductions64: makeReductionKernelsF64(), vectorMath: makeVectorMathKernels(), limits32: makeLimitKernelsF32(),
    limits64: makeLimitKernelsF64())
}
