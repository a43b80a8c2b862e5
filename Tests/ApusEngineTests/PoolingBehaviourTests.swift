import ApusEngine
import ApusTestSupport
import Testing

/// What must be bitwise equal, what special values do, and gradients against differences.
@Suite struct PoolingBehaviourTests {
  private func bytes(_ memory: TestMemory) -> [UInt8] {
    Array(UnsafeRawBufferPointer(start: memory.base, count: memory.count))
  }

  /// Large enough for several threads, of every algorithm.
  private static func problems(_ type: DataType) -> [PoolingDescriptor] {
    var result: [PoolingDescriptor] = []
    for layout in TensorLayout.allCases {
      for kind in PoolingKind.allCases {
        for (size, stride, padding) in [(2, 2, 0), (3, 2, 1), (3, 1, 1), (3, 3, 1), (20, 1, 0)] {
          var window = SpatialWindow(rank: 2, input: Extents(1, 20, 20), window: Extents(1, size, size))
          window.stride = Extents(1, stride, stride)
          window.padBefore = Extents(0, padding, padding)
          window.padAfter = window.padBefore
          var d = PoolingDescriptor(dataType: type, kind: kind, batch: 3, channels: 35, window: window)
          d.layout = layout
          result.append(d)
        }
      }
    }
    return result
  }

  @Test(arguments: InstructionSet.available, gemmTypes)
  func threadsBackendsAndScratchAgree(_ set: InstructionSet, _ type: DataType) throws {
    let serial = try ExecutionContext(instructionSet: set, backend: .serial, threads: 1)
    let contexts = try Setting.of(set).map { try $0.context() }
    for (turn, d) in Self.problems(type).enumerated() {
      let trial = PoolingTrial(d, seed: UInt64(turn))
      var mode = PoolingMode()
      mode.withIndices = turn % 2 == 0
      let y = bytes(try trial.forward(serial, mode).result)
      let dx = bytes(try trial.backward(serial, mode).result)
      for (i, context) in contexts.enumerated() {
        mode.ownScratch = i % 2 == 0
        mode.placement = i % 3 == 0 ? .offset(type.size * (1 + i % 5)) : .afterGuard
        #expect(bytes(try trial.forward(context, mode).result) == y, "\(trial) \(context.backend)")
        #expect(bytes(try trial.backward(context, mode).result) == dx, "\(trial) \(context.backend)")
      }
    }
  }

