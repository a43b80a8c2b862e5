import ApusKernelInterface

func makeNormalizationKernelsF32() -> NormalizationKernels {
  NormalizationKernels(
    lanes: VectorF32.lanes,
    rows: { normalizeRows($0.assumingMemoryBound(to: NormalizationRows.self), $1, $2, VectorF32.self) },
    rowsBackward: { normalizeRowsBackward($0.assumingMemoryBound(to: NormalizationRows.self), $1, $2, VectorF32.self) },
    moments: { runMoments($0, $1.assumingMemoryBound(to: NormalizationRuns.self), $2, VectorF32.self) },
    gradientSums: {
      runGradientSums($0, $1, $2.assumingMemoryBound(to: NormalizationRuns.self), $3, $4, VectorF32.self)
    },
    apply: { applyRun($0, $1, $2, $3, $4, $5, $6, VectorF32.self) },
    gradientApply: { applyGradientRun($0, $1, $2, $3, $4, $5, $6, $7, $8, VectorF32.self) },
    columnMoments: { columnMoments($0, $1, $2, $3, $4, VectorF32.self) },
    columnGradientSums: { columnGradientSums($0, $1, $2, $3, $4, $5, $6, VectorF32.self) },
    columnApply: { columnApply($0, $1, $2, $3, $4, $5, $6, $7, VectorF32.self) },
    columnGradientApply: { columnGradientApply($0, $1, $2, $3, $4, $5, $6, $7, $8, VectorF32.self) },
    response: { responseForward($0.assumingMemoryBound(to: ResponseShape.self), $1, $2, $3, $4, $5, VectorF32.self) },
    responseBackward: {
      responseBackward($0.assumingMemoryBound(to: ResponseShape.self), $1, $2, $3, $4, $5, $6, VectorF32.self)
    })
}

func makeNormalizationKernelsF64() -> NormalizationKernels {
  NormalizationKernels(
    lanes: VectorF64.lanes,
    rows: { normalizeRows($0.assumingMemoryBound(to: NormalizationRows.self), $1, $2, VectorF64.self) },
    rowsBackward: { normalizeRowsBackward($0.assumingMemoryBound(to: NormalizationRows.self), $1, $2, VectorF64.self) },
    moments: { runMoments($0, $1.assumingMemoryBound(to: NormalizationRuns.self), $2, VectorF64.self) },
    gradientSums: {
      runGradientSums($0, $1, $2.assumingMemoryBound(to: NormalizationRuns.self), $3, $4, VectorF64.self)
    },
    apply: { applyRun($0, $1, $2, $3, $4, $5, $6, VectorF64.self) },
    gradientApply: { applyGradientRun($0, $1, $2, $3, $4, $5, $6, $7, $8, VectorF64.self) },
    columnMoments: { columnMoments($0, $1, $2, $3, $4, VectorF64.self) },
    columnGradientSums: { columnGradientSums($0, $1, $2, $3, $4, $5, $6, VectorF64.self) },
    columnApply: { columnApply($0, $1, $2, $3, $4, $5, $6, $7, VectorF64.self) },
    columnGradientApply: { columnGradientApply($0, $1, $2, $3, $4, $5, $6, $7, $8, VectorF64.self) },
    response: { responseForward($0.assumingMemoryBound(to: ResponseShape.self), $1, $2, $3, $4, $5, VectorF64.self) },
    responseBackward: {
      responseBackward($0.assumingMemoryBound(to: ResponseShape.self), $1, $2, $3, $4, $5, $6, VectorF64.self)
    })
}
