import ApusEngine
import ApusKernelInterface
import Foundation

/// What an element of a result should be, by plain float64 loops over the operands: array 0 is x (softmax backward: y), 1 is
/// dy, targets or gradients, 3 and 4 gamma and beta.
struct LayerReference {
  private let problem: LayerProblem
  private let element: (Int, Int) -> Double
  /// Elements of the result.
  let total: Int
  private let n: Int
  private let c: Int
  private let p: Int

  init(_ problem: LayerProblem, count: Int, element: @escaping (Int, Int) -> Double) {
    self.problem = problem
    self.element = element
    (n, c, p) = (problem.size("n"), problem.size("c"), problem.size("p"))
    switch problem.grammar {
    case "loss": total = problem.isBackward ? count : 1
    case "embedding": total = problem.isBackward ? problem.size("r") * problem.size("w") : count
    default: total = count
    }
  }

  private var eps: Double { problem.type.epsilon }

  /// Value and bound; nil where it would take a plain loop too long.
  func value(_ i: Int) -> (Double, Double)? {
    switch problem.grammar {
    case "elementwise": return elementwise(i)
    case "softmax": return softmax(i)
    case "norm": return norm(i)
    case "loss": return loss(i)
    case "optimizer": return update(i)
    default: return embedding(i)
    }
  }

  private func elementwise(_ i: Int) -> (Double, Double)? {
    let x = element(0, i)
    if problem.operation == "add" { return (x + element(1, i), eps * 2) }
    guard let f = ElementFunction.allCases.first(where: { $0.description == problem.operation }) else { return nil }
    let (alpha, beta) = f.defaults
    if !problem.isBackward {
      let y = Self.function(f, x, alpha, beta)
      return (y, eps * (6 * abs(y) + 2 * abs(x)))
    }
    // Differences say nothing at a corner, nor where log and 1 / x are steep.
    if abs(x) < 1e-2 || abs(abs(x) - 1) < 1e-3 { return nil }
    let h = 1e-6 * max(1e-3, abs(x))
    let slope = (Self.function(f, x + h, alpha, beta) - Self.function(f, x - h, alpha, beta)) / (2 * h)
    if slope.isNaN { return nil }
    let g = element(1, i) * slope
    return (g, 1e-6 * (1 + abs(slope)) + 60 * eps * (1 + abs(g)))
  }

  private func softmax(_ i: Int) -> (Double, Double)? {
    let row = i / c * c
    let isLogarithm = problem.operation == "logsoftmax"
    if !problem.isBackward {
      var sum = 0.0
      for k in 0..<c { sum += exp(element(0, row + k) - element(0, row)) }
      let e = exp(element(0, i) - element(0, row))
      let y = isLogarithm ? log(e / sum) : e / sum
      return (y, eps * (Double(c) / 16 + 20) * max(abs(y), isLogarithm ? 1 : 0))
    }
    var sum = 0.0
    for k in 0..<c { sum += element(1, row + k) * (isLogarithm ? 1 : element(0, row + k)) }
    let y = element(0, i)
    let value = isLogarithm ? element(1, i) - exp(y) * sum : y * (element(1, i) - sum)
    return (value, eps * (Double(c) / 4 + 40) * (isLogarithm ? 2 : y))
  }

  /// Places that share statistics with element i.
  private func norm(_ i: Int) -> (Double, Double)? {
    let isRow = problem.operation == "layer" || problem.operation == "rms"
    // A plain sum over a large batch for each sample would take minutes.
    let members = isRow ? c : problem.operation == "batch" ? n * p : problem.operation == "group" ? c / 8 * p : p
    if members > 1 << 14 && i % 97 != 0 { return nil }
    let last = problem.isChannelsLast
    let sample = i / (c * p)
    let inSample = i % (c * p)
    let channel = isRow ? i % c : last ? inSample % c : inSample / p
    func place(_ n: Int, _ k: Int, _ q: Int) -> Int { n * c * p + (last ? q * c + k : k * p + q) }
    var places: [Int] = []
    switch problem.operation {
    case "layer", "rms": places = (0..<c).map { sample * c + $0 }
    case "batch": for m in 0..<n { for q in 0..<p { places.append(place(m, channel, q)) } }
    case "instance": for q in 0..<p { places.append(place(sample, channel, q)) }
    default:
      let group = channel / (c / 8)
      for k in group * (c / 8)..<(group + 1) * (c / 8) { for q in 0..<p { places.append(place(sample, k, q)) } }
    }
    let count = Double(places.count)
    let mean = problem.operation == "rms" ? 0 : places.reduce(0) { $0 + element(0, $1) } / count
    let variance = places.reduce(0) { $0 + (element(0, $1) - mean) * (element(0, $1) - mean) } / count
    let scale = 1 / (variance + 1e-5).squareRoot()
    let h = (element(0, i) - mean) * scale
    if !problem.isBackward {
      return (h * element(3, channel) + element(4, channel), eps * 100 * (1 + abs(h)) * max(1, scale))
    }
    var (sum, products) = (0.0, 0.0)
    for q in places {
      let k = isRow ? q % c : last ? q % c : q / p % c
      let g = element(1, q) * element(3, k)
      sum += g
      products += g * (element(0, q) - mean) * scale
    }
    let a = problem.operation == "rms" ? 0 : sum / count
    return (
      scale * (element(1, i) * element(3, channel) - a - h * products / count),
      eps * 400 * scale * (1 + abs(h)) * max(1, scale)
    )
  }

