import ApusKernelInterface
import ApusShims

/// Packs A's row tiles one after the other, each as `[k][rows of the tile]`.
///
/// A step is stored as whole vectors, whose surplus lanes the next step overwrites: the buffer needs room for `lanes`
/// more elements.
@inline(__always)
func packA<V: KernelVector>(
  _ source: UnsafeRawPointer, _ tiles: BalancedSplit, _ readable: Int, _ k: Int, _ rowStride: Int, _ stepStride: Int,
  _ packed: UnsafeMutableRawPointer, _: V.Type
) {
  let source = source.assumingMemoryBound(to: V.Scalar.self)
  let packed = packed.assumingMemoryBound(to: V.Scalar.self)
  if rowStride == 1 { return copySteps(source, tiles, k, stepStride, packed, V.self) }
  for i in 0..<tiles.count {
    let start = tiles.start(i)
    transposeSteps(
      source + start &* rowStride, tiles.length(i), readable - start, k, rowStride, packed + start &* k,
      tiles.length(i), V.self)
  }
}

/// Rows become steps: see `GemmKernels.Turn`.
@inline(__always)
func turnRows<V: KernelVector>(
  _ source: UnsafeRawPointer, _ rows: Int, _ length: Int, _ rowStride: Int, _ turned: UnsafeMutableRawPointer,
  _ width: Int, _: V.Type
) {
  transposeSteps(
    source.assumingMemoryBound(to: V.Scalar.self), rows, rows, length, rowStride,
    turned.assumingMemoryBound(to: V.Scalar.self), width, V.self)
}

/// Each step's neighbours, tile after tile. Eight steps at a time, which stay in the first-level cache even where they meet
/// in one of its sets; the next eight are asked for, because a step's neighbours end before the hardware has seen a stream.
/// A tile's last step is stored as it is, because the next tile's first one is already there.
@inline(__always)
private func copySteps<V: KernelVector>(
  _ from: UnsafePointer<V.Scalar>, _ tiles: BalancedSplit, _ k: Int, _ stepStride: Int,
  _ to: UnsafeMutablePointer<V.Scalar>, _: V.Type
) {
  let together = 8
  var step = 0
  while step < k {
    let end = min(step &+ together, k)
    // Past the last step nothing is asked for.
    let next = end < k ? together &* stepStride : 0
    for tile in 0..<tiles.count {
      let start = tiles.start(tile)
      let count = tiles.length(tile)
      let whole = count / V.lanes &* V.lanes
      var p = from + (step &* stepStride &+ start)
      var q = to + (start &* k &+ step &* count)
      for s in step..<end {
        apus_prefetch_second_level(p + next)
        var i = 0
        while i < whole {
          V.load(p + i).store(q + i)
          i &+= V.lanes
        }
        if i < count {
          let rest = V.load(p + i, first: count &- i)
          if s < k &- 1 { rest.store(q + i) } else { rest.store(q + i, first: count &- i) }
        }
        p += stepStride
        q += count
      }
    }
    step = end
  }
}

/// `count` rows of k contiguous elements become k steps of `width` >= `count` elements. `readable` rows may be read.
///
/// Groups of `lanes` rows go from the last to the first, so that what a partial group stores past its step is
/// overwritten by the first group of the next step. A last block of steps that is not whole is moved back to overlap
/// the one before it.
@inline(__always)
private func transposeSteps<V: KernelVector>(
  _ from: UnsafePointer<V.Scalar>, _ count: Int, _ readable: Int, _ k: Int, _ rowStride: Int,
  _ to: UnsafeMutablePointer<V.Scalar>, _ width: Int, _: V.Type
) {
  let groups = (count + V.lanes - 1) / V.lanes
  let together = min(k, V.lanes)
  var step = 0
  while step < k {
    if step + together > k { step = k - together }
    var group = groups - 1
    while group >= 0 {
      let row = group &* V.lanes
      let p = from + row &* rowStride + step
      let q = to + step &* width + row
      if row + V.lanes <= readable {
        // A row is read a line at a time, far from the last one: the hardware loses so many streams.
        for i in 0..<V.lanes { apus_prefetch_second_level(p + (i &* rowStride &+ 8 &* V.lanes)) }
      }
      if row + V.lanes <= readable {
        V.transpose(p, rowStride, rows: V.lanes, columns: together, q, width)
      } else {
        V.transpose(p, rowStride, rows: readable - row, columns: together, q, width)
      }
      group -= 1
    }
    step += together
  }
}

/// Packs B's column panels one after the other, each as `[k][tile columns]`; the last one is padded.
@inline(__always)
func packB<V: KernelVector>(
  _ source: UnsafeRawPointer, _ k: Int, _ columns: Int, _ stepStride: Int, _ columnStride: Int,
  _ packed: UnsafeMutableRawPointer, _: V.Type
) {
  let source = source.assumingMemoryBound(to: V.Scalar.self)
  let packed = packed.assumingMemoryBound(to: V.Scalar.self)
  let panel = TileShape.vectors &* V.lanes
  if columnStride != 1 {
    var column = 0
    while column < columns {
      let count = min(panel, columns - column)
      transposeSteps(
        source + column &* columnStride, count, columns - column, k, columnStride, packed + column &* k, panel, V.self)
      column += panel
    }
    return
  }
  // Several panels at a time, so that a row of B is read in stretches that the prefetcher follows.
  let together = 4 &* panel
  var start = 0
  while start < columns {
    let end = min(start + together, columns)
    for step in 0..<k {
      let p = source + step &* stepStride
      let next = step &+ 8 < k ? 8 &* stepStride : 0
      var column = start
      while column + panel <= end {
        let q = packed + column &* k + step &* panel
        for j in 0..<TileShape.vectors where j &* MemoryLayout<V>.size % 64 == 0 {
          apus_prefetch_second_level(p + (next &+ column &+ j &* V.lanes))
        }
        for j in 0..<TileShape.vectors { V.load(p + column + j &* V.lanes).store(q + j &* V.lanes) }
        column += panel
      }
      if column < end {
        let q = packed + column &* k + step &* panel
        for j in 0..<TileShape.vectors {
          V.load(p + min(column + j &* V.lanes, end), first: max(0, min(V.lanes, end - column - j &* V.lanes)))
            .store(q + j &* V.lanes)
        }
      }
    }
    start = end
  }
}
