import ApusKernelInterface
import ApusShims

/// How the tile finds the scalars of A. One of the two strides being 1 at compile time saves the address registers
/// that would push accumulators out to the stack.
protocol BroadcastAddressing {
  static func offset(row: Int, step: Int, rowStride: Int, stepStride: Int) -> Int
  /// Steps whose addresses differ by a constant are taken so many at a time where a tile is one vector wide: else the
  /// addresses of its rows are a chain of additions that takes as long as the multiply-adds.
  static var stepsTogether: Int { get }
  /// Whether rows may be pixels of an image, of which some lie in its padding.
  static var hasZeroRows: Bool { get }
}
/// Rows are neighbours: packed panels, and transposed A as it lies.
enum ContiguousRows: BroadcastAddressing {
  @inline(__always) static func offset(row: Int, step: Int, rowStride: Int, stepStride: Int) -> Int {
    row &+ step &* stepStride
  }
  static var stepsTogether: Int { 1 }
  static var hasZeroRows: Bool { false }
}
/// Rows are `aRowStride` apart, and steps are neighbours: A as it lies.
enum StridedRows: BroadcastAddressing {
  @inline(__always) static func offset(row: Int, step: Int, rowStride: Int, stepStride: Int) -> Int {
    row &* rowStride &+ step
  }
  static var stepsTogether: Int { 4 }
  static var hasZeroRows: Bool { true }
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
  _ t: UnsafePointer<GemmTileShape>, _ a0: UnsafePointer<V.Scalar>, _ b0: UnsafePointer<V.Scalar>,
  _ c: UnsafeMutablePointer<V.Scalar>, _: V.Type, _: A.Type, _: L.Type, _: Count<MR>.Type, _: Count<NV>.Type
) {
  var sums = InlineArray<MR, InlineArray<NV, V>>(repeating: InlineArray<NV, V>(repeating: V.zero))
  let lastCount = t.pointee.columns &- (NV &- 1) &* V.lanes
  // In locals, because the compiler reloads what lies in memory after a pinned value.
  let strides: TileStrides = (
    t.pointee.aRowStride, t.pointee.aStepStride, t.pointee.bStepStride, NV > 2 ? t.pointee.bPairStride : 0,
    t.pointee.bPrefetch
  )
  if t.pointee.continues { loadTile(t, c, &sums) }
  // C is wanted when the chains end, unless it goes past the caches. In a short chain the stores wait for nobody.
  if NV > 1 && !t.pointee.streams && t.pointee.k &* t.pointee.blocks >= 64 {
    for i in 0..<MR {
      apus_prefetch_for_write(c + i &* t.pointee.cRowStride)
      apus_prefetch_for_write(c + (i &* t.pointee.cRowStride &+ t.pointee.columns &- 1))
    }
  }
  var a = a0
  var b = b0
  var block = 0
  while true {
    if let aOffsets = t.pointee.aOffsets, let bOffsets = t.pointee.bOffsets {
      a = a0 + aOffsets[block]
      b = b0 + bOffsets[block]
    }
    var left = t.pointee.k
    if A.stepsTogether > 1 && NV == 1 {
      while left >= A.stepsTogether {
        for step in 0..<A.stepsTogether {
          addStep(strides, a, b, step, lastCount, &sums, A.self, L.self, Count<0>.self, Count<0>.self)
        }
        a += A.offset(row: 0, step: A.stepsTogether, rowStride: strides.aRow, stepStride: strides.aStep)
        b += A.stepsTogether &* strides.bStep
        left &-= A.stepsTogether
      }
    }
    var zeroRows = 0
    if NV == 2 && A.hasZeroRows, let all = t.pointee.zeroRows {
      zeroRows = all[block] & t.pointee.zeroRowMask
    }
    if zeroRows == 0 {
      addSteps(strides, a, b, left, lastCount, &sums, A.self, L.self, Count<0>.self, Count<0>.self)
    } else if zeroRows & 1 != 0 {
      addSteps(strides, a, b, left, lastCount, &sums, A.self, L.self, Count<1>.self, Count<0>.self)
    } else {
      addSteps(strides, a, b, left, lastCount, &sums, A.self, L.self, Count<0>.self, Count<1>.self)
    }
    block &+= 1
    if block >= t.pointee.blocks { break }
  }
  storeTile(t, c, &sums)
}

/// The strides of a tile as a tuple: a struct here would be a type of the instruction set's own.
typealias TileStrides = (aRow: Int, aStep: Int, bStep: Int, bPair: Int, bPrefetch: Int)

/// sums += A times B over `steps` steps, but for the first F and the last E rows.
@inline(__always)
private func addSteps<
  let MR: Int, let NV: Int, let F: Int, let E: Int, V: KernelVector, A: BroadcastAddressing, L: LastVector
