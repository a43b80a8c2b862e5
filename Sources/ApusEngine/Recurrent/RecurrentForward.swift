import ApusKernelInterface

/// Where the parts of a forward run's scratch lie.
struct RecurrentForwardAreas {
  let words: Int
  let buffers: Int
  let packed: Int
  let product: Int
  let staging: Int
  let gates: (Int, Int)
  let h: (Int, Int)
  let c: Int
  let products: (Int, Int)
  let sum: Int
  let bytes: Int
  let slices: Int
  let bufferBytes: Int

  init(_ plan: RecurrentPlan, _ context: ExecutionContext, packs: Bool) {
    let d = plan.descriptor
    let size = plan.size
    var layout = AreaLayout()
    slices = plan.recurrenceThreads(context)
    words = layout.add(StepTeam.wordBytes(slices))
    bufferBytes = (plan.kernels.bufferElements * size).roundedUp(to: 128)
    buffers = layout.add(slices * bufferBytes)
    packed = layout.add(packs ? plan.packedBytes : 0)
    product = layout.add(plan.productScratch(context, backward: false))
    staging = layout.add(d.steps * d.batch * d.input * size)
    let isTraining = plan.mode == .training
    let keepsGates = isTraining && d.cell.gateColumns > 1
    let gateBytes = keepsGates ? 0 : plan.chunk * d.batch * plan.pitch.gates * size
    gates = (layout.add(gateBytes), layout.add(d.directions > 1 ? gateBytes : 0))
    // The states of every step are needed where another layer or the sum of the directions takes them.
    let keepsStates = d.layers > 1 || d.direction == .bidirectionalSummed
    let hBytes = isTraining ? 0 : (keepsStates ? d.steps + 2 : 2) * d.batch * plan.pitch.h * size
    h = (layout.add(hBytes), layout.add(d.layers > 1 ? hBytes : 0))
    c = layout.add(isTraining || d.cell != .lstm ? 0 : 2 * d.batch * plan.pitch.c * size)
    let hasProduct = !isTraining && (d.projection > 0 || d.cell == .gruResetBefore)
    let productBytes = hasProduct ? d.batch * plan.pitch.product * size : 0
    products = (layout.add(productBytes), layout.add(d.directions > 1 ? productBytes : 0))
    let sums = !isTraining && d.direction == .bidirectionalSummed && d.layers > 1
    sum = layout.add(sums ? d.steps * d.batch * d.state * size : 0)
    bytes = layout.bytes
  }
}

/// One forward run.
struct RecurrentForwardRun {
  private let plan: RecurrentPlan
  private let d: RecurrentDescriptor
  private let context: ExecutionContext
  private let a: RecurrentArguments
  private let body: UnsafeRawPointer
  private let scratch: UnsafeMutableRawPointer
  private let areas: RecurrentForwardAreas
  private let size: Int
  private let rows: RecurrentRows

  init(
    _ plan: RecurrentPlan, _ context: ExecutionContext, _ arguments: RecurrentArguments, _ body: UnsafeRawPointer,
    _ scratch: UnsafeMutableRawPointer, _ areas: RecurrentForwardAreas
  ) {
    self.plan = plan
    d = plan.descriptor
    self.context = context
    a = arguments
    self.body = body
    self.scratch = scratch
    self.areas = areas
    size = plan.size
    rows = RecurrentRows(plan, width: plan.descriptor.output, lengths: arguments.lengths)
  }

  func run() throws(ApusError) {
    guard let x = a.x else { return }
    var input = x
    let inputRows = RecurrentRows(plan, width: d.input, lengths: a.lengths)
    if inputRows.isStaged {
      try inputRows.stage(x, into: scratch + areas.staging, context)
      input = UnsafeRawPointer(scratch + areas.staging)
    }
    var inputStride = d.input
    for layer in 0..<d.layers {
      let states = LayerStates(self, layer)
      try runLayer(layer, input, inputStride, states)
      let isLast = layer == d.layers - 1
      if d.direction == .bidirectionalSummed {
        if isLast {
          if let y = a.y { try rows.sum(states.h, pitch: plan.pitch.h, into: y, isCallers: true, context) }
        } else {
          try rows.sum(states.h, pitch: plan.pitch.h, into: states.sum, isCallers: false, context)
        }
        input = UnsafeRawPointer(states.sum)
        inputStride = d.state
      } else {
        input = UnsafeRawPointer(states.h + d.batch * plan.pitch.h * size)
        inputStride = plan.pitch.h
      }
    }
  }

