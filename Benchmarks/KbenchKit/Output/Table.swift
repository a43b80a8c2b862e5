/// A column of a table: which field it shows, and how.
public struct Column: Sendable {
  /// The record's field.
  public var key: String
  /// Above the column.
  public var title: String
  /// Digits after the point, for numbers.
  public var decimals: Int
  /// At least this wide: rows are printed as they come, so the widest is not known ahead.
  public var width: Int
  /// Words stand left, numbers right.
  public var isLeading: Bool

  /// A column; as wide as its title unless `width` says more.
  public init(_ key: String, _ title: String, decimals: Int = 1, width: Int = 0, isLeading: Bool = false) {
    self.key = key
    self.title = title
    self.decimals = decimals
    self.width = max(width, title.count)
    self.isLeading = isLeading
  }
}

/// Aligned text columns, line by line.
public struct Table: Sendable {
  /// From left to right.
  public var columns: [Column]

  /// A table with these columns.
  public init(_ columns: [Column]) { self.columns = columns }

  /// The titles and a rule below.
  public var header: [String] {
    [
      joined(columns.map { ($0, $0.title) }),
      columns.map { String(repeating: "-", count: $0.width) }.joined(separator: "  "),
    ]
  }

  /// A record as one line.
  public func line(_ record: Record) -> String {
    joined(columns.map { ($0, Self.cell(record[$0.key], decimals: $0.decimals)) })
  }

  static func cell(_ field: Field, decimals: Int) -> String {
    switch field {
    case .text(let text): text
    case .integer(let n): String(n)
    case .number(let x): fixed(x, decimals)
    case .missing: "-"
    }
  }

  private func joined(_ cells: [(Column, String)]) -> String {
    var line = cells.map { column, text in
      let padding = String(repeating: " ", count: max(0, column.width - text.count))
      return column.isLeading ? text + padding : padding + text
    }.joined(separator: "  ")
    while line.last == " " { line.removeLast() }
    return line
  }
}
