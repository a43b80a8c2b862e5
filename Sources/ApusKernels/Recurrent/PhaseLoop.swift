import ApusKernelInterface

/// Items first ..< last of a phase: each the product of a row tile with a panel, and the finish of its sums while they
/// lie in the first-level cache.
@inline(never)
func recurrentPhase<V: KernelVector, H: KernelVector>(
  _ p: UnsafePointer<RecurrentPhase>, _ first: Int, _ last: Int, _ buffer: UnsafeMutablePointer<V.Scalar>, _: V.Type,
  _: H.Type
) where H.Scalar == V.Scalar {
  let vectors = p.pointee.gates &* p.pointee.blockVectors
  let width = vectors &* V.lanes
  let tiles = p.pointee.rows
  var shape = GemmTileShape(
    aRowStride: p.pointee.aRowStride, aStepStride: 1, bStepStride: width, cRowStride: width, k: p.pointee.k, rows: 0,
    columns: 0, bIsPadded: true, accumulate: false)
  let firstBlock = first / tiles.count
  let lastBlock = (last &- 1) / tiles.count
  var block = firstBlock
  var tile = first &- block &* tiles.count
  for _ in first..<last {
    let row = tiles.start(tile)
    shape.rows = tiles.length(tile)
    // The last rows that meet a panel call the next one into the second level; after the last panel, the one with which
    // the next step begins.
    let next = block == lastBlock ? firstBlock : block &+ 1
    shape.bPrefetch = tile &+ 1 == tiles.count ? (next &- block) &* p.pointee.panelStride : 0
    if p.pointee.k > 0 {
      let a = p.pointee.a.unsafelyUnwrapped.assumingMemoryBound(to: V.Scalar.self) + row &* p.pointee.aRowStride
      let panel =
        p.pointee.panels.unsafelyUnwrapped.assumingMemoryBound(to: V.Scalar.self) + block &* p.pointee.panelStride
      panelProduct(&shape, a, panel, vectors: vectors, buffer, V.self, H.self)
    } else {
      for i in 0..<shape.rows &* vectors { V.zero.store(buffer + i &* V.lanes) }
    }
    finishProduct(p, UnsafePointer(buffer), width, block: block, rows: row..<(row &+ shape.rows), V.self)
    tile &+= 1
    if tile == tiles.count {
      tile = 0
      block &+= 1
    }
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
