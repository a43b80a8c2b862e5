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
