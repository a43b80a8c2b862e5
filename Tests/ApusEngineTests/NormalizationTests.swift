import ApusEngine
import ApusTestSupport
import Testing

/// A normalisation in float64 as its definition reads, and what the engine makes of it.
private struct NormalizationTrial {
  var plan: Normalization
  var x: [Double]
  var gamma: [Double]
  var beta: [Double]
  var dy: [Double]

  init(_ plan: Normalization, seed: UInt64) {
    self.plan = plan
    var random = Randomness(seed: seed)
    x = random.reals(plan.count, plan.dataType).map { plan.dataType.rounded($0 + 3) }
    gamma = random.reals(plan.channels, plan.dataType).map { plan.dataType.rounded($0 + 1.5) }
    beta = random.reals(plan.channels, plan.dataType)
    dy = random.reals(plan.count, plan.dataType)
  }

  /// Channel, and what shares its statistics.
  func place(_ i: Int) -> (channel: Int, set: Int) {
    if plan.kind == .layer || plan.kind == .rms { return (i % plan.channels, i / plan.channels) }
    let sample = i / (plan.channels * plan.positions)
    let inSample = i % (plan.channels * plan.positions)
    let channel = plan.layout == .channelsFirst ? inSample / plan.positions : inSample % plan.channels
    switch plan.kind {
    case .batch: return (channel, channel)
    case .instance: return (channel, sample * plan.channels + channel)
    default: return (channel, sample * plan.groups + channel / (plan.channels / plan.groups))
    }
  }

  func statistics(_ x: [Double]) -> (means: [Double], variances: [Double], counts: [Double]) {
    var means = [Double](repeating: 0, count: plan.statisticsCount)
    var variances = means
    var counts = means
    for i in x.indices { counts[place(i).set] += 1 }
    if plan.kind != .rms { for i in x.indices { means[place(i).set] += x[i] / counts[place(i).set] } }
    for i in x.indices {
      let d = x[i] - means[place(i).set]
      variances[place(i).set] += d * d / counts[place(i).set]
    }
    return (means, variances, counts)
  }

  func forward(_ x: [Double]) -> [Double] {
    let s = statistics(x)
    return x.indices.map {
      let (channel, set) = place($0)
      return (x[$0] - s.means[set]) / (s.variances[set] + plan.epsilon).squareRoot() * gamma[channel] + beta[channel]
    }
  }

  func run(_ context: ExecutionContext, backward: Bool = true) throws -> (
    y: RealArray, mean: RealArray, scale: RealArray, dx: RealArray, dgamma: RealArray, dbeta: RealArray
  ) {
    let type = plan.dataType
    let arrays = [x, gamma, beta, dy].map { RealArray(type, $0) }
    let results = (
      y: RealArray(type, count: x.count), mean: RealArray(type, count: plan.statisticsCount),
      scale: RealArray(type, count: plan.statisticsCount), dx: RealArray(type, count: x.count),
      dgamma: RealArray(type, count: plan.channels), dbeta: RealArray(type, count: plan.channels)
    )
    var a = NormalizationArguments()
    a.x = UnsafeRawPointer(arrays[0].pointer)
    a.gamma = UnsafeRawPointer(arrays[1].pointer)
    a.beta = UnsafeRawPointer(arrays[2].pointer)
    a.y = results.y.pointer
    a.mean = results.mean.pointer
    a.scale = results.scale.pointer
    try plan.forward(context: context, a)
    a.dy = UnsafeRawPointer(arrays[3].pointer)
    a.dx = results.dx.pointer
    a.dgamma = results.dgamma.pointer
    a.dbeta = results.dbeta.pointer
    if backward { try plan.backward(context: context, a) }
    return withExtendedLifetime(arrays) { results }
  }
}

