extension Tensor: CustomStringConvertible {
  /// The numbers as NumPy prints them: in columns, with 8 digits behind the point at most, and with ... in the middle of
  /// more than 1000 elements.
  public var description: String {
    let isLong = count > 1000
    var numbers: [[Int]: Double] = [:]
    func visit(_ index: [Int]) {
      if index.count == rank {
        numbers[index] = detached().indexed(index.map { .element($0) }).scalar
        return
      }
      for i in Self.shown(shape[index.count], isLong) { if let i { visit(index + [i]) } }
    }
    visit([])
    let format = NumberFormat(Array(numbers.values), dtype)
    let texts = numbers.mapValues { format.text($0) }
    let width = texts.values.map(\.count).max() ?? 0
    func lines(_ index: [Int]) -> String {
      if index.count == rank {
        let text = texts[index] ?? ""
        return rank == 0 ? text : String(repeating: " ", count: width - text.count) + text
      }
      let parts = Self.shown(shape[index.count], isLong).map { $0.map { lines(index + [$0]) } ?? "..." }
      let depth = rank - index.count - 1
      if depth > 0 {
        let gap = String(repeating: "\n", count: depth) + String(repeating: " ", count: index.count + 1)
        return "[" + parts.joined(separator: gap) + "]"
      }
      return "[" + Self.wrapped(parts, indentation: index.count + 1) + "]"
    }
    return lines([])
  }

  /// Indices that are printed; nil stands for those that are not.
  private static func shown(_ size: Int, _ isLong: Bool) -> [Int?] {
    isLong && size > 6 ? [0, 1, 2, nil, size - 3, size - 2, size - 1] : (0..<size).map { $0 }
  }

  /// Elements of a row in lines of 75 characters.
  private static func wrapped(_ parts: [String], indentation: Int) -> String {
    var text = ""
    var length = indentation
    for (i, part) in parts.enumerated() {
      if i > 0 && length + 1 + part.count > 75 {
        text += "\n" + String(repeating: " ", count: indentation)
        length = indentation
      } else if i > 0 {
        text += " "
        length += 1
      }
      text += part
      length += part.count
    }
    return text
  }
}

/// How all numbers of a tensor are printed.
private struct NumberFormat {
  private let dtype: DataType
  private let isScientific: Bool
  private var digits = 0

  init(_ values: [Double], _ dtype: DataType) {
    self.dtype = dtype
    let sizes = values.filter { $0.isFinite && $0 != 0 }.map(abs)
    let (low, high) = (sizes.min() ?? 1, sizes.max() ?? 1)
    isScientific = high >= 1e8 || low < 1e-4 || high / low > 1000
    digits = values.map { fraction($0).count }.max() ?? 0
  }

  func text(_ value: Double) -> String {
    switch dtype {
    case .bool: return value != 0 ? "true" : "false"
    case .int32, .int64, .uint8: return "\(Int64(nearest: value))"
    case .float32, .float64: break
    }
    if !value.isFinite { return "\(value)" }
    let sign = value.sign == .minus ? "-" : ""
    let (whole, exponent) = parts(value)
    let own = fraction(value)
    let padding = String(repeating: isScientific ? "0" : " ", count: digits - own.count)
    return "\(sign)\(whole).\(own)\(padding)\(exponent)"
  }

  /// The digits of a number from its shortest form in its type, rounded to 8 behind the point.
  private func decimal(_ value: Double) -> (digits: [UInt8], point: Int) {
    let text = dtype == .float32 ? "\(abs(Float(value)))" : "\(abs(value))"
    let halves = text.split(separator: "e")
    let sides = halves[0].split(separator: ".", omittingEmptySubsequences: false)
    var point = sides[0].count + (halves.count > 1 ? Int(halves[1]) ?? 0 : 0)
    var digits = Array((sides[0] + (sides.count > 1 ? sides[1] : "")).utf8.map { $0 - 48 })
    while digits.count > 1, digits.first == 0 {
      digits.removeFirst()
      point -= 1
    }
    if digits == [0] { point = 1 }
    let places = (isScientific ? 1 : point) + 8
    if places < 0 { return ([0], 1) }
    if digits.count > places {
      let up = digits[places] >= 5
      digits.removeLast(digits.count - places)
      if up {
        var i = digits.count - 1
        while i >= 0, digits[i] == 9 {
          digits[i] = 0
          i -= 1
        }
        if i >= 0 {
          digits[i] += 1
        } else {
          digits.insert(1, at: 0)
          point += 1
        }
      }
    }
    return (digits, point)
  }

  private func parts(_ value: Double) -> (whole: String, exponent: String) {
    let (digits, point) = decimal(value)
    if isScientific {
      let power = value == 0 ? 0 : point - 1
      return ("\(digits[0])", "e\(power < 0 ? "-" : "+")\(abs(power) < 10 ? "0" : "")\(abs(power))")
    }
    if point <= 0 { return ("0", "") }
    let whole = digits.prefix(point).map { "\($0)" }.joined()
    return (whole + String(repeating: "0", count: max(0, point - digits.count)), "")
  }

  /// What is printed behind the point.
  private func fraction(_ value: Double) -> String {
    if !value.isFinite || !dtype.isFloatingPoint { return "" }
    let (digits, point) = decimal(value)
    let first = isScientific ? 1 : point
    var text = String(repeating: "0", count: max(0, -first)) + digits.dropFirst(max(0, first)).map { "\($0)" }.joined()
    while text.last == "0" { text.removeLast() }
    return text
  }
}
