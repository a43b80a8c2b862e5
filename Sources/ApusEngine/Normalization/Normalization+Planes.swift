import ApusKernelInterface

// Channels first: the planes of a channel, or the channels of a group, are read for the statistics and again, from the
// second level where they fit it, for the result.

extension Normalization {
  /// What shares statistics: a channel, or a group of a sample.
  private var tasks: Int { kind == .batch ? channels : batch * sets }
  private var channelsPerSet: Int { kind == .batch ? 1 : channels / max(1, sets) }

  private func runs() -> NormalizationRuns {
    kind == .batch
      ? NormalizationRuns(length: positions, stride: channels * positions, count: batch)
      : NormalizationRuns(length: channelsPerSet * positions, stride: 0, count: 1)
  }

  func planesForward(_ context: ExecutionContext, _ a: NormalizationArguments) throws(ApusError) {
    guard let x = a.x, let y = a.y else { return }
    let kernels = kernels(context)
    let size = dataType.size
    let runs = runs()
    let elements = runs.length * runs.count
    let streams = 2 * count * size > streamingBytes && x != UnsafeRawPointer(y)
    let cost = Double(count * size) / 24
    try context.overStretches(of: tasks, grain: max(1, 8192 / elements), nanoseconds: cost) { first, count in
      for task in first..<first + count {
        let start = task * channelsPerSet * positions * size
        var found = (mean: 0.0, scale: 0.0)
        if kind == .batch && !isTraining {
          found = frozen(a, task)
        } else {
          var moments = (0.0, 0.0)
          withUnsafeMutableBytes(of: &moments) { moments in
            let p = moments.baseAddress!.assumingMemoryBound(to: Double.self)
            withUnsafePointer(to: runs) { kernels.moments(x + start, $0, p) }
          }
          found = settle(a, task, mean: moments.0, squares: moments.1, elements: elements)
        }
        forEachPlane(task) { channel, offset in
          let factor = found.scale * number(a.gamma, channel, otherwise: 1)
          let summand = number(a.beta, channel, otherwise: 0)
          kernels.apply(x + offset * size, y + offset * size, positions, found.mean, factor, summand, streams)
        }
      }
    }
  }

  /// Calls `body` with the channel and the first element of every plane of a task.
  @inline(__always)
  private func forEachPlane(_ task: Int, _ body: (Int, Int) -> Void) {
    if kind == .batch {
      for n in 0..<batch { body(task, (n * channels + task) * positions) }
    } else {
      let first = task % sets * channelsPerSet
      for c in 0..<channelsPerSet { body(first + c, (task * channelsPerSet + c) * positions) }
    }
  }

  func planesBackward(_ context: ExecutionContext, _ a: NormalizationArguments) throws(ApusError) {
    guard let x = a.x, let dy = a.dy else { return }
    let kernels = kernels(context)
    let size = dataType.size
    let elements = channelsPerSet * positions * (kind == .batch ? batch : 1)
    let result = a.dx.map { UnsafeRawPointer($0) }
    let streams = 3 * count * size > streamingBytes && result != x && result != dy
    let cost = Double(count * size) / 16
    let backThrough = kind != .batch || isTraining
    // Sums of dy and of dy (x - mean): of each channel, or of each sample's.
    let sumCount = kind == .batch ? channels : batch * channels
    try withBuffer(bytes: 2 * sumCount * 8) { (buffer) throws(ApusError) in
      let sums = buffer.assumingMemoryBound(to: Double.self)
      try context.overStretches(of: tasks, grain: max(1, 8192 / elements), nanoseconds: cost) { first, count in
        for task in first..<first + count {
          let mean = number(UnsafeRawPointer(a.mean), task, otherwise: 0)
          let scale = number(UnsafeRawPointer(a.scale), task, otherwise: 0)
          var total = 0.0
          var products = 0.0
          for c in 0..<channelsPerSet {
            let plane = task * channelsPerSet + c
            let runs =
              kind == .batch
              ? self.runs() : NormalizationRuns(length: positions, stride: 0, count: 1)
            let offset = plane * positions * size
            withUnsafePointer(to: runs) {
              kernels.gradientSums(x + offset, dy + offset, $0, mean, sums + 2 * plane)
            }
            let gamma = number(a.gamma, kind == .batch ? task : plane % channels, otherwise: 1)
            total += gamma * sums[2 * plane]
            products += gamma * sums[2 * plane + 1]
          }
          guard let dx = a.dx else { continue }
          let b = backThrough ? -scale * scale * scale * products / Double(elements) : 0
          let c = backThrough ? -scale * total / Double(elements) : 0
          forEachPlane(task) { channel, offset in
            let factor = scale * number(a.gamma, channel, otherwise: 1)
            let offset = offset * size
            kernels.gradientApply(x + offset, dy + offset, dx + offset, positions, mean, factor, b, c, streams)
          }
        }
      }
      storeParameterGradients(a, sums)
    }
  }

  /// dgamma and dbeta from the sums of each channel, or of each sample's channels, in the order of the samples.
  func storeParameterGradients(_ a: NormalizationArguments, _ sums: UnsafePointer<Double>) {
    let perSet = kind == .batch ? 1 : channels / sets
    for c in 0..<channels {
      var total = 0.0
      var products = 0.0
      for n in 0..<(kind == .batch ? 1 : batch) {
        let i = n * channels + c
        let scale = number(UnsafeRawPointer(a.scale), i / perSet, otherwise: 0)
        total += sums[2 * i]
        products += sums[2 * i + 1] * scale
      }
      store(products, a.dgamma, c)
      store(total, a.dbeta, c)
    }
  }
}
