internal import ApusEngine

/// What every throwing call of Apus throws: a kind, and a message that names the argument, its value and the rule that it
/// broke.
///
/// When a call has thrown, nothing has been written to the caller's buffers, unless `code` is `Code.backend`.
public struct ApusError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The kind of a failure.
  public enum Code: Sendable, Hashable {
    /// An argument broke a rule that the call states.
    case invalidArgument
    /// The system refused memory; the message says how much was asked for.
    case outOfMemory
    /// Legal, but this CPU, system or build cannot do it.
    case unsupported
    /// A packed matrix was made for another shape, type or instruction set.
    case mismatch
    /// The threading back end failed, for example a host's parallel-for that skipped tasks. The work may be incomplete.
    case backend
  }

  /// The kind.
  public let code: Code
  /// Argument, value and rule, in English.
  public let message: String
  /// The message.
  public var description: String { message }

  init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  init(_ error: ApusEngine.ApusError) {
    let code: Code =
      switch error.status {
      case .outOfMemory: .outOfMemory
      case .unsupported: .unsupported
      case .mismatch: .mismatch
      case .backend: .backend
      case .ok, .invalidArgument: .invalidArgument
      }
    self.init(code, error.message)
  }

  static func invalid(_ message: String) -> ApusError { ApusError(.invalidArgument, message) }
}

/// `body`, with the engine's errors as Apus's.
func translatingErrors<Result>(_ body: () throws(ApusEngine.ApusError) -> Result) throws(ApusError) -> Result {
  do throws(ApusEngine.ApusError) {
    return try body()
  } catch {
    throw ApusError(error)
  }
}
