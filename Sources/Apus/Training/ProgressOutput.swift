#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Where a trainer says how far it is: on a terminal a bar that moves, elsewhere a line for each epoch.
public struct ProgressOutput: Sendable {
  /// Characters of a line of a terminal; nil: no terminal.
  let width: Int?
  let write: @Sendable (String) -> Void

  /// An output of one's own.
  ///
  /// - Parameters:
  ///   - width: Characters of a line, on which a bar moves by carriage returns; nil: a line for each epoch.
  ///   - write: Takes a text, with its ends of lines.
  public init(width: Int?, write: @escaping @Sendable (String) -> Void) {
    self.width = width
    self.write = write
  }

  /// Nothing.
  public static let none = ProgressOutput(width: nil) { _ in }

  /// Standard output: a bar on a terminal, lines in a pipe or a file.
  public static var standard: ProgressOutput {
    ProgressOutput(width: isatty(STDOUT_FILENO) != 0 ? terminalWidth() : nil) { text in
      print(text, terminator: "")
      // A bar has no end of line, at which a terminal would be written to.
      fflush(nil)
    }
  }

  private static func terminalWidth() -> Int {
    var size = winsize()
    let isKnown = ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0
    return isKnown && size.ws_col > 20 ? Int(size.ws_col) : 80
  }
}

/// The line of an epoch that runs.
struct ProgressBar {
  private let output: ProgressOutput
  private let title: String
  private let batches: Int
  private var shown: ContinuousClock.Instant?
  private var length = 0

  init(_ output: ProgressOutput, title: String, batches: Int) {
    self.output = output
    self.title = title
    self.batches = batches
  }

  /// Shows how far the epoch is, ten times a second at most.
  ///
  /// - Parameters:
  ///   - done: Batches.
  ///   - figures: What is known, such as the loss.
  ///   - secondsLeft: Until the end of the epoch; nil: not known.
  mutating func show(done: Int, figures: () -> String, secondsLeft: Double?) {
    guard let width = output.width else { return }
    let now = ContinuousClock.now
    if let shown, shown.duration(to: now) < .milliseconds(100), done < batches { return }
    shown = now
    let left = secondsLeft.map { " \(clockTime($0)) left" } ?? ""
    let tail = " \(done)/\(batches) \(figures())\(left)"
    let room = min(30, width - 1 - title.count - tail.count - 3)
    var line = title
    if room >= 5 {
      let filled = batches > 0 ? room * done / batches : room
      line += " [\(String(repeating: "=", count: filled))\(String(repeating: ".", count: room - filled))]"
    }
    line = String((line + tail).prefix(Swift.max(0, width - 1)))
    // Spaces over what a longer line has left.
    let rest = String(repeating: " ", count: max(0, length - line.count))
    length = line.count
    output.write("\r\(line)\(rest)")
  }

  /// The line that stays.
  func end(_ line: String) {
    if output.width == nil { return output.write(line + "\n") }
    output.write("\r\(line)\(String(repeating: " ", count: max(0, length - line.count)))\n")
  }
}
