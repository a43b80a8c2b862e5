import Foundation
import KbenchKit
import Testing

@Suite struct OutputTests {
  static let records: [Record] = {
    var first = Record()
    first["name"] = .text("a, \"quoted\"\ntext\tand \u{1} control, \u{e9}")
    first["count"] = .integer(-3)
    first["time"] = .number(1.0 / 3)
    first["none"] = .missing
    var second = first
    second["name"] = .text("plain")
    second["time"] = Field(Double.nan)
    return [first, second]
  }()

  static func write(_ format: OutputFormat, _ records: [Record]) -> String {
    var text = ""
    var machine = Record()
    machine["cpu"] = .text("A \\ CPU")
    let report = Report(
      format: format, columns: [Column("name", "name", width: 8, isLeading: true), Column("time", "ms", decimals: 2)],
      machine: machine
    ) { text += $0 }
    for record in records { report.add([record]) }
    report.finish()
    report.finish()
    return text
  }

  @Test(arguments: [0, 1, 2]) func jsonIsValid(_ count: Int) throws {
    let text = Self.write(.json, Array(Self.records.prefix(count)))
    let object = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    let rows = try #require(object["rows"] as? [[String: Any]])
    #expect(rows.count == count)
    #expect((object["machine"] as? [String: Any])?["cpu"] as? String == "A \\ CPU")
    guard count > 0 else { return }
    #expect(rows[0]["name"] as? String == "a, \"quoted\"\ntext\tand \u{1} control, \u{e9}")
    #expect(rows[0]["count"] as? Int == -3)
    #expect(rows[0]["time"] as? Double == 0.333333)
    #expect(rows[0]["none"] is NSNull)
    #expect(rows[0]["cpu"] as? String == "A \\ CPU")
  }

  /// Fields of a CSV text by RFC 4180.
  static func parse(_ text: String) -> [[String]] {
    var rows: [[String]] = [[""]]
    var isQuoted = false
    var characters = Array(text)[...]
    while let c = characters.popFirst() {
      switch (c, isQuoted) {
      case ("\"", true) where characters.first == "\"":
        characters.removeFirst()
        rows[rows.count - 1][rows[rows.count - 1].count - 1].append("\"")
      case ("\"", _): isQuoted.toggle()
      case (",", false): rows[rows.count - 1].append("")
      case ("\n", false): rows.append([""])
      default: rows[rows.count - 1][rows[rows.count - 1].count - 1].append(c)
      }
    }
    if rows.last == [""] { rows.removeLast() }
    return rows
  }

  @Test func csvIsValid() throws {
    let rows = Self.parse(Self.write(.csv, Self.records))
    #expect(rows.count == 3)
    #expect(rows[0] == ["name", "count", "time", "none", "cpu"])
    #expect(rows[1] == ["a, \"quoted\"\ntext\tand \u{1} control, \u{e9}", "-3", "0.333333", "", "A \\ CPU"])
    #expect(rows[2] == ["plain", "-3", "", "", "A \\ CPU"])
  }

  @Test func tableIsAligned() {
    let text = Self.write(.table, [Self.records[1], Self.records[1]])
    #expect(text == "name      ms\n--------  --\nplain      -\nplain      -\n")
  }

  @Test func medians() {
    #expect(Statistics.median([3, 1, 2]) == 2)
    #expect(Statistics.median([4, 1, 2, 3]) == 2.5)
    #expect(Statistics.median([]).isNaN)
    #expect(Statistics.minimum([3, 1, 2]) == 1)
  }

  @Test func samplesAreLongEnough() throws {
    var calls = 0
    let samples = Sampler(seconds: 0.01, shouldStop: { false }).measure { calls += 1 }
    #expect(samples.count >= 3)
    // An empty call takes nanoseconds, so a sample has many.
    #expect(calls > 100 * samples.count)
    #expect(Sampler(seconds: 10, shouldStop: { true }).measure {}.isEmpty)
  }

  @Test func levels() {
    var machine = Machine.current
    (machine.l1, machine.l2, machine.l3) = (32 << 10, 1 << 20, 32 << 20)
    #expect(machine.level(bytes: 20_000, threads: 1) == .l1)
    #expect(machine.level(bytes: 40_000, threads: 1) == .l2)
    #expect(machine.level(bytes: 40_000, threads: 2) == .l1)
    #expect(machine.level(bytes: 5e6, threads: 2) == .l3)
    #expect(machine.level(bytes: 5e7, threads: 2) == .dram)
    machine.l3 = 0
    #expect(machine.level(bytes: 5e6, threads: 2) == .dram)
  }
}
