import Foundation

/// One library at one number of threads: a worker of its own.
final class Contestant {
  let name: String
  let version: String
  let threads: Int
  private let child: Child

  /// What a worker said of a problem.
  struct Setup {
    var check: CheckResult
    var description: String
  }

  /// Starts kbench's hidden command `worker`. Throws `PeerError` where the library cannot be loaded.
  init(name: String, threads: Int, arguments: [String]) throws {
    self.name = name
    self.threads = threads
    let count = String(threads)
    var environment = ["APUS_THREADS": count]
    // Each library has a variable of its own; a library that asks OpenMP takes the first.
    for variable in ["OMP", "OPENBLAS", "BLIS", "MKL"] { environment["\(variable)_NUM_THREADS"] = count }
    environment["MKL_INTERFACE_LAYER"] = "LP64"
    child = try Child(Self.program, arguments, environment: environment)
    let (word, rest) = Self.split(try child.answer())
    if word != "ready" {
      child.end()
      throw PeerError(rest)
    }
    version = rest
  }

  /// Prepares a problem; throws `PeerError` where the library cannot do it.
  func set(_ problem: any Problem, checks: Bool) throws -> Setup {
    let (word, rest) = Self.split(try child.ask("setup \(problem.text) \(checks ? "check" : "nocheck")"))
    let words = rest.split(separator: " ", maxSplits: 3).map(String.init)
    guard word == "ok", words.count >= 3, let worst = Double(words[0]), let checked = Int(words[1]),
      let total = Int(words[2])
    else { throw PeerError(rest) }
    return Setup(
      check: CheckResult(worst: worst, checked: checked, total: total), description: words.count > 3 ? words[3] : "")
  }

  /// One turn: seconds of a call, one number a sample.
  func run(seconds: Double) throws -> [Double] {
    let (word, rest) = Self.split(try child.ask("run \(seconds)"))
    if word != "t" { throw PeerError(rest) }
    return rest.split(separator: " ").compactMap { Double($0) }
  }

  func end() { child.end() }

  private static func split(_ line: String) -> (String, String) {
    let parts = line.split(separator: " ", maxSplits: 1).map(String.init)
    return (parts.first ?? "", parts.count > 1 ? parts[1] : "")
  }

  /// This program.
  private static let program =
    (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
    ?? CommandLine.arguments[0]
}
