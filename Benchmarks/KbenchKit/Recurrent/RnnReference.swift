import ApusEngine
import Foundation

/// The plain loops in float64 that every result is held against.
enum RnnReference {
  /// Multiply-adds to spend on a check. Larger batches are checked at as many sequences, spread evenly.
  static let budget = 400_000_000.0

  /// Runs, and compares outputs, or gradients, with the loops. Sums of K terms may stray by 4 eps (sqrt(K) + 8) times the
  /// largest number of the tensor, at least 1, at each step and layer.
  static func check(_ operands: RnnOperands, run: () throws -> Void) throws -> CheckResult {
    let problem = operands.problem
    let d = problem.descriptor
    // A sequence is computed whole: the recurrence leaves no choice.
    let each = problem.flops / 2 / Double(d.batch)
    let count = max(1, min(d.batch, Int(budget / each)))
    let sequences = (0..<count).map { count == 1 ? 0 : $0 * (d.batch - 1) / (count - 1) }
    if problem.isBackward { operands.restrictGradient(to: count < d.batch ? sequences : nil) }
    defer { if problem.isBackward { operands.restrictGradient(to: nil) } }
    try run()
    return compare(operands, sequences)
  }

  /// Compares what a run left, whose dy was zero outside of these sequences.
  static func compare(_ operands: RnnOperands, _ sequences: [Int]) -> CheckResult {
    let problem = operands.problem
    let d = problem.descriptor
    let type = problem.type
    let parameters = (0..<problem.parameterCount).map { operands.parameters.element(type, $0) }
    var gradient = [Double](repeating: 0, count: problem.isBackward ? parameters.count : 0)
    var pairs: [(Double, Double)] = []
    for b in sequences {
      func rows(_ buffer: Buffer, _ width: Int) -> [[Double]] {
        (0..<d.steps).map { t in (0..<width).map { buffer.element(type, operands.row(t, b) * width + $0) } }
      }
      var sequence = PlainSequence(d, parameters, rows(operands.x, d.input))
      if let dx = operands.dx, let dy = operands.dy {
        let expected = sequence.backward(rows(dy, d.output), into: &gradient)
        pairs += zip(rows(dx, d.input).joined(), expected.joined()).map { ($0, $1) }
      } else {
        pairs += zip(rows(operands.y, d.output).joined(), sequence.outputs.joined()).map { ($0, $1) }
      }
    }
    let products = problem.isBackward ? d.cell.gates * d.hidden : 0
    func worst(_ pairs: [(Double, Double)], _ k: Int) -> Double {
      let largest = pairs.reduce(1) { max($0, abs($1.1)) }
      let steps = Double(d.steps + d.layers)
      let bound = 4 * type.epsilon * (Double(k).squareRoot() + 8) * steps * largest
      var worst = 0.0
      // NaN, where the reference has none, is an error of any size.
      for (found, expected) in pairs where found != expected && !(abs(found - expected) / bound <= worst) {
        worst = abs(found - expected) / bound
        if worst.isNaN { break }
      }
      return worst
    }
    var result = worst(pairs, max(d.input, d.output) + d.hidden + products)
    var (checked, total) = (pairs.count, problem.rows * (problem.isBackward ? d.input : d.output))
    if let dParameters = operands.dParameters, !result.isNaN {
      let own = worst(gradient.enumerated().map { (dParameters.element(type, $0.offset), $0.element) }, problem.rows)
      if !(own <= result) { result = own }
      checked += gradient.count
      total += gradient.count
    }
    return CheckResult(worst: result, checked: checked, total: total)
  }
}
