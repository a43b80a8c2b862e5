import ApusEngine
import ApusKernelInterface
import ApusTestSupport
import Testing

/// NaN and infinity. Where an infinite number meets the padding (backward: a place outside of dy), direct and implicit_gemm
/// multiply a zero by it, which makes NaN, as in a tensor that is padded by hand; others may pass the place over. All else
/// propagates in every algorithm but Winograd's, whose sums mix neighbours.
@Suite struct ConvolutionSpecialValueTests {
  static let multiplyPadding: [ConvolutionAlgorithm?] = [.direct, .implicitGemm]

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

  /// What direct and implicit_gemm do, by example: 1 x 3 with one zero on either side and an infinite first tap.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func paddingIsAZeroThatIsMultiplied(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, backend: .serial, threads: 1)
    for layout in TensorLayout.allCases {
      var window = SpatialWindow(rank: 1, input: Extents(1, 1, 3), window: Extents(1, 1, 3))
      window.padBefore.width = 1
      window.padAfter.width = 1
      var problem = ConvolutionDescriptor(dataType: type, batch: 1, inputChannels: 1, outputChannels: 1, window: window)
      problem.xLayout = layout
      problem.yLayout = layout
      for d in try problem.withEachAlgorithm(.forward, context) where Self.multiplyPadding.contains(d.algorithm) {
        let trial = ConvolutionTrial(d, .forward)
        for (i, x) in [1.0, 2, 3].enumerated() { trial[.x, i] = x }
        for (i, w) in [Double.infinity, 1, 1].enumerated() { trial[.weights, i] = w }
        let y = try trial.run(context)
        #expect(trial.element(y, .y, 0).isNaN, "\(trial)")
        #expect(trial.element(y, .y, 1) == .infinity && trial.element(y, .y, 2) == .infinity, "\(trial)")
      }
      for d in try problem.withEachAlgorithm(.backwardWeights, context)
      where Self.multiplyPadding.contains(d.algorithm) {
        let trial = ConvolutionTrial(d, .backwardWeights)
        for (i, x) in [1.0, 2, 3].enumerated() { trial[.x, i] = x }
        for (i, dy) in [Double.infinity, 1, 1].enumerated() { trial[.dy, i] = dy }
        let dw = try trial.run(context)
        // The first tap sees the padding where dy is infinite.
        #expect(trial.element(dw, .dw, 0).isNaN, "\(trial)")
        #expect(trial.element(dw, .dw, 1) == .infinity && trial.element(dw, .dw, 2) == .infinity, "\(trial)")
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