@Suite struct NormalizationTests {
  private static func plans(_ type: DataType) -> [Normalization] {
    var plans: [Normalization] = []
    for layout in TensorLayout.allCases {
      for (kind, batch, channels, positions, groups) in [
        (NormalizationKind.batch, 3, 5, 7, 1), (.batch, 2, 20, 33, 1), (.batch, 1, 1, 5000, 1), (.batch, 9, 3, 1, 1),
        (.instance, 2, 5, 19, 1), (.instance, 1, 17, 100, 1), (.group, 2, 6, 11, 2), (.group, 3, 36, 20, 4),
        (.group, 1, 8, 700, 1),
      ] {
        var plan = Normalization(kind, dataType: type, batch: batch, channels: channels, positions: positions)
        plan.layout = layout
        plan.groups = groups
        plans.append(plan)
      }
    }
    for kind in [NormalizationKind.layer, .rms] {
      for (rows, size) in [(1, 1), (3, 5), (40, 16), (7, 33), (2, 2100)] {
        plans.append(Normalization(kind, dataType: type, batch: rows, channels: size))
      }
    }
    return plans
  }

  @Test(arguments: InstructionSet.available, gemmTypes)
  func valuesAndGradients(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    for (turn, plan) in Self.plans(type).enumerated() {
      let trial = NormalizationTrial(plan, seed: UInt64(turn))
      let eps = type.epsilon
      let expected = trial.forward(trial.x)
      let result = try trial.run(context)
      let s = trial.statistics(trial.x)
      // x has mean 3 and deviation near 0.6; a set of one element has none but epsilon.
      let smallest = s.variances.map { ($0 + plan.epsilon).squareRoot() }.min() ?? 1
      // The plain sums of the reference are rounded too.
      let bound = eps * (60 + Double(plan.count) / 8) / min(1, smallest)
      let difference = firstDifference(result.y, expected, within: { _ in bound })
      #expect(difference == nil, "\(set) \(plan): y\(difference ?? "")")
      if plan.kind != .rms {
        #expect(firstDifference(result.mean, s.means, within: { _ in eps * 40 }) == nil, "\(plan)")
      }

      // The gradient of the definition.
      var dgamma = [Double](repeating: 0, count: plan.channels)
      var dbeta = dgamma
      var sums = [Double](repeating: 0, count: plan.statisticsCount)
      var products = sums
      for i in trial.x.indices {
        let (c, k) = trial.place(i)
        let h = (trial.x[i] - s.means[k]) / (s.variances[k] + plan.epsilon).squareRoot()
        dgamma[c] += trial.dy[i] * h
        dbeta[c] += trial.dy[i]
        sums[k] += trial.dy[i] * trial.gamma[c]
        products[k] += trial.dy[i] * trial.gamma[c] * h
      }
      let dx = trial.x.indices.map { i in
        let (c, k) = trial.place(i)
        let scale = 1 / (s.variances[k] + plan.epsilon).squareRoot()
        let h = (trial.x[i] - s.means[k]) * scale
        let a = plan.kind == .rms ? 0 : sums[k] / s.counts[k]
        return scale * (trial.dy[i] * trial.gamma[c] - a - h * products[k] / s.counts[k])
      }
      let wide = eps * 2000 / (smallest * smallest * smallest)
      for (name, array, wanted, scale) in [
        ("dx", result.dx, dx, 1.0), ("dgamma", result.dgamma, dgamma, Double(plan.count) / 8),
        ("dbeta", result.dbeta, dbeta, 1),
      ] {
        let difference = firstDifference(array, wanted, within: { _ in wide * max(1, scale) })
        #expect(difference == nil, "\(set) \(plan): \(name)\(difference ?? "")")
      }
    }
  }

  /// The definition's gradient, which the test above takes, is that of differences.
  @Test(arguments: InstructionSet.available)
  func gradientsAreDifferences(_ set: InstructionSet) throws {
    let context = try ExecutionContext(instructionSet: set, backend: .serial, threads: 1)
    for plan in Self.plans(.float64) where plan.count <= 120 && plan.count > 20 {
      let trial = NormalizationTrial(plan, seed: 4)
      let dx = try trial.run(context).dx
      for i in stride(from: 0, to: plan.count, by: 7) {
        func sum(_ h: Double) -> Double {
          var x = trial.x
          x[i] += h
          return zip(trial.forward(x), trial.dy).reduce(0) { $0 + $1.0 * $1.1 }
        }
        #expect(abs((sum(1e-5) - sum(-1e-5)) / 2e-5 - dx[i]) < 1e-6, "\(plan) \(i)")
      }
    }
  }

