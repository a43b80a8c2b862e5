import ApusKernelInterface

/// How the tile finds the scalars of A. One of the two strides being 1 at compile time saves the address registers
/// that would push accumulators out to the stack.
protocol BroadcastAddressing {
  static func offset(row: Int, rowStride: Int) -> Int
}
/// Rows are neighbours: packed panels, and transposed A as it lies.
enum ContiguousRows: BroadcastAddressing {
  @inline(__always) static func offset(row: Int, rowStride: Int) -> Int { row }
}
/// Rows are `rowStride` apart: A as it lies.
enum StridedRows: BroadcastAddressing {
  @inline(__always) static func offset(row: Int, rowStride: Int) -> Int { row * rowStride }
}

/// Whether the last vector of a row of B may be read whole, or only as far as `columns` says.
protocol LastVector {
  static func load<V: KernelVector>(_ p: UnsafePointer<V.Scalar>, _ count: Int, _: V.Type) -> V
}
enum WholeLastVector: LastVector {
  @inline(__always) static func load<V: KernelVector>(_ p: UnsafePointer<V.Scalar>, _ count: Int, _: V.Type) -> V {
    V.load(p)
  }
}
enum PartialLastVector: LastVector {
  @inline(__always) static func load<V: KernelVector>(_ p: UnsafePointer<V.Scalar>, _ count: Int, _: V.Type) -> V {
    V.load(p, first: count)
  }
}

/// Carries a number of rows or vectors into a generic function.
typealias Count<let N: Int> = InlineArray<N, Bool>
extension InlineArray where Element == Bool {
  @inline(__always) static var value: Int { count }
}

/// The register tile: MR rows x NV vectors of C stay in registers while k runs.
///
/// The nested InlineArrays become
/// registers only if every loop over them is unrolled, which the target's -unroll-threshold sees to; a test reads the
/// disassembly.
@inline(never)
func registerTile<let MR: Int, let NV: Int, V: KernelVector, A: BroadcastAddressing, L: LastVector>(
  _ t: UnsafePointer<GemmTileArguments>, _: V.Type, _: A.Type, _: Count<MR>.Type, _: Count<NV>.Type, _: L.Type
) {
  typealias Scalar = V.Scalar
  var sums = InlineArray<MR, InlineArray<NV, V>>(repeating: InlineArray<NV, V>(repeating: V.zero))
  let lastCount = t.pointee.columns - (NV - 1) * V.lanes
  let rowStride = t.pointee.aRowStride
  let aStep = t.pointee.aStepStride
  let bStep = t.pointee.bStepStride
  let k = t.pointee.k
  var a = t.pointee.a.assumingMemoryBound(to: Scalar.self)
  var b = t.pointee.b.assumingMemoryBound(to: Scalar.self)
  var block = 0
  while true {
    if let aOffsets = t.pointee.aOffsets, let bOffsets = t.pointee.bOffsets {
      a = t.pointee.a.assumingMemoryBound(to: Scalar.self) + aOffsets[block]
      b = t.pointee.b.assumingMemoryBound(to: Scalar.self) + bOffsets[block]
    }
    for _ in 0..<k {
      var row = InlineArray<NV, V>(repeating: V.zero)
      for j in 0..<NV {
        row[j] = j == NV - 1 ? L.load(b + j * V.lanes, lastCount, V.self) : V.load(b + j * V.lanes)
      }
      for i in 0..<MR {
        let x = V(repeating: a[A.offset(row: i, rowStride: rowStride)])
        for j in 0..<NV { sums[i][j] = V.multiplyAdd(sums[i][j], x, row[j]) }
      }
      a += aStep
      b += bStep
    }
    block += 1
    if block >= t.pointee.blocks { break }
  }
  storeTile(t, &sums)
}

