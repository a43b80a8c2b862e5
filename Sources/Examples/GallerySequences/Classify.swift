import Apus
import ArgumentParser
import ExampleSupport

struct Classify: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "classify", abstract: "Many to one: whether a line is Swift, C or English.",
    discussion: "Lines are those of a clone of this repository; a sixth of its files is held out.")

  @OptionGroup var options: RunOptions
  @Option(help: "A folder with Swift, C and Markdown files (default: the working folder).")
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

  func run() throws {
    let corpus =
      try options.small
      ? LineCorpus(imitating: 150, seed: options.seed) : LineCorpus(folder: folder ?? ".", seed: options.seed)
    try options.seeded {
      let model = LineClassifier(
        Alphabet(corpus.training.map(\.text)), hidden: hidden ?? (options.small ? 16 : 64))
      print(model.summary(inputShape: [1, LineCorpus.length], dtype: .int32))
      print("\(corpus.training.count) lines to learn from, \(corpus.heldOut.count) held out")
      let history = try model.train(corpus, epochs: epochs ?? (options.small ? 4 : 5), options)

      let told = model.languages(corpus.heldOut.map(\.text))
      var counts = LineCorpus.names.map { _ in LineCorpus.names.map { _ in 0.0 } }
      for (line, language) in zip(corpus.heldOut, told) { counts[line.language][language] += 1 }
      for (line, language) in zip(corpus.heldOut, told).filter({ $0.language != $1 }).prefix(3) {
        print("\(line.text) <- \(LineCorpus.names[line.language]), taken for \(LineCorpus.names[language])")
      }
      var outcome = Outcome(sampleName: "lines")
      outcome.count(history)
      print("the commonest language \(rounded(corpus.majority))")
      let right = LineCorpus.names.indices.map { counts[$0][$0] }.reduce(0, +)
      outcome.require("accuracy of held-out lines", right / Double(told.count), atLeast: options.small ? 0.9 : 0.95)
      let map = Heatmap(
        title: "Lines of a language (row) told as another (column)",
        rows: zip(LineCorpus.names, counts).map { name, row in
          "\(name) \(row.map { "\(Int($0))" }.joined(separator: "/"))"
        },
        columns: LineCorpus.names, values: counts.map { row in row.map { $0 / max(row.reduce(0, +), 1) } })
      try Heatmap.draw([map], options)
      try outcome.finish()
    }
  }
}