  /// Sample i alone has the bits of sample i in a batch.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func samplesDoNotSeeTheirBatch(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    for (turn, d) in Self.problems(type).enumerated() {
      let trial = PoolingTrial(d, seed: UInt64(turn))
      let y = bytes(try trial.forward(context).result)
      let dx = bytes(try trial.backward(context).result)
      var one = d
      one.batch = 1
      for n in 0..<d.batch {
        let alone = PoolingTrial(one, seed: 1)
        let x = trial.x.count / d.batch
        let outputs = trial.dy.count / d.batch
        alone.x = Array(trial.x[n * x..<(n + 1) * x])
        alone.dy = Array(trial.dy[n * outputs..<(n + 1) * outputs])
        alone.updateExpectation()
        let size = type.size
        #expect(bytes(try alone.forward(context).result) == Array(y[n * outputs * size..<(n + 1) * outputs * size]))
        #expect(bytes(try alone.backward(context).result) == Array(dx[n * x * size..<(n + 1) * x * size]))
      }
    }
  }

  /// NaN wins a maximum, the first one; minus infinity is a number like any other; infinities add up.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func specialValues(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    for (turn, d) in Self.problems(type).enumerated() {
      let trial = PoolingTrial(d, seed: UInt64(turn), ties: true)
      var random = Randomness(seed: UInt64(turn))
      for i in trial.x.indices where random.int(0...5) == 0 {
        trial.x[i] = random.pick([.nan, .infinity, -.infinity, -.infinity, 0, -0.0])
      }
      // A whole plane of what padding counts as.
      if d.layout == .channelsFirst { for i in 0..<d.window.input.product { trial.x[i] = -.infinity } }
      trial.updateExpectation()
      for withIndices in [true, false] {
        var mode = PoolingMode()
        mode.withIndices = withIndices
        let outcome = try trial.forward(context, mode)
        for i in trial.y.indices {
          if let text = trial.objection(y: trial.value(outcome.result, i), i) {
            Issue.record("\(text)")
            return
          }
          if let indices = outcome.indices, trial.index(indices, i) != trial.indices[i] {
            Issue.record("\(trial): index \(i) is \(trial.index(indices, i)) instead of \(trial.indices[i])")
            return
          }
        }
        // The gradient is the same whether the maxima are given or found again.
        if d.kind == .maximum {
          let expected = trial.expectedGradient(accumulates: false)
          let backward = try trial.backward(context, mode)
          for i in trial.x.indices where abs(trial.value(backward.result, i) - expected.values[i]) > expected.bounds[i]
          {
            Issue.record("\(trial): dx[\(i)]")
            return
          }
        }
      }
    }
  }

  /// <dy, y(x + h) - y(x - h)> / 2h against dx, element by element, in float64; maxima away from ties.
  @Test(arguments: InstructionSet.available)
  func gradientsAreDifferences(_ set: InstructionSet) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 1)
    var sampler = PoolingSampler(.float64, seed: 7)
    var tried = 0
    while tried < 25 {
      var d = sampler.problem()
      d.batch = 1
      d.channels = min(d.channels, 3)
      if d.window.input.product > 60 { continue }
      tried += 1
      let trial = PoolingTrial(d, seed: sampler.random.next())
      // Values that are all different, far from 0 and from each other.
      var order = Array(trial.x.indices)
      order.shuffle(using: &sampler.random)
      for (i, place) in order.enumerated() { trial.x[place] = (i % 2 == 0 ? 1 : -1) * (0.5 + Double(i) / 64) }
      trial.updateExpectation()
      let dx = try trial.backward(context)
      let h = 1e-5
      for i in trial.x.indices {
        let old = trial.x[i]
        func sum(_ x: Double) throws -> Double {
          trial.x[i] = x
          let y = try trial.forward(context)
          return trial.dy.indices.reduce(0) { $0 + trial.dy[$1] * trial.value(y.result, $1) }
        }
        let slope = (try sum(old + h) - sum(old - h)) / (2 * h)
        trial.x[i] = old
        #expect(abs(slope - trial.value(dx.result, i)) < 1e-6, "\(trial) \(i)")
      }
    }
  }

  /// What is written is what lies at the indices, and the rest 0; backward takes it from there.
  @Test(arguments: Setting.all, gemmTypes)
  func unpooling(_ setting: Setting, _ type: DataType) throws {
    let context = try setting.context()
    for layout in TensorLayout.allCases {
      for indexType in [DataType.int32, .int64] {
        var window = SpatialWindow(rank: 2, input: Extents(1, 13, 18), window: Extents(1, 3, 3))
        window.stride = Extents(1, 2, 2)
        var d = PoolingDescriptor(dataType: type, kind: .maximum, batch: 3, channels: 17, window: window)
        d.layout = layout
        d.indexType = indexType
        let trial = PoolingTrial(d, seed: 3)
        let y = try trial.forward(context)
        guard let indices = y.indices else { return }
        let x = TestMemory(bytes: trial.x.count * type.size, .beforeGuard)
        var arguments = PoolingArguments()
        arguments.x = x.base
        arguments.y = y.result.base
        arguments.indices = indices.base
        try PoolingPlan(d, direction: .unpool, context: context).run(context: context, arguments)
        var expected = [Double](repeating: 0, count: trial.x.count)
        for n in 0..<d.batch {
          for c in 0..<d.channels {
            for o in 0..<trial.output.product {
              let from = trial.place(n, c, o, trial.output)
              expected[trial.place(n, c, trial.indices[from], window.input)] = trial.y[from]
            }
          }
        }
        #expect(expected.indices.allSatisfy { trial.value(x, $0) == expected[$0] })
        let dy = TestMemory(bytes: trial.y.count * type.size, .beforeGuard)
        var back = PoolingArguments()
        back.dx = x.base
        back.dy = dy.base
        back.indices = indices.base
        try PoolingPlan(d, direction: .unpoolBackward, context: context).run(context: context, back)
        #expect(trial.y.indices.allSatisfy { trial.value(dy, $0) == trial.y[$0] })
        back.accumulates = true
        try PoolingPlan(d, direction: .unpoolBackward, context: context).run(context: context, back)
        #expect(trial.y.indices.allSatisfy { trial.value(dy, $0) == 2 * trial.y[$0] })
        // Every index is looked at before anything is written.
        let wrong = trial.indexMemory(
          trial.indices.dropLast() + [window.input.product], .beforeGuard)
        arguments.indices = wrong.base
        let before = bytes(x)
        let error = #expect(throws: ApusError.self) {
          try PoolingPlan(d, direction: .unpool, context: context).run(context: context, arguments)
        }
        #expect(error?.message.contains("indices[\(trial.y.count - 1)] is 234") == true, "\(String(describing: error))")
        #expect(bytes(x) == before)
      }
    }
  }

  /// Of several elements with one index the last one in memory counts, on any number of threads.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func unpoolingToOnePlace(_ set: InstructionSet, _ type: DataType) throws {
    for layout in TensorLayout.allCases {
      var d = PoolingDescriptor(
        dataType: type, kind: .maximum, batch: 5, channels: 37,
        window: SpatialWindow(rank: 2, input: Extents(1, 40, 44), window: Extents(1, 2, 2)))
      d.window.stride = Extents(1, 2, 2)
      d.layout = layout
      let trial = PoolingTrial(d, seed: 5)
      var random = Randomness(seed: 6)
      // Few places, each of them many times.
      let indices = trial.indexMemory(trial.y.map { _ in random.int(0...29) }, .beforeGuard)
      let y = TestMemory(bytes: trial.y.count * type.size, .beforeGuard)
      for (i, value) in trial.y.enumerated() { type.store(value, y.base, i) }
      var expected = [Double](repeating: 0, count: trial.x.count)
      for n in 0..<d.batch {
        for c in 0..<d.channels {
          for o in 0..<trial.output.product {
            let from = trial.place(n, c, o, trial.output)
            expected[trial.place(n, c, trial.index(indices, from), d.window.input)] = trial.y[from]
          }
        }
      }
      for setting in Setting.of(set) {
        let context = try setting.context()
        let x = TestMemory(bytes: trial.x.count * type.size, .afterGuard)
        var arguments = PoolingArguments()
        arguments.x = x.base
        arguments.y = y.base
        arguments.indices = indices.base
        try PoolingPlan(d, direction: .unpool, context: context).run(context: context, arguments)
        #expect(expected.indices.allSatisfy { trial.value(x, $0) == expected[$0] }, "\(setting) \(layout)")
        let dy = TestMemory(bytes: trial.y.count * type.size, .afterGuard)
        var back = PoolingArguments()
        back.dx = x.base
        back.dy = dy.base
        back.indices = indices.base
        try PoolingPlan(d, direction: .unpoolBackward, context: context).run(context: context, back)
        for n in 0..<d.batch {
          for c in 0..<d.channels {
            #expect(
              (0..<trial.output.product).allSatisfy { o in
                let from = trial.place(n, c, o, trial.output)
                return trial.value(dy, from)
                  == expected[trial.place(n, c, trial.index(indices, from), d.window.input)]
              })
          }
        }
      }
    }
  }
}
