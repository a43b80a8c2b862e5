import ApusKernelInterface

/// Items first ..< last of a phase: each the product of a row tile with a panel, and the finish of its sums while they
/// lie in a near cache.
@inline(never)
func recurrentPhase<V: KernelVector, H: KernelVector>(
  _ p: UnsafePointer<RecurrentPhase>, _ first: Int, _ last: Int, _ buffer: UnsafeMutablePointer<V.Scalar>, _: V.Type,
  _: H.Type
) where H.Scalar == V.Scalar {
  let vectors = p.pointee.gates &* p.pointee.blockVectors
  let width = vectors &* V.lanes
  let tiles = p.pointee.rows
  let k = p.pointee.k
  var shape = GemmTileShape(
    aRowStride: p.pointee.aRowStride, aStepStride: 1, bStepStride: 2 &* V.lanes, cRowStride: width, k: 0, rows: 0,
    columns: 0, bIsPadded: true, accumulate: false)
  shape.bPairStride = k &* 2 &* V.lanes
  // A stretch of a panel that stays in the second level while all row tiles pass. Cutting a chain changes no bits.
  let stretch = PhaseLoop.stretchBytes / (width &* MemoryLayout<V.Scalar>.size)
  let together = k > stretch ? PhaseLoop.tilesTogether : 1
  let firstBlock = first / tiles.count
  let lastBlock = (last &- 1) / tiles.count
  var item = first
  while item < last {
    let block = item / tiles.count
    let tile = item &- block &* tiles.count
    let count = min(together, tiles.count &- tile, last &- item)
    let panel = block &* p.pointee.panelStride
    var step = 0
    while step < k {
      shape.k = min(stretch, k &- step)
      shape.continues = step > 0
      // The last rows that meet a stretch call the next one into the second level; after the last panel, the one with
      // which the next step begins.
      let isLastRows = tile &+ count == tiles.count
      var next = step &+ shape.k
      if next == k { next = 0 }
      let nextBlock = next > 0 || !isLastRows ? block : block == lastBlock ? firstBlock : block &+ 1
      let distance = nextBlock &* p.pointee.panelStride &- panel &+ (next &- step) &* 2 &* V.lanes
      for i in 0..<count {
        let row = tiles.start(tile &+ i)
        shape.rows = tiles.length(tile &+ i)
        shape.bPrefetch = i &+ 1 == count && (next > 0 || isLastRows) ? distance : 0
        let a = p.pointee.a.unsafelyUnwrapped.assumingMemoryBound(to: V.Scalar.self) + row &* p.pointee.aRowStride
        let b = p.pointee.panels.unsafelyUnwrapped.assumingMemoryBound(to: V.Scalar.self) + panel
        panelProduct(
          &shape, a + step, b + step &* 2 &* V.lanes, vectors: vectors, buffer + i &* TileShape.rows &* width, V.self,
          H.self)
      }
      step &+= shape.k
    }
    for i in 0..<count {
      let rows = tiles.start(tile &+ i)..<tiles.start(tile &+ i &+ 1)
      let sums = buffer + i &* TileShape.rows &* width
      if k == 0 { for j in 0..<rows.count &* vectors { V.zero.store(sums + j &* V.lanes) } }
      finishProduct(p, UnsafePointer(sums), width, block: block, rows: rows, V.self)
    }
    item &+= count
  }
}

/// Sizes of the loop over items.
enum PhaseLoop {
  /// A quarter of a second-level cache of 1 MB: beside it lie the rows of A, the sums and the stretch to come.
  @inline(__always) static var stretchBytes: Int { 1 << 18 }
  /// Row tiles whose sums wait for the next stretch.
  @inline(__always) static var tilesTogether: Int { 6 }
  /// Elements of the buffer for their sums.
  @inline(__always) static func bufferElements(lanes: Int) -> Int {
    tilesTogether &* TileShape.rows &* WideTile.panelVectors &* lanes
  }
}

