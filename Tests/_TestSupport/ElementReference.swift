import ApusKernelInterface

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Activations and functions in float64, as their definitions read.
public enum ElementReference {
  /// f(x).
  public static func value(_ f: ElementFunction, _ x: Double, _ alpha: Double, _ beta: Double) -> Double {
    switch f {
    case .identity: x
    case .relu: x < 0 ? 0 : x
    case .leakyReLU: x < 0 ? alpha * x : x
    case .elu: x < 0 ? alpha * expm1(x) : x
    case .sigmoid: 1 / (1 + LibM.exp(-x))
    case .tanh: LibM.tanh(x)
    case .selu: 1.0507009873554805 * (x < 0 ? 1.6732632423543772 * expm1(x) : x)
    case .celu: x < 0 ? alpha * expm1(x / alpha) : x
    case .softplus: (max(alpha * x, 0) + log1p(LibM.exp(-abs(alpha * x)))) / alpha
    case .softsign: x.isInfinite ? (x < 0 ? -1 : 1) : x / (1 + abs(x))
    case .hardSigmoid: x.isNaN ? x : min(1, max(0, x / 6 + 0.5))
    case .hardTanh, .clamp: x.isNaN ? x : min(beta, max(alpha, x))
    case .hardSwish: x <= -3 ? 0 : x * min(1, x / 6 + 0.5)
    case .silu: x == -.infinity ? 0 : x / (1 + LibM.exp(-x))
    case .gelu: x == -.infinity ? 0 : x * 0.5 * erfc(-x * 0.5.squareRoot())
    case .geluTanh:
      x == -.infinity ? 0 : x / (1 + LibM.exp(-2 * (2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
    case .mish: x == -.infinity ? 0 : x * LibM.tanh(max(x, 0) + log1p(LibM.exp(-abs(x))))
    case .exp: LibM.exp(x)
    case .log: LibM.log(x)
    case .squareRoot: x.squareRoot()
    case .absolute: abs(x)
    case .negate: -x
    case .square: x * x
    case .reciprocal: 1 / x
    case .sign: x < 0 ? -1 : x > 0 ? 1 : x
    case .expMinusOne: expm1(x)
    case .erf: LibM.erf(x)
    case .affine: alpha * x + beta
    }
  }
}

/// libm's functions, which the cases' names would hide.
private enum LibM {
  static func exp(_ x: Double) -> Double { libmExp(x) }
  static func tanh(_ x: Double) -> Double { libmTanh(x) }
  static func log(_ x: Double) -> Double { libmLog(x) }
  static func erf(_ x: Double) -> Double { libmErf(x) }
}
private func libmExp(_ x: Double) -> Double { exp(x) }
private func libmTanh(_ x: Double) -> Double { tanh(x) }
private func libmLog(_ x: Double) -> Double { log(x) }
private func libmErf(_ x: Double) -> Double { erf(x) }
