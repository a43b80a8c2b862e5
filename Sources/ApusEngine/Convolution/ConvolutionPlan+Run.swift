import ApusKernelInterface
import ApusShims

/// What one run of a plan gets; tensors in the descriptor's shapes and layouts.
public struct ConvolutionArguments {
  /// Forward and backward by weights.
  public var x: UnsafeRawPointer?
  /// Forward and backward by data: (K, C / groups, taps), of a transposed convolution (C, K / groups, taps), or packed.
  public var weights: UnsafeRawPointer?
  /// Forward, where the descriptor has a bias: one number for each output channel.
  public var bias: UnsafeRawPointer?
  /// Forward, where the descriptor has one.
  public var residual: UnsafeRawPointer?
  /// Forward: the result.
  public var y: UnsafeMutableRawPointer?
  /// Backward.
  public var dy: UnsafeRawPointer?
  /// Backward by data: the result.
  public var dx: UnsafeMutableRawPointer?
  /// Backward by weights: the result.
  public var dw: UnsafeMutableRawPointer?
  /// Backward by weights, where the descriptor has a bias: the result.
  public var db: UnsafeMutableRawPointer?
  /// Results are added to what the tensors hold rather than overwriting it; forward, before the activation.
  public var accumulate = false
  /// nil: the calling thread's own buffer.
  public var scratch: UnsafeMutableRawPointer?
  /// Size of `scratch`, at least `ConvolutionPlan.scratchBytes(context:)`.
  public var scratchBytes = 0

  /// Overwriting, without data and scratch.
  public init() {}
}

extension ConvolutionPlan {
  /// Runs the plan. Allocates nothing but a thread's buffer at its first use, and that only without scratch. Throws
  /// `.invalidArgument` for nil where data are needed or scratch that is too small, `.mismatch` for weights packed for
  /// another plan, `.outOfMemory` where the system refuses a buffer; nothing is written then.
  public func run(context: ExecutionContext, _ arguments: ConvolutionArguments) throws(ApusError) {
    let start = !apus_verbose_is_off() && Verbose.isOn ? ContinuousClock.now : nil
    let threads = threadsUsed(context: context)
    let needed = scratchBytes(threads: threads)
    let run = try check(arguments)
    if let scratch = arguments.scratch {
      if arguments.scratchBytes < needed {
        throw .invalid("scratch_bytes", arguments.scratchBytes, "this run takes \(needed)")
      }
      if let run { try self.run(run, scratch.alignedUp(toMultipleOf: Memory.alignment), threads, context) }
    } else if let run {
      guard let buffer = apus_buffer_take(needed) else {
        throw ApusError(.outOfMemory, "the system refused a buffer of \(needed) bytes")
      }
      defer { apus_buffer_give_back() }
      try self.run(run, buffer.alignedUp(toMultipleOf: Memory.alignment), threads, context)
    }
    if let start { Verbose.emit(record("run", context, Verbose.microseconds(since: start))) }
  }

  /// Bytes of scratch that a run with this context takes.
  public func scratchBytes(context: ExecutionContext) -> Int { scratchBytes(threads: threadsUsed(context: context)) }

  /// Threads that a run with this context uses at most.
  public func threadsUsed(context: ExecutionContext) -> Int {
    if context.threads == 1 { return 1 }
    let nanoseconds = max(flops / 64, bytes / 32)
    return nanoseconds < Double(ExecutionContext.breakEvenNanoseconds) ? 1 : context.effectiveThreads
  }

  /// Bytes of the packed weights.
  public var packedWeightBytes: Int {
    PackedWeightsHeader.bytes + (method.weightElements * size).roundedUp(to: Memory.alignment)
  }

  private func scratchBytes(threads: Int) -> Int {
    let (slot, call) = method.scratchBytes(threads: threads)
    var bytes = Memory.alignment + call + threads * slot
    if !descriptor.packedWeights { bytes += (method.weightElements * size).roundedUp(to: Memory.alignment) }
    if let bias { bytes = max(bytes, Memory.alignment + threads * bias.scratchBytes().roundedUp(to: 64)) }
    return bytes
  }

  /// Pointers that a run needs, all there.
  private struct Run {
    var arguments: ConvolutionArguments
    /// The body of packed weights.
    var panels: UnsafeRawPointer?
    /// The body of a packed gradient.
    var gradient: UnsafeMutableRawPointer?
  }

