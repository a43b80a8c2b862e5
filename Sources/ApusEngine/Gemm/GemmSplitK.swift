import ApusKernelInterface

extension GemmPlan {
  /// Sums of the chunks of one matrix, where k is split.
  var callBytes: Int {
    guard case .splitK(let chunks, packA: _, packB: _) = algorithm else { return 0 }
    return chunks * partialBytes
  }
  private var partialBytes: Int { (problem.m * paddedColumns * size).roundedUp(to: 64) }

  /// Each chunk of k by itself, then the sums in the order of the chunks.
  func splitK(
    _ task: GemmTask, _ tasks: Int, _ areas: UnsafeMutableRawPointer, _ context: ExecutionContext
  ) throws(ApusError) {
    guard case .splitK(let chunks, let packA, let packB) = algorithm else { return }
    let split = BalancedSplit(kBlocks.count, atMost: kBlocks.count.dividedRoundingUp(by: chunks))
    let taskAreas = areas + callBytes
    for index in 0..<descriptor.batch {
      let whole = matrix(index, of: task)
      let deal = BalancedSplit(split.count, atMost: split.count.dividedRoundingUp(by: tasks))
      try context.parallel(count: deal.count) { range in
        for i in range {
          for chunk in deal.start(i)..<deal.start(i + 1) {
            var part = whole
            part.c = areas + chunk * partialBytes
            part.cRow = paddedColumns
            part.output = GemmOutput()
            blocked(
              part, 0..<rowTiles.count, 0..<problem.n, split.start(chunk)..<split.start(chunk + 1),
              buffers(taskAreas + i * taskBytes), packA: packA, packB: packB)
          }
        }
      }
      var sum = GemmOutput()
      sum.beta = 1
      for chunk in 1..<max(1, split.count) {
        kernels.finish(
          areas + chunk * partialBytes, paddedColumns, problem.m, problem.n, areas, paddedColumns, &sum)
      }
      var output = whole.output
      kernels.finish(areas, paddedColumns, problem.m, problem.n, whole.c, whole.cRow, &output)
    }
  }
}
