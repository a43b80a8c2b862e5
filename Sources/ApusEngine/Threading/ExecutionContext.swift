import ApusShims

/// How work runs: instruction set, back end, thread count and linger.
///
/// Immutable, usable from many threads at once, and the owner of no thread: all contexts share one team.
public final class ExecutionContext: Sendable {
  /// The kernels that plans made with this context use.
  public let instructionSet: InstructionSet
  /// Where the threads come from.
  public let backend: ThreadingBackend
  /// At most this many threads work on a region.
  public let threads: Int
  /// How long an idle member of the dispatch team spins before it parks.
  public let lingerMicroseconds: Int
  /// The host's parallel-for, on the host back end.
  let host: Host?
  /// `threads`, cut to the CPUs where Apus decides how many run.
  let width: Int

  /// Threads that a context may ask for.
  public static let maximumThreads = 4096
  /// The longest linger, in microseconds.
  public static let maximumLinger = 10_000
  /// The linger unless told otherwise, in microseconds: ten times what it bridges. Measured on two cores of a virtual
  /// Zen 4, a region that finds the team parked pays 10 us for the wake and gets the member 30 us late (2 x 20 us of work:
  /// 50 us parked, 20.4 us lingering, 40.5 us serial).
  public static let defaultLinger = 300
  /// Nanoseconds of work on one thread below which a region does not pay, team warm. Measured with work that touches no
  /// memory, two threads, one quiet run each: 1.1 us became 1.2, 2.2 became 1.7, 4.3 became 2.7. Twice where it begins to
  /// pay, because operands that move to another core cost cache misses on top.
  public static let breakEvenNanoseconds = 4000

  /// A context; nil takes APUS_ISA, APUS_BACKEND, APUS_THREADS and APUS_LINGER_US from the environment, else the best
  /// instruction set, dispatch, the CPUs that the process may use, and `defaultLinger` (0 where a CPU quota is below
  /// those CPUs: a spinning thread would spend it).
  ///
  /// Throws invalidArgument for a number out of range, an unknown name in the environment or the host back end, which
  /// needs its callback; unsupported for an instruction set that is not available and for openmp where no run time can
  /// be found. The messages list what there is.
  public convenience init(
    instructionSet: InstructionSet? = nil, backend: ThreadingBackend? = nil, threads: Int? = nil,
    lingerMicroseconds: Int? = nil
  ) throws(ApusError) {
    let backend = try Self.first(backend, { () throws(ApusError) in try EnvironmentSettings.backend() }) ?? .dispatch
    if backend == .host {
      throw ApusError.invalid("backend", backend.name, "this back end needs the host's parallel-for callback")
    }
    if backend == .openmp, !apus_openmp_find() {
      throw ApusError(
        .unsupported,
        "backend is openmp, but no OpenMP run time (libgomp.so.1, libomp.so.5, libiomp5.so) is loaded or can be; "
          + "available: dispatch, host, serial")
    }
    try self.init(instructionSet, backend, threads, lingerMicroseconds, host: nil)
  }

  /// A context on the host's own threads. `parallelFor` must work for as long as the context lives; `user` is handed to
  /// it. Throws as the other initialiser does.
  public convenience init(
    instructionSet: InstructionSet? = nil, threads: Int? = nil, parallelFor: @escaping HostParallelFor,
    user: UnsafeMutableRawPointer?
  ) throws(ApusError) {
    try self.init(instructionSet, .host, threads, nil, host: Host(parallelFor: parallelFor, user: user))
  }

  private init(
    _ instructionSet: InstructionSet?, _ backend: ThreadingBackend, _ threads: Int?, _ linger: Int?, host: Host?
  ) throws(ApusError) {
    if let set = instructionSet, !InstructionSet.available.contains(set) {
      throw EnvironmentSettings.unavailable("instruction set", set, InstructionSet.available)
    }
    if let threads, !(1...Self.maximumThreads).contains(threads) {
      throw ApusError.invalid("threads", threads, "it must be 1 to \(Self.maximumThreads)")
    }
    if let linger, !(0...Self.maximumLinger).contains(linger) {
      throw ApusError.invalid("linger", linger, "it must be 0 to \(Self.maximumLinger) microseconds")
    }
    let cpus = UsableCPUs.process
    self.instructionSet =
      try Self.first(instructionSet, { () throws(ApusError) in try EnvironmentSettings.instructionSet() })
      ?? InstructionSet.available.last ?? .baseline
    self.backend = backend
    self.threads =
      backend == .serial
      ? 1 : try Self.first(threads, { () throws(ApusError) in try EnvironmentSettings.threads() }) ?? cpus.count
    self.lingerMicroseconds =
      try Self.first(linger, { () throws(ApusError) in try EnvironmentSettings.linger() })
      ?? (cpus.isThrottled ? 0 : Self.defaultLinger)
    self.host = host
    self.width = backend == .host ? self.threads : min(self.threads, cpus.count)
    apus_watch_forks()
  }

  /// `a ?? b()`, which would lose the type of the error.
  private static func first<T>(_ a: T?, _ b: () throws(ApusError) -> T?) throws(ApusError) -> T? {
    if let a { return a }
    return try b()
  }

  /// The process's default, made from the environment on first use; throws as the initialiser does, every time.
  public static func processDefault() throws(ApusError) -> ExecutionContext { try defaultContext.get() }
  private static let defaultContext = Result<ExecutionContext, ApusError> { () throws(ApusError) in
    try ExecutionContext()
  }
}
