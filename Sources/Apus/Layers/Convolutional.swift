/// What the convolution layers of all dimensions share.
public class ConvolutionLayer: Module {
  /// outputChannels x inputChannels / groups x kernel sizes; transposed: inputChannels x outputChannels / groups x sizes.
  public final let weight: Parameter
  /// outputChannels numbers; nil where there is none.
  public final let bias: Parameter?
  /// Of each spatial dimension.
  public final let stride: [Int]
  /// Zeros on both sides of each spatial dimension.
  public final let padding: [Int]
  /// Distance between taps of each spatial dimension.
  public final let dilation: [Int]
  /// Channels fall into so many groups; as many as there are make a depthwise convolution.
  public final let groups: Int
  /// Of a transposed convolution, rows at the end of the output.
  public final let outputPadding: [Int]
  /// The transpose of a convolution.
  public final let isTransposed: Bool
  private let cache = PackedWeightCache()

  init(
    _ rank: Int, _ inputs: Int, _ outputs: Int, _ kernel: [Int], stride: [Int], padding: [Int], dilation: [Int],
    groups: Int, hasBias: Bool, isTransposed: Bool = false, outputPadding: [Int] = [0],
    _ initialization: Initialization,
    _ dtype: DataType
  ) {
    require(
      groups > 0 && inputs > 0 && outputs > 0 && inputs % groups == 0 && outputs % groups == 0,
      "a convolution's groups, \(groups), must divide its channels, \(inputs) and \(outputs)")
    require(
      (kernel.count == 1 || kernel.count == rank) && kernel.allSatisfy { $0 > 0 },
      "a convolution of \(rank) dimensions has no kernel of size \(kernel)")
    let sizes = kernel.count == 1 ? Array(repeating: kernel[0], count: rank) : kernel
    let taps = sizes.reduce(1, *)
    let shape = isTransposed ? [inputs, outputs / groups] + sizes : [outputs, inputs / groups] + sizes
    let fans = (shape[1] * taps, shape[0] / groups * taps)
    weight = Parameter(initialization.makeTensor(shape, fanIn: fans.0, fanOut: fans.1, dtype: dtype))
    bias =
      hasBias
      ? Parameter(Initialization.standard.makeTensor([outputs], fanIn: fans.0, fanOut: fans.1, dtype: dtype)) : nil
    self.stride = stride
    self.padding = padding
    self.dilation = dilation
    self.groups = groups
    self.isTransposed = isTransposed
    self.outputPadding = outputPadding
  }

  private init(_ other: ConvolutionLayer, weight: Tensor, bias: Tensor) {
    self.weight = Parameter(weight)
    self.bias = Parameter(bias)
    stride = other.stride
    padding = other.padding
    dilation = other.dilation
    groups = other.groups
    isTransposed = other.isTransposed
    outputPadding = other.outputPadding
  }

  /// This convolution with a batch normalisation behind it, in evaluation, as one: w gamma / sqrt(variance + epsilon) and
  /// beta + (bias - mean) gamma / sqrt(variance + epsilon) of the running statistics. A new layer; later changes of the two
  /// do not reach it. A transposed convolution stops the program: its output channels are not its weights' first dimension.
  public final func folding(_ norm: BatchNorm) -> ConvolutionLayer {
    require(!isTransposed, "folding takes a convolution that is not transposed")
    require(
      norm.weight.shape == [weight.shape[0]],
      "folding: the normalisation has \(norm.weight.shape[0]) channels, but the convolution gives \(weight.shape[0])")
    return withoutGradients {
      let factor = norm.weight.value / (norm.runningVariance.value + norm.epsilon).squareRoot()
      let mean = norm.runningMean.value
      let shift = bias.map { $0.value - mean } ?? -mean
      return ConvolutionLayer(
        self, weight: weight.value * factor.reshaped([-1] + Array(repeating: 1, count: weight.shape.count - 1)),
        bias: shift * factor + norm.bias.value)
    }
  }

  /// y[k] = sum over c and taps of w[k][c][tap] x[c][position stride - padding + tap dilation] + bias[k].
  public final func callAsFunction(_ x: Tensor) -> Tensor { callAsFunction(x, residual: nil, activation: .none) }

  /// The same with a tensor of y's shape added and an activation at the end, in one pass over y.
  public final func callAsFunction(_ x: Tensor, residual: Tensor? = nil, activation: Activation) -> Tensor {
    require(
      x.rank == weight.shape.count,
      "\(type(of: self)) takes \(weight.shape.count) dimensions, but x has the shape \(x.shape)")
    return reported(
      convolution(
        x, weight: weight.value, bias: bias?.value, stride: stride, padding: padding, dilation: dilation,
        groups: groups, isTransposed: isTransposed, outputPadding: outputPadding, residual: residual,
        activation: activation, cache: cache))
  }
}

