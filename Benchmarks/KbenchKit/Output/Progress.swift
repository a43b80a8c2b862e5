import Foundation

/// One line on the terminal that says what is being measured; nothing where stderr is no terminal.
public struct Progress: Sendable {
  private let isEnabled: Bool

  /// Enabled where stderr is a terminal.
  public init() { isEnabled = isatty(STDERR_FILENO) == 1 }

  /// Replaces the line, cut to what a narrow terminal shows.
  public func show(_ text: String) { if isEnabled { put("\r\u{1B}[K" + String(text.prefix(78))) } }

  /// Removes the line, before anything else is printed.
  public func clear() { if isEnabled { put("\r\u{1B}[K") } }

  private func put(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}
