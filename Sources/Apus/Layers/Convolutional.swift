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

  /// y[k] = sum over c and taps of w[k][c][tap] x[c][position stride - padding + tap dilation] + bias[k].
  public final func callAsFunction(_ x: Tensor) -> Tensor {
    require(
      x.rank == weight.shape.count,
      "\(type(of: self)) takes \(weight.shape.count) dimensions, but x has the shape \(x.shape)")
    return reported(
      convolution(
        x, weight: weight.value, bias: bias?.value, stride: stride, padding: padding, dilation: dilation,
        groups: groups,
        isTransposed: isTransposed, outputPadding: outputPadding))
  }
}

/// A convolution of N x C x L; see ``convolution(_:weight:bias:stride:padding:dilation:groups:isTransposed:outputPadding:)``.
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

/// A convolution of N x C x H x W; see ``convolution(_:weight:bias:stride:padding:dilation:groups:isTransposed:outputPadding:)``.
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

/// A convolution of N x C x D x H x W; see ``convolution(_:weight:bias:stride:padding:dilation:groups:isTransposed:outputPadding:)``.
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
