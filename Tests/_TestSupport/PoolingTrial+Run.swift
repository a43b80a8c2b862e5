import ApusEngine

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

func power(_ x: Double, _ p: Double) -> Double { p == 0 ? 1 : pow(x, p) }
func root(_ x: Double, _ p: Double) -> Double { pow(x, 1 / p) }

/// How a trial is run.
public struct PoolingMode: Sendable {
  /// Of every buffer.
  public var placement = TestMemory.Placement.beforeGuard
  /// Indices are asked for, or given.
  public var withIndices = true
  /// Gradients are added.
  public var accumulates = false
  /// The caller's scratch, of exactly the size that is asked for.
  public var ownScratch = false

  /// Against guard pages, with indices.
  public init() {}
}

/// The bytes that a run wrote.
public struct PoolingOutcome {
  /// y, x of unpooling, dx or dy.
  public let result: TestMemory
  /// Of a maximum's forward pass.
  public let indices: TestMemory?
}

extension PoolingTrial {
  private func memory(_ values: [Double], _ placement: TestMemory.Placement) -> TestMemory {
    let type = descriptor.dataType
    let memory = TestMemory(bytes: values.count * type.size, placement)
    for (i, value) in values.enumerated() { type.store(value, memory.base, i) }
    return memory
  }

  /// Positions as the run takes them.
  public func indexMemory(_ indices: [Int], _ placement: TestMemory.Placement) -> TestMemory {
    let size = descriptor.indexType.size
    let memory = TestMemory(bytes: indices.count * size, placement)
    for (i, index) in indices.enumerated() {
      if size == 4 {
        memory.base.storeBytes(of: Int32(index), toByteOffset: i * 4, as: Int32.self)
      } else {
        memory.base.storeBytes(of: Int64(index), toByteOffset: i * 8, as: Int64.self)
      }
    }
    return memory
  }

  /// Index `i` that a run wrote.
  public func index(_ memory: TestMemory, _ i: Int) -> Int {
    descriptor.indexType.size == 4
      ? Int(memory.base.load(fromByteOffset: i * 4, as: Int32.self))
      : Int(memory.base.load(fromByteOffset: i * 8, as: Int64.self))
  }

  /// Element `i` of what a run wrote.
  public func value(_ memory: TestMemory, _ i: Int) -> Double { descriptor.dataType.load(memory.base, i) }

  private func run(_ plan: PoolingPlan, _ context: ExecutionContext, _ mode: PoolingMode, _ a: PoolingArguments) throws
  {
    var arguments = a
    var scratch: TestMemory?
    if mode.ownScratch {
      scratch = TestMemory(bytes: plan.scratchBytes(context: context), mode.placement)
      arguments.scratch = scratch?.base
      arguments.scratchBytes = scratch?.count ?? 0
    }
    try plan.run(context: context, arguments)
  }

  /// x to y, and indices.
  public func forward(_ context: ExecutionContext, _ mode: PoolingMode = PoolingMode()) throws -> PoolingOutcome {
    let plan = try PoolingPlan(descriptor, direction: .forward, context: context)
    let x = memory(x, mode.placement)
    let y = TestMemory(bytes: y.count * descriptor.dataType.size, mode.placement)
    let hasIndices = descriptor.kind == .maximum && mode.withIndices
    let indices = hasIndices ? TestMemory(bytes: self.y.count * descriptor.indexType.size, mode.placement) : nil
    var arguments = PoolingArguments()
    arguments.x = x.base
    arguments.y = y.base
    arguments.indices = indices?.base
    try run(plan, context, mode, arguments)
    return PoolingOutcome(result: y, indices: indices)
  }

  /// dy to dx; a maximum by indices or by x.
  public func backward(_ context: ExecutionContext, _ mode: PoolingMode = PoolingMode()) throws -> PoolingOutcome {
    let plan = try PoolingPlan(descriptor, direction: .backwardData, context: context)
    let dx = memory(oldGradient, mode.placement)
    let dy = memory(dy, mode.placement)
    var arguments = PoolingArguments()
    arguments.dy = dy.base
    arguments.dx = dx.base
    arguments.accumulates = mode.accumulates
    // Only what the direction needs.
    var kept: [TestMemory] = []
    if descriptor.kind == .maximum && mode.withIndices {
      kept.append(indexMemory(indices, mode.placement))
      arguments.indices = kept[0].base
    } else if descriptor.kind == .maximum || descriptor.kind == .norm {
      kept = [memory(x, mode.placement), memory(y, mode.placement)]
      arguments.x = kept[0].base
      if descriptor.kind == .norm { arguments.y = kept[1].base }
    }
    try run(plan, context, mode, arguments)
    return withExtendedLifetime(kept) { PoolingOutcome(result: dx, indices: nil) }
  }

