/// Depth, height and width; a problem of fewer spatial dimensions has 1 (a padding: 0) in the first ones.
public struct Extents: Sendable, Equatable {
  /// The first of three spatial dimensions.
  public var depth: Int
  /// The second last spatial dimension.
  public var height: Int
  /// The last spatial dimension.
  public var width: Int

  /// All three.
  public init(_ depth: Int, _ height: Int, _ width: Int) {
    self.depth = depth
    self.height = height
    self.width = width
  }
  /// The same number three times.
  public init(repeating value: Int) { self.init(value, value, value) }

  /// 0: depth, 1: height, 2: width.
  public subscript(_ dimension: Int) -> Int {
    get { dimension == 0 ? depth : dimension == 1 ? height : width }
    set {
      switch dimension {
      case 0: depth = newValue
      case 1: height = newValue
      default: width = newValue
      }
    }
  }
  /// Positions of an array of this shape.
  public var product: Int { depth * height * width }
}

/// Order of a tensor's dimensions in memory; raw values are the C header's.
public enum TensorLayout: Int32, CaseIterable, Sendable {
  /// N, C, then the spatial dimensions.
  case channelsFirst = 0
  /// N, the spatial dimensions, then C.
  case channelsLast = 1
}

/// What happens where a stride does not divide the way of a window; raw values are the C header's.
public enum WindowRounding: Int32, CaseIterable, Sendable {
  /// What is left over at the end is not visited.
  case floor = 0
  /// A last window hangs over the end, unless it would begin past the input and the padding before it.
  case ceil = 1
  /// It is refused.
  case strict = 2
}

/// A window that slides over an input: the geometry of convolution and pooling.
public struct SpatialWindow: Sendable, Equatable {
  /// Spatial dimensions, 1 to 3: the last ones of every `Extents` here.
  public var rank: Int
  /// Size of the input, each at least 1.
  public var input: Extents
  /// Size of the window: of a kernel, R x S.
  public var window: Extents
  /// Distance between neighbouring windows, at least 1.
  public var stride = Extents(repeating: 1)
  /// Distance between neighbouring taps of a window, at least 1.
  public var dilation = Extents(repeating: 1)
  /// Rows of padding before the first element, at least 0.
  public var padBefore = Extents(repeating: 0)
  /// Rows of padding after the last element, at least 0.
  public var padAfter = Extents(repeating: 0)
  /// See `WindowRounding`.
  public var rounding = WindowRounding.floor

  /// Stride and dilation 1, no padding. `input` and `window` have 1 in the dimensions beyond `rank`.
  public init(rank: Int, input: Extents, window: Extents) {
    self.rank = rank
    self.input = input
    self.window = window
  }

  /// The dimensions that are in use.
  public var dimensions: Range<Int> { 3 - min(max(rank, 1), 3)..<3 }

  /// Taps from the first to the last of a window.
  public var span: Extents {
    var span = Extents(repeating: 1)
    for i in 0..<3 { span[i] = dilation[i] * (window[i] - 1) + 1 }
    return span
  }

  /// Padding that makes the output as large as the input divided by the stride, rounded up; what is odd goes behind.
  public mutating func padToSame() {
    for i in dimensions {
      let output = input[i].dividedRoundingUp(by: stride[i])
      let total = max(0, (output - 1) * stride[i] + span[i] - input[i])
      padBefore[i] = total / 2
      padAfter[i] = total - total / 2
    }
  }

  /// The same for numbers of a caller's: throws the first one that is out of range, whatever padding there was.
  public func paddedToSame(windowName: String) throws(ApusError) -> SpatialWindow {
    var padded = self
    padded.padBefore = Extents(repeating: 0)
    padded.padAfter = padded.padBefore
    try padded.checkNumbers(windowName: windowName)
    padded.padToSame()
    return padded
  }

  /// Throws the first number that is out of range, naming the argument as the C header does; `windowName` is what that
  /// calls the window. Sums and products of two numbers that pass fit an Int.
  func checkNumbers(windowName: String) throws(ApusError) {
    if !(1...3).contains(rank) { throw .invalid("spatial_rank", rank, "it must be 1, 2 or 3") }
    for i in dimensions {
      let index = i - dimensions.lowerBound
      for (name, value, least) in [
        ("input", input[i], 1), (windowName, window[i], 1), ("stride", stride[i], 1), ("dilation", dilation[i], 1),
        ("pad_before", padBefore[i], 0), ("pad_after", padAfter[i], 0),
      ] where value < least || value > Int(Int32.max) {
        throw .invalid("\(name)[\(index)]", value, "it must be \(least) to \(Int32.max)")
      }
    }
  }

  /// Positions of the window. Throws the first rule that is broken, naming the argument as the C header does;
  /// `windowName` is what that calls the window.
  public func outputSize(windowName: String) throws(ApusError) -> Extents {
    try checkNumbers(windowName: windowName)
    var output = Extents(repeating: 1)
    for i in dimensions {
      let index = i - dimensions.lowerBound
      let padded = input[i] + padBefore[i] + padAfter[i]
      if span[i] > padded {
        throw .invalid(
          "\(windowName)[\(index)]", window[i],
          "with dilation \(dilation[i]) it spans \(span[i]), more than the padded input's \(padded)")
      }
      let (steps, rest) = (padded - span[i]).quotientAndRemainder(dividingBy: stride[i])
      output[i] = steps + 1
      if rest != 0 && rounding == .strict {
        throw .invalid(
          "stride[\(index)]", stride[i],
          "it does not divide \(padded - span[i]), the way of a \(windowName) of \(window[i]) in a padded input of "
            + "\(padded), and rounding is strict")
      }
      if rest != 0 && rounding == .ceil && (steps + 1) * stride[i] < input[i] + padBefore[i] { output[i] += 1 }
    }
    return output
  }
}
