import ApusEngine

/// A problem with oneDNN, whose weights are in the order that it chooses; reorders are not measured. One layer, without
/// projection, peepholes and clip.
final class OneDNNRnnCase: Case {
  private let operands: RnnOperands
  private let library: OneDNN
  private let primitive: OneDNN.Primitive
  /// Of each direction: the weights in oneDNN's plain order, one direction behind the other.
  private let weights: PlainWeights
  /// Gradients by them.
  private let gradients: PlainWeights?
  private var results: [(own: OneDNN.Memory, layout: OneDNN.Description, plain: OneDNN.Memory, order: OneDNN.Layout)] =
    []

  /// Weights as (direction, input, gate, unit), biases as (direction, gate, unit).
  private final class PlainWeights {
    let input: Buffer
    let recurrent: Buffer
    let bias: Buffer
    let sizes: (input: Int, recurrent: Int, bias: Int)

    init(_ d: RecurrentDescriptor) throws {
      let rows = d.cell.gates * d.hidden
      sizes = (rows * d.input, rows * d.state, RecurrentFormat.oneDNN.biasRows(d.cell) * d.hidden)
      input = try Buffer(bytes: 4 * d.directions * sizes.input)
      recurrent = try Buffer(bytes: 4 * d.directions * sizes.recurrent)
      bias = try Buffer(bytes: 4 * d.directions * sizes.bias)
    }

    func foreign(_ direction: Int) -> RecurrentForeignWeights {
      var weights = RecurrentForeignWeights(format: .oneDNN)
      weights.input = input.pointer + 4 * direction * sizes.input
      weights.recurrent = recurrent.pointer + 4 * direction * sizes.recurrent
      weights.bias = bias.pointer + 4 * direction * sizes.bias
      return weights
    }
  }

