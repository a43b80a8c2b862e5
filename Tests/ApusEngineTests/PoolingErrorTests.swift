import ApusEngine
import ApusTestSupport
import Testing

/// A rule that a pooling breaks, and what the message must contain.
struct BrokenPooling: Sendable, CustomStringConvertible {
  var description: String
  var status = Status.invalidArgument
  var spoil: @Sendable (inout PoolingDescriptor) -> Void

  init(
    _ words: String, _ status: Status = .invalidArgument, _ spoil: @escaping @Sendable (inout PoolingDescriptor) -> Void
  ) {
    description = words
    self.status = status
    self.spoil = spoil
  }
}

/// Refusals of plans and runs, and sizes.
@Suite struct PoolingErrorTests {
  static let rules: [BrokenPooling] = [
    BrokenPooling("dtype is bfloat16", .unsupported) { $0.dataType = .bfloat16 },
    BrokenPooling("index_type is int8") { $0.indexType = .int8 },
    BrokenPooling("batch is -1") { $0.batch = -1 },
    BrokenPooling("channels is -2") { $0.channels = -2 },
    BrokenPooling("spatial_rank is 4") { $0.window.rank = 4 },
    BrokenPooling("input[0] is 0") { $0.window.input.height = 0 },
    BrokenPooling("window[1] is -1") { $0.window.window.width = -1 },
    BrokenPooling("window[0] is 9, but with dilation 1 it spans 9, more than the padded input's 8") {
      $0.window.window.height = 9
    },
    BrokenPooling("stride[1] is 0") { $0.window.stride.width = 0 },
    BrokenPooling("pad_before[0] is 3, but the first window, which spans 3") { $0.window.padBefore.height = 3 },
    BrokenPooling("pad_after[1] is 6, but the last window, which begins at 10") {
      $0.window.padAfter.width = 6
      $0.window.stride.width = 5
    },
    BrokenPooling("dilation[0] is 9, but window 0 must have an element") {
      $0.window.input.height = 2
      $0.window.window.height = 2
      $0.window.dilation.height = 9
      $0.window.padBefore.height = 5
      $0.window.padAfter.height = 9
    },
    BrokenPooling("dilation[1] is 2, but only a maximum is dilated") {
      $0.kind = .average
      $0.window.dilation.width = 2
    },
    BrokenPooling("stride[0] is 2, but it does not divide 5") {
      $0.window.stride.height = 2
      $0.window.rounding = .strict
    },
    BrokenPooling("norm is 0.0") {
      $0.kind = .norm
      $0.norm = 0
    },
    BrokenPooling("norm is nan") {
      $0.kind = .norm
      $0.norm = .nan
    },
    BrokenPooling("output[1] is 0") { $0.adaptiveOutput = Extents(1, 2, 0) },
    BrokenPooling("pad_before[0] is 1, but adaptive windows have none") {
      $0.adaptiveOutput = Extents(1, 2, 2)
      $0.window.padBefore.height = 1
    },
    BrokenPooling("input is 8 x 9, but with batch") { $0.batch = .max / 4 },
    BrokenPooling("input[0] is 2147483647, but pooling has up to", .unsupported) {
      $0.window.input.height = .init(Int32.max)
    },
    BrokenPooling("indices of this type reach", .unsupported) {
      $0.window.input = Extents(1, 1 << 16, 1 << 16)
      $0.batch = 1
      $0.channels = 1
    },
  ]

  @Test(arguments: rules)
  func brokenRulesAreNamed(_ rule: BrokenPooling) throws {
    var d = PoolingDescriptor(
      dataType: .float32, kind: .maximum, batch: 2, channels: 3,
      window: SpatialWindow(rank: 2, input: Extents(1, 8, 9), window: Extents(1, 3, 3)))
    rule.spoil(&d)
    let error = #expect(throws: ApusError.self) { try PoolingPlan(d, context: ExecutionContext()) }
    #expect(error?.status == rule.status)
    #expect(error?.message.contains(rule.description) == true, "\(String(describing: error))")
  }

  /// Legal, however odd.
  @Test func extremesThatAreLegal() throws {
    let context = try ExecutionContext()
    for (batch, channels) in [(0, 5), (5, 0), (0, 0), (1 << 30, 0)] {
      for direction in PoolingDirection.allCases {
        let d = PoolingDescriptor(
          dataType: .float64, kind: .maximum, batch: batch, channels: channels,
          window: SpatialWindow(rank: 1, input: Extents(1, 1, 60_000_000), window: Extents(1, 1, 3)))
        let plan = try PoolingPlan(d, direction: direction, context: context)
        #expect(plan.scratchBytes(context: context) >= 0 && plan.inputCount == 0)
        try plan.run(context: context, PoolingArguments())
      }
    }
  }

