import ApusEngine

/// Results, or gradients, of a run: one number an element, in the order of memory.
public struct RecurrentValues: Equatable {
  /// Outputs; what forward leaves alone in the padding is kept. Not a gradient.
  public var y: [Double] = []
  /// h after the last step; not a gradient.
  public var hn: [Double] = []
  /// c after the last step; empty of a cell without. Not a gradient.
  public var cn: [Double] = []
  /// Gradient by x.
  public var dx: [Double] = []
  /// Gradient by h0.
  public var dh0: [Double] = []
  /// Gradient by c0; empty of a cell without.
  public var dc0: [Double] = []
  /// Gradient by the parameters.
  public var dParameters: [Double] = []

  /// Empty.
  public init() {}

  /// All of them, with names.
  var tensors: [(name: String, values: [Double], isGradient: Bool)] {
    [
      ("y", y, false), ("hn", hn, false), ("cn", cn, false), ("dx", dx, true), ("dh0", dh0, true), ("dc0", dc0, true),
      ("dparameters", dParameters, true),
    ]
  }
}

/// Recurrent layers with random data, and what should come out.
public final class RecurrentTrial {
  /// The problem.
  public let descriptor: RecurrentDescriptor
  /// In the framework's order.
  public var parameters: [Double]
  /// As it lies in memory.
  public var x: [Double]
  /// nil: zeros.
  public var h0: [Double]?
  /// nil: zeros.
  public var c0: [Double]?
  /// nil: all steps.
  public var lengths: [Int]?
  /// nil: zero.
  public var dy: [Double]?
  /// nil: zero.
  public var dhn: [Double]?
  /// nil: zero.
  public var dcn: [Double]?
  /// nil: all.
  public var dySteps: [Bool]?
  /// What results and gradients hold before a run.
  public var old: RecurrentValues

  /// Random data; everything is given, and all steps count.
  public init(_ d: RecurrentDescriptor, seed: UInt64) throws {
    descriptor = d
    var random = Randomness(seed: seed)
    func numbers(_ count: Int, _ scale: Double = 1) -> [Double] {
      (0..<count).map { _ in d.dataType.rounded(scale * random.real()) }
    }
    let recurrences = d.layers * d.directions * d.batch
    let rows = d.steps * d.batch
    let isLSTM = d.cell == .lstm
    let count = try d.parameterCount()
    // Sums of about 1, as trained layers have them.
    parameters = numbers(count, 1.2 / Double(max(d.hidden, d.state)).squareRoot())
    x = numbers(rows * d.input)
    h0 = numbers(recurrences * d.state)
    c0 = isLSTM ? numbers(recurrences * d.hidden) : nil
    dy = numbers(rows * d.output)
    dhn = numbers(recurrences * d.state)
    dcn = isLSTM ? numbers(recurrences * d.hidden) : nil
    old = RecurrentValues()
    old.y = numbers(rows * d.output)
    old.hn = numbers(recurrences * d.state)
    old.cn = isLSTM ? numbers(recurrences * d.hidden) : []
    old.dx = numbers(rows * d.input)
    old.dh0 = numbers(recurrences * d.state)
    old.dc0 = isLSTM ? numbers(recurrences * d.hidden) : []
    old.dParameters = numbers(count)
  }

  /// Takes some of what is optional away, and gives lengths.
  public func vary(_ random: inout Randomness) {
    if random.bool() { h0 = nil }
    if random.bool() { c0 = nil }
    if random.bool() { lengths = (0..<descriptor.batch).map { _ in random.int(0...descriptor.steps) } }
    if random.int(0...3) == 0 { dy = nil }
    if random.bool() { dhn = nil }
    if random.bool() { dcn = nil }
    if random.int(0...2) == 0 { dySteps = (0..<descriptor.steps).map { _ in random.bool() } }
  }

  /// Whether step `t` of sequence `b` is padding.
  public func isPadding(_ t: Int, _ b: Int) -> Bool { lengths.map { t >= $0[b] } ?? false }

