/// Losses of one prediction and one target each. Raw values are the C header's.
@frozen public enum PointwiseLoss: Int32, CaseIterable, Sendable {
  case binaryCrossEntropyWithLogits = 16
  case meanSquaredError = 17
  case meanAbsoluteError = 18
  case huber = 19
  case hinge = 20
}

/// Losses for one data type, filled in by each instruction set.
@frozen public struct LossKernels: Sendable {
  /// (x, probabilities or nil, class weights or nil, classes, pointer to four Doubles): of a row the largest element m, the
  /// logarithm of the sum of e^(x - m), the sum of t w and that of t w (x - m); t and w are 1 where nil.
  public typealias Row =
    @convention(c) (
      UnsafeRawPointer, UnsafeRawPointer?, UnsafeRawPointer?, Int, UnsafeMutablePointer<Double>
    ) -> Void
  /// (x, probabilities or nil, class weights or nil, dx, classes, m, factor, share):
  /// dx = e^(x - m) factor - t w share, with a factor that has the sum in it. dx may be x.
  public typealias RowGradient =
    @convention(c) (
      UnsafeRawPointer, UnsafeRawPointer?, UnsafeRawPointer?, UnsafeMutableRawPointer, Int, Double, Double, Double
    ) -> Void
  /// (`PointwiseLoss`, x, target, losses or nil, count, delta): the sum; each is written where asked for.
  public typealias Pointwise =
    @convention(c) (
      Int32, UnsafeRawPointer, UnsafeRawPointer, UnsafeMutableRawPointer?, Int, Double
    ) -> Double
  /// (`PointwiseLoss`, x, target, gradients of the losses or nil, dx, count, delta, factor)
  public typealias PointwiseGradient =
    @convention(c) (
      Int32, UnsafeRawPointer, UnsafeRawPointer, UnsafeRawPointer?, UnsafeMutableRawPointer, Int, Double, Double
    ) -> Void

  /// Softmax cross-entropy of a row.
  public var row: Row
  /// Its gradient.
  public var rowGradient: RowGradient
  /// Pointwise losses of a stretch.
  public var pointwise: Pointwise
  /// Their gradients.
  public var pointwiseGradient: PointwiseGradient

  /// A set's kernels.
  @inlinable public init(
    row: Row, rowGradient: RowGradient, pointwise: Pointwise, pointwiseGradient: PointwiseGradient
  ) {
    self.row = row
    self.rowGradient = rowGradient
    self.pointwise = pointwise
    self.pointwiseGradient = pointwiseGradient
  }
}