  /// A window far larger than the input, most of it padding: its size in elements does not fit 63 bits.
  @Test(arguments: PoolingKind.allCases) func windowsOfPadding(_ kind: PoolingKind) throws {
    let context = try ExecutionContext()
    var window = SpatialWindow(rank: 3, input: Extents(2, 2, 1), window: Extents(repeating: 1 << 30))
    window.padBefore = Extents(repeating: 1 << 29)
    window.padAfter = Extents(repeating: 1 << 29)
    let d = PoolingDescriptor(dataType: .float64, kind: kind, batch: 1, channels: 1, window: window)
    let plan = try PoolingPlan(d, context: context)
    #expect(plan.flops > 1e20 && plan.scratchBytes(context: context) >= 0)
    _ = try PoolingPlan(d, direction: .backwardData, context: context).scratchBytes(context: context)
  }

  /// Numbers at the ends of their ranges, together, with as many threads as there can be: an error or a plan that answers,
  /// whatever overflows.
  @Test(arguments: PoolingDirection.allCases) func extremesTogether(_ direction: PoolingDirection) throws {
    let context = try Setting(.baseline, .host, ExecutionContext.maximumThreads).context()
    func plan(_ d: PoolingDescriptor) -> Bool {
      guard let plan = try? PoolingPlan(d, direction: direction, context: context) else { return false }
      #expect(plan.scratchBytes(context: context) >= 0 && plan.threadsUsed(context: context) > 0, "\(d)")
      #expect(plan.bytes >= 0 && plan.flops >= 0 && !plan.description.isEmpty, "\(d)")
      return true
    }
    // The indices of one sample for every thread.
    var d = PoolingDescriptor(
      dataType: .float64, kind: .maximum, batch: 1, channels: 1 << 18,
      window: SpatialWindow(rank: 2, input: Extents(repeating: 1), window: Extents(repeating: 1)))
    d.layout = .channelsLast
    d.indexType = .int64
    d.adaptiveOutput = Extents(1, 1 << 20, 1 << 20)
    #expect(!plan(d))
    var random = Randomness(seed: 31)
    var plans = 0
    for _ in 0..<600 {
      func pick(_ numbers: [Int]) -> Int { random.pick(numbers) }
      func extents(_ numbers: [Int]) -> Extents { Extents(pick(numbers), pick(numbers), pick(numbers)) }
      var window = SpatialWindow(
        rank: 3, input: extents([1, 1, 2, 100, 1 << 20, .max]), window: extents([1, 2, 3, 1 << 20, 0x7fff_ffff]))
      window.stride = extents([1, 2, 0x7fff_ffff, .max])
      window.rounding = random.pick([.floor, .ceil])
      var d = PoolingDescriptor(
        dataType: random.pick(gemmTypes), kind: random.pick(PoolingKind.allCases),
        batch: pick([0, 1, 1 << 20, 1 << 40]),
        channels: pick([0, 1, 100, 1 << 20, 1 << 40]), window: window)
      d.layout = random.pick(TensorLayout.allCases)
      d.indexType = random.pick([.int32, .int64])
      if random.bool() {
        d.adaptiveOutput = extents([1, 1, 2, 1000, 1 << 20, .max])
        // What is not read may be any number.
        d.window.window = extents([.min, -1, 0, .max])
        d.window.stride = extents([.min, -1, 0, .max])
      } else {
        d.window.dilation = extents([1, 1, 1, 2, 0x7fff_ffff])
        d.window.padBefore = extents([0, 0, 1, 1 << 19, 0x7fff_fffe])
        d.window.padAfter = extents([0, 0, 1, 1 << 19, 0x7fff_fffe])
      }
      // A plane of an average's factors takes time.
      if let size = try? d.outputSize(), size.product > 1 << 22 && d.kind != .maximum && d.kind != .norm { continue }
      if plan(d) { plans += 1 }
    }
    #expect(plans > 5)
  }

