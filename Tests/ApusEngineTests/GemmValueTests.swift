import ApusEngine
import ApusTestSupport
import Testing

/// Results against the reference.
@Suite struct GemmValueTests {
  /// Settings of a set in turn, so that every back end and thread count meets every kind of problem.
  static func contexts(_ set: InstructionSet) throws -> [ExecutionContext] {
    try Setting.of(set).map { try $0.context() }
  }

  @Test(arguments: InstructionSet.available, gemmTypes)
  func smallSizesInEveryLayout(_ set: InstructionSet, _ type: DataType) throws {
    let contexts = try Self.contexts(set)
    var random = Randomness(seed: 17)
    var turn = 0
    for m in 0...17 {
      for n in 0...17 {
        for k in [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17] {
          let d = allLayouts(type, m, n, k)[turn % 8]
          turn += 1
          let trial = GemmTrial(d, alpha: random.pick([1, -1, 0.75]), beta: random.pick([0, 1, -0.5]), seed: random.next())
          let outcome = try trial.run(contexts[turn % contexts.count])
          if let objection = trial.objection(to: outcome) { Issue.record("\(objection)") }
        }
      }
    }
  }

  @Test(arguments: InstructionSet.available, gemmTypes)
  func sizesAroundTileEdges(_ set: InstructionSet, _ type: DataType) throws {
    let contexts = try Self.contexts(set)
    var sampler = GemmSampler(set, type, seed: 130)
    for turn in 0..<600 {
      let trial = GemmTrial(
        sampler.problem(), alpha: sampler.scalar(), beta: sampler.scalar(), seed: sampler.random.next())
      let outcome = try trial.run(contexts[turn % contexts.count])
      if let objection = trial.objection(to: outcome) { Issue.record("\(objection)") }
    }
  }

  /// Shapes that take each path of the engine: several blocks of rows, columns and k, split k, matrix x vector.
  @Test(arguments: Setting.all, gemmTypes)
  func everyPath(_ setting: Setting, _ type: DataType) throws {
    let context = try setting.context()
    let kernels = setting.instructionSet.gemmKernels(type)
    var random = Randomness(seed: 3)
    let shapes = [
      (3 * kernels.tileRows + 1, 5 * kernels.tileColumns + 1, kernels.kBlock + 3),
      (kernels.tileRows, kernels.tileColumns, kernels.kBlock), (130, 130, 130), (9, 11, 5001), (1, 200, 1100),
      (200, 1, 1100), (1, 5000, 9), (4500, 1, 17), (1, 1, 9000), (2, 1030, 20), (700, 12, 30),
    ]
    for (m, n, k) in shapes {
      for d in allLayouts(type, m, n, k).shuffled(using: &random).prefix(3) {
        let trial = GemmTrial(d, alpha: 1.5, beta: -0.5, seed: random.next())
        let outcome = try trial.run(context)
        if let objection = trial.objection(to: outcome) { Issue.record("\(objection)") }
      }
    }
  }

  @Test(arguments: InstructionSet.available, gemmTypes)
  func batches(_ set: InstructionSet, _ type: DataType) throws {
    let contexts = try Self.contexts(set)
    var sampler = GemmSampler(set, type, seed: 41)
    for turn in 0..<200 {
      var d = sampler.layout(min(sampler.size(), 40), min(sampler.size(), 70), sampler.size())
      sampler.addBatch(&d)
      if turn % 2 == 0 { sampler.addEpilogue(&d) }
      let trial = GemmTrial(d, alpha: sampler.scalar(), beta: sampler.scalar(), seed: sampler.random.next())
      let outcome = try trial.run(contexts[turn % contexts.count])
      if let objection = trial.objection(to: outcome) { Issue.record("\(objection)") }
    }
  }

  @Test(arguments: InstructionSet.available, gemmTypes)
  func packedOperands(_ set: InstructionSet, _ type: DataType) throws {
    let contexts = try Self.contexts(set)
    var sampler = GemmSampler(set, type, seed: 77)
    for turn in 0..<240 {
      var d = sampler.problem()
      if turn % 4 == 0 { sampler.addBatch(&d) }
      if turn % 3 == 0 { sampler.addEpilogue(&d) }
      d.batchKind = .strided
      d.packedA = turn % 3 != 0
      d.packedB = turn % 3 != 1
      if d.strideC == 0 { d.batch = min(d.batch, 1) }
      let trial = GemmTrial(d, alpha: sampler.scalar(), beta: sampler.scalar(), seed: sampler.random.next())
      let outcome = try trial.run(contexts[turn % contexts.count])
      if let objection = trial.objection(to: outcome) { Issue.record("\(objection)") }
    }
  }

  @Test(arguments: InstructionSet.available, gemmTypes)
  func epilogues(_ set: InstructionSet, _ type: DataType) throws {
    let contexts = try Self.contexts(set)
    var sampler = GemmSampler(set, type, seed: 99)
    for turn in 0..<300 {
      var d = turn % 5 == 0 ? sampler.layout(turn % 10 == 0 ? 1 : sampler.size(), 1, sampler.size()) : sampler.problem()
      sampler.addEpilogue(&d)
      let trial = GemmTrial(d, alpha: sampler.scalar(), beta: sampler.scalar(), seed: sampler.random.next())
      let outcome = try trial.run(contexts[turn % contexts.count])
      if let objection = trial.objection(to: outcome) { Issue.record("\(objection)") }
    }
  }

  /// A residual that is C is read before C is overwritten, however many blocks k has.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func residualInPlace(_ set: InstructionSet, _ type: DataType) throws {
    let contexts = try Self.contexts(set)
    let kBlock = set.gemmKernels(type).kBlock
    var sampler = GemmSampler(set, type, seed: 5)
    let shapes = [
      (5, 7, 9), (40, 70, 33), (20, 40, kBlock + 1), (33, 17, 2 * kBlock + 5), (1, 90, 4100), (90, 1, 4100),
      (1, 90, kBlock + 7), (90, 1, kBlock + 7), (7, 9, 5000), (8, 8, 0),
    ]
    for (turn, (m, n, k)) in shapes.enumerated() {
      for var d in allLayouts(type, m, n, k) {
        d.ldc += turn % 3
        d.hasResidual = true
        d.ldr = d.ldc
        d.batch = turn % 2 + 1
        d.batchKind = turn % 4 == 1 ? .pointers : .strided
        d.strideC = d.ldc * max(m, n)
        d.strideResidual = d.strideC
        d.bias = turn % 3 == 0 ? .byRow : .none
        d.activation = turn % 2 == 0 ? .relu : .identity
        let trial = GemmTrial(d, alpha: 0.5, beta: turn % 3 == 0 ? 0 : 2, seed: sampler.random.next(), residualIsC: true)
        let outcome = try trial.run(contexts[turn % contexts.count])
        if let objection = trial.objection(to: outcome) { Issue.record("\(objection)") }
      }
    }
  }
}
