import ApusKernelInterface

func makeRecurrentKernelsF32() -> RecurrentKernels {
  RecurrentKernels(
    fewRows: WideTile.rows, bufferElements: PhaseLoop.bufferElements(lanes: VectorF32.lanes),
    phase: {
      recurrentPhase(
        $0.assumingMemoryBound(to: RecurrentPhase.self), $1, $2, $3.assumingMemoryBound(to: Float.self), VectorF32.self,
        HalfVectorF32.self)
    }, columnDots: { columnDots($0, $1, $2, $3, $4, $5, $6, $7, VectorF32.self) })
}

func makeRecurrentKernelsF64() -> RecurrentKernels {
  RecurrentKernels(
    fewRows: WideTile.rows, bufferElements: PhaseLoop.bufferElements(lanes: VectorF64.lanes),
    phase: {
      recurrentPhase(
        $0.assumingMemoryBound(to: RecurrentPhase.self), $1, $2, $3.assumingMemoryBound(to: Double.self),
        VectorF64.self, HalfVectorF64.self)
    }, columnDots: { columnDots($0, $1, $2, $3, $4, $5, $6, $7, VectorF64.self) })
}
