import ApusKernelInterface
import Foundation

/// The plain loop in float64 that every result is held against.
enum GemmReference {
  /// Products to spend on a check: a fraction of a second. Larger problems are checked at as many elements, spread evenly.
  static let budget = 200_000_000

  /// Compares C as it is with the loop, for one run from `GemmOperands.fillC`.
  ///
  /// The bound of an element is 8 eps times the sum of the absolute values of its terms. Rounding errors of a chain of
  /// K terms of random sign grow to about 0.3 eps times that sum; a term that is missing shows up to K = 10^6.
  static func check(_ operands: GemmOperands) -> CheckResult {
    let problem = operands.problem
    let total = problem.m * problem.n * problem.batch
    let count = max(1, min(total, budget / problem.k))
    var worst = 0.0
    for index in 0..<count {
      // From the first element to the last one; the numbers fit, as 2^50 bytes are the most.
      let place = count == 1 ? 0 : Int((Double(index) * Double(total - 1) / Double(count - 1)).rounded())
      let error = relativeError(operands, place)
      // NaN, where the reference has none, is an error of any size.
      if !(error <= worst) { worst = error }
      if worst.isNaN { break }
    }
    return CheckResult(worst: worst, checked: count, total: total)
  }

  /// Error over bound at element `place` of C, counted by matrix, row and column.
  private static func relativeError(_ operands: GemmOperands, _ place: Int) -> Double {
    let problem = operands.problem
    let matrix = place / (problem.m * problem.n)
    let row = place / problem.n % problem.m
    let column = place % problem.n
    // Distances along k.
    let alongA = problem.transposeA != problem.isColumnMajor
    let alongB = problem.transposeB != problem.isColumnMajor
    var i = matrix * operands.strideA + (alongA ? row : row * operands.lda)
    var j = matrix * operands.strideB + (alongB ? column * operands.ldb : column)
    let stepA = alongA ? operands.lda : 1
    let stepB = alongB ? 1 : operands.ldb
    var sum = 0.0
    var magnitude = 0.0
    for _ in 0..<problem.k {
      let product = operands.a.element(problem.type, i) * operands.b.element(problem.type, j)
      sum += product
      magnitude += abs(product)
      i += stepA
      j += stepB
    }
    let c =
      matrix * operands.strideC
      + (problem.isColumnMajor ? column * operands.ldc + row : row * operands.ldc + column)
    if problem.beta != 0 {
      let old = problem.beta * Buffer.value(c, 3)
      sum += old
      magnitude += abs(old)
    }
    if let bias = operands.bias {
      sum += bias.element(problem.type, column)
      magnitude += abs(bias.element(problem.type, column))
    }
    let expected = activated(sum, problem.activation, slope: operands.slope)
    // No activation here is steeper than 1; its own rounding is relative to its value.
    let bound = 8 * problem.type.epsilon * (magnitude + abs(expected))
    return abs(operands.c.element(problem.type, c) - expected) / bound
  }

  static func activated(_ x: Double, _ activation: Activation, slope: Double) -> Double {
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
