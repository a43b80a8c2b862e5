import ApusKernelInterface
import ApusShims

/// One run, as its tasks see it: checked pointers in row-by-row sense, and what happens to finished sums.
struct GemmTask {
  var a: UnsafeRawPointer?
  var b: UnsafeRawPointer?
  var c: UnsafeMutableRawPointer
  var cRow: Int
  var output = GemmOutput()
  var algorithm = GemmAlgorithm.scale

  init(c: UnsafeMutableRawPointer, cRow: Int) {
    self.c = c
    self.cRow = cRow
  }
}

extension GemmPlan {
  /// The buffers of one task, one after the other, each on a cache line of its own.
  struct TaskBuffers {
    /// Room for one tile; zeros for `scale`.
    var tile: UnsafeMutableRawPointer
    /// Packed A, or a vector made contiguous.
    var a: UnsafeMutableRawPointer
    /// Packed B, or the results of a matrix-vector product.
    var b: UnsafeMutableRawPointer
  }

  private var tileBytes: Int {
    (max(kernels.tileRows, kernels.narrowTileRows) * kernels.tileColumns * size).roundedUp(to: 64)
  }
  private var aBytes: Int {
    switch algorithm {
    case .dots, .update: (GemmBlocking.vectorBlock + kernels.lanes) * size
    case .blocked(packA: _, packB: _) where streams: (problem.m * kBlocks.longest + kernels.lanes) * size
    case .blocked(packA: true, packB: _), .splitK(chunks: _, packA: true, packB: _):
      (min(blocking.tilesPerBlock * rowTiles.longest, problem.m) * kBlocks.longest + kernels.lanes) * size
    default: 0
    }
  }
  private var bBytes: Int {
    switch algorithm {
    case .dots, .update: GemmBlocking.vectorBlock * size
    case .blocked(packA: _, packB: true), .splitK(chunks: _, packA: _, packB: true):
      min(blocking.columnsPerBlock, paddedColumns) * kBlocks.longest * size
    case .blocked where streams: problem.m * GemmBlocking.streamColumns * size
    default: 0
    }
  }

  /// Bytes that each task takes.
  var taskBytes: Int { tileBytes + aBytes.roundedUp(to: 64) + bBytes.roundedUp(to: 64) }

  func buffers(_ area: UnsafeMutableRawPointer) -> TaskBuffers {
    TaskBuffers(tile: area, a: area + tileBytes, b: area + tileBytes + aBytes.roundedUp(to: 64))
  }

  /// The task for matrix `index` of the batch.
  func matrix(_ index: Int, of task: GemmTask) -> GemmTask {
    if index == 0 && descriptor.batchKind == .strided { return task }
    var task = task
    if descriptor.batchKind == .pointers {
      func entry(_ array: UnsafeRawPointer) -> UnsafeRawPointer {
        array.load(fromByteOffset: index * MemoryLayout<UnsafeRawPointer>.size, as: UnsafeRawPointer.self)
      }
      task.a = task.a.map(entry)
      task.b = task.b.map(entry)
      task.c = UnsafeMutableRawPointer(mutating: entry(task.c))
      task.output.residual = task.output.residual.map(entry)
    } else {
      if !problem.aIsPacked { task.a = task.a.map { $0 + index * problem.aBatch * size } }
      if !problem.bIsPacked { task.b = task.b.map { $0 + index * problem.bBatch * size } }
      task.c += index * problem.cBatch * size
      task.output.residual = task.output.residual.map { $0 + index * problem.residualBatch * size }
    }
    return task
  }

  /// Runs the parts of a partition in `tasks` tasks, each with a stretch of `areas` for its buffers.
  func execute(
    _ task: GemmTask, _ partition: GemmPartition, _ tasks: Int, _ areas: UnsafeMutableRawPointer,
    _ context: ExecutionContext
  ) throws(ApusError) {
    if tasks == 1 { return executeParts(task, partition, 0..<partition.count, areas) }
    let split = BalancedSplit(partition.count, atMost: partition.count.dividedRoundingUp(by: tasks))
    try context.parallel(count: split.count) { range in
      for i in range {
        executeParts(task, partition, split.start(i)..<split.start(i + 1), areas + i * taskBytes)
      }
    }
  }

  private func executeParts(
    _ task: GemmTask, _ partition: GemmPartition, _ parts: Range<Int>, _ area: UnsafeMutableRawPointer
  ) {
    let buffers = buffers(area)
    let columns = partition.columns.count
    let perMatrix = partition.rows.count * columns
    for part in parts {
      let (index, cell) = part.quotientAndRemainder(dividingBy: perMatrix)
      let (row, column) = cell.quotientAndRemainder(dividingBy: columns)
      let rows = partition.rows.start(row)..<partition.rows.start(row + 1)
      let columnRange = columnRange(partition.columns, column, task.algorithm)
      let task = matrix(index, of: task)
      switch task.algorithm {
      case .blocked(let packA, let packB):
        blocked(task, rows, columnRange, 0..<kBlocks.count, buffers, packA: packA, packB: packB)
      case .dots, .update: matrixVector(task, columnRange, buffers)
      case .scale, .splitK: preconditionFailure("these have no parts: a split k's chunks are blocked tasks")
      }
    }
  }
}
