import ApusKernelInterface

extension GemmPlan {
  /// The blocking loops (K. Goto, R. van de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008): columns of
  /// C by stretches whose B fits a share of the third-level cache, k by blocks, rows by stretches whose A fits half of
  /// the second level; inside, the kernel walks the register tiles.
  func blocked(
    _ task: GemmTask, _ rows: Range<Int>, _ columns: Range<Int>, _ steps: Range<Int>, _ buffers: TaskBuffers,
    packA: Bool, packB: Bool
  ) {
    guard let a = task.a, let b = task.b, !rows.isEmpty else { return }
    if streams { return stream(task, a, b, columns, buffers) }
    var column = columns.lowerBound
    while column < columns.upperBound {
      let end = packB ? min(column + blocking.columnsPerBlock, columns.upperBound) : columns.upperBound
      for step in steps {
        let k = kBlocks.length(step)
        let kStart = kBlocks.start(step)
        let panels: UnsafeRawPointer
        if problem.bIsPacked {
          panels = b + (kStart * paddedColumns + column * k) * size
        } else if packB {
          kernels.packB(
            b + (kStart * problem.bStep + column * problem.bColumn) * size, k, end - column, problem.bStep,
            problem.bColumn, buffers.b)
          panels = UnsafeRawPointer(buffers.b)
        } else {
          panels = b + (kStart * problem.bStep + column) * size
        }
        var tile = rows.lowerBound
        while tile < rows.upperBound {
          let tileEnd = min(tile + blocking.tilesPerBlock, rows.upperBound)
          var tiles = rowTiles.slice(tile..<tileEnd)
          let row = rowTiles.start(tile)
          let rowPanels: UnsafeRawPointer
          if problem.aIsPacked {
            rowPanels = a + (kStart * problem.m + row * k) * size
          } else {
            rowPanels = a + (row * problem.aRow + kStart * problem.aStep) * size
            if packA {
              kernels.packA(
                rowPanels, &tiles, problem.m - row, k, problem.aRow, problem.aStep, buffers.a)
            }
          }
          let output = output(task, step, of: steps, row: row, column: column)
          var block = GemmBlockShape(
            tiles: tiles, n: end - column, k: k, aRowStride: problem.aRow, aStepStride: problem.aStep,
            bStepStride: problem.bStep, cRowStride: task.cRow, panelColumns: panelColumns,
            aIsPacked: packA || problem.aIsPacked, bIsPacked: packB || problem.bIsPacked, output: output,
            tileBuffer: output.isOverwrite || output.isAccumulate ? nil : buffers.tile)
          kernels.block(
            &block, packA ? UnsafeRawPointer(buffers.a) : rowPanels, panels,
            task.c + (row * task.cRow + column) * size)
          tile = tileEnd
        }
      }
      column = end
    }
  }

  /// One row of tiles: stretches of a few steps and many columns of B, so that B is read once and in long runs. The
  /// chains of a block of k wait in a buffer from stretch to stretch; their bits are those of uncut chains.
  private func stream(
    _ task: GemmTask, _ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ columns: Range<Int>, _ buffers: TaskBuffers
  ) {
    var tiles = rowTiles
    var column = columns.lowerBound
    while column < columns.upperBound {
      let count = min(GemmBlocking.streamColumns, columns.upperBound - column)
      for step in 0..<kBlocks.count {
        let k = kBlocks.length(step)
        let kStart = kBlocks.start(step)
        let rows = a + kStart * problem.aStep * size
        kernels.packA(rows, &tiles, problem.m, k, problem.aRow, problem.aStep, buffers.a)
        var done = 0
        while done < k {
          let steps = min(GemmBlocking.streamSteps, k - done)
          var block = GemmBlockShape(
            tiles: tiles, n: count, k: steps, aRowStride: problem.aRow, aStepStride: problem.aStep,
            bStepStride: problem.bStep, cRowStride: GemmBlocking.streamColumns, panelColumns: panelColumns,
            aIsPacked: true, bIsPacked: false, output: GemmOutput(), tileBuffer: nil)
          block.continues = done > 0
          block.bNext = kStart + done + steps < problem.k ? steps * problem.bStep : 0
          let first = (kStart + done) * problem.bStep + column
          kernels.block(&block, buffers.a + done * problem.m * size, b + first * size, buffers.b)
          done += steps
        }
        var output = output(task, step, of: 0..<kBlocks.count, row: 0, column: column)
        kernels.finish(
          buffers.b, GemmBlocking.streamColumns, problem.m, count, task.c + column * size, task.cRow, &output)
      }
      column += count
    }
  }

