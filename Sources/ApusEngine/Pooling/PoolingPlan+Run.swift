import ApusKernelInterface
import ApusShims
import Synchronization

/// What one run of a plan gets. Which of them a direction reads and which it writes says `PoolingPlan.run`.
public struct PoolingArguments {
  /// Input-shaped data.
  public var x: UnsafeMutableRawPointer?
  /// Output-shaped data.
  public var y: UnsafeMutableRawPointer?
  /// Output-shaped positions of maxima, in the plan's index type: (d * H + h) * W + w in a channel's plane.
  public var indices: UnsafeMutableRawPointer?
  /// Output-shaped gradient.
  public var dy: UnsafeMutableRawPointer?
  /// Input-shaped gradient.
  public var dx: UnsafeMutableRawPointer?
  /// Gradients are added to what dx (dy, unpooling backward) holds.
  public var accumulates = false
  /// nil: each thread's own buffer.
  public var scratch: UnsafeMutableRawPointer?
  /// Size of `scratch`, at least `PoolingPlan.scratchBytes(context:)`.
  public var scratchBytes = 0

  /// No data and no scratch.
  public init() {}
}

extension PoolingPlan {
  /// Runs the plan.
  ///
  /// - forward: x to y and, of a maximum where indices are given, the indices.
  /// - backwardData: dy to dx. A maximum takes the indices or, without them, x, and finds them again; a norm x and y.
  /// - unpool: y and indices to x. unpoolBackward: dx and indices to dy.
  ///
  /// Allocates nothing but a thread's buffer at its first use, and that only without scratch. Throws `.invalidArgument`
  /// for nil where data are needed, scratch that is too small, and unpooling for an index outside of the plane;
  /// `.outOfMemory` where the system refuses a buffer. Nothing is written then.
  public func run(context: ExecutionContext, _ arguments: PoolingArguments) throws(ApusError) {
    let start = !apus_verbose_is_off() && Verbose.isOn ? ContinuousClock.now : nil
    try runChecked(context, arguments)
    if let start { Verbose.emit(record("run", context, Verbose.microseconds(since: start))) }
  }

  func record(_ event: StaticString, _ context: ExecutionContext, _ microseconds: Double) -> Verbose.Record {
    Verbose.Record(
      event: event, operation: "pool", problem: problemString, description: description,
      instructionSet: instructionSet, backend: context.backend, threads: threadsUsed(context: context),
      microseconds: microseconds)
  }

  /// Bytes of scratch that a run with this context takes.
  public func scratchBytes(context: ExecutionContext) -> Int {
    scratchBytes(tasks: threadsUsed(context: context), recomputes: direction == .backwardData)
  }

  private func scratchBytes(tasks: Int, recomputes: Bool) -> Int {
    let bytes = taskBytes(recomputes: recomputes)
    return bytes == 0 ? 0 : Memory.alignment + tasks * bytes
  }

  /// Threads that a run with this context uses at most.
  public func threadsUsed(context: ExecutionContext) -> Int {
    // About 32 bytes a nanosecond, and more work where windows overlap.
    let work = max(bytes / 32, flops / Double(2 * kernels.lanes))
    if context.threads == 1 || work < Double(ExecutionContext.breakEvenNanoseconds) { return 1 }
    return max(1, min(context.effectiveThreads, parts(recomputes: false).count))
  }

  private func runChecked(_ context: ExecutionContext, _ arguments: PoolingArguments) throws(ApusError) {
    let recomputes = try check(arguments)
    if inputCount == 0 { return }
    let tasks = threadsUsed(context: context)
    let needed = scratchBytes(tasks: tasks, recomputes: recomputes)
    if let scratch = arguments.scratch {
      let wanted = scratchBytes(tasks: tasks, recomputes: direction == .backwardData)
      if arguments.scratchBytes < wanted {
        throw .invalid("scratch_bytes", arguments.scratchBytes, "this run takes \(wanted)")
      }
      return try execute(
        context, arguments, recomputes, tasks, scratch.alignedUp(toMultipleOf: Memory.alignment))
    }
    if needed == 0 { return try execute(context, arguments, recomputes, tasks, nil) }
    guard let buffer = apus_buffer_take(needed) else {
      throw ApusError(.outOfMemory, "the system refused a buffer of \(needed) bytes")
    }
    defer { apus_buffer_give_back() }
    try execute(context, arguments, recomputes, tasks, buffer)
  }

  /// Checks pointers and, for unpooling, every index; whether a backward maximum has to find its indices.
  private func check(_ a: PoolingArguments) throws(ApusError) -> Bool {
    if a.accumulates && (direction == .forward || direction == .unpool) {
      throw .invalid("accumulate", 1, "only gradients can be added: it must be 0 in direction \(direction)")
    }
    if inputCount == 0 { return false }
    func need(_ name: String, _ p: UnsafeMutableRawPointer?, _ count: Int) throws(ApusError) {
      if p == nil { throw .invalid(name, "NULL", "direction \(direction) takes its \(count) elements") }
    }
    switch direction {
    case .forward:
      try need("x", a.x, inputCount)
      try need("y", a.y, outputCount)
      if a.indices != nil && descriptor.kind != .maximum {
        throw .invalid("indices", "not NULL", "only a maximum has them")
      }
    case .backwardData:
      try need("dy", a.dy, outputCount)
      try need("dx", a.dx, inputCount)
      if descriptor.kind == .norm {
        try need("x", a.x, inputCount)
        try need("y", a.y, outputCount)
      }
      if descriptor.kind == .maximum && a.indices == nil {
        if a.x == nil { throw .invalid("indices", "NULL", "without them a maximum takes x, which is NULL too") }
        return true
      }
    case .unpool:
      try need("y", a.y, outputCount)
      try need("indices", a.indices, outputCount)
      try need("x", a.x, inputCount)
      try checkIndices(a.indices)
    case .unpoolBackward:
      try need("dx", a.dx, inputCount)
      try need("indices", a.indices, outputCount)
      try need("dy", a.dy, outputCount)
      try checkIndices(a.indices)
    }
    return false
  }

  private func checkIndices(_ indices: UnsafeMutableRawPointer?) throws(ApusError) {
    guard let indices else { return }
    let plane = descriptor.window.input.product
    let wide = descriptor.indexType == .int64
    let place = kernels.check(indices, outputCount, plane, wide)
    if place >= 0 {
      let value =
        wide
        ? Int(indices.load(fromByteOffset: place * 8, as: Int64.self))
        : Int(indices.load(fromByteOffset: place * 4, as: Int32.self))
      throw .invalid("indices[\(place)]", value, "it must lie in the plane of \(plane) positions")
    }
  }
}
