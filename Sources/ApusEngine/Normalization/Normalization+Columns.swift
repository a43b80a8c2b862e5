import ApusKernelInterface

// Channels last: a row is the channels of a position.

extension Normalization {
  /// Positions of a block of batch normalisation's sums; of the number of positions alone.
  private var blockRows: Int { max(64, (batch * positions).dividedRoundingUp(by: 64)) }

  /// Calls `body` with each block's number, first row and rows.
  private func overBlocks(
    _ context: ExecutionContext, _ cost: Double, _ body: (Int, Int, Int) -> Void
  ) throws(ApusError) {
    let rows = batch * positions
    let perBlock = blockRows
    try context.overStretches(of: rows.dividedRoundingUp(by: perBlock), grain: 1, nanoseconds: cost) { first, count in
      for block in first..<first + count { body(block, block * perBlock, min(perBlock, rows - block * perBlock)) }
    }
  }

  /// Calls `body` with the numbers of a row in memory as doubles, a column at a time. One type's loop without a choice in
  /// it: the compiler makes vectors of that.
  @inline(__always)
  private func eachColumn(_ row: UnsafeRawPointer, _ second: UnsafeRawPointer, _ body: (Int, Double, Double) -> Void) {
    if dataType == .float32 {
      let (a, b) = (row.assumingMemoryBound(to: Float.self), second.assumingMemoryBound(to: Float.self))
      for c in 0..<channels { body(c, Double(a[c]), Double(b[c])) }
    } else {
      let (a, b) = (row.assumingMemoryBound(to: Double.self), second.assumingMemoryBound(to: Double.self))
      for c in 0..<channels { body(c, a[c], b[c]) }
    }
  }

  func batchColumnsForward(_ context: ExecutionContext, _ a: NormalizationArguments) throws(ApusError) {
    guard let x = a.x, let y = a.y else { return }
    let kernels = kernels(context)
    let size = dataType.size
    let rows = batch * positions
    let blocks = rows.dividedRoundingUp(by: blockRows)
    let row = channels * size
    let streams = 2 * count * size > streamingBytes && x != UnsafeRawPointer(y)
    let cost = Double(count * size) / 48
    let doubles = 2 * channels * 8
    try withBuffer(bytes: doubles + (2 * blocks + 3) * row) { (buffer) throws(ApusError) in
      let mean = buffer.assumingMemoryBound(to: Double.self)
      let squares = mean + channels
      let means = buffer + doubles
      let (factors, summands) = (means + row, means + 2 * row)
      let parts = means + 3 * row
      if isTraining {
        try overBlocks(context, cost) { block, first, count in
          let part = parts + 2 * block * row
          kernels.columnMoments(x + first * row, count, channels, part, part + row)
        }
        mean.update(repeating: 0, count: 2 * channels)
        var n = 0.0
        for block in 0..<blocks {
          let part = parts + 2 * block * row
          let count = Double(min(blockRows, rows - block * blockRows))
          let share = count / (n + count)
          let weight = n * count / (n + count)
          eachColumn(part, part + row) { c, blockMean, blockSquares in
            let delta = blockMean - mean[c]
            mean[c] += delta * share
            squares[c] += blockSquares + delta * delta * weight
          }
          n += count
        }
      }
      for c in 0..<channels {
        var found = (mean: 0.0, scale: 0.0)
        if isTraining {
          found = settle(a, c, mean: mean[c], squares: squares[c], elements: rows)
        } else {
          found = frozen(a, c)
        }
        Reals(means, dataType)[c] = found.mean
        Reals(factors, dataType)[c] = found.scale * number(a.gamma, c, otherwise: 1)
        Reals(summands, dataType)[c] = number(a.beta, c, otherwise: 0)
      }
      try context.overStretches(of: rows, grain: max(1, 8192 / channels), nanoseconds: cost) { first, count in
        kernels.columnApply(
          x + first * row, y + first * row, count, channels, means, factors, summands, streams)
      }
    }
  }

  func batchColumnsBackward(_ context: ExecutionContext, _ a: NormalizationArguments) throws(ApusError) {
    guard let x = a.x, let dy = a.dy, let mean = a.mean else { return }
    let kernels = kernels(context)
    let size = dataType.size
    let rows = batch * positions
    let blocks = rows.dividedRoundingUp(by: blockRows)
    let row = channels * size
    let cost = Double(count * size) / 32
    let doubles = 2 * channels * 8
    try withBuffer(bytes: doubles + (2 * blocks + 3) * row) { (buffer) throws(ApusError) in
      let totals = buffer.assumingMemoryBound(to: Double.self)
      let allProducts = totals + channels
      let factors = buffer + doubles
      let (slopes, summands) = (factors + row, factors + 2 * row)
      let parts = factors + 3 * row
      try overBlocks(context, cost) { block, first, count in
        let part = parts + 2 * block * row
        kernels.columnGradientSums(x + first * row, dy + first * row, count, channels, mean, part, part + row)
      }
      totals.update(repeating: 0, count: 2 * channels)
      for block in 0..<blocks {
        let part = parts + 2 * block * row
        eachColumn(part, part + row) { c, sum, product in
          totals[c] += sum
          allProducts[c] += product
        }
      }
      for c in 0..<channels {
        let (total, products) = (totals[c], allProducts[c])
        let scale = number(UnsafeRawPointer(a.scale), c, otherwise: 0)
        let gamma = number(a.gamma, c, otherwise: 1)
        let elements = Double(rows)
        Reals(factors, dataType)[c] = scale * gamma
        Reals(slopes, dataType)[c] = isTraining ? -gamma * scale * scale * scale * products / elements : 0
        Reals(summands, dataType)[c] = isTraining ? -gamma * scale * total / elements : 0
        store(products * scale, a.dgamma, c)
        store(total, a.dbeta, c)
      }
      guard let dx = a.dx else { return }
      try context.overStretches(of: rows, grain: max(1, 8192 / channels), nanoseconds: cost) { first, count in
        let offset = first * row
        kernels.columnGradientApply(
          x + offset, dy + offset, dx + offset, count, channels, mean, factors, slopes, summands)
      }
    }
  }

