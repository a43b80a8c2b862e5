import ApusKernelInterface

/// Where the parts of a backward run's scratch lie.
struct RecurrentBackwardAreas {
  let words: Int
  let buffers: Int
  let packed: Int
  let product: Int
  let staging: Int
  let dInput: Int
  let dGates: (Int, Int)
  let carry: (Int, Int)
  let dc: (Int, Int)
  let dState: (Int, Int)
  let ones: Int
  let bias: Int
  let dOutput: (Int, Int)
  let bytes: Int
  let slices: Int
  let bufferBytes: Int

  init(_ plan: RecurrentPlan, _ context: ExecutionContext, packs: Bool) {
    let d = plan.descriptor
    let size = plan.size
    let rows = d.steps * d.batch
    var layout = AreaLayout()
    slices = plan.recurrenceThreads(context)
    words = layout.add(StepTeam.wordBytes(slices))
    bufferBytes = (plan.kernels.bufferElements * size).roundedUp(to: 128)
    buffers = layout.add(slices * bufferBytes)
    packed = layout.add(packs ? plan.packedBytes : 0)
    product = layout.add(plan.productScratch(context, backward: true))
    staging = layout.add(rows * d.input * size)
    dInput = layout.add(rows * d.input * size)
    func each(_ bytes: Int) -> (Int, Int) { (layout.add(bytes), layout.add(d.directions > 1 ? bytes : 0)) }
    dGates = each(rows * plan.pitch.gates * size)
    carry = each(d.batch * plan.pitch.state * size)
    dc = each(d.cell == .lstm ? d.batch * plan.pitch.product * size : 0)
    dState = each(d.projection > 0 ? rows * plan.pitch.state * size : 0)
    ones = layout.add(d.biases > 0 ? rows * size : 0)
    bias = layout.add(4 * d.hidden * size)
    let dOutputBytes = rows * d.output * size
    dOutput = (layout.add(d.layers > 1 ? dOutputBytes : 0), layout.add(d.layers > 2 ? dOutputBytes : 0))
    bytes = layout.bytes
  }
}

/// One backward run.
struct RecurrentBackwardRun {
  private let plan: RecurrentPlan
  private let d: RecurrentDescriptor
  private let context: ExecutionContext
  private let a: RecurrentArguments
  private let body: UnsafeRawPointer
  private let scratch: UnsafeMutableRawPointer
  private let areas: RecurrentBackwardAreas
  private let size: Int
  private let workspace: UnsafeMutableRawPointer
  private let inputRows: RecurrentRows
  private let outputRows: RecurrentRows

  init(
    _ plan: RecurrentPlan, _ context: ExecutionContext, _ arguments: RecurrentArguments, _ body: UnsafeRawPointer,
    _ scratch: UnsafeMutableRawPointer, _ areas: RecurrentBackwardAreas
  ) {
    self.plan = plan
    d = plan.descriptor
    self.context = context
    a = arguments
    self.body = body
    self.scratch = scratch
    self.areas = areas
    size = plan.size
    workspace =
      (arguments.workspace ?? scratch).alignedUp(toMultipleOf: Memory.alignment) + RecurrentWorkspace.headerBytes
    inputRows = RecurrentRows(plan, width: plan.descriptor.input, lengths: arguments.lengths)
    outputRows = RecurrentRows(plan, width: plan.descriptor.output, lengths: arguments.lengths)
  }

  func run() throws(ApusError) {
    guard let x = a.x else { return }
    var input = x
    if a.dParameters != nil {
      if inputRows.isStaged {
        try inputRows.stage(x, into: scratch + areas.staging, context)
        input = UnsafeRawPointer(scratch + areas.staging)
      }
      if plan.stateProducts?.bias != nil { fillOnes() }
    }
    for layer in stride(from: d.layers - 1, through: 0, by: -1) {
      try runSteps(layer)
      for direction in 0..<d.directions {
        stateGradients(layer, direction)
        if let dParameters = a.dParameters {
          try weightGradients(
            layer, direction, layer == 0 ? input : below(layer), dParameters, layer == 0 ? d.input : belowStride)
        }
      }
      try dataGradient(layer)
    }
  }

  // MARK: Places

  private func base(_ layer: Int) -> UnsafeMutableRawPointer { workspace + layer * plan.workspace.layerBytes }

