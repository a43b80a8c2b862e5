import ApusKernelInterface

/// What a window's elements become; raw values are the C header's.
public enum PoolingKind: Int32, CaseIterable, Sendable {
  /// The largest element.
  case maximum = 0
  /// The mean of the elements that lie in the input.
  case average = 1
  /// The sum of the elements divided by the size of the window, padding included.
  case averageIncludingPadding = 2
  /// (sum |x|^p)^(1/p), where the sum is within the type's range.
  case norm = 3
}

/// What a pooling plan computes; raw values are the C header's.
public enum PoolingDirection: Int32, CaseIterable, Sendable, CustomStringConvertible {
  /// y, and indices on request, from x.
  case forward = 0
  /// dx from dy.
  case backwardData = 1
  /// x from y and indices: zero where no index points to.
  case unpool = 16
  /// dy from dx and indices.
  case unpoolBackward = 17

  /// As messages have it.
  public var description: String {
    switch self {
    case .forward: "forward"
    case .backwardData: "backward data"
    case .unpool: "unpool"
    case .unpoolBackward: "unpool backward"
    }
  }
}

/// Pooling of a dense tensor. Nothing is checked before a plan is made.
public struct PoolingDescriptor: Sendable, Equatable {
  /// float32 or float64.
  public var dataType: DataType
  /// What a window's elements become.
  public var kind: PoolingKind
  /// Of x and y alike.
  public var layout = TensorLayout.channelsFirst
  /// Samples; 0 leaves nothing to do.
  public var batch: Int
  /// Planes of a sample, each pooled alone.
  public var channels: Int
  /// Input, window, stride, dilation, padding and rounding. Where pooling is adaptive only the input counts.
  public var window: SpatialWindow
  /// The size of the output, which makes pooling adaptive: window i covers floor(i in / out) ..< ceil((i + 1) in / out).
  public var adaptiveOutput: Extents?
  /// Type of a maximum's indices, int32 or int64.
  public var indexType = DataType.int32
  /// p of a norm, above 0.
  public var norm = 2.0

  /// Pooling with neighbouring windows that do not overlap, and no padding.
  public init(
    dataType: DataType, kind: PoolingKind, batch: Int, channels: Int, window: SpatialWindow
  ) {
    self.dataType = dataType
    self.kind = kind
    self.batch = batch
    self.channels = channels
    self.window = window
  }
}

extension PoolingDescriptor {
  /// Positions in a dimension at most: plans hold a table of each.
  public static let maximumPositions = 1 << 26

  /// The size of the output. Throws the first rule that is broken, naming the argument as the C header does.
  public func outputSize() throws(ApusError) -> Extents {
    if dataType != .float32 && dataType != .float64 {
      throw ApusError(.unsupported, "dtype is \(dataType.name), but pooling has float32 and float64")
    }
    if indexType != .int32 && indexType != .int64 {
      throw .invalid("index_type", indexType.name, "it must be int32 or int64")
    }
    for (name, value) in [("batch", batch), ("channels", channels)] where value < 0 {
      throw .invalid(name, value, "a size must be at least 0")
    }
    if kind == .norm && !(norm > 0 && norm.isFinite) {
      throw .invalid("norm", norm, "p of an Lp norm must be a number above 0")
    }
    let output: Extents
    if let adaptiveOutput { output = try adaptiveSize(adaptiveOutput) } else { output = try windowsSize() }
    try checkSizes(output)
    return output
  }

