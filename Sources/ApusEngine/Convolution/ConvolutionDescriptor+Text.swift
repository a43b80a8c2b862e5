extension ConvolutionDescriptor {
  /// The shape as kbench takes it: "n1c64h56w56k64f3s1p1".
  public var problemString: String {
    let w = window
    let names = ["d", "h", "w"]
    func each(_ letter: String, _ extents: Extents, unless plain: Int?) -> String {
      let values = w.dimensions.map { extents[$0] }
      if let plain, values.allSatisfy({ $0 == plain }) { return "" }
      return letter + (Set(values).count == 1 ? "\(values[0])" : values.map(String.init).joined(separator: "x"))
    }
    var text = "n\(batch)c\(inputChannels)"
    for i in w.dimensions { text += "\(names[i])\(w.input[i])" }
    text += "k\(outputChannels)" + each("f", w.window, unless: nil) + each("s", w.stride, unless: 1)
    text += each("p", w.padBefore, unless: 0)
    if w.padAfter != w.padBefore { text += each("q", w.padAfter, unless: nil) }
    text += each("e", w.dilation, unless: 1)
    if groups > 1 { text += "g\(groups)" }
    if isTransposed { text += "t" + each("o", outputPadding, unless: 0) }
    return text
  }
}
