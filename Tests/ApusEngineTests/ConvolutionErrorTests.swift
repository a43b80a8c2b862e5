import ApusEngine
import ApusKernelInterface
import ApusTestSupport
import Testing

/// A rule that a convolution breaks, and what the message must contain.
struct BrokenConvolution: Sendable, CustomStringConvertible {
  var description: String
  var words: [String]
  var status: Status
  var direction: ConvolutionDirection
  var spoil: @Sendable (inout ConvolutionDescriptor) -> Void

  init(
    _ description: String, _ words: [String], status: Status = .invalidArgument,
    _ direction: ConvolutionDirection = .forward, _ spoil: @escaping @Sendable (inout ConvolutionDescriptor) -> Void
  ) {
    self.description = description
    self.words = words
    self.status = status
    self.direction = direction
    self.spoil = spoil
  }
}

/// Refusals of plans.
@Suite struct ConvolutionErrorTests {
  static let most = Int(Int32.max)

  static let rules: [BrokenConvolution] = [
    BrokenConvolution("negative batch", ["batch is -2"]) { $0.batch = -2 },
    BrokenConvolution("no input channels", ["in_channels is 0", "1"]) { $0.inputChannels = 0 },
    BrokenConvolution("least input channels", ["in_channels is \(Int.min)"]) { $0.inputChannels = .min },
    BrokenConvolution("negative output channels", ["out_channels is -1"]) { $0.outputChannels = -1 },
    BrokenConvolution("too many channels", ["out_channels is \(Int.max)", "\(most)"]) { $0.outputChannels = .max },
    BrokenConvolution("no groups", ["groups is 0"]) { $0.groups = 0 },
    BrokenConvolution("groups of the input", ["in_channels is 4", "groups, 3"]) {
      $0.groups = 3
      $0.outputChannels = 6
    },
    BrokenConvolution("groups of the output", ["out_channels is 6", "groups, 4"]) { $0.groups = 4 },
    BrokenConvolution("rank 0", ["spatial_rank is 0", "1, 2 or 3"]) { $0.window.rank = 0 },
    BrokenConvolution("rank 4", ["spatial_rank is 4"]) { $0.window.rank = 4 },
    BrokenConvolution("empty input", ["input[0] is 0"]) { $0.window.input.height = 0 },
    BrokenConvolution("negative input", ["input[1] is -5"]) { $0.window.input.width = -5 },
    BrokenConvolution("empty kernel", ["kernel[1] is 0"]) { $0.window.window.width = 0 },
    BrokenConvolution("least kernel", ["kernel[1] is \(Int.min)"]) { $0.window.window.width = .min },
    BrokenConvolution("kernel beyond the input", ["kernel[0] is 10", "spans 10", "9"]) { $0.window.window.height = 10 },
    BrokenConvolution("dilated kernel beyond the input", ["kernel[1] is 3", "dilation 5", "spans 11", "8"]) {
      $0.window.dilation.width = 5
    },
    BrokenConvolution("stride 0", ["stride[0] is 0"]) { $0.window.stride.height = 0 },
    BrokenConvolution("greatest stride", ["stride[1] is \(Int.max)", "\(most)"]) { $0.window.stride.width = .max },
    BrokenConvolution("dilation 0", ["dilation[1] is 0"]) { $0.window.dilation.width = 0 },
    BrokenConvolution("greatest dilation", ["dilation[1] is \(Int.max)"]) { $0.window.dilation.width = .max },
    BrokenConvolution("least dilation", ["dilation[1] is \(Int.min)"]) { $0.window.dilation.width = .min },
    BrokenConvolution("negative padding before", ["pad_before[1] is -1", "0"]) { $0.window.padBefore.width = -1 },
    BrokenConvolution("greatest padding behind", ["pad_after[0] is \(Int.max)"]) { $0.window.padAfter.height = .max },
    BrokenConvolution("ceil", ["rounding is ceil", "pooling"]) { $0.window.rounding = .ceil },
    BrokenConvolution("strict", ["stride[0] is 4", "does not divide 6", "strict"]) {
      $0.window.rounding = .strict
      $0.window.stride.height = 4
    },
    BrokenConvolution("output padding of a plain one", ["output_padding[1] is 1", "transposed"]) {
      $0.outputPadding.width = 1
    },
    BrokenConvolution("bytes of x", ["x is \(Int.max) x 4 x 1 x 9 x 8", "62 bits"]) { $0.batch = .max },
    BrokenConvolution("bytes of an image", ["x is 1 x", "62 bits"]) {
      $0.window.input = Extents(1, most, most)
      $0.inputChannels = most - most % 4
    },
    BrokenConvolution("bytes of y", ["y is", "62 bits"]) {
      $0.window.padBefore = Extents(0, most, most)
      $0.outputChannels = most
      $0.batch = 1 << 20
    },
    BrokenConvolution("bytes of the weights", ["weights is", "62 bits"]) {
      $0.inputChannels = most
      $0.outputChannels = most
    },
    BrokenConvolution("bytes of a padded image", ["pad_before and pad_after is [", "47 bits"]) {
      $0.window = SpatialWindow(rank: 3, input: Extents(1, 1, 1), window: Extents(2, 2, 2))
      $0.window.dilation = Extents(repeating: most)
      $0.window.padBefore = Extents(repeating: most)
    },
    BrokenConvolution("too many taps", ["kernel has 4194304 taps", "1048576"], status: .unsupported) {
      $0.window.window = Extents(1, 2048, 2048)
      $0.window.input = Extents(1, 2048, 2048)
    },
    BrokenConvolution("too many passes", ["stride is [1000, 1000]", "65536"], status: .unsupported, .backwardData) {
      $0.window.stride = Extents(1, 1000, 1000)
      $0.window.input = Extents(1, 1000, 1000)
    },
    BrokenConvolution(
      "too many passes of a transposed one", ["stride is [1, \(most)]", "65536"], status: .unsupported
    ) {
      $0.isTransposed = true
      $0.window.input = Extents(1, 2, 2)
      $0.window.stride = Extents(1, 1, most)
    },
    BrokenConvolution("output padding of the stride", ["output_padding[0] is 2", "stride 2"]) {
      $0.isTransposed = true
      $0.window.stride.height = 2
      $0.outputPadding.height = 2
    },
    BrokenConvolution("negative output padding", ["output_padding[1] is -1"]) {
      $0.isTransposed = true
      $0.outputPadding.width = -1
    },
    BrokenConvolution("no transposed output", ["pad_before[0] + pad_after[0] is 12", "spreads over 11"]) {
      $0.isTransposed = true
      $0.window.padBefore.height = 12
    },
    BrokenConvolution("dilation of a transposed one", ["dilation[1] is \(Int.max)"]) {
      $0.isTransposed = true
      $0.window.dilation.width = .max
    },
    BrokenConvolution("kernel of a transposed one", ["kernel[0] is \(Int.min)"]) {
      $0.isTransposed = true
      $0.window.window.height = .min
    },
    BrokenConvolution("input of a transposed one", ["input[1] is \(Int.max)"]) {
      $0.isTransposed = true
      $0.window.input.width = .max
    },
    BrokenConvolution("reserved type", ["dtype is bfloat16"], status: .unsupported) { $0.dataType = .bfloat16 },
    BrokenConvolution("integer type", ["dtype is int8"], status: .unsupported) { $0.dataType = .int8 },
    BrokenConvolution(
      "an algorithm that cannot", ["algorithm is winograd", "direct"], status: .unsupported
    ) { $0.algorithm = .winograd },
    BrokenConvolution(
      "an algorithm for other groups", ["algorithm is depthwise", "direct"], status: .unsupported, .backwardWeights
    ) { $0.algorithm = .depthwise },
  ]

