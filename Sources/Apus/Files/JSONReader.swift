/// A value of a JSON text.
indirect enum JSONValue {
  case null
  case bool(Bool)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([(name: String, value: JSONValue)])
}

/// Reads JSON (RFC 8259) from a stretch of a file, with the byte of what is wrong in its errors.
struct JSONReader {
  private let file: FileBytes
  private var place: Int
  private let end: Int

  /// The value that the range holds, with white space around it.
  static func read(_ file: FileBytes, _ range: Range<Int>) throws(FileError) -> JSONValue {
    var reader = JSONReader(file: file, place: range.lowerBound, end: range.upperBound)
    let value = try reader.value(depth: 0)
    reader.skipSpace()
    if reader.place != reader.end { throw reader.malformed("there is something behind the value") }
    return value
  }

  private init(file: FileBytes, place: Int, end: Int) {
    self.file = file
    self.place = place
    self.end = end
  }

  private func malformed(_ message: String) -> FileError { file.error(.malformed, at: place, "JSON: \(message)") }

  private var next: UInt8? { place < end ? file.bytes[place] : nil }

  private mutating func skipSpace() {
    while let c = next, c == 32 || c == 9 || c == 10 || c == 13 { place += 1 }
  }

  private mutating func take(_ character: Character) throws(FileError) {
    skipSpace()
    if next != character.asciiValue { throw malformed("there should be a \(character)") }
    place += 1
  }

  private mutating func takes(_ character: Character) -> Bool {
    skipSpace()
    if next != character.asciiValue { return false }
    place += 1
    return true
  }

  private mutating func value(depth: Int) throws(FileError) -> JSONValue {
    if depth > 32 { throw malformed("values are nested more than 32 deep") }
    skipSpace()
    switch next {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["):
      place += 1
      var values: [JSONValue] = []
      if takes("]") { return .array(values) }
      repeat { values.append(try value(depth: depth + 1)) } while takes(",")
      try take("]")
      return .array(values)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    default: return try number()
    }
  }

  private mutating func object(depth: Int) throws(FileError) -> JSONValue {
    place += 1
    var members: [(name: String, value: JSONValue)] = []
    if takes("}") { return .object(members) }
    repeat {
      skipSpace()
      let name = try string()
      try take(":")
      members.append((name, try value(depth: depth + 1)))
    } while takes(",")
    try take("}")
    return .object(members)
  }

  private mutating func word(_ word: StaticString, _ value: JSONValue) throws(FileError) -> JSONValue {
    for i in 0..<word.utf8CodeUnitCount {
      if next != word.utf8Start[i] { throw malformed("there is no such word") }
      place += 1
    }
    return value
  }

  private mutating func number() throws(FileError) -> JSONValue {
    let start = place
    while let c = next, (48...57).contains(c) || c == 43 || c == 45 || c == 46 || c == 69 || c == 101 { place += 1 }
    let text = String(decoding: file.bytes[start..<place], as: UTF8.self)
    guard place > start, place - start < 40, let value = Double(text), value.isFinite else {
      place = start
      throw malformed("there should be a value")
    }
    return .number(value)
  }

  private mutating func string() throws(FileError) -> String {
    try take("\"")
    var text: [UInt8] = []
    while let c = next {
      place += 1
      switch c {
      case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
      case UInt8(ascii: "\\"): try escape(&text)
      case 0..<32: throw malformed("a string has a control character")
      default: text.append(c)
      }
    }
    throw malformed("a string has no end")
  }

  private mutating func escape(_ text: inout [UInt8]) throws(FileError) {
    guard let c = next else { throw malformed("a string has no end") }
    place += 1
    switch c {
    case UInt8(ascii: "n"): text.append(10)
    case UInt8(ascii: "t"): text.append(9)
    case UInt8(ascii: "r"): text.append(13)
    case UInt8(ascii: "b"): text.append(8)
    case UInt8(ascii: "f"): text.append(12)
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(c)
    case UInt8(ascii: "u"):
      var code = try hexadecimal()
      if (0xD800..<0xDC00).contains(code), next == UInt8(ascii: "\\") {
        place += 1
        if next != UInt8(ascii: "u") { throw malformed("half of a surrogate pair is missing") }
        place += 1
        let low = try hexadecimal()
        if (0xDC00..<0xE000).contains(low) { code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00) }
      }
      guard let scalar = Unicode.Scalar(code) else { throw malformed("there is no character \(code)") }
      text += Array(String(Character(scalar)).utf8)
    default: throw malformed("there is no such escape")
    }
  }

  private mutating func hexadecimal() throws(FileError) -> UInt32 {
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard let c = next, let digit = Character(Unicode.Scalar(c)).hexDigitValue else {
        throw malformed("there should be a hexadecimal digit")
      }
      code = code * 16 + UInt32(digit)
      place += 1
    }
    return code
  }

  /// A text as JSON has it.
  static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case _ where scalar.value < 32:
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
