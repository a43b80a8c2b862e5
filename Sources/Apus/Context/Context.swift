internal import ApusEngine

/// How work runs: instruction set, threading back end, number of threads and linger time.
///
/// A context is an immutable value that owns no thread: all contexts share one team, and any number of threads may use one
/// context at once. Where a call takes `context: Context?`, nil means the process's default.
public struct Context: Sendable {
  let engine: ExecutionContext
  /// Kept alive for as long as the engine may call it.
  private let host: HostLoop?

  /// A context. Arguments that are nil come from the environment variables `APUS_ISA`, `APUS_BACKEND`, `APUS_THREADS` and
  /// `APUS_LINGER_US`, else they are: the best instruction set that is available, dispatch, the CPUs that the process may
  /// use (affinity mask and cgroup quota), and a measured linger.
  ///
  /// - Parameters:
  ///   - instructionSet: The kernels of plans that are made with this context.
  ///   - backend: Where threads come from; not `.host`, which has an initializer of its own.
  ///   - threads: At most this many threads work on a call, 1 to 4096.
  ///   - lingerMicroseconds: How long an idle thread of the dispatch team spins before it parks, 0 to 10000.
  /// - Throws: `invalidArgument` for a number out of range and for an unknown name in the environment, `unsupported` for an
  ///   instruction set that this CPU lacks and for openMP where no run time is found. The messages list what there is.
  public init(
    instructionSet: InstructionSet? = nil, backend: ThreadingBackend? = nil, threads: Int? = nil,
    lingerMicroseconds: Int? = nil
  ) throws(ApusError) {
    engine = try translatingErrors { () throws(ApusEngine.ApusError) in
      try ExecutionContext(
        instructionSet: instructionSet?.engine, backend: backend?.engine, threads: threads,
        lingerMicroseconds: lingerMicroseconds)
    }
    host = nil
  }

  /// A context on threads of the program's own.
  ///
  /// - Parameters:
  ///   - instructionSet: As in ``init(instructionSet:backend:threads:lingerMicroseconds:)``.
  ///   - threads: How many tasks a parallel region is cut into at most, 1 to 4096.
  ///   - parallelFor: Calls `task(i)` exactly once for every i in 0..<count, on any threads and in any order, and returns
  ///     when all have returned. A region whose tasks were skipped or repeated throws `backend`.
  /// - Throws: As the other initializer does.
  public init(
    instructionSet: InstructionSet? = nil, threads: Int,
    parallelFor: @escaping @Sendable (_ count: Int, _ task: @Sendable (Int) -> Void) -> Void
  ) throws(ApusError) {
    let host = HostLoop(parallelFor)
    engine = try translatingErrors { () throws(ApusEngine.ApusError) in
      try ExecutionContext(
        instructionSet: instructionSet?.engine, threads: threads, parallelFor: HostLoop.run,
        user: Unmanaged.passUnretained(host).toOpaque())
    }
    self.host = host
  }

  private init(_ engine: ExecutionContext) {
    self.engine = engine
    host = nil
  }

  /// The process's default, made from the environment when it is first asked for.
  ///
  /// - Throws: As ``init(instructionSet:backend:threads:lingerMicroseconds:)`` does where the environment is wrong.
  public static func processDefault() throws(ApusError) -> Context { Context(try resolve(nil)) }

  /// The kernels of plans that are made with this context.
  public var instructionSet: InstructionSet { InstructionSet(engine.instructionSet) }
  /// Where threads come from.
  public var backend: ThreadingBackend { ThreadingBackend(engine.backend) }
  /// At most this many threads work on a call.
  public var threads: Int { engine.threads }
  /// How many threads a call from here and now would use at most: 1 inside a parallel region, and in the child of a fork
  /// on a back end whose threads do not survive it.
  public var effectiveThreads: Int { engine.effectiveThreads }
  /// How long an idle thread of the dispatch team spins before it parks.
  public var lingerMicroseconds: Int { engine.lingerMicroseconds }

  static func resolve(_ context: Context?) throws(ApusError) -> ExecutionContext {
    if let context { return context.engine }
    return try translatingErrors { () throws(ApusEngine.ApusError) in try ExecutionContext.processDefault() }
  }
}

/// A closure behind the engine's C callback.
private final class HostLoop: Sendable {
  private let parallelFor: @Sendable (Int, @Sendable (Int) -> Void) -> Void

  init(_ parallelFor: @escaping @Sendable (Int, @Sendable (Int) -> Void) -> Void) { self.parallelFor = parallelFor }

  static let run: HostParallelFor = { user, count, run, task in
    guard let user, let run else { return }
    nonisolated(unsafe) let task = task
    Unmanaged<HostLoop>.fromOpaque(user).takeUnretainedValue().parallelFor(Int(count)) { run(task, Int64($0)) }
  }
}
