/// Rows that are normalised each by itself: layer and RMS normalisation.
@frozen public struct NormalizationRows {
  /// Elements of a row.
  public var size = 0
  /// Added to the variance.
  public var epsilon = 0.0
  /// The mean is taken for 0 and there is no offset: RMS normalisation.
  public var isRMS = false
  /// Results go past the caches.
  public var streams = false
  /// Data; row 0 of each. `mean` and `scale` (1 / standard deviation) have a number for each row.
  public var x: UnsafeRawPointer?
  /// See `x`; a factor for each element, or nil.
  public var gamma: UnsafeRawPointer?
  /// See `x`; a summand for each element, or nil.
  public var beta: UnsafeRawPointer?
  /// Forward: the result.
  public var y: UnsafeMutableRawPointer?
  /// Forward: written where not nil. Backward: read.
  public var mean: UnsafeMutableRawPointer?
  /// See `mean`.
  public var scale: UnsafeMutableRawPointer?
  /// Backward: gradient of y.
  public var dy: UnsafeRawPointer?
  /// Backward: written where not nil.
  public var dx: UnsafeMutableRawPointer?
  /// Backward: sums over rows, added to; nil where not wanted.
  public var dgamma: UnsafeMutableRawPointer?
  /// See `dgamma`.
  public var dbeta: UnsafeMutableRawPointer?

  /// No rows.
  @inlinable public init() {}
}

/// Runs of numbers at equal distances that share their statistics: a channel's planes, a group of channels.
@frozen public struct NormalizationRuns {
  /// Elements of a run, which are neighbours.
  public var length = 0
  /// Elements from one run to the next.
  public var stride = 0
  /// How many runs.
  public var count = 0

  /// Runs.
  @inlinable public init(length: Int, stride: Int, count: Int) {
    self.length = length
    self.stride = stride
    self.count = count
  }
}

/// Local response normalisation across channels.
@frozen public struct ResponseShape {
  /// Channels of a sample.
  public var channels = 0
  /// Positions of a sample.
  public var positions = 0
  /// Channels are neighbours in memory, rather than positions.
  public var channelsLast = false
  /// Channels of a window.
  public var size = 5
  /// y = x (k + alpha / size * sum of squares)^-beta.
  public var alpha = 1e-4
  /// See `alpha`.
  public var beta = 0.75
  /// See `alpha`.
  public var k = 1.0

  /// No channels.
  @inlinable public init() {}
}

/// Normalisation for one data type, filled in by each instruction set.
@frozen public struct NormalizationKernels: Sendable {
  /// (pointer to `NormalizationRows`, first row, rows)
  public typealias Rows = @convention(c) (UnsafeRawPointer, Int, Int) -> Void
  /// (x, pointer to `NormalizationRuns`, pointer to two Doubles): mean and sum of squared deviations.
  public typealias Moments = @convention(c) (UnsafeRawPointer, UnsafeRawPointer, UnsafeMutablePointer<Double>) -> Void
  /// (x, dy, pointer to `NormalizationRuns`, mean, pointer to two Doubles): sums of dy and of dy (x - mean).
  public typealias GradientSums =
    @convention(c) (
      UnsafeRawPointer, UnsafeRawPointer, UnsafeRawPointer, Double, UnsafeMutablePointer<Double>
    ) -> Void
  /// (x, y, count, mean, factor, summand, streams): y = (x - mean) factor + summand.
  public typealias Apply =
    @convention(c) (
      UnsafeRawPointer, UnsafeMutableRawPointer, Int, Double, Double, Double, Bool
    ) -> Void
  /// (x, dy, dx, count, mean, factor of dy, factor of x - mean, summand, streams)
  public typealias GradientApply =
    @convention(c) (
      UnsafeRawPointer, UnsafeRawPointer, UnsafeMutableRawPointer, Int, Double, Double, Double, Double, Bool
    ) -> Void
  /// (x, rows, channels, means, sums of squared deviations): of each column over rows of neighbours, in the data type.
  public typealias ColumnMoments =
    @convention(c) (
      UnsafeRawPointer, Int, Int, UnsafeMutableRawPointer, UnsafeMutableRawPointer
    ) -> Void
  /// (x, dy, rows, channels, means, sums of dy, sums of dy (x - mean)), in the data type.
  public typealias ColumnGradientSums =
    @convention(c) (
      UnsafeRawPointer, UnsafeRawPointer, Int, Int, UnsafeRawPointer, UnsafeMutableRawPointer, UnsafeMutableRawPointer
    ) -> Void
  /// (x, y, rows, channels, means, factors, summands, streams)
  public typealias ColumnApply =
    @convention(c) (
      UnsafeRawPointer, UnsafeMutableRawPointer, Int, Int, UnsafeRawPointer, UnsafeRawPointer, UnsafeRawPointer, Bool
    ) -> Void
  /// (x, dy, dx, rows, channels, means, factors of dy, factors of x - mean, summands)
  public typealias ColumnGradientApply =
    @convention(c) (
      UnsafeRawPointer, UnsafeRawPointer, UnsafeMutableRawPointer, Int, Int, UnsafeRawPointer, UnsafeRawPointer,
      UnsafeRawPointer, UnsafeRawPointer
    ) -> Void
  /// (pointer to `ResponseShape`, x, y, first sample, samples, scratch of channels + 2 size vectors)
  public typealias Response =
    @convention(c) (
      UnsafeRawPointer, UnsafeRawPointer, UnsafeMutableRawPointer, Int, Int, UnsafeMutableRawPointer
    ) -> Void
  /// (pointer to `ResponseShape`, x, dy, dx, first sample, samples, scratch of twice that)
  public typealias ResponseBackward =
    @convention(c) (
      UnsafeRawPointer, UnsafeRawPointer, UnsafeRawPointer, UnsafeMutableRawPointer, Int, Int, UnsafeMutableRawPointer
    ) -> Void

  /// Elements of a vector.
  public var lanes: Int
  /// Rows forward.
  public var rows: Rows
  /// Rows backward.
  public var rowsBackward: Rows
  /// Statistics of runs.
  public var moments: Moments
  /// Backward's sums over runs.
  public var gradientSums: GradientSums
  /// One run forward.
  public var apply: Apply
  /// One run backward.
  public var gradientApply: GradientApply
  /// Statistics of columns.
  public var columnMoments: ColumnMoments
  /// Backward's sums over columns.
  public var columnGradientSums: ColumnGradientSums
  /// Columns forward.
  public var columnApply: ColumnApply
  /// Columns backward.
  public var columnGradientApply: ColumnGradientApply
  /// Local response normalisation.
  public var response: Response
  /// Its gradient.
  public var responseBackward: ResponseBackward

  /// A set's kernels.
  @inlinable public init(
    lanes: Int, rows: Rows, rowsBackward: Rows, moments: Moments, gradientSums: GradientSums, apply: Apply,
    gradientApply: GradientApply, columnMoments: ColumnMoments, columnGradientSums: ColumnGradientSums,
    columnApply: ColumnApply, columnGradientApply: ColumnGradientApply, response: Response,
    responseBackward: ResponseBackward
  ) {
    self.lanes = lanes
    self.rows = rows
    self.rowsBackward = rowsBackward
    self.moments = moments
    self.gradientSums = gradientSums
    self.apply = apply
    self.gradientApply = gradientApply
    self.columnMoments = columnMoments
    self.columnGradientSums = columnGradientSums
    self.columnApply = columnApply
    self.columnGradientApply = columnGradientApply
    self.response = response
    self.responseBackward = responseBackward
  }
}
