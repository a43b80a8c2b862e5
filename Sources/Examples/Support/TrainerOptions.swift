import Apus
import ArgumentParser

/// What a training writes, and how it is interrupted and goes on.
package struct TrainerOptions: ParsableArguments {
  @Option(help: "A file that is written after each epoch, from which --resume goes on.")
  package var checkpoint: String?
  @Flag(help: "Goes on from the checkpoint, if there is one.")
  package var resume = false
  @Option(help: "Ends after so many epochs all the same; --resume goes on.")
  package var stopAfter: Int?
  @Option(help: "A folder for TensorBoard.")
  package var events: String?
  @Option(help: "A table of the epochs.")
  package var csv: String?

  package init() {}

  package func validate() throws {
    if let stopAfter { try check("stop-after", stopAfter, in: 1...1_000_000) }
    if resume && checkpoint == nil { throw ValidationError("--resume: it takes --checkpoint") }
  }

  /// Trains as a trainer's options and these say, beginning where a checkpoint ended.
  package func fit(
    _ trainer: Trainer, _ training: DataLoader, validation: DataLoader
  ) throws -> [EpochRecord] {
    trainer.options.checkpoint = checkpoint
    trainer.options.events = events
    trainer.options.csv = csv
    if resume, let checkpoint { try trainer.resumeIfPresent(from: checkpoint) }
    if let stopAfter { trainer.options.epochs = min(trainer.options.epochs, stopAfter) }
    return try trainer.fit(training, validation: validation)
  }
}

extension Trainer.Options {
  /// So many epochs of a loader, over whose steps the learning rate falls to 0 along a cosine.
  package mutating func fall(from rate: Double, over epochs: Int, of loader: DataLoader, counting sampleName: String) {
    self.epochs = epochs
    schedule = .cosine(from: rate, over: epochs * loader.batchCount)
    scheduleUnit = .step
    self.sampleName = sampleName
  }
}
