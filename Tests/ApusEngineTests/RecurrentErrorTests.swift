import ApusEngine
import ApusTestSupport
import Testing

/// A rule that recurrent layers break, and what the message must contain.
struct BrokenRecurrent: Sendable, CustomStringConvertible {
  var description: String
  var status = Status.invalidArgument
  var spoil: @Sendable (inout RecurrentDescriptor) -> Void

  init(
    _ words: String, _ status: Status = .invalidArgument,
    _ spoil: @escaping @Sendable (inout RecurrentDescriptor) -> Void
  ) {
    description = words
    self.status = status
    self.spoil = spoil
  }
}

/// Refusals of plans and runs.
@Suite struct RecurrentErrorTests {
  static let rules: [BrokenRecurrent] = [
    BrokenRecurrent("dtype is bfloat16", .unsupported) { $0.dataType = .bfloat16 },
    BrokenRecurrent("layers is 0, but it must be 1 to 2147483647") { $0.layers = 0 },
    BrokenRecurrent("steps is 0") { $0.steps = 0 },
    BrokenRecurrent("batch is -1") { $0.batch = -1 },
    BrokenRecurrent("input is 0") { $0.input = 0 },
    BrokenRecurrent("hidden is -3") { $0.hidden = -3 },
    BrokenRecurrent("hidden is 2147483648") { $0.hidden = 1 << 31 },
    BrokenRecurrent("projection is -1") { $0.projection = -1 },
    BrokenRecurrent("projection is 6, but it must be less than hidden, 6") { $0.projection = 6 },
    BrokenRecurrent("biases is 3") { $0.biases = 3 },
    BrokenRecurrent("biases is -1") { $0.biases = -1 },
    BrokenRecurrent("projection is 2, but only an LSTM has one, and the cell is gru") {
      $0.cell = .gru
      $0.projection = 2
    },
    BrokenRecurrent("flags is PEEPHOLES, but only an LSTM") {
      $0.cell = .tanh
      $0.hasPeepholes = true
    },
    BrokenRecurrent("cell_clip is 1.0, but only an LSTM") {
      $0.cell = .gruResetBefore
      $0.cellClip = 1
    },
    BrokenRecurrent("cell_clip is -1.0") { $0.cellClip = -1 },
    BrokenRecurrent("cell_clip is nan") { $0.cellClip = .nan },
    BrokenRecurrent("cell_clip is inf") { $0.cellClip = .infinity },
    BrokenRecurrent("hidden is 2147483647, but the bytes of 2147483647 layers' weights") {
      $0.hidden = .init(Int32.max)
      $0.layers = $0.hidden
    },
    BrokenRecurrent("steps is 2147483647, but the bytes of what 2147483647 sequences") {
      $0.steps = .init(Int32.max)
      $0.batch = $0.steps
    },
  ]

  private static var good: RecurrentDescriptor {
    RecurrentDescriptor(dataType: .float32, cell: .lstm, steps: 5, batch: 2, input: 4, hidden: 6)
  }

  @Test(arguments: rules)
  func brokenRulesAreNamed(_ rule: BrokenRecurrent) throws {
    var d = Self.good
    rule.spoil(&d)
    for mode in RecurrentMode.allCases {
      let error = #expect(throws: ApusError.self) { try RecurrentPlan(d, mode: mode, context: ExecutionContext()) }
      #expect(error?.status == rule.status)
      #expect(error?.message.contains(rule.description) == true, "\(String(describing: error))")
    }
    #expect(throws: ApusError.self) { try d.parameterCount() }
  }

