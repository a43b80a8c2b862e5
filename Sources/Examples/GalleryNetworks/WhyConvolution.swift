import Apus
import ArgumentParser
import ExampleSupport

/// How units are wired to the numbers below them.
enum Wiring: String, CaseIterable {
  /// Each unit to every number.
  case dense
  /// Each unit to a window, with weights of its own.
  case local = "locally connected"
  /// Each unit to a window, with weights that all units of a map share: a convolution.
  case shared
}

/// A layer of the course's figure: windows of F x F over C maps of N x N, by a stride, give K maps.
struct WiredLayer {
  var size: Int, channels: Int, outputs: Int, kernel: Int, stride = 1, padding = 0

  /// Width and height of the maps: (N - F + 2 P) / S + 1.
  var outputSize: Int { (size - kernel + 2 * padding) / stride + 1 }
  var units: Int { outputSize * outputSize * outputs }

  /// Weights and biases.
  func parameters(_ wiring: Wiring) -> Int {
    let taps = channels * kernel * kernel
    return switch wiring {
    case .dense: units * (channels * size * size + 1)
    case .local: units * (taps + 1)
    case .shared: outputs * (taps + 1)
    }
  }

  func makeLayer(_ wiring: Wiring) -> any Module {
    switch wiring {
    case .dense:
      Sequential {
        Flatten()
        Linear(channels * size * size, units, initialization: .heNormal)
        Lambda { [self] in $0.reshaped([-1, outputs, outputSize, outputSize]) }
      }
    case .local:
      LocallyConnected2D(
        inputChannels: channels, outputChannels: outputs, inputSize: (size, size), kernelSize: (kernel, kernel),
        stride: (stride, stride), padding: (padding, padding), initialization: .heNormal)
    case .shared:
      Conv2D(
        inputChannels: channels, outputChannels: outputs, kernelSize: kernel, stride: [stride], padding: [padding],
        initialization: .heNormal)
    }
  }
}

