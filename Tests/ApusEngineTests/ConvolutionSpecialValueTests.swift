import ApusEngine
import ApusKernelInterface
import ApusTestSupport
import Testing

/// NaN and infinity. Where an infinite number meets the padding (backward: a place outside of dy), an algorithm may multiply
/// a zero by it, which makes NaN, as in a tensor that is padded by hand, or pass the place over. All else propagates in
/// every algorithm but Winograd's, whose sums mix neighbours.
@Suite struct ConvolutionSpecialValueTests {
  @Test(arguments: InstructionSet.available, gemmTypes)
  func propagate(_ set: InstructionSet, _ type: DataType) throws {
    let contexts = try GemmValueTests.contexts(set)
    var sampler = ConvolutionSampler(type, seed: 3)
    var special = 0
    for turn in 0..<240 {
      var problem = sampler.problem(products: 10_000)
      problem.batch = max(1, problem.batch)
      let direction = ConvolutionDirection.allCases[turn % 3]
      for d in try problem.withEachAlgorithm(direction, contexts[0]) where d.algorithm != .winograd {
        let trial = ConvolutionTrial(d, direction, accumulate: turn % 2 == 0, seed: sampler.random.next())
        for name in trial.inputs {
          for _ in 0..<sampler.random.int(0...2) {
            trial[name, sampler.random.int(0...trial.count(name) - 1)] = sampler.random.pick([
              .nan, .infinity, -.infinity, 0,
            ])
          }
        }
        if trial.accumulate { trial[trial.results[0], 0] = sampler.random.pick([.nan, .infinity]) }
        let outcome = try trial.run(contexts[turn % contexts.count], scratch: turn % 2 == 0 ? .exact : .engine)
        if let objection = trial.objection(to: outcome) { Issue.record("\(set.name): \(objection)") }
        if (0..<trial.count(trial.results[0])).contains(where: {
          !trial.element(outcome, trial.results[0], $0).isFinite
        }) {
          special += 1
        }
      }
    }
    #expect(special > 100)
  }

  /// Which zeros of the padding are multiplied, and make NaN of an infinite weight, is a function of the problem: not of
  /// the batch, nor of the threads.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func infiniteWeightsInThePadding(_ set: InstructionSet, _ type: DataType) throws {
    let one = try ExecutionContext(instructionSet: set, backend: .serial, threads: 1)
    let several = try ExecutionContext(instructionSet: set, threads: 3)
    var random = Randomness(seed: 12)
    for (turn, channels) in [2, 40, 40, 40].enumerated() {
      var problem = ConvolutionDescriptor.plane(
        type, batch: 3, channels: channels, height: 7 + turn, width: 9, filters: channels, kernel: 3, pad: 1,
        layout: TensorLayout.allCases[turn % 2])
      problem.window.padBefore.width = 1 + turn % 2
      for direction in [ConvolutionDirection.forward, .backwardData] {
        for d in try problem.withEachAlgorithm(direction, one) {
          let trial = ConvolutionTrial(d, direction, seed: random.next())
          for _ in 0..<4 { trial[.weights, random.int(0...trial.count(.weights) - 1)] = .infinity }
          let whole = try trial.run(several)
          if let objection = trial.objection(to: whole) { Issue.record("\(objection)") }
          let n = random.int(0...2)
          if let difference = try trial.difference(whole, sample: n, trial.sample(n).run(one)) {
            Issue.record("\(difference)")
          }
        }
      }
    }
  }

  /// relu(NaN) is NaN, sigmoid(-infinity) is 0: activations let them through.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func activations(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    for activation in Activation.allCases {
      for layout in TensorLayout.allCases {
        var d = ConvolutionDescriptor.plane(
          type, channels: 3, height: 6, width: 5, filters: 9, kernel: 3, pad: 1, layout: layout)
        (d.hasBias, d.hasResidual, d.activation, d.slope) = (true, true, activation, 0.25)
        for d in try d.withEachAlgorithm(.forward, context) {
          let trial = ConvolutionTrial(d, .forward, seed: 12)
          for (j, value) in [Double.nan, .infinity, -.infinity, 1000, -1000, 0].enumerated() {
            trial[.bias, j] = value
            trial[.residual, 40 * j] = value
          }
          if let objection = trial.objection(to: try trial.run(context)) { Issue.record("\(objection)") }
        }
      }
    }
  }
}