  /// What happens to the sums of one block of k: the first one scales C and adds the residual, which may be C itself;
  /// the last one adds the bias and activates.
  private func output(_ task: GemmTask, _ step: Int, of steps: Range<Int>, row: Int, column: Int) -> GemmOutput {
    if steps.count == 1 && task.output.isPlain { return task.output }
    var output = GemmOutput()
    output.alpha = task.output.alpha
    output.beta = step == steps.lowerBound ? task.output.beta : 1
    if step == steps.upperBound - 1 {
      output.activation = task.output.activation
      output.slope = task.output.slope
      output.bias = task.output.bias.map { $0 + (task.output.biasIsByRow ? row : column) * size }
      output.biasIsByRow = task.output.biasIsByRow
    }
    if step == steps.lowerBound {
      output.residual = task.output.residual.map { $0 + (row * task.output.residualRowStride + column) * size }
      output.residualRowStride = task.output.residualRowStride
    }
    return output
  }

  /// C = activation(beta C + bias + residual): sums of zero, so that there is one place that finishes.
  func scale(_ task: GemmTask, _ buffers: TaskBuffers) {
    if task.output.isAccumulate { return }
    let panel = kernels.tileColumns
    buffers.tile.initializeMemory(as: UInt8.self, repeating: 0, count: panel * size)
    var column = 0
    while column < problem.n {
      let count = min(panel, problem.n - column)
      var output = task.output
      if !output.biasIsByRow { output.bias = output.bias.map { $0 + column * size } }
      output.residual = output.residual.map { $0 + column * size }
      kernels.finish(buffers.tile, 0, problem.m, count, task.c + column * size, task.cRow, &output)
      column += count
    }
  }

  /// The results `range` of a matrix-vector product, in stretches that stay in the first-level cache.
  func matrixVector(_ task: GemmTask, _ range: Range<Int>, _ buffers: TaskBuffers) {
    guard let a = task.a, let b = task.b else { return }
    let isColumn = problem.n == 1 && (algorithm == .update ? !problem.aRunsAlongK : problem.aRunsAlongK)
    // n = 1: y = A b; m = 1: y' = B' a'.
    let matrix = isColumn ? a : b
    let resultStride = isColumn ? problem.aRow : problem.bColumn
    let stepStride = isColumn ? problem.aStep : problem.bStep
    let vector = isColumn ? b : a
    let vectorStride = isColumn ? problem.bStep : problem.aStep
    let byUpdate = algorithm == .update
    let split = byUpdate ? kBlocks : BalancedSplit(problem.k, atMost: GemmBlocking.vectorBlock)
    var start = range.lowerBound
    while start < range.upperBound {
      let count = min(GemmBlocking.vectorBlock, range.upperBound - start)
      for step in 0..<split.count {
        let k = split.length(step)
        let kStart = split.start(step)
        var x = vector + kStart * vectorStride * size
        if !byUpdate && vectorStride != 1 {
          var one = BalancedSplit(1, atMost: 1)
          kernels.packA(x, &one, 1, k, 1, vectorStride, buffers.a)
          x = UnsafeRawPointer(buffers.a)
        }
        var arguments = MatrixVectorArguments(
          matrix: matrix + (start * resultStride + kStart * stepStride) * size,
          matrixStride: byUpdate ? stepStride : resultStride, vector: x, vectorStride: byUpdate ? vectorStride : 1,
          result: buffers.b, rows: count, k: k)
        if byUpdate { kernels.update(&arguments) } else { kernels.dots(&arguments) }
        finishVector(task, start, count, isColumn, isFirst: step == 0, isLast: step == split.count - 1, buffers.b)
      }
      start += count
    }
  }

  /// Results into a row of C, or a column.
  private func finishVector(
    _ task: GemmTask, _ start: Int, _ count: Int, _ isColumn: Bool, isFirst: Bool, isLast: Bool,
    _ sums: UnsafeMutableRawPointer
  ) {
    let full = task.output
    var output = GemmOutput()
    output.alpha = full.alpha
    output.beta = isFirst ? full.beta : 1
    if isFirst {
      output.residual = full.residual.map { $0 + start * (isColumn ? problem.residualRow : 1) * size }
      output.residualRowStride = full.residualRowStride
    }
    if isLast {
      output.activation = full.activation
      output.slope = full.slope
      // The bias runs with the results, or is one number.
      let runs = full.biasIsByRow == isColumn
      output.bias = full.bias.map { runs ? $0 + start * size : $0 }
      output.biasIsByRow = full.biasIsByRow
    }
    let c = task.c + start * (isColumn ? task.cRow : 1) * size
    if !isColumn {
      kernels.finish(sums, count, 1, count, c, task.cRow, &output)
    } else if task.cRow == 1 && (output.residual == nil || problem.residualRow == 1) {
      // A dense column is finished as the row that it is in memory.
      output.biasIsByRow.toggle()
      kernels.finish(sums, count, 1, count, c, count, &output)
    } else {
      kernels.finish(sums, 1, count, 1, c, task.cRow, &output)
    }
  }
}
