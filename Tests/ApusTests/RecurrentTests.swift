import Apus
import Testing

/// The Swift face of recurrent layers.
@Suite struct RecurrentTests {
  /// h' = max(0, x + 2 h), and its gradients, worked out by hand.
  @Test func thereAndBack() throws {
    let layer = try Recurrent<Double>(
      .relu, mode: .training, steps: 3, batch: 1, input: 1, hidden: 1, biases: RecurrentBiases.none)
    #expect(layer.parameterCount == 2 && layer.inputCount == 3 && layer.outputCount == 3 && layer.hiddenCount == 1)
    #expect(layer.cellCount == 0 && layer.mode == .training && layer.flops == 12 && layer.backwardFlops == 24)
    let weights = try layer.makePackedWeights(from: [1, 2].span)
    let workspace = try layer.makeWorkspace()
    var state = RecurrentState<Double>(h: [1])
    var y = [Double](repeating: 0, count: 3)
    try layer.forward([1, -9, 3].span, weights, state: &state, into: &y, workspace: workspace)
    #expect(y == [3, 0, 3] && state.h == [3])
    var gradient = RecurrentState<Double>(h: [10])
    var dx = [Double](repeating: 7, count: 3)
    var dw = [Double](repeating: 7, count: 2)
    for _ in 0..<2 {
      gradient.h = [10]
      try layer.backward(
        [1, 1, 1].span, x: [1, -9, 3].span, weights, workspace: workspace, state: &gradient, into: &dx,
        parameters: &dw)
      // Step 2: 1 + 10; step 1 was cut off; step 0: 1.
      #expect(dx == [1, 0, 11])
      #expect(dw == [34, 1])
      #expect(gradient.h == [2])
    }
    gradient.h = [0]
    try layer.backward(
      [1, 1, 5].span, dySteps: [false, true, false].span, x: [1, -9, 3].span, weights, workspace: workspace,
      state: &gradient, into: &dx, parameters: &dw, accumulates: true)
    #expect(dx == [1, 0, 11] && dw == [34, 1] && gradient.h == [0])
  }

  /// A sequence in one piece, and step by step with packed weights of another number of steps.
  @Test func singleSteps() throws {
    var numbers = Numbers(seed: 3)
    let whole = try Recurrent<Float>(.lstm, steps: 5, batch: 2, input: 3, hidden: 4, layers: 2)
    let step = try Recurrent<Float>(.lstm, steps: 1, batch: 2, input: 3, hidden: 4, layers: 2)
    let parameters: [Float] = numbers.array(whole.parameterCount)
    let x: [Float] = numbers.array(whole.inputCount)
    let packed = try whole.makePackedWeights(from: parameters)
    #expect(packed.byteCount > 4 * whole.parameterCount && packed.instructionSet == whole.instructionSet)
    var state = whole.makeState()
    #expect(state.h.count == 16 && state.c.count == 16)
    var y = [Float](repeating: 0, count: whole.outputCount)
    try whole.forward(x.span, parameters, state: &state, into: &y)
    var carried = step.makeState()
    var steps: [Float] = []
    var one = [Float](repeating: 0, count: step.outputCount)
    for t in 0..<5 {
      try step.forward(x.span.extracting(t * 6..<(t + 1) * 6), packed, state: &carried, into: &one)
      steps += one
    }
    #expect(steps == y && carried == state)
  }