/// The finish of one tile, vector by vector of every row. ReLU's gradient is dh where h > 0 and else h itself, 0 or NaN.
@inline(__always)
private func finishProduct<V: KernelVector>(
  _ p: UnsafePointer<RecurrentPhase>, _ sums: UnsafePointer<V.Scalar>, _ width: Int, block: Int, rows: Range<Int>,
  _: V.Type
) {
  switch p.pointee.finish {
  case .tanh:
    eachVector(p, sums, width, block, rows, V.self) { finishSimple($0, $1, $2, $3, $4, $5, V.self) { tanh($0) } }
  case .relu:
    eachVector(p, sums, width, block, rows, V.self) {
      finishSimple($0, $1, $2, $3, $4, $5, V.self) { V.maximumOrNaN($0, V.zero) }
    }
  case .longShortTerm:
    eachVector(p, sums, width, block, rows, V.self) { finishLongShortTerm($0, $1, $2, $3, $4, $5, V.self) }
  case .gatedResetAfter:
    eachVector(p, sums, width, block, rows, V.self) { finishResetAfter($0, $1, $2, $3, $4, $5, V.self) }
  case .gatedReset: eachVector(p, sums, width, block, rows, V.self) { finishReset($0, $1, $2, $3, $4, $5, V.self) }
  case .gatedResetBefore:
    eachVector(p, sums, width, block, rows, V.self) { finishResetBefore($0, $1, $2, $3, $4, $5, V.self) }
  case .project: eachVector(p, sums, width, block, rows, V.self) { finishProject($0, $1, $2, $3, $4, $5, V.self) }
  case .tanhBackward:
    eachVector(p, sums, width, block, rows, V.self) {
      finishSimpleBackward($0, $1, $2, $3, $4, $5, V.self) { dh, h in dh * (V.one - h * h) }
    }
  case .reluBackward:
    eachVector(p, sums, width, block, rows, V.self) {
      finishSimpleBackward($0, $1, $2, $3, $4, $5, V.self) { dh, h in
        V.select(dh, h, where: V.zero, isLessThan: h)
      }
    }
  case .longShortTermBackward:
    eachVector(p, sums, width, block, rows, V.self) {
      finishLongShortTermBackward($0, $1, $2, $3, $4, $5, false, V.self)
    }
  case .longShortTermBackwardProjected:
    eachVector(p, sums, width, block, rows, V.self) {
      finishLongShortTermBackward($0, $1, $2, $3, $4, $5, true, V.self)
    }
  case .gatedResetAfterBackward:
    eachVector(p, sums, width, block, rows, V.self) { finishResetAfterBackward($0, $1, $2, $3, $4, $5, V.self) }
  case .gatedResetBeforeBackward:
    eachVector(p, sums, width, block, rows, V.self) { finishResetBeforeBackward($0, $1, $2, $3, $4, $5, V.self) }
  case .gatedResetBackward:
    eachVector(p, sums, width, block, rows, V.self) { finishResetBackward($0, $1, $2, $3, $4, $5, V.self) }
  case .projectBackward:
    eachVector(p, sums, width, block, rows, V.self) { finishProjectBackward($0, $1, $2, $3, $4, $5, V.self) }
  case .carry: eachVector(p, sums, width, block, rows, V.self) { finishCarry($0, $1, $2, $3, $4, $5, V.self) }
  }
}

/// Calls `body` with (phase, sums of gate 0, row, unit, units left, whether the row takes part) for every vector of units.
/// The sums of the next gate follow `blockVectors` vectors later.
@inline(__always)
private func eachVector<V: KernelVector>(
  _ p: UnsafePointer<RecurrentPhase>, _ sums: UnsafePointer<V.Scalar>, _ width: Int, _ block: Int, _ rows: Range<Int>,
  _: V.Type,
  _ body: (UnsafePointer<RecurrentPhase>, UnsafePointer<V.Scalar>, Int, Int, Int, Bool) -> Void
) {
  let vectors = p.pointee.blockVectors
  let units = p.pointee.units
  let firstUnit = block &* vectors &* V.lanes
  var source = sums
  for row in rows {
    var isActive = true
    if let lengths = p.pointee.lengths { isActive = p.pointee.step < Int(truncatingIfNeeded: lengths[row]) }
    var unit = firstUnit
    for v in 0..<vectors where unit < units {
      body(p, source + v &* V.lanes, row, unit, min(V.lanes, units &- unit), isActive)
      unit &+= V.lanes
    }
    source += width
  }
}

/// `count` elements from element `offset` of `p` on, the other lanes zero.
@inline(__always)
func loadUnits<V: KernelVector>(_ p: UnsafeRawPointer?, _ offset: Int, _ count: Int, _: V.Type) -> V {
  let q = p.unsafelyUnwrapped.assumingMemoryBound(to: V.Scalar.self) + offset
  return count == V.lanes ? V.load(q) : V.load(q, first: count)
}

/// The first `count` lanes of `v` to element `offset` of `p` on.
@inline(__always)
func storeUnits<V: KernelVector>(_ p: UnsafeMutableRawPointer?, _ offset: Int, _ count: Int, _ v: V) {
  let q = p.unsafelyUnwrapped.assumingMemoryBound(to: V.Scalar.self) + offset
  if count == V.lanes { v.store(q) } else { v.store(q, first: count) }
}

/// The input product of gate `gate`, with its bias.
@inline(__always)
func gateInput<V: KernelVector>(
  _ p: UnsafePointer<RecurrentPhase>, _ gate: Int, _ row: Int, _ unit: Int, _ count: Int, _: V.Type
) -> V {
  let column = gate &* p.pointee.gateStride &+ unit
  var x = loadUnits(p.pointee.gateValues, row &* p.pointee.gateRowStride &+ column, count, V.self)
  if let bias = p.pointee.bias { x += loadUnits(bias, column, count, V.self) }
  return x
}

/// The sums of gate `gate` of a vector of units.
@inline(__always)
func gateSum<V: KernelVector>(
  _ p: UnsafePointer<RecurrentPhase>, _ sums: UnsafePointer<V.Scalar>, _ gate: Int, _: V.Type
) -> V {
  V.load(sums + gate &* p.pointee.blockVectors &* V.lanes)
}

/// x * (1 - x) * dy: the gradient before a sigmoid whose value is x.
@inline(__always)
func sigmoidGradient<V: KernelVector>(_ dy: V, _ x: V) -> V { dy * x * (V.one - x) }

/// (1 - x^2) * dy: the gradient before a tanh whose value is x.
@inline(__always)
func tanhGradient<V: KernelVector>(_ dy: V, _ x: V) -> V { dy * (V.one - x * x) }
