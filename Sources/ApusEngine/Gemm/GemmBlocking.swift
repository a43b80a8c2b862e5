import ApusKernelInterface

/// How a problem is computed. Bits follow from the algorithm, `k` and the set's constants; packing only moves data.
enum GemmAlgorithm: Sendable, Equatable {
  /// Nothing to multiply: C is scaled and finished.
  case scale
  /// Blocks of tiles, with or without copies of A and B in tile order.
  case blocked(packA: Bool, packB: Bool)
  /// n = 1 and A's rows are contiguous, or m = 1 and B's columns are: one dot product an element.
  case dots
  /// m = 1 and B's rows are contiguous, or n = 1 and A's columns are: rows of the matrix are added up.
  case update
  /// Few tiles and a long k: chunks of k by themselves, then their sums in order.
  case splitK(chunks: Int, packA: Bool, packB: Bool)
}

extension GemmAlgorithm {
  /// Whether B is copied into panels.
  var packsB: Bool {
    switch self {
    case .blocked(packA: _, packB: true), .splitK(chunks: _, packA: _, packB: true): true
    default: false
    }
  }
}

/// Block sizes: constants of set and type, so that buffers are bounded whatever the problem.
struct GemmBlocking: Sendable {
  /// Rows of C whose A is packed at a time, in tiles: half of a 1 MB second-level cache at most.
  let tilesPerBlock: Int
  /// Columns of C whose B is packed at a time: 2 MB, a share of the third level.
  let columnsPerBlock: Int
  /// Elements of the vector, and results, that a matrix-vector product keeps in the first-level cache.
  static let vectorBlock = 4096
  /// Steps and columns of a stretch of B that is streamed: its rows' pages and lines are few enough for the first-level
  /// TLB and for the sets of the second-level cache, whatever the distance between rows.
  static let streamSteps = 64
  static let streamColumns = 1024
  /// Steps of a chunk when k is split.
  static let chunkSteps = 2048
  static let chunksAtMost = 16

  init(_ kernels: GemmKernels, elementSize: Int) {
    tilesPerBlock = max(1, (344 << 10) / (kernels.kBlock * elementSize * kernels.tileRows))
    columnsPerBlock = (2 << 20) / (kernels.kBlock * elementSize)
  }
}

extension GemmProblem {
  /// The choice of algorithm: a function of the problem alone, never of threads. Of a row-invariant problem it does not
  /// look at m, but for choices that agree bit by bit.
  func algorithm(_ kernels: GemmKernels, isRowInvariant: Bool, elementSize: Int) -> GemmAlgorithm {
    // Without an element of C nothing is read, and strides may be of any size.
    if k == 0 || m == 0 || n == 0 { return .scale }
    if !aIsPacked && !bIsPacked {
      // Updates add as the tile does, dot products do not: of a row-invariant problem the caller's n alone, which is m
      // after a swap, decides whether there are any.
      let dotsForColumn = n == 1 && aRunsAlongK && !(isRowInvariant && isSwapped)
      let dotsForRow = m == 1 && !bRunsAlongColumns && !(isRowInvariant && !isSwapped)
      if isRowInvariant && (dotsForColumn || dotsForRow) { return .dots }
      if (n == 1 && !aRunsAlongK) || (m == 1 && bRunsAlongColumns) { return .update }
      if dotsForColumn || dotsForRow { return .dots }
    }
    let tiles = m.dividedRoundingUp(by: kernels.tileRows)
    let panels = n.dividedRoundingUp(by: kernels.tileColumns)
    if !isRowInvariant && !aIsPacked && !bIsPacked && tiles * panels <= 8 && k >= 2 * GemmBlocking.chunkSteps {
      return .splitK(
        chunks: min(GemmBlocking.chunksAtMost, k / GemmBlocking.chunkSteps), packA: packingAPays(panels, elementSize),
        packB: packingBPays())
    }
    return .blocked(
      packA: !aIsPacked && packingAPays(panels, elementSize), packB: !bIsPacked && packingBPays())
  }

  /// Rows (of a transposed A, steps) whose distance is a multiple of a page's half meet in a few sets of the first-level
  /// cache, and each step of a transposed A is a line of its own. Else A is best used as it lies.
  private func packingAPays(_ panels: Int, _ size: Int) -> Bool {
    if panels < 2 { return false }
    // Of a matrix of one line the distance may be any number; a choice that is off costs speed only.
    let distance = (aRunsAlongK ? aRow : aStep) &* size
    return aRunsAlongK ? distance >= 4096 && distance % 2048 == 0 : distance >= 1024
  }

  /// B must be turned if its rows are not contiguous. Else asking for the next panel in time does more than a copy.
  private func packingBPays() -> Bool { !bRunsAlongColumns }

  /// Whether the rows of C fit one tile and B is too large to stay near: then B is streamed through in short stretches.
  func streams(_ kernels: GemmKernels, _ algorithm: GemmAlgorithm, size: Int) -> Bool {
    guard case .blocked(packA: _, packB: false) = algorithm, !aIsPacked, !bIsPacked else { return false }
    return m <= kernels.narrowTileRows && n >= 4 * kernels.tileColumns && k > GemmBlocking.streamSteps
      && k * n * size >= 512 << 10
  }
}