>(
  _ t: TileStrides, _ a0: UnsafePointer<V.Scalar>, _ b0: UnsafePointer<V.Scalar>, _ steps: Int, _ lastCount: Int,
  _ sums: inout InlineArray<MR, InlineArray<NV, V>>, _: A.Type, _: L.Type, _: Count<F>.Type, _: Count<E>.Type
) {
  var a = a0
  var b = b0
  var left = steps
  while left > 0 {
    addStep(t, a, b, 0, lastCount, &sums, A.self, L.self, Count<F>.self, Count<E>.self)
    a += A.offset(row: 0, step: 1, rowStride: t.aRow, stepStride: t.aStep)
    b += t.bStep
    left &-= 1
  }
}

/// sums += column `step` of A times row `step` of B, but for the first F and the last E rows.
@inline(__always)
private func addStep<
  let MR: Int, let NV: Int, let F: Int, let E: Int, V: KernelVector, A: BroadcastAddressing, L: LastVector
>(
  _ t: TileStrides, _ a: UnsafePointer<V.Scalar>, _ b: UnsafePointer<V.Scalar>, _ step: Int, _ lastCount: Int,
  _ sums: inout InlineArray<MR, InlineArray<NV, V>>, _: A.Type, _: L.Type, _: Count<F>.Type, _: Count<E>.Type
) {
  let p = b + step &* t.bStep
  // Tiles of one vector whose A lies as it is are small problems, for which a load a step is much; wider ones than two
  // read B as a stream that the hardware foresees.
  if NV == 2 || NV == 1 && A.stepsTogether == 1 {
    for j in 0..<NV where j &* MemoryLayout<V>.size % 64 == 0 {
      apus_prefetch_second_level(p + (t.bPrefetch &+ j &* V.lanes))
    }
  }
  var row = InlineArray<NV, V>(repeating: V.zero)
  for j in 0..<NV {
    // Wider tiles read pairs of vectors, each with rows of its own.
    let q = NV > 2 ? p + (j / 2 &* t.bPair &+ j % 2 &* V.lanes) : p + j &* V.lanes
    row[j] = j == NV - 1 ? L.load(q, lastCount, V.self) : V.load(q)
  }
  for i in F..<MR &- E {
    // One vector wide, the broadcast is part of the multiply-add. Else it serves several and stays in a register, which
    // is the only one it may take.
    let scalar = V(repeating: a[A.offset(row: i, step: step, rowStride: t.aRow, stepStride: t.aStep)])
    let x = NV == 1 ? scalar : V.pinned(scalar)
    for j in 0..<NV { sums[i][j] = V.multiplyAdd(sums[i][j], x, row[j]) }
  }
}

/// sums = C, the last vector only as far as `columns` says.
@inline(__always)
private func loadTile<let MR: Int, let NV: Int, V: KernelVector>(
  _ t: UnsafePointer<GemmTileShape>, _ c: UnsafeMutablePointer<V.Scalar>,
  _ sums: inout InlineArray<MR, InlineArray<NV, V>>
) {
  let lastCount = t.pointee.columns &- (NV &- 1) &* V.lanes
  for i in 0..<MR {
    let p = UnsafePointer(c + i &* t.pointee.cRowStride)
    for j in 0..<NV - 1 { sums[i][j] = V.load(p + j &* V.lanes) }
    sums[i][NV - 1] = V.load(p + (NV &- 1) &* V.lanes, first: lastCount)
  }
}

/// C = sums or C += sums, the last vector only as far as `columns` says, or C = whole vectors past the caches.
@inline(__always)
func storeTile<let MR: Int, let NV: Int, V: KernelVector>(
  _ t: UnsafePointer<GemmTileShape>, _ c: UnsafeMutablePointer<V.Scalar>,
  _ sums: inout InlineArray<MR, InlineArray<NV, V>>
) {
  let cStride = t.pointee.cRowStride
  let lastCount = t.pointee.columns &- (NV &- 1) &* V.lanes
  if t.pointee.accumulate {
    for i in 0..<MR {
      let p = c + i &* cStride
      for j in 0..<NV - 1 { (V.load(p + j * V.lanes) + sums[i][j]).store(p + j * V.lanes) }
      let q = p + (NV - 1) * V.lanes
      if lastCount == V.lanes {
        (V.load(q) + sums[i][NV - 1]).store(q)
      } else {
        (V.load(q, first: lastCount) + sums[i][NV - 1]).store(q, first: lastCount)
      }
    }
  } else if NV == 2 && t.pointee.streams {
    for i in 0..<MR {
      for j in 0..<NV { sums[i][j].stream(c + (i &* cStride + j * V.lanes)) }
    }
  } else {
    for i in 0..<MR {
      let p = c + i &* cStride
      for j in 0..<NV - 1 { sums[i][j].store(p + j * V.lanes) }
      let q = p + (NV - 1) * V.lanes
      if lastCount == V.lanes { sums[i][NV - 1].store(q) } else { sums[i][NV - 1].store(q, first: lastCount) }
    }
  }
}

