import Apus
import ArgumentParser
import ExampleSupport
import Foundation

extension Cell: ExpressibleByArgument {}

@main struct CharLM: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "charlm", abstract: "Trains a recurrent network to tell the next character of a text.",
    discussion: """
      The last tenth of each text is held out. What the model needs for a character of it is printed in bits beside what a
      table of pairs needs.
      """)

  @Option(help: "A text. May be repeated. Default: licences that Debian systems have.")
  var text: [String] = []
  @Option(help: "rnn, lstm or gru.")
  var cell = Cell.lstm
  @Option(help: "Numbers in a layer's state.")
  var hidden: Int?
  @Option(help: "Recurrent layers.")
  var layers = 1
  @Option(help: "Epochs of the whole training.")
  var epochs: Int?
  @Option(help: "Streams of the text that are read side by side.")
  var batchSize = 16
  @Option(help: "Characters of each stream in a step, through which gradients go back.")
  var steps: Int?
  @Option(help: "Adam's learning rate at the beginning; it falls to 0 along a cosine.")
  var learningRate: Double?
  @Option(help: "The norm that gradients are clipped to.")
  var clip = 1.0
  @Option(help: "What weights and samples depend on.")
  var seed: UInt64 = 1
  @OptionGroup var files: TrainerOptions
  @Option(help: "Characters to draw from the trained model.")
  var sample = 400
  @Option(help: "What a drawn text goes on from.")
  var prompt = "The "
  @Option(help: "Below 1 likely characters are drawn more often than they should be.")
  var temperature = 0.8
  @Flag(help: "A few made-up sentences and a small model; seconds.")
  var small = false

  func validate() throws {
    for (name, value) in [
      ("hidden", hidden), ("layers", layers), ("epochs", epochs), ("batch-size", batchSize), ("steps", steps),
    ] {
      if let value { try check(name, value, in: 1...1_000_000) }
    }
    try checkLearningRate(learningRate)
    try refuse("text", text.first, small: small)
    for (name, value) in [("clip", clip), ("temperature", temperature)] {
      if !(value > 0 && value < 1e6) {
        throw ValidationError("--\(name) \(value): it must be above 0 and below 1000000")
      }
    }
    if (hidden ?? 1) > 16384 || layers > 64 {
      throw ValidationError("--hidden, --layers: they must be at most 16384 and 64")
    }
    if sample < 0 { throw ValidationError("--sample \(sample): it must be 0 or more") }
    if prompt.isEmpty { throw ValidationError("--prompt: it must have a character") }
  }

  func run() throws {
    let corpus =
      try small
      ? Corpus(sentences: 400, seed: seed) : Corpus(paths: text.isEmpty ? Corpus.debianTexts : text)
    let vocabulary = Vocabulary(corpus.training)
    let steps = steps ?? (small ? 24 : 64)
    let training = TextDataset(
      characters: vocabulary.encode(corpus.training), streams: batchSize, steps: steps)
    let heldOut = TextDataset(characters: vocabulary.encode(corpus.heldOut), streams: 4, steps: steps)
    guard training.count > 0 && heldOut.count > 0 else {
      throw DataError(
        "the text has \(corpus.training.count + corpus.heldOut.count) characters, too few for \(batchSize) streams of "
          + "\(steps) and a held-out tenth")
    }
    let bigram = try BigramModel(training.characters, characters: vocabulary.bytes.count)
      .bitsPerCharacter(of: heldOut)
    let trained = try train(training, heldOut, vocabulary)
    guard let bits = trained.history.last?.validationLoss.map({ $0 / log(2) }) else { return }
    if sample > 0 {
      let start = Array(prompt.utf8)
      let drawn = trained.model.sample(
        after: vocabulary.encode(start), count: sample, temperature: temperature,
        generator: RandomGenerator(seed: seed &+ 1))
      print("\(prompt)\(vocabulary.decode(drawn))\n")
    }
    let seconds = trained.history.reduce(0) { $0 + $1.seconds }
    let characters = trained.history.reduce(0) { $0 + $1.samples }
    print(
      "held-out text: \(rounded(bits)) bits per character, bigram \(rounded(bigram)), "
        + "\(Int(Double(characters) / max(seconds, 1e-9))) characters/s")
  }

  private func train(
    _ training: TextDataset, _ heldOut: TextDataset, _ vocabulary: Vocabulary
  ) throws -> (model: CharacterModel, history: [EpochRecord]) {
    let generator = RandomGenerator(seed: seed)
    let model = generator.use {
      CharacterModel(cell, characters: vocabulary.bytes.count, hidden: hidden ?? (small ? 48 : 256), layers: layers)
    }
    print(model.summary(inputShape: [training.steps, training.streams], dtype: .int32))
    let rate = learningRate ?? (small ? 0.01 : 0.003)
    let trainer = Trainer(model, optimizer: Adam(model.parameters, learningRate: rate), generator: generator) {
      softmaxCrossEntropy($0, $1)
    }
    let loader = DataLoader(training, batchSize: 1)
    trainer.options.fall(from: rate, over: epochs ?? (small ? 6 : 20), of: loader, counting: "characters")
    trainer.options.clipNorm = clip
    return (model, try files.fit(trainer, loader, validation: DataLoader(heldOut, batchSize: 1)))
  }

  private func rounded(_ value: Double) -> Double { (value * 1000).rounded() / 1000 }
}
