/// max(x, 0)
public final class ReLU: Module {
  /// The layer.
  public init() {}
  /// ``Tensor/relu()``
  public func callAsFunction(_ x: Tensor) -> Tensor { reported(x.relu()) }
}

/// x, below 0 slope x.
public final class LeakyReLU: Module {
  /// The factor of negative numbers.
  public let slope: Double
  /// The layer.
  public init(slope: Double = 0.01) { self.slope = slope }
  /// ``Tensor/leakyReLU(slope:)``
  public func callAsFunction(_ x: Tensor) -> Tensor { reported(x.leakyReLU(slope: slope)) }
}

/// 1 / (1 + e^-x)
public final class Sigmoid: Module {
  /// The layer.
  public init() {}
  /// ``Tensor/sigmoid()``
  public func callAsFunction(_ x: Tensor) -> Tensor { reported(x.sigmoid()) }
}

/// The hyperbolic tangent.
public final class Tanh: Module {
  /// The layer.
  public init() {}
  /// ``Tensor/tanh()``
  public func callAsFunction(_ x: Tensor) -> Tensor { reported(x.tanh()) }
}

/// x times the normal distribution's function (D. Hendrycks, K. Gimpel, 2016).
public final class GELU: Module {
  /// The layer.
  public init() {}
  /// ``Tensor/gelu()``
  public func callAsFunction(_ x: Tensor) -> Tensor { reported(x.gelu()) }
}

/// x sigmoid(x)
public final class SiLU: Module {
  /// The layer.
  public init() {}
  /// ``Tensor/silu()``
  public func callAsFunction(_ x: Tensor) -> Tensor { reported(x.silu()) }
}

/// x, below 0 alpha (e^x - 1) (D. Clevert et al., 2016).
public final class ELU: Module {
  /// The factor of negative numbers.
  public let alpha: Double
  /// The layer.
  public init(alpha: Double = 1) { self.alpha = alpha }
  /// ``Tensor/elu(alpha:)``
  public func callAsFunction(_ x: Tensor) -> Tensor { reported(x.elu(alpha: alpha)) }
}

/// The self-normalising ELU (G. Klambauer et al., 2017).
public final class SELU: Module {
  /// The layer.
  public init() {}
  /// ``Tensor/selu()``
  public func callAsFunction(_ x: Tensor) -> Tensor { reported(x.selu()) }
}

/// x, below 0 alpha (e^(x / alpha) - 1) (J. Barron, 2017).
public final class CELU: Module {
  /// The scale of negative numbers.
  public let alpha: Double
  /// The layer.
  public init(alpha: Double = 1) { self.alpha = alpha }
  /// ``Tensor/celu(alpha:)``
  public func callAsFunction(_ x: Tensor) -> Tensor { reported(x.celu(alpha: alpha)) }
}

/// log(1 + e^(beta x)) / beta
public final class Softplus: Module {
  /// The steepness.
  public let beta: Double
  /// The layer.
  public init(beta: Double = 1) { self.beta = beta }
  /// ``Tensor/softplus(beta:)``
  public func callAsFunction(_ x: Tensor) -> Tensor { reported(x.softplus(beta: beta)) }
}

/// x / (1 + |x|)
public final class Softsign: Module {
  /// The layer.
  public init() {}
  /// ``Tensor/softsign()``
  public func callAsFunction(_ x: Tensor) -> Tensor { reported(x.softsign()) }
}

/// x / 6 + 1/2 within 0...1 (A. Howard et al., 2019).
public final class HardSigmoid: Module {
  /// The layer.
  public init() {}
  /// ``Tensor/hardSigmoid()``
  public func callAsFunction(_ x: Tensor) -> Tensor { reported(x.hardSigmoid()) }
}

/// x hardSigmoid(x) (A. Howard et al., 2019).
public final class HardSwish: Module {
  /// The layer.
  public init() {}
  /// ``Tensor/hardSwish()``
  public func callAsFunction(_ x: Tensor) -> Tensor { reported(x.hardSwish()) }
}

/// x within -1...1.
public final class HardTanh: Module {
  /// The layer.
  public init() {}
  /// ``Tensor/clamped(to:)``
  public func callAsFunction(_ x: Tensor) -> Tensor { reported(x.clamped(to: -1...1)) }
}

/// x tanh(softplus(x)) (D. Misra, 2019).
public final class Mish: Module {
  /// The layer.
  public init() {}
  /// ``Tensor/mish()``
  public func callAsFunction(_ x: Tensor) -> Tensor { reported(x.mish()) }
}

/// x, below 0 slope x with a slope that is learned, one for all channels or one for each (K. He et al., 2015).
public final class PReLU: Module {
  /// The slopes: 1 number, or one for each channel of x, which is dimension 1.
  public let weight: Parameter
  /// A layer whose slopes begin with a number.
  public init(channels: Int = 1, slope: Double = 0.25, dtype: DataType = .float32) {
    require(channels > 0, "PReLU takes a number of channels above 0, not \(channels)")
    weight = Parameter(Tensor(repeating: slope, shape: [channels], dtype: dtype))
  }
  /// ``Apus/prelu(_:slopes:)``
  public func callAsFunction(_ x: Tensor) -> Tensor { reported(prelu(x, slopes: weight.value)) }
}

/// Any function as a layer.
///
///     Lambda { $0.elu() }
public final class Lambda: Module {
  private let function: (Tensor) -> Tensor
  /// A layer of a function.
  public init(_ function: @escaping (Tensor) -> Tensor) { self.function = function }
  /// The function.
  public func callAsFunction(_ x: Tensor) -> Tensor { reported(function(x)) }
}

/// e^x over the sum of e^x along an axis.
public final class Softmax: Module {
  /// The axis; -1 is the last.
  public let axis: Int
  /// The layer.
  public init(along axis: Int = -1) { self.axis = axis }
  /// ``Tensor/softmax(along:)``
  public func callAsFunction(_ x: Tensor) -> Tensor { reported(x.softmax(along: axis)) }
}

/// The dimensions from `axis` on as one.
public final class Flatten: Module {
  /// The first that is joined; those before, the batch, stay.
  public let axis: Int
  /// The layer.
  public init(from axis: Int = 1) { self.axis = axis }
  /// ``Tensor/flattened(from:)``
  public func callAsFunction(_ x: Tensor) -> Tensor { reported(x.flattened(from: axis)) }
}

/// Zeros elements with a probability in training and divides the others by the probability to stay; nothing in evaluation
/// (N. Srivastava et al., 2014).
public final class Dropout: ModeDependent {
  /// That an element becomes 0.
  public let probability: Double
  /// Whether anything is dropped.
  public var isTraining = true
  /// The layer.
  public init(_ probability: Double = 0.5) {
    require(probability >= 0 && probability <= 1, "Dropout takes a probability, not \(probability)")
    self.probability = probability
  }
  /// ``Tensor/droppingOut(_:generator:)``
  public func callAsFunction(_ x: Tensor) -> Tensor {
    reported(isTraining && probability > 0 ? x.droppingOut(probability) : x)
  }
}
