import Foundation

/// How results are written.
public enum OutputFormat: String, CaseIterable, Sendable {
  /// Aligned columns for people.
  case table
  /// RFC 4180, with a header line.
  case csv
  /// One object: the machine, and an array of rows.
  case json
}

/// `x` with a fixed number of decimals.
public func fixed(_ x: Double, _ decimals: Int) -> String { String(format: "%.\(decimals)f", x) }

/// Numbers as CSV and JSON carry them: six significant digits, never "nan" or "inf".
func significant(_ x: Double) -> String { String(format: "%.6g", x) }

/// Comma-separated values as RFC 4180 has them, but with plain line feeds.
public enum CSV {
  /// The names of a record, as a line.
  public static func header(_ record: Record) -> String {
    record.fields.map { quoted($0.key) }.joined(separator: ",")
  }

  /// The values of a record, as a line.
  public static func line(_ record: Record) -> String {
    record.fields.map { field in
      switch field.value {
      case .text(let text): quoted(text)
      case .integer(let n): String(n)
      case .number(let x): significant(x)
      case .missing: ""
      }
    }.joined(separator: ",")
  }

  static func quoted(_ text: String) -> String {
    let special: Set<Character> = [",", "\"", "\n", "\r", "\r\n"]
    guard text.contains(where: { special.contains($0) }) else { return text }
    return "\"" + text.replacingOccurrences(of: "\"", with: "\"\"") + "\""
  }
}

/// JSON (RFC 8259), an object a record.
public enum JSON {
  /// A record as an object on one line.
  public static func object(_ record: Record) -> String {
    "{" + record.fields.map { "\(quoted($0.key)): \(value($0.value))" }.joined(separator: ", ") + "}"
  }

  static func value(_ field: Field) -> String {
    switch field {
    case .text(let text): quoted(text)
    case .integer(let n): String(n)
    case .number(let x): significant(x)
    case .missing: "null"
    }
  }

  static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\t": result += "\\t"
      case _ where scalar.value < 0x20: result += String(format: "\\u%04x", scalar.value)
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
