import ArgumentParser
import KbenchKit

/// `kbench tensor`.
struct TensorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tensor", abstract: "Measures what an operation on tensors costs beside its kernel.",
    discussion: """
      Operations on tensors of one element, in alternating rounds: the kernel is a few nanoseconds of it, the rest shapes,
      memory, the tape. Forward and backward counts each of the two as an operation.
      """)

  @Option(help: "Measuring time of a figure.")
  var seconds = 0.3
  @OptionGroup var format: FormatOptions

  func run() throws {
    Interrupt.install()
    let report = format.report(OperationCost.columns)
    let cost = OperationCost(seconds: try checked(seconds: seconds))
    defer { report.finish() }
    if !cost.run(report: report) { try end(.interrupted) }
  }
}
