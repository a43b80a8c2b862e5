import ApusKernelInterface

func makePlaneKernelsF32() -> PlaneKernels {
  PlaneKernels(
    narrowRows: [NarrowPlaneRows1.value, NarrowPlaneRows2.value, NarrowPlaneRows3.value],
    wideRows: [WidePlaneRows1.value, WidePlaneRows2.value, WidePlaneRows3.value],
    tile: {
      planeTile(
        $0.assumingMemoryBound(to: PlaneTileShape.self), $1.assumingMemoryBound(to: Float.self),
        $2.assumingMemoryBound(to: Float.self), $3.assumingMemoryBound(to: Float.self), VectorF32.self)
    },
    padRows: {
      padRows(
        $0.assumingMemoryBound(to: PadRowsShape.self), $1.assumingMemoryBound(to: Float.self),
        $2.assumingMemoryBound(to: Float.self), VectorF32.self)
    },
    products: {
      planeProducts(
        $0.assumingMemoryBound(to: PlaneProductShape.self), $1.assumingMemoryBound(to: Float.self),
        $2.assumingMemoryBound(to: Float.self), $3.assumingMemoryBound(to: Float.self), VectorF32.self)
    })
}

func makePlaneKernelsF64() -> PlaneKernels {
  PlaneKernels(
    narrowRows: [NarrowPlaneRows1.value, NarrowPlaneRows2.value, NarrowPlaneRows3.value],
    wideRows: [WidePlaneRows1.value, WidePlaneRows2.value, WidePlaneRows3.value],
    tile: {
      planeTile(
        $0.assumingMemoryBound(to: PlaneTileShape.self), $1.assumingMemoryBound(to: Double.self),
        $2.assumingMemoryBound(to: Double.self), $3.assumingMemoryBound(to: Double.self), VectorF64.self)
    },
    padRows: {
      padRows(
        $0.assumingMemoryBound(to: PadRowsShape.self), $1.assumingMemoryBound(to: Double.self),
        $2.assumingMemoryBound(to: Double.self), VectorF64.self)
    },
    products: {
      planeProducts(
        $0.assumingMemoryBound(to: PlaneProductShape.self), $1.assumingMemoryBound(to: Double.self),
        $2.assumingMemoryBound(to: Double.self), $3.assumingMemoryBound(to: Double.self), VectorF64.self)
    })
}
