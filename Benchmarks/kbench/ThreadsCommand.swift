import ArgumentParser
import KbenchKit

/// `kbench threads`.
struct ThreadsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "threads", abstract: "Measures what a parallel region costs.",
    discussion: """
      Regions of one task a thread: empty ones back to back, and ones whose tasks take 20 us each. Apus's back ends beside
      DispatchQueue.concurrentPerform alone, in alternating rounds of one run.
      """)

  @Option(help: "Number of threads. Default: all.")
  var threads: Int?
  @Option(help: "Measuring time of a figure.")
  var seconds = 0.5
  @OptionGroup var format: FormatOptions

  func run() throws {
    Interrupt.install()
    if let threads, !(1...1024).contains(threads) { throw fail("--threads \(threads): it must be 1 to 1024") }
    let count = try Choice.context(nil, nil, threads).threads
    let regions = RegionCost(threads: count, seconds: try checked(seconds: seconds))
    let report = format.report(regions.columns)
    defer { report.finish() }
    if !(try regions.run(report: report)) { try end(.interrupted) }
  }
}
