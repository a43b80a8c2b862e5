import Apus
import ArgumentParser
import ExampleSupport

@main struct LeNet: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lenet", abstract: "Trains LeNet-5 to tell the clothes of Fashion-MNIST.",
    discussion: "The data are Debian's: apt-get install dataset-fashion-mnist.")

  @Option(help: "The folder of the four files (default: \(FashionMNIST.debianFolder)).")
  var data: String?
  @Option(help: "Epochs of the whole training.")
  var epochs = 3
  @Option(help: "Pictures of a step.")
  var batchSize = 32
  @Option(help: "Adam's learning rate at the beginning; it falls to 0 along a cosine.")
  var learningRate = 0.002
  @Option(help: "What weights and orders depend on.")
  var seed: UInt64 = 1
  @OptionGroup var files: TrainerOptions
  @Flag(help: "A few made-up pictures in the place of the data set; seconds.")
  var small = false

  func validate() throws {
    try check("epochs", epochs, in: 1...1_000_000)
    try check("batch-size", batchSize, in: 1...1_000_000)
    try checkLearningRate(learningRate)
    try refuse("data", data, small: small)
  }

  func run() throws {
    let generator = RandomGenerator(seed: seed)
    let model = generator.use(makeLeNet5)
    print(model.summary(inputShape: [1, 1, 28, 28]))
    let data =
      try small
      ? FashionMNIST(imitating: 640, seed: seed) : FashionMNIST(folder: data ?? FashionMNIST.debianFolder)
    let training = DataLoader(data.training, batchSize: batchSize, shuffles: true, seed: seed)
    let test = DataLoader(data.test, batchSize: 250)

    let optimizer = Adam(model.parameters, learningRate: learningRate)
    let trainer = Trainer(model, optimizer: optimizer, metrics: [.accuracy], generator: generator) { output, labels in
      softmaxCrossEntropy(output, labels)
    }
    trainer.options.fall(from: learningRate, over: epochs, of: training, counting: "images")

    let history = try files.fit(trainer, training, validation: test)
    guard let last = history.last, let accuracy = last.validationMetrics.first else { return }
    let seconds = history.reduce(0) { $0 + $1.seconds }
    let images = history.reduce(0) { $0 + $1.samples }
    print(
      "test accuracy \(accuracy) after \(last.epoch) \(last.epoch == 1 ? "epoch" : "epochs"), "
        + "\(Int(Double(images) / max(seconds, 1e-9))) images/s")
  }
}