  /// Legal, however odd, and planned at once: nothing is counted layer by layer.
  @Test func extremesThatAreLegal() throws {
    let context = try ExecutionContext()
    for (layers, steps, batch) in [
      (1 << 31 - 1, 1, 0), (1, 1 << 31 - 1, 0), (1, 1, 1 << 31 - 1), (3, 1 << 20, 1 << 10),
    ] {
      var d = RecurrentDescriptor(dataType: .float64, cell: .lstm, steps: steps, batch: batch, input: 2, hidden: 3)
      d.layers = layers
      for mode in RecurrentMode.allCases {
        let plan = try RecurrentPlan(d, mode: mode, context: context)
        #expect(plan.scratchBytes(context: context) > 0 && plan.packedBytes > 0 && plan.flops >= 0)
        #expect(plan.workspaceBytes > 0 || mode == .inference)
      }
    }
    // Nothing but gradients of weights, which are sums of nothing.
    var d = Self.good
    d.batch = 0
    let trial = try RecurrentTrial(d, seed: 1)
    #expect(try trial.run(context).dParameters.allSatisfy { $0 == 0 })
    var run = RecurrentRun()
    run.accumulates = true
    #expect(try trial.run(context, run).dParameters == trial.old.dParameters)
  }

  /// Buffers of one plan, and what a run says of them.
  private final class Bench {
    let context: ExecutionContext
    let plan: RecurrentPlan
    let memory: TestMemory
    let workspace: TestMemory
    let packed: TestMemory
    let lengths: TestMemory
    var arguments = RecurrentArguments()

    init(_ d: RecurrentDescriptor, _ mode: RecurrentMode = .training) throws {
      context = try ExecutionContext()
      plan = try RecurrentPlan(d, mode: mode, context: context)
      memory = TestMemory(bytes: 16 * plan.parameterCount)
      workspace = TestMemory(bytes: plan.workspaceBytes)
      packed = TestMemory(bytes: plan.packedBytes)
      lengths = TestMemory(bytes: 8 * d.batch)
      arguments.parameters = UnsafeRawPointer(memory.base)
      arguments.x = UnsafeRawPointer(memory.base)
      arguments.y = memory.base + 8 * plan.parameterCount
      if mode == .training {
        arguments.workspace = workspace.base
        arguments.workspaceBytes = workspace.count
      }
    }

    /// The message of a run that must fail and must write nothing.
    func message(backward: Bool = false, _ spoil: (inout RecurrentArguments) -> Void) -> (Status, String) {
      var a = arguments
      spoil(&a)
      let before = Array(UnsafeRawBufferPointer(start: memory.base, count: memory.count))
      let saved = Array(UnsafeRawBufferPointer(start: workspace.base, count: workspace.count))
      var result = (Status.ok, "was not refused")
      do throws(ApusError) {
        if backward { try plan.backward(context: context, a) } else { try plan.forward(context: context, a) }
      } catch {
        result = (error.status, error.message)
      }
      #expect(Array(UnsafeRawBufferPointer(start: memory.base, count: memory.count)) == before)
      #expect(Array(UnsafeRawBufferPointer(start: workspace.base, count: workspace.count)) == saved)
      return result
    }
  }

  @Test func runsThatAreRefused() throws {
    var d = Self.good
    let bench = try Bench(d)
    func expect(
      _ bench: Bench, _ words: String, _ status: Status = .invalidArgument, backward: Bool = false,
      _ spoil: (inout RecurrentArguments) -> Void
    ) {
      let (found, text) = bench.message(backward: backward, spoil)
      #expect(found == status && text.hasPrefix(words), "\(words): \(text)")
    }
    for backward in [false, true] {
      expect(bench, "parameters is NULL", backward: backward) { $0.parameters = nil }
      expect(bench, "x is NULL", backward: backward) { $0.x = nil }
      expect(bench, "workspace is NULL", backward: backward) { $0.workspace = nil }
      expect(bench, "workspace_bytes is", backward: backward) { $0.workspaceBytes -= 1 }
      for length in [Int64(-1), 6, .max, .min] {
        expect(bench, "lengths[1] is \(length)", backward: backward) {
          bench.lengths.base.storeBytes(of: 5, as: Int64.self)
          bench.lengths.base.storeBytes(of: length, toByteOffset: 8, as: Int64.self)
          $0.lengths = UnsafePointer(bench.lengths.base.assumingMemoryBound(to: Int64.self))
        }
      }
      expect(bench, "packed does not hold", .mismatch, backward: backward) {
        $0.packed = UnsafeRawPointer(bench.memory.base)
      }
    }
    expect(bench, "scratch_bytes is 8") {
      $0.scratch = bench.memory.base
      $0.scratchBytes = 8
    }
    expect(bench, "workspace was not filled", .mismatch, backward: true) { _ in }
    expect(try Bench(d, .inference), "the plan was made for inference", .unsupported, backward: true) { _ in }
    d.cell = .gru
    let gru = try Bench(d)
    let p = gru.memory.base
    expect(gru, "c0 is not NULL, but only an LSTM") { $0.c0 = UnsafeRawPointer(p) }
    expect(gru, "cn is not NULL") { $0.cn = p }
    expect(gru, "dcn is not NULL", backward: true) { $0.dcn = UnsafeRawPointer(p) }
    expect(gru, "dc0 is not NULL", backward: true) { $0.dc0 = p }
  }

