import Apus
import Foundation
import GallerySequences
import Testing

/// The recurrent examples of the gallery in their small modes.
@Suite struct SequenceExampleTests {
  @Test(arguments: ["on", "off"]) func datesAreTranslated(_ attention: String) throws {
    let output = try Example.small("dates", ["--attention", attention])
    #expect(try Example.figure("exact match of held-out dates, free running,", in: output) >= 0.6)
    #expect(output.text.contains(" -> 20"))
  }

  @Test func daysAreWritten() {
    let days = Day.all()
    #expect(days.count == 36525)
    #expect(days.first?.iso == "1930-01-01")
    #expect(days.last?.iso == "2029-12-31")
    #expect(Set(days.map(\.iso)).count == days.count)
    // The third of March 1999 was a Wednesday, the 29th of February 2020 a Saturday.
    let day = days.first { $0.iso == "1999-03-03" }
    #expect(day?.weekday == 2)
    #expect(days.first { $0.iso == "2020-02-29" }?.weekday == 5)
    let forms = (0..<Day.forms).compactMap { day?.written($0) }
    #expect(Set(forms).count == Day.forms)
    #expect(forms[0] == "3 March 1999")
    #expect(forms[1] == "the 3rd of March, 1999")
    #expect(forms[2] == "Wed 03/03/99")
  }

  @Test func gatesRecallAndASimpleCellDoesNot() throws {
    let output = try Example.small("recall")
    #expect(try Example.figure("lstm after the lag: accuracy", in: output) >= 0.9)
    #expect(try Example.figure("gru after the lag: accuracy", in: output) >= 0.9)
    #expect(try Example.figure("rnn after the lag: accuracy", in: output) <= 0.6)
  }

  @Test func gradientsVanishAndExplode() throws {
    let output = try Example.small("gradients")
    #expect(try Example.figure("largest norm over its bound", in: output) <= 1.001)
    #expect(try Example.figure("clipped by norm: squared error", in: output) <= 0.05)
    #expect(try Example.figure("window 6: bits per symbol", in: output) <= 0.2)
  }

  @Test func linesAreClassified() throws {
    #expect(try Example.figure("accuracy of held-out lines", in: Example.small("classify")) >= 0.9)
  }

  @Test func linesAreCutFromTexts() {
    #expect(LineCorpus.code("    let width = 3 + 4") == "let width = 3 + 4")
    #expect(LineCorpus.code("  /// The sum of all widths.") == nil)
    #expect(LineCorpus.code("  }") == nil)
    #expect(LineCorpus.prose("The sum of all the widths.") == "The sum of all the widths.")
    #expect(LineCorpus.prose("| The sum | of | all | widths |") == nil)
    let page = "The sum of all the widths.\n```swift\nlet the width be as is\n```\nIt is never below the height."
    #expect(LineCorpus.prose(in: page) == ["The sum of all the widths.", "It is never below the height."])
    #expect(LineCorpus.code(String(repeating: "x", count: 100))?.count == 64)
  }

