import ApusKernelInterface

/// Walks the tiles of a block of C: column panels outside, so that a panel of B stays in the nearer caches while the row
/// tiles of A stream past.
@inline(__always)
func gemmBlock<V: KernelVector, H: KernelVector>(
  _ shape: UnsafePointer<GemmBlockShape>, _ a: UnsafePointer<V.Scalar>, _ b: UnsafePointer<V.Scalar>,
  _ c: UnsafeMutablePointer<V.Scalar>, _: V.Type, _: H.Type
) where H.Scalar == V.Scalar {
  let n = shape.pointee.n
  let k = shape.pointee.k
  let panel = shape.pointee.panelColumns
  let tiles = shape.pointee.tiles
  let buffer = shape.pointee.tileBuffer?.assumingMemoryBound(to: V.Scalar.self)
  let aIsPacked = shape.pointee.aIsPacked
  let bIsPacked = shape.pointee.bIsPacked
  let cStride = shape.pointee.cRowStride
  var tile = GemmTileShape(
    aRowStride: aIsPacked ? 1 : shape.pointee.aRowStride, aStepStride: shape.pointee.aStepStride,
    bStepStride: bIsPacked ? panel : shape.pointee.bStepStride, cRowStride: buffer == nil ? cStride : panel, k: k,
    rows: 0, columns: 0, bIsPadded: bIsPacked, accumulate: buffer == nil && shape.pointee.output.isAccumulate)
  tile.continues = shape.pointee.continues
  let aRowDistance = aIsPacked ? k : shape.pointee.aRowStride
  let bColumnDistance = bIsPacked ? k : 1
  var column = 0
  while column < n {
    tile.columns = min(panel, n &- column)
    let bPanel = b + column &* bColumnDistance
    var row = 0
    for i in 0..<tiles.count {
      tile.rows = tiles.length(i)
      tile.bPrefetch = i == 0 ? prefetchDistance(shape, column, 64 / MemoryLayout<V.Scalar>.size) : 0
      if aIsPacked { tile.aStepStride = tile.rows }
      let cTile = c + (row &* cStride &+ column)
      if let buffer {
        gemmTile(&tile, a + row &* aRowDistance, bPanel, buffer, V.self, H.self)
        finishTile(shape, buffer, panel, row, column, tile.rows, tile.columns, cTile, V.self)
      } else {
        gemmTile(&tile, a + row &* aRowDistance, bPanel, cTile, V.self, H.self)
      }
      row &+= tile.rows
    }
    column &+= panel
  }
}

/// What the tiles of a panel of an unpacked B ask for: the first one, the next panel. A packed B is one stream, which the
/// hardware follows by itself. Asked for is the last element of each line's length: where rows do not start at a line,
/// a panel touches one line more, the first of which the panel before has brought.
@inline(__always)
private func prefetchDistance(_ shape: UnsafePointer<GemmBlockShape>, _ column: Int, _ lineElements: Int) -> Int {
  if shape.pointee.bIsPacked { return 0 }
  if column &+ shape.pointee.panelColumns < shape.pointee.n {
    return shape.pointee.panelColumns &+ lineElements &- 1
  }
  return shape.pointee.bNext == 0 ? 0 : shape.pointee.bNext &- column
}

/// A tile's sums into C, with the bias and the residual of its rows and columns.
@inline(never)
private func finishTile<V: KernelVector>(
  _ shape: UnsafePointer<GemmBlockShape>, _ sums: UnsafeMutablePointer<V.Scalar>, _ sumStride: Int, _ row: Int,
  _ column: Int, _ rows: Int, _ columns: Int, _ c: UnsafeMutablePointer<V.Scalar>, _: V.Type
) {
  let size = MemoryLayout<V.Scalar>.size
  var output = shape.pointee.output
  output.bias = output.bias.map { $0 + (output.biasIsByRow ? row : column) * size }
  output.residual = output.residual.map { $0 + (row * output.residualRowStride + column) * size }
  finishRows(sums, sumStride, rows, columns, c, shape.pointee.cRowStride, &output, V.self)
}