  /// The rows that a layer took from the one below, and their distance.
  private func below(_ layer: Int) -> UnsafeRawPointer {
    let w = plan.workspace
    if d.direction == .bidirectionalSummed { return UnsafeRawPointer(base(layer - 1) + w.sum) }
    return UnsafeRawPointer(base(layer - 1) + w.h + d.batch * plan.pitch.h * size)
  }
  private var belowStride: Int { d.direction == .bidirectionalSummed ? d.state : plan.pitch.h }

  /// Gradients by a layer's output, time-major.
  private func dOutput(_ layer: Int) -> UnsafeMutableRawPointer {
    scratch + (layer % 2 == 0 || d.layers == 2 ? areas.dOutput.0 : areas.dOutput.1)
  }
  private func dGates(_ direction: Int) -> UnsafeMutableRawPointer {
    scratch + (direction == 0 ? areas.dGates.0 : areas.dGates.1)
  }
  private func carry(_ direction: Int) -> UnsafeMutableRawPointer {
    scratch + (direction == 0 ? areas.carry.0 : areas.carry.1)
  }
  private func dc(_ direction: Int) -> UnsafeMutableRawPointer {
    scratch + (direction == 0 ? areas.dc.0 : areas.dc.1)
  }
  private func dState(_ direction: Int) -> UnsafeMutableRawPointer {
    scratch + (direction == 0 ? areas.dState.0 : areas.dState.1)
  }

  // MARK: Steps

  private func runSteps(_ layer: Int) throws(ApusError) {
    let pitch = plan.pitch
    var steps = RecurrentSteps(plan, finishes: plan.backwardFinishes, products: plan.backwardProducts)
    steps.hStep = d.batch * pitch.h * size
    steps.cStep = d.batch * pitch.c * size
    steps.gateStep = d.batch * pitch.gates * size
    steps.productStep = d.batch * (d.projection > 0 ? pitch.state : pitch.product) * size
    let isTop = layer == d.layers - 1
    steps.dyStep = (isTop ? outputRows.stepStride : d.batch * d.output) * size
    steps.dySteps = isTop ? a.dySteps : nil
    let dy = isTop ? a.dy : UnsafeRawPointer(dOutput(layer))
    for direction in 0..<d.directions {
      let recurrence = layer * d.directions + direction
      func start(_ source: UnsafeRawPointer?, _ target: UnsafeMutableRawPointer, _ width: Int, _ pitch: Int) {
        copyRows(
          source.map { $0 + recurrence * d.batch * width * size }, width, into: target, pitch, rows: d.batch,
          width: width, size: size)
      }
      start(a.dhn, carry(direction), d.state, pitch.state)
      if d.cell == .lstm { start(a.dcn, dc(direction), d.hidden, pitch.product) }
      setTemplates(&steps, layer, direction, dyRowStride: isTop ? outputRows.rowStride : d.output)
    }
    let phases = steps.phasesOfStep
    let team = StepTeam(slices: areas.slices, words: scratch + areas.words)
    // One phase more than the steps have: what is left for the first state.
    try team.run(phases: d.steps * phases + 1, context: context) { index, slice, participant in
      let isLast = index == d.steps * phases
      let phase = isLast ? 0 : index % phases
      let items = steps.items(phase, lanes: plan.gemm.lanes)
      let lower = items * slice / team.slices
      let upper = items * (slice + 1) / team.slices
      let buffer = scratch + areas.buffers + participant * areas.bufferBytes
      let each = items / steps.directions
      for direction in 0..<steps.directions {
        let from = max(lower, direction * each)
        let to = min(upper, (direction + 1) * each)
        if from >= to { continue }
        var p = steps.phases[2 * direction + phase]
        place(&p, steps, layer, d.steps - 1 - index / phases, direction, phase, dy)
        plan.kernels.phase(&p, from - direction * each, to - direction * each, buffer)
      }
    }
  }

  private func setTemplates(_ steps: inout RecurrentSteps, _ layer: Int, _ direction: Int, dyRowStride: Int) {
    let own = plan.weights(body, layer: layer, direction: direction)
    let isProjected = d.projection > 0
    for phase in 0..<steps.phasesOfStep {
      let i = 2 * direction + phase
      steps.phases[i].panels = own.backwardProduct(phase)
      steps.phases[i].aRowStride = phase == 1 && isProjected ? plan.pitch.state : plan.pitch.gates
      steps.phases[i].lengths = a.lengths
      steps.phases[i].gateRowStride = plan.pitch.gates
      steps.phases[i].gateStride = d.hidden
      steps.phases[i].hRowStride = plan.pitch.h
      steps.phases[i].cRowStride = plan.pitch.c
      steps.phases[i].productRowStride = plan.pitch.state
      steps.phases[i].peepholes = d.hasPeepholes ? own.peepholes : nil
      steps.phases[i].clip = d.cellClip
      steps.phases[i].dyRowStride = dyRowStride
      steps.phases[i].dGateRowStride = plan.pitch.gates
      steps.phases[i].carry = carry(direction)
      steps.phases[i].carryRowStride = plan.pitch.state
      steps.phases[i].dc = dc(direction)
      steps.phases[i].dcRowStride = plan.pitch.product
    }
  }

