extension Trainer {
  /// Trains one epoch, from the batch on that is next.
  func runEpoch(_ training: DataLoader, _ validation: DataLoader?, _ events: EventFileWriter?) throws {
    let order =
      "\(training.dataset.count) samples by \(training.batchSize), seed \(training.seed)"
      + (training.shuffles ? ", shuffled" : "") + (training.dropsLast ? ", without a last part" : "")
    if state.batch == 0 {
      state.sums = Sums(metrics.count)
      state.seconds = 0
      state.loader = order
      (model as? any CarriesState)?.carriedState = [:]
    } else if state.loader != order {
      throw FileError(
        code: .malformed, path: options.checkpoint ?? "checkpoint", offset: nil,
        message: "it was made within an epoch of \(state.loader), but now there are \(order)")
    }
    if options.scheduleUnit == .epoch, let schedule = options.schedule {
      optimizer.learningRate = schedule.rate(at: state.epoch)
    } else if let plateau = state.plateau {
      optimizer.learningRate = plateau.rate
    }
    var bar = ProgressBar(
      options.output, title: "Epoch \(state.epoch + 1)/\(options.epochs)", batches: training.batchCount)
    let before = state.seconds
    let start = ContinuousClock.now
    let batches = training.batches(epoch: state.epoch, from: state.batch)
    while !isStopping, let batch = try batches.next() {
      try runStep(batch, isLast: state.batch + 1 == training.batchCount, events)
      state.seconds = before + seconds(since: start)
      let left = state.seconds / Double(state.batch) * Double(training.batchCount - state.batch)
      bar.show(done: state.batch, figures: { shortFigures(state.sums, state.seconds) }, secondsLeft: left)
      if let interval = options.checkpointInterval, state.step % interval == 0, state.batch < training.batchCount {
        try save()
      }
    }
    if state.batch < training.batchCount {
      bar.end("stopped in epoch \(state.epoch + 1), after batch \(state.batch) of \(training.batchCount)")
      return try save()
    }
    try endEpoch(validation, events, &bar)
  }

  private func runStep(_ batch: Batch, isLast: Bool, _ events: EventFileWriter?) throws {
    if options.scheduleUnit == .step, let schedule = options.schedule {
      optimizer.learningRate = schedule.rate(at: state.step)
    }
    let output = model(batch.inputs)
    let loss = loss(output, batch.targets)
    let value = loss.scalar
    if !value.isFinite { throw DivergenceError(epoch: state.epoch + 1, step: state.step + 1, loss: value) }
    // What an error left of a step that did not end.
    optimizer.parameters.clearGradients()
    loss.backward()
    let logs = events != nil && state.step % options.eventInterval == 0
    var norm: Double?
    if let limit = options.clipValue { optimizer.parameters.clipGradients(toValue: limit) }
    if let limit = options.clipNorm {
      norm = optimizer.parameters.clipGradients(toNorm: limit)
    } else if logs || savesAfterStep(isLast) {
      norm = optimizer.parameters.gradientNorm()
    }
    // A checkpoint never holds what such gradients leave behind.
    if let norm, !norm.isFinite {
      optimizer.parameters.clearGradients()
      throw DivergenceError(epoch: state.epoch + 1, step: state.step + 1, loss: value)
    }
    if isLast, let events {
      let gradients = model.namedParameters.compactMap { name, parameter in
        parameter.gradient.map { (tag: "gradients/" + name, tensor: $0) }
      }
      try events.write(step: state.step + 1, histograms: gradients)
    }
    optimizer.step()
    state.sums?.add(value, output, batch, metrics)
    state.batch += 1
    state.step += 1
    if logs, let events, let norm {
      try events.write(
        step: state.step,
        scalars: [("loss/step", value), ("gradient_norm", norm), ("learning_rate", optimizer.learningRate)])
    }
    onStep?(state.step, value)
  }

  private func savesAfterStep(_ isLast: Bool) -> Bool {
    options.checkpoint != nil && (isLast || options.checkpointInterval.map { (state.step + 1) % $0 == 0 } ?? false)
  }

