import Apus
import ArgumentParser
import ExampleSupport

/// The functions that are compared.
enum ActivationKind: String, CaseIterable, ExpressibleByArgument {
  case sigmoid, tanh, relu
  case leakyReLU = "leaky-relu"
  case elu

  func callAsFunction(_ x: Tensor) -> Tensor {
    switch self {
    case .sigmoid: x.sigmoid()
    case .tanh: x.tanh()
    case .relu: x.relu()
    case .leakyReLU: x.leakyReLU(slope: 0.1)
    case .elu: x.elu()
    }
  }
}

/// Fully connected layers of one width, as many as make the choice of the activation matter.
final class DeepNet: Module {
  let hidden: [Linear]
  let output: Linear
  let activation: ActivationKind

  init(depth: Int, width: Int, activation: ActivationKind) {
    hidden = (0..<depth).map { Linear($0 == 0 ? 784 : width, width, initialization: .heNormal) }
    output = Linear(width, 10, initialization: .heNormal)
    self.activation = activation
  }

  /// What each hidden layer gives its activation.
  func sums(_ x: Tensor) -> [Tensor] {
    var y = x.flattened(from: 1)
    return hidden.map { layer in
      let sum = layer(y)
      y = activation(sum)
      return sum
    }
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    output(hidden.reduce(x.flattened(from: 1)) { activation($1($0)) })
  }
}

/// How well signals and gradients pass through a net.
struct SignalReport {
  /// The slope of an activation below which a unit hardly learns.
  static let flat = 0.05
  /// The share of units whose slope is below `flat` for all pictures, and of (unit, picture) pairs where it is.
  var dead = 0.0, saturated = 0.0
  /// The mean of each hidden layer's outputs.
  var means: [Double] = []
  /// The norm of the loss's gradient by each layer's weights, from the first layer to the last.
  var gradientNorms: [Double] = []

  init(_ net: DeepNet, _ batch: Batch) {
    let sums = withoutGradients { net.sums(batch.inputs) }
    for sum in sums {
      // The activation's slope at each place, by the library's own gradients.
      let x = sum.tracked()
      let slopes = gradients(of: net.activation(x).sum(), by: [x])[0]
      let isFlat = (slopes .< Self.flat).converted(to: .float32)
      saturated += isFlat.mean().scalar / Double(sums.count)
      dead += isFlat.min(along: [0]).mean().scalar / Double(sums.count)
      means.append(net.activation(sum).mean().scalar)
    }
    let weights = (net.hidden + [net.output]).map(\.weight)
    let loss = softmaxCrossEntropy(net(batch.inputs), batch.targets)
    gradientNorms = gradients(of: loss, by: weights).map { $0.norm().scalar }
  }
}

struct ActivationsExample: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "activations", abstract: "Sigmoid, tanh, ReLU, leaky ReLU and ELU in one deep fully connected net.",
    discussion: "The data are Debian's: apt-get install dataset-fashion-mnist.")

  @OptionGroup var common: RunOptions
  @OptionGroup var pictures: PictureOptions
  @Option(help: "Hidden layers.")
  var depth = 10
  @Option(help: "Units of each.")
  var width = 64

  func validate() throws {
    try pictures.agree(with: common)
    try check("depth", depth, in: 2...100)
    try check("width", width, in: 1...1024)
  }

  func run() throws {
    let data = try pictures.load(common, small: 640, .squares)
    let probe = data.test.batch(Array(0..<min(500, data.test.count)))

    var results: [(kind: ActivationKind, before: SignalReport, after: SignalReport, history: [EpochRecord])] = []
    for kind in ActivationKind.allCases {
      // Each begins with the same weights and sees the pictures in the same order.
      try common.seeded {
        print("\(kind.rawValue):")
        let net = DeepNet(depth: depth, width: width, activation: kind)
        let before = SignalReport(net, probe)
        let history = try data.fit(net, pictures, epochs: 6, learningRate: 0.001, seed: common.seed)
        results.append((kind, before, SignalReport(net, probe), history))
      }
    }

    print("\n            test      dead   saturated   mean of outputs   norm of the gradient before training")
    print("            accuracy  units  outputs     layer 1   last    layer 1      last layer   ratio")
    for (kind, before, after, history) in results {
      let norms = before.gradientNorms
      let cells: [(String, Int)] = [
        (kind.rawValue, 12), (rounded(history.testAccuracy), 10), (rounded(after.dead), 7),
        (rounded(after.saturated), 12), (rounded(after.means[0]), 10), (rounded(after.means[depth - 1]), 8),
        (rounded(norms[0]), 13), (rounded(norms[depth]), 13), (rounded(norms[0] / norms[depth]), 8),
      ]
      print(cells.map { $0.padded(to: $1) }.joined())
    }
    print()
    try common.draw { draw(results) }

    var outcome = Outcome(sampleName: "images")
    for (kind, before, _, history) in results {
      outcome.count(history)
      if kind == .sigmoid {
        outcome.require(
          "sigmoid: first gradient norm over last", before.gradientNorms[0] / before.gradientNorms[depth], atMost: 0.001
        )
      } else {
        outcome.require("\(kind.rawValue): test accuracy", history.testAccuracy, atLeast: common.small ? 0.7 : 0.8)
      }
    }
    try outcome.finish()
  }

  private func draw(
    _ results: [(kind: ActivationKind, before: SignalReport, after: SignalReport, history: [EpochRecord])]
  ) -> Figure {
    var figure = Figure("Activations in a net of \(depth) hidden layers of \(width)")
    var loss = Chart("Loss on the training pictures", x: "epoch", y: "cross entropy")
    var before = Chart("Gradients before training", x: "layer", y: "norm", isLogarithmic: true)
    var after = Chart("Gradients after training", x: "layer", y: "norm", isLogarithmic: true)
    var means = Chart("Outputs after training", x: "hidden layer", y: "mean")
    for result in results {
      loss.add(result.kind.rawValue, result.history.map(\.loss))
      before.add(result.kind.rawValue, result.before.gradientNorms)
      after.add(result.kind.rawValue, result.after.gradientNorms)
      means.add(result.kind.rawValue, result.after.means)
    }
    for chart in [loss, before, after, means] { figure.add(chart) }
    return figure
  }
}
