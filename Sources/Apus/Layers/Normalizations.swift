/// Normalises each channel by its mean and variance over the batch, in evaluation by their running means
/// (S. Ioffe, C. Szegedy, 2015): y = gamma (x - mean) / sqrt(variance + epsilon) + beta. x is N x C, or N x C x spatial sizes.
public final class BatchNorm: ModeDependent {
  /// gamma.
  public let weight: Parameter
  /// beta.
  public let bias: Parameter
  /// The running mean.
  public let runningMean: Buffer
  /// The running variance, unbiased.
  public let runningVariance: Buffer
  /// Share of a batch in the running statistics.
  public let momentum: Double
  /// Added to the variance.
  public let epsilon: Double
  /// Whether the statistics are the batch's.
  public var isTraining = true

  /// A layer with gamma 1 and beta 0.
  public init(_ channels: Int, momentum: Double = 0.1, epsilon: Double = 1e-5, dtype: DataType = .float32) {
    weight = Parameter(.ones([channels], dtype: dtype))
    bias = Parameter(.zeros([channels], dtype: dtype))
    runningMean = Buffer(.zeros([channels], dtype: dtype))
    runningVariance = Buffer(.ones([channels], dtype: dtype))
    self.momentum = momentum
    self.epsilon = epsilon
  }

  /// ``batchNormalization(_:gamma:beta:running:isTraining:momentum:epsilon:)``
  public func callAsFunction(_ x: Tensor) -> Tensor {
    reported(
      batchNormalization(
        x, gamma: weight.value, beta: bias.value, running: (runningMean, runningVariance), isTraining: isTraining,
        momentum: momentum, epsilon: epsilon))
  }
}

/// Normalises the last dimensions of each sample by their mean and variance (J. Ba et al., 2016):
/// y = gamma (x - mean) / sqrt(variance + epsilon) + beta.
public final class LayerNorm: Module {
  /// gamma.
  public let weight: Parameter
  /// beta.
  public let bias: Parameter
  /// Added to the variance.
  public let epsilon: Double

  /// A layer of rows of a shape, with gamma 1 and beta 0.
  public init(_ shape: Int..., epsilon: Double = 1e-5, dtype: DataType = .float32) {
    weight = Parameter(.ones(shape, dtype: dtype))
    bias = Parameter(.zeros(shape, dtype: dtype))
    self.epsilon = epsilon
  }

  /// ``layerNormalization(_:gamma:beta:axes:epsilon:)``
  public func callAsFunction(_ x: Tensor) -> Tensor {
    reported(
      layerNormalization(x, gamma: weight.value, beta: bias.value, axes: weight.shape.count, epsilon: epsilon))
  }
}

/// Normalises groups of channels of each sample by their mean and variance (Y. Wu, K. He, 2018). x is N x C x spatial sizes.
public final class GroupNorm: Module {
  /// gamma.
  public let weight: Parameter
  /// beta.
  public let bias: Parameter
  /// Divides the channels.
  public let groups: Int
  /// Added to the variance.
  public let epsilon: Double

  /// A layer with gamma 1 and beta 0.
  public init(groups: Int, channels: Int, epsilon: Double = 1e-5, dtype: DataType = .float32) {
    weight = Parameter(.ones([channels], dtype: dtype))
    bias = Parameter(.zeros([channels], dtype: dtype))
    self.groups = groups
    self.epsilon = epsilon
  }

  /// ``groupNormalization(_:groups:gamma:beta:epsilon:)``
  public func callAsFunction(_ x: Tensor) -> Tensor {
    reported(groupNormalization(x, groups: groups, gamma: weight.value, beta: bias.value, epsilon: epsilon))
  }
}

/// Rows of a table by their numbers, int32 or int64.
public final class Embedding: Module {
  /// rows x width.
  public let weight: Parameter
  /// A row that gets no gradient.
  public let paddingIndex: Int?

  /// A layer with normal numbers; the padding row is zero.
  public init(_ rows: Int, _ width: Int, paddingIndex: Int? = nil, dtype: DataType = .float32) {
    var table = Tensor.normal([rows, width], dtype: dtype)
    if let paddingIndex { table[paddingIndex] = .zeros([width], dtype: dtype) }
    weight = Parameter(table)
    self.paddingIndex = paddingIndex
  }

  /// ``embedding(_:_:paddingIndex:)``
  public func callAsFunction(_ x: Tensor) -> Tensor { reported(embedding(weight.value, x, paddingIndex: paddingIndex)) }
}
