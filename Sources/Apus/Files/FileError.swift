/// What reading and writing of files throws: which file, where in it, and what is wrong.
public struct FileError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The kind of a failure.
  public enum Code: Sendable, Hashable {
    /// The system refused to open, read or write it.
    case system
    /// It ends before what it announces.
    case truncated
    /// It breaks a rule of its format.
    case malformed
    /// Legal, but not for this library.
    case unsupported
  }

  /// The kind.
  public let code: Code
  /// The file, as it was named; "bytes" for memory.
  public let path: String
  /// The byte where the trouble is; nil where there is no such place.
  public let offset: Int?
  /// What is wrong, in English.
  public let message: String
  /// One line.
  public var description: String { path + (offset.map { ", byte \($0)" } ?? "") + ": " + message }
}
