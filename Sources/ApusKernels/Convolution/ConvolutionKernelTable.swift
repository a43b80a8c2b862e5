import ApusKernelInterface

func makeConvolutionKernelsF32() -> ConvolutionKernels {
  ConvolutionKernels(
    lines: {
      tileLines(
        $0.assumingMemoryBound(to: TileLinesShape.self), $1.assumingMemoryBound(to: Float.self),
        $2.assumingMemoryBound(to: Float.self), $3.assumingMemoryBound(to: Float.self), VectorF32.self,
        HalfVectorF32.self)
    },
    packTaps: {
      packTaps(
        $0.assumingMemoryBound(to: TapPanelShape.self), $1.assumingMemoryBound(to: Float.self),
        $2.assumingMemoryBound(to: Float.self), VectorF32.self)
    },
    unpackTaps: {
      unpackTaps(
        $0.assumingMemoryBound(to: TapPanelShape.self), $1.assumingMemoryBound(to: Float.self),
        $2.assumingMemoryBound(to: Float.self), VectorF32.self)
    },
    patches: {
      layOutPatches(
        $0.assumingMemoryBound(to: PatchShape.self), $1.assumingMemoryBound(to: Float.self),
        $2.assumingMemoryBound(to: Float.self), VectorF32.self)
    },
    depthwise: makeDepthwiseKernelsF32())
}

func makeConvolutionKernelsF64() -> ConvolutionKernels {
  ConvolutionKernels(
    lines: {
      tileLines(
        $0.assumingMemoryBound(to: TileLinesShape.self), $1.assumingMemoryBound(to: Double.self),
        $2.assumingMemoryBound(to: Double.self), $3.assumingMemoryBound(to: Double.self), VectorF64.self,
        HalfVectorF64.self)
    },
    packTaps: {
      packTaps(
        $0.assumingMemoryBound(to: TapPanelShape.self), $1.assumingMemoryBound(to: Double.self),
        $2.assumingMemoryBound(to: Double.self), VectorF64.self)
    },
    unpackTaps: {
      unpackTaps(
        $0.assumingMemoryBound(to: TapPanelShape.self), $1.assumingMemoryBound(to: Double.self),
        $2.assumingMemoryBound(to: Double.self), VectorF64.self)
    },
    patches: {
      layOutPatches(
        $0.assumingMemoryBound(to: PatchShape.self), $1.assumingMemoryBound(to: Double.self),
        $2.assumingMemoryBound(to: Double.self), VectorF64.self)
    },
    depthwise: makeDepthwiseKernelsF64())
}
