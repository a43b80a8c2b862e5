import ArgumentParser
import KbenchKit

/// The program. Everything that can be tested lives in KbenchKit.
@main struct Kbench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "kbench",
    abstract: "Measures Apus's kernels against the limits of this machine.",
    discussion: """
      Without a subcommand: the CPU, its limits, and a default suite, within a minute.
      Exit codes: 0, 1 where --check finds a wrong result or something fails, 64 for wrong arguments, 130 after Ctrl-C,
      which leaves a finished table.
      """,
    version: "kbench \(Machine.apusVersion)",
    subcommands: [
      OverviewCommand.self, FamilyCommand<Gemm>.self, FamilyCommand<Convolution>.self, FamilyCommand<Pool>.self,
      FamilyCommand<Rnn>.self,
      FamilyCommand<ElementwiseFamily>.self, FamilyCommand<SoftmaxFamily>.self, FamilyCommand<NormFamily>.self,
      FamilyCommand<LossFamily>.self, FamilyCommand<OptimizerFamily>.self, FamilyCommand<EmbeddingFamily>.self,
      LimitsCommand.self, ThreadsCommand.self, TensorCommand.self, CompareCommand.self, WorkerCommand.self,
    ],
    defaultSubcommand: OverviewCommand.self)
}

/// `kbench compare FAMILY`.
struct CompareCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare", abstract: "Measures Apus beside other libraries that are installed.",
    subcommands: [
      CompareFamilyCommand<Gemm>.self, CompareFamilyCommand<Convolution>.self, CompareFamilyCommand<Rnn>.self,
    ])
}

/// `kbench worker FAMILY`: what `compare` starts.
struct WorkerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "worker", abstract: "One library of a comparison, served over pipes.", shouldDisplay: false,
    subcommands: [WorkerFamilyCommand<Gemm>.self, WorkerFamilyCommand<Convolution>.self, WorkerFamilyCommand<Rnn>.self])
}
