/// A day of the hundred years in which two digits of a year say which: 1930 to 2029.
package struct Day {
  package let year: Int, month: Int, day: Int
  /// 0 is Monday.
  package let weekday: Int

  static let months = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
  ]
  static let weekdays = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]

  /// All days of some years.
  package static func all(_ years: ClosedRange<Int> = 1930...2029) -> [Day] {
    var days: [Day] = []
    var weekday = 2  // the first of January 1930 was a Wednesday
    for year in 1930...years.upperBound {
      let february = year.isMultiple(of: 4) ? 29 : 28
      for (month, length) in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31].enumerated() {
        for day in 1...length {
          if years.contains(year) { days.append(Day(year: year, month: month + 1, day: day, weekday: weekday)) }
          weekday = (weekday + 1) % 7
        }
      }
    }
    return days
  }

  /// As ISO 8601 has it: 1999-03-03.
  package var iso: String { "\(year)-\(Self.two(month))-\(Self.two(day))" }

  /// How many forms there are.
  package static let forms = 20

  /// As people write it, in a form from 0 on. Numbers between slashes have the day first, as most of the world does.
  package func written(_ form: Int) -> String {
    let month = Self.months[self.month - 1], weekday = Self.weekdays[self.weekday]
    let short = String(month.prefix(3)), yy = Self.two(year % 100), dd = Self.two(day), mm = Self.two(self.month)
    return switch form {
    case 0: "\(day) \(month) \(year)"
    case 1: "the \(ordinal) of \(month), \(year)"
    case 2: "\(weekday.prefix(3)) \(dd)/\(mm)/\(yy)"
    case 3: "\(month) \(day), \(year)"
    case 4: "\(dd)/\(mm)/\(year)"
    case 5: "\(day).\(self.month).\(year)"
    case 6: "\(day) \(short) \(year)"
    case 7: "\(short) \(ordinal), \(year)"
    case 8: "\(weekday), \(day) \(month) \(year)"
    case 9: "\(year)\(mm)\(dd)"
    case 10: "\(day)-\(short)-\(yy)"
    case 11: "\(month.uppercased()) \(day) '\(yy)"
    case 12: "\(weekday.lowercased()), \(month.lowercased()) \(ordinal) \(year)"
    case 13: "\(dd).\(mm).\(yy)"
    case 14: "\(year), \(month) \(day)"
    case 15: "\(ordinal) \(short). \(year)"
    case 16: "on the \(ordinal) of \(short) \(yy)"
    case 17: "\(day)/\(self.month)/\(yy)"
    case 18: "\(year) \(short) \(dd)"
    default: "\(weekday.prefix(3)) \(short) \(day) \(year)"
    }
  }

  private var ordinal: String {
    let ending = (11...13).contains(day) ? "th" : [1: "st", 2: "nd", 3: "rd"][day % 10] ?? "th"
    return "\(day)\(ending)"
  }

  private static func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
