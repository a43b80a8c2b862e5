/// A fully connected layer: y = x W^T + b.
///
/// The last dimension of x has `inputs` numbers and that of y `outputs`. ``weight`` is outputs x inputs, as PyTorch has it.
public final class Linear: Module {
  /// outputs x inputs.
  public let weight: Parameter
  /// outputs numbers; nil where there is none.
  public let bias: Parameter?

  /// A layer with random weights; a bias begins as PyTorch's does, uniform within 1 / sqrt(inputs).
  public init(
    _ inputs: Int, _ outputs: Int, hasBias: Bool = true, initialization: Initialization = .standard,
    dtype: DataType = .float32
  ) {
    require(inputs > 0 && outputs > 0, "Linear takes sizes above 0, not \(inputs) and \(outputs)")
    weight = Parameter(initialization.makeTensor([outputs, inputs], fanIn: inputs, fanOut: outputs, dtype: dtype))
    bias =
      hasBias
      ? Parameter(Initialization.standard.makeTensor([outputs], fanIn: inputs, fanOut: outputs, dtype: dtype)) : nil
  }

  /// x W^T + b.
  public func callAsFunction(_ x: Tensor) -> Tensor { callAsFunction(x, activation: .none) }

  /// The same with an activation at the end, in one pass over y.
  public func callAsFunction(_ x: Tensor, activation: Activation) -> Tensor {
    reported(linear(x, weight: weight.value, bias: bias?.value, activation: activation))
  }
}
