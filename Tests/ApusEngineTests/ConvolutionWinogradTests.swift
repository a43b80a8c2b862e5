import ApusEngine
import ApusKernelInterface
import ApusTestSupport
import Testing

/// Winograd's algorithm: when it is offered, how exact it is, and what its bits depend on.
@Suite struct ConvolutionWinogradTests {
  private static func problem(
    _ type: DataType, batch: Int = 1, channels: Int, height: Int, width: Int, filters: Int, pad: Int = 1
  ) -> ConvolutionDescriptor {
    var d = ConvolutionDescriptor.plane(
      type, batch: batch, channels: channels, height: height, width: width, filters: filters, kernel: 3, pad: pad)
    d.allowsWinograd = true
    d.algorithm = .winograd
    return d
  }

  @Test func offeredOnlyWhereAllowed() throws {
    let context = try ExecutionContext(threads: 1)
    func list(
      _ direction: ConvolutionDirection = .forward, _ change: (inout ConvolutionDescriptor) -> Void
    ) throws -> [ConvolutionAlgorithm] {
      var d = Self.problem(.float32, channels: 64, height: 14, width: 14, filters: 64)
      d.algorithm = nil
      change(&d)
      return try ConvolutionPlan.algorithms(d, direction: direction, context: context)
    }
    #expect(try list { _ in }.first == .winograd)
    #expect(try list(.backwardData) { _ in }.first == .winograd)
    #expect(try list { $0.isTransposed = true }.first == .winograd)
    // Few channels, or tiles that are mostly empty.
    #expect(try list { $0.inputChannels = 3 }.last == .winograd)
    #expect(try list { $0.window.input = Extents(1, 3, 3) }.last == .winograd)
    #expect(try list { $0.window.input = Extents(1, 1, 300) }.last == .winograd)
    let refused: [(inout ConvolutionDescriptor) -> Void] = [
      { $0.allowsWinograd = false }, { $0.window.stride = Extents(1, 1, 2) }, { $0.window.dilation = Extents(1, 2, 1) },
      { $0.window.window = Extents(1, 3, 1) }, { $0.window.window = Extents(1, 5, 5) }, { $0.groups = 2 },
    ]
    for change in refused {
      #expect(try !list(change).contains(.winograd))
      #expect(try !list(.backwardData, change).contains(.winograd))
    }
    #expect(try !list(.backwardWeights) { _ in }.contains(.winograd))
  }