  /// Forward and backward in every way that the kind has, against the expectation; nil where all is right.
  public func objection(_ context: ExecutionContext, _ placement: TestMemory.Placement) throws -> String? {
    for turn in 0..<2 {
      var mode = PoolingMode()
      mode.placement = placement
      mode.withIndices = turn == 0
      mode.accumulates = turn == 1
      mode.ownScratch = turn == 1
      let forward = try forward(context, mode)
      for i in y.indices {
        if let text = objection(y: value(forward.result, i), i) { return "\(context.instructionSet) \(text)" }
        if let found = forward.indices, index(found, i) != indices[i] {
          return "\(context.instructionSet) \(self): index \(i) is \(index(found, i)) instead of \(indices[i])"
        }
      }
      if !forward.result.surroundingsAreIntact { return "\(self): written beside y" }
      let expected = expectedGradient(accumulates: mode.accumulates)
      let backward = try backward(context, mode)
      for i in x.indices {
        if let text = Self.objection(value(backward.result, i), expected.values[i], expected.bounds[i]) {
          return "\(context.instructionSet) \(self), turn \(turn): dx[\(i)] is \(text)"
        }
      }
      if !backward.result.surroundingsAreIntact { return "\(self): written beside dx" }
    }
    return nil
  }
}

/// Random descriptors with every option.
public struct PoolingSampler {
  /// The generator.
  public var random: Randomness
  /// Of all problems.
  public let type: DataType

  /// The same seed gives the same problems.
  public init(_ type: DataType, seed: UInt64) {
    self.type = type
    random = Randomness(seed: seed)
  }

  /// A valid problem of a few thousand elements at most.
  public mutating func problem() -> PoolingDescriptor {
    while true {
      let rank = random.int(1...3)
      let most = rank == 1 ? 90 : rank == 2 ? 38 : 9
      var window = SpatialWindow(rank: rank, input: Extents(repeating: 1), window: Extents(repeating: 1))
      let kind = random.pick(PoolingKind.allCases)
      for i in window.dimensions {
        window.input[i] = random.int(1...most)
        window.window[i] = random.int(1...min(5, max(1, window.input[i])))
        window.stride[i] = random.pick([1, 1, 2, 2, 3, window.window[i]])
        if kind == .maximum && random.int(0...3) == 0 { window.dilation[i] = random.int(2...3) }
        window.padBefore[i] = random.int(0...window.span[i] - 1)
        window.padAfter[i] = random.int(0...window.span[i] - 1)
        if random.bool() {
          window.padBefore[i] = 0
          window.padAfter[i] = 0
        }
      }
      window.rounding = random.pick([.floor, .floor, .ceil])
      var d = PoolingDescriptor(
        dataType: type, kind: kind, batch: random.int(1...3),
        channels: random.pick([1, 2, 3, 5, 16, 17, 33, random.int(1...80)]), window: window)
      d.layout = random.pick(TensorLayout.allCases)
      d.indexType = random.pick([.int32, .int64])
      d.norm = random.pick([1, 2, 2, 3, 2.5])
      if random.int(0...5) == 0 {
        var size = Extents(repeating: 1)
        for i in window.dimensions { size[i] = random.int(1...most) }
        d.adaptiveOutput = size
        d.window.dilation = Extents(repeating: 1)
        d.window.padBefore = Extents(repeating: 0)
        d.window.padAfter = Extents(repeating: 0)
        d.window.window = Extents(repeating: 1)
        d.window.stride = Extents(repeating: 1)
        d.window.rounding = .floor
      }
      guard let size = try? d.outputSize() else { continue }
      let elements = d.batch * d.channels * (window.input.product + size.product)
      if elements <= 12_000 { return d }
    }
  }
}