  /// A task is a sample.
  func groupColumnsForward(_ context: ExecutionContext, _ a: NormalizationArguments) throws(ApusError) {
    guard let x = a.x, let y = a.y else { return }
    let kernels = kernels(context)
    let size = dataType.size
    let row = channels * size
    let perSet = channels / sets
    let cost = Double(count * size) / 12
    let slots = context.slots(parts: batch, nanoseconds: cost)
    let slotBytes = (3 * row).roundedUp(to: Memory.alignment)
    try withBuffer(bytes: slots * slotBytes) { (buffer) throws(ApusError) in
      try context.parallel(parts: batch, slots: slots) { slot, n in
        let area = buffer + slot * slotBytes
        let sample = n * positions * row
        let runs = NormalizationRuns(length: perSet, stride: channels, count: positions)
        for g in 0..<sets {
          var moments = (0.0, 0.0)
          withUnsafeMutableBytes(of: &moments) { moments in
            let p = moments.baseAddress!.assumingMemoryBound(to: Double.self)
            withUnsafePointer(to: runs) { kernels.moments(x + sample + g * perSet * size, $0, p) }
          }
          let found = settle(
            a, n * sets + g, mean: moments.0, squares: moments.1, elements: perSet * positions)
          for c in g * perSet..<(g + 1) * perSet {
            Reals(area, dataType)[c] = found.mean
            Reals(area + row, dataType)[c] = found.scale * number(a.gamma, c, otherwise: 1)
            Reals(area + 2 * row, dataType)[c] = number(a.beta, c, otherwise: 0)
          }
        }
        kernels.columnApply(x + sample, y + sample, positions, channels, area, area + row, area + 2 * row, false)
      }
    }
  }

  func groupColumnsBackward(_ context: ExecutionContext, _ a: NormalizationArguments) throws(ApusError) {
    guard let x = a.x, let dy = a.dy else { return }
    let kernels = kernels(context)
    let size = dataType.size
    let row = channels * size
    let perSet = channels / sets
    let elements = Double(perSet * positions)
    let cost = Double(count * size) / 12
    let slots = context.slots(parts: batch, nanoseconds: cost)
    let slotBytes = (6 * row).roundedUp(to: Memory.alignment)
    let sumBytes = (2 * batch * channels * 8).roundedUp(to: Memory.alignment)
    try withBuffer(bytes: sumBytes + slots * slotBytes) { (buffer) throws(ApusError) in
      let sums = buffer.assumingMemoryBound(to: Double.self)
      try context.parallel(parts: batch, slots: slots) { slot, n in
        let area = buffer + sumBytes + slot * slotBytes
        let sample = n * positions * row
        let means = Reals(area, dataType)
        let mine = sums + 2 * n * channels
        for c in 0..<channels {
          means[c] = number(UnsafeRawPointer(a.mean), n * sets + c / perSet, otherwise: 0)
          mine[2 * c] = 0
          mine[2 * c + 1] = 0
        }
        // Columns by blocks of rows, whose sums are added up as doubles.
        var first = 0
        while first < positions {
          let rows = min(256, positions - first)
          let offset = sample + first * row
          kernels.columnGradientSums(x + offset, dy + offset, rows, channels, area, area + 4 * row, area + 5 * row)
          for c in 0..<channels {
            mine[2 * c] += Reals(area + 4 * row, dataType)[c]
            mine[2 * c + 1] += Reals(area + 5 * row, dataType)[c]
          }
          first += rows
        }
        guard let dx = a.dx else { return }
        for g in 0..<sets {
          let scale = number(UnsafeRawPointer(a.scale), n * sets + g, otherwise: 0)
          var (total, products) = (0.0, 0.0)
          for c in g * perSet..<(g + 1) * perSet {
            let gamma = number(a.gamma, c, otherwise: 1)
            total += gamma * mine[2 * c]
            products += gamma * mine[2 * c + 1]
          }
          for c in g * perSet..<(g + 1) * perSet {
            Reals(area + row, dataType)[c] = scale * number(a.gamma, c, otherwise: 1)
            Reals(area + 2 * row, dataType)[c] = -scale * scale * scale * products / elements
            Reals(area + 3 * row, dataType)[c] = -scale * total / elements
          }
        }
        kernels.columnGradientApply(
          x + sample, dy + sample, dx + sample, positions, channels, area, area + row, area + 2 * row, area + 3 * row)
      }
      storeParameterGradients(a, sums)
    }
  }
}