  /// Any padding, sizes around tiles, channels around vectors, more tiles than a part has, every epilogue.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func values(_ set: InstructionSet, _ type: DataType) throws {
    let contexts = try [1, 2, 3].map { try ExecutionContext(instructionSet: set, threads: $0) }
    var sampler = ConvolutionSampler(type, seed: 14)
    for turn in 0..<60 {
      var d = Self.problem(
        type, batch: sampler.random.int(1...3), channels: sampler.random.int(1...40),
        height: sampler.random.int(1...14), width: sampler.random.int(1...34), filters: sampler.random.int(1...70))
      for i in 1..<3 {
        d.window.padBefore[i] = sampler.random.int(0...4)
        d.window.padAfter[i] = sampler.random.int(max(0, 3 - d.window.input[i] - d.window.padBefore[i])...4)
      }
      sampler.addEpilogue(&d)
      d.isTransposed = turn % 5 == 0
      if d.isTransposed { for i in 1..<3 { d.window.padBefore[i] = 1 } }
      if !ConvolutionSampler.isLegal(d) { continue }
      let trial = ConvolutionTrial(
        d, turn % 2 == 0 ? .forward : .backwardData, accumulate: sampler.random.bool(), seed: sampler.random.next())
      let placement: TestMemory.Placement = [.offset(0), .beforeGuard, .afterGuard][turn % 3]
      let outcome = try trial.run(contexts[turn / 3 % 3], placement, scratch: turn % 4 == 0 ? .engine : .exact)
      if let objection = trial.objection(to: outcome) { Issue.record("\(objection)") }
    }
  }

  /// Inputs that the transforms like least: sums without cancellation, signs as in the rows of the largest coefficients,
  /// an outlier in each tile whose neighbours are small, the last tap alone, one number everywhere.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func adverseInputs(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 1)
    var random = Randomness(seed: 15)
    for channels in [1, 2, 7, 64] {
      for kind in 0..<6 {
        for direction in [ConvolutionDirection.forward, .backwardData] {
          let d = Self.problem(type, channels: channels, height: 21, width: 22, filters: channels)
          let trial = ConvolutionTrial(d, direction, seed: random.next())
          let source: ConvolutionData = direction == .forward ? .x : .dy
          for i in 0..<trial.count(source) {
            let pixel = i / channels
            let (h, w) = (pixel / 22, pixel % 22)
            let near = 1 + 0.3 * random.real()
            trial[source, i] =
              switch kind {
              case 0: abs(near)
              case 1: (h % 4 < 2) == (w % 4 < 2) ? near : -near
              case 2: h % 4 == 2 && w % 4 == 2 ? 1e6 * near : near
              case 3: [-1, 1][(h + w) & 1] * near
              case 4: 1 / 3
              default: random.real()
              }
          }
          for i in 0..<trial.count(.weights) {
            let near = 1 + 0.3 * random.real()
            switch kind {
            case 0, 4: trial[.weights, i] = near
            case 5: trial[.weights, i] = i % 9 == (direction == .forward ? 8 : 0) ? near : 0
            default: break
            }
          }
          if let objection = trial.objection(to: try trial.run(context)) { Issue.record("kind \(kind): \(objection)") }
        }
      }
    }
  }

  /// Threads, the batch around a sample, packing ahead and the order of the tensors leave the bits as they are.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func bits(_ set: InstructionSet, _ type: DataType) throws {
    let one = try ExecutionContext(instructionSet: set, backend: .serial, threads: 1)
    let more = try [2, 3, 5].map { try ExecutionContext(instructionSet: set, threads: $0) }
    for (turn, shape) in [(5, 40, 7, 7, 70), (2, 33, 14, 13, 40), (1, 17, 30, 65, 20), (3, 8, 9, 10, 200)].enumerated()
    {
      for direction in [ConvolutionDirection.forward, .backwardData] {
        var d = Self.problem(
          type, batch: shape.0, channels: shape.1, height: shape.2, width: shape.3, filters: shape.4)
        d.hasBias = turn % 2 == 0
        d.activation = turn == 0 ? .relu : .identity
        let trial = ConvolutionTrial(d, direction, seed: 6)
        let reference = try trial.run(one)
        for context in more {
          if let text = trial.difference(reference, try trial.run(context, scratch: .exact)) { Issue.record("\(text)") }
        }
        let last = d.batch - 1
        if let text = trial.difference(reference, sample: last, try trial.sample(last).run(one)) {
          Issue.record("\(text)")
        }
        for variant in 1..<8 {
          var e = d
          if variant & 1 != 0 { e.xLayout = .channelsFirst }
          if variant & 2 != 0 { e.yLayout = .channelsFirst }
          e.packedWeights = variant & 4 != 0
          let other = ConvolutionTrial(e, direction, sameDataAs: trial)
          let name = trial.results[0]
          let values = try other.canonical(name, of: other.run(more[variant % 3]))
          if try values != trial.canonical(name, of: reference) { Issue.record("\(other): bits differ") }
        }
      }
    }
  }

  /// Packed weights hold the caller's beside the transformed ones.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func packedWeightsComeBack(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    for (channels, filters) in [(1, 1), (3, 70), (64, 64), (40, 33)] {
      for direction in [ConvolutionDirection.forward, .backwardData] {
        let d = Self.problem(type, channels: channels, height: 6, width: 6, filters: filters)
        let plan = try ConvolutionPlan(d, direction: direction, context: context)
        let (before, after) = try ConvolutionTrial(d, .forward, seed: 7).packAndUnpack(plan, context)
        #expect(before == after, "\(plan.description)")
      }
    }
  }
}
