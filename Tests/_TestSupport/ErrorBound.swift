import ApusEngine
import ApusKernelInterface

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// How far a result may lie from the exact one.
///
/// A sum of k products that is rounded at each step strays by about eps k rms(products), a random walk over partial sums
/// that grow as sqrt(k) rms: with |products| their Euclidean norm, sqrt(k) rms, that is eps sqrt(k) |products|. Tests
/// allow `multiple` of it, and a few roundings of each term that joins the sum at its end.
enum ErrorBound {
  static let multiple = 2.0
  static let roundings = 4.0

  /// Of `alpha * sum + the others`: `norm` is the Euclidean norm of the k products, `terms` the sum of all terms' magnitudes.
  static func linear(k: Int, alpha: Double, norm: Double, terms: Double, _ type: DataType) -> Double {
    let products = multiple * type.epsilon * Double(max(k, 1)).squareRoot() * norm
    return abs(alpha) * (products + Double(k) * type.leastMagnitude) + roundings * type.epsilon * terms
      + roundings * type.leastMagnitude
  }

  /// After an activation of a number that strays by `linear`: the slope of the function times that, and 2 ulp of its own
  /// with one for each operation around it. ELU subtracts 1 from an exponential, so what it rounds is near 1.
  static func activated(_ linear: Double, _ y: Double, _ activation: Activation, slope: Double, _ type: DataType) -> Double {
    let own = roundings * type.epsilon * abs(y)
    switch activation {
    case .identity: return linear
    case .relu: return linear
    case .leakyReLU: return max(1, abs(slope)) * linear + own
    case .elu: return max(1, abs(slope)) * (linear + roundings * type.epsilon) + own
    case .sigmoid: return linear / 4 + own + type.leastMagnitude
    case .tanh: return linear + own
    }
  }

  /// The activation itself.
  static func apply(_ activation: Activation, _ x: Double, slope: Double) -> Double {
    switch activation {
    case .identity: x
    case .relu: x < 0 ? 0 : x
    case .leakyReLU: x < 0 ? slope * x : x
    case .elu: x < 0 ? slope * expm1(x) : x
    case .sigmoid: 1 / (1 + exp(-x))
    case .tanh: tanh(x)
    }
  }
}
