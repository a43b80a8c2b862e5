import ApusEngine
import Foundation

/// The plain loop in float64 that every result is held against.
enum PoolReference {
  /// Window elements to spend on a check. Larger problems are checked at as many planes, spread evenly.
  static let budget = 50_000_000

  /// Compares what a run left with the loop. The bound of an element is eps times the number of its terms and a few more
  /// times the sum of their magnitudes; a maximum is exact.
  static func check(_ work: PoolCase) -> CheckResult {
    let problem = work.problem
    let descriptor = problem.descriptor
    let planes = descriptor.batch * descriptor.channels
    let isForward = problem.direction == .forward
    let perPlane = (isForward ? problem.counts.y : problem.counts.x) / planes
    let taps = max(1, Int(problem.flops / Double(planes)))
    let count = max(1, min(planes, budget / taps))
    var worst = 0.0
    for index in 0..<count {
      let plane = count == 1 ? 0 : Int((Double(index) * Double(planes - 1) / Double(count - 1)).rounded())
      let error = PlaneCheck(work, plane / descriptor.channels, plane % descriptor.channels).worst
      // NaN, where the reference has none, is an error of any size.
      if !(error <= worst) { worst = error }
      if worst.isNaN { break }
    }
    return CheckResult(worst: worst, checked: count * perPlane, total: planes * perPlane)
  }
}

/// One plane forward or backward.
private struct PlaneCheck {
  private let work: PoolCase
  private let n: Int
  private let c: Int

  init(_ work: PoolCase, _ n: Int, _ c: Int) {
    self.work = work
    self.n = n
    self.c = c
  }

  private var problem: PoolProblem { work.problem }

  /// Where a position of the plane lies in a tensor of that size.
  private func place(_ position: Int, _ size: Extents) -> Int {
    let d = problem.descriptor
    return d.layout == .channelsFirst
      ? (n * d.channels + c) * size.product + position : (n * size.product + position) * d.channels + c
  }

  /// Positions of window `o` along a dimension, and how many its divisor counts.
  private func taps(_ o: Int, _ i: Int) -> (positions: [Int], divisor: Int) {
    let d = problem.descriptor
    let input = d.window.input[i]
    if let output = d.adaptiveOutput?[i] {
      let positions = Array(o * input / output..<((o + 1) * input + output - 1) / output)
      return (positions, positions.count)
    }
    let start = o * d.window.stride[i] - d.window.padBefore[i]
    let all = (0..<d.window.window[i]).map { start + $0 * d.window.dilation[i] }
    let inside = all.filter { $0 >= 0 && $0 < input }
    let counted = d.kind == .averageIncludingPadding ? all.filter { $0 < input + d.window.padAfter[i] } : inside
    return (inside, counted.count)
  }

  /// The worst error over its bound.
  var worst: Double {
    let d = problem.descriptor
    let input = d.window.input
    let output = problem.output
    let type = problem.type
    let isForward = problem.direction == .forward
    let all = (0..<3).map { i in (0..<output[i]).map { taps($0, i) } }
    var worst = 0.0
    func compare(_ value: Double, _ expected: Double, _ bound: Double) {
      let error = abs(value - expected) / max(bound, .leastNormalMagnitude)
      if value != expected && !(error <= worst) { worst = error }
    }
    var gradient = [Double](repeating: 0, count: isForward ? 0 : input.product)
    var magnitude = gradient
    var terms = gradient
    for o in 0..<output.product {
      let (slice, w) = o.quotientAndRemainder(dividingBy: output.width)
      let (depth, h) = slice.quotientAndRemainder(dividingBy: output.height)
      let positions = all[0][depth].positions.flatMap { i in
        all[1][h].positions.flatMap { j in
          all[2][w].positions.map { (i * input.height + j) * input.width + $0 }
        }
      }
      let divisor = Double(all[0][depth].divisor * all[1][h].divisor * all[2][w].divisor)
      let values = positions.map { work.x.element(type, place($0, input)) }
      let result = value(values, divisor)
      if isForward {
        let size = values.reduce(0) { $0 + abs($1) }
        let bound =
          d.kind == .norm ? (Double(values.count + 4) / d.norm + 4) * result : Double(values.count + 2) * size / divisor
        compare(
          work.y.element(type, place(o, output)), result, d.kind == .maximum ? 0 : bound * type.epsilon)
        continue
      }
      guard let dy = work.dy?.element(type, place(o, output)) else { continue }
      for (i, position) in positions.enumerated() {
        let share: Double
        switch d.kind {
        case .maximum: share = values.firstIndex(of: result) == i ? dy : 0
        case .average, .averageIncludingPadding: share = dy / divisor
        case .norm:
          let x = values[i]
          share = x == 0 || result == 0 ? 0 : dy * (x < 0 ? -1 : 1) * pow(abs(x) / result, d.norm - 1)
        }
        gradient[position] += share
        magnitude[position] += abs(share)
        terms[position] += 1
      }
    }
    if let dx = work.dx {
      // A norm's y is rounded before it is used.
      let more = d.kind == .norm ? Double(input.product) + 16 + 4 * abs(d.norm - 1) : 4
      for position in gradient.indices {
        compare(
          dx.element(type, place(position, input)), gradient[position],
          magnitude[position] * type.epsilon * (terms[position] + more))
      }
    }
    return worst
  }

  private func value(_ values: [Double], _ divisor: Double) -> Double {
    switch problem.descriptor.kind {
    case .maximum: values.max() ?? 0
    case .average, .averageIncludingPadding: values.reduce(0, +) / divisor
    case .norm:
      pow(values.reduce(0) { $0 + pow(abs($1), problem.descriptor.norm) }, 1 / problem.descriptor.norm)
    }
  }
}
