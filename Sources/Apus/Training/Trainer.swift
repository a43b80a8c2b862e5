/// Trains a model: epochs of batches, progress, metrics, clipping, schedules, early stop, checkpoints and logs.
///
///     let trainer = Trainer(model, optimizer: Adam(model.parameters), metrics: [.accuracy]) { output, labels in
///       softmaxCrossEntropy(output, labels)
///     }
///     trainer.options.epochs = 3
///     trainer.options.checkpoint = "lenet.safetensors"
///     try trainer.fit(loader, validation: testLoader)
///
/// A training that was interrupted is continued by ``resume(from:)`` before ``fit(_:validation:)``: with the same loader,
/// model, optimizer and options it ends with the same bits as one that was not.
public final class Trainer {
  /// What is asked of a training.
  public struct Options: Sendable {
    /// Epochs of the whole training, those before a resumption included.
    public var epochs = 1
    /// Gradients are scaled to this norm where theirs is larger; nil: they stay.
    public var clipNorm: Double?
    /// Every element of the gradients is bounded by this, before their norm is; nil: they stay.
    public var clipValue: Double?
    /// Gives the learning rate, by the epoch or the step from 0 on; nil: it stays.
    public var schedule: Schedule?
    /// What ``schedule`` counts.
    public var scheduleUnit = ScheduleUnit.epoch
    /// Lowers the learning rate by the epochs' losses, those of the validation where there is one. Not beside ``schedule``.
    public var plateau: PlateauSchedule?
    /// Ends the training before its last epoch.
    public var earlyStop: EarlyStop?
    /// The file that holds all that a resumption needs, written as a whole after each epoch; nil: none.
    public var checkpoint: String?
    /// Steps between checkpoints within an epoch; nil: only at its end.
    public var checkpointInterval: Int?
    /// A table of all epochs (comma-separated values), written as a whole after each; nil: none.
    public var csv: String?
    /// A folder for TensorBoard's event files: loss, gradient norm and learning rate of steps, losses and metrics of epochs,
    /// histograms of parameters and gradients after each epoch; nil: none.
    public var events: String?
    /// Steps between records in event files.
    public var eventInterval = 10
    /// Where progress is shown.
    public var output = ProgressOutput.standard
    /// What is counted in a speed.
    public var sampleName = "samples"

    /// One epoch, nothing else.
    public init() {}
  }

  /// What a schedule counts.
  public enum ScheduleUnit: Sendable, Hashable {
    /// Epochs.
    case epoch
    /// Steps.
    case step
  }

  /// What is trained.
  public let model: any Module
  /// What updates the parameters.
  public let optimizer: any Optimizer
  /// Figures of each epoch beside the loss.
  public let metrics: [Metric]
  /// From a model's output and the targets, the mean loss of a batch.
  let loss: (_ output: Tensor, _ targets: Tensor) -> Tensor
  /// What dropout and other random layers draw from; saved in checkpoints.
  public let generator: RandomGenerator
  /// What is asked for; set before ``fit(_:validation:)``.
  public var options = Options()
  /// Called after each step with its number, from 1 on, and its loss.
  public var onStep: ((_ step: Int, _ loss: Double) -> Void)?
  /// Called after each epoch, before its checkpoint is written.
  public var onEpoch: ((EpochRecord) -> Void)?

  var state = TrainingState()

  /// A trainer.
  ///
  /// - Parameters:
  ///   - model: What is trained.
  ///   - optimizer: Of the model's parameters.
  ///   - metrics: Figures beside the loss.
  ///   - generator: For dropout and the like.
  ///   - loss: From the model's output and the batch's targets the mean loss, a scalar.
  public init(
    _ model: any Module, optimizer: any Optimizer, metrics: [Metric] = [], generator: RandomGenerator = .current,
    loss: @escaping (_ output: Tensor, _ targets: Tensor) -> Tensor
  ) {
    self.model = model
    self.optimizer = optimizer
    self.metrics = metrics
    self.generator = generator
    self.loss = loss
  }

  /// What the epochs so far gave, those before a resumption included.
  public var history: [EpochRecord] { state.history }

  /// Steps so far.
  public var step: Int { state.step }

