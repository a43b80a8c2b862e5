import Apus
import ArgumentParser
import Foundation

/// What every program of the gallery is asked.
package struct RunOptions: ParsableArguments {
  @Option(help: "What weights, orders and made-up data depend on.")
  package var seed: UInt64 = 1
  @Option(help: "Writes the example's figure to this file (SVG).")
  package var figure: String?
  @Flag(help: "Few made-up data and a small model; seconds.")
  package var small = false

  package init() {}

  /// A file that cannot be written is told now and not after minutes.
  package func validate() throws {
    guard let figure else { return }
    guard !figure.isEmpty else { throw ValidationError("--figure: it must name a file") }
    let files = FileManager.default
    func isFolder(_ path: String) -> Bool {
      var isFolder: ObjCBool = false
      return files.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
    }
    guard !isFolder(figure) else { throw ValidationError("--figure \(figure): it is a folder") }
    let folder = URL(fileURLWithPath: figure).deletingLastPathComponent().path
    guard isFolder(folder), files.isWritableFile(atPath: folder) else {
      throw ValidationError("--figure \(figure): \(folder) must be a folder that is writable")
    }
  }

  /// Throws where --small stands beside an option that it has no use for.
  package func refuse(_ option: String, _ value: (some Any)?) throws {
    try ExampleSupport.refuse(option, value, small: small)
  }

  /// Runs a training and its drawing with random numbers of the seed.
  package func seeded<Result>(_ body: () throws -> Result) rethrows -> Result {
    try RandomGenerator(seed: seed).use(body)
  }

  /// Writes a figure where one was asked for.
  package func draw(_ make: () -> Figure) throws {
    guard let figure else { return }
    do {
      try make().svg.write(toFile: figure, atomically: true, encoding: .utf8)
    } catch {
      throw DataError("--figure \(figure): \(error.localizedDescription)")
    }
  }
}

/// Throws where --small stands beside an option that it has no use for.
package func refuse(_ option: String, _ value: (some Any)?, small: Bool) throws {
  if small && value != nil { throw ValidationError("--\(option): --small does without it") }
}

/// Throws where a learning rate was asked for that is none.
package func checkLearningRate(_ rate: Double?) throws {
  guard let rate, !(rate > 0 && rate < 10) else { return }
  throw ValidationError("--learning-rate \(rate): it must be above 0 and below 10")
}

/// Throws unless the value of an option is in a range.
package func check<Value: Comparable>(_ option: String, _ value: Value, in range: ClosedRange<Value>) throws {
  guard range.contains(value) else {
    throw ValidationError("--\(option) \(value): it must be \(range.lowerBound) to \(range.upperBound)")
  }
}