  @Test(arguments: rules)
  func brokenRulesAreNamed(_ rule: BrokenConvolution) throws {
    let context = try ExecutionContext()
    var d = ConvolutionDescriptor.plane(.float32, channels: 4, height: 9, width: 8, filters: 6, kernel: 3)
    rule.spoil(&d)
    let error = #expect(throws: ApusError.self) {
      try ConvolutionPlan(d, direction: rule.direction, context: context)
    }
    #expect(error?.status == rule.status)
    for word in rule.words { #expect(error?.message.contains(word) == true, "\(String(describing: error))") }
    if d.algorithm != nil { return }
    // The query says the same.
    let other = #expect(throws: ApusError.self) {
      _ = try ConvolutionPlan.algorithms(d, direction: rule.direction, context: context)
    }
    #expect(other == error)
  }

  /// Legal, however odd: sizes that the arithmetic behind a plan must survive, quickly and in little memory.
  @Test func extremesThatAreLegal() throws {
    let context = try ExecutionContext(threads: 3)
    let type = DataType.float32
    let most = Self.most
    var problems: [ConvolutionDescriptor] = []
    func add(_ change: (inout ConvolutionDescriptor) -> Void) {
      var d = ConvolutionDescriptor.plane(type, channels: 1, height: 1, width: 8, filters: 1, kernel: 1)
      change(&d)
      problems.append(d)
    }
    add { $0.window.input.width = most }
    add { $0.window.stride.width = most }
    add {
      $0.window.window.width = 2
      $0.window.dilation.width = most
      $0.window.padBefore.width = most
    }
    add { $0.window.padAfter.width = most }
    add { $0.inputChannels = most }
    add { $0.outputChannels = most }
    add { $0.batch = 1 << 45 }
    add {
      $0.inputChannels = 1 << 20
      $0.outputChannels = 1 << 20
      $0.groups = 1 << 20
    }
    add {
      $0.window.input.width = 1 << 20
      $0.window.window.width = 1 << 20
    }
    add {
      $0.window.input.width = 40_000
      $0.window.window.width = 40_000
      $0.window.stride.width = 40_000
    }
    add {
      $0.isTransposed = true
      $0.window.stride.width = 60_000
      $0.window.input.width = 3
    }
    for problem in problems {
      for direction in ConvolutionDirection.allCases {
        for d in try problem.withEachAlgorithm(direction, context) {
          let plan = try ConvolutionPlan(d, direction: direction, context: context)
          #expect(plan.scratchBytes(context: context) >= 0 && plan.packedWeightBytes > 0)
          #expect(plan.flops > 0 && plan.bytes > 0 && !plan.description.isEmpty)
        }
      }
    }
  }

  /// Numbers at the ends of their ranges, together, with as many threads as there can be: an error or a plan that answers,
  /// whatever overflows.
  @Test(arguments: ConvolutionDirection.allCases) func extremesTogether(_ direction: ConvolutionDirection) throws {
    let context = try Setting(.baseline, .host, ExecutionContext.maximumThreads).context()
    var plans = 0
    func plan(_ d: ConvolutionDescriptor) throws {
      // A list is an answer too, and what it names can be planned.
      guard let all = try? d.withEachAlgorithm(direction, context) else { return }
      for d in all {
        let plan = try ConvolutionPlan(d, direction: direction, context: context)
        #expect(plan.scratchBytes(context: context) >= 0 && plan.packedWeightBytes > 0, "\(d)")
        #expect(plan.flops >= 0 && plan.bytes > 0 && !plan.description.isEmpty, "\(d)")
      }
      plans += 1
    }
    var d = ConvolutionDescriptor.plane(
      .float32, channels: Self.most, height: 3, width: 3, filters: Self.most, kernel: 3)
    d.groups = Self.most
    for isTransposed in [false, true] {
      d.isTransposed = isTransposed
      for layout in TensorLayout.allCases {
        d.xLayout = layout
        try plan(d)
      }
    }
    #expect(plans == 4)
    var random = Randomness(seed: 32)
    for _ in 0..<1000 {
      func pick(_ numbers: [Int]) -> Int { random.pick(numbers) }
      func extents(_ numbers: [Int]) -> Extents { Extents(pick([1, numbers[0]]), pick(numbers), pick(numbers)) }
      let channels = [1, 3, 64, 1 << 16, 1 << 28, Self.most]
      var d = ConvolutionDescriptor.plane(
        random.pick(gemmTypes), batch: pick([0, 1, 1 << 20, 1 << 45]), channels: pick(channels), height: 1, width: 1,
        filters: pick(channels), kernel: 1)
      d.groups = pick([1, 1, d.inputChannels, d.outputChannels])
      d.window.input = extents([2, 3, 3, 1 << 10, Self.most])
      d.window.window = extents([1, 1, 3, 3, 1 << 10, Self.most])
      d.window.stride = extents([1, 1, 2, 1 << 8, Self.most])
      d.window.dilation = extents([1, 1, 2, 1 << 10, Self.most])
      d.window.padBefore = extents([0, 1, 1 << 10, Self.most])
      d.window.padAfter = extents([0, 1, 1 << 10, Self.most])
      d.isTransposed = random.bool()
      d.xLayout = random.pick(TensorLayout.allCases)
      d.yLayout = random.pick(TensorLayout.allCases)
      d.hasBias = true
      d.allowsWinograd = true
      try plan(d)
    }
    #expect(plans > 20)
  }

  /// What the attack on the engine tried, at sizes that can be run: windows that miss the input altogether, strides beyond
  /// the kernel and the input, dilation beyond the input, one-element outputs.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func oddShapes(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    var problems: [ConvolutionDescriptor] = []
    func add(_ change: (inout ConvolutionDescriptor) -> Void) {
      var d = ConvolutionDescriptor.plane(
        type, batch: 2, channels: 3, height: 5, width: 6, filters: 4, kernel: 3, pad: 1)
      d.hasBias = true
      change(&d)
      problems.append(d)
    }
    // Every tap of some windows lies in the padding.
    add { $0.window.padBefore = Extents(0, 9, 11) }
    add {
      $0.window.padBefore = Extents(0, 9, 11)
      $0.window.stride = Extents(1, 7, 8)
    }
    // All taps of the only window do.
    add {
      $0.window.padBefore = Extents(0, 20, 20)
      $0.window.stride = Extents(1, 100, 100)
    }
    add { $0.window.stride = Extents(1, 100, 1000) }
    add {
      $0.window.dilation = Extents(1, 7, 9)
      $0.window.padBefore = Extents(0, 10, 13)
    }
    add {
      $0.window.dilation = Extents(1, 20, 20)
      $0.window.padBefore = Extents(0, 20, 20)
      $0.window.padAfter = Extents(0, 20, 20)
    }
    // Transposed, with rows that no tap meets.
    add {
      $0.isTransposed = true
      $0.window.stride = Extents(1, 5, 4)
      $0.outputPadding = Extents(0, 4, 3)
      $0.activation = .sigmoid
    }
    add {
      $0.isTransposed = true
      $0.window.dilation = Extents(1, 9, 11)
    }
    add {
      $0.isTransposed = true
      $0.window.input = Extents(1, 1, 1)
    }
    add {
      $0.groups = 3
      $0.outputChannels = 6
      $0.window.stride = Extents(1, 4, 4)
    }
    // Stride and dilation with a common factor: taps leave remainders out.
    add {
      $0.window.stride = Extents(1, 4, 6)
      $0.window.dilation = Extents(1, 2, 3)
      $0.window.input = Extents(1, 11, 15)
    }
    for problem in problems {
      for direction in ConvolutionDirection.allCases {
        for (x, y) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
          var d = problem
          d.xLayout = TensorLayout.allCases[x]
          d.yLayout = TensorLayout.allCases[y]
          for accumulate in [false, true] {
            try expectRight(d, direction, context, accumulate: accumulate, .beforeGuard, scratch: .exact)
          }
        }
      }
    }
  }
}