  /// Ends ``fit(_:validation:)`` after the step that runs; for ``onStep`` and ``onEpoch``. A checkpoint is written, from which
  /// the training is continued.
  public func stop() { isStopping = true }
  var isStopping = false

  /// Trains until the last epoch, an early stop or ``stop()``.
  ///
  /// - Parameters:
  ///   - training: Batches to learn from.
  ///   - validation: Batches to measure after each epoch.
  /// - Returns: What all epochs gave.
  /// - Throws: ``DivergenceError`` where the loss is no number any more, ``FileError`` where a file cannot be written, and
  ///   what the data set throws.
  @discardableResult
  public func fit(_ training: DataLoader, validation: DataLoader? = nil) throws -> [EpochRecord] {
    require(
      options.schedule == nil || options.plateau == nil, "Trainer: a schedule and a plateau both set the learning rate")
    require(options.eventInterval > 0, "Trainer: eventInterval is above 0, not \(options.eventInterval)")
    require(
      options.checkpointInterval.map { $0 > 0 } ?? true,
      "Trainer: checkpointInterval is above 0, not \(options.checkpointInterval ?? 0)")
    for (name, loader) in [("training", training), ("validation", validation)] {
      require(
        loader.map { $0.batchCount > 0 } ?? true,
        "Trainer: the \(name) data give no batch: \(loader?.dataset.count ?? 0) samples by \(loader?.batchSize ?? 0)")
    }
    require(
      options.earlyStop?.metric.map { name in metrics.contains { $0.name == name } } ?? true,
      "Trainer: early stop by the metric \(options.earlyStop?.metric ?? ""), which the trainer does not have")
    for path in [options.checkpoint, options.csv] { if let path { try FileBytes.checkWritable(path) } }
    state.adopt(options)
    isStopping = false
    let events = try options.events.map { path throws(FileError) in try EventFileWriter(directory: path) }
    try generator.use {
      while state.epoch < options.epochs && !state.hasEnded && !isStopping {
        try runEpoch(training, validation, events)
      }
    }
    if state.hasEnded || state.epoch >= options.epochs, let best = state.best {
      do throws(ApusError) { try model.load(best) } catch { fatalError("the best parameters: \(error.message)") }
    }
    return state.history
  }

  /// The mean loss and the metrics of all samples of a loader, in evaluation and without gradients.
  public func evaluate(_ loader: DataLoader) throws -> (loss: Double, metrics: [Double]) {
    let carried = (model as? any CarriesState)?.carriedState
    (model as? any CarriesState)?.carriedState = [:]
    defer { if let carried { (model as? any CarriesState)?.carriedState = carried } }
    return try model.evaluating {
      try withoutGradients {
        var sums = Sums(metrics.count)
        let batches = loader.batches()
        while let batch = try batches.next() {
          let output = model(batch.inputs)
          sums.add(loss(output, batch.targets).scalar, output, batch, metrics)
        }
        return (sums.loss.value, sums.metrics.map(\.value))
      }
    }
  }
}

/// A loss, or gradients, that are no numbers any more: the learning rate is too high, or the data hold such numbers.
public struct DivergenceError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The epoch, from 1 on.
  public let epoch: Int
  /// The step, from 1 on.
  public let step: Int
  /// The loss; where it is finite its gradients are not.
  public let loss: Double
  /// One line.
  public var description: String {
    "the loss is \(loss)\(loss.isFinite ? " with gradients that are no numbers," : "") at step \(step), in epoch \(epoch): "
      + "a lower learning rate or clipped gradients may help"
  }
}

/// What is added up over batches.
struct Sums: Sendable, Hashable {
  var loss = Mean()
  var metrics: [Mean]
  var samples = 0

  init(_ metrics: Int) { self.metrics = Array(repeating: Mean(), count: metrics) }

  mutating func add(_ loss: Double, _ output: Tensor, _ batch: Batch, _ metrics: [Metric]) {
    self.loss += Mean(sum: loss * Double(batch.count), weight: Double(batch.count))
    for (i, metric) in metrics.enumerated() { self.metrics[i] += metric.measure(output, batch.targets) }
    samples += batch.count
  }
}
