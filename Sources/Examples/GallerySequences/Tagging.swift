import Apus
import ArgumentParser
import ExampleSupport

/// Many to many: a bidirectional GRU tells for each character whether it is part of a keyword.
final class Tagger: Module {
  let embedding: Embedding
  let encoder: GRU
  let output: Linear

  init(characters: Int, hidden: Int) {
    embedding = Embedding(characters, 24)
    encoder = GRU(inputSize: 24, hiddenSize: hidden, isBidirectional: true, isBatchFirst: true)
    output = Linear(2 * hidden, 2)
  }

  func callAsFunction(_ x: Tensor) -> Tensor { output(encoder(embedding(x))) }
}

struct Tagging: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tagging", abstract: "Many to many: which characters of Swift's text are keywords, by their context.",
    discussion: """
      Words in comments and strings, names behind a point and labels do not count, so a list of words is often wrong; its F1 \
      is printed beside the network's. The text is that of a clone of this repository; a sixth of its files is held out.
      """)

  @OptionGroup var options: RunOptions
  @Option(help: "A folder with Swift files (default: the working folder).")
  var folder: String?
  @Option(help: "Epochs of the training.")
  var epochs: Int?
  @Option(help: "Numbers in the state of each direction.")
  var hidden: Int?

  func validate() throws {
    try options.refuse("folder", folder)
    if let epochs { try check("epochs", epochs, in: 1...1000) }
    if let hidden { try check("hidden", hidden, in: 4...1024) }
  }

  /// A stretch of text from the beginning of a line on, with what is true and what the list of words tells.
  private struct Stretch {
    var text: [UInt8]
    var truth: [Bool]
    var words: [Bool]
  }

  /// Stretches of a length, one behind the other; scanned with all that comes before.
  private static func stretches(_ file: String, length: Int) -> [Stretch] {
    let text = Array(file.utf8), truth = KeywordScanner.scan(text), words = KeywordScanner.words(text)
    var parts: [Stretch] = [], first = 0
    while first + length <= text.count {
      let range = first..<first + length
      parts.append(Stretch(text: Array(text[range]), truth: Array(truth[range]), words: Array(words[range])))
      first = text[range.upperBound...].firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? text.count
    }
    return parts
  }

  /// Made-up files, for tests: the same words as code, in comments and in strings.
  private static func imitation(_ choices: inout Choices) -> [String] {
    let lines = [
      "let a = b as C\n", "// let it be as is\n", "f(\"let me in\")\n", "if a { return b }\n",
      "// return if in doubt\n",
      "g(\"if or else\", in: a)\n", "for a in b { f(a) }\n", "// for all in b\n",
    ]
    return (0..<18).map { _ in
      (0..<60).map { _ in lines.randomElement(using: &choices) ?? "" }.joined()
    }
  }

  func run() throws {
    var choices = Choices(seed: options.seed)
    let length = options.small ? 48 : 192
    let files = try options.small ? Self.imitation(&choices) : SourceFolder(folder ?? ".").texts(["swift"])
    let order = files.shuffled(using: &choices), cut = max(1, order.count / 6)
    let all = [order[..<cut], order[cut...]].map { files in
      files.flatMap { Self.stretches($0, length: length) }.shuffled(using: &choices).prefix(8000)
    }
    let heldOut = Array(all[0].prefix(1000)), known = Set(heldOut.map(\.text))
    let training = all[1].filter { !known.contains($0.text) }
    guard !heldOut.isEmpty, !training.isEmpty else {
      throw DataError(
        "\(folder ?? "."): too few stretches of \(length) characters to learn from and to hold out; --folder names a folder "
          + "with more Swift files, such as a clone of apus")
    }
    let alphabet = Alphabet(training.map { String(decoding: $0.text, as: UTF8.self) })
    func dataset(_ parts: [Stretch]) -> TensorDataset {
      TensorDataset(
        inputs: Tensor(
          parts.flatMap { alphabet.encode(String(decoding: $0.text, as: UTF8.self), length: length) },
          shape: [parts.count, length]),
        targets: Tensor(parts.flatMap { $0.truth.map { $0 ? Int32(1) : 0 } }, shape: [parts.count, length]))
    }
    try options.seeded {
      let model = Tagger(characters: alphabet.count, hidden: hidden ?? (options.small ? 24 : 64))
      print(model.summary(inputShape: [1, length], dtype: .int32))
      let plan = Training(
        epochs: epochs ?? 5, batchSize: options.small ? 8 : 32, rate: options.small ? 0.02 : 0.005,
        sampleName: "stretches")
      let test = dataset(heldOut)
      let history = try plan.fit(model, on: dataset(training), validation: test, options)

      let told = withoutGradients { model(test.inputs).argmax() }.array(of: Int32.self).map { $0 == 1 }
      let truth = heldOut.flatMap(\.truth)
      let baseline = f1(heldOut.flatMap(\.words), truth)
      print("F1 of the list of words \(rounded(baseline))")
      var outcome = Outcome(sampleName: "stretches")
      outcome.count(history)
      outcome.require("F1 of keywords' characters", f1(told, truth), atLeast: options.small ? 0.9 : 0.95)
      outcome.require("errors over those of the list", (1 - f1(told, truth)) / (1 - baseline), atMost: 0.5)
      try draw(heldOut, told, length)
      try outcome.finish()
    }
  }

  /// Lines that the list of words is wrong about.
  private func draw(_ parts: [Stretch], _ told: [Bool], _ length: Int) throws {
    var maps: [Heatmap] = []
    for (i, part) in parts.enumerated() where maps.count < 4 {
      guard let wrong = part.truth.indices.first(where: { part.truth[$0] != part.words[$0] }) else { continue }
      let newline = UInt8(ascii: "\n")
      let start = part.text[..<wrong].lastIndex(of: newline).map { $0 + 1 } ?? 0
      let line = start..<min(part.text[wrong...].firstIndex(of: newline) ?? length, start + 70)
      if !line.contains(wrong) { continue }
      func row(_ labels: some Sequence<Bool>) -> [Double] { labels.map { $0 ? 1 : 0 } }
      maps.append(
        Heatmap(
          title: "Keywords", rows: ["true", "network", "list of words"],
          columns: part.text[line].map { String(decoding: [$0], as: UTF8.self) },
          values: [
            row(part.truth[line]),
            row(told[i * length..<(i + 1) * length].dropFirst(line.lowerBound).prefix(line.count)),
            row(part.words[line]),
          ]))
    }
    try Heatmap.draw(maps, options)
  }
}
