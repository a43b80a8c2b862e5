import ApusEngine

/// C after a run, and whether anything else was touched.
public struct GemmOutcome {
  let c: TestMemory
  /// Set where an input or something around a buffer changed.
  let damage: String?
}

extension GemmTrial {
  /// Where a run's scratch comes from.
  public enum Scratch: Sendable {
    case engine
    /// Exactly `scratchBytes(context:)` bytes, placed like the data.
    case exact
  }

  /// Plans with the context and runs.
  public func run(
    _ context: ExecutionContext, _ placement: TestMemory.Placement = .offset(0), scratch: Scratch = .engine
  ) throws -> GemmOutcome {
    try run(GemmPlan(descriptor, context: context), context, placement, scratch: scratch)
  }

  /// Runs on copies of the data that lie as `placement` says.
  public func run(
    _ plan: GemmPlan, _ context: ExecutionContext, _ placement: TestMemory.Placement = .offset(0),
    scratch: Scratch = .engine
  ) throws -> GemmOutcome {
    let c = self.c.memory.copy(placement)
    var inputs: [(name: String, master: TestMemory, copy: TestMemory)] = []
    func input(_ name: String, _ memory: TestMemory) -> UnsafeRawPointer {
      let copy = memory.copy(placement)
      inputs.append((name, memory, copy))
      return UnsafeRawPointer(copy.base)
    }
    var arguments = GemmArguments()
    var packed: [(name: String, memory: TestMemory)] = []
    func operand(_ name: String, _ which: GemmOperand, _ matrix: TestMatrix, _ isPacked: Bool) throws -> UnsafeRawPointer {
      let source = input(name, matrix.memory)
      guard isPacked else { return source }
      let buffer = TestMemory(bytes: plan.packedBytes(which), placement)
      try plan.pack(
        which, source: source, leading: matrix.leading, into: buffer.base, capacity: buffer.count, context: context)
      packed.append(("packed " + name, buffer))
      return UnsafeRawPointer(buffer.base)
    }
    arguments.a = try operand("A", .a, a, descriptor.packedA)
    arguments.b = try operand("B", .b, b, descriptor.packedB)
    arguments.c = c.base
    arguments.alpha = alpha
    arguments.beta = beta
    arguments.bias = bias.map { input("bias", $0) }
    arguments.residual = residualIsC ? UnsafeRawPointer(c.base) : residual.map { input("residual", $0.memory) }
    var scratchMemory: TestMemory?
    if case .exact = scratch {
      let memory = TestMemory(bytes: plan.scratchBytes(context: context), placement)
      arguments.scratch = memory.base
      arguments.scratchBytes = memory.count
      scratchMemory = memory
    }
    // Arrays of pointers, where the plan wants them; kept until the run is over.
    var arrays: [TestMemory] = []
    if descriptor.batchKind == .pointers {
      func pointers(_ base: UnsafeRawPointer?, _ matrix: TestMatrix) -> UnsafeMutableRawPointer? {
        guard let base else { return nil }
        let array = TestMemory(bytes: matrix.offsets.count * 8, .beforeGuard)
        for (i, offset) in matrix.offsets.enumerated() {
          let pointer = base + offset * descriptor.dataType.size
          array.base.storeBytes(of: pointer, toByteOffset: i * 8, as: UnsafeRawPointer.self)
        }
        arrays.append(array)
        return array.base
      }
      arguments.a = UnsafeRawPointer(pointers(arguments.a, a))
      arguments.b = UnsafeRawPointer(pointers(arguments.b, b))
      arguments.residual = UnsafeRawPointer(pointers(arguments.residual, residual ?? self.c))
      arguments.c = pointers(UnsafeRawPointer(c.base), self.c)
    }
    try plan.run(context: context, arguments)

    var damage: [String] = []
    for (name, master, copy) in inputs where !copy.hasSameBytes(master) { damage.append("\(name) changed") }
    if case .offset = placement {
      for (name, _, copy) in inputs where !copy.surroundingsAreIntact { damage.append("wrote around \(name)") }
      for (name, buffer) in packed where !buffer.surroundingsAreIntact { damage.append("wrote around \(name)") }
      if !c.surroundingsAreIntact { damage.append("wrote around C") }
      if scratchMemory?.surroundingsAreIntact == false { damage.append("wrote around the scratch") }
    }
    withExtendedLifetime(arrays) {}
    return GemmOutcome(c: c, damage: damage.isEmpty ? nil : damage.joined(separator: ", "))
  }

  /// nil where every element is right and nothing else was written, else what is wrong.
  public func objection(to outcome: GemmOutcome) -> String? {
    if let damage = outcome.damage { return "\(self): \(damage)" }
    let type = descriptor.dataType
    var isElement = [Bool](repeating: false, count: outcome.c.count / type.size)
    var index = 0
    for matrix in 0..<descriptor.batch {
      for i in 0..<descriptor.m {
        for j in 0..<descriptor.n {
          let place = indexC(c, matrix, i, j)
          isElement[place] = true
          if let text = expected.objection(index, type.load(outcome.c.base, place)) {
            return "\(self): C[\(matrix)][\(i), \(j)] is \(text)"
          }
          index += 1
        }
      }
    }
    for place in isElement.indices where !isElement[place] {
      if !sameBits(outcome.c, c.memory, place) { return "\(self): wrote into C's padding at element \(place)" }
    }
    return nil
  }

  /// nil where two outcomes have the same bits (any two NaN are alike), else where they differ.
  public func difference(_ x: GemmOutcome, _ y: GemmOutcome) -> String? {
    if let damage = x.damage ?? y.damage { return "\(self): \(damage)" }
    if x.c.hasSameBytes(y.c) { return nil }
    let type = descriptor.dataType
    for place in 0..<min(x.c.count, y.c.count) / type.size where !sameBits(x.c, y.c, place) {
      let (u, v) = (type.load(x.c.base, place), type.load(y.c.base, place))
      if !(u.isNaN && v.isNaN) { return "\(self): element \(place) of C is \(u) in one run and \(v) in the other" }
    }
    return nil
  }

  /// Element (i, j) of matrix `matrix` of an outcome.
  public func element(_ outcome: GemmOutcome, _ i: Int, _ j: Int, matrix: Int = 0) -> Double {
    descriptor.dataType.load(outcome.c.base, indexC(c, matrix, i, j))
  }

  private func sameBits(_ x: TestMemory, _ y: TestMemory, _ place: Int) -> Bool {
    descriptor.dataType == .float32
      ? x.base.load(fromByteOffset: place * 4, as: UInt32.self) == y.base.load(fromByteOffset: place * 4, as: UInt32.self)
      : x.base.load(fromByteOffset: place * 8, as: UInt64.self) == y.base.load(fromByteOffset: place * 8, as: UInt64.self)
  }
}
