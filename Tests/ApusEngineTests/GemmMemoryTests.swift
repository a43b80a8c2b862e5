import ApusEngine
import ApusTestSupport
import Testing

/// No byte outside of what shapes and strides describe is touched. A stray access ends the test process: the last
/// problem is then the one after the last that `swift test` names.
@Suite struct GemmMemoryTests {
  private func expectContained(_ trial: GemmTrial, _ context: ExecutionContext) throws {
    for placement in [TestMemory.Placement.beforeGuard, .afterGuard] {
      let outcome = try trial.run(context, placement, scratch: .exact)
      if let objection = trial.objection(to: outcome) { Issue.record("\(placement): \(objection)") }
    }
  }

  @Test(arguments: InstructionSet.available, gemmTypes)
  func guardPagesAroundEveryTileEdge(_ set: InstructionSet, _ type: DataType) throws {
    let contexts = try GemmValueTests.contexts(set)
    let kernels = set.gemmKernels(type)
    let rows = GemmSampler.around([1, kernels.lanes, kernels.tileRows, kernels.narrowTileRows, 4 * kernels.tileRows])
    let columns = GemmSampler.around([1, kernels.lanes, kernels.tileColumns, 2 * kernels.tileColumns])
    let depths = GemmSampler.around([1, kernels.lanes, 2 * kernels.lanes, 4 * kernels.lanes])
    var turn = 0
    for m in rows {
      for n in columns {
        for k in depths.enumerated().filter({ ($0.offset + m + n) % 3 == 0 }).map(\.element) {
          // Odd numbers of layouts, so that each meets every depth.
          let d = allLayouts(type, m, n, k)[turn * 3 % 8]
          try expectContained(GemmTrial(d, beta: turn % 3 == 0 ? 1 : 0, seed: 3), contexts[turn % contexts.count])
          turn += 1
        }
      }
    }
  }

  @Test(arguments: InstructionSet.available, gemmTypes)
  func guardPagesAroundEverything(_ set: InstructionSet, _ type: DataType) throws {
    let contexts = try GemmValueTests.contexts(set)
    var sampler = GemmSampler(set, type, seed: 1234)
    for turn in 0..<150 {
      var d = sampler.problem()
      sampler.addEpilogue(&d)
      if turn % 5 == 0 { sampler.addBatch(&d) }
      if d.batchKind == .strided {
        d.packedA = sampler.random.int(0...3) == 0
        d.packedB = sampler.random.int(0...2) == 0
      }
      try expectContained(
        GemmTrial(d, alpha: sampler.scalar(), beta: sampler.scalar(), seed: sampler.random.next()),
        contexts[turn % contexts.count])
    }
  }

  /// Several blocks of rows, columns and k, split k, long vectors.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func guardPagesAroundLargeProblems(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    let kernels = set.gemmKernels(type)
    let shapes = [
      (5 * kernels.tileRows + 1, 3 * kernels.tileColumns + 1, kernels.kBlock + 1), (200, 9, 600), (9, 1100, 20),
      (5, 6, 4099), (1, 4100, 30), (4100, 1, 30), (1, 3, 4100), (3, 1, 4100),
    ]
    for (m, n, k) in shapes {
      for d in allLayouts(type, m, n, k) { try expectContained(GemmTrial(d, alpha: 2), context) }
    }
  }

  /// Whatever the problem, a run takes no more than this: 1 MB of A and 2 MB of B for each thread, and for a split k the
  /// sums of 16 chunks of at most 8 tiles.
  @Test(arguments: Setting.all, gemmTypes)
  func scratchIsBounded(_ setting: Setting, _ type: DataType) throws {
    let context = try setting.context()
    let sizes = [1, 5, 100, 4096, 1 << 20, 1 << 29]
    for m in sizes {
      for n in sizes {
        for k in sizes where max(m, n).multipliedFullWidth(by: max(n, k)).high == 0 {
          for d in allLayouts(type, m, n, k) {
            guard let plan = try? GemmPlan(d, context: context) else { continue }
            let bytes = plan.scratchBytes(context: context)
            #expect(bytes <= setting.threads * 3 << 20 + 16 * 8 * 14 * 32 * 8, "\(plan.description): \(bytes)")
            #expect(bytes >= 0)
          }
        }
      }
    }
  }

  @Test func scratchTooSmallIsRefused() throws {
    for (m, n, k) in [(64, 64, 64), (100, 3, 5000), (1, 90, 90), (90, 1, 4)] {
      let context = try ExecutionContext(threads: 2)
      let d = GemmDescriptor(dataType: .float32, m: m, n: n, k: k)
      let plan = try GemmPlan(d, context: context)
      let trial = GemmTrial(d)
      let needed = plan.scratchBytes(context: context)
      for bytes in [0, 1, needed - 1] {
        let scratch = TestMemory(bytes: max(1, bytes), .beforeGuard)
        let error = try trial.refusal(plan, context) {
          $0.scratch = scratch.base
          $0.scratchBytes = bytes
        }
        #expect(error.status == .invalidArgument)
        #expect(error.message.contains("scratch_bytes is \(bytes),") && error.message.contains("\(needed)"))
      }
    }
  }
}
