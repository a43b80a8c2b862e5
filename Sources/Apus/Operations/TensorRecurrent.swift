internal import ApusEngine

private let plans = PlanCache<RecurrentPlan>()

/// What a stack of recurrent layers is, beside the sizes of a batch.
struct RecurrentShape: Sendable, Hashable {
  var cell: ApusEngine.RecurrentCell
  var direction: ApusEngine.RecurrentDirection
  var input: Int
  var hidden: Int
  var layers: Int
  var hasBias: Bool
  var isBatchMajor: Bool

  func descriptor(_ dtype: DataType, steps: Int, batch: Int) -> RecurrentDescriptor {
    var d = RecurrentDescriptor(
      dataType: dtype.engine, cell: cell, steps: steps, batch: batch, input: input, hidden: hidden)
    d.direction = direction
    d.layers = layers
    d.biases = hasBias ? 2 : 0
    d.isBatchMajor = isBatchMajor
    return d
  }

  func plan(_ dtype: DataType, steps: Int, batch: Int, trains: Bool) -> RecurrentPlan {
    let d = descriptor(dtype, steps: steps, batch: batch)
    let numbers = [
      Int(d.cell.rawValue), Int(d.direction.rawValue), input, hidden, layers, hasBias ? 1 : 0, isBatchMajor ? 1 : 0,
      dtype.size, steps, batch, trains ? 1 : 0,
    ]
    return plans.plan(numbers) {
      planned("recurrent") { context throws(ApusEngine.ApusError) in
        try RecurrentPlan(d, mode: trains ? .training : .inference, context: context)
      }
    }
  }
}

/// The outputs of all steps and the states after the last one. `cellState` is nil but for an LSTM.
func recurrent(
  _ shape: RecurrentShape, _ x: Tensor, weights: Tensor, hidden: Tensor?, cell: Tensor?, lengths: [Int]?
) -> (y: Tensor, hidden: Tensor, cell: Tensor?) {
  require(
    x.rank == 3 && x.shape[2] == shape.input && x.dtype == weights.dtype,
    "recurrent: x is \(x.dtype) \(x.shape), but it takes \(shape.isBatchMajor ? "batch x steps" : "steps x batch") x \(shape.input) of \(weights.dtype)"
  )
  let (steps, batch) = shape.isBatchMajor ? (x.shape[1], x.shape[0]) : (x.shape[0], x.shape[1])
  require(steps > 0, "recurrent: x has the shape \(x.shape), but it takes one step at least")
  let d = shape.descriptor(x.dtype, steps: steps, batch: batch)
  let stateShape = [shape.layers * d.directions, batch, shape.hidden]
  for (name, state) in [("hidden state", hidden), ("cell state", cell)] {
    require(
      state.map { $0.shape == stateShape && $0.dtype == x.dtype } ?? true,
      "recurrent: the \(name) has the shape \(state?.shape ?? []), but it takes \(stateShape)")
  }
  require(
    lengths.map { $0.count == batch && $0.allSatisfy { $0 >= 0 && $0 <= steps } } ?? true,
    "recurrent: lengths are \(lengths ?? []), but it takes \(batch) numbers of 0 to \(steps)")
  let isLSTM = shape.cell == .lstm
  let sources = [x, weights] + [hidden, isLSTM ? cell : nil].compactMap { $0 }
  let trains = Tape.isRecording && sources.contains { $0.isTracked }
  let plan = shape.plan(x.dtype, steps: steps, batch: batch, trains: trains)
  let input = x.detached().contiguous()
  let w = weights.detached().contiguous()
  let (h0, c0) = (hidden?.detached().contiguous(), isLSTM ? cell?.detached().contiguous() : nil)
  let stepLengths = lengths.map { Tensor($0) }
  // Padding is not written by the engine.
  let ySizes = Array(x.shape[..<2]) + [d.output]
  let y = lengths == nil ? Tensor(uninitialized: ySizes, x.dtype) : .zeros(ySizes, dtype: x.dtype)
  let hn = Tensor(uninitialized: stateShape, x.dtype)
  let cn = isLSTM ? Tensor(uninitialized: stateShape, x.dtype) : nil
  let workspace = Tensor(uninitialized: [plan.workspaceBytes], .uint8)
  @Sendable func arguments() -> RecurrentArguments {
    var both = RecurrentArguments()
    both.parameters = w.base
    both.x = input.base
    both.lengths = stepLengths?.base.assumingMemoryBound(to: Int64.self)
    both.h0 = h0?.base
    both.c0 = c0?.base
    both.workspaceBytes = plan.workspaceBytes
    return both
  }
  var forward = arguments()
  forward.y = y.result
  forward.hn = hn.result
  forward.cn = cn?.result
  forward.workspace = trains ? workspace.result : nil
  compute("recurrent", input, w, h0, c0, y) { [forward] context throws(ApusEngine.ApusError) in
    try plan.forward(context: context, forward)
  }
  withExtendedLifetime((hn, cn, workspace, stepLengths)) {}
  if !trains { return (y, hn, cn) }
  let step = TapeStep("recurrent", inputs: sources.map(\.source), outputs: 3) { gradients in
    let (dy, dhn, dcn) = (
      gradients[0]?.detached().contiguous(), gradients[1]?.detached().contiguous(),
      gradients[2]?.detached().contiguous()
    )
    func room(_ tensor: Tensor?, _ isWanted: Bool) -> Tensor? {
      isWanted ? tensor.map { Tensor(uninitialized: $0.shape, $0.dtype) } : nil
    }
    let dx = room(input, x.isTracked)
    let dw = room(w, weights.isTracked)
    let dh0 = room(h0, h0 != nil)
    let dc0 = room(c0, c0 != nil)
    var backward = arguments()
    backward.dy = dy?.base
    backward.dhn = dhn?.base
    backward.dcn = dcn?.base
    backward.dx = dx?.result
    backward.dParameters = dw?.result
    backward.dh0 = dh0?.result
    backward.dc0 = dc0?.result
    backward.workspace = workspace.result
    compute("recurrent", input, w, h0, c0, workspace) { [backward] context throws(ApusEngine.ApusError) in
      try plan.backward(context: context, backward)
    }
    withExtendedLifetime((dy, dhn, dcn, stepLengths)) {}
    withExtendedLifetime((dx, dw, dh0, dc0)) {}
    let results: [Tensor?] = [dx, dw] + (h0 == nil ? [] : [dh0]) + (c0 == nil ? [] : [dc0])
    return Tape.isRecording ? undifferentiable("recurrent", results, sources) : results
  }
  func output(_ tensor: Tensor, _ place: Int) -> Tensor {
    var tensor = tensor
    tensor.source = TapeSource(step: step, output: place)
    return tensor
  }
  return (output(y, 0), output(hn, 1), cn.map { output($0, 2) })
}