  /// A backward maximum without indices finds those of some rows at a time.
  @Test(arguments: InstructionSet.available, TensorLayout.allCases)
  func scratchIsSmall(_ set: InstructionSet, _ layout: TensorLayout) throws {
    let context = try Setting(set, .host, 2).context()
    func bytes(_ kind: PoolingKind, _ size: Int, _ direction: PoolingDirection, _ window: Int, adaptive: Int?) throws
      -> Int
    {
      var window = SpatialWindow(rank: 2, input: Extents(1, size, size), window: Extents(1, window, window))
      window.stride = Extents(1, 2, 2)
      var d = PoolingDescriptor(dataType: .float32, kind: kind, batch: 1, channels: 256, window: window)
      d.layout = layout
      d.adaptiveOutput = adaptive.map { Extents(1, $0, $0) }
      return try PoolingPlan(d, direction: direction, context: context).scratchBytes(context: context)
    }
    for kind in PoolingKind.allCases {
      for direction in [PoolingDirection.forward, .backwardData] {
        for (size, window, adaptive) in [
          (512, 1, 256), (64, 1, 512), (512, 1, 7), (224, 1, 100), (112, 3, nil), (500, 9, nil), (500, 2, nil),
        ] as [(Int, Int, Int?)] {
          let bytes = try bytes(kind, size, direction, window, adaptive: adaptive)
          // Windows over one row of the input, of all channels; rarely more.
          let rows = adaptive.map { $0 / size + 2 } ?? (window / 2 + 2)
          let most = 256 << 10 + 2 * 3 * rows * (adaptive ?? size / 2) * 256 * 4
          #expect(bytes <= most, "\(kind) \(direction) \(size) to \(adaptive ?? 0): \(bytes) above \(most)")
        }
      }
    }
  }

  @Test func runsThatAreRefused() throws {
    let context = try ExecutionContext()
    var d = PoolingDescriptor(
      dataType: .float32, kind: .norm, batch: 2, channels: 3,
      window: SpatialWindow(rank: 2, input: Extents(1, 8, 9), window: Extents(1, 2, 3)))
    let memory = TestMemory(bytes: 2 * 3 * 72 * 4)
    func message(_ direction: PoolingDirection, _ spoil: (inout PoolingArguments) -> Void) throws -> String {
      let plan = try PoolingPlan(d, direction: direction, context: context)
      var a = PoolingArguments()
      a.x = memory.base
      a.y = memory.base
      a.dy = memory.base
      a.dx = memory.base
      spoil(&a)
      do {
        try plan.run(context: context, a)
        return "was not refused"
      } catch {
        return error.message
      }
    }
    #expect(try message(.forward) { $0.x = nil }.hasPrefix("x is NULL"))
    #expect(try message(.forward) { $0.y = nil }.hasPrefix("y is NULL"))
    #expect(try message(.forward) { $0.indices = memory.base }.hasPrefix("indices is not NULL"))
    #expect(try message(.forward) { $0.accumulates = true }.hasPrefix("accumulate is 1"))
    #expect(try message(.backwardData) { $0.dx = nil }.hasPrefix("dx is NULL"))
    #expect(try message(.backwardData) { $0.y = nil }.hasPrefix("y is NULL"))
    #expect(
      try message(.forward) {
        $0.scratch = memory.base
        $0.scratchBytes = 1
      }.hasPrefix("scratch_bytes is 1"))
    d.kind = .maximum
    #expect(try message(.backwardData) { $0.x = nil }.hasPrefix("indices is NULL"))
    #expect(try message(.unpool) { _ in }.hasPrefix("indices is NULL"))
  }

  /// Output sizes of frameworks: floor, Caffe's ceil, and adaptive.
  @Test func sizes() throws {
    func size(_ input: Int, _ window: Int, _ stride: Int, _ padding: Int, _ rounding: WindowRounding) throws -> Int {
      var geometry = SpatialWindow(rank: 1, input: Extents(1, 1, input), window: Extents(1, 1, window))
      geometry.stride.width = stride
      geometry.padBefore.width = padding
      geometry.padAfter.width = padding
      geometry.rounding = rounding
      return try PoolingDescriptor(dataType: .float32, kind: .maximum, batch: 1, channels: 1, window: geometry)
        .outputSize().width
    }
    #expect(try size(112, 3, 2, 1, .floor) == 56)
    #expect(try size(112, 3, 2, 0, .floor) == 55)
    #expect(try size(112, 3, 2, 0, .ceil) == 56)
    #expect(try size(28, 2, 2, 0, .strict) == 14)
    #expect(try size(7, 7, 1, 0, .floor) == 1)
    // The last window would begin in the padding behind: dropped.
    #expect(try size(5, 2, 2, 1, .ceil) == 3)
  }
}
