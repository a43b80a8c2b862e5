import ApusKernelInterface

func makeElementKernelsF32() -> ElementKernels {
  ElementKernels(
    lanes: VectorF32.lanes,
    map: { mapElements($0, $1, $2, $3, $4.assumingMemoryBound(to: ElementOptions.self), VectorF32.self) },
    backward: { mapGradients($0, $1, $2, $3, $4, $5.assumingMemoryBound(to: ElementOptions.self), VectorF32.self) },
    binary: { mapBinary($0, $1.assumingMemoryBound(to: ElementGrid.self), VectorF32.self) },
    select: { selectGrid($0.assumingMemoryBound(to: ElementGrid.self), VectorF32.self) },
    preluBackward: { preluGradients($0, $1, $2, $3, $4, $5, $6, VectorF32.self) })
}

func makeElementKernelsF64() -> ElementKernels {
  ElementKernels(
    lanes: VectorF64.lanes,
    map: { mapElements($0, $1, $2, $3, $4.assumingMemoryBound(to: ElementOptions.self), VectorF64.self) },
    backward: { mapGradients($0, $1, $2, $3, $4, $5.assumingMemoryBound(to: ElementOptions.self), VectorF64.self) },
    binary: { mapBinary($0, $1.assumingMemoryBound(to: ElementGrid.self), VectorF64.self) },
    select: { selectGrid($0.assumingMemoryBound(to: ElementGrid.self), VectorF64.self) },
    preluBackward: { preluGradients($0, $1, $2, $3, $4, $5, $6, VectorF64.self) })
}