/// C = sums or C += sums, the last vector only as far as `columns` says.
@inline(__always)
func storeTile<let MR: Int, let NV: Int, V: KernelVector>(
  _ t: UnsafePointer<GemmTileArguments>, _ sums: inout InlineArray<MR, InlineArray<NV, V>>
) {
  let c = t.pointee.c.assumingMemoryBound(to: V.Scalar.self)
  let cStride = t.pointee.cRowStride
  let lastCount = t.pointee.columns - (NV - 1) * V.lanes
  if t.pointee.accumulate {
    for i in 0..<MR {
      let p = c + i * cStride
      for j in 0..<NV - 1 { (V.load(p + j * V.lanes) + sums[i][j]).store(p + j * V.lanes) }
      let q = p + (NV - 1) * V.lanes
      if lastCount == V.lanes {
        (V.load(q) + sums[i][NV - 1]).store(q)
      } else {
        (V.load(q, first: lastCount) + sums[i][NV - 1]).store(q, first: lastCount)
      }
    }
  } else {
    for i in 0..<MR {
      let p = c + i * cStride
      for j in 0..<NV - 1 { sums[i][j].store(p + j * V.lanes) }
      let q = p + (NV - 1) * V.lanes
      if lastCount == V.lanes { sums[i][NV - 1].store(q) } else { sums[i][NV - 1].store(q, first: lastCount) }
    }
  }
}

/// Chooses the instance of the tile for a number of rows. On sets of 16 registers a tile has at most 6 rows.
@inline(__always)
private func tileOfRows<let NV: Int, V: KernelVector, A: BroadcastAddressing, L: LastVector>(
  _ t: UnsafePointer<GemmTileArguments>, _: V.Type, _: A.Type, _: Count<NV>.Type, _: L.Type
) {
  switch t.pointee.rows {
  case 1: registerTile(t, V.self, A.self, Count<1>.self, Count<NV>.self, L.self)
  case 2: registerTile(t, V.self, A.self, Count<2>.self, Count<NV>.self, L.self)
  case 3: registerTile(t, V.self, A.self, Count<3>.self, Count<NV>.self, L.self)
  case 4: registerTile(t, V.self, A.self, Count<4>.self, Count<NV>.self, L.self)
  case 5: registerTile(t, V.self, A.self, Count<5>.self, Count<NV>.self, L.self)
  case 6: registerTile(t, V.self, A.self, Count<6>.self, Count<NV>.self, L.self)
  #if APUS_32_REGISTERS
    case 7: registerTile(t, V.self, A.self, Count<7>.self, Count<NV>.self, L.self)
    case 8: registerTile(t, V.self, A.self, Count<8>.self, Count<NV>.self, L.self)
    case 9: registerTile(t, V.self, A.self, Count<9>.self, Count<NV>.self, L.self)
    case 10: registerTile(t, V.self, A.self, Count<10>.self, Count<NV>.self, L.self)
    case 11: registerTile(t, V.self, A.self, Count<11>.self, Count<NV>.self, L.self)
    case 12: registerTile(t, V.self, A.self, Count<12>.self, Count<NV>.self, L.self)
    case 13: registerTile(t, V.self, A.self, Count<13>.self, Count<NV>.self, L.self)
    case 14: registerTile(t, V.self, A.self, Count<14>.self, Count<NV>.self, L.self)
  #endif
  default: break
  }
}

/// One tile of up to `TileShape.rows` x 2 vectors, all else from the arguments.
@inline(__always)
func gemmTile<V: KernelVector>(_ t: UnsafePointer<GemmTileArguments>, _: V.Type) {
  let contiguous = t.pointee.aRowStride == 1
  if t.pointee.columns <= V.lanes {
    let masked = !t.pointee.bIsPadded && t.pointee.columns != V.lanes
    switch (contiguous, masked) {
    case (true, false): tileOfRows(t, V.self, ContiguousRows.self, Count<1>.self, WholeLastVector.self)
    case (false, false): tileOfRows(t, V.self, StridedRows.self, Count<1>.self, WholeLastVector.self)
    case (true, true): tileOfRows(t, V.self, ContiguousRows.self, Count<1>.self, PartialLastVector.self)
    case (false, true): tileOfRows(t, V.self, StridedRows.self, Count<1>.self, PartialLastVector.self)
    }
  } else {
    let masked = !t.pointee.bIsPadded && t.pointee.columns != 2 * V.lanes
    switch (contiguous, masked) {
    case (true, false): tileOfRows(t, V.self, ContiguousRows.self, Count<2>.self, WholeLastVector.self)
    case (false, false): tileOfRows(t, V.self, StridedRows.self, Count<2>.self, WholeLastVector.self)
    case (true, true): tileOfRows(t, V.self, ContiguousRows.self, Count<2>.self, PartialLastVector.self)
    case (false, true): tileOfRows(t, V.self, StridedRows.self, Count<2>.self, PartialLastVector.self)
    }
  }
}
