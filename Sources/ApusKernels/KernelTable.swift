import ApusKernelInterface

/// All kernels of the set that this folder is compiled for.
func makeKernelTable() -> KernelTable {
  KernelTable(
    gemm32: makeGemmKernelsF32(), gemm64: makeGemmKernelsF64(), convolution32: makeConvolutionKernelsF32(),
    convolution64: makeConvolutionKernelsF64(), planes32: makePlaneKernelsF32(), planes64: makePlaneKernelsF64(),
    pooling32: makePoolingKernelsF32(), pooling64: makePoolingKernelsF64(), winograd32: makeWinogradKernelsF32(),
    winograd64: makeWinogradKernelsF64(), recurrent32: makeRecurrentKernelsF32(),
    recurrent64: makeRecurrentKernelsF64(), vectorMath: makeVectorMathKernels(), limits32: makeLimitKernelsF32(),
    limits64: makeLimitKernelsF64())
}
