import ApusEngine
import ArgumentParser
import KbenchKit

/// `kbench FAMILY`: measures problems of one family.
struct FamilyCommand<F: Family>: ParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(
      commandName: F.name, abstract: "Measures \(F.name) problems.",
      discussion: F.grammar + "\nPresets: \(F.presets.map(\.name).joined(separator: ", ")).")
  }

  @OptionGroup var problems: ProblemOptions
  @OptionGroup var context: ContextOptions
  @OptionGroup var backend: BackendOptions
  @OptionGroup var format: FormatOptions

  @Option(help: "Measuring time of a row.")
  var seconds = 0.3

  func run() throws {
    Interrupt.install()
    let problems = try problems.read(F.self)
    let settings = RunSettings(
      contexts: try contexts(), seconds: try checked(seconds: seconds), checks: self.problems.check)
    let report = format.report(Runner.columns(problems, checks: settings.checks, algorithmWidth: F.algorithmWidth))
    defer { report.finish() }
    let runner = Runner(settings, limits: Limits(), report: report)
    do {
      try end(try runner.run(F.self, problems))
    } catch let error as ApusError {
      throw fail(error.message, code: .failure)
    }
  }

  /// Every combination of instruction set, back end and number of threads; the serial back end has one thread.
  private func contexts() throws -> [ExecutionContext] {
    let counts = try context.threadCounts()
    var result: [ExecutionContext] = []
    for set in try context.instructionSets().map({ $0.map(Optional.some) }) ?? [nil] {
      for backend in try backend.backends().map({ $0.map(Optional.some) }) ?? [nil] {
        if backend == .serial {
          if context.threads != nil && !counts.contains(1) { throw fail("--backend serial has one thread only") }
          result.append(try Choice.context(set, backend, 1))
          continue
        }
        for count in counts { result.append(try Choice.context(set, backend, count)) }
      }
    }
    return result
  }
}
