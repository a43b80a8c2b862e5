import ApusEngine
import ArgumentParser
import Foundation
import KbenchKit

/// `kbench compare FAMILY`.
struct CompareFamilyCommand<F: Family>: ParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(
      commandName: F.name,
      abstract: "Measures \(F.name) problems beside \(F.peers.map(\.name).joined(separator: ", ")).",
      discussion: """
        Every library runs in a process of its own that stands still between its turns. The table has GFLOP/s by the
        median over all rounds, and Apus's speed over that of the best peer (above 1: Apus is faster).
        \(F.grammar)
        Presets: \(F.presets.map(\.name).joined(separator: ", ")).
        """)
  }

  @OptionGroup var problems: ProblemOptions
  @Option(help: "Numbers of threads, separated by commas; 'all' for every CPU. Default: 1 and all.")
  var threads: String?
  @Option(help: "Apus's instruction set. Default: the best one, or APUS_ISA.")
  var isa: String?
  @Option(help: "Apus's threading back end where there is more than one thread: dispatch, openmp. Default: dispatch.")
  var backend: String?
  @Option(help: "Another library, as \(F.libraryGrammar). May be repeated.")
  var library: [String] = []
  @Option(help: "Measuring time of a library at a problem, all rounds together.")
  var seconds = 0.5
  @Option(help: "How often the libraries take turns.")
  var rounds = 5
  @OptionGroup var format: FormatOptions

  func run() throws {
    Interrupt.install()
    let problems = try problems.read(F.self)
    guard (1...1000).contains(rounds) else { throw fail("--rounds \(rounds): it must be 1 to 1000") }
    let limits = Limits()
    let comparison = Comparison(try settings(), limits: limits)
    guard try comparison.start(F.self) else {
      // A document all the same, without rows.
      format.report(comparison.columns(problems)).finish()
      return try end(.interrupted)
    }
    let report = format.report(comparison.columns(problems))
    let outcome = try comparison.run(F.self, problems, report: report)
    report.finish()
    var told: Set<[String]> = []
    // A library that takes part in several manners is missed once.
    for (library, reason) in comparison.missing where told.insert(library.paths).inserted {
      let text = "\(library.name) was not found (\(reason)). \(library.howToInstall)\n"
      if format.format == .table {
        Report.toStandardOutput(text)
      } else {
        FileHandle.standardError.write(Data(text.utf8))
      }
    }
    try end(outcome)
  }

  private func settings() throws -> Comparison.Settings {
    let sets = try Choice.instructionSets(isa)
    let chosen = try Choice.backends(backend)
    if (sets?.count ?? 1) > 1 { throw fail("--isa \(isa ?? ""): a comparison has one instruction set") }
    if (chosen?.count ?? 1) > 1 { throw fail("--backend \(backend ?? ""): a comparison has one back end") }
    do {
      return Comparison.Settings(
        libraries: try F.peers
          + library.map { text throws(ProblemError) in try F.library(text) },
        context: try Choice.context(sets?.first, chosen?.first, nil), threads: try Choice.threadCounts(threads),
        seconds: try checked(seconds: seconds), rounds: rounds, checks: problems.check)
    } catch let error as ProblemError {
      throw fail(error.description)
    }
  }
}

/// `kbench worker FAMILY`.
struct WorkerFamilyCommand<F: Family>: ParsableCommand {
  static var configuration: CommandConfiguration { CommandConfiguration(commandName: F.name) }

  @Option var threads: Int?
  @Option var isa: String?
  @Option var backend: String?
  @Option var path: [String] = []
  @Option var symbol = ""
  @Option var versionSymbol = ""
  @Option var manner = ""

  func run() throws {
    if !path.isEmpty {
      let library = PeerLibrary(
        name: "", paths: path, symbol: symbol, versionSymbol: versionSymbol.isEmpty ? nil : versionSymbol,
        manner: manner, howToInstall: "")
      return Worker.serve(F.self, .peer(library))
    }
    let context = try Choice.context(
      InstructionSet.available.first { $0.name == isa }, ThreadingBackend.allCases.first { $0.name == backend }, threads
    )
    Worker.serve(F.self, .apus(context))
  }
}
