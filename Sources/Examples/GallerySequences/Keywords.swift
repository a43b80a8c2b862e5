/// Which characters of Swift's text belong to keywords: those in strings and comments do not, nor names behind a point, nor
/// labels of arguments. What stands in an interpolation is code again.
package struct KeywordScanner {
  static let keywords: Set<String> = [
    "actor", "any", "as", "associatedtype", "async", "await", "break", "case", "catch", "class", "continue", "default",
    "defer", "deinit", "do", "else", "enum", "extension", "fallthrough", "false", "fileprivate", "final", "for", "func",
    "guard", "if", "import", "in", "init", "inout", "internal", "is", "let", "mutating", "nil", "open", "operator",
    "override", "package", "private", "protocol", "public", "repeat", "rethrows", "return", "self", "Self", "some",
    "static", "struct", "subscript", "super", "switch", "throw", "throws", "true", "try", "typealias", "unowned", "var",
    "weak", "where", "while",
  ]

  private enum Place { case code, comment, blockComment, string, text, interpolation(Int) }

  /// For each byte whether it is part of a keyword.
  package static func scan(_ text: [UInt8]) -> [Bool] {
    var labels = [Bool](repeating: false, count: text.count), places = [Place.code], i = 0
    func at(_ ending: String) -> Bool { text[i...].starts(with: ending.utf8) }
    while i < text.count {
      switch places[places.count - 1] {
      case .comment:
        if at("\n") { places.removeLast() }
      case .blockComment:
        if at("*/") { places.removeLast() }
      case .string, .text:
        let isLong = if case .text = places[places.count - 1] { true } else { false }
        if at("\\(") {
          places.append(.interpolation(0))
          i += 1
        } else if at("\\") {
          i += 1
        } else if isLong ? at("\"\"\"") : at("\"") || at("\n") {
          places.removeLast()
          if isLong { i += 2 }
        }
      case .code, .interpolation:
        if at("//") {
          places.append(.comment)
        } else if at("/*") {
          places.append(.blockComment)
        } else if at("\"\"\"") {
          places.append(.text)
          i += 2
        } else if at("\"") {
          places.append(.string)
        } else if isPartOfName(text[i]) {
          let end = text[i...].firstIndex { !isPartOfName($0) } ?? text.count
          if isKeyword(text, i..<end) { for j in i..<end { labels[j] = true } }
          i = end - 1
        } else if case .interpolation(let depth) = places[places.count - 1] {
          if at("(") { places[places.count - 1] = .interpolation(depth + 1) }
          if at(")") {
            if depth == 0 { places.removeLast() } else { places[places.count - 1] = .interpolation(depth - 1) }
          }
        }
      }
      i += 1
    }
    return labels
  }

  /// The keywords' words wherever they stand: what can be told without the text around them.
  package static func words(_ text: [UInt8]) -> [Bool] {
    var labels = [Bool](repeating: false, count: text.count), i = 0
    while i < text.count {
      let end = text[i...].firstIndex { !isPartOfName($0) } ?? text.count
      if keywords.contains(String(decoding: text[i..<end], as: UTF8.self)) { for j in i..<end { labels[j] = true } }
      i = max(end, i + 1)
    }
    return labels
  }

  private static func isKeyword(_ text: [UInt8], _ word: Range<Int>) -> Bool {
    let name = String(decoding: text[word], as: UTF8.self)
    let before = word.lowerBound > 0 ? text[word.lowerBound - 1] : 0
    let after = word.upperBound < text.count ? text[word.upperBound] : 0
    guard keywords.contains(name), before != UInt8(ascii: "."), before != UInt8(ascii: "`") else { return false }
    return after != UInt8(ascii: ":") || name == "default"
  }

  private static func isPartOfName(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "#"), UInt8(ascii: "@"):
      true
    default: byte >= 128
    }
  }
}

/// Precision and recall as one number (C. van Rijsbergen, 1979): 2 hits / (told + there).
package func f1(_ told: [Bool], _ truth: [Bool]) -> Double {
  let hits = zip(told, truth).count { $0 && $1 }
  return 2 * Double(hits) / Double(max(1, told.count { $0 } + truth.count { $0 }))
}