  /// Weights and workspaces of another plan are refused, those of another number of steps and sequences are not.
  @Test func packedWeightsAndWorkspacesOfOthers() throws {
    let changes: [@Sendable (inout RecurrentDescriptor) -> Void] = [
      { $0.cell = .gru }, { $0.hidden += 1 }, { $0.input += 1 }, { $0.layers += 1 }, { $0.biases = 1 },
      { $0.direction = .bidirectionalConcatenated }, { $0.projection = 2 }, { $0.hasPeepholes = true },
      { $0.dataType = .float64 },
    ]
    let d = Self.good
    for change in changes {
      var other = d
      change(&other)
      let (mine, foreign) = (try Bench(d), try Bench(other))
      try foreign.plan.forward(context: foreign.context, foreign.arguments)
      try foreign.plan.pack(
        foreign.memory.base, into: foreign.packed.base, capacity: foreign.packed.count, context: foreign.context)
      let (status, text) = mine.message { $0.packed = UnsafeRawPointer(foreign.packed.base) }
      #expect(status == .mismatch && text.contains("but the plan takes lstm, input 4, hidden 6"), "\(text)")
      if foreign.workspace.count >= mine.workspace.count {
        let (status, text) = mine.message(backward: true) {
          $0.workspace = foreign.workspace.base
          $0.workspaceBytes = foreign.workspace.count
        }
        #expect(status == .mismatch && text.contains("workspace"), "\(text)")
      }
    }
    var longer = d
    longer.steps = 9
    longer.batch = 1
    let (mine, same) = (try Bench(d), try Bench(longer))
    try same.plan.pack(same.memory.base, into: same.packed.base, capacity: same.packed.count, context: same.context)
    mine.arguments.packed = UnsafeRawPointer(same.packed.base)
    try mine.plan.forward(context: mine.context, mine.arguments)
    // Inference has not what backward needs.
    let lean = try Bench(d, .inference)
    try lean.plan.pack(lean.memory.base, into: lean.packed.base, capacity: lean.packed.count, context: lean.context)
    #expect(mine.message { $0.packed = UnsafeRawPointer(lean.packed.base) }.0 == .mismatch)
    lean.arguments.packed = UnsafeRawPointer(same.packed.base)
    try lean.plan.forward(context: lean.context, lean.arguments)
    #expect(throws: ApusError.self) {
      try mine.plan.pack(
        mine.memory.base, into: mine.packed.base, capacity: mine.packed.count - 1, context: mine.context)
    }
    if InstructionSet.available.count > 1 {
      let other = try ExecutionContext(instructionSet: .baseline, threads: 1)
      let plan = try RecurrentPlan(d, mode: .training, context: other)
      let packed = TestMemory(bytes: plan.packedBytes)
      try plan.pack(mine.memory.base, into: packed.base, capacity: packed.count, context: other)
      #expect(mine.message { $0.packed = UnsafeRawPointer(packed.base) }.1.contains("baseline"))
    }
  }
}
