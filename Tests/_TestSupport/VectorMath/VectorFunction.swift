import ApusKernelInterface

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

// The wider type in which a float64 function's reference is computed: 11 more bits where there is one. Elsewhere libm
// itself, whose error of up to 1 ulp is then allowed for.
#if arch(x86_64) && os(Linux)
  /// The type of a float64 function's reference.
  public typealias Wide = Float80
#else
  /// The type of a float64 function's reference.
  public typealias Wide = Double
#endif

/// The functions of `VectorMathKernels` with their references.
public enum VectorFunction: String, CaseIterable, Sendable {
  /// As the kernels are called.
  case exp, expMinusOne, sigmoid, tanh, log, erf, softplus

  /// The kernel for float32.
  public func float32(_ kernels: VectorMathKernels) -> VectorMathKernels.Map {
    switch self {
    case .exp: kernels.exp32
    case .expMinusOne: kernels.expMinusOne32
    case .sigmoid: kernels.sigmoid32
    case .tanh: kernels.tanh32
    case .log: kernels.log32
    case .erf: kernels.erf32
    case .softplus: kernels.softplus32
    }
  }

  /// The kernel for float64.
  public func float64(_ kernels: VectorMathKernels) -> VectorMathKernels.Map {
    switch self {
    case .exp: kernels.exp64
    case .expMinusOne: kernels.expMinusOne64
    case .sigmoid: kernels.sigmoid64
    case .tanh: kernels.tanh64
    case .log: kernels.log64
    case .erf: kernels.erf64
    case .softplus: kernels.softplus64
    }
  }

  /// Glibc's error is below 1 ulp of float64 and 2^-29 ulp of float32; sigmoid's, with an addition and a division, 2.
  public func reference(_ x: Double) -> Double {
    switch self {
    case .exp: libmExp(x)
    case .expMinusOne: libmExpMinusOne(x)
    case .sigmoid: 1 / (1 + libmExp(-x))
    case .tanh: libmTanh(x)
    case .log: libmLog(x)
    case .erf: libmErf(x)
    case .softplus: Swift.max(x, 0) + libmLogOnePlus(libmExp(-Swift.abs(x)))
    }
  }

  /// The reference of the float64 functions.
  public func wideReference(_ x: Double) -> Wide {
    switch self {
    case .exp: libmExp(Wide(x))
    case .expMinusOne: libmExpMinusOne(Wide(x))
    case .sigmoid: 1 / (1 + libmExp(-Wide(x)))
    case .tanh: libmTanh(Wide(x))
    case .log: libmLog(Wide(x))
    case .erf: libmErf(Wide(x))
    case .softplus: Swift.max(Wide(x), 0) + libmLogOnePlus(libmExp(-Swift.abs(Wide(x))))
    }
  }

  /// Arguments around which something changes: bounds of the clamps, of the results' range, of tanh's cases, of n.
  public var thresholds: [Double] {
    var x: [Double] = [0, 0.34657, 0.5625, 0.5493061443, 1, 16.635532, 17.3287, 18, 36, 40, 44.3614]
    x += [64 * 0.6931471805599453, 32 * 0.6931471805599453]
    x += [87.33654475, 88.02969193, 88.37626, 88.72283905, 89, 103.2789, 103.9720770, 104, 104.5]
    // Of log: the ends of its reduction; of erf: its cases and where it is 1.
    x += [2.0 / 3.0, 4.0 / 3.0, 0.9277, 3.95, 5.95, 1.1754943508222875e-38, 2.2250738585072014e-308]
    // Ends of the pieces that AVX-512 has of tanh, of erf and, in part, of exp.
    x += [0.25, 0.5, 0.75, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 9, 9.5, 3.8749]
    x += stride(from: 0.125, to: 3.7, by: 0.25)
    x += [1.0, 3, 31, 33, 99, 1001].map { $0 * 0.6931471805599453 / 32 }
    x += [708.3964185, 709.4361393, 709.782712893384, 710, 744.4400719, 745.1332191, 746, 747]
    return x + x.map { -$0 }
  }
}

// Free functions, because the cases above hide libm's names inside the enumeration.
private func libmExp(_ x: Double) -> Double { exp(x) }
private func libmExpMinusOne(_ x: Double) -> Double { expm1(x) }
private func libmTanh(_ x: Double) -> Double { tanh(x) }
private func libmLog(_ x: Double) -> Double { log(x) }
private func libmErf(_ x: Double) -> Double { erf(x) }
private func libmLogOnePlus(_ x: Double) -> Double { log1p(x) }
#if arch(x86_64) && os(Linux)
  private func libmExp(_ x: Float80) -> Float80 { exp(x) }
  private func libmExpMinusOne(_ x: Float80) -> Float80 { expm1(x) }
  private func libmTanh(_ x: Float80) -> Float80 { tanh(x) }
  private func libmLog(_ x: Float80) -> Float80 { log(x) }
  private func libmErf(_ x: Float80) -> Float80 { erf(x) }
  private func libmLogOnePlus(_ x: Float80) -> Float80 { log1p(x) }
#endif
