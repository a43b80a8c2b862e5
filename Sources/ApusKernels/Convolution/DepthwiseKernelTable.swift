import ApusKernelInterface

func makeDepthwiseKernelsF32() -> DepthwiseKernels {
  DepthwiseKernels(
    lines: {
      depthwiseLines(
        $0.assumingMemoryBound(to: DepthwiseShape.self), $1.assumingMemoryBound(to: Float.self),
        $2.assumingMemoryBound(to: Float.self), $3.assumingMemoryBound(to: Float.self), VectorF32.self)
    },
    spread: {
      depthwiseSpread(
        $0.assumingMemoryBound(to: DepthwiseSpreadShape.self), $1.assumingMemoryBound(to: Float.self),
        $2.assumingMemoryBound(to: Float.self), $3.assumingMemoryBound(to: Float.self), VectorF32.self)
    },
    gradient: {
      depthwiseGradient(
        $0.assumingMemoryBound(to: DepthwiseShape.self), $1.assumingMemoryBound(to: Float.self),
        $2.assumingMemoryBound(to: Float.self), $3.assumingMemoryBound(to: Float.self), VectorF32.self)
    })
}

func makeDepthwiseKernelsF64() -> DepthwiseKernels {
  DepthwiseKernels(
    lines: {
      depthwiseLines(
        $0.assumingMemoryBound(to: DepthwiseShape.self), $1.assumingMemoryBound(to: Double.self),
        $2.assumingMemoryBound(to: Double.self), $3.assumingMemoryBound(to: Double.self), VectorF64.self)
    },
    spread: {
      depthwiseSpread(
        $0.assumingMemoryBound(to: DepthwiseSpreadShape.self), $1.assumingMemoryBound(to: Double.self),
        $2.assumingMemoryBound(to: Double.self), $3.assumingMemoryBound(to: Double.self), VectorF64.self)
    },
    gradient: {
      depthwiseGradient(
        $0.assumingMemoryBound(to: DepthwiseShape.self), $1.assumingMemoryBound(to: Double.self),
        $2.assumingMemoryBound(to: Double.self), $3.assumingMemoryBound(to: Double.self), VectorF64.self)
    })
}
