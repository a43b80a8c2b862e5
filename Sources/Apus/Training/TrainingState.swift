/// How far a training is: all of it but the model, the optimizer and the generator.
struct TrainingState: Sendable {
  /// Epochs that are complete.
  var epoch = 0
  /// Batches of the epoch that runs.
  var batch = 0
  /// Steps of all epochs.
  var step = 0
  /// What the epoch that runs has given; nil where none runs.
  var sums: Sums?
  /// Seconds that it has taken.
  var seconds = 0.0
  var history: [EpochRecord] = []
  var plateau: PlateauSchedule?
  var earlyStop: EarlyStop?
  /// Whether an early stop has ended it.
  var hasEnded = false
  /// The model's state in the best epoch, where an early stop asks for it.
  var best: [String: Tensor]?
  /// What the orders of the batches depend on, of the epoch that runs.
  var loader = ""

  /// Takes rules over from the options, with what a checkpoint knows of them.
  mutating func adopt(_ options: Trainer.Options) {
    var plateau = options.plateau
    if let own = self.plateau {
      plateau?.rate = own.rate
      plateau?.best = own.best
      plateau?.waited = own.waited
    }
    self.plateau = plateau
    var earlyStop = options.earlyStop
    if let own = self.earlyStop {
      earlyStop?.best = own.best
      earlyStop?.waited = own.waited
    }
    self.earlyStop = earlyStop
  }
}
