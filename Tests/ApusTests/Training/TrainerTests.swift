import Synchronization
import Testing

@testable import Apus

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A small classification with all that a resumption could lose: dropout, running statistics, momentum, orders, rates.
struct TrainingSetup {
  let model: Sequential
  let trainer: Trainer
  let training: DataLoader
  let validation: DataLoader

  init(seed: UInt64 = 1, epochs: Int = 4) {
    let generator = RandomGenerator(seed: seed)
    let model = generator.use {
      Sequential {
        Linear(4, 16)
        BatchNorm(16)
        ReLU()
        Dropout(0.2)
        Linear(16, 3)
      }
    }
    func data(_ count: Int, _ seed: UInt64) -> TensorDataset {
      let x = Tensor.normal([count, 4], generator: RandomGenerator(seed: seed))
      let labels = matmul(x, Tensor([1, 0, 0, 0, 1, 0, 0, 0, 1, 1, -1, 0] as [Float], shape: [4, 3])).argmax()
      return TensorDataset(inputs: x, targets: labels)
    }
    self.model = model
    training = DataLoader(data(90, 7), batchSize: 16, shuffles: true, seed: 11)
    validation = DataLoader(data(40, 8), batchSize: 16)
    trainer = Trainer(
      model, optimizer: Adam(model.parameters, learningRate: 0.01), metrics: [.accuracy], generator: generator
    ) { softmaxCrossEntropy($0, $1) }
    trainer.options.epochs = epochs
    trainer.options.output = .none
  }
}

/// Bits of everything that a training has changed.
private func outcome(_ setup: TrainingSetup) -> [String: [UInt64]] {
  var bits: [String: [UInt64]] = [:]
  func add(_ name: String, _ tensor: Tensor) { bits[name] = tensor.array(of: Double.self).map(\.bitPattern) }
  for (name, tensor) in setup.model.state { add(name, tensor) }
  let state = setup.trainer.optimizer.state
  for (i, tensor) in (state.first + state.second).enumerated() { if let tensor { add("state \(i)", tensor) } }
  bits["step"] = [UInt64(state.step), UInt64(setup.trainer.step)]
  bits["generator"] = [setup.trainer.generator.state.seed, setup.trainer.generator.state.offset]
  bits["rate"] = [setup.trainer.optimizer.learningRate.bitPattern]
  bits["losses"] = setup.trainer.history.map(\.loss.bitPattern)
  bits["validation"] = setup.trainer.history.compactMap(\.validationLoss?.bitPattern)
  bits["accuracy"] = setup.trainer.history.flatMap { ($0.metrics + $0.validationMetrics).map(\.bitPattern) }
  return bits
}

@Suite struct TrainerTests {
  @Test func lossesFall() throws {
    let setup = TrainingSetup(epochs: 15)
    let history = try setup.trainer.fit(setup.training, validation: setup.validation)
    #expect(history.count == 15)
    #expect(history.map(\.epoch) == Array(1...15))
    #expect(history[14].step == 15 * 6)
    #expect(history[0].samples == 90)
    #expect(try #require(history[14].validationLoss) < 0.6 * (try #require(history[0].validationLoss)))
    #expect(history[14].validationMetrics[0] > 0.8)
    let (loss, metrics) = try setup.trainer.evaluate(setup.validation)
    #expect(loss == history[14].validationLoss)
    #expect(metrics == history[14].validationMetrics)
  }

  @Test func trainingsAreTheSame() throws {
    let (a, b) = (TrainingSetup(), TrainingSetup())
    try a.trainer.fit(a.training, validation: a.validation)
    try b.trainer.fit(b.training, validation: b.validation)
    #expect(outcome(a) == outcome(b))
  }

