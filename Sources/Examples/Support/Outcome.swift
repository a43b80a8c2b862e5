import Apus
import Foundation

/// The last figures of an example, beside what each must reach.
package struct Outcome {
  private var shortfalls: [String] = []
  private let sampleName: String
  private var samples = 0
  private var seconds = 0.0

  /// No figure so far.
  ///
  /// - Parameter sampleName: What is counted in the speed.
  package init(sampleName: String = "samples") { self.sampleName = sampleName }

  /// Counts what a training went through.
  package mutating func count(samples: Int, seconds: Double) {
    self.samples += samples
    self.seconds += seconds
  }

  /// Counts the epochs of a trainer.
  package mutating func count(_ history: [EpochRecord]) {
    for epoch in history { count(samples: epoch.samples, seconds: epoch.seconds) }
  }

  /// Prints a figure and keeps whether it is large enough.
  package mutating func require(_ name: String, _ value: Double, atLeast threshold: Double) {
    line(name, value, "at least", threshold, value >= threshold)
  }

  /// Prints a figure and keeps whether it is small enough.
  package mutating func require(_ name: String, _ value: Double, atMost threshold: Double) {
    line(name, value, "at most", threshold, value <= threshold)
  }

  private mutating func line(
    _ name: String, _ value: Double, _ relation: String, _ threshold: Double, _ isReached: Bool
  ) {
    print("\(name) \(rounded(value)) (\(relation) \(rounded(threshold)))")
    if !isReached { shortfalls.append("\(name) \(rounded(value)), which must be \(relation) \(rounded(threshold))") }
  }

  /// Prints the speed; a figure that was not reached ends the program with its line and exit code 1.
  package func finish() throws {
    if seconds > 0 {
      print("\(Int(Double(samples) / seconds)) \(sampleName)/s, \(rounded(seconds)) s of training")
    }
    guard shortfalls.isEmpty else { throw DataError("not reached: \(shortfalls.joined(separator: "; "))") }
  }
}

/// Four significant digits and no exponent, for tables.
package func rounded(_ value: Double) -> String {
  guard value.isFinite, value != 0 else { return value == 0 ? "0" : "\(value)" }
  let digits = max(0, 3 - Int(floor(log10(abs(value)))))
  let text = String(format: "%.\(min(digits, 12))f", value)
  guard text.contains(".") else { return text }
  let short = text.reversed().drop { $0 == "0" }.drop { $0 == "." }
  return String(String(short.reversed()))
}
