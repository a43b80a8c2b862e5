import Apus
import ExampleSupport
import Foundation

/// Keeps the first number of a sequence until its end, with ReLU units that each keep their state.
final class Keeper: Module {
  let cell: SimpleRNN
  let output: Linear

  /// A recurrent matrix of `factor` times the identity (Q. Le et al., 2015, have 1): above 1 states and gradients explode.
  init(hidden: Int, factor: Double) throws {
    cell = SimpleRNN(inputSize: 1, hiddenSize: hidden, usesReLU: true, hasBias: false)
    output = Linear(hidden, 1)
    var state = cell.state
    state["weight_hh_l0"] = Tensor.identity(hidden) * factor
    try cell.load(state)
  }

  func callAsFunction(_ x: Tensor) -> Tensor { output(cell(x, state: nil).state.hidden[0]) }
}

enum Clipping: String, CaseIterable {
  case none = "no clipping"
  case norm = "by norm"
  case value = "by value"

  /// The loss of each step, until one is no number.
  func train(steps: Int, lag: Int) throws -> [Double] {
    let model = try Keeper(hidden: 32, factor: 1.1), optimizer = SGD(model.parameters, learningRate: 0.01)
    var losses: [Double] = []
    for step in 0..<steps {
      let first = Tensor.uniform([1, 32, 1], in: -1..<1)
      let x = concatenate([first, Tensor.normal([lag, 32, 1], deviation: 0.01)])
      let loss = meanSquaredError(model(x), first[0])
      losses.append(loss.scalar)
      if !loss.scalar.isFinite { break }
      loss.backward()
      switch self {
      case .none: break
      case .norm: model.parameters.clipGradients(toNorm: 1)
      case .value: model.parameters.clipGradients(toValue: 0.1)
      }
      // Clipped gradients keep their size near the end, so the rate must fall.
      optimizer.learningRate = Schedule.cosine(from: 0.01, over: steps).rate(at: step)
      optimizer.step()
    }
    return losses
  }
}

extension Gradients {
  /// The same training with its gradients as they are, and clipped by their norm or each by its value.
  func compareClipping(_ outcome: inout Outcome) throws -> Chart {
    let steps = options.small ? 300 : 1000
    var chart = Chart("Loss of an exploding training", x: "step", y: "squared error", isLogarithmic: true)
    for clipping in Clipping.allCases {
      // Every way from the same weights and numbers.
      let losses = try options.seeded { try clipping.train(steps: steps, lag: 40) }
      let last = losses.suffix(20).reduce(0, +) / Double(min(20, losses.count))
      print("\(clipping.rawValue): loss \(rounded(losses[0])) at first, \(rounded(last)) after \(losses.count) steps")
      chart.add(clipping.rawValue, losses)
      // The mean, told always, would be wrong by 1/3.
      if clipping == .none {
        outcome.require("without clipping: steps until the loss is no number", Double(losses.count), atMost: 100)
      } else {
        outcome.require("clipped \(clipping.rawValue): squared error", last, atMost: 0.05)
      }
    }
    return chart
  }
}
