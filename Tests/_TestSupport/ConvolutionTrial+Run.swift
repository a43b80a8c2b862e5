import ApusEngine

/// Results of a run, unpacked, and whether anything else was touched.
public struct ConvolutionOutcome {
  let results: [ConvolutionData: TestMemory]
  /// Set where an input or something around a buffer changed.
  let damage: String?
}

extension ConvolutionTrial {
  /// Where a run's scratch comes from.
  public enum Scratch: Sendable {
    case engine
    /// Exactly `scratchBytes(context:)` bytes, placed like the data and full of NaN.
    case exact
  }

  /// Plans with the context and runs.
  public func run(
    _ context: ExecutionContext, _ placement: TestMemory.Placement = .offset(0), scratch: Scratch = .engine
  ) throws -> ConvolutionOutcome {
    try run(ConvolutionPlan(descriptor, direction: direction, context: context), context, placement, scratch: scratch)
  }

  /// Runs on copies of the data that lie as `placement` says. What is overwritten holds NaN before.
  public func run(
    _ plan: ConvolutionPlan, _ context: ExecutionContext, _ placement: TestMemory.Placement = .offset(0),
    scratch: Scratch = .engine
  ) throws -> ConvolutionOutcome {
    var inputs: [(name: String, master: TestMemory, copy: TestMemory)] = []
    var others: [(name: String, memory: TestMemory)] = []
    func input(_ name: ConvolutionData) -> UnsafeRawPointer? {
      guard self.inputs.contains(name), let master = memory[name] else { return nil }
      let copy = master.copy(placement)
      inputs.append(("\(name)", master, copy))
      return UnsafeRawPointer(copy.base)
    }
    func packed(_ name: String, _ source: UnsafeRawPointer?) throws -> TestMemory {
      let buffer = TestMemory(bytes: plan.packedWeightBytes, placement)
      // What packing leaves out would be NaN.
      buffer.fill(0xff)
      if let source {
        try plan.packWeights(source, into: buffer.base, capacity: buffer.count, context: context)
      }
      others.append((name, buffer))
      return buffer
    }
    var results: [ConvolutionData: TestMemory] = [:]
    func result(_ name: ConvolutionData) -> UnsafeMutableRawPointer? {
      guard self.results.contains(name), let before = memory[name] else { return nil }
      let memory = before.copy(placement)
      if !accumulate && !residualIsY { memory.fill(0xff) }
      results[name] = memory
      return memory.base
    }
    var arguments = ConvolutionArguments()
    arguments.accumulate = accumulate
    arguments.x = input(.x)
    arguments.weights = input(.weights)
    arguments.bias = input(.bias)
    arguments.residual = input(.residual)
    arguments.dy = input(.dy)
    arguments.y = result(.y)
    arguments.dx = result(.dx)
    arguments.dw = result(.dw)
    arguments.db = result(.db)
    if residualIsY { arguments.residual = UnsafeRawPointer(arguments.y) }
    var gradient: TestMemory?
    if descriptor.packedWeights {
      if direction == .backwardWeights {
        gradient = try packed("packed dw", accumulate ? UnsafeRawPointer(arguments.dw) : nil)
        arguments.dw = gradient?.base
      } else {
        arguments.weights = UnsafeRawPointer(try packed("packed weights", arguments.weights).base)
      }
    }
    if case .exact = scratch {
      let memory = TestMemory(bytes: plan.scratchBytes(context: context), placement)
      memory.fill(0xff)
      arguments.scratch = memory.base
      arguments.scratchBytes = memory.count
      others.append(("scratch", memory))
    }
    try plan.run(context: context, arguments)
    if let gradient, let dw = results[.dw] {
      dw.fill(0xff)
      try plan.unpackWeights(UnsafeRawPointer(gradient.base), into: dw.base, context: context)
    }

    var damage: [String] = []
    for (name, master, copy) in inputs where !copy.hasSameBytes(master) { damage.append("\(name) changed") }
    if case .offset = placement {
      for (name, memory) in inputs.map({ ($0.name, $0.copy) }) + others + results.map({ ("\($0)", $1) })
      where !memory.surroundingsAreIntact { damage.append("wrote around \(name)") }
    }
    return ConvolutionOutcome(results: results, damage: damage.isEmpty ? nil : damage.joined(separator: ", "))
  }

