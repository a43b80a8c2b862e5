import ApusKernelInterface

func makePoolingKernelsF32() -> PoolingKernels {
  PoolingKernels(
    lanes: VectorF32.lanes,
    forward: {
      forwardRows(
        $0.assumingMemoryBound(to: PoolingShape.self), $1.assumingMemoryBound(to: PoolingOperands.self), $2, $3, $4, $5,
        VectorF32.self)
    },
    backward: {
      backwardRows(
        $0.assumingMemoryBound(to: PoolingShape.self), $1.assumingMemoryBound(to: PoolingOperands.self), $2, $3, $4, $5,
        VectorF32.self)
    },
    unpool: {
      unpoolSamples(
        $0.assumingMemoryBound(to: PoolingShape.self), $1.assumingMemoryBound(to: PoolingOperands.self), $2, $3, $4, $5,
        VectorF32.Scalar.self)
    },
    unpoolBackward: {
      gatherAtIndices(
        $0.assumingMemoryBound(to: PoolingShape.self), $1.assumingMemoryBound(to: PoolingOperands.self), $2, $3, $4, $5,
        VectorF32.Scalar.self)
    },
    check: { firstOutside($0, $1, $2, wide: $3) },
    forwardAlongWidth: {
      forwardPlanes(
        $0.assumingMemoryBound(to: PoolingShape.self), $1.assumingMemoryBound(to: PoolingOperands.self), $2, $3, $4, $5,
        VectorF32.self)
    },
    backwardAlongWidth: {
      backwardPlanes(
        $0.assumingMemoryBound(to: PoolingShape.self), $1.assumingMemoryBound(to: PoolingOperands.self), $2, $3, $4, $5,
        VectorF32.self)
    })
}

func makePoolingKernelsF64() -> PoolingKernels {
  PoolingKernels(
    lanes: VectorF64.lanes,
    forward: {
      forwardRows(
        $0.assumingMemoryBound(to: PoolingShape.self), $1.assumingMemoryBound(to: PoolingOperands.self), $2, $3, $4, $5,
        VectorF64.self)
    },
    backward: {
      backwardRows(
        $0.assumingMemoryBound(to: PoolingShape.self), $1.assumingMemoryBound(to: PoolingOperands.self), $2, $3, $4, $5,
        VectorF64.self)
    },
    unpool: {
      unpoolSamples(
        $0.assumingMemoryBound(to: PoolingShape.self), $1.assumingMemoryBound(to: PoolingOperands.self), $2, $3, $4, $5,
        VectorF64.Scalar.self)
    },
    unpoolBackward: {
      gatherAtIndices(
        $0.assumingMemoryBound(to: PoolingShape.self), $1.assumingMemoryBound(to: PoolingOperands.self), $2, $3, $4, $5,
        VectorF64.Scalar.self)
    },
    check: { firstOutside($0, $1, $2, wide: $3) },
    forwardAlongWidth: {
      forwardPlanes(
        $0.assumingMemoryBound(to: PoolingShape.self), $1.assumingMemoryBound(to: PoolingOperands.self), $2, $3, $4, $5,
        VectorF64.self)
    },
    backwardAlongWidth: {
      backwardPlanes(
        $0.assumingMemoryBound(to: PoolingShape.self), $1.assumingMemoryBound(to: PoolingOperands.self), $2, $3, $4, $5,
        VectorF64.self)
    })
}

@inline(__always)
private func forwardRows<V: KernelVector>(
  _ s: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ row: Int, _ rows: Int,
  _ channel: Int, _ channels: Int, _: V.Type
) {
  switch s.pointee.operation {
  case .maximum where operands.pointee.indices != nil:
    poolChannelsWithIndices(s, operands, row, rows, channel, channels, V.self)
  case .maximum: poolChannels(s, operands, row, rows, channel, channels, V.self, MaximumStep.self)
  case .average: poolChannels(s, operands, row, rows, channel, channels, V.self, AverageStep.self)
  case .norm: poolChannels(s, operands, row, rows, channel, channels, V.self, NormStep.self)
  }
}

@inline(never)
private func backwardRows<V: KernelVector>(
  _ s: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ row: Int, _ rows: Int,
  _ channel: Int, _ channels: Int, _: V.Type
) {
  switch s.pointee.operation {
  case .maximum where s.pointee.indicesAreWide:
    gatherChannels(s, operands, row, rows, channel, channels, V.self, WideMaximumGather.self)
  case .maximum: gatherChannels(s, operands, row, rows, channel, channels, V.self, MaximumGather.self)
  case .average where s.pointee.factors != nil:
    gatherChannels(s, operands, row, rows, channel, channels, V.self, WeightedAverageGather.self)
  case .average: gatherChannels(s, operands, row, rows, channel, channels, V.self, AverageGather.self)
  case .norm: gatherChannels(s, operands, row, rows, channel, channels, V.self, NormGather.self)
  }
}

@inline(__always)
private func forwardPlanes<V: KernelVector>(
  _ s: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ row: Int, _ rows: Int,
  _ channel: Int, _ channels: Int, _: V.Type
) {
  switch s.pointee.operation {
  case .maximum where operands.pointee.indices != nil:
    if s.pointee.findsIndicesAlongWidth {
      poolPlanesWithIndices(s, operands, row, rows, V.self)
    } else {
      poolChannelsWithIndices(s, operands, row, rows, channel, channels, V.self)
    }
  case .maximum: poolPlanes(s, operands, row, rows, V.self, MaximumStep.self)
  case .average: poolPlanes(s, operands, row, rows, V.self, AverageStep.self)
  case .norm: poolPlanes(s, operands, row, rows, V.self, NormStep.self)
  }
}

@inline(__always)
private func backwardPlanes<V: KernelVector>(
  _ s: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ row: Int, _ rows: Int,
  _ channel: Int, _ channels: Int, _: V.Type
) {
  switch s.pointee.operation {
  case .maximum where !s.pointee.gathersAlongWidth: backwardRows(s, operands, row, rows, channel, channels, V.self)
  case .maximum where s.pointee.indicesAreWide: gatherPlanes(s, operands, row, rows, V.self, WideMaximumGather.self)
  case .maximum: gatherPlanes(s, operands, row, rows, V.self, MaximumGather.self)
  case .average where s.pointee.factors != nil:
    gatherPlanes(s, operands, row, rows, V.self, WeightedAverageGather.self)
  case .average: gatherPlanes(s, operands, row, rows, V.self, AverageGather.self)
  case .norm: gatherPlanes(s, operands, row, rows, V.self, NormGather.self)
  }
}
