import ApusEngine
import ApusTestSupport
import Foundation
import Testing

/// The published definitions, with numbers that can be worked out by hand: s(0) = 1/2, s(ln 2) = 2/3, s(ln 3) = 3/4,
/// tanh(ln 2) = 3/5, tanh(ln 3) = 4/5. One unit, one input, unless a test says otherwise.
@Suite struct RecurrentDefinitionTests {
  private let ln2 = log(2.0)
  private let ln3 = log(3.0)

  private func run(
    _ d: RecurrentDescriptor, _ parameters: [Double], x: [Double], h0: [Double]?, c0: [Double]? = nil,
    _ set: InstructionSet
  ) throws -> RecurrentValues {
    let trial = try RecurrentTrial(d, seed: 1)
    #expect(trial.parameters.count == parameters.count)
    trial.parameters = parameters
    trial.x = x
    trial.h0 = h0
    trial.c0 = c0
    var run = RecurrentRun()
    run.mode = .inference
    return try trial.run(ExecutionContext(instructionSet: set, threads: 1), run)
  }

  private func problem(_ cell: RecurrentCell, steps: Int = 1) -> RecurrentDescriptor {
    RecurrentDescriptor(dataType: .float64, cell: cell, steps: steps, batch: 1, input: 1, hidden: 1)
  }

