import ApusKernelInterface

/// C cut into a grid of parts, one task each; with a batch, every matrix is cut alike. Where a cut lies changes no bits.
struct GemmPartition {
  /// Row tiles and column panels (of dots and updates: elements) split in this many pieces.
  var rows: BalancedSplit
  var columns: BalancedSplit
  /// Parts of one matrix, times matrices.
  var count: Int
}

/// How long a problem takes on one thread, roughly.
struct GemmWork {
  let nanoseconds: Double

  init(_ d: GemmDescriptor, _ kernels: GemmKernels) {
    let products = Double(d.m) * Double(d.n) * Double(d.k) * Double(d.batch)
    let elements = Double(d.m) * Double(d.k) + Double(d.k) * Double(d.n) + Double(d.m) * Double(d.n)
    // About 4 x lanes multiply-adds, or 64 bytes, a nanosecond.
    nanoseconds = max(
      products / Double(4 * kernels.lanes), elements * Double(d.dataType.size) * Double(d.batch) / 64)
  }

  /// Whether a second thread would cost more than it brings.
  var isBelowBreakEven: Bool { nanoseconds < Double(ExecutionContext.breakEvenNanoseconds) }
}

extension GemmPlan {
  /// Columns are dealt out by whole panels; a matrix-vector product's results by groups of this many.
  private var columnUnit: Int {
    switch algorithm {
    case .dots, .update: 64
    default: kernels.tileColumns
    }
  }

  /// Units of rows and columns that can be dealt out.
  private var units: (rows: Int, columns: Int) {
    switch algorithm {
    case .scale: (1, 1)
    case .dots, .update: (1, max(problem.m, problem.n).dividedRoundingUp(by: columnUnit))
    case .blocked: (rowTiles.count, problem.n.dividedRoundingUp(by: columnUnit))
    case .splitK(let chunks, packA: _, packB: _): (1, chunks)
    }
  }

  /// Threads that pay: none but the caller's for work below the break-even of a region.
  func usefulThreads(_ context: ExecutionContext) -> Int {
    context.threads == 1 || GemmWork(descriptor, kernels).isBelowBreakEven ? 1 : context.effectiveThreads
  }

  /// The grid for a number of threads: the one whose largest part, with what it packs, takes least.
  func partition(threads: Int) -> GemmPartition {
    let (rowUnits, columnUnits) = units
    if descriptor.batch >= threads || rowUnits * columnUnits == 0 {
      return GemmPartition(
        rows: BalancedSplit(rowUnits, atMost: max(1, rowUnits)),
        columns: BalancedSplit(columnUnits, atMost: max(1, columnUnits)), count: descriptor.batch)
    }
    var best = (cost: Double.infinity, rows: 1, columns: 1)
    for rows in 1...min(threads, rowUnits) {
      let columns = min(threads / rows, columnUnits)
      let m = Double(rowUnits.dividedRoundingUp(by: rows) * kernels.tileRows)
      let n = Double(columnUnits.dividedRoundingUp(by: columns) * columnUnit)
      // A multiply-add for each element of C; about 4 and 2 such a packed element of B and A, for each step of k.
      let cost = m * n + 4 * n + 2 * m
      if cost < best.cost { best = (cost, rows, columns) }
    }
    return GemmPartition(
      rows: BalancedSplit(rowUnits, atMost: rowUnits.dividedRoundingUp(by: best.rows)),
      columns: BalancedSplit(columnUnits, atMost: columnUnits.dividedRoundingUp(by: best.columns)),
      count: 0
    ).counted(batch: descriptor.batch)
  }

  /// The columns (of a matrix-vector product, results) of a piece of the column split.
  func columnRange(_ split: BalancedSplit, _ piece: Int, _ algorithm: GemmAlgorithm) -> Range<Int> {
    let total = algorithm == .dots || algorithm == .update ? max(problem.m, problem.n) : problem.n
    return min(split.start(piece) * columnUnit, total)..<min(split.start(piece + 1) * columnUnit, total)
  }
}

extension GemmPartition {
  fileprivate func counted(batch: Int) -> GemmPartition {
    GemmPartition(rows: rows, columns: columns, count: rows.count * columns.count * batch)
  }
}
