import ApusEngine
import ApusKernelInterface
import ApusTestSupport
import Testing

/// Results and gradients against a float64 reference that knows the definitions alone, every buffer against guard pages.
@Suite struct RecurrentValueTests {
  private func expectRight(_ trial: RecurrentTrial, _ context: ExecutionContext, _ turn: Int) throws -> Bool {
    var run = RecurrentRun()
    run.mode = turn % 4 == 3 ? .inference : .training
    run.placement = [.beforeGuard, .afterGuard, .offset(trial.descriptor.dataType.size)][turn % 3]
    run.packs = turn / 2 % 2 == 0
    run.accumulates = turn / 3 % 2 == 0
    run.ownScratch = turn / 5 % 2 == 0
    guard let objection = try trial.objection(context, run) else { return true }
    Issue.record("\(objection)")
    return false
  }

  @Test(arguments: InstructionSet.available, gemmTypes)
  func randomProblems(_ set: InstructionSet, _ type: DataType) throws {
    let contexts = try Setting.of(set).map { try $0.context() }
    var sampler = RecurrentSampler(type, seed: 2027)
    for turn in 0..<200 {
      let trial = try RecurrentTrial(sampler.problem(), seed: sampler.random.next())
      trial.vary(&sampler.random)
      trial.fillPadding(.nan)
      if try !expectRight(trial, contexts[turn % contexts.count], turn) { return }
    }
  }

  /// Every cell with every option of it, in every direction, with 0, 1 and 2 biases, one and two layers.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func grid(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    var turn = 0
    for cell in RecurrentCell.allCases {
      for options in 0..<(cell == .lstm ? 8 : 1) {
        for direction in RecurrentDirection.allCases {
          for biases in 0...2 {
            turn += 1
            var d = RecurrentDescriptor(
              dataType: type, cell: cell, steps: 3, batch: 1 + turn % 3, input: 3 + turn % 5, hidden: 4 + turn % 9)
            d.direction = direction
            d.biases = biases
            d.layers = 1 + turn % 2
            d.isBatchMajor = turn / 2 % 2 == 0
            d.hasPeepholes = options & 1 != 0
            d.projection = options & 2 != 0 ? 1 + turn % 3 : 0
            d.cellClip = options & 4 != 0 ? 0.2 : 0
            let trial = try RecurrentTrial(d, seed: UInt64(turn))
            if turn % 3 == 0 { trial.lengths = (0..<d.batch).map { (turn + $0) % 4 } }
            if try !expectRight(trial, context, turn) { return }
          }
        }
      }
    }
  }

  /// Units, inputs and batches at the edges of vectors, panels and tiles.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func tileEdges(_ set: InstructionSet, _ type: DataType) throws {
    let contexts = try Setting.of(set).map { try $0.context() }
    let kernels = set.gemmKernels(type)
    var turn = 0
    for hidden in GemmSampler.around([1, kernels.lanes, 2 * kernels.lanes, 4 * kernels.lanes], upTo: 70)
    where hidden > 0 {
      for batch in [1, 2, 3, kernels.tileRows, kernels.tileRows + 1] {
        for cell in RecurrentCell.allCases {
          turn += 1
          if (hidden + batch + turn) % 2 == 0 { continue }
          var d = RecurrentDescriptor(
            dataType: type, cell: cell, steps: 2, batch: batch, input: 1 + turn % 7, hidden: hidden)
          if cell == .lstm && hidden > 1 && turn % 4 == 0 { d.projection = max(1, hidden / 2) }
          if try !expectRight(RecurrentTrial(d, seed: UInt64(turn)), contexts[turn % contexts.count], turn) { return }
        }
      }
    }
  }

  /// Steps long enough for several threads, chunks of steps with a shorter last one, and layers upon each other.
  @Test(arguments: InstructionSet.available)
  func largerProblems(_ set: InstructionSet) throws {
    for (turn, cell) in RecurrentCell.allCases.enumerated() {
      var d = RecurrentDescriptor(dataType: .float32, cell: cell, steps: 3, batch: 30, input: 50, hidden: 70)
      d.layers = 2
      d.direction = turn % 2 == 0 ? .bidirectionalConcatenated : .bidirectionalSummed
      let trial = try RecurrentTrial(d, seed: UInt64(turn))
      trial.lengths = (0..<d.batch).map { $0 % 4 }
      if try !expectRight(trial, ExecutionContext(instructionSet: set, threads: 2), turn) { return }
      // More than one chunk of the input products: 256 rows.
      let long = RecurrentDescriptor(dataType: .float64, cell: cell, steps: 300, batch: 1, input: 2, hidden: 3)
      let second = try RecurrentTrial(long, seed: UInt64(turn))
      var run = RecurrentRun()
      for mode in RecurrentMode.allCases {
        run.mode = mode
        if let objection = try second.objection(ExecutionContext(instructionSet: set, threads: 1), run) {
          Issue.record("\(objection)")
          return
        }
      }
    }
  }
}