  @Test(arguments: InstructionSet.available, gemmTypes)
  func threadsAgree(_ set: InstructionSet, _ type: DataType) throws {
    let serial = try ExecutionContext(instructionSet: set, backend: .serial, threads: 1)
    var plans: [Normalization] = []
    for layout in TensorLayout.allCases {
      for kind in [NormalizationKind.batch, .group, .instance] {
        var plan = Normalization(kind, dataType: type, batch: 4, channels: 24, positions: 300)
        plan.layout = layout
        plan.groups = 3
        plans.append(plan)
      }
    }
    plans.append(Normalization(.layer, dataType: type, batch: 100, channels: 200))
    plans.append(Normalization(.rms, dataType: type, batch: 77, channels: 300))
    for plan in plans {
      let trial = NormalizationTrial(plan, seed: 6)
      let expected = try trial.run(serial)
      for setting in Setting.of(set) {
        let found = try trial.run(setting.context())
        #expect(found.y.bytes == expected.y.bytes && found.dx.bytes == expected.dx.bytes, "\(setting) \(plan)")
        #expect(
          found.dgamma.bytes == expected.dgamma.bytes && found.dbeta.bytes == expected.dbeta.bytes, "\(setting) \(plan)"
        )
      }
    }
  }

  /// A mean that is a million deviations away costs no more than the rounding of the data themselves.
  @Test(arguments: InstructionSet.available)
  func varianceIsStable(_ set: InstructionSet) throws {
    let context = try ExecutionContext(instructionSet: set, backend: .serial, threads: 1)
    for plan in Self.plans(.float32) where plan.kind != .rms && plan.count > 100 {
      var trial = NormalizationTrial(plan, seed: 8)
      trial.plan.epsilon = 1e-12
      trial.x = trial.x.indices.map { 4096 + Double($0 * 7 % 5) / 1024 }
      let found = try trial.run(context, backward: false).scale
      let s = trial.statistics(trial.x)
      for k in s.variances.indices where s.variances[k] > 1e-9 {
        let wanted = 1 / (s.variances[k] + 1e-12).squareRoot()
        #expect(abs(found[k] - wanted) < 0.02 * wanted, "\(set) \(plan): \(found[k]) instead of \(wanted)")
      }
    }
  }

  @Test(arguments: gemmTypes, TensorLayout.allCases)
  func runningStatisticsAndFolding(_ type: DataType, _ layout: TensorLayout) throws {
    let context = try ExecutionContext(backend: .serial, threads: 1)
    var plan = Normalization(.batch, dataType: type, batch: 2, channels: 3, positions: 5)
    plan.layout = layout
    let trial = NormalizationTrial(plan, seed: 3)
    let s = trial.statistics(trial.x)
    let (mean, variance) = (RealArray(type, [0, 0, 0]), RealArray(type, [1, 1, 1]))
    let x = RealArray(type, trial.x)
    let y = RealArray(type, count: plan.count)
    var a = NormalizationArguments()
    a.x = UnsafeRawPointer(x.pointer)
    a.y = y.pointer
    a.runningMean = mean.pointer
    a.runningVariance = variance.pointer
    try plan.forward(context: context, a)
    for c in 0..<3 {
      #expect(abs(mean[c] - 0.1 * s.means[c]) < 1e-6)
      #expect(abs(variance[c] - (0.9 + 0.1 * s.variances[c] * 10 / 9)) < 1e-6)
    }
    plan.isTraining = false
    let (gamma, beta) = (RealArray(type, trial.gamma), RealArray(type, trial.beta))
    a.gamma = UnsafeRawPointer(gamma.pointer)
    a.beta = UnsafeRawPointer(beta.pointer)
    try plan.forward(context: context, a)
    let expected = trial.x.indices.map { i in
      let c = trial.place(i).channel
      return (trial.x[i] - mean[c]) / (variance[c] + 1e-5).squareRoot() * gamma[c] + beta[c]
    }
    #expect(firstDifference(y, expected, within: { _ in type.epsilon * 60 }) == nil)
    // Folded into weights of 1 and bias 0, it is the same function of x.
    let weights = RealArray(type, [1, 1, 1])
    let bias = RealArray(type, count: 3)
    try plan.fold(
      a, perChannel: 1, weights: weights.pointer, bias: nil, newWeights: weights.pointer, newBias: bias.pointer)
    for i in trial.x.indices {
      let c = trial.place(i).channel
      #expect(abs(weights[c] * trial.x[i] + bias[c] - expected[i]) < 1e-5)
    }
  }

  @Test(arguments: InstructionSet.available, gemmTypes)
  func localResponse(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    var random = Randomness(seed: 1)
    for layout in TensorLayout.allCases {
      for (batch, channels, positions, size) in [(2, 7, 5, 5), (1, 3, 40, 5), (3, 20, 17, 4), (1, 2, 3, 1)] {
        var plan = ResponseNormalization(dataType: type, batch: batch, channels: channels, positions: positions)
        (plan.layout, plan.size, plan.alpha, plan.k) = (layout, size, 0.5, 2)
        let count = batch * channels * positions
        let x = random.reals(count, type)
        let g = random.reals(count, type)
        func place(_ n: Int, _ c: Int, _ p: Int) -> Int {
          layout == .channelsFirst ? (n * channels + c) * positions + p : (n * positions + p) * channels + c
        }
        func forward(_ x: [Double]) -> [Double] {
          var y = x
          for n in 0..<batch {
            for c in 0..<channels {
              for p in 0..<positions {
                var sum = 0.0
                for i in 0..<size {
                  let k = c - size / 2 + i
                  if k >= 0 && k < channels { sum += x[place(n, k, p)] * x[place(n, k, p)] }
                }
                let s = plan.k + plan.alpha / Double(size) * sum
                y[place(n, c, p)] = x[place(n, c, p)] / (s.squareRoot() * s.squareRoot().squareRoot())
              }
            }
          }
          return y
        }
        let y = RealArray(type, count: count)
        let source = RealArray(type, x)
        try plan.forward(context: context, x: source.pointer, y: y.pointer)
        #expect(firstDifference(y, forward(x), within: { _ in type.epsilon * 20 }) == nil, "\(set) \(plan)")
        let dx = RealArray(type, count: count)
        let kept1 = RealArray(type, g)
        try plan.backward(context: context, x: source.pointer, dy: kept1.pointer, dx: dx.pointer)
        for i in stride(from: 0, to: count, by: 5) {
          func sum(_ h: Double) -> Double {
            var moved = x
            moved[i] += h
            return zip(forward(moved), g).reduce(0) { $0 + $1.0 * $1.1 }
          }
          #expect(abs((sum(1e-5) - sum(-1e-5)) / 2e-5 - dx[i]) < 1e-8 + 40 * type.epsilon, "\(set) \(plan) \(i)")
        }
      }
    }
  }

  @Test func mistakesAreNamed() throws {
    let context = try ExecutionContext(backend: .serial, threads: 1)
    func message(_ plan: Normalization) -> String {
      let error = #expect(throws: ApusError.self) { try plan.forward(context: context, NormalizationArguments()) }
      return error?.message ?? ""
    }
    var plan = Normalization(.group, dataType: .float32, batch: 2, channels: 6, positions: 4)
    plan.groups = 4
    #expect(message(plan) == "groups is 4, but it must be at least 1 and divide the 6 channels")
    plan.groups = 2
    #expect(message(plan) == "x is NULL, but its 48 elements are needed")
    plan.epsilon = -1
    #expect(message(plan).contains("epsilon is -1.0"))
    #expect(
      message(Normalization(.layer, dataType: .float32, batch: 2, channels: 6, positions: 4)).contains("positions is 4")
    )
    #expect(message(Normalization(.batch, dataType: .int32, batch: 2, channels: 6)).contains("dtype is int32"))
    #expect(message(Normalization(.batch, dataType: .float32, batch: -2, channels: 6)).contains("batch is -2"))
  }
}