  /// The pointers of the step that is `index` in the direction of the recurrence; -1: of what is left after all.
  private func place(
    _ p: inout RecurrentPhase, _ steps: RecurrentSteps, _ layer: Int, _ index: Int, _ direction: Int, _ phase: Int,
    _ dy: UnsafeRawPointer?
  ) {
    let w = plan.workspace
    let gates = dGates(direction)
    if phase == 0 {
      // The product with the gradients of the step after, in the direction of the recurrence.
      if index + 1 < d.steps {
        p.a = UnsafeRawPointer(gates + steps.time(index + 1, direction: direction) * steps.gateStep)
      } else {
        p.k = 0
      }
    }
    if index < 0 {
      p.finish = .carry
      return
    }
    let time = steps.time(index, direction: direction)
    let isReverse = d.direction.isReverse(direction)
    p.step = time
    let places = StatePlaces(time: time, isReverse: isReverse)
    let h = base(layer) + w.h + direction * d.state * size
    p.hBefore = h + places.before * steps.hStep
    p.hAfter = h + places.after * steps.hStep
    if d.cell == .lstm {
      let c = base(layer) + w.c + direction * d.hidden * size
      p.cBefore = c + places.before * steps.cStep
      p.cAfter = c + places.after * steps.cStep
    }
    p.gateValues = base(layer) + (direction == 0 ? w.gates.0 : w.gates.1) + time * steps.gateStep
    p.dGates = gates + time * steps.gateStep
    if d.projection > 0 { p.product = dState(direction) + time * steps.productStep }
    if phase == 1 {
      p.a =
        d.projection > 0
        ? UnsafeRawPointer(p.product) : UnsafeRawPointer(gates + time * steps.gateStep) + 2 * d.hidden * size
    }
    if phase == 0, let dy, steps.dySteps.map({ $0[time] != 0 }) ?? true {
      let column = d.direction == .bidirectionalConcatenated ? direction * d.state : 0
      p.dy = dy + time * steps.dyStep + column * size
    }
    // It is zero but for the gradient by the last state, which waits for a sequence's end, and for GRUs.
    if !d.cell.isGated && a.lengths == nil && index < d.steps - 1 { p.carry = nil }
  }

  // MARK: Results

  /// What is left after all steps, to the caller.
  private func stateGradients(_ layer: Int, _ direction: Int) {
    let recurrence = layer * d.directions + direction
    func give(_ source: UnsafeMutableRawPointer, _ pitch: Int, _ target: UnsafeMutableRawPointer?, _ width: Int) {
      guard let target else { return }
      copyRows(
        UnsafeRawPointer(source), pitch, into: target + recurrence * d.batch * width * size, width, rows: d.batch,
        width: width, size: size, accumulate: a.accumulate)
    }
    give(carry(direction), plan.pitch.state, a.dh0, d.state)
    give(dc(direction), plan.pitch.product, a.dc0, d.hidden)
  }

