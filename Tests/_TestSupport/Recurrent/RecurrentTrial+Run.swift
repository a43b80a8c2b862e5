import ApusEngine

/// How a trial is run.
public struct RecurrentRun: Sendable {
  /// Whether backward follows.
  public var mode = RecurrentMode.training
  /// Of every buffer.
  public var placement = TestMemory.Placement.beforeGuard
  /// Weights are packed ahead.
  public var packs = false
  /// Gradients are added.
  public var accumulates = false
  /// The caller's scratch, of exactly the size that is asked for.
  public var ownScratch = false

  /// Forward and backward against guard pages.
  public init() {}
}

extension RecurrentTrial {
  /// Numbers in the type of the data; nil where there are none.
  public func memory(_ values: [Double]?, _ placement: TestMemory.Placement) -> TestMemory? {
    guard let values else { return nil }
    let type = descriptor.dataType
    let memory = TestMemory(bytes: values.count * type.size, placement)
    for (i, value) in values.enumerated() { type.store(value, memory.base, i) }
    return memory
  }

  /// The numbers of a buffer.
  public func values(_ memory: TestMemory?) -> [Double] {
    guard let memory else { return [] }
    let type = descriptor.dataType
    return (0..<memory.count / type.size).map { type.load(memory.base, $0) }
  }

  /// Forward and, in training, backward. Throws what the plan throws, and `Spill` where something beside a buffer was
  /// written. What was only to be read is compared with what it was.
  public func run(_ context: ExecutionContext, _ run: RecurrentRun = RecurrentRun()) throws -> RecurrentValues {
    let plan = try RecurrentPlan(descriptor, mode: run.mode, context: context)
    let at = run.placement
    var sources: [TestMemory] = []
    var results: [TestMemory] = []
    func source(_ values: [Double]?) -> UnsafeRawPointer? {
      guard let memory = memory(values, at) else { return nil }
      sources.append(memory)
      return UnsafeRawPointer(memory.base)
    }
    func result(_ values: [Double]) -> TestMemory? {
      guard !values.isEmpty, let memory = memory(values, at) else { return nil }
      results.append(memory)
      return memory
    }
    func bytes(_ count: Int) -> TestMemory {
      let memory = TestMemory(bytes: count, at)
      // Of no memory that a run is lent does it read what it has not written.
      memory.fill(0xff)
      results.append(memory)
      return memory
    }
    var arguments = RecurrentArguments()
    let weights = source(parameters)
    if run.packs {
      let packed = bytes(plan.packedBytes)
      try plan.pack(weights, into: packed.base, capacity: packed.count, context: context)
      arguments.packed = UnsafeRawPointer(packed.base)
    } else {
      arguments.parameters = weights
    }
    arguments.x = source(x)
    arguments.h0 = source(h0)
    arguments.c0 = source(c0)
    var lengthMemory: TestMemory?
    if let lengths {
      let memory = TestMemory(bytes: lengths.count * 8, at)
      for (i, length) in lengths.enumerated() {
        memory.base.storeBytes(of: Int64(length), toByteOffset: 8 * i, as: Int64.self)
      }
      lengthMemory = memory
      arguments.lengths = UnsafePointer(memory.base.assumingMemoryBound(to: Int64.self))
    }
    if run.ownScratch {
      let scratch = bytes(plan.scratchBytes(context: context))
      arguments.scratch = scratch.base
      arguments.scratchBytes = scratch.count
    }
    let (y, hn, cn) = (result(old.y), result(old.hn), result(old.cn))
    arguments.y = y?.base
    arguments.hn = hn?.base
    arguments.cn = cn?.base
    if run.mode == .training {
      let workspace = bytes(plan.workspaceBytes)
      arguments.workspace = workspace.base
      arguments.workspaceBytes = workspace.count
    }
    try plan.forward(context: context, arguments)
    var found = RecurrentValues()
    (found.y, found.hn, found.cn) = (values(y), values(hn), values(cn))
    var stepMemory: TestMemory?
    if run.mode == .training {
      arguments.dy = source(dy)
      arguments.dhn = source(dhn)
      arguments.dcn = source(dcn)
      if let dySteps {
        let memory = TestMemory(bytes: dySteps.count, at)
        for (i, isGiven) in dySteps.enumerated() {
          memory.base.storeBytes(of: isGiven ? 1 : 0, toByteOffset: i, as: UInt8.self)
        }
        stepMemory = memory
        arguments.dySteps = UnsafePointer(memory.base.assumingMemoryBound(to: UInt8.self))
      }
      let (dx, dh0, dc0, dw) = (result(old.dx), result(old.dh0), result(old.dc0), result(old.dParameters))
      arguments.dx = dx?.base
      arguments.dh0 = dh0?.base
      arguments.dc0 = dc0?.base
      arguments.dParameters = dw?.base
      arguments.accumulate = run.accumulates
      try plan.backward(context: context, arguments)
      (found.dx, found.dh0, found.dc0) = (values(dx), values(dh0), values(dc0))
      found.dParameters = values(dw)
    }
    for memory in sources + results + [lengthMemory, stepMemory].compactMap({ $0 }) where !memory.surroundingsAreIntact
    {
      throw Spill()
    }
    return found
  }

  /// A byte beside a buffer was written.
  public struct Spill: Error {}

  /// Runs and compares with the reference; nil where all is right.
  public func objection(_ context: ExecutionContext, _ run: RecurrentRun = RecurrentRun()) throws -> String? {
    let expected = expectation(accumulate: run.accumulates)
    return objection(try self.run(context, run), expected).map { "\(context.instructionSet.name) \($0)" }
  }
}
