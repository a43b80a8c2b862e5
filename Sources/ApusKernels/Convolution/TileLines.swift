import ApusKernelInterface
import ApusShims

/// Lines of register tiles, one after the other; see `TileLinesShape`.
@inline(__always)
func tileLines<V: KernelVector, H: KernelVector>(
  _ shape: UnsafePointer<TileLinesShape>, _ a: UnsafePointer<V.Scalar>, _ b: UnsafePointer<V.Scalar>,
  _ c: UnsafeMutablePointer<V.Scalar>, _: V.Type, _: H.Type
) where H.Scalar == V.Scalar {
  let tiles = shape.pointee.tiles
  let buffer = shape.pointee.tileBuffer?.assumingMemoryBound(to: V.Scalar.self)
  let bufferStride = shape.pointee.tileBufferStride
  var tile = shape.pointee.tile
  let cStride = tile.cRowStride
  if buffer == nil { tile.accumulate = shape.pointee.output.isAccumulate } else { tile.cRowStride = bufferStride }
  // Every step of a tile asks for as much as it reads of B: stretches of what lies ahead, spread over the tiles after the
  // first.
  let stretch = tile.k &* tile.blocks &* tile.bStepStride
  let stretches = stretch > 0 ? (shape.pointee.aheadElements &+ stretch &- 1) / stretch : 0
  let others = shape.pointee.lines &* tiles.count &- 1
  var (asked, done) = (0, 0)
  for line in 0..<shape.pointee.lines {
    var pixel = 0
    for i in 0..<tiles.count {
      tile.rows = tiles.length(i)
      if shape.pointee.edgeBlocks > 0 {
        setBlocks(&tile, shape, (i == 0 ? 1 : 0) | (i &+ 1 == tiles.count ? 2 : 0))
      }
      let aTile = a + (line &* shape.pointee.aLineStride &+ pixel &* tile.aRowStride)
      let cTile = c + (line &* shape.pointee.cLineStride &+ pixel &* cStride)
      if let buffer {
        gemmTile(&tile, aTile, b, buffer, V.self, H.self)
        finishLine(shape, buffer, line, pixel, tile.rows, cTile, cStride, V.self)
      } else {
        gemmTile(&tile, aTile, b, cTile, V.self, H.self)
      }
      tile.bPrefetch = 0
      done &+= 1
      if let ahead = shape.pointee.ahead, done &* stretches > asked &* others {
        tile.bPrefetch = (ahead - UnsafeRawPointer(b)) / MemoryLayout<V.Scalar>.size &+ asked &* stretch
        asked &+= 1
      }
      pixel &+= tile.rows
    }
  }
  if tile.streams { apus_stream_fence() }
}

/// The blocks of a line's first (1), last (2), only (3) tile, or of one between them (0).
@inline(__always)
private func setBlocks(_ tile: inout GemmTileShape, _ shape: UnsafePointer<TileLinesShape>, _ place: Int) {
  tile.zeroRowMask = place & shape.pointee.edgeMask
  let isEdge = tile.zeroRowMask != 0
  tile.k = isEdge ? shape.pointee.edgeSteps : shape.pointee.tile.k
  tile.blocks = isEdge ? shape.pointee.edgeBlocks : shape.pointee.tile.blocks
  tile.aOffsets = isEdge ? shape.pointee.edgeAOffsets : shape.pointee.tile.aOffsets
  tile.bOffsets = isEdge ? shape.pointee.edgeBOffsets : shape.pointee.tile.bOffsets
  tile.zeroRows = isEdge ? shape.pointee.edgeZeroRows : nil
}

/// A tile's sums into C, with the residual of its pixels.
@inline(never)
private func finishLine<V: KernelVector>(
  _ shape: UnsafePointer<TileLinesShape>, _ sums: UnsafeMutablePointer<V.Scalar>, _ line: Int, _ pixel: Int,
  _ rows: Int, _ c: UnsafeMutablePointer<V.Scalar>, _ cStride: Int, _: V.Type
) {
  var output = shape.pointee.output
  output.residual = output.residual.map {
    $0 + (line * shape.pointee.residualLineStride + pixel * output.residualRowStride) * MemoryLayout<V.Scalar>.size
  }
  finishRows(
    sums, shape.pointee.tileBufferStride, rows, shape.pointee.tile.columns, c, cStride, &output, V.self)
}