/// The instance of the tile for a number of rows: `TileShape.rows` at most, or `TileShape.narrowRows` of one vector.
@inline(__always)
private func tileOfRows<let NV: Int, V: KernelVector, A: BroadcastAddressing, L: LastVector>(
  _ t: UnsafePointer<GemmTileShape>, _ a: UnsafePointer<V.Scalar>, _ b: UnsafePointer<V.Scalar>,
  _ c: UnsafeMutablePointer<V.Scalar>, _: V.Type, _: A.Type, _: L.Type, _: Count<NV>.Type
) {
  switch t.pointee.rows {
  case 1: registerTile(t, a, b, c, V.self, A.self, L.self, Count<1>.self, Count<NV>.self)
  case 2: registerTile(t, a, b, c, V.self, A.self, L.self, Count<2>.self, Count<NV>.self)
  case 3: registerTile(t, a, b, c, V.self, A.self, L.self, Count<3>.self, Count<NV>.self)
  case 4: registerTile(t, a, b, c, V.self, A.self, L.self, Count<4>.self, Count<NV>.self)
  case 5: registerTile(t, a, b, c, V.self, A.self, L.self, Count<5>.self, Count<NV>.self)
  case 6: registerTile(t, a, b, c, V.self, A.self, L.self, Count<6>.self, Count<NV>.self)
  #if APUS_32_REGISTERS
    case 7: registerTile(t, a, b, c, V.self, A.self, L.self, Count<7>.self, Count<NV>.self)
    case 8: registerTile(t, a, b, c, V.self, A.self, L.self, Count<8>.self, Count<NV>.self)
    case 9: registerTile(t, a, b, c, V.self, A.self, L.self, Count<9>.self, Count<NV>.self)
    case 10: registerTile(t, a, b, c, V.self, A.self, L.self, Count<10>.self, Count<NV>.self)
    case 11: registerTile(t, a, b, c, V.self, A.self, L.self, Count<11>.self, Count<NV>.self)
    case 12: registerTile(t, a, b, c, V.self, A.self, L.self, Count<12>.self, Count<NV>.self)
    case 13: registerTile(t, a, b, c, V.self, A.self, L.self, Count<13>.self, Count<NV>.self)
    case 14: registerTile(t, a, b, c, V.self, A.self, L.self, Count<14>.self, Count<NV>.self)
    case 15 where NV == 1: registerTile(t, a, b, c, V.self, A.self, L.self, Count<15>.self, Count<1>.self)
    case 16 where NV == 1: registerTile(t, a, b, c, V.self, A.self, L.self, Count<16>.self, Count<1>.self)
  #endif
  default: break
  }
}

/// One tile of `NV` vectors, whose last is whole or not.
@inline(__always)
private func tileOfVectors<let NV: Int, V: KernelVector, L: LastVector>(
  _ t: UnsafePointer<GemmTileShape>, _ a: UnsafePointer<V.Scalar>, _ b: UnsafePointer<V.Scalar>,
  _ c: UnsafeMutablePointer<V.Scalar>, _: V.Type, _: L.Type, _: Count<NV>.Type
) {
  if t.pointee.aRowStride == 1 {
    tileOfRows(t, a, b, c, V.self, ContiguousRows.self, L.self, Count<NV>.self)
  } else {
    tileOfRows(t, a, b, c, V.self, StridedRows.self, L.self, Count<NV>.self)
  }
}

/// One tile of one vector.
@inline(__always)
private func tileOfOneVector<V: KernelVector>(
  _ t: UnsafePointer<GemmTileShape>, _ a: UnsafePointer<V.Scalar>, _ b: UnsafePointer<V.Scalar>,
  _ c: UnsafeMutablePointer<V.Scalar>, _: V.Type
) {
  #if APUS_32_REGISTERS
    // A mask costs next to nothing here: half as many instances to compile.
    tileOfVectors(t, a, b, c, V.self, PartialLastVector.self, Count<1>.self)
  #else
    if t.pointee.bIsPadded || t.pointee.columns == V.lanes {
      tileOfVectors(t, a, b, c, V.self, WholeLastVector.self, Count<1>.self)
    } else {
      tileOfVectors(t, a, b, c, V.self, PartialLastVector.self, Count<1>.self)
    }
  #endif
}

/// One tile of up to `TileShape.rows` x 2 vectors; H is the vector for few columns.
@inline(__always)
func gemmTile<V: KernelVector, H: KernelVector>(
  _ t: UnsafePointer<GemmTileShape>, _ a: UnsafePointer<V.Scalar>, _ b: UnsafePointer<V.Scalar>,
  _ c: UnsafeMutablePointer<V.Scalar>, _: V.Type, _: H.Type
) where H.Scalar == V.Scalar {
  if t.pointee.columns > V.lanes && (t.pointee.bIsPadded || t.pointee.columns == 2 &* V.lanes) {
    return tileOfVectors(t, a, b, c, V.self, WholeLastVector.self, Count<2>.self)
  }
  // Few columns, or two vectors the second of which is not whole: one after the other.
  var part = t.pointee
  var column = 0
  while column < t.pointee.columns {
    part.columns = min(V.lanes, t.pointee.columns &- column)
    if H.lanes < V.lanes && part.columns <= H.lanes {
      tileOfOneVector(&part, a, b + column, c + column, H.self)
    } else {
      tileOfOneVector(&part, a, b + column, c + column, V.self)
    }
    column &+= V.lanes
  }
}