  private func adaptiveSize(_ size: Extents) throws(ApusError) -> Extents {
    if !(1...3).contains(window.rank) { throw .invalid("spatial_rank", window.rank, "it must be 1, 2 or 3") }
    var output = Extents(repeating: 1)
    for i in window.dimensions {
      let index = i - window.dimensions.lowerBound
      for (name, value) in [("input", window.input[i]), ("output", size[i])] where value < 1 || value > Int32.max {
        throw .invalid("\(name)[\(index)]", value, "it must be 1 to \(Int32.max)")
      }
      for (name, value, only) in [
        ("pad_before", window.padBefore[i], 0), ("pad_after", window.padAfter[i], 0),
        ("dilation", window.dilation[i], 1),
      ] where value != only {
        throw .invalid("\(name)[\(index)]", value, "adaptive windows have none: it must be \(only)")
      }
      output[i] = size[i]
    }
    return output
  }

  private func windowsSize() throws(ApusError) -> Extents {
    let output = try window.outputSize(windowName: "window")
    for i in window.dimensions {
      let index = i - window.dimensions.lowerBound
      if kind != .maximum && window.dilation[i] != 1 {
        throw .invalid("dilation[\(index)]", window.dilation[i], "only a maximum is dilated: it must be 1")
      }
      let span = window.span[i]
      if window.padBefore[i] >= span {
        throw .invalid(
          "pad_before[\(index)]", window.padBefore[i],
          "the first window, which spans \(span), must have an element of the input")
      }
      let last = (output[i] - 1) * window.stride[i] - window.padBefore[i]
      if last >= window.input[i] {
        throw .invalid(
          "pad_after[\(index)]", window.padAfter[i],
          "the last window, which begins at \(last), must have an element of the input's \(window.input[i])")
      }
      // A window may step over an input that is shorter than its dilation. Too many windows are refused later, unread.
      if window.dilation[i] > window.input[i] && output[i] <= Self.maximumPositions {
        for o in 0..<output[i] where window.taps(o, i).count == 0 {
          throw .invalid(
            "dilation[\(index)]", window.dilation[i],
            "window \(o) must have an element of the input, but steps over its \(window.input[i])")
        }
      }
    }
    return output
  }

  private func checkSizes(_ output: Extents) throws(ApusError) {
    var inputPlane = CheckedSize(1)
    var outputPlane = CheckedSize(1)
    for i in 0..<3 {
      inputPlane = inputPlane * window.input[i]
      outputPlane = outputPlane * output[i]
    }
    // An int64 index beside the data is the largest thing there is. Each of 2^12 threads may keep a sample's indices.
    for (name, plane, sizes) in [("input", inputPlane, window.input), ("output", outputPlane, output)]
    where (plane * max(1 << 12, batch) * max(1, channels) * 16).overflowed {
      let text = window.dimensions.map { "\(sizes[$0])" }.joined(separator: " x ")
      throw .invalid(
        name, text,
        "with batch \(batch) and \(channels) channels its bytes must fit 62 bits, and those of one sample 50 bits")
    }
    for i in window.dimensions {
      let index = i - window.dimensions.lowerBound
      for (name, value) in [("input", window.input[i]), ("output", output[i])] where value > Self.maximumPositions {
        throw ApusError(
          .unsupported, "\(name)[\(index)] is \(value), but pooling has up to \(Self.maximumPositions) positions")
      }
    }
    // Lanes of float32 carry indices of 32 bits.
    if kind == .maximum && inputPlane.value > Int32.max && (indexType == .int32 || dataType == .float32) {
      throw ApusError(
        .unsupported,
        "input has planes of \(inputPlane.value) positions, but indices of this type reach \(Int32.max); "
          + "float64 with int64 reaches further")
    }
  }
}

extension SpatialWindow {
  /// The taps of window `o` along dimension `i` that lie in the input.
  func taps(_ o: Int, _ i: Int) -> (first: Int, count: Int) {
    let start = o * stride[i] - padBefore[i]
    let skipped = start < 0 ? (-start).dividedRoundingUp(by: dilation[i]) : 0
    let first = start + skipped * dilation[i]
    let room = first >= input[i] ? 0 : (input[i] - first).dividedRoundingUp(by: dilation[i])
    return (first, max(0, min(window[i] - skipped, room)))
  }
}