  /// nil: there is nothing to do.
  private func check(_ arguments: ConvolutionArguments) throws(ApusError) -> Run? {
    func shape(_ channels: Int, _ extents: Extents) -> String {
      "\(descriptor.batch) x \(channels) x "
        + descriptor.window.dimensions.map { "\(extents[$0])" }.joined(separator: " x ")
    }
    func need(_ name: String, _ pointer: UnsafeRawPointer?, _ what: @autoclosure () -> String) throws(ApusError) {
      if pointer == nil { throw .invalid(name, "NULL", "it has \(what()) elements") }
    }
    var run = Run(arguments: arguments)
    let d = descriptor
    if d.batch == 0 && direction != .backwardWeights { return nil }
    if direction == .backwardWeights {
      if d.batch > 0 {
        try need("x", arguments.x, shape(d.inputChannels, d.window.input))
        try need("dy", arguments.dy, shape(d.outputChannels, outputSize))
      }
      try need("dw", arguments.dw, "\(d.weightCount)")
      if d.hasBias { try need("db", arguments.db, "\(d.outputChannels)") }
      if d.packedWeights, let dw = arguments.dw {
        // What is added to must be what this plan made; what is overwritten becomes it.
        run.gradient = dw + PackedWeightsHeader.bytes
        if arguments.accumulate { _ = try packedBody("dw", dw) }
      }
    } else {
      try need("weights", arguments.weights, "\(d.weightCount)")
      if direction == .forward {
        try need("x", arguments.x, shape(d.inputChannels, d.window.input))
        try need("y", arguments.y, shape(d.outputChannels, outputSize))
        if d.hasBias { try need("bias", arguments.bias, "\(d.outputChannels)") }
        if d.hasResidual { try need("residual", arguments.residual, shape(d.outputChannels, outputSize)) }
      } else {
        try need("dy", arguments.dy, shape(d.outputChannels, outputSize))
        try need("dx", arguments.dx, shape(d.inputChannels, d.window.input))
      }
      if d.packedWeights, let weights = arguments.weights { run.panels = try packedBody("weights", weights) }
    }
    return run
  }

  private func run(
    _ run: Run, _ scratch: UnsafeMutableRawPointer, _ threads: Int, _ context: ExecutionContext
  ) throws(ApusError) {
    let own = (method.weightElements * size).roundedUp(to: Memory.alignment)
    if direction == .backwardWeights { return try gradient(run, scratch, own, threads, context) }
    guard let method = method as? any GatherMethod, let weights = run.arguments.weights,
      let source = direction == .forward ? run.arguments.x : run.arguments.dy,
      let result = direction == .forward ? run.arguments.y : run.arguments.dx
    else { return }
    var rest = scratch
    if run.panels == nil {
      try context.parallel(parts: method.weightParts, slots: packThreads(threads)) { _, part in
        method.pack(weights, into: scratch, part: part)
      }
      rest += own
    }
    var output = GemmOutput()
    output.beta = run.arguments.accumulate ? 1 : 0
    if direction == .forward {
      output.bias = descriptor.hasBias ? run.arguments.bias : nil
      output.residual = descriptor.hasResidual ? run.arguments.residual : nil
      output.activation = descriptor.activation
      output.slope = descriptor.slope
    }
    try method.run(
      GatherTask(source: source, weights: run.panels ?? UnsafeRawPointer(scratch), result: result, output: output),
      rest,
      threads: threads, context)
  }

  private func gradient(
    _ run: Run, _ scratch: UnsafeMutableRawPointer, _ own: Int, _ threads: Int, _ context: ExecutionContext
  ) throws(ApusError) {
    guard let method = method as? any WeightGradientMethod, let dw = run.arguments.dw else { return }
    let accumulate = run.arguments.accumulate
    let weights = run.gradient ?? scratch
    if let dy = run.arguments.dy, let x = run.arguments.x, descriptor.batch > 0 {
      let isTransposed = descriptor.isTransposed
      try method.run(
        WeightGradientTask(
          x: isTransposed ? dy : x, dy: isTransposed ? x : dy, weights: weights,
          accumulate: accumulate && run.gradient != nil),
        run.gradient == nil ? scratch + own : scratch, threads: threads, context)
      if run.gradient == nil {
        try context.parallel(parts: method.weightParts, slots: packThreads(threads)) { _, part in
          method.unpack(weights, into: dw, accumulate: accumulate, part: part)
        }
      }
    } else if !accumulate {
      let bytes = run.gradient == nil ? descriptor.weightCount * size : method.weightElements * size
      (run.gradient ?? dw).initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
    }
    if run.gradient != nil { dw.storeBytes(of: header, as: PackedWeightsHeader.self) }
    if let bias, let db = run.arguments.db {
      if let dy = run.arguments.dy {
        try bias.run(dy, into: db, accumulate: accumulate, scratch, threads: threads, context)
      } else if !accumulate {
        db.initializeMemory(as: UInt8.self, repeating: 0, count: descriptor.outputChannels * size)
      }
    }
  }

  /// Moving a few weights does not pay a region.
  private func packThreads(_ threads: Int) -> Int { descriptor.weightCount < 1 << 15 ? 1 : threads }
}
