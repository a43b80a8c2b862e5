import ApusEngine
import ArgumentParser
import KbenchKit

/// `kbench` without a subcommand: the CPU, its limits, a region's cost and the default suite, within a minute.
struct OverviewCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "overview", abstract: "The CPU, its limits and a default suite, within a minute.")

  /// A minute, less what the slowest row may take after it has begun.
  private static let budget = 50.0

  func run() throws {
    let deadline = now() + Self.budget
    Interrupt.install()
    let counts = try Choice.threadCounts(nil)
    let contexts = try counts.map { try Choice.context(nil, nil, $0) }
    let machine = Machine.current
    let limits = Limits()
    say(machine.summary + "\n")

    say("Limits, measured now")
    let limitsReport = LimitsReport(
      limits, threads: counts, sets: InstructionSet.available, motions: [.read, .copy, .streamedCopy])
    let table = Report(format: .table, columns: limitsReport.columns, machine: machine.record)
    guard limitsReport.run(report: table) else { return try end(.interrupted) }

    if let most = counts.last, most > 1 {
      say("\nParallel regions (medians)")
      let regions = RegionCost(threads: most, seconds: 0.2)
      let report = Report(format: .table, columns: regions.columns, machine: machine.record)
      guard try regions.run(report: report) else { return try end(.interrupted) }
    }

    say("\nMatrix multiplication C = A B (kbench gemm; more with --help)")
    let settings = RunSettings(contexts: contexts, seconds: 0.3, checks: false, deadline: deadline)
    let problems = try ProblemList.read(Gemm.self, arguments: [], presets: [], types: [.float32])
    let report = Report(
      format: .table, columns: Runner.columns(problems, checks: false), machine: machine.record)
    let outcome = try Runner(settings, limits: limits, report: report).run(Gemm.self, problems)
    if case .cut(let rows) = outcome {
      say("\(rows) rows were left out to end within a minute: kbench gemm has them")
    }
    try end(outcome)
  }

  /// In order with what reports write, which goes by no buffer.
  private func say(_ text: String) { Report.toStandardOutput(text + "\n") }
}
