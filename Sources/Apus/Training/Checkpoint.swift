/// Checkpoints: safetensors files with the model's state under "model.", the optimizer's under "optimizer.", what a model
/// carries under "carried.", the best epoch's state under "best.", and all else in the file's metadata. Numbers stand there
/// in their shortest form that gives the same bits.
extension Trainer {
  private static let format = "apus.checkpoint"

  /// Writes all that a resumption needs, as a whole or not at all.
  public func saveCheckpoint(to path: String) throws(FileError) {
    var tensors: [String: Tensor] = [:]
    for (name, tensor) in model.state { tensors["model." + name] = tensor }
    let own = optimizer.state
    for (kind, states) in [("first", own.first), ("second", own.second)] {
      for (i, tensor) in states.enumerated() { if let tensor { tensors["optimizer.\(kind).\(i)"] = tensor } }
    }
    for (name, tensor) in (model as? any CarriesState)?.carriedState ?? [:] { tensors["carried." + name] = tensor }
    for (name, tensor) in state.best ?? [:] { tensors["best." + name] = tensor }
    var metadata = [
      Self.format: "1", "epoch": "\(state.epoch)", "batch": "\(state.batch)", "step": "\(state.step)",
      "optimizer.step": "\(own.step)", "optimizer.parameters": "\(own.first.count)",
      "optimizer.kind": "\(type(of: optimizer))",
      "learning_rate": "\(optimizer.learningRate)", "seed": "\(generator.state.seed)",
      "offset": "\(generator.state.offset)", "metrics": metrics.map(\.name).joined(separator: ","),
      "history": state.history.map { Self.text($0.numbers) }.joined(separator: ";"), "loader": state.loader,
      "has_ended": state.hasEnded ? "1" : "0", "has_best": state.best == nil ? "0" : "1",
    ]
    if let sums = state.sums {
      let numbers = ([sums.loss] + sums.metrics).flatMap { [$0.sum, $0.weight] }
      metadata["sums"] = Self.text([state.seconds, Double(sums.samples)] + numbers)
    }
    if let plateau = state.plateau {
      metadata["plateau"] = Self.text([plateau.rate, plateau.best, Double(plateau.waited)])
    }
    if let stop = state.earlyStop { metadata["early_stop"] = Self.text([stop.best, Double(stop.waited)]) }
    try Safetensors(tensors: tensors, metadata: metadata).write(to: path)
  }

  /// Takes a training up where ``saveCheckpoint(to:)`` left it.
  ///
  /// - Parameter path: The file.
  /// - Throws: What is wrong with the file, or where it is not of such a model, optimizer and metrics. Nothing has been changed
  ///   then.
  public func resume(from path: String) throws(FileError) {
    let file = try Safetensors(path: path)
    let texts = CheckpointTexts(path: path, texts: file.metadata)
    if file.metadata[Self.format] != "1" { throw texts.error("it is no checkpoint of this version") }
    let names = metrics.map(\.name).joined(separator: ",")
    if try texts.text("metrics") != names {
      throw texts.error("its metrics are \(try texts.text("metrics")), but the trainer's are \(names)")
    }
    let state = try trainingState(texts, file.tensors)
    let optimizerState = try optimizerState(texts, file.tensors)
    let rate = try texts.rate(texts.numbers("learning_rate", 1)[0])
    let place = RandomGenerator.State(seed: try texts.integer("seed"), offset: try texts.integer("offset"))
    do throws(ApusError) {
      if let best = state.best { try model.check(best) }
      try model.load(Self.part("model.", of: file.tensors))
    } catch { throw texts.error(error.message) }
    optimizer.state = optimizerState
    optimizer.learningRate = rate
    generator.state = place
    // An epoch begins with nothing carried.
    (model as? any CarriesState)?.carriedState = state.batch > 0 ? Self.part("carried.", of: file.tensors) : [:]
    self.state = state
  }

  /// The same where the file is there; where there is none the training begins at its beginning.
  ///
  /// - Returns: Whether there was one.
  @discardableResult
  public func resumeIfPresent(from path: String) throws(FileError) -> Bool {
    if !FileBytes.exists(path) { return false }
    try resume(from: path)
    return true
  }