  /// Calls `body` with each step and sequence, and its row.
  public func forEachRow(_ body: (_ t: Int, _ b: Int, _ row: Int) -> Void) {
    for t in 0..<descriptor.steps {
      for b in 0..<descriptor.batch { body(t, b, RecurrentReference.row(descriptor, t, b)) }
    }
  }

  /// Puts a number into the padding of x and dy, and where dy does not count.
  public func fillPadding(_ value: Double) {
    forEachRow { t, b, row in
      if isPadding(t, b) {
        for i in 0..<descriptor.input { x[row * descriptor.input + i] = value }
      }
      if isPadding(t, b) || dySteps?[t] == false {
        for i in 0..<descriptor.output { dy?[row * descriptor.output + i] = value }
      }
    }
  }

  /// Results and gradients by the reference; `accumulate` adds gradients to the old ones.
  public func expectation(accumulate: Bool = false) -> RecurrentValues {
    let d = descriptor
    let reference = RecurrentReference(
      d, parameters: parameters, x: x, h0: h0, c0: c0, lengths: lengths)
    let values = reference.tape.values
    var result = RecurrentValues()
    result.y = reference.y.enumerated().map { i, node in node.map { values[$0] } ?? old.y[i] }
    result.hn = reference.hn.map { values[$0] }
    if d.cell == .lstm { result.cn = reference.cn.map { values[$0] } }
    var seeds: [(node: Int, weight: Double)] = []
    if let dy {
      forEachRow { t, b, row in
        if isPadding(t, b) || dySteps?[t] == false { return }
        for i in row * d.output..<(row + 1) * d.output { seeds.append((reference.y[i]!, dy[i])) }
      }
    }
    if let dhn { seeds += zip(reference.hn, dhn).map { ($0, $1) } }
    if let dcn { seeds += zip(reference.cn, dcn).map { ($0, $1) } }
    let gradients = reference.tape.gradients(seeds)
    func slice(_ first: Int, _ old: [Double]) -> [Double] {
      zip(gradients[first..<first + old.count], old).map { accumulate ? $0 + $1 : $0 }
    }
    result.dx = slice(reference.x, old.dx)
    result.dh0 = slice(reference.h0, old.dh0)
    if d.cell == .lstm { result.dc0 = slice(reference.c0, old.dc0) }
    result.dParameters = slice(reference.parameters, old.dParameters)
    return result
  }

  /// How far an element of a tensor whose largest is `largest` may lie from the exact one. A step's sums have K terms and
  /// stray as `ErrorBound` says; each step and layer hands its own error on, hardly amplified with weights of this size.
  func bound(largest: Double, isGradient: Bool) -> Double {
    let d = descriptor
    let rows = isGradient ? d.steps * d.batch : 0
    let k = Double(max(d.layerInput(0), d.output) + d.hidden * (isGradient ? d.cell.gates : 1) + rows)
    let steps = Double(d.steps + d.layers)
    return ErrorBound.multiple * d.dataType.epsilon * (k.squareRoot() + 8) * steps * max(1, largest)
  }

  /// nil where `found` is right, padding included.
  public func objection(_ found: RecurrentValues, _ expected: RecurrentValues) -> String? {
    for (tensor, wanted) in zip(found.tensors, expected.tensors) where !tensor.values.isEmpty {
      let largest = wanted.values.reduce(0) { $1.isFinite ? max($0, abs($1)) : $0 }
      let bound = bound(largest: largest, isGradient: tensor.isGradient)
      for (i, value) in tensor.values.enumerated() {
        let other = wanted.values[i]
        if value == other || abs(value - other) <= bound || (value.isNaN && other.isNaN) { continue }
        return "\(self): \(tensor.name)[\(i)] is \(value) instead of \(other), allowed \(bound)"
      }
    }
    return nil
  }
}

extension RecurrentTrial: CustomStringConvertible {
  /// All that is needed to repeat it.
  public var description: String {
    "\(descriptor.dataType.name) \(descriptor.problemString) lengths \(lengths.map { "\($0)" } ?? "all")"
  }
}
