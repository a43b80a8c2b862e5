import Apus
import ArgumentParser
import ExampleSupport
import Foundation

/// One to many: the number of a language is the first state of a recurrent network that writes a line of it, character by
/// character.
final class LineWriter: Module {
  let alphabet: Alphabet
  let language: Embedding
  let embedding: Embedding
  let decoder: GRU
  let output: Linear

  init(_ alphabet: Alphabet, hidden: Int) {
    self.alphabet = alphabet
    language = Embedding(LineCorpus.names.count, hidden)
    embedding = Embedding(alphabet.count, 32)
    decoder = GRU(inputSize: 32, hiddenSize: hidden, isBatchFirst: true)
    output = Linear(hidden, alphabet.count)
  }

  /// x holds a language and the characters before each one of a line, the first of which is 0; from these come the logits of
  /// all its characters.
  func callAsFunction(_ x: Tensor) -> Tensor {
    step(x.sliced(1..<x.shape[1], along: 1), first(x.sliced(0..<1, along: 1).reshaped([-1]))).logits
  }

  func first(_ languages: Tensor) -> RecurrentLayerState {
    RecurrentLayerState(hidden: language(languages).tanh().expanded(at: 0))
  }

  func step(_ x: Tensor, _ state: RecurrentLayerState) -> (logits: Tensor, state: RecurrentLayerState) {
    let (y, last) = decoder(embedding(x), state: state)
    return (output(y), last)
  }

  /// Lines as the model learns them. Behind the last character comes a 0, the end, and what follows does not count: -1.
  func dataset(_ lines: [LineCorpus.Line]) -> TensorDataset {
    let length = LineCorpus.length
    var inputs: [Int32] = [], targets: [Int32] = []
    for line in lines {
      let characters = alphabet.encode(line.text, length: length)
      inputs += [Int32(line.language), 0] + characters.dropLast()
      let end = characters.firstIndex(of: 0) ?? length
      targets += characters[..<end] + (0..<length - end).map { $0 == 0 ? 0 : -1 }
    }
    return TensorDataset(
      inputs: Tensor(inputs, shape: [lines.count, length + 1]), targets: Tensor(targets, shape: [lines.count, length]))
  }

  /// Lines of a language, every character drawn by its probability; below a temperature of 1 likely ones come more often.
  func write(_ number: Int, lines: Int, temperature: Double) -> [String] {
    withoutGradients {
      var state = first(Tensor([Int32](repeating: Int32(number), count: lines)))
      var next = Tensor.zeros([lines, 1], dtype: .int32), texts = [[Int32]](repeating: [], count: lines)
      for _ in 0..<LineCorpus.length {
        let step = step(next, state)
        state = step.state
        // The largest of logits with Gumbel noise is a draw by their softmax (E. Gumbel, 1954).
        let noise = -(-Tensor.uniform(step.logits.shape, in: 1e-6..<0.999_999).log()).log()
        next = (step.logits / temperature + noise).argmax()
        for (row, character) in next.array(of: Int32.self).enumerated() { texts[row].append(character) }
      }
      return texts.map { alphabet.decode($0.prefix { $0 != 0 }) }
    }
  }
}

struct Generate: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate",
    abstract: "One to many: lines of Swift, C or English are written from the language's name.",
    discussion: "A classifier of its own, trained on the same lines, tells what language was written.")

  @OptionGroup var options: RunOptions
  @Option(help: "A folder with Swift, C and Markdown files (default: the working folder).")
  var folder: String?
  @Option(help: "Epochs of the training.")
  var epochs: Int?
  @Option(help: "Numbers in the state.")
  var hidden: Int?
  @Option(help: "Below 1 likely characters are drawn more often than they should be.")
  var temperature = 0.7

  func validate() throws {
    try options.refuse("folder", folder)
    if let epochs { try check("epochs", epochs, in: 1...1000) }
    if let hidden { try check("hidden", hidden, in: 4...1024) }
    try check("temperature", temperature, in: 0.01...10)
  }

  func run() throws {
    let corpus =
      try options.small
      ? LineCorpus(imitating: 450, seed: options.seed) : LineCorpus(folder: folder ?? ".", seed: options.seed)
    let alphabet = Alphabet(corpus.training.map(\.text))
    var outcome = Outcome(sampleName: "lines")
    let judge = try options.seeded {
      let judge = LineClassifier(alphabet, hidden: options.small ? 16 : 64)
      outcome.count(try judge.train(corpus, epochs: options.small ? 3 : 4, options))
      return judge
    }
    try options.seeded {
      let model = LineWriter(alphabet, hidden: hidden ?? (options.small ? 48 : 192))
      print(model.summary(inputShape: [1, LineCorpus.length + 1], dtype: .int32))
      let plan = Training(
        epochs: epochs ?? (options.small ? 10 : 8), batchSize: options.small ? 16 : 64,
        rate: options.small ? 0.01 : 0.003,
        sampleName: "lines")
      let history = try plan.fit(
        model, on: model.dataset(corpus.training), validation: model.dataset(corpus.heldOut), options, metrics: []
      ) { softmaxCrossEntropy($0, $1, ignoredLabel: -1) }
      outcome.count(history)

      let learned = Set(corpus.training.map(\.text)), count = options.small ? 40 : 200
      var rows: [[Double]] = [], copies = 0
      for (number, name) in LineCorpus.names.enumerated() {
        let lines = model.write(number, lines: count, temperature: temperature)
        for line in lines.prefix(4) { print("\(name): \(line)") }
        copies += lines.count { learned.contains($0) }
        let told = judge.languages(lines)
        rows.append(LineCorpus.names.indices.map { language in Double(told.count { $0 == language }) / Double(count) })
      }
      if let loss = history.last?.validationLoss {
        print("held-out lines: \(rounded(loss / log(2))) bits per character")
      }
      outcome.require(
        "lines taken for the language that was asked for", zip(rows, rows.indices).map { $0[$1] }.reduce(0, +) / 3,
        atLeast: options.small ? 0.8 : 0.9)
      let copied = Double(copies) / Double(3 * count)
      if options.small {
        // Made-up lines are so few that they come again.
        print("lines copied from the training \(rounded(copied))")
      } else {
        outcome.require("lines copied from the training", copied, atMost: 0.2)
      }
      try Heatmap.draw(
        [
          Heatmap(
            title: "Language asked for (row), language that the classifier tells (column)",
            rows: LineCorpus.names, columns: LineCorpus.names, values: rows)
        ], options)
      try outcome.finish()
    }
  }
}