  private func endEpoch(_ validation: DataLoader?, _ events: EventFileWriter?, _ bar: inout ProgressBar) throws {
    guard let sums = state.sums else { return }
    let rate = optimizer.learningRate
    let measured = try validation.map { try evaluate($0) }
    if let loss = measured?.loss, !loss.isFinite {
      throw DivergenceError(epoch: state.epoch + 1, step: state.step, loss: loss)
    }
    let record = EpochRecord(
      epoch: state.epoch + 1, step: state.step, loss: sums.loss.value, metrics: sums.metrics.map(\.value),
      validationLoss: measured?.loss, validationMetrics: measured?.metrics ?? [], learningRate: rate,
      samples: sums.samples, seconds: state.seconds)
    state.history.append(record)
    state.epoch += 1
    state.batch = 0
    state.sums = nil
    decide(record)
    var parts = figures(record.loss, record.metrics) + ["\(speed(sums, record.seconds)) \(options.sampleName)/s"]
    if let (loss, values) = measured {
      let own = figures(loss, values)
      parts += ["validation \(own[0])"] + own.dropFirst()
    }
    bar.end(
      "Epoch \(record.epoch)/\(options.epochs): \(parts.joined(separator: ", ")), \(fixedPoint(record.seconds, 1)) s")
    if let events { try log(record, events) }
    onEpoch?(record)
    if let path = options.csv {
      let text = EpochRecord.csv(state.history, metrics: metrics.map(\.name))
      try FileBytes.write([.bytes(Array(text.utf8))], to: path)
    }
    try save()
  }

  /// Plateau and early stop.
  private func decide(_ record: EpochRecord) {
    let loss = record.validationLoss ?? record.loss
    if let rate = state.plateau?.update(loss: loss) { optimizer.learningRate = rate }
    guard let rule = state.earlyStop else { return }
    var figure = loss
    if let name = rule.metric, let place = metrics.firstIndex(where: { $0.name == name }) {
      figure = -(record.validationLoss == nil ? record.metrics : record.validationMetrics)[place]
    }
    guard let (isBest, ends) = state.earlyStop?.update(figure) else { return }
    if isBest && rule.restoresBest { state.best = model.state }
    state.hasEnded = ends
  }

  private func log(_ record: EpochRecord, _ events: EventFileWriter) throws(FileError) {
    var scalars = [("loss/epoch", record.loss)]
    scalars += zip(metrics, record.metrics).map { ($0.name + "/epoch", $1) }
    if let loss = record.validationLoss {
      scalars.append(("loss/validation", loss))
      scalars += zip(metrics, record.validationMetrics).map { ($0.name + "/validation", $1) }
    }
    scalars.append(("samples_per_second", record.samplesPerSecond))
    try events.write(step: record.step, scalars: scalars.map { (tag: $0.0, value: $0.1) })
    try events.write(
      step: record.step,
      histograms: model.namedParameters.map { (tag: "parameters/" + $0.name, tensor: $0.parameter.value.detached()) })
  }

  private func save() throws(FileError) {
    if let path = options.checkpoint { try saveCheckpoint(to: path) }
  }

  private func seconds(since start: ContinuousClock.Instant) -> Double {
    let (seconds, attoseconds) = start.duration(to: .now).components
    return Double(seconds) + Double(attoseconds) * 1e-18
  }

  /// For a line that has a bar too.
  private func shortFigures(_ sums: Sums?, _ seconds: Double) -> String {
    guard let sums else { return "" }
    return (figures(sums.loss.value, sums.metrics.map(\.value)) + [speed(sums, seconds) + "/s"]).joined(separator: " ")
  }

  private func speed(_ sums: Sums, _ seconds: Double) -> String {
    fixedPoint(seconds > 0 ? Double(sums.samples) / seconds : 0, 0)
  }

  private func figures(_ loss: Double, _ values: [Double]) -> [String] {
    ["loss \(fixedPoint(loss, 4))"] + zip(metrics, values).map { "\($0.name) \(fixedPoint($1, 4))" }
  }
}
