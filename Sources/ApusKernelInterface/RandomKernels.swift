/// Distributions. Raw values are the C header's.
@frozen public enum RandomDistribution: Int32, CaseIterable, Sendable {
  case uniform = 0
  case normal = 1
  case truncatedNormal = 2
}

/// Which numbers of which sequence: element i of a call is number `first + i`, whatever else is made.
@frozen public struct RandomSource: Sendable {
  /// The sequence.
  public var seed: UInt64
  /// The number of element 0.
  public var first: UInt64

  /// From `first` on.
  @inlinable public init(seed: UInt64, first: UInt64) {
    self.seed = seed
    self.first = first
  }
}

/// A distribution and its numbers.
@frozen public struct RandomShape: Sendable {
  /// Which.
  public var distribution = RandomDistribution.uniform
  /// Lower end, or mean.
  public var a = 0.0
  /// Upper end, or standard deviation.
  public var b = 1.0
  /// Truncated: the normal distribution's function at the lower end.
  public var low = 0.0
  /// Truncated: its increase up to the upper end.
  public var span = 1.0
  /// Truncated: the ends themselves, in deviations.
  public var lowest = -2.0
  /// See `lowest`.
  public var highest = 2.0

  /// Uniform in 0..<1.
  @inlinable public init() {}
}

/// Random numbers for one data type, filled in by each instruction set: Philox, by position, so that cuts change nothing.
@frozen public struct RandomKernels: Sendable {
  /// (pointer to `RandomSource`, pointer to `RandomShape`, result, first, count, scratch of 1 KB)
  public typealias Fill =
    @convention(c) (
      UnsafeRawPointer, UnsafeRawPointer, UnsafeMutableRawPointer, Int, Int, UnsafeMutableRawPointer
    ) -> Void
  /// (pointer to `RandomSource`, threshold, factor, x, y, first, count, scratch of 1 KB): y = x factor where the word of the
  /// element's number is at least the threshold, 0 elsewhere. x and y are arrays' first elements and may be the same.
  public typealias Dropout =
    @convention(c) (
      UnsafeRawPointer, UInt32, Double, UnsafeRawPointer, UnsafeMutableRawPointer, Int, Int, UnsafeMutableRawPointer
    ) -> Void

  /// Fills.
  public var fill: Fill
  /// Drops.
  public var dropout: Dropout

  /// A set's kernels.
  @inlinable public init(fill: Fill, dropout: Dropout) {
    self.fill = fill
    self.dropout = dropout
  }
}