  /// Options reach the engine: sizes, directions, layouts, lengths.
  @Test func options() throws {
    let layer = try Recurrent<Float>(
      .lstm(projection: 2, clip: 0.1, peepholes: true), steps: 3, batch: 2, input: 4, hidden: 5, layers: 2,
      direction: .bidirectional, biases: .one, layout: .batchMajor)
    #expect(layer.outputCount == 3 * 2 * 4 && layer.hiddenCount == 2 * 2 * 2 * 2 && layer.cellCount == 2 * 2 * 2 * 5)
    let place = try #require(try layer.place(of: .peepholes, layer: 1, direction: 1))
    #expect(place.rows == 3 && place.columns == 5 && place.range.upperBound == layer.parameterCount)
    #expect(try layer.place(of: .recurrentBias) == nil)
    for word in ["lstm:T=3,B=2,I=4,H=5,L=2,P=2", "concat", "bias1", "peephole", "clip0.1", "batchmajor"] {
      #expect(layer.description.contains(word), "\(layer)")
    }
    var numbers = Numbers(seed: 4)
    let parameters: [Float] = numbers.array(layer.parameterCount)
    let x: [Float] = numbers.array(layer.inputCount)
    var y = [Float](repeating: 9, count: layer.outputCount)
    var state = layer.makeState()
    try layer.forward(x.span, parameters, lengths: [1, 3].span, state: &state, into: &y)
    #expect(y[4..<12].allSatisfy { $0 == 9 } && y[0..<4].allSatisfy { $0 != 9 } && y[12...].allSatisfy { $0 != 9 })
    #expect(state.c.allSatisfy { abs($0) <= 0.1 } && state.c.contains { abs($0) == 0.1 })
    #expect(try layer.scratchBytes() > 0 && layer.threads() >= 1 && layer.bytes > 0)
    for cell in [RecurrentCell.tanh, .relu, .gru, .gruResetBefore] {
      for direction in RecurrentDirection.allCases {
        let other = try Recurrent<Double>(cell, steps: 1, batch: 1, input: 1, hidden: 3, direction: direction)
        #expect(other.outputCount == (direction == .bidirectional ? 6 : 3) && other.cellCount == 0)
        #expect(other.hiddenCount == 3 * direction.count)
      }
    }
  }

