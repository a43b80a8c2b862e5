import ApusEngine
import ArgumentParser
import Foundation
import KbenchKit

/// Ends with one line on stderr.
func fail(_ message: String, code: ExitCode = .validationFailure) -> ExitCode {
  FileHandle.standardError.write(Data("kbench: \(message)\n".utf8))
  return code
}

/// A list separated by commas.
func list<T>(_ text: String?, option: String, rule: String, _ convert: (String) -> T?) throws -> [T]? {
  try text.map { text in
    try text.split(separator: ",", omittingEmptySubsequences: false).map { word in
      guard let value = convert(String(word)) else { throw fail("\(option) \(text): '\(word)' \(rule)") }
      return value
    }
  }
}

/// Where something runs.
struct ContextOptions: ParsableArguments {
  @Option(help: "Numbers of threads, separated by commas; 'all' for every CPU. Default: 1 and all.")
  var threads: String?

  @Option(help: "Instruction sets, separated by commas. Default: the best one, or APUS_ISA.")
  var isa: String?

  func threadCounts() throws -> [Int] { try Choice.threadCounts(threads) }

  func instructionSets() throws -> [InstructionSet]? { try Choice.instructionSets(isa) }
}

/// What the texts of options mean.
enum Choice {
  /// In the order asked for; 1 and all where nothing is.
  static func threadCounts(_ text: String?) throws -> [Int] {
    let all = try context().threads
    let rule = "is no number of threads from 1 to 1024, nor 'all'"
    let counts = try list(text, option: "--threads", rule: rule) { word in
      word == "all" ? all : Int(word).flatMap { (1...1024).contains($0) ? $0 : nil }
    }
    return counts ?? (all > 1 ? [1, all] : [1])
  }

  static func instructionSets(_ text: String?) throws -> [InstructionSet]? {
    let names = InstructionSet.available.map(\.name)
    return try list(text, option: "--isa", rule: "is not among this machine's sets: \(names.joined(separator: ", "))") {
      word in InstructionSet.available.first { $0.name == word }
    }
  }

  /// `host` needs a host's callback, which kbench has not.
  static func backends(_ text: String?) throws -> [ThreadingBackend]? {
    try list(text, option: "--backend", rule: "is none of dispatch, openmp, serial") { word in
      ThreadingBackend.allCases.first { $0.name == word && $0 != .host }
    }
  }

  /// A context; what it refuses is a wrong argument or environment.
  static func context(
    _ set: InstructionSet? = nil, _ backend: ThreadingBackend? = nil, _ threads: Int? = nil
  ) throws -> ExecutionContext {
    do {
      return try ExecutionContext(instructionSet: set, backend: backend, threads: threads)
    } catch {
      throw fail(error.message)
    }
  }
}

/// Which threads.
struct BackendOptions: ParsableArguments {
  @Option(
    help: "Threading back ends, separated by commas: dispatch, openmp, serial. Default: dispatch, or APUS_BACKEND.")
  var backend: String?

  func backends() throws -> [ThreadingBackend]? { try Choice.backends(backend) }
}

/// How results are written.
struct FormatOptions: ParsableArguments {
  @Option(help: "table, csv or json.")
  var format = OutputFormat.table

  func report(_ columns: [Column]) -> Report {
    Report(format: format, columns: columns, machine: Machine.current.record)
  }
}

extension OutputFormat: ExpressibleByArgument {}

/// Which problems.
struct ProblemOptions: ParsableArguments {
  @Argument(help: "Problem strings, or @FILE with one a line (# starts a comment).")
  var problems: [String] = []

  @Option(help: "A list of problems with a name; may be repeated.")
  var preset: [String] = []

  @Option(help: "Types for problems that name none, separated by commas: f32, f64.")
  var type = "f32"

  @Option(help: "Directions of problems that name none, separated by commas: forward, data, weights or backward.")
  var direction: String?

  @Option(help: "Layouts of problems that name none, separated by commas: nchw, nhwc.")
  var layout: String?

  @Option(help: "Algorithm of problems that name none. Default: the first that can.")
  var algorithm: String?

  @Option(help: "Batch of problems that name none. Default: 1.")
  var batch: Int?

  @Flag(help: "Compare with the plain float64 reference; exit with 1 if a result is wrong.")
  var check = false

  func read<F: Family>(_ family: F.Type) throws -> [any Problem] {
    let types = try list(type, option: "--type", rule: "is none of f32, f64", ElementType.init(rawValue:)) ?? []
    do {
      var chosen: [String: [String]] = [:]
      for (name, text) in [("direction", direction), ("layout", layout), ("algorithm", algorithm)] {
        chosen[name] = text.map { $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init) }
      }
      return try ProblemList.read(
        family, arguments: problems, presets: preset, types: types, chosen: chosen, batch: batch)
    } catch {
      throw fail(error.description)
    }
  }
}

/// How long.
func checked(seconds: Double) throws -> Double {
  guard seconds > 0, seconds <= 3600 else { throw fail("--seconds \(seconds): it must be above 0 and at most 3600") }
  return seconds
}

/// What the shell is told.
func end(_ outcome: Runner.Outcome) throws {
  switch outcome {
  case .finished, .cut: return
  case .wrong: throw fail("a result is wrong", code: .failure)
  case .interrupted: throw ExitCode(Interrupt.exitCode)
  }
}
