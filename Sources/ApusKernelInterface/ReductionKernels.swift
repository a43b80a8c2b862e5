/// What a run of numbers is folded into.
@frozen public enum Fold: Int32, CaseIterable, Sendable {
  case sum = 0
  case maximum = 1
  case minimum = 2
  /// Of magnitudes.
  case magnitudes = 3
  /// Of squared distances from a center.
  case squares = 4
  /// Of e^(x - center).
  case exponentials = 5
}

/// Reductions, transposition and running sums for one data type, filled in by each instruction set.
@frozen public struct ReductionKernels: Sendable {
  /// (`Fold`, x, count, stride, center): of one run.
  public typealias Run = @convention(c) (Int32, UnsafeRawPointer, Int, Int, Double) -> Double
  /// (`Fold`, x, rows, row stride, columns, centers or nil, results, whether it begins): of each column, down the rows, joined
  /// to what the results hold unless it begins. All in the data type.
  public typealias Columns =
    @convention(c) (
      Int32, UnsafeRawPointer, Int, Int, Int, UnsafeRawPointer?, UnsafeMutableRawPointer, Bool
    ) -> Void
  /// (x, count, stride, whether the least): where the first largest, or the first NaN, lies.
  public typealias Position = @convention(c) (UnsafeRawPointer, Int, Int, Bool) -> Int
  /// (x, row stride, rows, columns, y, row stride): y[j][i] = x[i][j].
  public typealias Transpose =
    @convention(c) (
      UnsafeRawPointer, Int, Int, Int, UnsafeMutableRawPointer, Int
    ) -> Void

  /// Along a run.
  public var run: Run
  /// Down columns.
  public var columns: Columns
  /// The largest's place.
  public var position: Position
  /// A matrix.
  public var transpose: Transpose

  /// A set's kernels.
  @inlinable public init(run: Run, columns: Columns, position: Position, transpose: Transpose) {
    self.run = run
    self.columns = columns
    self.position = position
    self.transpose = transpose
  }
}