  private func loss(_ i: Int) -> (Double, Double)? {
    if problem.operation == "ce" {
      func rowLoss(_ row: Int) -> (label: Int, logarithm: Double) {
        var sum = 0.0
        for k in 0..<c { sum += exp(element(0, row * c + k)) }
        return (row * 7919 % c, log(sum))
      }
      if !problem.isBackward {
        var total = 0.0
        for row in 0..<n {
          let (label, logarithm) = rowLoss(row)
          total += logarithm - element(0, row * c + label)
        }
        return (total / Double(n), eps * 60 * (1 + total / Double(n)))
      }
      let (label, logarithm) = rowLoss(i / c)
      let share = exp(element(0, i) - logarithm) - (label == i % c ? 1 : 0)
      return (share / Double(n), eps * (Double(c) / 16 + 30) * max(abs(share), 1e-3) / Double(n))
    }
    func value(_ x: Double, _ t: Double) -> Double {
      let d = abs(x - t)
      switch problem.operation {
      case "bce": return max(x, 0) - x * t + log1p(exp(-abs(x)))
      case "mse": return d * d
      case "mae": return d
      case "huber": return d < 1 ? d * d / 2 : d - 0.5
      default: return max(0, 1 - x * t)
      }
    }
    let count = n * c
    if !problem.isBackward {
      var sum = 0.0
      for k in 0..<count { sum += value(element(0, k), element(1, k)) }
      return (sum / Double(count), eps * 100 * (1 + abs(sum) / Double(count)))
    }
    let (x, t) = (element(0, i), element(1, i))
    if problem.operation == "mae" && abs(x - t) < 1e-4 { return nil }
    let slope = (value(x + 1e-6, t) - value(x - 1e-6, t)) / 2e-6
    return (slope / Double(count), (1e-8 + eps * 60) / Double(count))
  }

  /// The first step from zeros.
  private func update(_ i: Int) -> (Double, Double)? {
    let g = element(1, i)
    switch problem.operation {
    case "sgd", "momentum": return (-1e-3 * g, eps * 1e-3)
    case "adagrad": return (-1e-3 * g / (abs(g) + 1e-10), eps * 0.02)
    case "rmsprop": return (-1e-3 * g / (0.1 * abs(g) + 1e-8), eps * 0.2)
    // A norm's factor cancels but for epsilon.
    case "clipadam": return abs(g) < 0.01 ? nil : (-1e-3 * (g < 0 ? -1 : 1), 2e-5)
    default: return (-1e-3 * g / (abs(g) + 1e-8), eps * 0.05)
    }
  }

  private func embedding(_ i: Int) -> (Double, Double)? {
    let width = problem.size("w")
    let rows = problem.size("r")
    if !problem.isBackward { return (element(0, i / width * 7919 % rows * width + i % width), 0) }
    var sum = 0.0
    var magnitude = 0.0
    for k in 0..<problem.size("n") where k * 7919 % rows == i / width {
      sum += element(1, k * width + i % width)
      magnitude += abs(element(1, k * width + i % width))
    }
    return (sum, eps * 40 * magnitude)
  }

  private static func function(_ f: ElementFunction, _ x: Double, _ alpha: Double, _ beta: Double) -> Double {
    func softplus(_ x: Double) -> Double { max(x, 0) + log1p(Foundation.exp(-abs(x))) }
    func logistic(_ x: Double) -> Double { 1 / (1 + Foundation.exp(-x)) }
    switch f {
    case .identity: return x
    case .relu: return max(0, x)
    case .leakyReLU: return x < 0 ? alpha * x : x
    case .elu: return x < 0 ? alpha * expm1(x) : x
    case .sigmoid: return logistic(x)
    case .tanh: return Foundation.tanh(x)
    case .selu: return 1.0507009873554805 * (x < 0 ? 1.6732632423543772 * expm1(x) : x)
    case .celu: return x < 0 ? alpha * expm1(x / alpha) : x
    case .softplus: return softplus(alpha * x) / alpha
    case .softsign: return x / (1 + abs(x))
    case .hardSigmoid: return min(1, max(0, x / 6 + 0.5))
    case .hardTanh, .clamp: return min(beta, max(alpha, x))
    case .hardSwish: return x * min(1, max(0, x / 6 + 0.5))
    case .silu: return x * logistic(x)
    case .gelu: return x * 0.5 * erfc(-x * 0.5.squareRoot())
    case .geluTanh: return x * logistic(2 * (2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x))
    case .mish: return x * Foundation.tanh(softplus(x))
    case .exp: return Foundation.exp(x)
    case .log: return Foundation.log(x)
    case .squareRoot: return x.squareRoot()
    case .absolute: return abs(x)
    case .negate: return -x
    case .square: return x * x
    case .reciprocal: return 1 / x
    case .sign: return x < 0 ? -1 : x > 0 ? 1 : x
    case .expMinusOne: return expm1(x)
    case .erf: return Foundation.erf(x)
    case .affine: return alpha * x + beta
    }
  }
}