  /// Where a layer's states, gates and products lie.
  private struct LayerStates {
    let h: UnsafeMutableRawPointer
    let c: UnsafeMutableRawPointer
    let gates: (UnsafeMutableRawPointer, UnsafeMutableRawPointer)
    let products: (UnsafeMutableRawPointer, UnsafeMutableRawPointer)
    let sum: UnsafeMutableRawPointer
    /// Every step has its own place for h; else two take turns.
    let keepsStates: Bool
    /// Likewise for c, gates and products.
    let keepsAll: Bool
    /// Gates of all steps lie one after the other; else those of a chunk.
    let keepsGates: Bool

    init(_ run: RecurrentForwardRun, _ layer: Int) {
      let plan = run.plan
      let d = run.d
      let areas = run.areas
      let scratch = run.scratch
      keepsAll = plan.mode == .training
      keepsGates = keepsAll && d.cell.gateColumns > 1
      let ownGates = (scratch + areas.gates.0, scratch + areas.gates.1)
      if keepsAll, let workspace = run.a.workspace {
        let w = plan.workspace
        let base =
          workspace.alignedUp(toMultipleOf: Memory.alignment) + RecurrentWorkspace.headerBytes + layer * w.layerBytes
        h = base + w.h
        c = base + w.c
        gates = keepsGates ? (base + w.gates.0, base + w.gates.1) : ownGates
        products = (base + w.product.0, base + w.product.1)
        sum = base + w.sum
        keepsStates = true
      } else {
        h = scratch + (layer % 2 == 0 ? areas.h.0 : areas.h.1)
        c = scratch + areas.c
        gates = ownGates
        products = (scratch + areas.products.0, scratch + areas.products.1)
        sum = scratch + areas.sum
        keepsStates = layer < d.layers - 1 || d.direction == .bidirectionalSummed
      }
    }
  }

  private func runLayer(
    _ layer: Int, _ input: UnsafeRawPointer, _ inputStride: Int, _ states: LayerStates
  ) throws(ApusError) {
    let pitch = plan.pitch
    let batch = d.batch
    for direction in 0..<d.directions { setInitialState(layer, direction, states) }
    var steps = RecurrentSteps(plan, finishes: plan.forwardFinishes, products: plan.forwardProducts)
    steps.hStep = batch * pitch.h * size
    steps.cStep = batch * pitch.c * size
    steps.gateStep = batch * pitch.gates * size
    steps.productStep = states.keepsAll ? batch * pitch.product * size : 0
    steps.yStep = rows.stepStride * size
    let y = layer == d.layers - 1 && d.direction != .bidirectionalSummed ? a.y : nil
    for direction in 0..<d.directions { setTemplates(&steps, layer, direction, states, writes: y != nil) }
    let phases = steps.phasesOfStep
    let chunk = plan.chunk
    var first = 0
    while first < d.steps {
      let count = min(chunk, d.steps - first)
      for direction in 0..<d.directions {
        // Processed in the direction of the recurrence, the chunk's rows lie together in time either way.
        let time = d.direction.isReverse(direction) ? d.steps - first - count : first
        let own = plan.weights(body, layer: layer, direction: direction)
        let products = plan.inputProducts(layer: layer)
        let gates = direction == 0 ? states.gates.0 : states.gates.1
        try runProduct(
          count == chunk ? products.whole : products.rest ?? products.whole, context,
          a: input + time * batch * inputStride * size, b: own.input,
          c: states.keepsGates ? gates + time * steps.gateStep : gates,
          scratch: scratch + areas.product)
      }
      try runSteps(steps, first, count, phases, states, y)
      first += count
    }
    finalStates(layer, states)
  }

