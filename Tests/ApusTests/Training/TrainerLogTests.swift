import Synchronization
import Testing

@testable import Apus

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// What a trainer says on its way: progress, tables, event files.
@Suite struct TrainerLogTests {
  /// Takes what is shown.
  private final class Screen: Sendable {
    let text = Mutex("")
    func output(width: Int?) -> ProgressOutput {
      ProgressOutput(width: width) { part in self.text.withLock { $0 += part } }
    }
    var shown: String { text.withLock { $0 } }
  }

  @Test func aPipeGetsALineForEachEpoch() throws {
    let screen = Screen()
    let setup = TrainingSetup(epochs: 2)
    setup.trainer.options.output = screen.output(width: nil)
    try setup.trainer.fit(setup.training, validation: setup.validation)
    let lines = screen.shown.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.count == 3 && lines[2].isEmpty)
    #expect(lines[1].hasPrefix("Epoch 2/2: loss "))
    #expect(lines[1].contains("accuracy 0.") && lines[1].contains(" samples/s, validation loss "))
    #expect(!screen.shown.contains("\r"))
  }

  @Test(arguments: [80, 40, 10]) func aTerminalGetsABar(_ width: Int) throws {
    let screen = Screen()
    let setup = TrainingSetup(epochs: 1)
    setup.trainer.options.output = screen.output(width: width)
    try setup.trainer.fit(setup.training)
    #expect(screen.shown.hasPrefix("\r"))
    #expect(screen.shown.hasSuffix("\n"))
    let moves = screen.shown.split(separator: "\r").dropLast()
    #expect(!moves.isEmpty)
    // No line is longer than the terminal, or each would begin a new one.
    #expect(moves.allSatisfy { $0.count < width })
    if width == 80 { #expect(moves.last?.contains("[====") == true && moves.last?.contains("6/6") == true) }
  }

  @Test func tablesHaveEveryEpoch() throws {
    let path = temporaryPath("epochs.csv")
    let checkpoint = temporaryPath("epochs.safetensors")
    defer {
      unlink(path)
      unlink(checkpoint)
    }
    let first = TrainingSetup(epochs: 2)
    first.trainer.options.csv = path
    first.trainer.options.checkpoint = checkpoint
    try first.trainer.fit(first.training, validation: first.validation)
    let second = TrainingSetup(epochs: 3)
    second.trainer.options.csv = path
    try second.trainer.resume(from: checkpoint)
    let history = try second.trainer.fit(second.training, validation: second.validation)
    let lines = String(decoding: try bytes(of: path), as: UTF8.self).split(separator: "\n")
    #expect(lines[0] == "epoch,step,loss,accuracy,validation_loss,validation_accuracy,learning_rate,samples,seconds")
    #expect(lines.count == 4)
    for (line, record) in zip(lines.dropFirst(), history) {
      let cells = line.split(separator: ",")
      #expect(cells.count == 9)
      #expect(Int(cells[0]) == record.epoch)
      #expect(Double(cells[2]) == record.loss)
      #expect(Double(cells[4]) == record.validationLoss)
    }
  }

  @Test func recordsComeBackFromNumbers() {
    let full = EpochRecord(
      epoch: 2, step: 9, loss: 0.1, metrics: [0.5, 0.25], validationLoss: 0.3, validationMetrics: [1, 2],
      learningRate: 1e-3, samples: 77, seconds: 1.5)
    #expect(EpochRecord(full.numbers, metrics: 2) == full)
    var plain = full
    plain.validationLoss = nil
    plain.validationMetrics = []
    #expect(EpochRecord(plain.numbers, metrics: 2) == plain)
    #expect(EpochRecord(full.numbers, metrics: 1) == nil)
    #expect(EpochRecord([], metrics: 0) == nil)
    #expect(plain.samplesPerSecond == 77 / 1.5)
  }

  @Test func eventFilesHaveCurvesAndHistograms() throws {
    let directory = temporaryPath("events-\(UInt64.random(in: 0...UInt64.max))")
    let setup = TrainingSetup(epochs: 2)
    setup.trainer.options.events = directory
    setup.trainer.options.eventInterval = 4
    let history = try setup.trainer.fit(setup.training, validation: setup.validation)
    let name = try #require(try Self.files(in: directory).first)
    defer {
      unlink("\(directory)/\(name)")
      rmdir(directory)
    }
    let events = try EventFile.read(path: "\(directory)/\(name)")
    #expect(events.filter { $0.scalars["loss/step"] != nil }.map(\.step) == [1, 5, 9])
    #expect(events.allSatisfy { ($0.scalars["loss/step"] != nil) == ($0.scalars["gradient_norm"] != nil) })
    let ends = events.filter { $0.scalars["loss/epoch"] != nil }
    #expect(ends.map(\.step) == [6, 12])
    #expect(ends[1].scalars["accuracy/validation"] == Float(history[1].validationMetrics[0]))
    for kind in ["parameters", "gradients"] {
      let all = events.filter { $0.histograms["\(kind)/0.weight"] != nil }
      #expect(all.map(\.step) == [6, 12])
      #expect(all.allSatisfy { $0.histograms["\(kind)/0.weight"]?.count == 64 })
    }
  }

  private static func files(in directory: String) throws -> [String] {
    let folder = try #require(opendir(directory))
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      if !name.hasPrefix(".") { names.append(name) }
    }
    return names
  }
}
