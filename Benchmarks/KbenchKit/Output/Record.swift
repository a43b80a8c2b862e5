/// One value of a record.
public enum Field: Equatable, Sendable {
  /// Any text; quoted and escaped as the format needs.
  case text(String)
  /// A whole number.
  case integer(Int)
  /// A measured number; written with six significant digits.
  case number(Double)
  /// Nothing to say: empty in CSV, null in JSON, a dash in tables.
  case missing

  /// A number, or `missing` for nil and for what is not finite.
  public init(_ number: Double?) {
    if let number, number.isFinite { self = .number(number) } else { self = .missing }
  }

  /// A text, or `missing` for nil.
  public init(_ text: String?) { self = text.map { .text($0) } ?? .missing }
}

/// One row of a result: names and values in a fixed order, the same names for every row of a run.
public struct Record: Sendable {
  /// Names and values, in the order of CSV's columns.
  public private(set) var fields: [(key: String, value: Field)] = []

  /// An empty record.
  public init() {}

  /// The value of `key`; setting one that is new appends it.
  public subscript(key: String) -> Field {
    get { fields.first { $0.key == key }?.value ?? .missing }
    set {
      if let i = fields.firstIndex(where: { $0.key == key }) {
        fields[i].value = newValue
      } else {
        fields.append((key, newValue))
      }
    }
  }
}