  private func runSteps(
    _ steps: RecurrentSteps, _ first: Int, _ count: Int, _ phases: Int, _ states: LayerStates,
    _ y: UnsafeMutableRawPointer?
  ) throws(ApusError) {
    let team = StepTeam(slices: areas.slices, words: scratch + areas.words)
    try team.run(phases: count * phases, context: context) { index, slice, participant in
      let phase = index % phases
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
        place(&p, steps, first, first + index / phases, count, direction, phase, states, y)
        plan.kernels.phase(&p, from - direction * each, to - direction * each, buffer)
      }
    }
  }

  /// The pointers of one step.
  private func place(
    _ p: inout RecurrentPhase, _ steps: RecurrentSteps, _ first: Int, _ index: Int, _ count: Int, _ direction: Int,
    _ phase: Int, _ states: LayerStates, _ y: UnsafeMutableRawPointer?
  ) {
    let time = steps.time(index, direction: direction)
    let isReverse = d.direction.isReverse(direction)
    p.step = time
    let h = states.h + direction * d.state * size
    let hPlaces =
      states.keepsStates ? StatePlaces(time: time, isReverse: isReverse) : StatePlaces(index: index)
    p.hBefore = h + hPlaces.before * steps.hStep
    p.hAfter = h + hPlaces.after * steps.hStep
    if d.cell == .lstm {
      let c = states.c + direction * d.hidden * size
      let cPlaces = states.keepsAll ? StatePlaces(time: time, isReverse: isReverse) : StatePlaces(index: index)
      p.cBefore = c + cPlaces.before * steps.cStep
      p.cAfter = c + cPlaces.after * steps.cStep
    }
    let gates = direction == 0 ? states.gates.0 : states.gates.1
    let firstTime = states.keepsGates ? 0 : isReverse ? d.steps - first - count : first
    p.gateValues = gates + (time - firstTime) * steps.gateStep
    if steps.phasesOfStep > 1 {
      p.product = (direction == 0 ? states.products.0 : states.products.1) + time * steps.productStep
    }
    p.a = phase == 0 ? UnsafeRawPointer(p.hBefore) : UnsafeRawPointer(p.product)
    if let y { p.y = y + time * steps.yStep + direction * d.state * size }
  }

  /// What does not change from step to step.
  private func setTemplates(
    _ steps: inout RecurrentSteps, _ layer: Int, _ direction: Int, _ states: LayerStates, writes: Bool
  ) {
    let own = plan.weights(body, layer: layer, direction: direction)
    for phase in 0..<steps.phasesOfStep {
      let i = 2 * direction + phase
      steps.phases[i].panels = own.product(phase)
      steps.phases[i].aRowStride = phase == 0 ? plan.pitch.h : plan.pitch.product
      steps.phases[i].lengths = a.lengths
      steps.phases[i].gateRowStride = plan.pitch.gates
      steps.phases[i].gateStride = d.hidden
      steps.phases[i].keeps = states.keepsGates
      steps.phases[i].hRowStride = plan.pitch.h
      steps.phases[i].cRowStride = plan.pitch.c
      steps.phases[i].yRowStride = rows.rowStride
      steps.phases[i].productRowStride = plan.pitch.product
      steps.phases[i].bias = d.biases > 0 ? own.bias : nil
      steps.phases[i].gateBias = d.cell == .gru && d.biases > 1 ? own.gateBias : nil
      steps.phases[i].peepholes = d.hasPeepholes ? own.peepholes : nil
      steps.phases[i].clip = d.cellClip
    }
  }

  /// A recurrence's first state to where its first step looks for it.
  private func setInitialState(_ layer: Int, _ direction: Int, _ states: LayerStates) {
    let recurrence = layer * d.directions + direction
    let isReverse = d.direction.isReverse(direction)
    func set(
      _ source: UnsafeRawPointer?, _ target: UnsafeMutableRawPointer, _ width: Int, _ pitch: Int, keeps: Bool
    ) {
      let place = keeps && isReverse ? d.steps + 1 : 0
      copyRows(
        source.map { $0 + recurrence * d.batch * width * size }, width,
        into: target + (place * d.batch * pitch + direction * width) * size, pitch, rows: d.batch, width: width,
        size: size)
    }
    set(a.h0, states.h, d.state, plan.pitch.h, keeps: states.keepsStates)
    if d.cell == .lstm { set(a.c0, states.c, d.hidden, plan.pitch.c, keeps: states.keepsAll) }
  }

  /// The last states to the caller.
  private func finalStates(_ layer: Int, _ states: LayerStates) {
    for direction in 0..<d.directions {
      let recurrence = layer * d.directions + direction
      let isReverse = d.direction.isReverse(direction)
      func get(
        _ target: UnsafeMutableRawPointer?, _ source: UnsafeMutableRawPointer, _ width: Int, _ pitch: Int, keeps: Bool
      ) {
        guard let target else { return }
        let place = keeps ? (isReverse ? 1 : d.steps) : d.steps & 1
        copyRows(
          source + (place * d.batch * pitch + direction * width) * size, pitch,
          into: target + recurrence * d.batch * width * size, width, rows: d.batch, width: width, size: size)
      }
      get(a.hn, states.h, d.state, plan.pitch.h, keeps: states.keepsStates)
      get(a.cn, states.c, d.hidden, plan.pitch.c, keeps: states.keepsAll)
    }
  }
}
