import ApusKernelInterface

/// Walks the tiles of a block of C: column panels outside, so that a panel of B stays in the first-level cache while the
/// row tiles of A stream past from the second level.
@inline(__always)
func gemmBlock<V: KernelVector>(_ args: UnsafePointer<GemmBlockArguments>, _: V.Type) {
  let n = args.pointee.n
  let k = args.pointee.k
  let size = MemoryLayout<V.Scalar>.size
  let panel = TileShape.vectors * V.lanes
  let tiles = args.pointee.tiles
  let general = !(args.pointee.output.isOverwrite || args.pointee.output.isAccumulate)
  let aIsPacked = args.pointee.aIsPacked
  let bIsPacked = args.pointee.bIsPacked
  var tile = GemmTileArguments(
    a: args.pointee.a, b: args.pointee.b, c: args.pointee.c, aRowStride: aIsPacked ? 1 : args.pointee.aRowStride,
    aStepStride: args.pointee.aStepStride, bStepStride: bIsPacked ? panel : args.pointee.bStepStride,
    cRowStride: general ? panel : args.pointee.cRowStride, k: k, rows: 0, columns: 0, bIsPadded: bIsPacked,
    accumulate: args.pointee.output.isAccumulate)
  let cStride = args.pointee.cRowStride
  var column = 0
  while column < n {
    tile.columns = min(panel, n - column)
    tile.b = args.pointee.b + (bIsPacked ? column * k : column) * size
    for i in 0..<tiles.count {
      let row = tiles.start(i)
      tile.rows = tiles.length(i)
      if aIsPacked {
        tile.a = args.pointee.a + row * k * size
        tile.aStepStride = tile.rows
      } else {
        tile.a = args.pointee.a + row * args.pointee.aRowStride * size
      }
      let c = args.pointee.c + (row * cStride + column) * size
      if general {
        tile.c = args.pointee.tileBuffer
        gemmTile(&tile, V.self)
        var output = args.pointee.output
        output.bias = output.bias.map { $0 + (output.biasIsByRow ? row : column) * size }
        output.residual = output.residual.map { $0 + (row * output.residualRowStride + column) * size }
        finishRows(
          tile.c, panel, tile.rows, tile.columns, c, cStride, &output, V.self)
      } else {
        tile.c = c
        gemmTile(&tile, V.self)
      }
    }
    column += panel
  }
}
