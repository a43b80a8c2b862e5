import ApusKernelInterface
import ApusShims

/// What one run of a plan gets. Pointers are in the caller's sense (a column-major problem is swapped inside).
public struct GemmArguments {
  /// Factor of op(A) op(B), rounded to the data type; 0: A and B are not read.
  public var alpha: Double = 1
  /// Factor of what C holds, rounded to the data type; 0: that is not read.
  public var beta: Double = 0
  /// A matrix, a packed operand, or an array of pointers, as the plan says.
  public var a: UnsafeRawPointer?
  /// As `a`.
  public var b: UnsafeRawPointer?
  /// A matrix or an array of pointers; for the results, and read where beta is not 0.
  public var c: UnsafeMutableRawPointer?
  /// m or n contiguous numbers, the same for every matrix of a batch; ignored where the plan adds none.
  public var bias: UnsafeRawPointer?
  /// A matrix or an array of pointers; ignored where the plan adds none.
  public var residual: UnsafeRawPointer?
  /// nil: each thread's own buffer.
  public var scratch: UnsafeMutableRawPointer?
  /// Size of `scratch`, at least `GemmPlan.scratchBytes(context:)`.
  public var scratchBytes = 0

  /// Factors 1 and 0, no data and no scratch.
  public init() {}
}

extension GemmPlan {
  /// Runs a plain problem: no bias, no residual, scratch from the engine.
  public func run(
    context: ExecutionContext, alpha: Double = 1, a: UnsafeRawPointer?, b: UnsafeRawPointer?, beta: Double = 0,
    c: UnsafeMutableRawPointer?
  ) throws(ApusError) {
    var arguments = GemmArguments()
    arguments.alpha = alpha
    arguments.beta = beta
    arguments.a = a
    arguments.b = b
    arguments.c = c
    try run(context: context, arguments)
  }

  /// Runs the plan. Allocates nothing but a thread's packing buffer at its first use, and that only without scratch.
  /// Throws `.invalidArgument` for nil where data are needed or scratch that is too small, `.mismatch` for a packed
  /// operand of another plan, `.outOfMemory` where the system refuses a packing buffer; nothing is written then.
  public func run(context: ExecutionContext, _ arguments: GemmArguments) throws(ApusError) {
    // Scratch that is given is checked, also where it is not needed.
    if arguments.scratch == nil,
      runDirectly(arguments.alpha, arguments.a, arguments.b, arguments.beta, arguments.c)
    {
      return
    }
    let start = !apus_verbose_is_off() && Verbose.isOn ? ContinuousClock.now : nil
    try runIndirectly(context: context, arguments)
    if let start { Verbose.emit(record("run", context, Verbose.microseconds(since: start))) }
  }

  func record(_ event: StaticString, _ context: ExecutionContext, _ microseconds: Double) -> Verbose.Record {
    Verbose.Record(
      event: event, operation: "gemm", problem: problemString, description: description,
      instructionSet: instructionSet, backend: context.backend, threads: threadsUsed(context: context),
      microseconds: microseconds)
  }

  private func runIndirectly(context: ExecutionContext, _ arguments: GemmArguments) throws(ApusError) {
    try run(context: context, arguments, threads: usefulThreads(context))
  }

  /// `run` for another plan that has chosen the threads, without a record.
  func run(context: ExecutionContext, _ arguments: GemmArguments, threads: Int) throws(ApusError) {
    guard let task = try prepare(arguments) else { return }
    let partition = partition(threads: threads)
    let tasks = min(threads, partition.count)
    let needed = scratchBytes(partition, tasks)
    if let scratch = arguments.scratch {
      if arguments.scratchBytes < needed {
        throw .invalid("scratch_bytes", arguments.scratchBytes, "this run takes \(needed)")
      }
      try start(task, partition, tasks, scratch.alignedUp(toMultipleOf: Memory.alignment), context)
    } else {
      guard let buffer = apus_buffer_take(needed) else {
        throw ApusError(.outOfMemory, "the system refused a packing buffer of \(needed) bytes")
      }
      defer { apus_buffer_give_back() }
      try start(task, partition, tasks, buffer, context)
    }
  }

  private func start(
    _ task: GemmTask, _ partition: GemmPartition, _ tasks: Int, _ areas: UnsafeMutableRawPointer,
    _ context: ExecutionContext
  ) throws(ApusError) {
    switch task.algorithm {
    case .scale:
      for index in 0..<descriptor.batch { scale(matrix(index, of: task), buffers(areas)) }
    case .splitK: try splitK(task, tasks, areas, context)
    default: try execute(task, partition, tasks, areas, context)
    }
  }