  init(_ problem: RnnProblem, library loaded: LoadedLibrary) throws {
    let d = problem.descriptor
    if problem.type != .float32 { throw PeerError("oneDNN's recurrent layers have no float64") }
    if d.layers > 1 || d.projection > 0 || d.hasPeepholes || d.cellClip > 0 || problem.unpacked {
      throw PeerError("kbench runs oneDNN with one layer, packed weights, and no projection, peepholes or clip")
    }
    let library = try OneDNN(loaded)
    let operands = try RnnOperands(problem)
    let weights = try PlainWeights(d)
    for direction in 0..<d.directions {
      try d.exportWeights(operands.parameters.pointer, layer: 0, direction: direction, into: weights.foreign(direction))
    }
    (self.library, self.operands, self.weights) = (library, operands, weights)

    func rows(_ width: Int) throws -> OneDNN.Layout {
      let strides = d.isBatchMajor ? [width, d.steps * width, 1] : [d.batch * width, width, 1]
      return try library.layout([d.steps, d.batch, width], strides: strides)
    }
    let (x, y) = (try rows(d.input), try rows(d.output))
    let (gates, biasRows) = (d.cell.gates, RecurrentFormat.oneDNN.biasRows(d.cell))
    func matrix(_ inputs: Int) -> (sizes: [Int], strides: [Int]) {
      let row = gates * d.hidden
      return (
        [1, d.directions, inputs, gates, d.hidden], [d.directions * inputs * row, inputs * row, row, d.hidden, 1]
      )
    }
    let (w, u) = (matrix(d.input), matrix(d.state))
    let plainW = try library.layout(w.sizes, strides: w.strides)
    let plainU = try library.layout(u.sizes, strides: u.strides)
    let plainB =
      d.biases == 0
      ? nil
      : try library.layout(
        [1, d.directions, biasRows, d.hidden],
        strides: [d.directions * biasRows * d.hidden, biasRows * d.hidden, d.hidden, 1])
    let shape = OneDNN.RecurrentShape(
      cell: Self.cell(d.cell), direction: Self.direction(d.direction), source: x,
      weights: try library.layout(w.sizes, strides: nil), recurrent: try library.layout(u.sizes, strides: nil),
      bias: plainB, destination: y)
    let forward = try library.recurrent(shape, trains: problem.mode == .training)
    let saved = problem.mode == .training ? try library.memory(forward.layout(.workspace), nil) : nil
    let memoryX = try library.memory(x.pointer, operands.x.pointer)
    let memoryY = try library.memory(y.pointer, operands.y.pointer)

    /// Binds what both ways take, in the order that each wants.
    func bind(_ primitive: OneDNN.Primitive) throws {
      primitive.bind(.source, memoryX)
      primitive.bind(.destination, memoryY)
      if let saved { primitive.bind(.workspace, saved) }
      for (role, buffer, plain) in [
        (OneDNN.Role.weights, weights.input, plainW), (.recurrentWeights, weights.recurrent, plainU),
      ] {
        let order = try primitive.layout(role)
        let own = try library.memory(order, nil)
        try library.reorder(library.memory(plain.pointer, buffer.pointer), plain.pointer, to: own, order)
        primitive.bind(role, own)
      }
      if let plainB { primitive.bind(.bias, try library.memory(plainB.pointer, weights.bias.pointer)) }
    }
    try bind(forward)
    guard problem.isBackward, let dx = operands.dx, let dy = operands.dy else {
      (primitive, gradients) = (forward, nil)
      return
    }
    try forward.run()
    let gradients = try PlainWeights(d)
    self.gradients = gradients
    primitive = try library.recurrentBackward(shape, hint: forward)
    try bind(primitive)
    primitive.bind(.destinationGradient, try library.memory(y.pointer, dy.pointer))
    primitive.bind(.sourceGradient, try library.memory(x.pointer, dx.pointer))
    for (role, buffer, plain) in [
      (OneDNN.Role.weightsGradient, gradients.input, plainW), (.recurrentGradient, gradients.recurrent, plainU),
    ] {
      let order = try primitive.layout(role)
      let own = try library.memory(order, nil)
      primitive.bind(role, own)
      results.append((own, order, try library.memory(plain.pointer, buffer.pointer), plain))
    }
    if let plainB { primitive.bind(.biasGradient, try library.memory(plainB.pointer, gradients.bias.pointer)) }
  }

  private static func cell(_ cell: RecurrentCell) -> OneDNN.RecurrentShape.Cell {
    switch cell {
    case .tanh: .tanh
    case .relu: .relu
    case .lstm: .lstm
    case .gru: .resetAfter
    case .gruResetBefore: .resetBefore
    }
  }

  private static func direction(_ direction: RecurrentDirection) -> Int32 {
    switch direction {
    case .forward: 1
    case .reverse: 2
    case .bidirectionalConcatenated: 3
    case .bidirectionalSummed: 4
    }
  }

  var description: String { primitive.implementation }

  func run() throws { try primitive.run() }

  func check() throws -> CheckResult {
    try RnnReference.check(operands) {
      try run()
      for result in results {
        try library.reorder(result.own, result.layout, to: result.plain, result.order.pointer)
      }
      guard let gradients, let dParameters = operands.dParameters else { return }
      let d = operands.problem.descriptor
      for direction in 0..<d.directions {
        try d.importWeights(
          gradients.foreign(direction), layer: 0, direction: direction, into: dParameters.pointer)
        // What one bias of oneDNN's gets, both of Apus's have; but gate n of a GRU, whose second is oneDNN's fourth.
        guard let first = d.parameter(.inputBias, layer: 0, direction: direction),
          let second = d.parameter(.recurrentBias, layer: 0, direction: direction)
        else { continue }
        for row in 0..<(d.cell == .gru ? 2 * d.hidden : first.rows) {
          dParameters.store(.float32, second.offset + row, dParameters.element(.float32, first.offset + row))
        }
      }
    }
  }
}