  /// After an epoch, within one, and after each: the same bits as without interruption.
  @Test(arguments: [[12], [6], [8], [1, 7, 23], [3, 4, 5, 6, 7]], ["schedule", "plateau", "none"])
  func anInterruptedTrainingEndsWithTheSameBits(_ stops: [Int], _ rates: String) throws {
    func make() -> TrainingSetup {
      let setup = TrainingSetup()
      switch rates {
      case "schedule":
        setup.trainer.options.schedule = Schedule.cosine(from: 0.02, over: 24).warmedUp(over: 3)
        setup.trainer.options.scheduleUnit = .step
      case "plateau":
        setup.trainer.options.plateau = PlateauSchedule(from: 0.02, factor: 0.5, patience: 0)
      default: break
      }
      setup.trainer.options.clipNorm = 0.5
      setup.trainer.options.clipValue = 0.2
      return setup
    }
    let whole = make()
    try whole.trainer.fit(whole.training, validation: whole.validation)
    let path = temporaryPath("resume-\(stops.count)-\(stops[0])-\(rates).safetensors")
    defer { unlink(path) }
    for stop in stops {
      let part = make()
      if stop != stops[0] {
        // What was drawn before the resumption does not matter.
        _ = part.trainer.generator.reserve(12)
        try part.trainer.resume(from: path)
      }
      part.trainer.options.checkpoint = path
      part.trainer.onStep = { [trainer = part.trainer] step, _ in if step == stop { trainer.stop() } }
      try part.trainer.fit(part.training, validation: part.validation)
      #expect(part.trainer.step == stop)
      part.trainer.onStep = nil
    }
    let last = make()
    try last.trainer.resume(from: path)
    try last.trainer.fit(last.training, validation: last.validation)
    #expect(outcome(last) == outcome(whole))
    // A training that is over stays over.
    let over = make()
    try last.trainer.saveCheckpoint(to: path)
    try over.trainer.resume(from: path)
    try over.trainer.fit(over.training, validation: over.validation)
    #expect(outcome(over) == outcome(whole))
  }

  /// A model that goes on from batch to batch, interrupted within an epoch.
  @Test func whatAModelCarriesIsResumed() throws {
    final class Reader: CarriesState {
      let cell = SimpleRNN(inputSize: 1, hiddenSize: 5)
      let output = Linear(5, 1)
      var carriedState: [String: Tensor] = [:]
      func callAsFunction(_ x: Tensor) -> Tensor {
        let (y, after) = cell(x, state: carriedState["hidden"].map { RecurrentLayerState(hidden: $0) })
        carriedState["hidden"] = after.hidden.detached()
        return output(y)
      }
    }
    // Eight stretches of four steps of two sequences.
    struct Waves: Dataset {
      let count = 8
      func batch(_ indices: [Int]) -> Batch {
        let numbers = (0..<10).map { Float((indices[0] * 8 + $0 * 5) % 7) / 7 }
        return Batch(
          inputs: Tensor(Array(numbers[..<8]), shape: [4, 2, 1]),
          targets: Tensor(Array(numbers[2...]), shape: [4, 2, 1]))
      }
    }
    func make() -> (Reader, Trainer) {
      let model = RandomGenerator(seed: 3).use { Reader() }
      let trainer = Trainer(model, optimizer: Adam(model.parameters, learningRate: 0.01)) { meanSquaredError($0, $1) }
      trainer.options.epochs = 3
      trainer.options.output = .none
      return (model, trainer)
    }
    let loader = DataLoader(Waves(), batchSize: 1)
    let path = temporaryPath("carried.safetensors")
    defer { unlink(path) }
    let (whole, all) = make()
    try all.fit(loader, validation: loader)
    let (_, first) = make()
    first.options.checkpoint = path
    first.onStep = { [unowned first] step, _ in if step == 13 { first.stop() } }
    try first.fit(loader, validation: loader)
    let (rest, second) = make()
    try second.resume(from: path)
    #expect(rest.carriedState["hidden"]?.shape == [1, 2, 5])
    try second.fit(loader, validation: loader)
    #expect(rest.state == whole.state)
    #expect(rest.carriedState == whole.carriedState)
    #expect(second.history.map(\.validationLoss) == all.history.map(\.validationLoss))
    // Measuring disturbs nothing, and does not depend on what is carried.
    let before = rest.carriedState
    let loss = try second.evaluate(loader).loss
    #expect(rest.carriedState == before)
    rest.carriedState = [:]
    #expect(try second.evaluate(loader).loss == loss)
  }

