import ApusKernelInterface

func makeLimitKernelsF32() -> LimitKernels {
  LimitKernels(
    flopsPerIteration: 2 * peakChains * VectorF32.lanes, bytesPerStep: 8 * MemoryLayout<VectorF32>.size,
    multiplyAdds: { multiplyAdds($0, $1, $2, VectorF32.self) },
    read: { readAll($0, $1, $2, VectorF32.self) },
    copy: { copyAll($0, $1, $2, VectorF32.self) },
    streamedCopy: { streamAll($0, $1, $2, VectorF32.self) },
    triad: { triadAll($0, $1, $2, $3, VectorF32.self) })
}

func makeLimitKernelsF64() -> LimitKernels {
  LimitKernels(
    flopsPerIteration: 2 * peakChains * VectorF64.lanes, bytesPerStep: 8 * MemoryLayout<VectorF64>.size,
    multiplyAdds: { multiplyAdds($0, $1, $2, VectorF64.self) },
    read: { readAll($0, $1, $2, VectorF64.self) },
    copy: { copyAll($0, $1, $2, VectorF64.self) },
    streamedCopy: { streamAll($0, $1, $2, VectorF64.self) },
    triad: { triadAll($0, $1, $2, $3, VectorF64.self) })
}