  private func near(_ found: [Double], _ expected: [Double], _ place: SourceLocation = #_sourceLocation) {
    #expect(
      found.count == expected.count && zip(found, expected).allSatisfy { abs($0 - $1) < 1e-15 * 8 },
      "\(found) instead of \(expected)", sourceLocation: place)
  }

  /// PyTorch's RNN: h' = tanh(W_ih x + b_ih + W_hh h + b_hh); with ReLU max(0, ...).
  @Test(arguments: InstructionSet.available) func simple(_ set: InstructionSet) throws {
    // x = 1, then 2; h = 1/2: (ln 2)/2 + ln 2 /4 + (ln 2 / 2) / 2 + 0 = ln 2; then ln 2 - 0.6 ln 2 / 2 ...
    let weights = [ln2 / 2, ln2 / 2, ln2 / 4, 0]
    let found = try run(problem(.tanh, steps: 2), weights, x: [1, 1], h0: [0.5], set)
    near([found.y[0]], [0.6])
    near([found.y[1]], [tanh(0.75 * ln2 + 0.3 * ln2)])
    #expect(found.hn == [found.y[1]])
    // 3 x + 1 - 2 h - 1/2: x = 1, h = 1 gives 3/2, then x = -1 gives -11/2, cut to 0, then x = 0 gives 1/2.
    let relu = try run(problem(.relu, steps: 3), [3, -2, 1, -0.5], x: [1, -1, 0], h0: [1], set)
    near(relu.y, [1.5, 0, 0.5])
  }

  /// PyTorch's LSTM: gates i, f, g, o. i = s(ln 3) = 3/4, f = s(ln 2) = 2/3, g = tanh(ln 2) = 3/5, o = s(0) = 1/2;
  /// c' = 2/3 c + 9/20 = ln 3 for c = 3/2 (ln 3 - 9/20), and h' = 1/2 * 4/5.
  @Test(arguments: InstructionSet.available) func lstmOfPyTorch(_ set: InstructionSet) throws {
    // x = 1 and h = 2: the input's weights and the recurrent ones share each sum with both biases.
    let weights = [ln3 / 2, ln2, ln2 / 2, 1]
    let recurrent = [ln3 / 8, 0, ln2 / 8, -1]
    let biases = [ln3 / 8, 0, ln2 / 8, 0.5]
    let second = [ln3 / 8, 0, ln2 / 8, 0.5]
    let c = 1.5 * (ln3 - 0.45)
    let found = try run(problem(.lstm), weights + recurrent + biases + second, x: [1], h0: [2], c0: [c], set)
    near(found.y, [0.4])
    near(found.cn, [ln3])
    // With a projection of two units to one number: 1/2 of the first and 1/4 of the second, both of them 2/5.
    var d = problem(.lstm)
    d.hidden = 2
    d.projection = 1
    func twice(_ values: [Double]) -> [Double] { values.flatMap { [$0, $0] } }
    let projected = try run(
      d, twice(weights) + twice(recurrent) + twice(biases) + twice(second) + [0.5, 0.25], x: [1], h0: [2],
      c0: [c, c], set)
    near(projected.y, [0.3])
    near(projected.cn, [ln3, ln3])
  }

  /// ONNX's LSTM: i = s(Xt Wi + Ht-1 Ri + Pi * Ct-1 + Wbi + Rbi), f likewise, c = tanh(...), Ct = f * Ct-1 + i * c,
  /// o = s(... + Po * Ct ...), H = o * tanh(Ct); weights in the order i o f c, peepholes i o f.
  @Test(arguments: InstructionSet.available) func lstmOfONNX(_ set: InstructionSet) throws {
    var d = problem(.lstm)
    d.hasPeepholes = true
    // c = ln 2: i = s(ln 2) = 2/3, f = s(-ln 2) = 1/3, g = tanh(ln 3) = 4/5; c' = ln 2 / 3 + 8/15.
    let next = ln2 / 3 + 8.0 / 15
    var theirs = RecurrentForeignWeights(format: .onnx)
    var w = [0, 0, 0, ln3]
    var r = [0.0, 0, 0, 0]
    var b = [0.0, 0, 0, 0, 0, 0, 0, 0]
    var p = [1, ln3 / next, -1]
    var parameters = [Double](repeating: 0, count: try d.parameterCount())
    try w.withUnsafeMutableBytes { w in
      try r.withUnsafeMutableBytes { r in
        try b.withUnsafeMutableBytes { b in
          try p.withUnsafeMutableBytes { p in
            try parameters.withUnsafeMutableBytes { parameters in
              theirs.input = w.baseAddress
              theirs.recurrent = r.baseAddress
              theirs.bias = b.baseAddress
              theirs.peephole = p.baseAddress
              try d.importWeights(theirs, layer: 0, direction: 0, into: parameters.baseAddress)
            }
          }
        }
      }
    }
    let found = try run(d, parameters, x: [1], h0: [0], c0: [ln2], set)
    near(found.cn, [next])
    near(found.y, [0.75 * tanh(next)])
    // Clipped to 1/2, before o sees it: o = s(ln 3 / (2 c')).
    d.cellClip = 0.5
    let clipped = try run(d, parameters, x: [1], h0: [0], c0: [ln2], set)
    near(clipped.cn, [0.5])
    near(clipped.y, [tanh(0.5) / (1 + exp(-ln3 / next / 2))])
  }

  /// r = s(ln 3) = 3/4, z = s(ln 2) = 2/3, n = tanh(ln 2) = 3/5, h = 1/2: h' = 1/3 * 3/5 + 2/3 * 1/2 = 8/15. The reset
  /// multiplies U h + d of PyTorch's (ONNX's with linear_before_reset = 1), and h alone of ONNX's default.
  @Test(arguments: InstructionSet.available) func gru(_ set: InstructionSet) throws {
    let input = [ln3, ln2, 0]
    // 3/4 (2 ln 2 * 1/2 + ln 2 / 3) = ln 2.
    let after = try run(
      problem(.gru), input + [0, 0, 2 * ln2] + [0, 0, 0] + [0, 0, ln2 / 3], x: [1], h0: [0.5], set)
    near(after.y, [8.0 / 15])
    // 2 ln 2 * (3/4 * 1/2) + ln 2 / 4 = ln 2.
    let before = try run(
      problem(.gruResetBefore), input + [0, 0, 2 * ln2] + [0, 0, 0] + [0, 0, ln2 / 4], x: [1], h0: [0.5], set)
    near(before.y, [8.0 / 15])
    // One bias: it is the input's, so outside of the reset: 3/4 (2 ln 2 * 1/2) + ln 2 / 4 = ln 2.
    var d = problem(.gru)
    d.biases = 1
    near(try run(d, input + [0, 0, 2 * ln2] + [0, 0, ln2 / 4], x: [1], h0: [0.5], set).y, [8.0 / 15])
  }

  /// Bidirectional: the reverse recurrence begins at the last step of each sequence, and its hn is that of the first.
  @Test(arguments: InstructionSet.available) func directions(_ set: InstructionSet) throws {
    // h' = max(0, x + 10 h), backwards max(0, x + 100 h); sequences of 3 and of 2 steps.
    var d = problem(.relu, steps: 3)
    d.batch = 2
    d.biases = 0
    d.direction = .bidirectionalConcatenated
    let trial = try RecurrentTrial(d, seed: 1)
    trial.parameters = [1, 10, 1, 100]
    trial.x = [1, 4, 2, 5, 3, .nan]
    trial.h0 = nil
    trial.lengths = [3, 2]
    trial.old.y = [Double](repeating: -1, count: 12)
    var run = RecurrentRun()
    run.mode = .inference
    let found = try trial.run(ExecutionContext(instructionSet: set, threads: 1), run)
    #expect(found.y == [1, 30201, 4, 504, 12, 302, 45, 5, 123, 3, -1, -1])
    #expect(found.hn == [123, 45, 30201, 504])
    d.direction = .bidirectionalSummed
    let sums = try RecurrentTrial(d, seed: 1)
    (sums.parameters, sums.x, sums.h0, sums.lengths) = (trial.parameters, trial.x, nil, [3, 2])
    sums.old.y = [Double](repeating: -1, count: 6)
    #expect(
      try sums.run(ExecutionContext(instructionSet: set, threads: 1), run).y == [30202, 508, 314, 50, 126, -1])
  }

  /// The parameters' order is that of PyTorch's flat weights: layer by layer, direction by direction.
  @Test func orderOfParameters() throws {
    var d = RecurrentDescriptor(dataType: .float32, cell: .lstm, steps: 1, batch: 1, input: 3, hidden: 5)
    d.layers = 2
    d.direction = .bidirectionalConcatenated
    d.projection = 2
    d.hasPeepholes = true
    var place = 0
    for layer in 0..<2 {
      for direction in 0..<2 {
        let shapes = [(20, layer == 0 ? 3 : 4), (20, 2), (20, 1), (20, 1), (2, 5), (3, 5)]
        for (which, shape) in zip(RecurrentParameter.allCases, shapes) {
          let found = try #require(d.parameter(which, layer: layer, direction: direction))
          #expect(found.offset == place && found.rows == shape.0 && found.columns == shape.1)
          place += shape.0 * shape.1
        }
      }
    }
    #expect(try d.parameterCount() == place)
    d.projection = 0
    d.biases = 1
    #expect(d.parameter(.projection, layer: 0, direction: 0) == nil)
    #expect(d.parameter(.recurrentBias, layer: 0, direction: 0) == nil)
  }

  /// NaN and infinities go where numbers would, in every gate and position of a vector.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func specialValues(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 1)
    for cell in RecurrentCell.allCases {
      for special in [Double.nan, .infinity, -.infinity] {
        let d = RecurrentDescriptor(dataType: type, cell: cell, steps: 2, batch: 2, input: 4, hidden: 37)
        let trial = try RecurrentTrial(d, seed: 3)
        trial.x[1] = special
        var run = RecurrentRun()
        run.mode = .inference
        let found = try trial.run(context, run)
        if let objection = trial.objection(found, trial.expectation()) { Issue.record("\(objection)") }
        #expect(special.isNaN == found.y[0..<37].contains { $0.isNaN }, "\(trial)")
        // A weight of one gate and unit.
        let other = try RecurrentTrial(d, seed: 3)
        other.parameters[4 * 33] = special
        if let objection = other.objection(try other.run(context, run), other.expectation()) {
          Issue.record("\(objection)")
        }
      }
    }
  }
}
