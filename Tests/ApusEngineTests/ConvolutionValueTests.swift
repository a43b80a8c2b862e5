import ApusEngine
import ApusKernelInterface
import ApusTestSupport
import Testing

/// Results against the reference, in every direction and with every algorithm of the plan's list.
@Suite struct ConvolutionValueTests {
  /// Sides of a grid.
  private enum Padding: CaseIterable { case valid, same, asymmetric }
  private static let channels = [(3, 5, 1), (6, 4, 2), (5, 5, 5), (4, 8, 4), (3, 9, 3)]

  /// Each option with each other one: rank, transposition, both layouts, stride, dilation, padding, groups (with multipliers
  /// 1 to 3). What is beside the sum takes turns, and so does the direction: over the sets each combination
  /// meets several.
  @Test(arguments: InstructionSet.available)
  func grid(_ set: InstructionSet) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    var turn = Int(set.rawValue)
    var random = Randomness(seed: UInt64(turn))
    for rank in 1...3 {
      for isTransposed in [false, true] {
        for (x, y) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
          for stride in 1...3 {
            for dilation in 1...2 {
              for padding in Padding.allCases {
                for (c, k, groups) in Self.channels {
                  turn += 1
                  var window = SpatialWindow(rank: rank, input: Extents(repeating: 1), window: Extents(repeating: 1))
                  for i in window.dimensions {
                    window.input[i] = [3, 7, 6][i] + turn % 2
                    window.window[i] = [2, 3, 3][i]
                    window.stride[i] = stride
                    window.dilation[i] = i == 0 ? 1 : dilation
                    if padding == .asymmetric {
                      (window.padBefore[i], window.padAfter[i]) = (turn % 3, 2 - turn % 3 / 2)
                    }
                  }
                  if padding == .same && !isTransposed { window.padToSame() }
                  var d = ConvolutionDescriptor(
                    dataType: gemmTypes[turn / 3 % 2], batch: turn % 7 == 0 ? 0 : 1 + turn % 2, inputChannels: c,
                    outputChannels: k,
                    window: window)
                  d.groups = groups
                  d.xLayout = TensorLayout.allCases[x]
                  d.yLayout = TensorLayout.allCases[y]
                  d.isTransposed = isTransposed
                  if isTransposed { for i in window.dimensions { d.outputPadding[i] = turn % stride } }
                  d.hasBias = random.bool()
                  d.hasResidual = random.bool()
                  d.activation = Activation.allCases[turn % 6]
                  d.slope = 0.25
                  d.packedWeights = random.bool()
                  try expectRight(
                    d, ConvolutionDirection.allCases[turn % 3], context, accumulate: random.bool(), seed: UInt64(turn))
                }
              }
            }
          }
        }
      }
    }
  }

  @Test(arguments: InstructionSet.available, gemmTypes)
  func randomProblems(_ set: InstructionSet, _ type: DataType) throws {
    let contexts = try GemmValueTests.contexts(set)
    var sampler = ConvolutionSampler(type, seed: 20)
    for turn in 0..<450 {
      try expectRight(
        sampler.problem(products: 60_000), ConvolutionDirection.allCases[turn % 3], contexts[turn % contexts.count],
        accumulate: sampler.random.bool(), seed: sampler.random.next(), residualIsY: sampler.random.int(0...3) == 0)
    }
  }

  /// Larger planes, with bands of several rows, blocks of channels beyond a panel, and several threads.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func everyPath(_ set: InstructionSet, _ type: DataType) throws {
    let contexts = try GemmValueTests.contexts(set)
    var random = Randomness(seed: 8)
    let shapes: [ConvolutionDescriptor] = [
      .plane(type, channels: 3, height: 32, width: 32, filters: 6, kernel: 5),
      .plane(type, channels: 20, height: 14, width: 15, filters: 70, kernel: 3, pad: 1),
      .plane(type, channels: 3, height: 40, width: 41, filters: 9, kernel: 7, stride: 2, pad: 3),
      .plane(type, batch: 3, channels: 33, height: 13, width: 11, filters: 40, kernel: 1),
      .plane(type, batch: 2, channels: 16, height: 12, width: 12, filters: 24, kernel: 1, stride: 2),
      .plane(type, channels: 2, height: 3, width: 900, filters: 4, kernel: 3, pad: 1),
    ]
    for turn in 0..<2 * shapes.count {
      for direction in ConvolutionDirection.allCases {
        var d = shapes[turn % shapes.count]
        d.isTransposed = turn == 2
        d.xLayout = random.pick(TensorLayout.allCases)
        d.yLayout = random.pick(TensorLayout.allCases)
        d.hasBias = random.bool()
        d.activation = random.pick([.identity, .relu])
        d.packedWeights = random.bool()
        try expectRight(
          d, direction, contexts[turn % contexts.count], accumulate: random.bool(), seed: random.next())
      }
    }
  }

  /// Padding that is passed over by rows of the kernel, and tap by tap at the ends of lines, in images of one to a few
  /// tiles: kernels that reach beyond one side, or both, stride, dilation, and panels of one vector and of two.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func paddingOfWideLayers(_ set: InstructionSet, _ type: DataType) throws {
    let contexts = try GemmValueTests.contexts(set)
    var random = Randomness(seed: 22)
    for turn in 0..<60 {
      var d = ConvolutionDescriptor.plane(
        type, batch: random.int(1...2), channels: random.int(32...36), height: random.int(1...9),
        width: random.int(1...18), filters: random.int(32...40), kernel: random.pick([1, 3, 3, 3, 5]))
      if random.int(0...3) == 0 {
        d.window.rank = 3
        (d.window.input.depth, d.window.window.depth) = (random.int(1...3), 2)
      }
      for i in d.window.dimensions {
        d.window.padBefore[i] = random.int(0...3)
        d.window.padAfter[i] = random.int(0...3)
        d.window.stride[i] = random.pick([1, 1, 2])
        d.window.dilation[i] = random.pick([1, 1, 2])
      }
      if !ConvolutionSampler.isLegal(d) { continue }
      d.xLayout = random.pick(TensorLayout.allCases)
      d.yLayout = random.pick(TensorLayout.allCases)
      d.activation = random.pick([.identity, .relu])
      try expectRight(
        d, ConvolutionDirection.allCases[turn % 3], contexts[turn % contexts.count], accumulate: random.bool(),
        seed: random.next())
    }
  }

  /// The only slice of the output lies before the only one of the input: nothing but padding under the kernel.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func sliceInThePadding(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, backend: .serial, threads: 1)
    for (turn, kernel) in [1, 3].enumerated() {
      for layout in TensorLayout.allCases {
        var d = ConvolutionDescriptor.plane(
          type, channels: 2, height: 5, width: 6, filters: 2, kernel: kernel, pad: kernel / 2)
        d.window.rank = 3
        d.window.stride.depth = 2
        d.window.padBefore.depth = 1
        (d.xLayout, d.yLayout) = (layout, layout)
        for direction in ConvolutionDirection.allCases {
          try expectRight(d, direction, context, accumulate: turn == 0, seed: UInt64(turn))
        }
      }
    }
  }

  /// 1x1 kernels of many channels, by weights, whose x is packed: several chains, lines with gaps, and channels that fill
  /// neither tiles nor panels.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func pointwiseKernelsOfManyChannels(_ set: InstructionSet, _ type: DataType) throws {
    let contexts = try GemmValueTests.contexts(set)
    for (turn, (c, k, side, stride)) in [(512, 270, 4, 1), (128, 1024, 5, 1), (384, 260, 9, 2), (1024, 300, 3, 3)]
      .enumerated()
    {
      for batch in [1, 27] where turn % 2 == 0 || batch == 1 {
        let d = ConvolutionDescriptor.plane(
          type, batch: batch, channels: c, height: side, width: side + 1, filters: k, kernel: 1, stride: stride)
        let context = contexts[turn % contexts.count]
        let plan = try ConvolutionPlan(d, direction: .backwardWeights, context: context)
        #expect(plan.description.contains("x packed"))
        try expectRight(d, .backwardWeights, context, accumulate: turn % 2 == 1, seed: UInt64(turn))
      }
    }
  }

  /// Winograd's algorithm and the like, where the caller allows them.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func kernelsOfThreeByThree(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    var sampler = ConvolutionSampler(type, seed: 4)
    for turn in 0..<60 {
      var d = ConvolutionDescriptor.plane(
        type, batch: sampler.random.int(1...2), channels: sampler.random.int(1...24),
        height: sampler.random.int(3...14), width: sampler.random.int(3...14), filters: sampler.random.int(1...24),
        kernel: 3)
      for i in 1..<3 {
        d.window.padBefore[i] = sampler.random.int(0...2)
        d.window.padAfter[i] = sampler.random.int(0...2)
      }
      sampler.addEpilogue(&d)
      d.allowsWinograd = true
      try expectRight(
        d, ConvolutionDirection.allCases[turn % 3], context, accumulate: sampler.random.bool(),
        seed: sampler.random.next())
    }
  }

  /// The kernel covers the padded input exactly: one position.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func kernelAsLargeAsThePaddedInput(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    for pad in 0...3 {
      for layout in TensorLayout.allCases {
        for direction in ConvolutionDirection.allCases {
          var d = ConvolutionDescriptor.plane(
            type, batch: 2, channels: 5, height: 4, width: 3, filters: 7, kernel: 1, pad: pad, layout: layout)
          d.window.window = Extents(1, 4 + 2 * pad, 3 + 2 * pad)
          d.window.stride = Extents(1, 5, 2)
          d.hasBias = true
          #expect(try d.outputSize() == Extents(1, 1, 1))
          try expectRight(d, direction, context)
        }
      }
    }
  }

  /// Depthwise kernels of whole vectors of channels: blocks of seven lines and positions, pairs of lines in groups of seven
  /// and of four, odd lines and what is left beside them, one chain and several, and operands beyond the second level.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func depthwiseKernelsOfThreeByThree(_ set: InstructionSet, _ type: DataType) throws {
    let contexts = try GemmValueTests.contexts(set)
    var random = Randomness(seed: 24)
    for (turn, (batch, channels, height, width, stride)) in [
      (1, 32, 14, 14, 1), (1, 32, 14, 14, 2), (2, 16, 28, 28, 2), (3, 64, 7, 7, 1), (1, 20, 9, 30, 2),
      (1, 16, 11, 17, 2), (1, 36, 15, 11, 1), (1, 64, 64, 64, 2), (1, 512, 14, 14, 2), (1, 32, 98, 98, 1),
      (2, 512, 14, 14, 1),
    ].enumerated() {
      for direction in ConvolutionDirection.allCases {
        var d = ConvolutionDescriptor.plane(
          type, batch: batch, channels: channels, height: height, width: width, filters: channels, kernel: 3,
          stride: stride, pad: 1)
        d.groups = channels
        d.packedWeights = random.bool()
        try expectRight(
          d, direction, contexts[turn % contexts.count], accumulate: random.bool(), seed: random.next())
      }
    }
  }

  /// The sums of a tile over the taps or over patches: the same order, so the same bits.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func directAndImplicitGemmHaveTheSameBits(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    var sampler = ConvolutionSampler(type, seed: 31)
    var compared = 0
    for _ in 0..<150 {
      let d = sampler.problem(products: 60_000)
      let direction = sampler.random.pick(d.isTransposed ? [.backwardData] : [ConvolutionDirection.forward])
      let seed = sampler.random.next()
      var outcomes: [ConvolutionAlgorithm: ConvolutionOutcome] = [:]
      let trial = ConvolutionTrial(d, direction, seed: seed)
      for d in try d.withEachAlgorithm(direction, context) {
        guard let algorithm = d.algorithm, [.direct, .implicitGemm].contains(algorithm) else { continue }
        outcomes[algorithm] = try trial.run(ConvolutionPlan(d, direction: direction, context: context), context)
      }
      if let direct = outcomes[.direct], let implicit = outcomes[.implicitGemm] {
        compared += 1
        if let difference = trial.difference(direct, implicit) { Issue.record("\(difference)") }
      }
    }
    #expect(compared > 50)
  }

  /// The list is a function of the problem: neither batch nor threads change it, and the plan takes its first.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func listOfAlgorithms(_ set: InstructionSet, _ type: DataType) throws {
    let one = try ExecutionContext(instructionSet: set, backend: .serial, threads: 1)
    let three = try ExecutionContext(instructionSet: set, threads: 3)
    var sampler = ConvolutionSampler(type, seed: 77)
    for turn in 0..<120 {
      var d = sampler.problem()
      let direction = ConvolutionDirection.allCases[turn % 3]
      let list = try ConvolutionPlan.algorithms(d, direction: direction, context: one)
      #expect(Set(list).count == list.count && list.contains(.direct) && !list.contains(.winograd))
      #expect(try ConvolutionPlan(d, direction: direction, context: one).algorithm == list[0])
      d.batch = 1000
      #expect(try ConvolutionPlan.algorithms(d, direction: direction, context: three) == list)
    }
  }
}
