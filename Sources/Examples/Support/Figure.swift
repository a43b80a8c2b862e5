import Foundation

/// A drawing of panels side by side, as SVG.
package struct Figure {
  private let title: String
  private let columns: Int
  private var panels: [(svg: String, width: Double, height: Double)] = []

  /// A figure without panels.
  ///
  /// - Parameters:
  ///   - title: Stands above.
  ///   - columns: Panels of a row.
  package init(_ title: String, columns: Int = 2) {
    self.title = title
    self.columns = max(columns, 1)
  }

  /// Adds a panel on the right, or in the next row.
  package mutating func add(_ chart: Chart) { panels.append((chart.svg, Chart.width, Chart.height)) }

  /// Adds a panel on the right, or in the next row.
  package mutating func add(_ pictures: PictureGrid) { panels.append((pictures.svg, pictures.width, pictures.height)) }

  /// The text of the file.
  package var svg: String {
    var (body, x, y, rowHeight, width) = ("", 0.0, 30.0, 0.0, 0.0)
    for (i, panel) in panels.enumerated() {
      if i % columns == 0 && i > 0 { (x, y, rowHeight) = (0, y + rowHeight, 0) }
      body += "<g transform=\"translate(\(svgNumber(x)) \(svgNumber(y)))\">\n\(panel.svg)</g>\n"
      x += panel.width
      rowHeight = max(rowHeight, panel.height)
      width = max(width, x)
    }
    let (w, h) = (svgNumber(max(width, 200)), svgNumber(y + rowHeight))
    return """
      <svg xmlns="http://www.w3.org/2000/svg" width="\(w)" height="\(h)" viewBox="0 0 \(w) \(h)" \
      font-family="sans-serif" font-size="11" fill="#222">
      <rect width="\(w)" height="\(h)" fill="#fff"/>
      <text x="12" y="20" font-size="14">\(svgText(title))</text>
      \(body)</svg>

      """
  }
}

/// Lines over two axes.
package struct Chart {
  static let width = 400.0, height = 270.0
  private static let colours = ["#1f6fb4", "#d1491c", "#2f8f46", "#8a4fb0", "#a87000", "#00858a", "#c23a7d", "#555"]
  private static let plot = (left: 56.0, top: 28.0, width: 328.0, height: 190.0)

  private let title: String, xName: String, yName: String
  private let isLogarithmic: Bool
  private var lines: [(name: String, points: [(x: Double, y: Double)])] = []

  /// A chart without lines.
  ///
  /// - Parameters:
  ///   - title: Stands above.
  ///   - x: What the horizontal axis counts.
  ///   - y: What the vertical axis counts.
  ///   - isLogarithmic: The vertical axis goes by powers of ten; values of 0 and below are left out.
  package init(_ title: String, x: String, y: String, isLogarithmic: Bool = false) {
    (self.title, xName, yName, self.isLogarithmic) = (title, x, y, isLogarithmic)
  }

  /// Adds a line; what is not finite is left out.
  package mutating func add(_ name: String, _ points: [(x: Double, y: Double)]) {
    lines.append(
      (
        name,
        points.filter { $0.x.isFinite && $0.y.isFinite && (!isLogarithmic || $0.y > 0) }
          .map { ($0.x, isLogarithmic ? log10($0.y) : $0.y) }
      ))
  }

  /// Adds a line over 1, 2, ...
  package mutating func add(_ name: String, _ values: [Double]) {
    add(name, values.enumerated().map { (Double($0.offset + 1), $0.element) })
  }

  var svg: String {
    let plot = Self.plot, points = lines.flatMap(\.points)
    let (x0, x1) = Self.range(points.map(\.x)), (y0, y1) = Self.range(points.map(\.y))
    func place(_ x: Double, _ y: Double) -> (Double, Double) {
      (plot.left + (x - x0) / (x1 - x0) * plot.width, plot.top + plot.height - (y - y0) / (y1 - y0) * plot.height)
    }
    var text = "<text x=\"\(svgNumber(plot.left))\" y=\"18\" font-size=\"12\">\(svgText(title))</text>\n"
    for tick in Self.ticks(x0, x1) {
      let (x, _) = place(tick, y0)
      text += "<path d=\"M\(svgNumber(x)) \(svgNumber(plot.top))v\(svgNumber(plot.height))\" stroke=\"#e4e4e4\"/>\n"
      text += "<text x=\"\(svgNumber(x))\" y=\"232\" text-anchor=\"middle\">\(Self.label(tick))</text>\n"
    }
    for tick in Self.ticks(y0, y1) {
      let (_, y) = place(x0, tick)
      let label = isLogarithmic ? Self.label(pow(10, tick)) : Self.label(tick)
      text += "<path d=\"M\(svgNumber(plot.left)) \(svgNumber(y))h\(svgNumber(plot.width))\" stroke=\"#e4e4e4\"/>\n"
      text += "<text x=\"52\" y=\"\(svgNumber(y + 4))\" text-anchor=\"end\">\(label)</text>\n"
    }
    for (i, line) in lines.enumerated() {
      let colour = Self.colours[i % Self.colours.count]
      let path = line.points.map { point in
        let (x, y) = place(point.x, point.y)
        return "\(svgNumber(x)) \(svgNumber(y))"
      }
      if path.count == 1 {
        let at = path[0].split(separator: " ")
        text += "<circle cx=\"\(at[0])\" cy=\"\(at[1])\" r=\"3\" fill=\"\(colour)\"/>\n"
      } else if !path.isEmpty {
        text +=
          "<path d=\"M\(path.joined(separator: "L"))\" fill=\"none\" stroke=\"\(colour)\" stroke-width=\"1.6\"/>\n"
      }
      let y = svgNumber(plot.top + 12 + 14 * Double(i))
      text += "<text x=\"\(svgNumber(plot.left + plot.width - 4))\" y=\"\(y)\" text-anchor=\"end\" fill=\"\(colour)\" "
      // A white edge, because lines run behind it.
      text += "stroke=\"#fff\" stroke-width=\"3\" paint-order=\"stroke\">"
      text += "\(svgText(line.name))</text>\n"
    }
    text += "<text x=\"220\" y=\"250\" text-anchor=\"middle\">\(svgText(xName))</text>\n"
    text += "<text transform=\"translate(12 123) rotate(-90)\" text-anchor=\"middle\">\(svgText(yName))</text>\n"
    return text
  }

  private static func range(_ values: [Double]) -> (Double, Double) {
    guard let low = values.min(), let high = values.max() else { return (0, 1) }
    return low == high ? (low - 0.5, high + 0.5) : (low, high)
  }

  /// Round numbers within a range, three to seven of them.
  private static func ticks(_ low: Double, _ high: Double) -> [Double] {
    let rough = (high - low) / 6, power = pow(10, floor(log10(rough)))
    let step = power * ([1, 2, 5].first { $0 * power >= rough } ?? 10)
    return stride(from: (low / step).rounded(.up), through: (high / step).rounded(.down), by: 1).map { $0 * step }
  }

  private static func label(_ value: Double) -> String {
    abs(value) >= 1e5 || (value != 0 && abs(value) < 1e-3) ? String(format: "%.0e", value) : rounded(value)
  }
}

