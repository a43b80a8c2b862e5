import Apus
import ArgumentParser
import ExampleSupport

/// Whether the decoder looks back at what the encoder read.
enum Attention: String, CaseIterable, ExpressibleByArgument { case on, off }

/// An encoder that reads a text and a decoder that writes another (I. Sutskever et al., 2014; K. Cho et al., 2014), with or
/// without attention between them.
final class Translator: Module {
  let sourceEmbedding: Embedding
  let encoder: GRU
  let targetEmbedding: Embedding
  let decoder: GRU
  let attention: GlobalAttention?
  let output: Linear
  let sourceLength: Int

  init(sourceCharacters: Int, sourceLength: Int, targetCharacters: Int, width: Int, hidden: Int, attends: Bool) {
    self.sourceLength = sourceLength
    sourceEmbedding = Embedding(sourceCharacters, width, paddingIndex: 0)
    encoder = GRU(inputSize: width, hiddenSize: hidden, isBidirectional: true, isBatchFirst: true)
    targetEmbedding = Embedding(targetCharacters, width)
    // As wide as the encoder's two directions, whose last states it begins with.
    decoder = GRU(inputSize: width, hiddenSize: 2 * hidden, isBatchFirst: true)
    attention = attends ? GlobalAttention(2 * hidden, memorySize: 2 * hidden) : nil
    output = Linear(2 * hidden, targetCharacters)
  }

  /// Teacher forcing: x holds a source and behind it the right target up to the last character but one; from these come the
  /// logits of all characters of the target at once.
  func callAsFunction(_ x: Tensor) -> Tensor {
    let source = encode(x.sliced(0..<sourceLength, along: 1))
    return decode(x.sliced(sourceLength..<x.shape[1], along: 1), source.state, source).logits
  }

  /// A source that was read: outputs of all steps, what hides its padding, and the decoder's first state.
  struct Source {
    var outputs: Tensor
    var mask: Tensor
    var state: RecurrentLayerState
  }

  func encode(_ x: Tensor) -> Source {
    let (outputs, last) = encoder(sourceEmbedding(x), state: nil, lengths: lengths(x))
    let both = last.hidden.swappingAxes(0, 1).reshaped([1, x.shape[0], -1])
    let mask = select(x .== 0, Tensor(repeating: -1e9, shape: []), .zeros([])).expanded(at: 1)
    return Source(outputs: outputs, mask: mask, state: RecurrentLayerState(hidden: both))
  }

  /// Logits of the characters behind those of x; and where the decoder looked for each: batch x targets x sources.
  func decode(
    _ x: Tensor, _ state: RecurrentLayerState, _ source: Source
  ) -> (logits: Tensor, state: RecurrentLayerState, weights: Tensor?) {
    let (h, state) = decoder(targetEmbedding(x), state: state)
    guard let attention else { return (output(h), state, nil) }
    let (y, weights) = attention.look(h, source.outputs, mask: source.mask)
    return (output(y), state, weights)
  }

  /// Free running from the start, number 0.
  func translate(_ x: Tensor, length: Int) -> Decoded {
    withoutGradients {
      let source = encode(x)
      return decodeGreedily(rows: x.shape[0], length: length, from: source.state) { decode($0, $1, source) }
    }
  }
}

struct Dates: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dates", abstract: "Sequence to sequence: dates as people write them become ISO dates.",
    discussion: "A tenth of the days of 1930 to 2029 is held out. The figure is the attention of three of them.")

  @OptionGroup var options: RunOptions
  @Option(help: "on or off: whether the decoder looks back at the source.")
  var attention = Attention.on
  @Option(help: "Epochs of the training.")
  var epochs: Int?
  @Option(help: "Numbers in the state of each direction of the encoder.")
  var hidden: Int?

  func validate() throws {
    if let epochs { try check("epochs", epochs, in: 1...1000) }
    if let hidden { try check("hidden", hidden, in: 4...1024) }
  }

  func run() throws {
    try options.seeded {
      // Small: two forms of few years, learned by many passes.
      let forms = options.small ? [4, 9] : Array(0..<Day.forms)
      var choices = Choices(seed: options.seed)
      let days = Day.all(options.small ? 2020...2023 : 1930...2029).shuffled(using: &choices)
      let cut = days.count / 10
      func pairs(_ days: ArraySlice<Day>, _ formsEach: Int) -> [(text: String, iso: String)] {
        days.flatMap { day in
          forms.shuffled(using: &choices).prefix(formsEach).map { (day.written($0), day.iso) }
        }
      }
      let heldOut = pairs(days[..<cut], options.small ? 2 : 1), training = pairs(days[cut...], 2)

      let alphabet = Alphabet(training.map(\.text)), digits = Alphabet(["0123456789-"])
      let sourceLength = training.map(\.text.count).max() ?? 0, length = 10
      // 0, the padding, stands before the first character of the target: the start.
      func dataset(_ pairs: [(text: String, iso: String)]) -> TensorDataset {
        let targets = pairs.map { digits.encode($0.iso, length: length) }
        let inputs = zip(pairs, targets).flatMap { pair, target -> [Int32] in
          alphabet.encode(pair.text, length: sourceLength) + [0] + target.dropLast()
        }
        return TensorDataset(
          inputs: Tensor(inputs, shape: [pairs.count, sourceLength + length]),
          targets: Tensor(targets.flatMap { $0 }, shape: [pairs.count, length]))
      }
      let model = Translator(
        sourceCharacters: alphabet.count, sourceLength: sourceLength, targetCharacters: digits.count, width: 32,
        hidden: hidden ?? (options.small ? 32 : 64), attends: attention == .on)
      print(model.summary(inputShape: [1, sourceLength + length], dtype: .int32))
      let plan = Training(
        epochs: epochs ?? (options.small ? 16 : 3), batchSize: options.small ? 32 : 64,
        rate: options.small ? 0.01 : 0.003,
        sampleName: "dates")
      let history = try plan.fit(model, on: dataset(training), validation: dataset(heldOut), options)

      let x = dataset(heldOut).inputs.sliced(0..<sourceLength, along: 1)
      let (written, weights) = model.translate(x, length: length)
      let answers = written.map { digits.decode($0) }
      for i in 0..<3 { print("\(heldOut[i].text) -> \(answers[i])") }
      let right = zip(answers, heldOut).count { $0 == $1.iso }
      var outcome = Outcome(sampleName: "dates")
      outcome.count(history)
      outcome.require(
        "exact match of held-out dates, free running,", Double(right) / Double(heldOut.count),
        atLeast: options.small ? 0.6 : 0.95)
      try draw(heldOut.prefix(3).map(\.text), answers, weights)
      try outcome.finish()
    }
  }

  /// Without attention there is nothing to draw but what was read and written.
  private func draw(_ texts: [String], _ answers: [String], _ weights: [Tensor]) throws {
    let maps = texts.enumerated().map { i, text in
      let rows = weights.map { Array($0[i, 0].array(of: Double.self).prefix(text.count)) }
      return Heatmap(
        title: "\(text) -> \(answers[i])", rows: weights.isEmpty ? [] : answers[i].map { "\($0)" },
        columns: text.map { "\($0)" }, values: rows)
    }
    try Heatmap.draw(maps, options)
  }
}
