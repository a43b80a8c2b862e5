import ApusEngine
import ArgumentParser
import KbenchKit

/// `kbench limits`.
struct LimitsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "limits", abstract: "Measures what this machine can do at most.",
    discussion: """
      fma: multiply-adds on registers, for each instruction set and type. read, copy, triad: each thread moves arrays of
      its own, all of them together half as large as the cache level; every byte read or written counts once.
      Bandwidth is that of the last instruction set of --isa. The best of several repetitions.
      """)

  @OptionGroup var context: ContextOptions
  @OptionGroup var format: FormatOptions

  func run() throws {
    Interrupt.install()
    let sets = try context.instructionSets() ?? InstructionSet.available
    let limits = LimitsReport(Limits(), threads: try context.threadCounts(), sets: sets)
    let report = format.report(limits.columns)
    defer { report.finish() }
    if !limits.run(report: report) { try end(.interrupted) }
  }
}
