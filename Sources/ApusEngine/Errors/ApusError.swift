/// What kind of failure; raw values are the C header's `apus_status`.
public enum Status: Int32, Sendable {
  case ok = 0
  case invalidArgument = 1
  case outOfMemory = 2
  case unsupported = 3
  case mismatch = 4
  case backend = 5
}

/// The one error of the engine: a kind, and a message that names the argument, its value and the rule it broke.
public struct ApusError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The kind of failure.
  public let status: Status
  /// What went wrong, for a person to read.
  public let message: String

  /// An error of any kind with a message of its own.
  public init(_ status: Status, _ message: String) {
    self.status = status
    self.message = message
  }

  /// `argument` had `value`, against `rule`.
  public static func invalid(_ argument: String, _ value: some CustomStringConvertible, _ rule: String) -> ApusError {
    ApusError(.invalidArgument, "\(argument) is \(value), but \(rule)")
  }

  /// The message alone, without the kind.
  public var description: String { message }
}
