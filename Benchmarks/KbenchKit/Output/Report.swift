import Foundation

/// Writes records as they come, in one of the formats, so that whatever stops a run leaves a finished document.
public final class Report {
  private let format: OutputFormat
  private let table: Table
  private let machine: Record
  private let write: (String) -> Void
  private var rows = 0
  private var isFinished = false

  /// `write` gets whole lines with their line feed.
  public init(
    format: OutputFormat, columns: [Column], machine: Record,
    write: @escaping (String) -> Void = Report.toStandardOutput
  ) {
    self.format = format
    self.table = Table(columns)
    self.machine = machine
    self.write = write
  }

  /// Adds rows. A table may show them otherwise than CSV and JSON carry them: `shown` stands in for them there.
  public func add(_ records: [Record], shown: [Record]? = nil) {
    switch format {
    case .table:
      for record in shown ?? records {
        if rows == 0 { for line in table.header { write(line + "\n") } }
        rows += 1
        write(table.line(record) + "\n")
      }
    case .csv:
      for record in records.map(withMachine) {
        if rows == 0 { write(CSV.header(record) + "\n") }
        rows += 1
        write(CSV.line(record) + "\n")
      }
    case .json:
      for record in records.map(withMachine) {
        write(rows == 0 ? opening : ",\n")
        rows += 1
        write("    " + JSON.object(record))
      }
    }
  }

  /// Closes the document.
  public func finish() {
    guard !isFinished else { return }
    isFinished = true
    if format == .json {
      if rows == 0 { write(opening) }
      write("\n  ]\n}\n")
    }
  }

  /// Every row says where it was measured: rows of several machines end up in one file.
  private func withMachine(_ record: Record) -> Record {
    var result = record
    for (key, value) in machine.fields { result[key] = value }
    return result
  }

  private var opening: String { "{\n  \"machine\": \(JSON.object(machine)),\n  \"rows\": [\n" }

  /// Unbuffered. A reader that has gone (`kbench | head`) ends the process, as it would any filter.
  public static func toStandardOutput(_ text: String) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let n = rest.withUnsafeBytes { Foundation.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
      if n > 0 {
        rest = rest.dropFirst(n)
      } else if errno != EINTR {
        exit(141)
      }
    }
  }
}