  @Test func damagedCheckpointsThrowAndChangeNothing() throws {
    let path = temporaryPath("checkpoint.safetensors")
    defer { unlink(path) }
    let setup = TrainingSetup()
    setup.trainer.options.checkpoint = path
    setup.trainer.options.earlyStop = EarlyStop(patience: 3, restoresBest: true)
    setup.trainer.options.plateau = PlateauSchedule(from: 0.01)
    setup.trainer.onStep = { [trainer = setup.trainer] step, _ in if step == 8 { trainer.stop() } }
    try setup.trainer.fit(setup.training)
    setup.trainer.onStep = nil
    let whole = try bytes(of: path)
    // Only the header: what stands behind it are numbers, which may be any.
    let header = 8 + Int(whole[0]) + Int(whole[1]) << 8
    let fresh = TrainingSetup()
    let before = outcome(fresh)
    var state: UInt64 = 3
    var refused = 0
    for _ in 0..<600 {
      var damaged = whole
      for _ in 0..<2 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        damaged[8 + Int(state >> 33) % (header - 8)] = 32 + UInt8(truncatingIfNeeded: state >> 25) % 90
      }
      try FileBytes.write([.bytes(damaged)], to: path)
      let trainer = TrainingSetup()
      do {
        try trainer.trainer.resume(from: path)
      } catch {
        refused += 1
        #expect(outcome(trainer) == before, "\(error)")
      }
    }
    #expect(refused > 300)
  }

  @Test func checkpointsOfOthersThrow() throws {
    let path = temporaryPath("other.safetensors")
    defer { unlink(path) }
    let setup = TrainingSetup()
    try setup.trainer.saveCheckpoint(to: path)
    let model = Sequential { Linear(4, 3) }
    let other = Trainer(model, optimizer: Adam(model.parameters), metrics: [.accuracy]) { softmaxCrossEntropy($0, $1) }
    #expect(throws: FileError.self) { try other.resume(from: path) }
    let metrics = Trainer(setup.model, optimizer: Adam(setup.model.parameters)) { softmaxCrossEntropy($0, $1) }
    #expect(throws: FileError.self) { try metrics.resume(from: path) }
    #expect(throws: FileError.self) { try setup.trainer.resume(from: "/nonexistent/file") }
    #expect(try setup.trainer.resumeIfPresent(from: "/nonexistent/file") == false)
    try Safetensors(tensors: setup.model.state).write(to: path)
    #expect(throws: FileError.self) { try setup.trainer.resume(from: path) }
    // Within an epoch, another order of batches is no continuation.
    setup.trainer.options.checkpoint = path
    setup.trainer.onStep = { [trainer = setup.trainer] step, _ in if step == 2 { trainer.stop() } }
    try setup.trainer.fit(setup.training)
    setup.trainer.onStep = nil
    #expect(throws: FileError.self) {
      try setup.trainer.fit(DataLoader(setup.training.dataset, batchSize: 15, shuffles: true))
    }
  }

  @Test func earlyStopRestoresTheBest() throws {
    let setup = TrainingSetup(epochs: 50)
    // A rate at which the loss soon rises.
    setup.trainer.options.schedule = Schedule { $0 < 3 ? 0.01 : 3 }
    setup.trainer.options.earlyStop = EarlyStop(patience: 2, restoresBest: true)
    let history = try setup.trainer.fit(setup.training, validation: setup.validation)
    let losses = history.compactMap(\.validationLoss)
    let best = try #require(losses.min())
    #expect(losses.count < 20)
    #expect(losses.firstIndex(of: best) == losses.count - 4)
    #expect(try setup.trainer.evaluate(setup.validation).loss == best)
    // Stopped is stopped.
    #expect(try setup.trainer.fit(setup.training, validation: setup.validation).count == history.count)
  }

  @Test func earlyStopByAMetric() throws {
    let setup = TrainingSetup(epochs: 60)
    setup.trainer.options.earlyStop = EarlyStop(patience: 3, metric: "accuracy")
    let history = try setup.trainer.fit(setup.training, validation: setup.validation)
    let accuracies = history.map { $0.validationMetrics[0] }
    let best = try #require(accuracies.max())
    #expect(accuracies.firstIndex(of: best) == accuracies.count - 5)
  }

  @Test func divergenceThrows() throws {
    let setup = TrainingSetup()
    let x = Tensor([Float](repeating: .nan, count: 8), shape: [2, 4])
    let broken = DataLoader(TensorDataset(inputs: x, targets: Tensor([0, 1] as [Int32])), batchSize: 2)
    let error = #expect(throws: DivergenceError.self) { try setup.trainer.fit(broken) }
    #expect(error?.step == 1)
  }

  /// Gradients that are no numbers end the training before they reach the parameters, and so the checkpoint.
  @Test func checkpointsStayGood() throws {
    let path = temporaryPath("good.safetensors")
    defer { unlink(path) }
    let setup = TrainingSetup(epochs: 2)
    setup.trainer.options.checkpoint = path
    let poison = Mutex(false)
    let trainer = Trainer(
      setup.model, optimizer: Adam(setup.model.parameters), metrics: [.accuracy], generator: setup.trainer.generator
    ) { output, labels in
      let loss = softmaxCrossEntropy(output, labels)
      // A finite loss whose gradient is infinite.
      return poison.withLock({ $0 }) ? loss + (output * 0).squareRoot().sum() : loss
    }
    trainer.options = setup.trainer.options
    trainer.onEpoch = { _ in poison.withLock { $0 = true } }
    #expect(throws: DivergenceError.self) { try trainer.fit(DataLoader(setup.training.dataset, batchSize: 90)) }
    let saved = try Safetensors(path: path).tensors
    #expect(saved.values.allSatisfy { $0.array(of: Double.self).allSatisfy(\.isFinite) })
    #expect(try TrainingSetup(epochs: 2).trainer.resumeIfPresent(from: path))
  }

  @Test func anotherOptimizersCheckpointThrows() throws {
    let path = temporaryPath("kind.safetensors")
    defer { unlink(path) }
    let setup = TrainingSetup()
    try setup.trainer.saveCheckpoint(to: path)
    let other = Trainer(
      setup.model, optimizer: SGD(setup.model.parameters, learningRate: 0.1, momentum: 0.9), metrics: [.accuracy]
    ) { softmaxCrossEntropy($0, $1) }
    let error = #expect(throws: FileError.self) { try other.resume(from: path) }
    #expect(error?.message.contains("Adam") ?? false)
  }

  @Test func filesThatCannotBeWrittenThrowBeforeTheFirstStep() {
    let setup = TrainingSetup()
    for path in ["/nonexistent/file", "/dev/null"] {
      setup.trainer.options.checkpoint = path
      #expect(throws: FileError.self) { try setup.trainer.fit(setup.training) }
      setup.trainer.options.checkpoint = nil
      setup.trainer.options.csv = path
      #expect(throws: FileError.self) { try setup.trainer.fit(setup.training) }
    }
    #expect(setup.trainer.step == 0)
  }

  @Test func dataWithoutBatchesStop() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let setup = TrainingSetup()
      try setup.trainer.fit(DataLoader(setup.training.dataset, batchSize: 100, dropsLast: true))
    }
    let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(text.contains("the training data give no batch: 90 samples by 100"))
  }

  @Test func metrics() {
    let output = Tensor([1, 2, 3, 3, 2, 1, 0, 5, 4] as [Float], shape: [3, 3])
    let labels = Tensor([2, 1, 0] as [Int32])
    #expect(Metric.accuracy.measure(output, labels) == Mean(sum: 1, weight: 3))
    #expect(Metric.topAccuracy(2).measure(output, labels) == Mean(sum: 2, weight: 3))
    #expect(Metric.topAccuracy(3).measure(output, labels) == Mean(sum: 3, weight: 3))
    let odd = Tensor([.nan, 1, 0, -.infinity, 0, 1] as [Float], shape: [2, 3])
    #expect(Metric.topAccuracy(1).measure(odd, Tensor([0, 2] as [Int32])) == Mean(sum: 1, weight: 2))
    let error = Metric.meanAbsoluteError.measure(Tensor([1.0, 2]), Tensor([0.0, 4]))
    #expect(error == Mean(sum: 3, weight: 2))
  }

  @Test func fixedPointNumbers() {
    #expect(fixedPoint(0.05, 4) == "0.0500")
    #expect(fixedPoint(-1.9999, 2) == "-2.00")
    #expect(fixedPoint(-0.001, 2) == "0.00")
    #expect(fixedPoint(12.5, 0) == "13")
    #expect(fixedPoint(.nan, 2) == "nan")
    #expect(clockTime(61.2) == "1:02")
    #expect(clockTime(3600 * 2 + 59) == "2:00:59")
  }
}
