internal import ApusEngine

/// What the elements of a window become.
public enum PoolingKind: Sendable, Hashable {
  /// The largest; NaN is larger than all others.
  case max
  /// The mean of the elements that lie in the input.
  case average
  /// The sum divided by the size of the window, padding included. A window that hangs over the padding is cut there.
  case averageIncludingPadding
  /// (sum |x|^p)^(1/p) of the elements that lie in the input, for p above 0. Where the sum is beyond the range
  /// of the type, the norm is infinite or 0.
  case norm(p: Double)
}

/// What a plan computes.
public enum PoolingDirection: Sendable, Hashable {
  /// y from x.
  case forward
  /// dx from dy.
  case backward
  /// x from y and the indices of maxima: zero elsewhere.
  case unpool
  /// dy from dx and the indices of maxima.
  case unpoolBackward
}

/// The windows of a pooling. Arrays have a number for each spatial dimension.
public enum PoolingWindows: Sendable, Hashable {
  /// Windows of one size at equal distances. nil: the stride is the size, the dilation (of `max` only) 1.
  case sliding(
    _ size: [Int], stride: [Int]? = nil, dilation: [Int]? = nil, padding: SpatialPadding = .valid,
    rounding: WindowRounding = .floor)
  /// One window, the whole input.
  case global
  /// As many windows as the output has elements: window i covers floor(i in / out) ..< ceil((i + 1) in / out).
  case adaptive(output: [Int])
}

/// The types of indices: `Int32` and `Int64`. Conform no other type.
public protocol PoolingIndex: FixedWidthInteger, BitwiseCopyable, Sendable {}
extension Int32: PoolingIndex {}
extension Int64: PoolingIndex {}

extension PoolingDirection {
  var engine: ApusEngine.PoolingDirection {
    switch self {
    case .forward: .forward
    case .backward: .backwardData
    case .unpool: .unpool
    case .unpoolBackward: .unpoolBackward
    }
  }
}

extension SpatialWindow {
  /// The windows over an input of `input.count` dimensions.
  init(_ windows: PoolingWindows, input: [Int]) throws(ApusError) {
    if !(1...3).contains(input.count) {
      throw .invalid("input has \(input.count) dimensions, but 1, 2 or 3 are pooled")
    }
    /// The engine keeps the width last.
    func extents(_ name: String, _ numbers: [Int], _ filler: Int) throws(ApusError) -> Extents {
      if numbers.count != input.count {
        throw .invalid("\(name) has \(numbers.count) numbers, but input has \(input.count)")
      }
      var result = Extents(repeating: filler)
      for (i, number) in numbers.enumerated() { result[3 - numbers.count + i] = number }
      return result
    }
    let size = try extents("input", input, 1)
    guard case .sliding(let taps, let stride, let dilation, let padding, let rounding) = windows else {
      self.init(rank: input.count, input: size, window: windows == .global ? size : Extents(repeating: 1))
      self.stride = window
      return
    }
    self.init(rank: input.count, input: size, window: try extents("window", taps, 1))
    self.stride = try extents("stride", stride ?? taps, 1)
    if let dilation { self.dilation = try extents("dilation", dilation, 1) }
    self.rounding = rounding.engine
    switch padding {
    case .valid: break
    case .same:
      self = try translatingErrors { [self] () throws(ApusEngine.ApusError) in try paddedToSame(windowName: "window") }
    case .explicit(let before, let after):
      padBefore = try extents("padding before", before, 0)
      padAfter = try extents("padding after", after, 0)
    }
  }
}
