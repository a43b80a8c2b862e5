/// Ways to update parameters. Raw values are the C header's.
@frozen public enum OptimizerKind: Int32, CaseIterable, Sendable {
  case sgd = 0
  case adagrad = 1
  case rmsProp = 2
  case adam = 3
  case adamW = 4
}

/// The numbers of an update.
@frozen public struct OptimizerNumbers: Sendable {
  /// Which.
  public var kind = OptimizerKind.sgd
  /// Length of a step; Adam's is divided by 1 - beta1^t.
  public var rate = 0.0
  /// Share of the old state: momentum, alpha or beta1.
  public var momentum = 0.0
  /// Share of the new gradient in a momentum, less 1.
  public var dampening = 0.0
  /// SGD looks ahead.
  public var isNesterov = false
  /// The state has no history yet.
  public var isFirst = false
  /// Share of the old squares: alpha of RMSProp, beta2 of Adam.
  public var squares = 0.0
  /// Added to the root.
  public var epsilon = 0.0
  /// Adam: 1 / sqrt(1 - beta2^t).
  public var rootFactor = 1.0
  /// Added to the gradient, times the parameter; of AdamW taken from the parameter.
  public var decay = 0.0
  /// Factor of every gradient, before all else.
  public var gradientScale = 1.0
  /// Gradients are brought within -limit...limit, after the factor; infinity for none.
  public var limit = Double.infinity

  /// Plain SGD of rate 0.
  @inlinable public init() {}
}

/// Updates for one data type, filled in by each instruction set.
@frozen public struct OptimizerKernels: Sendable {
  /// (pointer to `OptimizerNumbers`, parameters, gradients, first and second state, count); a state that the kind has not is
  /// not touched.
  public typealias Step =
    @convention(c) (
      UnsafeRawPointer, UnsafeMutableRawPointer, UnsafeRawPointer, UnsafeMutableRawPointer?, UnsafeMutableRawPointer?,
      Int
    ) -> Void
  /// (x, count): the sum of squares.
  public typealias Squares = @convention(c) (UnsafeRawPointer, Int) -> Double

  /// One pass over all that belongs together.
  public var step: Step
  /// For norms.
  public var squares: Squares

  /// A set's kernels.
  @inlinable public init(step: Step, squares: Squares) {
    self.step = step
    self.squares = squares
  }
}