  /// nil where every element is right and nothing else was written, else what is wrong.
  public func objection(to outcome: ConvolutionOutcome) -> String? {
    if let damage = outcome.damage { return "\(self): \(damage)" }
    let type = descriptor.dataType
    for name in results {
      guard let memory = outcome.results[name], let numbers = expected.numbers[name] else { continue }
      if name == .dw || name == .db {
        for i in 0..<count(name) {
          if let text = numbers.objection(i, type.load(memory.base, i)) { return "\(self): \(name)[\(i)] is \(text)" }
        }
        continue
      }
      let channels = name == .dx ? descriptor.inputChannels : descriptor.outputChannels
      let positions = (name == .dx ? descriptor.window.input : outputSize).product
      var i = 0
      for n in 0..<descriptor.batch {
        for c in 0..<channels {
          for p in 0..<positions {
            if let text = numbers.objection(i, type.load(memory.base, index(name, n, c, p))) {
              return "\(self): \(name)[\(n)][\(c)], position \(p) is \(text)"
            }
            i += 1
          }
        }
      }
    }
    return nil
  }

  /// nil where two outcomes have the same bits (any two NaN are alike), else where they differ.
  public func difference(_ x: ConvolutionOutcome, _ y: ConvolutionOutcome) -> String? {
    if let damage = x.damage ?? y.damage { return "\(self): \(damage)" }
    for name in results {
      if let text = difference(name, x.results[name]!, y.results[name]!, at: 0) { return text }
    }
    return nil
  }

  /// nil where sample `n` of an outcome has the bits of that sample alone.
  public func difference(_ whole: ConvolutionOutcome, sample n: Int, _ alone: ConvolutionOutcome) -> String? {
    if let damage = whole.damage ?? alone.damage { return "\(self): \(damage)" }
    for name in results {
      let part = alone.results[name]!
      if let text = difference(name, whole.results[name]!, part, at: n * part.count / descriptor.dataType.size) {
        return "sample \(n): " + text
      }
    }
    return nil
  }

  private func difference(_ name: ConvolutionData, _ x: TestMemory, _ y: TestMemory, at start: Int) -> String? {
    let type = descriptor.dataType
    for i in 0..<y.count / type.size {
      let (a, b) = (type.load(x.base, start + i), type.load(y.base, i))
      if a.bitPattern != b.bitPattern && !(a.isNaN && b.isNaN) {
        return "\(self): \(name)[\(start + i)] is \(a) and \(b)"
      }
    }
    return nil
  }

  /// An element of a result, in memory order.
  public func element(_ outcome: ConvolutionOutcome, _ name: ConvolutionData, _ i: Int) -> Double {
    descriptor.dataType.load(outcome.results[name]!.base, i)
  }

  /// The error of a run with arguments that `spoil` has broken. Throws where there is none or a result was written.
  public func refusal(
    _ plan: ConvolutionPlan, _ context: ExecutionContext, _ spoil: (inout ConvolutionArguments) -> Void
  ) throws -> ApusError {
    var copies: [ConvolutionData: TestMemory] = [:]
    for (name, memory) in memory { copies[name] = memory.copy(.offset(0)) }
    func pointer(_ name: ConvolutionData) -> UnsafeMutableRawPointer? { copies[name]?.base }
    var arguments = ConvolutionArguments()
    arguments.accumulate = accumulate
    arguments.x = UnsafeRawPointer(pointer(.x))
    arguments.weights = UnsafeRawPointer(pointer(.weights))
    arguments.bias = UnsafeRawPointer(pointer(.bias))
    arguments.residual = UnsafeRawPointer(pointer(.residual))
    arguments.y = pointer(.y)
    arguments.dy = UnsafeRawPointer(pointer(.dy))
    arguments.dx = pointer(.dx)
    arguments.dw = pointer(.dw)
    arguments.db = pointer(.db)
    spoil(&arguments)
    do {
      try plan.run(context: context, arguments)
    } catch {
      for (name, copy) in copies where !copy.hasSameBytes(memory[name]!) || !copy.surroundingsAreIntact {
        throw UnexpectedSuccess(description: "\(self): refused (\(error)), but \(name) was written")
      }
      return error
    }
    throw UnexpectedSuccess(description: "\(self): was not refused")
  }
}
