import Apus
import ExampleSupport
import Foundation

/// The files of a folder of sources, such as this repository.
struct SourceFolder {
  private let root: URL
  private let paths: [String]

  /// Notes the files of a folder and those within, but for hidden ones and what was built.
  init(_ folder: String) throws {
    root = URL(fileURLWithPath: folder)
    guard let enumerator = FileManager.default.enumerator(atPath: folder) else {
      throw DataError("\(folder): there is no such folder; --folder names one with sources, such as a clone of apus")
    }
    var paths: [String] = []
    while let path = enumerator.nextObject() as? String {
      let name = path.split(separator: "/").last ?? ""
      if name.hasPrefix(".") || name == "build" {
        enumerator.skipDescendants()
      } else {
        paths.append(path)
      }
    }
    self.paths = paths.sorted()
  }

  /// The texts whose names have one of some endings, in the order of their names.
  func texts(_ endings: Set<String>) throws -> [String] {
    let found = paths.filter { endings.contains(URL(fileURLWithPath: $0).pathExtension) }
      .compactMap { try? String(contentsOf: root.appendingPathComponent($0), encoding: .utf8) }
    guard found.count >= 5 else {
      let names = endings.sorted().map { "*." + $0 }.joined(separator: ", ")
      throw DataError(
        "\(root.path): \(found.count) files \(names), too few; --folder names a folder with more, such as a clone of apus"
      )
    }
    return found
  }
}

/// Lines of three languages, each with its number in `names`. Whole files are held out.
package struct LineCorpus {
  typealias Line = (text: String, language: Int)
  static let names = ["Swift", "C", "English"]
  /// Characters of a line; what is longer is cut.
  static let length = 64

  private(set) var training: [Line] = []
  private(set) var heldOut: [Line] = []

  /// Lines of code of a folder's Swift and C files, without comments; and English of its Markdown and its Swift comments.
  init(folder: String, seed: UInt64) throws {
    let source = try SourceFolder(folder)
    let swift = try source.texts(["swift"]), c = try source.texts(["c", "h"]), markdown = try source.texts(["md"])
    let code = { (text: String) in text.split(separator: "\n").compactMap { Self.code($0) } }
    let comments = swift.map { text in
      text.split(separator: "\n").map { $0.drop { $0 == " " } }.filter { $0.hasPrefix("/// ") }
        .map { String($0.dropFirst(4)) }.joined(separator: "\n")
    }
    var choices = Choices(seed: seed)
    let languages = [swift.map(code), c.map(code), (markdown + comments).map { Self.prose(in: $0) }]
    for (language, files) in languages.enumerated() {
      add(files.shuffled(using: &choices), language, &choices)
      guard training.last?.language == language, heldOut.last?.language == language else {
        throw DataError(
          "\(folder): too few lines of \(Self.names[language]) to learn from and to hold out; --folder names a folder with "
            + "more, such as a clone of apus")
      }
    }
    training.shuffle(using: &choices)
  }

  /// Made-up lines, for tests.
  init(imitating count: Int, seed: UInt64) {
    var choices = Choices(seed: seed)
    let names = ["size", "count", "width", "row", "state", "index", "total"]
    let files = (0..<3).map { language in
      (0..<10).map { _ in
        (0..<count / 10).map { _ in
          let (a, b, c) = (
            names.randomElement(using: &choices) ?? "", names.randomElement(using: &choices) ?? "",
            names.randomElement(using: &choices) ?? ""
          )
          return ["let \(a) = \(b) + \(c)", "int \(a) = \(b) + \(c);", "The \(a) of a \(b) and \(c)."][language]
        }
      }
    }
    for (language, files) in files.enumerated() { add(files, language, &choices) }
    training.shuffle(using: &choices)
  }

  /// A sixth of the files is held out; of each language as many lines, no line twice.
  private mutating func add(_ files: [[String]], _ language: Int, _ choices: inout Choices) {
    let cut = max(1, files.count / 6)
    let test = Set(files[..<cut].joined()), own = Set(files[cut...].joined()).subtracting(test)
    heldOut += test.sorted().shuffled(using: &choices).prefix(500).map { ($0, language) }
    training += own.sorted().shuffled(using: &choices).prefix(6000).map { ($0, language) }
  }

  /// A line of code without its indentation; nil of comments, short lines and what is not ASCII.
  package static func code(_ line: some StringProtocol) -> String? {
    let text = line.drop { $0 == " " }
    return text.hasPrefix("//") || text.hasPrefix("/*") || text.hasPrefix("*") ? nil : cut(text)
  }

  /// A line of running text; nil of tables, code and lists of names.
  package static func prose(_ line: some StringProtocol) -> String? {
    guard line.first?.isLetter == true, line.split(separator: " ").count > 4 else { return nil }
    return cut(line)
  }

  /// The lines of running text of a document; blocks between lines that begin with ``` are code.
  package static func prose(in text: String) -> [String] {
    var lines: [String] = [], isCode = false
    for line in text.split(separator: "\n") {
      if line.drop(while: { $0 == " " }).hasPrefix("```") {
        isCode.toggle()
      } else if !isCode, let own = prose(line) {
        lines.append(own)
      }
    }
    return lines
  }

  private static func cut(_ text: some StringProtocol) -> String? {
    text.utf8.count < 12 || !text.utf8.allSatisfy { $0 >= 32 && $0 < 127 } ? nil : String(text.prefix(length))
  }

  /// The share of the commonest language among held-out lines: what is right without reading them.
  var majority: Double {
    let counts = Self.names.indices.map { language in heldOut.count { $0.language == language } }
    return Double(counts.max() ?? 0) / Double(heldOut.count)
  }
}

/// Many to one: a bidirectional GRU reads a line, its two last states tell the language.
final class LineClassifier: Module {
  let alphabet: Alphabet
  let embedding: Embedding
  let encoder: GRU
  let output: Linear

  init(_ alphabet: Alphabet, hidden: Int) {
    self.alphabet = alphabet
    embedding = Embedding(alphabet.count, 24, paddingIndex: 0)
    encoder = GRU(inputSize: 24, hiddenSize: hidden, isBidirectional: true, isBatchFirst: true)
    output = Linear(2 * hidden, LineCorpus.names.count)
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let (_, last) = encoder(embedding(x), state: nil, lengths: lengths(x))
    return output(last.hidden.swappingAxes(0, 1).reshaped([x.shape[0], -1]))
  }

  /// Lines as the model reads them.
  func dataset(_ lines: [LineCorpus.Line]) -> TensorDataset {
    TensorDataset(
      inputs: Tensor(
        lines.flatMap { alphabet.encode($0.text, length: LineCorpus.length) },
        shape: [lines.count, LineCorpus.length]), targets: Tensor(lines.map { Int32($0.language) }))
  }

  /// The language of each line.
  func languages(_ lines: [String]) -> [Int] {
    withoutGradients {
      self(dataset(lines.map { ($0, 0) }).inputs).argmax().array(of: Int32.self).map { Int($0) }
    }
  }

  /// Trains on a corpus, and measures the lines that it holds out after each epoch.
  func train(_ corpus: LineCorpus, epochs: Int, _ options: RunOptions) throws -> [EpochRecord] {
    let plan = Training(
      epochs: epochs, batchSize: options.small ? 16 : 64, rate: options.small ? 0.01 : 0.003, sampleName: "lines")
    return try plan.fit(self, on: dataset(corpus.training), validation: dataset(corpus.heldOut), options)
  }
}
