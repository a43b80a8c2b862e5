import ApusKernelInterface

func makeLossKernelsF32() -> LossKernels {
  LossKernels(
    row: { lossRow($0, $1, $2, $3, $4, VectorF32.self) },
    rowGradient: { lossRowGradient($0, $1, $2, $3, $4, $5, $6, $7, VectorF32.self) },
    pointwise: { pointwiseLosses($0, $1, $2, $3, $4, $5, VectorF32.self) },
    pointwiseGradient: { pointwiseGradients($0, $1, $2, $3, $4, $5, $6, $7, VectorF32.self) })
}

func makeLossKernelsF64() -> LossKernels {
  LossKernels(
    row: { lossRow($0, $1, $2, $3, $4, VectorF64.self) },
    rowGradient: { lossRowGradient($0, $1, $2, $3, $4, $5, $6, $7, VectorF64.self) },
    pointwise: { pointwiseLosses($0, $1, $2, $3, $4, $5, VectorF64.self) },
    pointwiseGradient: { pointwiseGradients($0, $1, $2, $3, $4, $5, $6, $7, VectorF64.self) })
}
