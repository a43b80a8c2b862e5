import Apus
import ArgumentParser
import ExampleSupport

/// Channels of an Inception block: of the 1x1 branch, of each reduction and the convolution behind it, and behind the pooling.
struct InceptionChannels {
  var one: Int, reduce3: Int, three: Int, reduce5: Int, five: Int, pool: Int

  var output: Int { one + three + five + pool }

  /// The block 3a of the paper, on 192 channels of 28 x 28.
  static let paper3a = InceptionChannels(one: 64, reduce3: 96, three: 128, reduce5: 16, five: 32, pool: 32)
}

/// Four branches over one input, joined along the channels (C. Szegedy et al., 2014).
final class Inception: Module {
  let one: Conv2D
  let three: Sequential, five: Sequential
  let pool = MaxPool2D(3, stride: [1], padding: [1])
  let poolProjection: Conv2D

  /// - Parameters:
  ///   - inputs: Channels of the input.
  ///   - channels: Those of the branches.
  ///   - reduces: A 1x1 convolution takes channels away before 3x3 and 5x5; without it, the paper's naive form.
  init(_ inputs: Int, _ channels: InceptionChannels, reduces: Bool = true) {
    func branch(_ reduced: Int, _ outputs: Int, _ kernelSize: Int) -> Sequential {
      Sequential {
        if reduces {
          Self.convolution(inputs, reduced, 1)
          ReLU()
        }
        Self.convolution(reduces ? reduced : inputs, outputs, kernelSize)
        ReLU()
      }
    }
    one = Self.convolution(inputs, channels.one, 1)
    three = branch(channels.reduce3, channels.three, 3)
    five = branch(channels.reduce5, channels.five, 5)
    poolProjection = Self.convolution(inputs, channels.pool, 1)
  }

  /// A convolution whose output has its input's size.
  static func convolution(_ inputs: Int, _ outputs: Int, _ kernelSize: Int) -> Conv2D {
    Conv2D(
      inputChannels: inputs, outputChannels: outputs, kernelSize: kernelSize, padding: [kernelSize / 2],
      initialization: .heNormal)
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let branches = [one(x, activation: .relu), three(x), five(x), poolProjection(pool(x), activation: .relu)]
    return reported(concatenate(branches, along: 1))
  }
}

/// A small GoogLeNet for 28 x 28 pixels in grey: the paper's stem and three of its nine blocks, narrower.
///
/// - Parameter width: 8 in the full size; all channels are multiples of it.
func makeGoogLeNet(width w: Int, dropout: Double, reduces: Bool) -> Sequential {
  let a = InceptionChannels(one: 2 * w, reduce3: 3 * w, three: 4 * w, reduce5: w, five: 2 * w, pool: 2 * w)
  let b = InceptionChannels(one: 4 * w, reduce3: 4 * w, three: 6 * w, reduce5: 2 * w, five: 3 * w, pool: 3 * w)
  let c = InceptionChannels(one: 6 * w, reduce3: 4 * w, three: 8 * w, reduce5: 2 * w, five: 4 * w, pool: 4 * w)
  return Sequential {
    Inception.convolution(1, 4 * w, 3)
    ReLU()
    MaxPool2D(2)
    LocalResponseNorm()
    Inception.convolution(4 * w, 4 * w, 1)
    ReLU()
    Inception.convolution(4 * w, 6 * w, 3)
    ReLU()
    LocalResponseNorm()
    Inception(6 * w, a, reduces: reduces)
    MaxPool2D(3, stride: [2], padding: [1])
    Inception(a.output, b, reduces: reduces)
    Inception(b.output, c, reduces: reduces)
    AdaptiveAvgPool(1)
    Flatten()
    Dropout(dropout)
    Linear(c.output, 10)
  }
}

struct GoogLeNetExample: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "googlenet", abstract: "A small GoogLeNet: Inception blocks, with and without their 1x1 reductions.",
    discussion: "The data are Debian's: apt-get install dataset-fashion-mnist.")

  @OptionGroup var common: RunOptions
  @OptionGroup var pictures: PictureOptions
  @Option(help: "That a number before the last layer is dropped.")
  var dropout = 0.2
  @Option(help: "All channels are multiples of it (default: 8, with --small 2).")
  var width: Int?
  @Option(help: "Steps of each measurement in the table of the reductions.")
  var steps = 5

  func validate() throws {
    try pictures.agree(with: common)
    try check("dropout", dropout, in: 0...0.9)
    if let width { try check("width", width, in: 1...64) }
    try check("steps", steps, in: 1...1000)
  }

  func run() throws {
    let data = try pictures.load(common, small: 480, .stripes)
    try common.seeded {
      let width = width ?? (common.small ? 2 : 8)
      let model = makeGoogLeNet(width: width, dropout: dropout, reduces: true)
      print(model.summary(inputShape: [1, 1, 28, 28]))
      // With numbers of its own: the training shall not depend on how much was measured.
      let saved = RandomGenerator(seed: common.seed).use { compareReductions(model, width: width) }

      let history = try data.fit(
        model, pictures, epochs: common.small ? 7 : 5, learningRate: common.small ? 0.01 : 0.003, seed: common.seed)
      try common.draw {
        var figure = Figure("A small GoogLeNet")
        figure.add(history.accuracyChart)
        figure.add(history.lossChart)
        return figure
      }
      var outcome = Outcome(sampleName: "images")
      outcome.count(history)
      outcome.require("parameters of block 3a without reductions, over with", saved, atLeast: 2)
      outcome.require("test accuracy", history.testAccuracy, atLeast: common.small ? 0.8 : 0.9)
      try outcome.finish()
    }
  }

  /// Prints parameters and time of a training step with and without the 1x1 reductions, of this network and of the paper's
  /// block 3a. Returns how many times the parameters the latter has without them.
  private func compareReductions(_ model: Sequential, width: Int) -> Double {
    let rows: [(name: String, model: any Module, input: [Int])] = [
      ("this network", model, [pictures.stepSize, 1, 28, 28]),
      ("  without", makeGoogLeNet(width: width, dropout: dropout, reduces: false), [pictures.stepSize, 1, 28, 28]),
      ("block 3a", Inception(192, .paper3a), [4, 192, 28, 28]),
      ("  without", Inception(192, .paper3a, reduces: false), [4, 192, 28, 28]),
    ]
    print("\n1x1 reductions   parameters   ms/image of a step")
    for (name, model, input) in rows {
      let time = secondsOfStep(model, input) * 1000 / Double(input[0])
      print(name.padded(to: 15), "\(model.parameterCount)".padded(to: -12), rounded(time).padded(to: -20))
    }
    print()
    return Double(rows[3].model.parameterCount) / Double(rows[2].model.parameterCount)
  }

  /// The fastest of some steps, forward and backward with the update.
  private func secondsOfStep(_ model: any Module, _ input: [Int]) -> Double {
    let x = Tensor.normal(input), optimizer = SGD(model.parameters, learningRate: 0)
    let times = (0...steps).map { _ in
      ContinuousClock().measure {
        model(x).squared().mean().backward()
        optimizer.step()
      }
    }
    // The first one makes the plans.
    return (times.dropFirst().min() ?? .zero) / .seconds(1)
  }
}