struct ConvolutionExample: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convolution", abstract: "Why convolution: dense, locally connected and shared weights side by side.",
    discussion: "The data are Debian's: apt-get install dataset-fashion-mnist.")

  /// Two layers with as many units in each wiring, or so many times the maps; a third layer, of the classes, is dense in all.
  static func layers(maps factor: Int = 1) -> [WiredLayer] {
    [
      WiredLayer(size: 28, channels: 1, outputs: 8 * factor, kernel: 4, stride: 2),
      WiredLayer(size: 13, channels: 8 * factor, outputs: 16 * factor, kernel: 3, stride: 2),
    ]
  }

  @OptionGroup var common: RunOptions
  @OptionGroup var pictures: PictureOptions
  @Option(help: "Pictures to learn from (default: 20000).")
  var count: Int?

  func validate() throws {
    try pictures.agree(with: common)
    try common.refuse("count", count)
    if let count { try check("count", count, in: 1...60_000) }
  }

  func run() throws {
    let sizes = try printOutputSizes()
    printParameters()
    var data = try pictures.load(common, small: 640, .squares)
    if !common.small { data.training = data.training.subset(0..<(count ?? 20_000)) }

    var results: [(name: String, parameters: Int, history: [EpochRecord], moved: Double)] = []
    var outcome = Outcome(sampleName: "images")
    // The last spends on maps some of what sharing saves.
    let nets = Wiring.allCases.map { ($0.rawValue, $0, 1) } + [("shared, 4 x the maps", .shared, 4)]
    for (name, wiring, factor) in nets {
      try common.seeded {
        print("\(name):")
        let layers = Self.layers(maps: factor)
        let model = Sequential {
          for layer in layers {
            layer.makeLayer(wiring)
            ReLU()
          }
          Flatten()
          Linear(layers[1].units, 10)
        }
        let history = try data.fit(
          model, pictures, epochs: common.small ? 4 : 8, learningRate: 0.002, seed: common.seed)
        outcome.count(history)
        results.append((name, model.parameterCount, history, data.accuracy(of: model, movedBy: 2)))
      }
    }
    print("\n                        parameters   test accuracy   moved by 2 pixels   seconds/epoch")
    for (name, parameters, history, moved) in results {
      let seconds = history.reduce(0) { $0 + $1.seconds } / Double(history.count)
      print(
        name.padded(to: 24) + "\(parameters)".padded(to: -10) + rounded(history.testAccuracy).padded(to: -16)
          + rounded(moved).padded(to: -20) + rounded(seconds).padded(to: -16))
    }
    print()
    try common.draw {
      var figure = Figure("Dense, locally connected, shared")
      var training = Chart("Training", x: "epoch", y: "accuracy"), test = Chart("Test", x: "epoch", y: "accuracy")
      for result in results {
        training.add(result.name, result.history.map { $0.metrics[0] })
        test.add(result.name, result.history.map { $0.validationMetrics[0] })
      }
      figure.add(training)
      figure.add(test)
      return figure
    }
    // A stride of 3 does not take a window of 3 over 7.
    outcome.require("output sizes are those of the formula", sizes == [5, 3, 7, 32, 55, nil] ? 1 : 0, atLeast: 1)
    for result in results.prefix(3) {
      outcome.require(
        "\(result.name): test accuracy", result.history.testAccuracy, atLeast: common.small ? 0.8 : 0.86)
    }
    outcome.require(
      "shared, 4 x the maps: test accuracy", results[3].history.testAccuracy, atLeast: common.small ? 0.8 : 0.875)
    outcome.require(
      "dense: parameters over those of shared", Double(results[0].parameters) / Double(results[2].parameters),
      atLeast: 100)
    try outcome.finish()
  }

  /// The table of output sizes, by the library's own rule; none where it refuses.
  private func printOutputSizes() throws -> [Int?] {
    print(" N   F   stride   padding   (N - F + 2 padding) / stride + 1")
    var sizes: [Int?] = []
    let rows = [(7, 3, 1, 0), (7, 3, 2, 0), (7, 3, 1, 1), (32, 5, 1, 2), (227, 11, 4, 0), (7, 3, 3, 0)]
    for (n, f, stride, padding) in rows {
      let cells =
        "\(n)".padded(to: -3) + "\(f)".padded(to: -4) + "\(stride)".padded(to: -7) + "\(padding)".padded(to: -10)
      do {
        let layer = try Convolution<Float>(
          inputChannels: 1, outputChannels: 1, input: [n, n], kernel: [f, f], stride: [stride, stride],
          padding: .symmetric([padding, padding]), rounding: .strict)
        sizes.append(layer.outputShape[1])
        print(cells + "     \(layer.outputShape[1])")
      } catch {
        print(cells + "     refused: \(error.message)")
        sizes.append(nil)
      }
    }
    print()
    return sizes
  }

  /// The parameters of some layers in each wiring.
  private func printParameters() {
    let rows = [
      ("first layer here", Self.layers()[0]), ("second layer here", Self.layers()[1]),
      // M. Ranzato's example: 100 maps of 10 x 10 over a picture of 200 x 200.
      ("200 x 200, 100 of 10 x 10", WiredLayer(size: 200, channels: 1, outputs: 100, kernel: 10)),
      ("AlexNet's first layer", WiredLayer(size: 227, channels: 3, outputs: 96, kernel: 11, stride: 4)),
    ]
    print("parameters                     units         dense   locally connected   shared")
    for (name, layer) in rows {
      let numbers = Wiring.allCases.map(layer.parameters)
      print(
        name.padded(to: 26) + "\(layer.units)".padded(to: -10) + "\(numbers[0])".padded(to: -14)
          + "\(numbers[1])".padded(to: -20) + "\(numbers[2])".padded(to: -9))
    }
    print()
  }
}