  /// Weights go out to every format and come back.
  @Test(arguments: RecurrentFormat.allCases) func formats(_ format: RecurrentFormat) throws {
    var numbers = Numbers(seed: 5)
    for cell in [RecurrentCell.tanh, .lstm, .gru, .gruResetBefore] {
      let layer = try Recurrent<Float>(
        cell, steps: 1, batch: 1, input: 3, hidden: 2, layers: 2, direction: .bidirectional, biases: .two)
      let parameters: [Float] = numbers.array(layer.parameterCount)
      var back = parameters
      let theirs = try layer.exportWeights(parameters.span, layer: 1, direction: 1, to: format)
      #expect(theirs.format == format && theirs.input.count == theirs.recurrent.count * 2)
      #expect(theirs.projection.isEmpty && theirs.peepholes.isEmpty)
      let place = try #require(try layer.place(of: .inputWeights, layer: 1, direction: 1))
      for i in place.range { back[i] = 0 }
      try layer.importWeights(theirs, layer: 1, direction: 1, into: &back)
      #expect(Array(back[place.range]) == Array(parameters[place.range]))
      let rest = 0..<place.range.lowerBound
      #expect(Array(back[rest]) == Array(parameters[rest]))
      #expect(theirs.input.sorted() == parameters[place.range].sorted())
    }
    let full = try Recurrent<Float>(
      .lstm(projection: 1, peepholes: true), steps: 1, batch: 1, input: 3, hidden: 2)
    let parameters: [Float] = numbers.array(full.parameterCount)
    if format == .oneDNN {
      let theirs = try full.exportWeights(parameters.span, to: format)
      var back = [Float](repeating: 0, count: full.parameterCount)
      try full.importWeights(theirs, into: &back)
      #expect(theirs.projection.count == 2 && theirs.peepholes.count == 6)
      let places = try [RecurrentParameter.projection, .peepholes].compactMap { try full.place(of: $0)?.range }
      for range in places { #expect(Array(back[range]) == Array(parameters[range])) }
    } else {
      let error = #expect(throws: ApusError.self) { try full.exportWeights(parameters.span, to: format) }
      #expect(error?.code == .unsupported)
    }
  }

  @Test func mistakesAreNamed() throws {
    func message(_ body: () throws -> Void) -> String {
      do {
        try body()
        return ""
      } catch {
        return "\(error)"
      }
    }
    #expect(
      message { _ = try Recurrent<Float>(.gru, steps: 0, batch: 1, input: 1, hidden: 1) }
        == "steps is 0, but it must be 1 to 2147483647")
    for (cell, words) in [
      (RecurrentCell.lstm(projection: 4), "projection is 4"), (.lstm(projection: 0), "projection is 0"),
      (.lstm(clip: 0), "clip is 0"), (.lstm(clip: -1), "cell_clip is -1"),
    ] {
      #expect(message { _ = try Recurrent<Float>(cell, steps: 1, batch: 1, input: 1, hidden: 4) }.hasPrefix(words))
    }
    let layer = try Recurrent<Float>(.gru, steps: 2, batch: 2, input: 3, hidden: 4)
    let training = try Recurrent<Float>(.gru, mode: .training, steps: 2, batch: 2, input: 3, hidden: 4)
    let parameters = [Float](repeating: 0, count: layer.parameterCount)
    let x = [Float](repeating: 0, count: 12)
    var y = [Float](repeating: 7, count: 16)
    var state = layer.makeState()
    func run(_ plan: Recurrent<Float>, _ x: [Float], _ w: [Float], _ lengths: [Int64], _ room: RecurrentWorkspace?)
      -> String
    {
      message {
        try plan.forward(
          x.span, w, lengths: lengths.span, state: &state, into: &y, workspace: room)
      }
    }
    #expect(run(layer, [1], parameters, [1, 2], nil) == "x has 1 elements, but the plan takes 12")
    #expect(run(layer, x, [1], [1, 2], nil) == "weights has 1 elements, but the plan takes \(layer.parameterCount)")
    #expect(run(layer, x, parameters, [1], nil) == "lengths has 1 elements, but the plan takes 2")
    #expect(run(layer, x, parameters, [1, 3], nil).hasPrefix("lengths[1] is 3"))
    #expect(run(training, x, parameters, [1, 2], nil).hasPrefix("workspace is NULL"))
    state.h.removeLast()
    #expect(run(layer, x, parameters, [1, 2], nil) == "hn has 7 elements, but the plan takes 8")
    #expect(y == [Float](repeating: 7, count: 16))
    #expect(message { _ = try layer.makeWorkspace() }.contains("inference"))
    var dx = x
    var dw = parameters
    var gradient = training.makeState()
    let workspace = try training.makeWorkspace()
    #expect(workspace.byteCount > 0)
    let error = #expect(throws: ApusError.self) {
      try training.backward(
        nil, x: x.span, parameters, workspace: workspace, state: &gradient, into: &dx, parameters: &dw)
    }
    #expect(error?.code == .mismatch)
    #expect(message { _ = try layer.makePackedWeights(from: [1].span) }.hasPrefix("parameters has 1 elements"))
    let packed = try layer.makePackedWeights(from: parameters)
    #expect(message { _ = try layer.makePackedWeights(from: packed) } == "parameters are packed already")
    #expect(message { try layer.forward(x.span, packed, state: &gradient, into: &y) } == "")
    #expect(
      message {
        try training.forward(x.span, packed, state: &gradient, into: &y, workspace: workspace)
      }.contains("inference"))
    #expect(message { _ = try layer.place(of: .inputBias, layer: 1) }.hasPrefix("layer is 1"))
    var weights = RecurrentWeights<Float>(.onnx)
    #expect(message { try layer.importWeights(weights, into: &dw) }.hasPrefix("input has 0 elements"))
    weights.input = [Float](repeating: 0, count: 36)
    #expect(message { try layer.importWeights(weights, into: &dw) }.hasPrefix("recurrent has 0 elements"))
  }
}
