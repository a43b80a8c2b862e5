import Apus
import ArgumentParser
import ExampleSupport

/// A convolution whose filters are small networks: behind it two 1x1 convolutions mix the channels of each position.
///
/// The batch normalisation (S. Ioffe, C. Szegedy, 2015) is younger than the paper; it saves epochs.
final class MLPConv: Module {
  let convolution: Conv2D, norm: BatchNorm, mixing: Conv2D, output: Conv2D
  private let isLast: Bool

  /// - Parameters:
  ///   - channels: Of the input, the convolution, and the two 1x1 convolutions.
  ///   - kernelSize: Of the convolution, whose output has its input's size.
  ///   - isLast: The output is scores, without ReLU.
  init(_ channels: (Int, Int, Int, Int), kernelSize: Int, isLast: Bool = false) {
    convolution = Conv2D(
      inputChannels: channels.0, outputChannels: channels.1, kernelSize: kernelSize, padding: [kernelSize / 2],
      hasBias: false, initialization: .heNormal)
    norm = BatchNorm(channels.1)
    mixing = Conv2D(
      inputChannels: channels.1, outputChannels: channels.2, kernelSize: 1, initialization: .heNormal)
    output = Conv2D(
      inputChannels: channels.2, outputChannels: channels.3, kernelSize: 1, initialization: .heNormal)
    self.isLast = isLast
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let y = mixing(norm(convolution(x)).relu(), activation: .relu)
    return output(y, activation: isLast ? .none : .relu)
  }
}

/// Network in Network (M. Lin, Q. Chen, S. Yan, 2013), narrower than the paper's, for 28 x 28 pixels in grey.
final class NiN: Module {
  let blocks: Sequential
  let classifier: MLPConv
  let average = AdaptiveAvgPool(1)

  init(width: Int, dropout: Double) {
    blocks = Sequential {
      MLPConv((1, width, width, width), kernelSize: 5)
      MaxPool2D(2)
      Dropout(dropout)
      MLPConv((width, 2 * width, 2 * width, 2 * width), kernelSize: 3)
      MaxPool2D(2)
      Dropout(dropout)
    }
    classifier = MLPConv((2 * width, 2 * width, 2 * width, 10), kernelSize: 3, isLast: true)
  }

  /// A map for each class: where the network sees it.
  func maps(_ x: Tensor) -> Tensor { classifier(blocks(x)) }

  /// Their means are the classes' scores: there is no fully connected layer.
  func callAsFunction(_ x: Tensor) -> Tensor { average(maps(x)).flattened(from: 1) }
}

struct NiNExample: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "nin", abstract: "Network in Network: 1x1 convolutions, and a mean in the place of dense layers.",
    discussion: "The data are Debian's: apt-get install dataset-fashion-mnist.")

  @OptionGroup var common: RunOptions
  @OptionGroup var pictures: PictureOptions
  @Option(help: "That a number behind a pooling is dropped.")
  var dropout = 0.1

  func validate() throws {
    try pictures.agree(with: common)
    try check("dropout", dropout, in: 0...0.9)
  }

  func run() throws {
    let data = try pictures.load(common, small: 480, .stripes)
    try common.seeded {
      let model = NiN(width: common.small ? 8 : 32, dropout: dropout)
      print(model.summary(inputShape: [1, 1, 28, 28]))
      let width = model.classifier.output.weight.value.shape[1]
      print(
        "The last 1x1 convolution has \(10 * (width + 1)) parameters; a dense layer over its 7 x 7 positions would have "
          + "\(10 * (49 * width + 1)).")

      let history = try data.fit(
        model, pictures, epochs: common.small ? 7 : 5, learningRate: common.small ? 0.01 : 0.004, seed: common.seed)
      try common.draw { draw(model, data, history) }
      var outcome = Outcome(sampleName: "images")
      outcome.count(history)
      outcome.require("test accuracy", history.testAccuracy, atLeast: common.small ? 0.8 : 0.9)
      try outcome.finish()
    }
  }

  /// The accuracies, and for some pictures the maps of all classes, whose means are compared.
  private func draw(_ model: NiN, _ data: Pictures, _ history: [EpochRecord]) -> Figure {
    let names = common.small ? (0..<10).map { "class \($0)" } : Pictures.classNames
    let labels = data.test.targets.array(of: Int32.self)
    let chosen = ([0, 1, 5, 8, 9] as [Int32]).compactMap { labels.firstIndex(of: $0) }
    let x = data.test.batch(chosen).inputs
    let maps = model.evaluating { withoutGradients { model.maps(x).relu() } }
    var pictures = PictureGrid("Test pictures", columns: 1, scale: 2)
    var seen = PictureGrid("Their maps above 0: " + names.joined(separator: ", "), columns: 1, scale: 8)
    for (i, place) in chosen.enumerated() {
      pictures.add(x[i, 0].pictureRows, label: names[Int(labels[place])])
      // The ten side by side, so that they have one scale.
      let rows = (0..<10).map { maps[i, $0].pictureRows }
      seen.add((0..<7).map { y in rows.flatMap { $0[y] + [0] } }, label: names[Int(labels[place])])
    }
    var figure = Figure("Network in Network", columns: 3)
    figure.add(history.accuracyChart)
    figure.add(pictures)
    figure.add(seen)
    return figure
  }
}
