import Foundation
import Testing

/// The training examples as a user meets them, in their small modes.
@Suite struct ExampleTests {
  @Test func leNetLearns() throws {
    let output = try Example.run("lenet", ["--small"])
    #expect(output.status == 0, "\(output.errors)")
    #expect(output.text.contains("Parameters: 61706"))
    #expect(!output.text.contains("\r"))
    let words = Example.lastLine(output)
    #expect(words.starts(with: ["test", "accuracy"]))
    #expect(try #require(Double(words[2])) > 0.9)
  }

  /// Without interruption, and interrupted: the same files but for the seconds.
  @Test(arguments: [("lenet", ["--small"]), ("charlm", ["--small", "--cell", "gru", "--sample", "20"])])
  func examplesResume(_ name: String, _ arguments: [String]) throws {
    let folder = try Example.folder()
    defer { try? FileManager.default.removeItem(at: folder) }
    func path(_ name: String) -> String { folder.appendingPathComponent(name).path }
    let whole = try Example.run(name, arguments + ["--csv", path("whole.csv"), "--events", path("events")])
    #expect(whole.status == 0, "\(whole.errors)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: path("events")).count == 1)
    let split = arguments + ["--checkpoint", path("checkpoint"), "--csv", path("split.csv")]
    #expect(try Example.run(name, split + ["--stop-after", "1"]).status == 0)
    #expect(FileManager.default.fileExists(atPath: path("checkpoint")))
    #expect(try Example.run(name, split + ["--resume"]).status == 0)
    func epochs(_ name: String) throws -> [[Substring]] {
      try String(contentsOfFile: path(name), encoding: .utf8).split(separator: "\n").map {
        $0.split(separator: ",").dropLast()
      }
    }
    #expect(try epochs("whole.csv").count > 3)
    #expect(try epochs("whole.csv") == epochs("split.csv"))
  }

  @Test(arguments: ["rnn", "lstm", "gru"]) func languageModelsBeatPairs(_ cell: String) throws {
    let output = try Example.run("charlm", ["--small", "--cell", cell, "--sample", "40", "--prompt", "swifts "])
    #expect(output.status == 0, "\(output.errors)")
    #expect(output.text.contains("\nswifts "))
    // held-out text: 0.6 bits per character, bigram 2.1, ...
    let words = Example.lastLine(output)
    #expect(words.count == 10, "\(output.text)")
    let (own, bigram) = (try #require(Double(words[2])), try #require(Double(words[7].dropLast())))
    #expect(own < 0.7 * bigram)
  }

  @Test(arguments: [
    ("lenet", ["--data", "/nonexistent"], "/nonexistent"), ("charlm", ["--text", "/nonexistent"], "/nonexistent"),
    ("lenet", ["--small", "--checkpoint", "/nonexistent/checkpoint"], "/nonexistent/checkpoint"),
    ("charlm", ["--small", "--steps", "100000"], "too few"),
  ])
  func whatIsMissingIsSaidInALine(_ name: String, _ arguments: [String], _ named: String) throws {
    let output = try Example.run(name, arguments)
    #expect(output.status == 1)
    #expect(output.errors.split(separator: "\n").count == 1, "\(output.errors)")
    #expect(output.errors.contains(named))
  }

  @Test(arguments: [
    ("lenet", ["--epochs", "0"], "--epochs"), ("lenet", ["--resume"], "--checkpoint"), ("lenet", ["--fast"], "--fast"),
    ("lenet", ["--learning-rate", "nan"], "--learning-rate"), ("charlm", ["--cell", "tree"], "--cell"),
    ("lenet", ["--small", "--data", "/tmp"], "--data"), ("charlm", ["--small", "--text", "/etc/hosts"], "--text"),
    ("charlm", ["--hidden", "-3"], "--hidden"), ("charlm", ["--temperature", "0"], "--temperature"),
  ])
  func wrongOptions(_ name: String, _ arguments: [String], _ named: String) throws {
    let output = try Example.run(name, arguments)
    #expect(output.status == 64)
    #expect(Example.firstError(output).contains(named), "\(output.errors)")
  }
}
