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

/// Normalises each channel of each sample by its mean and variance (D. Ulyanov et al., 2016). x is N x C x spatial sizes.
public final class InstanceNorm: Module {
  /// gamma.
  public let weight: Parameter
  /// beta.
  public let bias: Parameter
  /// Added to the variance.
  public let epsilon: Double

  /// A layer with gamma 1 and beta 0.
  public init(_ channels: Int, epsilon: Double = 1e-5, dtype: DataType = .float32) {
    weight = Parameter(.ones([channels], dtype: dtype))
    bias = Parameter(.zeros([channels], dtype: dtype))
    self.epsilon = epsilon
  }

  /// ``groupNormalization(_:groups:gamma:beta:epsilon:)`` with as many groups as channels.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    reported(
      groupNormalization(x, groups: weight.shape[0], gamma: weight.value, beta: bias.value, epsilon: epsilon))
  }
}

/// Divides the last dimension by its root mean square (B. Zhang, R. Sennrich, 2019):
/// y = gamma x / sqrt(mean of x^2 + epsilon).
public final class RMSNorm: Module {
  /// gamma.
  public let weight: Parameter
  /// Added to the mean square.
  public let epsilon: Double

  /// A layer of rows of a width, with gamma 1.
  public init(_ width: Int, epsilon: Double = 1e-5, dtype: DataType = .float32) {
    weight = Parameter(.ones([width], dtype: dtype))
    self.epsilon = epsilon
  }

  /// ``rmsNormalization(_:gamma:epsilon:)``
  public func callAsFunction(_ x: Tensor) -> Tensor {
    reported(rmsNormalization(x, gamma: weight.value, epsilon: epsilon))
  }
}

/// Divides each element by what its neighbours in other channels have (A. Krizhevsky et al., 2012):
/// y = x (k + alpha / size sum of x^2 over `size` channels around)^-beta.
public final class LocalResponseNorm: Module {
  /// Channels of a window.
  public let size: Int
  /// See the formula.
  public let alpha: Double
  /// See the formula.
  public let beta: Double
  /// See the formula.
  public let k: Double

  /// The layer; PyTorch's numbers.
  public init(size: Int = 5, alpha: Double = 1e-4, beta: Double = 0.75, k: Double = 1) {
    self.size = size
    self.alpha = alpha
    self.beta = beta
    self.k = k
  }

  /// ``localResponseNormalization(_:size:alpha:beta:k:)``
  public func callAsFunction(_ x: Tensor) -> Tensor {
    reported(localResponseNormalization(x, size: size, alpha: alpha, beta: beta, k: k))
  }
}
