import ApusEngine
import ApusKernelInterface
import ApusTestSupport
import Testing

/// What must be bitwise equal: over threads, back ends, batch, alignment, scratch and packing.
@Suite struct ConvolutionDeterminismTests {
  /// Problems that are split over threads by samples, rows, columns, channels and groups.
  static func problems(_ type: DataType) -> [ConvolutionDescriptor] {
    var sampler = ConvolutionSampler(type, seed: 40)
    var list: [ConvolutionDescriptor] = [
      .plane(type, channels: 3, height: 24, width: 25, filters: 20, kernel: 5, stride: 2, pad: 2),
      .plane(type, batch: 3, channels: 36, height: 9, width: 10, filters: 33, kernel: 3, pad: 1),
      .plane(type, batch: 2, channels: 40, height: 7, width: 7, filters: 90, kernel: 1),
      .plane(type, channels: 64, height: 2, width: 2, filters: 200, kernel: 3, pad: 1),
      .plane(type, channels: 6, height: 2, width: 700, filters: 3, kernel: 3, pad: 1),
      .plane(type, batch: 5, channels: 24, height: 11, width: 12, filters: 24, kernel: 3, pad: 1),
      .plane(type, batch: 2, channels: 6, height: 13, width: 12, filters: 16, kernel: 5),
      .plane(type, batch: 2, channels: 512, height: 5, width: 4, filters: 150, kernel: 1),
      // By weights a thread's tiles end within a panel of filters.
      .plane(type, channels: 3, height: 51, width: 51, filters: 96, kernel: 11, stride: 4),
    ]
    list[5].groups = 24
    for i in list.indices {
      sampler.addEpilogue(&list[i])
      list[i].isTransposed = i == 3 || i == 6
    }
    (list[7].xLayout, list[7].yLayout) = (.channelsLast, .channelsLast)
    return list
  }

  @Test(arguments: InstructionSet.available, gemmTypes)
  func threadsAndBackendsAgree(_ set: InstructionSet, _ type: DataType) throws {
    let serial = try ExecutionContext(instructionSet: set, backend: .serial, threads: 1)
    let contexts = try Setting.backends.flatMap { backend in
      try (backend == .serial ? [1] : [1, 2, 3, 5]).map { try Setting(set, backend, $0).context() }
    }
    for (turn, problem) in Self.problems(type).enumerated() {
      for direction in ConvolutionDirection.allCases {
        for d in try problem.withEachAlgorithm(direction, serial) {
          let trial = ConvolutionTrial(d, direction, accumulate: turn % 2 == 0, seed: UInt64(turn))
          // A plan is not bound to the context that it was made with; runs repeat.
          let plan = try ConvolutionPlan(d, direction: direction, context: serial)
          let reference = try trial.run(plan, serial)
          var mostThreads = 0
          for (i, context) in contexts.enumerated() {
            mostThreads = max(mostThreads, plan.threadsUsed(context: context))
            let outcome = try trial.run(plan, context, scratch: i % 2 == 0 ? .exact : .engine)
            if let difference = trial.difference(reference, outcome) {
              Issue.record("\(context.backend) \(context.threads): \(difference)")
            }
          }
          #expect(mostThreads > 1, "\(trial) is too small to be divided")
        }
      }
    }
  }