  private func trainingState(_ texts: CheckpointTexts, _ tensors: [String: Tensor]) throws(FileError) -> TrainingState {
    var state = TrainingState()
    state.epoch = try texts.count("epoch")
    state.batch = try texts.count("batch")
    state.step = try texts.count("step")
    state.loader = try texts.text("loader")
    state.hasEnded = try texts.text("has_ended") == "1"
    if try texts.text("has_best") == "1" { state.best = Self.part("best.", of: tensors) }
    for line in try texts.text("history").split(separator: ";") {
      guard let record = EpochRecord(try texts.numbers(of: line), metrics: metrics.count) else {
        throw texts.error("its history is damaged")
      }
      state.history.append(record)
    }
    if state.batch > 0 {
      let numbers = try texts.numbers("sums", 4 + 2 * metrics.count)
      var sums = Sums(metrics.count)
      state.seconds = numbers[0]
      sums.samples = try texts.count(numbers[1])
      sums.loss = Mean(sum: numbers[2], weight: numbers[3])
      for i in metrics.indices { sums.metrics[i] = Mean(sum: numbers[4 + 2 * i], weight: numbers[5 + 2 * i]) }
      state.sums = sums
    }
    if texts.texts["plateau"] != nil {
      let numbers = try texts.numbers("plateau", 3)
      var plateau = PlateauSchedule(from: try texts.rate(numbers[0]))
      plateau.best = numbers[1]
      plateau.waited = try texts.count(numbers[2])
      state.plateau = plateau
    }
    if texts.texts["early_stop"] != nil {
      let numbers = try texts.numbers("early_stop", 2)
      var stop = EarlyStop(patience: 0)
      stop.best = numbers[0]
      stop.waited = try texts.count(numbers[1])
      state.earlyStop = stop
    }
    return state
  }

  private func optimizerState(
    _ texts: CheckpointTexts, _ tensors: [String: Tensor]
  ) throws(FileError) -> OptimizerState {
    let kind = "\(type(of: optimizer))"
    if try texts.text("optimizer.kind") != kind {
      throw texts.error("its optimizer is \(try texts.text("optimizer.kind")), but the trainer's is \(kind)")
    }
    let parameters = optimizer.parameters
    if try texts.count("optimizer.parameters") != parameters.count {
      throw texts.error(
        "its optimizer has \(try texts.text("optimizer.parameters")) parameters, but this one has \(parameters.count)")
    }
    func states(_ kind: String) throws(FileError) -> [Tensor?] {
      var result: [Tensor?] = []
      for (i, parameter) in parameters.enumerated() {
        let tensor = tensors["optimizer.\(kind).\(i)"]
        if let tensor, tensor.shape != parameter.shape || tensor.dtype != parameter.dtype {
          throw texts.error(
            "its optimizer's state \(i) is \(tensor.dtype) \(tensor.shape), but the parameter is \(parameter.dtype) "
              + "\(parameter.shape)")
        }
        result.append(tensor)
      }
      return result
    }
    return OptimizerState(
      step: try texts.count("optimizer.step"), first: try states("first"), second: try states("second"))
  }

  private static func part(_ prefix: String, of tensors: [String: Tensor]) -> [String: Tensor] {
    var part: [String: Tensor] = [:]
    for (name, tensor) in tensors where name.hasPrefix(prefix) { part[String(name.dropFirst(prefix.count))] = tensor }
    return part
  }

  private static func text(_ numbers: [Double]) -> String { numbers.map { "\($0)" }.joined(separator: " ") }
}

/// The texts of a checkpoint, which may hold anything.
private struct CheckpointTexts {
  let path: String
  let texts: [String: String]
  /// What a `Double` holds exactly, and can be counted on from.
  private static let counts = 0...1 << 53

  func error(_ message: String) -> FileError {
    FileError(code: .malformed, path: path, offset: nil, message: message)
  }

  func text(_ name: String) throws(FileError) -> String {
    guard let text = texts[name] else { throw error("it has no \(name)") }
    return text
  }

  func integer(_ name: String) throws(FileError) -> UInt64 {
    guard let value = UInt64(try text(name)) else { throw error("its \(name) is no number") }
    return value
  }

  func count(_ name: String) throws(FileError) -> Int {
    guard let value = Int(try text(name)), Self.counts.contains(value) else { throw error("its \(name) is no count") }
    return value
  }

  func count(_ number: Double) throws(FileError) -> Int {
    guard let value = Int(exactly: number), Self.counts.contains(value) else { throw error("\(number) is no count") }
    return value
  }

  func rate(_ number: Double) throws(FileError) -> Double {
    if !number.isFinite { throw error("\(number) is no learning rate") }
    return number
  }

  func numbers(_ name: String, _ count: Int) throws(FileError) -> [Double] {
    let numbers = try numbers(of: try text(name)[...])
    if numbers.count != count { throw error("its \(name) has \(numbers.count) numbers, not \(count)") }
    return numbers
  }

  func numbers(of text: Substring) throws(FileError) -> [Double] {
    var numbers: [Double] = []
    for part in text.split(separator: " ") {
      guard let number = Double(part) else { throw error("\(part.prefix(20)) is no number") }
      numbers.append(number)
    }
    return numbers
  }
}
