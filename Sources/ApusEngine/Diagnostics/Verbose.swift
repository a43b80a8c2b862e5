import ApusShims
import Synchronization

/// A line for every plan that is made and every run, on request: `APUS_VERBOSE=1` prints them on stderr, a handler gets
/// them in its place. Costs one load where nobody listens.
public enum Verbose {
  /// One plan or run.
  public struct Record: Sendable {
    /// "plan" or "run".
    public let event: StaticString
    /// The family, such as "gemm".
    public let operation: StaticString
    /// The shape, as kbench takes it.
    public let problem: String
    /// Algorithm, blocking and type.
    public let description: String
    /// The plan's.
    public let instructionSet: InstructionSet
    /// The run's.
    public let backend: ThreadingBackend
    /// Threads that the run may use.
    public let threads: Int
    /// Wall-clock time of the plan or the run.
    public let microseconds: Double
  }

  private static let handler = Mutex<(@Sendable (Record) -> Void)?>(nil)

  /// Hands every record to `handler`, from whatever thread makes it; nil turns the records off, those on stderr too.
  public static func set(handler new: (@Sendable (Record) -> Void)?) {
    handler.withLock { $0 = new }
    apus_verbose_set(new == nil ? 0 : 1)
  }

  /// Whether a record would be heard. Reads the environment once.
  static var isOn: Bool { !apus_verbose_is_off() && apus_verbose_resolve() }

  static func emit(_ record: Record) {
    if let handler = handler.withLock({ $0 }) { return handler(record) }
    let tenths = Int((record.microseconds * 10).rounded())
    apus_verbose_print(
      "\(record.event) \(record.operation) \(record.problem) | \(record.description) | \(record.instructionSet.name), "
        + "\(record.backend.name), \(record.threads) threads | \(tenths / 10).\(tenths % 10) us")
  }

  static func microseconds(since start: ContinuousClock.Instant) -> Double {
    let (seconds, attoseconds) = (ContinuousClock.now - start).components
    return Double(seconds) * 1e6 + Double(attoseconds) * 1e-12
  }
}
