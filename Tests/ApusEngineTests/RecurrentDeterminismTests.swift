import ApusEngine
import ApusTestSupport
import Testing

/// What must be bitwise equal.
@Suite struct RecurrentDeterminismTests {
  /// Small ones, and some whose steps several threads share.
  static func problems(_ type: DataType) -> [RecurrentDescriptor] {
    var result: [RecurrentDescriptor] = []
    for (turn, cell) in RecurrentCell.allCases.enumerated() {
      for (batch, hidden) in [(3, 9), (17, 70)] {
        var d = RecurrentDescriptor(
          dataType: type, cell: cell, steps: 3, batch: batch, input: 13, hidden: hidden + turn)
        d.direction = RecurrentDirection.allCases[(turn + batch) % 4]
        d.layers = 1 + turn % 2
        d.isBatchMajor = turn % 2 == 0
        if cell == .lstm {
          d.hasPeepholes = true
          d.projection = batch == 3 ? 5 : 0
        }
        result.append(d)
      }
    }
    return result
  }

  @Test(arguments: InstructionSet.available, gemmTypes)
  func threadsBackendsAndScratchAgree(_ set: InstructionSet, _ type: DataType) throws {
    let serial = try ExecutionContext(instructionSet: set, backend: .serial, threads: 1)
    let contexts = try Setting.of(set).map { try $0.context() }
    for (turn, d) in Self.problems(type).enumerated() {
      let trial = try RecurrentTrial(d, seed: UInt64(turn))
      trial.lengths = (0..<d.batch).map { $0 % (d.steps + 1) }
      let expected = try trial.run(serial)
      for (i, context) in contexts.enumerated() {
        var run = RecurrentRun()
        run.packs = i % 2 == 0
        run.ownScratch = i % 3 == 0
        run.placement = i % 2 == 0 ? .offset(type.size * (1 + i % 5)) : .afterGuard
        #expect(try trial.run(context, run) == expected, "\(trial) \(context.backend) \(context.threads)")
        // Inference computes what training does.
        run.mode = .inference
        let inference = try trial.run(context, run)
        #expect(inference.y == expected.y && inference.hn == expected.hn && inference.cn == expected.cn, "\(trial)")
      }
    }
  }

  /// A step that threads share: tens of thousands of products a thread.
  @Test(arguments: InstructionSet.available)
  func sharedSteps(_ set: InstructionSet) throws {
    for cell in RecurrentCell.allCases {
      var d = RecurrentDescriptor(dataType: .float32, cell: cell, steps: 4, batch: 16, input: 40, hidden: 150)
      d.direction = .bidirectionalConcatenated
      let trial = try RecurrentTrial(d, seed: 5)
      let expected = try trial.run(ExecutionContext(instructionSet: set, backend: .serial, threads: 1))
      for setting in Setting.of(set) where setting.threads > 1 {
        let context = try setting.context()
        let plan = try RecurrentPlan(d, context: context)
        #expect(plan.threadsUsed(context: context) > 1 || context.threads == 1)
        for _ in 0..<2 { #expect(try trial.run(context) == expected, "\(trial) \(setting)") }
      }
    }
  }

  /// Sequence i alone has the bits of sequence i in a batch.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func sequencesDoNotSeeTheirBatch(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    for (turn, d) in Self.problems(type).enumerated() {
      let trial = try RecurrentTrial(d, seed: UInt64(turn))
      if turn % 2 == 0 { trial.lengths = (0..<d.batch).map { $0 % (d.steps + 1) } }
      let all = try trial.run(context)
      for b in 0..<d.batch {
        let alone = try trial.sequence(b)
        let one = try alone.run(context)
        #expect(trial.select(all.y, .rows(d.output), b) == one.y, "\(trial): y of \(b)")
        #expect(trial.select(all.dx, .rows(d.input), b) == one.dx, "\(trial): dx of \(b)")
        #expect(trial.select(all.hn, .states(d.state), b) == one.hn, "\(trial): hn of \(b)")
        #expect(trial.select(all.dh0, .states(d.state), b) == one.dh0, "\(trial): dh0 of \(b)")
        if d.cell == .lstm {
          #expect(trial.select(all.cn, .states(d.hidden), b) == one.cn, "\(trial): cn of \(b)")
          #expect(trial.select(all.dc0, .states(d.hidden), b) == one.dc0, "\(trial): dc0 of \(b)")
        }
      }
    }
  }

  /// The other sequences' NaN stay theirs.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func sequencesDoNotInfectEachOther(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    for (turn, d) in Self.problems(type).enumerated() {
      let trial = try RecurrentTrial(d, seed: UInt64(turn))
      let clean = try trial.run(context)
      trial.forEachRow { t, b, row in
        if b == 1 { trial.x[row * d.input] = [Double.nan, .infinity, -.infinity][t % 3] }
      }
      let dirty = try trial.run(context)
      for b in 0..<d.batch where b != 1 {
        #expect(trial.select(clean.y, .rows(d.output), b) == trial.select(dirty.y, .rows(d.output), b), "\(trial)")
        #expect(trial.select(clean.dx, .rows(d.input), b) == trial.select(dirty.dx, .rows(d.input), b), "\(trial)")
        #expect(trial.select(clean.hn, .states(d.state), b) == trial.select(dirty.hn, .states(d.state), b), "\(trial)")
      }
    }
  }
}