/// Grey pictures in rows, and paths drawn over them.
package struct PictureGrid {
  private static let levels = 10
  private let title: String
  private let columns: Int, scale: Double
  private var pictures: [(label: String, rows: [[Double]])] = []
  private var paths: [(colour: String, points: [(x: Double, y: Double)])] = []

  /// A grid without pictures.
  ///
  /// - Parameters:
  ///   - title: Stands above.
  ///   - columns: Pictures of a row.
  ///   - scale: Units of the figure for a pixel.
  package init(_ title: String, columns: Int, scale: Double = 2) {
    (self.title, self.columns, self.scale) = (title, max(columns, 1), scale)
  }

  /// Adds a picture; its least value becomes white, its largest black.
  package mutating func add(_ rows: [[Double]], label: String = "") { pictures.append((label, rows)) }

  /// Draws a line over the first picture, in pixels from its upper left corner.
  package mutating func draw(_ points: [(x: Double, y: Double)], colour: String) { paths.append((colour, points)) }

  private var cell: (width: Double, height: Double) {
    let width = pictures.map { Double($0.rows.first?.count ?? 0) * scale }.max() ?? 0
    let height = pictures.map { Double($0.rows.count) * scale }.max() ?? 0
    return (width + 6, height + (pictures.contains { !$0.label.isEmpty } ? 18 : 6))
  }
  var width: Double { max(24 + Double(min(columns, pictures.count)) * cell.width, 12 + 7 * Double(title.count)) }
  var height: Double { 38 + Double((pictures.count + columns - 1) / columns) * cell.height }

  var svg: String {
    var text = "<text x=\"12\" y=\"18\" font-size=\"12\">\(svgText(title))</text>\n"
    for (i, picture) in pictures.enumerated() {
      let (x, y) = (12 + Double(i % columns) * cell.width, 28 + Double(i / columns) * cell.height)
      text += "<g transform=\"translate(\(svgNumber(x)) \(svgNumber(y)))\">\n"
      text += "<g transform=\"scale(\(svgNumber(scale)))\" shape-rendering=\"crispEdges\">\n"
      text += Self.pixels(picture.rows)
      text += "</g>\n"
      if i == 0 {
        for path in paths where path.points.count > 1 {
          let points = path.points.map { "\(svgNumber($0.x * scale)) \(svgNumber($0.y * scale))" }
          text +=
            "<path d=\"M\(points.joined(separator: "L"))\" fill=\"none\" stroke=\"\(path.colour)\" stroke-width=\"1.8\"/>\n"
        }
      }
      if !picture.label.isEmpty {
        let y = svgNumber(Double(picture.rows.count) * scale + 11)
        text += "<text y=\"\(y)\" font-size=\"9\">\(svgText(picture.label))</text>\n"
      }
      text += "</g>\n"
    }
    return text
  }

  /// A path for each grey, of the runs of pixels that have it.
  private static func pixels(_ rows: [[Double]]) -> String {
    let values = rows.joined().filter(\.isFinite)
    guard let low = values.min(), let high = values.max() else { return "" }
    var runs = [String](repeating: "", count: levels)
    for (y, row) in rows.enumerated() {
      let greys = row.map { value in
        guard value.isFinite, high > low else { return 0 }
        return min(Int((value - low) / (high - low) * Double(levels)), levels - 1)
      }
      var x = 0
      while x < greys.count {
        let end = greys[x...].firstIndex { $0 != greys[x] } ?? greys.count
        runs[greys[x]] += "M\(x) \(y)h\(end - x)v1h-\(end - x)z"
        x = end
      }
    }
    return runs.enumerated().map { level, path in
      let grey = 255 - level * 255 / (levels - 1)
      return path.isEmpty ? "" : "<path fill=\"rgb(\(grey),\(grey),\(grey))\" d=\"\(path)\"/>\n"
    }.joined()
  }
}

/// A coordinate with one digit after the point.
private func svgNumber(_ value: Double) -> String {
  let text = String(format: "%.1f", value)
  return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
}

/// A text in which nothing is markup.
private func svgText(_ text: String) -> String {
  text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
}
