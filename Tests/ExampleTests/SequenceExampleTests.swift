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

  @Test(arguments: [
    (["dates", "--attention", "maybe"], "--attention"), (["dates", "--epochs", "0"], "--epochs"),
    (["dates", "--hidden", "-1"], "--hidden"), (["recall", "--lag", "1"], "--lag"),
    (["recall", "--fast"], "--fast"), (["gradients", "--steps", "2"], "--steps"),
    (["dates", "--figure", "/nonexistent/figure.svg"], "/nonexistent"),
  ])
  func wrongOptions(_ arguments: [String], _ named: String) throws {
    let output = try Example.run("gallery", arguments)
    #expect(output.status == 64)
    #expect(output.errors.contains(named))
  }
}
