import Apus
import ArgumentParser
import ExampleSupport
import Foundation

/// What the programs that tell pictures apart are asked.
struct PictureOptions: ParsableArguments {
  @Option(help: "The folder of Fashion-MNIST's four files (default: \(FashionMNIST.debianFolder)).")
  var data: String?
  @Option(help: "Epochs; without it as many as the figure takes.")
  var epochs: Int?
  @Option(help: "Pictures of a step (default: 64).")
  var batchSize: Int?
  @Option(help: "Adam's learning rate at the beginning; it falls to 0 along a cosine. Without it the example's own.")
  var learningRate: Double?

  func validate() throws {
    if let epochs { try check("epochs", epochs, in: 1...1000) }
    if let batchSize { try check("batch-size", batchSize, in: 1...1024) }
    try checkLearningRate(learningRate)
  }

  /// Pictures of a step.
  var stepSize: Int { batchSize ?? 64 }

  /// --small has pictures of its own.
  func agree(with run: RunOptions) throws {
    try run.refuse("data", data)
  }

  /// Fashion-MNIST, or with --small so many made-up pictures.
  func load(_ run: RunOptions, small count: Int, _ kind: Pictures.Kind) throws -> Pictures {
    try Pictures(run, folder: data, small: count, kind)
  }
}

/// Pictures of 28 x 28 in ten classes: for training, and others to measure with.
struct Pictures {
  /// What Fashion-MNIST's classes are called.
  static let classNames = [
    "T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot",
  ]
  var training: TensorDataset
  var test: TensorDataset

  /// What --small has in the place of clothes.
  enum Kind {
    /// A square for each class, for networks that look at each pixel by itself.
    case squares
    /// Stripes, for networks that look everywhere alike.
    case stripes
  }

  /// Fashion-MNIST, or with --small so many made-up pictures.
  init(_ run: RunOptions, folder: String?, small count: Int, _ kind: Kind) throws {
    if run.small && kind == .stripes {
      let generator = RandomGenerator(seed: run.seed)
      (training, test) = (Self.stripes(count, generator), Self.stripes(count / 2, generator))
    } else {
      let all =
        try run.small
        ? FashionMNIST(imitating: count, seed: run.seed) : FashionMNIST(folder: folder ?? FashionMNIST.debianFolder)
      (training, test) = (all.training, all.test)
    }
  }

  /// Class c has one of five directions and one of two widths, at any phase and under noise.
  private static func stripes(_ count: Int, _ generator: RandomGenerator) -> TensorDataset {
    let phases = Tensor.uniform([count], in: 0..<2 * .pi, generator: generator).array(of: Double.self)
    var pixels = Tensor.normal([count, 1, 28, 28], deviation: 0.3, generator: generator)
    pixels.withMutableElements(Float.self) { pixels in
      for (i, phase) in phases.enumerated() {
        let angle = Double(i % 5) * .pi / 5, frequency = 2 * .pi / (i % 10 < 5 ? 4.0 : 8.0)
        let (right, down) = (frequency * cos(angle), frequency * sin(angle))
        for y in 0..<28 {
          for x in 0..<28 {
            pixels[i * 784 + y * 28 + x] += Float(sin(Double(x) * right + Double(y) * down + phase))
          }
        }
      }
    }
    return TensorDataset(inputs: pixels, targets: Tensor((0..<count).map { Int32($0 % 10) }))
  }

  /// Trains a classifier with Adam and measures it after each epoch on the test pictures. Epochs and learning rate are the
  /// example's own, unless the options have others.
  func fit(
    _ model: any Module, _ options: PictureOptions, epochs: Int, learningRate: Double, seed: UInt64
  ) throws -> [EpochRecord] {
    let epochs = options.epochs ?? epochs, rate = options.learningRate ?? learningRate
    let loader = DataLoader(training, batchSize: options.stepSize, shuffles: true, seed: seed)
    let optimizer = Adam(model.parameters, learningRate: rate)
    let trainer = Trainer(model, optimizer: optimizer, metrics: [.accuracy]) { output, labels in
      softmaxCrossEntropy(output, labels)
    }
    trainer.options.fall(from: rate, over: epochs, of: loader, counting: "images")
    return try trainer.fit(loader, validation: DataLoader(test, batchSize: 250))
  }

  /// The share of test pictures that a classifier tells right, when they are moved to the right by so many pixels.
  func accuracy(of model: any Module, movedBy pixels: Int = 0) -> Double {
    let hits = stride(from: 0, to: test.count, by: 500).map { first in
      let batch = test.batch(Array(first..<min(first + 500, test.count)))
      let moved = batch.inputs.padded([(0, 0), (0, 0), (0, 0), (pixels, 0)], with: .replicate).sliced(0..<28, along: 3)
      let classes = model.evaluating { withoutGradients { model(moved).argmax() } }
      return zip(classes.array(of: Int32.self), batch.targets.array(of: Int32.self)).count { $0 == $1 }
    }
    return Double(hits.reduce(0, +)) / Double(test.count)
  }
}

extension [EpochRecord] {
  /// The share of test pictures that was told right after the last epoch.
  var testAccuracy: Double { last?.validationMetrics.first ?? 0 }

  /// Accuracies over the epochs, on what was learned from and on what was not.
  var accuracyChart: Chart {
    var chart = Chart("Accuracy", x: "epoch", y: "share told right")
    chart.add("training", map { $0.metrics[0] })
    chart.add("test", map { $0.validationMetrics[0] })
    return chart
  }

  /// Losses over the epochs, likewise.
  var lossChart: Chart {
    var chart = Chart("Loss", x: "epoch", y: "cross entropy")
    chart.add("training", map(\.loss))
    chart.add("test", map { $0.validationLoss ?? .nan })
    return chart
  }
}

extension String {
  /// A cell of a table: with spaces behind it up to a width, or, where that is negative, before it.
  func padded(to width: Int) -> String {
    let spaces = String(repeating: " ", count: Swift.max(1, abs(width) - count))
    return width < 0 ? spaces + self : self + spaces
  }
}

extension Tensor {
  /// The rows of a matrix.
  var pictureRows: [[Double]] { (0..<shape[0]).map { self[$0].array(of: Double.self) } }
}
