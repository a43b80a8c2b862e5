import Apus
import Foundation
import GallerySequences
import Testing

/// The recurrent examples of the gallery in their small modes.
@Suite struct SequenceExampleTests {
  /// Runs an example with a figure; its output, when it ended well and drew.
  private func small(_ arguments: [String]) throws -> Example.Output {
    let folder = try Example.folder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let figure = folder.appendingPathComponent("figure.svg").path
    let output = try Example.run("gallery", arguments + ["--small", "--figure", figure])
    #expect(output.status == 0, "\(output.errors)\n\(output.text)")
    #expect(try String(contentsOfFile: figure, encoding: .utf8).hasPrefix("<svg"))
    #expect(!output.text.contains("\r"))
    #expect(Example.lastLine(output).contains { $0.hasSuffix("/s,") }, "\(output.text)")
    return output
  }

  /// The figure of the line that begins with a name: "name 0.97 (at least 0.95)".
  private func figure(_ name: String, _ output: Example.Output) throws -> Double {
    let line = try #require(output.text.split(separator: "\n").first { $0.hasPrefix(name) }, "\(output.text)")
    return try #require(Double(line.dropFirst(name.count).split(separator: " ").first ?? ""))
  }

  @Test(arguments: ["on", "off"]) func datesAreTranslated(_ attention: String) throws {
    let output = try small(["dates", "--attention", attention])
    #expect(try figure("exact match of held-out dates, free running,", output) >= 0.6)
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
    let output = try small(["recall"])
    #expect(try figure("lstm after the lag: accuracy", output) >= 0.9)
    #expect(try figure("gru after the lag: accuracy", output) >= 0.9)
    #expect(try figure("rnn after the lag: accuracy", output) <= 0.6)
  }

  @Test func gradientsVanishAndExplode() throws {
    let output = try small(["gradients"])
    #expect(try figure("largest norm over its bound", output) <= 1.001)
    #expect(try figure("clipped by norm: squared error", output) <= 0.05)
    #expect(try figure("window 6: bits per symbol", output) <= 0.2)
  }

  @Test func linesAreClassified() throws {
    #expect(try figure("accuracy of held-out lines", small(["classify"])) >= 0.9)
  }

  @Test func linesAreCutFromTexts() {
    #expect(LineCorpus.code("    let width = 3 + 4") == "let width = 3 + 4")
    #expect(LineCorpus.code("  /// The sum of all widths.") == nil)
    #expect(LineCorpus.code("  }") == nil)
    #expect(LineCorpus.prose("The sum of all the widths.") == "The sum of all the widths.")
    #expect(LineCorpus.prose("| The sum | of | all | widths |") == nil)
    #expect(LineCorpus.code(String(repeating: "x", count: 100))?.count == 64)
  }

  @Test func keywordsAreTagged() throws {
    let output = try small(["tagging"])
    #expect(try figure("F1 of keywords' characters", output) > figure("F1 of the list of words", output))
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
    let output = try small(["frames"])
    #expect(try figure("accuracy of held-out frames", output) > figure("frame by frame", output))
  }

  @Test func scenesAreSaid() throws {
    #expect(try figure("exact match of held-out sentences", small(["captions"])) > 0)
    #expect(
      Scenes.text(Scenes.sentence([(cell: 0, name: 10), (cell: 1, name: 7)]) + [0, 1]) == "a bag left of a dress")
    #expect(Scenes.text(Scenes.sentence([(cell: 1, name: 5), (cell: 2, name: 9)])) == "a top above a sneaker")
    #expect(
      Scenes.text(Scenes.sentence([(cell: 0, name: 6), (cell: 2, name: 8), (cell: 3, name: 11)]))
        == "a trouser above a sandal left of a boot")
  }

  @Test func linesAreWritten() throws {
    #expect(try figure("lines taken for the language that was asked for", small(["generate"])) >= 0.8)
  }

  @Test func digitsAreHeard() throws {
    #expect(try figure("accuracy of voices held out", small(["speech"])) >= 0.95)
  }

  /// A tone of 1000 Hz is loudest in the band whose middle is nearest.
  @Test func bandsFollowTheMelScale() {
    let tone = (0..<4000).map { Float(sin(2 * Double.pi * 1000 * Double($0) / 22050)) }
    let heard = LogMel(rate: 22050)(tone, frames: 8)
    #expect(heard.shape == [LogMel.bands, 8])
    #expect(heard.argmax(along: 0).array(of: Int32.self) == [Int32](repeating: 12, count: 8))
    #expect(abs(heard.mean().scalar) < 1e-5)
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

  @Test(arguments: [
    (["dates", "--attention", "maybe"], "--attention"), (["dates", "--epochs", "0"], "--epochs"),
    (["dates", "--hidden", "-1"], "--hidden"), (["recall", "--lag", "1"], "--lag"),
    (["recall", "--fast"], "--fast"), (["gradients", "--steps", "2"], "--steps"),
    (["classify", "--hidden", "1"], "--hidden"), (["tagging", "--epochs", "-1"], "--epochs"),
    (["frames", "--unseen", "1.5"], "--unseen"), (["captions", "--epochs", "many"], "--epochs"),
    (["generate", "--temperature", "nan"], "--temperature"), (["speech", "--times", "0"], "--times"),
    (["dates", "--figure", "/nonexistent/figure.svg"], "/nonexistent"),
  ])
  func wrongOptions(_ arguments: [String], _ named: String) throws {
    let output = try Example.run("gallery", arguments)
    #expect(output.status == 64)
    #expect(output.errors.contains(named))
  }
}