  /// Runs a problem that needs nothing but one call of a kernel; false where it is not one.
  @inlinable @inline(__always)
  public func runDirectly(
    _ alpha: Double, _ a: UnsafeRawPointer?, _ b: UnsafeRawPointer?, _ beta: Double, _ c: UnsafeMutableRawPointer?
  ) -> Bool {
    guard let direct, alpha == 1, let a, let b, let c, beta == 0 || beta == 1, apus_verbose_is_off() else {
      return false
    }
    let shape = UnsafeRawPointer(beta == 0 ? direct.overwriting : direct.accumulating)
    if direct.packedBytes > 0 { return turnAndRun(direct, shape, isSwapped ? b : a, isSwapped ? a : b, c) }
    direct.kernel(shape, isSwapped ? b : a, isSwapped ? a : b, c)
    return true
  }

  /// The direct form whose B goes through the thread's buffer; false where that is refused.
  @usableFromInline @inline(never)
  func turnAndRun(
    _ direct: GemmDirectForm, _ shape: UnsafeRawPointer, _ a: UnsafeRawPointer, _ b: UnsafeRawPointer,
    _ c: UnsafeMutableRawPointer
  ) -> Bool {
    guard let buffer = apus_buffer_take(direct.packedBytes) else { return false }
    kernels.packB(b, problem.k, problem.n, problem.bStep, problem.bColumn, buffer)
    direct.kernel(shape, a, buffer, c)
    apus_buffer_give_back()
    return true
  }

  /// Bytes of scratch that a run with this context takes.
  public func scratchBytes(context: ExecutionContext) -> Int { scratchBytes(threads: usefulThreads(context)) }

  func scratchBytes(threads: Int) -> Int {
    let partition = partition(threads: threads)
    return scratchBytes(partition, min(threads, partition.count))
  }

  /// Threads that a run with this context uses at most.
  public func threadsUsed(context: ExecutionContext) -> Int {
    let threads = usefulThreads(context)
    return max(1, min(threads, partition(threads: threads).count))
  }

  private func scratchBytes(_ partition: GemmPartition, _ tasks: Int) -> Int {
    Memory.alignment + callBytes + max(1, tasks) * taskBytes
  }

  /// Checks every entry of arrays of pointers.
  private func checkEntries(_ arguments: GemmArguments, multiplies: Bool) throws(ApusError) {
    let arrays: [4 of (name: StaticString, array: UnsafeRawPointer?)] = [
      ("a", multiplies ? arguments.a : nil), ("b", multiplies ? arguments.b : nil),
      ("c", UnsafeRawPointer(arguments.c)), ("residual", descriptor.hasResidual ? arguments.residual : nil),
    ]
    for i in arrays.indices {
      guard let array = arrays[i].array else { continue }
      for index in 0..<descriptor.batch {
        let offset = index * MemoryLayout<UnsafeRawPointer?>.size
        if array.load(fromByteOffset: offset, as: UnsafeRawPointer?.self) == nil {
          throw .invalid("\(arrays[i].name)[\(index)]", "NULL", "every matrix of the batch needs its data")
        }
      }
    }
  }

  /// Checks pointers; nil where there is nothing to do.
  private func prepare(_ arguments: GemmArguments) throws(ApusError) -> GemmTask? {
    if problem.m == 0 || problem.n == 0 || descriptor.batch == 0 { return nil }
    guard let c = arguments.c else { throw .invalid("c", "NULL", "C has \(descriptor.m) x \(descriptor.n) elements") }
    var task = GemmTask(c: c, cRow: problem.cRow)
    // What the type rounds to 0 is 0: it must not read NaN.
    let alpha = descriptor.dataType == .float32 ? Double(Float(arguments.alpha)) : arguments.alpha
    let beta = descriptor.dataType == .float32 ? Double(Float(arguments.beta)) : arguments.beta
    let multiplies = problem.k > 0 && alpha != 0
    if multiplies {
      guard let a = arguments.a else { throw .invalid("a", "NULL", "A has \(descriptor.m) x \(descriptor.k) elements") }
      guard let b = arguments.b else { throw .invalid("b", "NULL", "B has \(descriptor.k) x \(descriptor.n) elements") }
      let first = descriptor.packedA ? try panels(.a, a) : a
      let second = descriptor.packedB ? try panels(.b, b) : b
      task.a = problem.isSwapped ? second : first
      task.b = problem.isSwapped ? first : second
    }
    task.algorithm = multiplies ? algorithm : .scale
    // There is nothing to scale where nothing was multiplied, not even by infinity.
    task.output.alpha = multiplies ? alpha : 1
    task.output.beta = beta
    task.output.activation = descriptor.activation
    task.output.slope = descriptor.slope
    if descriptor.bias != .none {
      guard let bias = arguments.bias else {
        throw .invalid(
          "bias", "NULL", "the plan adds \(descriptor.bias == .byRow ? descriptor.m : descriptor.n) numbers")
      }
      task.output.bias = bias
      task.output.biasIsByRow = problem.biasIsByRow
    }
    if descriptor.hasResidual {
      guard let residual = arguments.residual else { throw .invalid("residual", "NULL", "the plan adds a residual") }
      task.output.residual = residual
      task.output.residualRowStride = problem.residualRow
    }
    if descriptor.batchKind == .pointers { try checkEntries(arguments, multiplies: multiplies) }
    return task
  }
}
