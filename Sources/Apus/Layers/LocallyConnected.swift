/// A convolution whose weights are not shared: every position of the output has a kernel of its own.
///
/// y[n][k][p] = sum over c and taps of w[p][c, tap][k] x[n][c][p stride - padding + tap] + b[k][p], for x of
/// N x C x H x W. It has as many times a convolution's weights as its output has positions.
public final class LocallyConnected2D: Module {
  /// positions x (inputChannels kernelHeight kernelWidth) x outputChannels.
  public let weight: Parameter
  /// outputChannels x outputHeight x outputWidth; nil where there is none.
  public let bias: Parameter?
  /// Height and width of x.
  public let inputSize: [Int]
  /// Height and width of y.
  public let outputSize: [Int]
  /// Height and width of the kernels.
  public let kernelSize: [Int]
  /// Along height and width.
  public let stride: [Int]
  /// Zeros on both sides of height and width.
  public let padding: [Int]

  /// A layer with random weights, for images of one size.
  public init(
    inputChannels: Int, outputChannels: Int, inputSize: (height: Int, width: Int),
    kernelSize: (height: Int, width: Int), stride: (height: Int, width: Int) = (1, 1),
    padding: (height: Int, width: Int) = (0, 0), hasBias: Bool = true, initialization: Initialization = .standard,
    dtype: DataType = .float32
  ) {
    self.inputSize = [inputSize.height, inputSize.width]
    self.kernelSize = [kernelSize.height, kernelSize.width]
    self.stride = [stride.height, stride.width]
    self.padding = [padding.height, padding.width]
    var output: [Int] = []
    for i in 0..<2 {
      let room = self.inputSize[i] + 2 * self.padding[i] - self.kernelSize[i]
      require(
        inputChannels > 0 && outputChannels > 0 && self.kernelSize[i] > 0 && self.stride[i] > 0 && self.padding[i] >= 0
          && room >= 0,
        "LocallyConnected2D: a kernel of \(self.kernelSize) by \(self.stride) does not fit images of \(self.inputSize) with padding \(self.padding)"
      )
      output.append(room / self.stride[i] + 1)
    }
    outputSize = output
    let taps = inputChannels * kernelSize.height * kernelSize.width
    let shape = [output[0] * output[1], taps, outputChannels]
    weight = Parameter(initialization.makeTensor(shape, fanIn: taps, fanOut: outputChannels, dtype: dtype))
    bias =
      hasBias
      ? Parameter(
        Initialization.standard.makeTensor(
          [outputChannels] + output, fanIn: taps, fanOut: outputChannels, dtype: dtype)) : nil
  }

  /// y for a batch.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    require(
      x.rank == 4 && Array(x.shape[2...]) == inputSize
        && x.shape[1] * kernelSize[0] * kernelSize[1] == weight.shape[1],
      "LocallyConnected2D takes N x \(weight.shape[1] / kernelSize[0] / kernelSize[1]) x \(inputSize), but x has the shape \(x.shape)"
    )
    let padded = x.padded([(0, 0), (0, 0), (padding[0], padding[0]), (padding[1], padding[1])])
    // Positions x N x taps, times positions x taps x outputs.
    let patches = padded.windows(kernelSize, stride: stride).permuted([2, 3, 0, 1, 4, 5])
      .reshaped([weight.shape[0], x.shape[0], weight.shape[1]])
    let y = matmul(patches, weight.value).permuted([1, 2, 0])
      .reshaped([x.shape[0], weight.shape[2]] + outputSize)
    return reported(bias.map { y + $0.value } ?? y)
  }
}