  /// Sums that wait in memory while the source's channels go by in blocks, apart for each row that a stride leaves out: right,
  /// within their scratch, and the same on any number of threads.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func blocksOfSourceChannelsAgree(_ set: InstructionSet, _ type: DataType) throws {
    let serial = try ExecutionContext(instructionSet: set, backend: .serial, threads: 1)
    for layout in TensorLayout.allCases {
      for (kernel, stride, pad) in [(7, 2, 3), (11, 4, 2)] {
        var problem = ConvolutionDescriptor.plane(
          type, channels: 3, height: 12 * stride + kernel, width: 112 * stride, filters: 64, kernel: kernel,
          stride: stride, pad: pad)
        (problem.xLayout, problem.yLayout) = (layout, layout)
        problem.algorithm = .planes
        let plan = try ConvolutionPlan(problem, direction: .backwardData, context: serial)
        #expect(plan.description.contains("channels,"), "\(plan.description)")
        let trial = ConvolutionTrial(problem, .backwardData, accumulate: stride == 4, seed: UInt64(kernel))
        let reference = try trial.run(plan, serial, scratch: .exact)
        if let objection = trial.objection(to: reference) { Issue.record("\(objection)") }
        for threads in 2...3 {
          let context = try ExecutionContext(instructionSet: set, threads: threads)
          let outcome = try trial.run(plan, context, scratch: .exact)
          if let difference = trial.difference(reference, outcome) { Issue.record("\(threads): \(difference)") }
        }
      }
    }
  }

  /// Sample i of a batch is what it is alone, forward and by data, whatever the others hold.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func samplesAloneAndInABatch(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 3)
    let one = try ExecutionContext(instructionSet: set, backend: .serial, threads: 1)
    var sampler = ConvolutionSampler(type, seed: 50)
    for turn in 0..<80 {
      var problem = turn < 8 ? Self.problems(type)[turn] : sampler.problem(products: 20_000)
      problem.batch = [2, 3, 7][turn % 3]
      for direction in [ConvolutionDirection.forward, .backwardData] {
        for d in try problem.withEachAlgorithm(direction, context) {
          let trial = ConvolutionTrial(d, direction, accumulate: turn % 2 == 0, seed: sampler.random.next())
          let whole = try trial.run(context)
          let n = sampler.random.int(0...d.batch - 1)
          let alone = try trial.sample(n).run(one)
          if let difference = trial.difference(whole, sample: n, alone) { Issue.record("\(difference)") }
        }
      }
    }
  }

  /// The same where images may be a vector's lanes: batches that fill vectors and that do not, weights that are infinite
  /// or make sums of zero, and several threads.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func samplesAsLanes(_ set: InstructionSet, _ type: DataType) throws {
    let one = try ExecutionContext(instructionSet: set, backend: .serial, threads: 1)
    var problem = ConvolutionDescriptor.plane(type, channels: 5, height: 9, width: 7, filters: 6, kernel: 4)
    problem.algorithm = .planes
    var sampler = ConvolutionSampler(type, seed: 51)
    for turn in 0..<24 {
      problem.batch = [9, 16, 23, 32, 47, 70][turn % 6]
      problem.xLayout = turn % 2 == 0 ? .channelsFirst : .channelsLast
      problem.yLayout = turn % 4 < 2 ? .channelsFirst : .channelsLast
      let context = try ExecutionContext(instructionSet: set, threads: 1 + turn % 3)
      let trial = ConvolutionTrial(problem, .backwardData, accumulate: turn % 5 == 0, seed: sampler.random.next())
      for i in 0..<trial.count(.weights) {
        if turn % 3 == 1 { trial[.weights, i] *= 2 * Double.leastNonzeroMagnitude }
        if turn % 3 == 2 && i % 50 == 7 { trial[.weights, i] = .infinity }
      }
      let plan = try ConvolutionPlan(problem, direction: .backwardData, context: context)
      #expect(plan.description.contains("images as lanes"))
      let whole = try trial.run(plan, context)
      for n in [0, sampler.random.int(0...problem.batch - 1), problem.batch - 1] {
        let alone = try trial.sample(n).run(one)
        if let difference = trial.difference(whole, sample: n, alone) { Issue.record("\(difference)") }
      }
    }
  }

  @Test(arguments: InstructionSet.available, gemmTypes)
  func alignmentsAndScratchAgree(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    var sampler = ConvolutionSampler(type, seed: 61)
    for turn in 0..<40 {
      let direction = ConvolutionDirection.allCases[turn % 3]
      for d in try sampler.problem(products: 20_000).withEachAlgorithm(direction, context) {
        let trial = ConvolutionTrial(d, direction, accumulate: turn % 2 == 0, seed: sampler.random.next())
        let reference = try trial.run(context)
        for offset in stride(from: type.size, through: 60, by: 3 * type.size) {
          let outcome = try trial.run(context, .offset(offset), scratch: offset % 8 == 0 ? .engine : .exact)
          if let difference = trial.difference(reference, outcome) { Issue.record("offset \(offset): \(difference)") }
        }
      }
    }
  }

  /// Packing ahead moves data and nothing else.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func packedAndUnpackedAgree(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    var sampler = ConvolutionSampler(type, seed: 67)
    for turn in 0..<100 {
      let direction = ConvolutionDirection.allCases[turn % 3]
      for var d in try sampler.problem(products: 20_000).withEachAlgorithm(direction, context) {
        // Winograd's form is rounded, and an accumulated gradient is added to that.
        if d.algorithm == .winograd && direction == .backwardWeights { continue }
        d.packedWeights = false
        // A packed gradient joins the chain of sums where an unpacked one is added at its end.
        let accumulate = direction != .backwardWeights && turn % 2 == 0
        let plain = ConvolutionTrial(d, direction, accumulate: accumulate, seed: 5)
        d.packedWeights = true
        let packed = ConvolutionTrial(d, direction, accumulate: accumulate, seed: 5)
        if let difference = packed.difference(try plain.run(context), try packed.run(context)) {
          Issue.record("\(difference)")
        }
      }
    }
  }

  /// Weights come back from their packed form bit for bit, and forward's serve backward by weights.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func packedWeightsComeBack(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    var sampler = ConvolutionSampler(type, seed: 71)
    for turn in 0..<100 {
      let problem = sampler.problem(products: 20_000)
      for d in try problem.withEachAlgorithm(ConvolutionDirection.allCases[turn % 3], context)
      where d.algorithm != .winograd {
        let plan = try ConvolutionPlan(d, direction: ConvolutionDirection.allCases[turn % 3], context: context)
        let trial = ConvolutionTrial(d, .forward, seed: UInt64(turn))
        let (before, after) = try trial.packAndUnpack(plan, context)
        #expect(before == after, "\(plan.description)")
      }
    }
  }

  /// What the header promises of packed gradients: a step of gradient descent on the packed bytes behind the header is one
  /// on the weights.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func updateOnPackedBytes(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    var sampler = ConvolutionSampler(type, seed: 73)
    var updated = 0
    for _ in 0..<60 {
      var d = sampler.problem(products: 20_000)
      d.batch = max(1, d.batch)
      d.packedWeights = true
      (d.hasResidual, d.hasBias, d.activation) = (false, true, .identity)
      // A transposed convolution shares its form between the backward directions.
      let user: ConvolutionDirection = d.isTransposed ? .backwardData : .forward
      for d in try d.withEachAlgorithm(.backwardWeights, context) {
        var runner = d
        let algorithms = try ConvolutionPlan.algorithms(d, direction: user, context: context)
        runner.algorithm = algorithms.first { $0 == d.algorithm }
        // The gradient of planes has a form of its own.
        if runner.algorithm == nil || runner.algorithm == .planes { continue }
        let trial = ConvolutionTrial(runner, user, seed: 9)
        if let objection = try trial.objectionToPackedUpdate(gradient: d, context) { Issue.record("\(objection)") }
        updated += 1
      }
    }
    #expect(updated > 30)
  }
}