  @Test func keywordsAreTagged() throws {
    let output = try Example.small("tagging")
    #expect(
      try Example.figure("F1 of keywords' characters", in: output)
        > Example.figure("F1 of the list of words", in: output))
  }

  /// Of this text, the keywords as the compiler sees them.
  @Test func keywordsAreScanned() {
    func marked(_ text: String) -> String {
      let bytes = Array(text.utf8)
      let kept = zip(bytes, KeywordScanner.scan(bytes)).map { $1 ? $0 : UInt8(ascii: " ") }
      return String(decoding: kept, as: UTF8.self).split(separator: " ").joined(separator: " ")
    }
    #expect(marked("let a = b as C // if let\nreturn a") == "let as return")
    #expect(marked("f(\"let \\(g(x as Int) is Y) in \\\" if\") is Z") == "as is is")
    #expect(marked("/* for */ for x in .default { g(in: x, `class`) }") == "for in")
    #expect(marked("let t = \"\"\"\n  if \"x\" else\n  \"\"\"\nvar y") == "let var")
    #expect(marked("switch x { default: break; case y: classes }") == "switch default break case")
    let text = Array("// if\nif".utf8)
    #expect(KeywordScanner.words(text).count { $0 } == 4)
    #expect(KeywordScanner.scan(text).count { $0 } == 2)
  }

  @Test func f1IsTheHarmonicMean() {
    // Precision 1/2, recall 1/3.
    #expect(f1([true, true, false, false], [true, false, true, true]) == 0.4)
    #expect(f1([false], [false]) == 0)
  }

  @Test func framesTakeTheirNeighbours() throws {
    let output = try Example.small("frames")
    #expect(
      try Example.figure("accuracy of held-out frames", in: output) > Example.figure("frame by frame", in: output))
  }

  @Test func scenesAreSaid() throws {
    #expect(try Example.figure("exact match of held-out sentences", in: Example.small("captions")) >= 0.05)
    #expect(
      Scenes.text(Scenes.sentence([(cell: 0, name: 10), (cell: 1, name: 7)]) + [0, 1]) == "a bag left of a dress")
    #expect(Scenes.text(Scenes.sentence([(cell: 1, name: 5), (cell: 2, name: 9)])) == "a top above a sneaker")
    #expect(
      Scenes.text(Scenes.sentence([(cell: 0, name: 6), (cell: 2, name: 8), (cell: 3, name: 11)]))
        == "a trouser above a sandal left of a boot")
  }

  @Test func linesAreWritten() throws {
    #expect(try Example.figure("lines taken for the language that was asked for", in: Example.small("generate")) >= 0.8)
  }

  @Test func digitsAreHeard() throws {
    #expect(try Example.figure("accuracy of voices held out", in: Example.small("speech")) >= 0.95)
  }

  /// A tone of 1000 Hz is loudest in the band whose middle is nearest.
  @Test func bandsFollowTheMelScale() {
    let tone = (0..<4000).map { Float(sin(2 * Double.pi * 1000 * Double($0) / 22050)) }
    let heard = LogMel(rate: 22050)(tone, frames: 8)
    #expect(heard.shape == [LogMel.bands, 8])
    #expect(heard.argmax(along: 0).array(of: Int32.self) == [Int32](repeating: 12, count: 8))
    #expect(abs(heard.mean().scalar) < 1e-5)
    let silence = LogMel(rate: 22050)([], frames: 8).array(of: Double.self)
    #expect(silence.allSatisfy { abs($0) < 1e-4 })
  }

  @Test(arguments: [
    (["classify", "--folder", "/nonexistent"], "--folder"), (["tagging", "--folder", "/nonexistent"], "--folder"),
    (["generate", "--folder", "/nonexistent"], "--folder"),
    (["frames", "--data", "/nonexistent"], "apt-get install dataset-fashion-mnist"),
    (["captions", "--data", "/nonexistent"], "apt-get install dataset-fashion-mnist"),
    (["speech", "--espeak", "/nonexistent/espeak-ng"], "apt-get install espeak-ng"),
  ])
  func whatIsMissingIsSaidInALine(_ arguments: [String], _ named: String) throws {
    let output = try Example.run("gallery", arguments)
    #expect(output.status == 1)
    #expect(output.errors.split(separator: "\n").count == 1, "\(output.errors)")
    #expect(output.errors.contains(named), "\(output.errors)")
  }

  /// Five files of each kind, which have no line that is long enough.
  @Test(arguments: ["tagging", "classify"]) func tinyFilesAreSaidInALine(_ name: String) throws {
    let folder = try Example.folder()
    defer { try? FileManager.default.removeItem(at: folder) }
    for ending in ["swift", "c", "md"] {
      for number in 1...5 {
        try "let a\n".write(
          to: folder.appendingPathComponent("\(number).\(ending)"), atomically: true, encoding: .utf8)
      }
    }
    let output = try Example.run("gallery", [name, "--folder", folder.path])
    #expect(output.status == 1)
    #expect(output.errors.split(separator: "\n").count == 1, "\(output.errors)")
    #expect(output.errors.contains(folder.path), "\(output.errors)")
    #expect(output.errors.contains("--folder"), "\(output.errors)")
  }

  @Test(arguments: [
    (["dates", "--attention", "maybe"], "--attention"), (["dates", "--epochs", "0"], "--epochs"),
    (["dates", "--hidden", "-1"], "--hidden"), (["recall", "--lag", "1"], "--lag"),
    (["recall", "--fast"], "--fast"), (["gradients", "--steps", "2"], "--steps"),
    (["classify", "--hidden", "1"], "--hidden"), (["tagging", "--epochs", "-1"], "--epochs"),
    (["frames", "--unseen", "1.5"], "--unseen"), (["captions", "--epochs", "many"], "--epochs"),
    (["generate", "--temperature", "nan"], "--temperature"), (["speech", "--times", "0"], "--times"),
    (["dates", "--figure", "/nonexistent/figure.svg"], "/nonexistent"), (["gradients", "--steps", "76"], "--steps"),
    (["classify", "--small", "--folder", "."], "--folder"), (["tagging", "--small", "--folder", "."], "--folder"),
    (["generate", "--small", "--folder", "."], "--folder"), (["frames", "--small", "--data", "/tmp"], "--data"),
    (["captions", "--small", "--data", "/tmp"], "--data"), (["speech", "--small", "--times", "2"], "--times"),
    (["speech", "--small", "--espeak", "/bin/true"], "--espeak"),
    (["recall", "--learning-rate", "0"], "--learning-rate"),
  ])
  func wrongOptions(_ arguments: [String], _ named: String) throws {
    let output = try Example.run("gallery", arguments)
    #expect(output.status == 64)
    #expect(Example.firstError(output).contains(named), "\(output.errors)")
  }
}
