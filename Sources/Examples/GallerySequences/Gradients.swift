import Apus
import ArgumentParser
import ExampleSupport
import Foundation

/// A plain recurrence, h_t = tanh(W h_t-1 + x_t), unrolled step by step.
struct Recurrence {
  let weight: Tensor
  let inputs: Tensor

  /// A matrix all of whose singular values are the same, and small or large inputs.
  init(singularValue: Double, inputScale: Double, steps: Int, size: Int) {
    weight = Initialization.orthogonal.makeTensor([size, size], fanIn: size, fanOut: size) * singularValue
    inputs = Tensor.normal([steps, 1, size], deviation: inputScale)
  }

  /// By how much the matrix stretches a vector at most: power iteration with its product with its transpose.
  var largestSingularValue: Double {
    var v = Tensor.normal([weight.shape[0], 1]), value = 0.0
    for _ in 0..<50 {
      let next = matmul(weight.transposed(), matmul(weight, v))
      value = (next.norm().scalar / v.norm().scalar).squareRoot()
      v = next / next.norm().scalar
    }
    return value
  }

  /// The norm of dL/dh_t for t = 0 ... T, where L is the product of h_T with a vector of length 1.
  func gradientNorms() -> [Double] {
    let size = weight.shape[0]
    var states = [Tensor.zeros([1, size]).tracked()]
    for t in 0..<inputs.shape[0] {
      states.append((matmul(states[t], weight.transposed()) + inputs[t]).tanh())
    }
    let direction = Tensor.normal([1, size])
    let loss = (states[states.count - 1] * direction / direction.norm().scalar).sum()
    return gradients(of: loss, by: states).map { $0.norm().scalar }
  }
}

struct Gradients: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gradients", abstract: "Gradients through time: how they vanish and explode, clipping, truncation.",
    discussion: """
      The norm of dL/dh_t beside its bound, the largest singular value to the power T - t (Y. Bengio et al., 1994; R. Pascanu \
      et al., 2013); a training that explodes, and is saved by clipping; windows of backpropagation.
      """)

  @OptionGroup var options: RunOptions
  @Option(help: "Steps T of the recurrence.")
  var steps = 50

  func validate() throws { try check("steps", steps, in: 10...75) }

  func run() throws {
    var outcome = Outcome(sampleName: "sequences")
    let norms = options.seeded { vanishAndExplode(&outcome) }
    let clipping = try compareClipping(&outcome)
    let truncation = compareTruncation(&outcome)
    try options.draw {
      var figure = Figure("Gradients through time")
      for chart in norms + [clipping, truncation] { figure.add(chart) }
      return figure
    }
    try outcome.finish()
  }

  /// Near zero tanh is a line, and the gradient follows its bound, down or up. Under large inputs it is flat, and the gradient
  /// vanishes whatever the matrix: a value above 1 is necessary to explode, not sufficient.
  private func vanishAndExplode(_ outcome: inout Outcome) -> [Chart] {
    print("largest singular value  inputs  ||dL/dh_0||  bound")
    var worst = 0.0
    let charts = [1e-8, 1.0].map { scale in
      var chart = Chart(
        "||dL/dh_t|| and its bound, inputs of size \(scale == 1 ? "1" : "1e-8")", x: "t", y: "norm",
        isLogarithmic: true)
      for value in [0.8, 1.0, 1.25] {
        let recurrence = Recurrence(singularValue: value, inputScale: scale, steps: steps, size: 64)
        let largest = recurrence.largestSingularValue, norms = recurrence.gradientNorms()
        let bounds = (0...steps).map { pow(largest, Double(steps - $0)) }
        worst = max(worst, zip(norms, bounds).map { $0 / $1 }.max() ?? .infinity)
        print(String(format: "%.4g  %.0e  %.3g  %.3g", largest, scale, norms[0], bounds[0]))
        chart.add("\(value)", norms.enumerated().map { (x: Double($0.offset), y: $0.element) })
        chart.add("bound \(value)", bounds.enumerated().map { (x: Double($0.offset), y: $0.element) })
        if scale == 1e-8 && value != 1 {
          // Half of the bound's logarithm at least, in its direction.
          outcome.require(
            "\(value < 1 ? "vanishing" : "exploding"): log ||dL/dh_0|| over that of the bound",
            log(norms[0]) / log(bounds[0]), atLeast: 0.5)
        }
      }
      return chart
    }
    outcome.require("largest norm over its bound", worst, atMost: 1.001)
    return charts
  }
}
