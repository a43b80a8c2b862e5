import ApusEngine
import ApusKernelInterface

/// What a trial should give: for each element, row by row and matrix by matrix, an unevaluated sum of two doubles and the
/// error that is allowed. NaN and infinity come out as they do in a plain loop.
struct GemmExpectation {
  private(set) var high: [Double] = []
  private(set) var low: [Double] = []
  private(set) var bound: [Double] = []

  init(_ trial: GemmTrial) {
    let d = trial.descriptor
    let type = d.dataType
    let alpha = type.rounded(trial.alpha)
    let beta = type.rounded(trial.beta)
    let slope = type.rounded(d.slope)
    let multiplies = d.k > 0 && alpha != 0
    let count = d.m * d.n * d.batch
    high.reserveCapacity(count)
    low.reserveCapacity(count)
    bound.reserveCapacity(count)
    for matrix in 0..<d.batch {
      let a = multiplies ? Self.lines(d.m, d.k) { type.load(trial.a.memory.base, trial.indexA(matrix, $0, $1)) } : []
      let b = multiplies ? Self.lines(d.n, d.k) { type.load(trial.b.memory.base, trial.indexB(matrix, $1, $0)) } : []
      let residual = trial.residualIsC ? trial.c : trial.residual
      for i in 0..<d.m {
        for j in 0..<d.n {
          var sum = WideSum()
          var norm = 0.0
          var terms = 0.0
          if multiplies {
            let dot =
              type == .float32 ? Self.dot(a, i * d.k, b, j * d.k, d.k) : Self.wideDot(a, i * d.k, b, j * d.k, d.k)
            norm = dot.squares.squareRoot()
            sum.add(alpha, dot.high)
            if dot.low != 0 { sum.add(alpha, dot.low) }
            terms += abs(alpha * dot.high)
          }
          func add(_ factor: Double, _ x: Double) {
            sum.add(factor, x)
            terms += abs(factor * x)
          }
          if beta != 0 { add(beta, type.load(trial.c.memory.base, trial.indexC(trial.c, matrix, i, j))) }
          if let bias = trial.bias { add(1, type.load(bias.base, d.bias == .byRow ? i : j)) }
          if let residual, d.hasResidual {
            add(1, type.load(residual.memory.base, trial.indexC(residual, matrix, i, j)))
          }
          let x = sum.parts
          let linear = ErrorBound.linear(k: d.k, alpha: multiplies ? alpha : 0, norm: norm, terms: terms, type)
          let y = d.activation == .identity ? x.high : ErrorBound.apply(d.activation, x.high, slope: slope)
          high.append(y)
          low.append(d.activation == .identity ? x.low : 0)
          bound.append(ErrorBound.activated(linear, y, d.activation, slope: slope, type))
        }
      }
    }
  }

  /// `count` stretches of `length` numbers.
  private static func lines(_ count: Int, _ length: Int, _ element: (Int, Int) -> Double) -> [Double] {
    var result: [Double] = []
    result.reserveCapacity(count * length)
    for i in 0..<count {
      for s in 0..<length { result.append(element(i, s)) }
    }
    return result
  }

  private typealias Dot = (high: Double, low: Double, squares: Double)

  /// Of float32 numbers: products are exact in a double, and a sum of them is 2^29 times as exact as what is tested.
  private static func dot(_ a: [Double], _ i: Int, _ b: [Double], _ j: Int, _ k: Int) -> Dot {
    var sum = 0.0
    var squares = 0.0
    for s in 0..<k {
      let product = a[i + s] * b[j + s]
      sum += product
      squares += product * product
    }
    return (sum, 0, squares)
  }

  private static func wideDot(_ a: [Double], _ i: Int, _ b: [Double], _ j: Int, _ k: Int) -> Dot {
    var sum = WideSum()
    var squares = 0.0
    for s in 0..<k {
      let product = a[i + s] * b[j + s]
      sum.add(a[i + s], b[j + s])
      squares += product * product
    }
    return (sum.parts.high, sum.parts.low, squares)
  }

  /// nil where `value` is right for element `index`, else what it should be.
  func objection(_ index: Int, _ value: Double) -> String? {
    let expected = high[index]
    if expected.isNaN { return value.isNaN ? nil : "\(value) instead of NaN" }
    if expected.isInfinite { return value == expected ? nil : "\(value) instead of \(expected)" }
    let error = abs((value - expected) - low[index])
    return error <= bound[index] ? nil : "\(value) instead of \(expected), off by \(error), allowed \(bound[index])"
  }
}
