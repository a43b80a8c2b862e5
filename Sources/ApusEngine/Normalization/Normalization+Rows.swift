import ApusKernelInterface

extension Normalization {
  private func rows(_ a: NormalizationArguments) -> NormalizationRows {
    var rows = NormalizationRows()
    rows.size = channels
    rows.epsilon = epsilon
    rows.isRMS = kind == .rms
    rows.x = a.x
    rows.gamma = a.gamma
    rows.beta = a.beta
    rows.y = a.y
    rows.mean = a.mean
    rows.scale = a.scale
    rows.dy = a.dy
    rows.dx = a.dx
    return rows
  }

  func rowsForward(_ context: ExecutionContext, _ a: NormalizationArguments) throws(ApusError) {
    let kernels = kernels(context)
    var rows = rows(a)
    rows.streams = 2 * count * dataType.size > streamingBytes && a.x != UnsafeRawPointer(a.y)
    let cost = Double(count * dataType.size) / 24 + Double(batch) * 25
    try context.overStretches(of: batch, grain: max(1, 8192 / channels), nanoseconds: cost) { first, count in
      withUnsafePointer(to: rows) { kernels.rows($0, first, count) }
    }
  }

  /// Rows of a block, whose gradients of the parameters are added up in order; blocks are added in order too. A matter of
  /// the number of rows alone.
  private var rowsPerBlock: Int { max(16, batch.dividedRoundingUp(by: 32)) }

  func rowsBackward(_ context: ExecutionContext, _ a: NormalizationArguments) throws(ApusError) {
    let kernels = kernels(context)
    let perBlock = rowsPerBlock
    let blocks = batch.dividedRoundingUp(by: perBlock)
    let size = dataType.size
    let row = (channels * size).roundedUp(to: Memory.alignment)
    let parameters = (a.dgamma == nil ? 0 : 1) + (a.dbeta == nil ? 0 : 1)
    let cost = Double(count * size) / 12 + Double(batch) * 25
    var rows = rows(a)
    rows.streams =
      3 * count * size > streamingBytes && a.dx.map { UnsafeRawPointer($0) } != a.x
      && a.dx.map { UnsafeRawPointer($0) } != a.dy
    if parameters == 0 {
      return try context.overStretches(of: batch, grain: max(1, 8192 / channels), nanoseconds: cost) { first, count in
        withUnsafePointer(to: rows) { kernels.rowsBackward($0, first, count) }
      }
    }
    try withBuffer(bytes: max(1, blocks * parameters * row)) { (buffer) throws(ApusError) in
      try context.overStretches(of: blocks, grain: 1, nanoseconds: cost) { first, count in
        var rows = rows
        for block in first..<first + count {
          let sums = buffer + block * parameters * row
          (sums).initializeMemory(as: UInt8.self, repeating: 0, count: parameters * row)
          rows.dgamma = a.dgamma == nil ? nil : sums
          rows.dbeta = a.dbeta == nil ? nil : sums + (parameters - 1) * row
          kernels.rowsBackward(&rows, block * perBlock, min(perBlock, batch - block * perBlock))
        }
      }
      let kernels =
        dataType == .float32
        ? context.instructionSet.kernels.reductions32 : context.instructionSet.kernels.reductions64
      func addUp(_ offset: Int, _ result: UnsafeMutableRawPointer?) {
        guard let result else { return }
        kernels.columns(
          Fold.sum.rawValue, buffer + offset, blocks, parameters * row / size, channels, nil, result, true)
      }
      addUp(0, a.dgamma)
      addUp((parameters - 1) * row, a.dbeta)
    }
  }
}
