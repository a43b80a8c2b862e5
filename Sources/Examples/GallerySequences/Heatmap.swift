import ExampleSupport
import Foundation

/// A matrix as grey squares, 0 white and 1 black, between the names of its rows and columns.
struct Heatmap {
  var title: String
  var rows: [String]
  var columns: [String]
  var values: [[Double]]

  private static let cell = 16.0
  private var left: Double { 20 + 7 * Double(rows.map(\.count).max() ?? 0) }
  /// Names that are longer than a square are turned.
  private var isTurned: Bool { columns.contains { $0.count > 2 } }
  private var top: Double { 30 + (isTurned ? 6.5 * Double(columns.map(\.count).max() ?? 0) : 12) }
  private var width: Double { max(left + Self.cell * Double(columns.count) + 20, 40 + 7 * Double(title.count)) }
  private var height: Double { top + Self.cell * Double(rows.count) + 14 }

  private var svg: String {
    var text = "<text x=\"12\" y=\"18\">\(escaped(title))</text>\n"
    for (i, name) in columns.enumerated() {
      let (x, y) = (left + Self.cell * (Double(i) + 0.5), top - 5)
      let place =
        isTurned ? "transform=\"translate(\(x + 4) \(y)) rotate(-90)\"" : "x=\"\(x)\" y=\"\(y)\" text-anchor=\"middle\""
      text += "<text \(place)>\(escaped(name))</text>\n"
    }
    for (i, (name, row)) in zip(rows, values).enumerated() {
      let y = top + Self.cell * Double(i)
      text += "<text x=\"\(left - 6)\" y=\"\(y + 12)\" text-anchor=\"end\">\(escaped(name))</text>\n"
      for (j, value) in row.enumerated() {
        let grey = 255 - Int((min(max(value, 0), 1) * 255).rounded())
        text += "<rect x=\"\(left + Self.cell * Double(j))\" y=\"\(y)\" width=\"16\" height=\"16\" "
        text += "fill=\"rgb(\(grey),\(grey),\(grey))\" stroke=\"#ddd\" stroke-width=\"0.5\"/>\n"
      }
    }
    return text
  }

  /// Writes matrices one below the other where a figure was asked for.
  static func draw(_ maps: [Heatmap], _ run: RunOptions) throws {
    guard let path = run.figure else { return }
    var (body, y) = ("", 0.0)
    for map in maps {
      body += "<g transform=\"translate(0 \(y))\">\n\(map.svg)</g>\n"
      y += map.height
    }
    let width = maps.map(\.width).max() ?? 0
    let svg = """
      <svg xmlns="http://www.w3.org/2000/svg" width="\(width)" height="\(y)" viewBox="0 0 \(width) \(y)" \
      font-family="monospace" font-size="11" fill="#222">
      <rect width="\(width)" height="\(y)" fill="#fff"/>
      \(body)</svg>

      """
    do {
      try svg.write(toFile: path, atomically: true, encoding: .utf8)
    } catch {
      throw DataError("--figure \(path): \(error.localizedDescription)")
    }
  }
}

/// A text in which nothing is markup, and a space can be seen.
private func escaped(_ text: String) -> String {
  text == " " ? "␣" : text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
}
