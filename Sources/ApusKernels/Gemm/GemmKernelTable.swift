import ApusKernelInterface

func makeGemmKernelsF32() -> GemmKernels {
  GemmKernels(
    lanes: VectorF32.lanes, tileRows: TileShape.rows, narrowTileRows: TileShape.narrowRows,
    tileColumns: TileShape.vectors * VectorF32.lanes, kBlock: TileShape.kBlock,
    tile: {
      gemmTile(
        $0.assumingMemoryBound(to: GemmTileShape.self), $1.assumingMemoryBound(to: Float.self),
        $2.assumingMemoryBound(to: Float.self), $3.assumingMemoryBound(to: Float.self), VectorF32.self,
        HalfVectorF32.self)
    },
    block: {
      gemmBlock(
        $0.assumingMemoryBound(to: GemmBlockShape.self), $1.assumingMemoryBound(to: Float.self),
        $2.assumingMemoryBound(to: Float.self), $3.assumingMemoryBound(to: Float.self), VectorF32.self,
        HalfVectorF32.self)
    },
    packA: { packA($0, $1.load(as: BalancedSplit.self), $2, $3, $4, $5, $6, VectorF32.self) },
    packB: { packB($0, $1, $2, $3, $4, $5, VectorF32.self) },
    turn: { turnRows($0, $1, $2, $3, $4, $5, VectorF32.self) },
    dots: { dots($0.assumingMemoryBound(to: MatrixVectorArguments.self), VectorF32.self) },
    update: { update($0.assumingMemoryBound(to: MatrixVectorArguments.self), VectorF32.self) },
    finish: { finishRows($0, $1, $2, $3, $4, $5, $6.assumingMemoryBound(to: GemmOutput.self), VectorF32.self) })
}

func makeGemmKernelsF64() -> GemmKernels {
  GemmKernels(
    lanes: VectorF64.lanes, tileRows: TileShape.rows, narrowTileRows: TileShape.narrowRows,
    tileColumns: TileShape.vectors * VectorF64.lanes, kBlock: TileShape.kBlock,
    tile: {
      gemmTile(
        $0.assumingMemoryBound(to: GemmTileShape.self), $1.assumingMemoryBound(to: Double.self),
        $2.assumingMemoryBound(to: Double.self), $3.assumingMemoryBound(to: Double.self), VectorF64.self,
        HalfVectorF64.self)
    },
    block: {
      gemmBlock(
        $0.assumingMemoryBound(to: GemmBlockShape.self), $1.assumingMemoryBound(to: Double.self),
        $2.assumingMemoryBound(to: Double.self), $3.assumingMemoryBound(to: Double.self), VectorF64.self,
        HalfVectorF64.self)
    },
    packA: { packA($0, $1.load(as: BalancedSplit.self), $2, $3, $4, $5, $6, VectorF64.self) },
    packB: { packB($0, $1, $2, $3, $4, $5, VectorF64.self) },
    turn: { turnRows($0, $1, $2, $3, $4, $5, VectorF64.self) },
    dots: { dots($0.assumingMemoryBound(to: MatrixVectorArguments.self), VectorF64.self) },
    update: { update($0.assumingMemoryBound(to: MatrixVectorArguments.self), VectorF64.self) },
    finish: { finishRows($0, $1, $2, $3, $4, $5, $6.assumingMemoryBound(to: GemmOutput.self), VectorF64.self) })
}