/// A convolution of N x C x L; see
/// ``Apus/convolution(_:weight:bias:stride:padding:dilation:groups:isTransposed:outputPadding:residual:activation:)``.
public final class Conv1D: ConvolutionLayer {
  /// A layer with random weights. One number of a kernel's size, stride, padding or dilation is for all dimensions.
  public init(
    inputChannels: Int, outputChannels: Int, kernelSize: Int..., stride: [Int] = [1], padding: [Int] = [0],
    dilation: [Int] = [1], groups: Int = 1, hasBias: Bool = true, initialization: Initialization = .standard,
    dtype: DataType = .float32
  ) {
    super.init(
      1, inputChannels, outputChannels, kernelSize, stride: stride, padding: padding, dilation: dilation,
      groups: groups, hasBias: hasBias, initialization, dtype)
  }
}

/// The transpose of a convolution, of N x C x L; its output has
/// (size - 1) stride - 2 padding + dilation (kernel - 1) + outputPadding + 1 elements along each dimension.
public final class ConvTranspose1D: ConvolutionLayer {
  /// A layer with random weights. One number of a kernel's size, stride, padding or dilation is for all dimensions.
  public init(
    inputChannels: Int, outputChannels: Int, kernelSize: Int..., stride: [Int] = [1], padding: [Int] = [0],
    outputPadding: [Int] = [0], dilation: [Int] = [1], groups: Int = 1, hasBias: Bool = true,
    initialization: Initialization = .standard, dtype: DataType = .float32
  ) {
    super.init(
      1, inputChannels, outputChannels, kernelSize, stride: stride, padding: padding, dilation: dilation,
      groups: groups, hasBias: hasBias, isTransposed: true, outputPadding: outputPadding, initialization, dtype)
  }
}

/// A convolution of N x C x H x W; see
/// ``Apus/convolution(_:weight:bias:stride:padding:dilation:groups:isTransposed:outputPadding:residual:activation:)``.
public final class Conv2D: ConvolutionLayer {
  /// A layer with random weights. One number of a kernel's size, stride, padding or dilation is for all dimensions.
  public init(
    inputChannels: Int, outputChannels: Int, kernelSize: Int..., stride: [Int] = [1], padding: [Int] = [0],
    dilation: [Int] = [1], groups: Int = 1, hasBias: Bool = true, initialization: Initialization = .standard,
    dtype: DataType = .float32
  ) {
    super.init(
      2, inputChannels, outputChannels, kernelSize, stride: stride, padding: padding, dilation: dilation,
      groups: groups, hasBias: hasBias, initialization, dtype)
  }
}

/// The transpose of a convolution, of N x C x H x W; its output has
/// (size - 1) stride - 2 padding + dilation (kernel - 1) + outputPadding + 1 elements along each dimension.
public final class ConvTranspose2D: ConvolutionLayer {
  /// A layer with random weights. One number of a kernel's size, stride, padding or dilation is for all dimensions.
  public init(
    inputChannels: Int, outputChannels: Int, kernelSize: Int..., stride: [Int] = [1], padding: [Int] = [0],
    outputPadding: [Int] = [0], dilation: [Int] = [1], groups: Int = 1, hasBias: Bool = true,
    initialization: Initialization = .standard, dtype: DataType = .float32
  ) {
    super.init(
      2, inputChannels, outputChannels, kernelSize, stride: stride, padding: padding, dilation: dilation,
      groups: groups, hasBias: hasBias, isTransposed: true, outputPadding: outputPadding, initialization, dtype)
  }
}

/// A convolution of N x C x D x H x W; see
/// ``Apus/convolution(_:weight:bias:stride:padding:dilation:groups:isTransposed:outputPadding:residual:activation:)``.
public final class Conv3D: ConvolutionLayer {
  /// A layer with random weights. One number of a kernel's size, stride, padding or dilation is for all dimensions.
  public init(
    inputChannels: Int, outputChannels: Int, kernelSize: Int..., stride: [Int] = [1], padding: [Int] = [0],
    dilation: [Int] = [1], groups: Int = 1, hasBias: Bool = true, initialization: Initialization = .standard,
    dtype: DataType = .float32
  ) {
    super.init(
      3, inputChannels, outputChannels, kernelSize, stride: stride, padding: padding, dilation: dilation,
      groups: groups, hasBias: hasBias, initialization, dtype)
  }
}

/// The transpose of a convolution, of N x C x D x H x W; its output has
/// (size - 1) stride - 2 padding + dilation (kernel - 1) + outputPadding + 1 elements along each dimension.
public final class ConvTranspose3D: ConvolutionLayer {
  /// A layer with random weights. One number of a kernel's size, stride, padding or dilation is for all dimensions.
  public init(
    inputChannels: Int, outputChannels: Int, kernelSize: Int..., stride: [Int] = [1], padding: [Int] = [0],
    outputPadding: [Int] = [0], dilation: [Int] = [1], groups: Int = 1, hasBias: Bool = true,
    initialization: Initialization = .standard, dtype: DataType = .float32
  ) {
    super.init(
      3, inputChannels, outputChannels, kernelSize, stride: stride, padding: padding, dilation: dilation,
      groups: groups, hasBias: hasBias, isTransposed: true, outputPadding: outputPadding, initialization, dtype)
  }
}
