import ApusEngine
import ApusTestSupport
import Testing

/// What must be bitwise equal: over threads, back ends, alignments, scratch and repetition. Shapes are large enough that
/// several threads are used.
@Suite struct GemmDeterminismTests {
  /// Problems that are split over threads by rows, columns, batch, results and chunks of k.
  static func problems(_ set: InstructionSet, _ type: DataType) -> [GemmTrial] {
    let kernels = set.gemmKernels(type)
    var sampler = GemmSampler(set, type, seed: 23)
    var trials: [GemmTrial] = []
    let shapes = [
      (97, 101, 130), (5 * kernels.tileRows + 3, 3 * kernels.tileColumns + 5, kernels.kBlock + 11), (7, 9, 6200),
      (1, 700, 900), (700, 1, 900), (300, 3, 200), (3, 400, 200), (1, 1, 70000),
    ]
    for (turn, (m, n, k)) in shapes.enumerated() {
      for var d in allLayouts(type, m, n, k).shuffled(using: &sampler.random).prefix(3) {
        d.ldc += turn % 3
        if turn % 2 == 0 {
          d.bias = .byRow
          d.activation = .leakyReLU
          d.slope = 0.1
        }
        trials.append(GemmTrial(d, alpha: turn % 2 == 0 ? 1 : 0.5, beta: turn % 3 == 0 ? 0 : 1, seed: UInt64(turn)))
      }
    }
    for count in [2, 5] {
      var d = GemmDescriptor(dataType: type, m: 40, n: 50, k: 60)
      d.batch = count
      d.strideA = 2400
      d.strideC = 2000
      trials.append(GemmTrial(d, seed: 4))
    }
    return trials
  }

  @Test(arguments: Setting.all, gemmTypes)
  func threadsAndBackendsAgree(_ setting: Setting, _ type: DataType) throws {
    let serial = try ExecutionContext(instructionSet: setting.instructionSet, backend: .serial, threads: 1)
    let context = try setting.context()
    for trial in Self.problems(setting.instructionSet, type) {
      let reference = try trial.run(serial)
      // A plan is not bound to the context that it was made with; runs repeat.
      let plan = try GemmPlan(trial.descriptor, context: serial)
      for (placement, scratch) in [
        (TestMemory.Placement.offset(0), GemmTrial.Scratch.engine), (.offset(0), .exact), (.beforeGuard, .engine),
      ] {
        let outcome = try trial.run(plan, context, placement, scratch: scratch)
        if let difference = trial.difference(reference, outcome) { Issue.record("\(placement): \(difference)") }
      }
    }
  }

  @Test(arguments: InstructionSet.available, gemmTypes)
  func alignmentsAgree(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    var sampler = GemmSampler(set, type, seed: 61)
    for turn in 0..<40 {
      var d = sampler.problem()
      if turn % 2 == 0 { sampler.addEpilogue(&d) }
      if turn % 4 == 3 { d.packedB = true }
      let trial = GemmTrial(d, alpha: sampler.scalar(), beta: sampler.scalar(), seed: sampler.random.next())
      let reference = try trial.run(context)
      for offset in stride(from: type.size, through: 60, by: type.size) {
        let outcome = try trial.run(context, .offset(offset), scratch: turn % 2 == 0 ? .engine : .exact)
        if let difference = trial.difference(reference, outcome) { Issue.record("offset \(offset): \(difference)") }
      }
    }
  }

  /// Packing ahead only moves data, where the path is that of blocks either way.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func packedAndUnpackedAgree(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    var sampler = GemmSampler(set, type, seed: 67)
    for turn in 0..<60 {
      var d = sampler.layout(max(2, sampler.size()), max(2, sampler.size()), turn % 5 == 0 ? 1100 : sampler.size())
      if turn % 3 == 0 { sampler.addEpilogue(&d) }
      let (alpha, beta, seed) = (sampler.scalar(), sampler.scalar(), sampler.random.next())
      let plain = GemmTrial(d, alpha: alpha, beta: beta, seed: seed)
      let reference = try plain.run(context)
      for (packA, packB) in [(true, false), (false, true), (true, true)] {
        d.packedA = packA
        d.packedB = packB
        let packed = GemmTrial(d, alpha: alpha, beta: beta, seed: seed)
        if let difference = packed.difference(reference, try packed.run(context)) { Issue.record("\(difference)") }
      }
    }
  }
}