  private func weightGradients(
    _ layer: Int, _ direction: Int, _ input: UnsafeRawPointer, _ dParameters: UnsafeMutableRawPointer,
    _ inputStride: Int
  ) throws(ApusError) {
    guard let products = plan.gradientProducts(layer: layer), let states = plan.stateProducts else { return }
    func target(_ which: RecurrentParameter) -> UnsafeMutableRawPointer? {
      d.parameter(which, layer: layer, direction: direction).map { dParameters + $0.offset * size }
    }
    let gates = UnsafeRawPointer(dGates(direction))
    let room = scratch + areas.product
    let adds = a.accumulate
    if let target = target(.inputWeights) {
      try runProduct(
        products.weights, context, a: gates + d.inputGradientColumn * size, b: input, c: target, adds: adds,
        scratch: room)
    }
    let w = plan.workspace
    // The state before time t lies in place t, or t + 2 where time runs backward.
    let place = d.direction.isReverse(direction) ? 2 : 0
    let h = UnsafeRawPointer(base(layer) + w.h) + (place * d.batch * plan.pitch.h + direction * d.state) * size
    let product = UnsafeRawPointer(base(layer) + (direction == 0 ? w.product.0 : w.product.1))
    if let target = target(.recurrentWeights) {
      for part in states.parts {
        try runProduct(
          part.plan, context, a: gates + part.column * size, b: part.takesProduct ? product : h,
          c: target + part.row * d.state * size, adds: adds, scratch: room)
      }
    }
    if let projection = states.projection, let target = target(.projection) {
      try runProduct(
        projection, context, a: UnsafeRawPointer(dState(direction)), b: product, c: target, adds: adds, scratch: room)
    }
    if let bias = states.bias { try biasGradients(bias, gates, target(.inputBias), target(.recurrentBias)) }
    if let target = target(.peepholes) { try peepholeGradients(layer, direction, place, gates, target) }
  }

  private func fillOnes() {
    let rows = d.steps * d.batch
    if d.dataType == .float32 {
      (scratch + areas.ones).initializeMemory(as: Float.self, repeating: 1, count: rows)
    } else {
      (scratch + areas.ones).initializeMemory(as: Double.self, repeating: 1, count: rows)
    }
  }

  private func biasGradients(
    _ plan: GemmPlan, _ gates: UnsafeRawPointer, _ input: UnsafeMutableRawPointer?,
    _ recurrent: UnsafeMutableRawPointer?
  ) throws(ApusError) {
    let sums = scratch + areas.bias
    try runProduct(
      plan, context, a: scratch + areas.ones, b: gates, c: sums, scratch: scratch + areas.product)
    let h = d.hidden
    /// `count` sums from column `from` on to row `to` of a bias.
    func give(_ target: UnsafeMutableRawPointer?, _ from: Int, _ to: Int, _ count: Int) {
      guard let target else { return }
      copyRows(
        sums + from * size, count, into: target + to * size, count, rows: 1, width: count, size: size,
        accumulate: a.accumulate)
    }
    if d.cell == .gru {
      give(input, h, 0, 3 * h)
      give(recurrent, h, 0, 2 * h)
      give(recurrent, 0, 2 * h, h)
    } else {
      give(input, 0, 0, d.gateRows)
      give(recurrent, 0, 0, d.gateRows)
    }
  }

  private func peepholeGradients(
    _ layer: Int, _ direction: Int, _ place: Int, _ gates: UnsafeRawPointer, _ target: UnsafeMutableRawPointer
  ) throws(ApusError) {
    let c = UnsafeRawPointer(base(layer) + plan.workspace.c) + direction * d.hidden * size
    let step = d.batch * plan.pitch.c * size
    let columns = 256
    // i and f saw c before the step, o the one after.
    let parts = [(0, place), (1, place), (3, 1)] as InlineArray<3, (Int, Int)>
    try context.parallel(count: d.hidden, grain: columns) { range in
      for row in 0..<3 {
        let (gate, place) = parts[row]
        plan.kernels.columnDots(
          gates + (gate * d.hidden + range.lowerBound) * size, plan.pitch.gates,
          c + place * step + range.lowerBound * size, plan.pitch.c, d.steps * d.batch, range.count,
          target + (row * d.hidden + range.lowerBound) * size, a.accumulate)
      }
    }
  }

  /// The gradient by a layer's input: for the layer below, or the caller's dx.
  private func dataGradient(_ layer: Int) throws(ApusError) {
    guard let products = plan.gradientProducts(layer: layer) else { return }
    let isStaged = layer == 0 && inputRows.isStaged
    let target: UnsafeMutableRawPointer
    var adds = false
    if layer > 0 {
      target = dOutput(layer - 1)
    } else {
      guard let dx = a.dx else { return }
      target = isStaged ? scratch + areas.dInput : dx
      adds = a.accumulate && !isStaged
    }
    for direction in 0..<d.directions {
      let own = plan.weights(body, layer: layer, direction: direction)
      try runProduct(
        products.data, context, a: UnsafeRawPointer(dGates(direction)) + d.inputGradientColumn * size, b: own.data,
        c: target, adds: adds || direction > 0, scratch: scratch + areas.product)
    }
    if isStaged, let dx = a.dx {
      try inputRows.unstage(UnsafeRawPointer(target), into: dx, accumulate: a.accumulate, context)
    }
  }
}
