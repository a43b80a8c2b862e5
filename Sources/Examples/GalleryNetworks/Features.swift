import Apus
import ArgumentParser
import ExampleSupport

struct FeaturesExample: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "features", abstract: "The filters and feature maps of a trained LeNet-5, as pictures.",
    discussion: "The data are Debian's: apt-get install dataset-fashion-mnist.")

  @OptionGroup var common: RunOptions
  @OptionGroup var pictures: PictureOptions
  @Option(help: "A checkpoint of the example lenet in the place of a training.")
  var checkpoint: String?
  @Option(help: "The test picture that is shown, by its number.")
  var picture = 0

  func validate() throws {
    try pictures.agree(with: common)
    try check("picture", picture, in: 0...9999)
    let trains = pictures.epochs != nil || pictures.learningRate != nil || pictures.batchSize != nil
    if checkpoint != nil && trains {
      throw ValidationError("--epochs, --batch-size, --learning-rate: with --checkpoint there is no training")
    }
  }

  func run() throws {
    let data = try pictures.load(common, small: 640, .squares)
    guard picture < data.test.count else {
      throw ValidationError("--picture \(picture): there are \(data.test.count) test pictures, from 0 on")
    }
    try common.seeded {
      let model = makeLeNet5()
      print(model.summary(inputShape: [1, 1, 28, 28]))
      var outcome = Outcome(sampleName: "images")
      if let checkpoint {
        try load(model, from: checkpoint)
      } else {
        outcome.count(
          try data.fit(model, pictures, epochs: common.small ? 4 : 2, learningRate: 0.002, seed: common.seed))
      }
      let x = data.test.batch([picture]).inputs
      let maps = model.evaluating { withoutGradients { firstMaps(model, x) } }
      print("\nthe picture \(picture), and the share of positions where a map is above 0:")
      for (name, map) in [("first convolution", maps.first), ("second convolution", maps.second)] {
        let shares = (map .> 0).converted(to: .float32).mean(along: [0, 2, 3]).array(of: Double.self)
        print("  \(name): " + shares.map { rounded(($0 * 100).rounded() / 100) }.joined(separator: " "))
      }
      try common.draw { draw(model, x, maps) }
      outcome.require("test accuracy", data.accuracy(of: model), atLeast: common.small ? 0.7 : 0.84)
      try outcome.finish()
    }
  }

  /// Takes the parameters of a training's checkpoint over.
  private func load(_ model: Sequential, from path: String) throws {
    let prefix = "model."
    do {
      try model.load(Safetensors(path: path).tensors) {
        $0.hasPrefix(prefix) ? String($0.dropFirst(prefix.count)) : nil
      }
    } catch let error as ApusError {
      throw DataError("\(path): it is no checkpoint of lenet: \(error.message)")
    }
  }

  /// What both convolutions give, behind their activations.
  private func firstMaps(_ model: Sequential, _ x: Tensor) -> (first: Tensor, second: Tensor) {
    var y = x, found: [Tensor] = []
    for layer in model.layers.prefix(5) {
      y = layer(y)
      if layer is ReLU { found.append(y) }
    }
    return (found[0], found[1])
  }

  private func draw(_ model: Sequential, _ x: Tensor, _ maps: (first: Tensor, second: Tensor)) -> Figure {
    var figure = Figure("LeNet-5: filters and feature maps", columns: 1)
    func add(_ title: String, _ tensors: [Tensor], columns: Int, scale: Double) {
      var grid = PictureGrid(title, columns: columns, scale: scale)
      for tensor in tensors { grid.add(tensor.pictureRows) }
      figure.add(grid)
    }
    let weights = model.parameters.filter { $0.value.rank == 4 }.map { $0.value.detached() }
    add("The picture", [x[0, 0]], columns: 1, scale: 3)
    add("The 6 filters of 5 x 5 of the first convolution", (0..<6).map { weights[0][$0, 0] }, columns: 6, scale: 12)
    add("Their maps of 28 x 28, behind ReLU", (0..<6).map { maps.first[0, $0] }, columns: 6, scale: 2.5)
    add(
      "The second convolution: a row for each of the 6 maps below, a column for each of 16 filters",
      (0..<6).flatMap { below in (0..<16).map { weights[1][$0, below] } }, columns: 16, scale: 5)
    add("Their 16 maps of 10 x 10, behind ReLU", (0..<16).map { maps.second[0, $0] }, columns: 16, scale: 2.5)
    return figure
  }
}
