import ApusKernelInterface

/// The input products of a layer forward: all rows of a chunk of steps times the input's weights.
struct RecurrentInputProducts {
  /// A whole chunk.
  let whole: GemmPlan
  /// The last chunk, if it is shorter.
  let rest: GemmPlan?
}

/// The large products of a layer backward.
struct RecurrentGradientProducts {
  /// Gate gradients times the input's weights, overwriting or adding: the gradient by the layer's input.
  let data: GemmPlan
  /// Gate gradients, transposed, times the layer's input: the gradient by the input's weights.
  let weights: GemmPlan
}

/// The products of a recurrence that give gradients by the recurrent weights.
struct RecurrentStateProducts {
  struct Part {
    let plan: GemmPlan
    /// First column of the gate gradients, and first row of the weights.
    let column: Int
    let row: Int
    /// Whether the right operand is r * h rather than h.
    let takesProduct: Bool
  }
  let parts: [Part]
  /// dh of projected states, transposed, times what was projected.
  let projection: GemmPlan?
  /// A row of ones times gate gradients.
  let bias: GemmPlan?
}

/// A validated stack of recurrent layers. Immutable; any number of threads may run it at once.
///
/// The instruction set is that of the context it was made with. Bits of a sequence's results depend on its data, the
/// weights, and the instruction set only: never on threads, back end, alignment, the sequences around it, or on how a long
/// sequence is cut into windows. Gradients by weights sum over steps and sequences in an order that depends on their
/// numbers.
public final class RecurrentPlan: Sendable {
  /// The problem as the caller described it.
  public let descriptor: RecurrentDescriptor
  /// Whether forward saves what backward needs.
  public let mode: RecurrentMode
  /// Whose kernels every run uses.
  public let instructionSet: InstructionSet
  /// Elements of the parameters.
  public let parameterCount: Int
  let kernels: RecurrentKernels
  let gemm: GemmKernels
  /// Bytes of an element.
  let size: Int
  let pitch: RecurrentPitches
  let workspace: RecurrentWorkspace
  let forwardProducts: [RecurrentProduct]
  let backwardProducts: [RecurrentProduct]
  let forwardFinishes: [RecurrentFinish]
  let backwardFinishes: [RecurrentFinish]
  /// Steps whose input products are made at a time.
  let chunk: Int
  private let firstInput: RecurrentInputProducts
  private let innerInput: RecurrentInputProducts
  private let firstGradients: RecurrentGradientProducts?
  private let innerGradients: RecurrentGradientProducts?
  let stateProducts: RecurrentStateProducts?
  /// nil only while the plan is being made.
  private nonisolated(unsafe) var packedPlaces: (first: RecurrentPackedPlaces, inner: RecurrentPackedPlaces)?

  /// Rows of an input product that keep it efficient while its results stay in the caches until they are used.
  private static let chunkRows = 256

  /// Validates and plans; allocates the plan and the plans of its large products. Throws `.invalidArgument` where a rule of
  /// `RecurrentDescriptor` is broken, `.unsupported` for a reserved data type.
  public init(
    _ descriptor: RecurrentDescriptor, mode: RecurrentMode = .inference, context: ExecutionContext
  ) throws(ApusError) {
    let start = Verbose.isOn ? ContinuousClock.now : nil
    parameterCount = try descriptor.parameterCount()
    let d = descriptor
    self.descriptor = d
    self.mode = mode
    instructionSet = context.instructionSet
    let table = context.instructionSet.kernels
    kernels = d.dataType == .float32 ? table.recurrent32 : table.recurrent64
    gemm = d.dataType == .float32 ? table.gemm32 : table.gemm64
    size = d.dataType.size
    pitch = RecurrentPitches(d)
    workspace = RecurrentWorkspace(d, pitch)
    forwardProducts = d.forwardProducts(lanes: gemm.lanes)
    backwardProducts = d.backwardProducts(lanes: gemm.lanes)
    forwardFinishes = d.forwardFinishes()
    backwardFinishes = d.backwardFinishes()
    // All steps at once where their products are kept anyway.
    let steps = max(1, RecurrentPlan.chunkRows / max(1, d.batch))
    chunk = mode == .training && d.cell.gateColumns > 1 ? d.steps : min(d.steps, steps)
    let builder = RecurrentProductBuilder(d, pitch, context)
    firstInput = try builder.input(layer: 0, chunk: chunk)
    innerInput = d.layers > 1 ? try builder.input(layer: 1, chunk: chunk) : firstInput
    if mode == .training {
      firstGradients = try builder.gradients(layer: 0)
      innerGradients = d.layers > 1 ? try builder.gradients(layer: 1) : firstGradients
      stateProducts = try builder.states()
    } else {
      firstGradients = nil
      innerGradients = nil
      stateProducts = nil
    }
    packedPlaces = nil
    let first = RecurrentPackedPlaces(self, layer: 0)
    packedPlaces = (first, d.layers > 1 ? RecurrentPackedPlaces(self, layer: 1) : first)
    if let start { Verbose.emit(record("plan", context, Verbose.microseconds(since: start))) }
  }

  var firstPlaces: RecurrentPackedPlaces { packedPlaces.unsafelyUnwrapped.first }
  var innerPlaces: RecurrentPackedPlaces { packedPlaces.unsafelyUnwrapped.inner }
  func inputProducts(layer: Int) -> RecurrentInputProducts { layer == 0 ? firstInput : innerInput }
  func gradientProducts(layer: Int) -> RecurrentGradientProducts? { layer == 0 ? firstGradients : innerGradients }

  /// Operations of the products of a forward run; a multiply-add counts as two.
  public var flops: Double {
    let d = descriptor
    func recurrence(_ layer: Int) -> Double {
      Double(d.gateRows) * Double(d.layerInput(layer) + d.state) + Double(d.projection) * Double(d.hidden)
    }
    let perRow = Double(d.directions) * (recurrence(0) + Double(d.layers - 1) * recurrence(1))
    return 2 * Double(d.steps) * Double(d.batch) * perRow
  }

  /// Operations of the products of a backward run with all gradients.
  public var backwardFlops: Double { 2 * flops }

  /// Bytes that a forward run reads and writes at least: weights, x and y once.
  public var bytes: Double {
    let rows = Double(descriptor.steps) * Double(descriptor.batch)
    return Double(size) * (Double(parameterCount) + rows * Double(descriptor.input + descriptor.output))
  }

  /// Bytes of the workspace that forward in training mode fills in for backward; 0 for inference.
  public var workspaceBytes: Int { mode == .training ? Memory.alignment + workspace.bytes : 0 }

  /// The shape as kbench takes it.
  public var problemString: String { descriptor.problemString + (mode == .training ? ":train" : "") }

  /// Type, cell, how the steps are computed, and instruction set, for people.
  public var description: String {
    let tile =
      descriptor.batch <= kernels.fewRows
      ? "tile \(max(1, descriptor.batch)) x a panel" : "tile \(gemm.tileRows)x\(gemm.tileColumns)"
    let products = forwardProducts.map { "\($0.blocks) panels \($0.k)x\($0.panelWidth)" }.joined(separator: " + ")
    return
      "rnn \(descriptor.dataType.name) \(problemString): input products of \(chunk) steps, then steps of \(products), "
      + "\(tile), \(instructionSet.name)"
  }

  func record(_ event: StaticString, _ context: ExecutionContext, _ microseconds: Double) -> Verbose.Record {
    Verbose.Record(
      event: event, operation: "rnn", problem: problemString, description: description,
      instructionSet: instructionSet, backend: context.backend, threads: threadsUsed(context: context),
      microseconds: microseconds)
  }

  /// Threads that a run with this context uses at most.
  public func threadsUsed(context: ExecutionContext) -> Int {
    max(recurrenceThreads(context), inputProducts(layer: 0).whole.threadsUsed(context: context))
  }

  /// Rows of the batch by register tiles.
  var rowTiles: BalancedSplit {
    BalancedSplit(
      descriptor.batch, atMost: descriptor.batch <= kernels.fewRows ? kernels.fewRows : gemm.tileRows)
  }

  /// Threads that share a step. A rendezvous takes a fraction of a microsecond, so a slice must be longer than that.
  func recurrenceThreads(_ context: ExecutionContext) -> Int {
    if context.threads == 1 { return 1 }
    let d = descriptor
    let products = Double(d.directions) * Double(d.gateRows) * Double(d.state)
    // About 4 x lanes multiply-adds or 64 bytes of weights a nanosecond, and 2 ns a gate's vector.
    let product = max(products * Double(d.batch) / Double(4 * gemm.lanes), products * Double(size) / 64)
    let cells = 2 * Double(d.directions) * Double(d.batch) * Double(d.gateRows) / Double(gemm.lanes)
    if product + cells < RecurrentPlan.sharedStepNanoseconds { return 1 }
    let items = d.directions * rowTiles.count * forwardProducts[0].blocks
    return max(1, min(context.effectiveThreads, items))
  }

  /// A step shorter than this is one thread's.
  private static let sharedStepNanoseconds = 1000.0
}

/// Makes the plans of the large products.
private struct RecurrentProductBuilder {
  let d: RecurrentDescriptor
  let pitch: RecurrentPitches
  let context: ExecutionContext

  init(_ d: RecurrentDescriptor, _ pitch: RecurrentPitches, _ context: ExecutionContext) {
    self.d = d
    self.pitch = pitch
    self.context = context
  }

  /// From one row of a layer's input to the next.
  private func inputStride(_ layer: Int) -> Int {
    layer == 0 ? d.input : d.direction == .bidirectionalSummed ? d.state : pitch.h
  }

  func input(layer: Int, chunk: Int) throws(ApusError) -> RecurrentInputProducts {
    func plan(_ steps: Int) throws(ApusError) -> GemmPlan {
      var product = GemmDescriptor(
        dataType: d.dataType, m: steps * d.batch, n: d.gateRows, k: d.layerInput(layer), transposeA: false,
        transposeB: true)
      product.lda = inputStride(layer)
      product.ldc = pitch.gates
      product.packedB = true
      product.isRowInvariant = true
      return try GemmPlan(product, context: context)
    }
    let rest = d.steps % chunk
    return RecurrentInputProducts(whole: try plan(chunk), rest: rest == 0 ? nil : try plan(rest))
  }

  func gradients(layer: Int) throws(ApusError) -> RecurrentGradientProducts {
    let rows = d.steps * d.batch
    var data = GemmDescriptor(dataType: d.dataType, m: rows, n: d.layerInput(layer), k: d.gateRows)
    data.lda = pitch.gates
    data.packedB = true
    data.isRowInvariant = true
    var weights = GemmDescriptor(
      dataType: d.dataType, m: d.gateRows, n: d.layerInput(layer), k: rows, transposeA: true, transposeB: false)
    weights.lda = pitch.gates
    weights.ldb = inputStride(layer)
    return RecurrentGradientProducts(
      data: try GemmPlan(data, context: context), weights: try GemmPlan(weights, context: context))
  }

  func states() throws(ApusError) -> RecurrentStateProducts {
    let rows = d.steps * d.batch
    func product(_ m: Int, _ n: Int, _ lda: Int, _ ldb: Int) throws(ApusError) -> GemmPlan {
      var product = GemmDescriptor(dataType: d.dataType, m: m, n: n, k: rows, transposeA: true, transposeB: false)
      product.lda = lda
      product.ldb = ldb
      return try GemmPlan(product, context: context)
    }
    func part(_ m: Int, column: Int, row: Int, takesProduct: Bool = false) throws(ApusError)
      -> RecurrentStateProducts.Part
    {
      .init(
        plan: try product(m, d.state, pitch.gates, takesProduct ? pitch.product : pitch.h), column: column, row: row,
        takesProduct: takesProduct)
    }
    let h = d.hidden
    let parts =
      switch d.cell {
      case .tanh, .relu, .lstm: [try part(d.gateRows, column: 0, row: 0)]
      case .gru: [try part(2 * h, column: h, row: 0), try part(h, column: 0, row: 2 * h)]
      case .gruResetBefore:
        [try part(2 * h, column: 0, row: 0), try part(h, column: 2 * h, row: 2 * h, takesProduct: true)]
      }
    let projection = d.projection > 0 ? try product(d.projection, h, pitch.state, pitch.product) : nil
    var bias = GemmDescriptor(dataType: d.dataType, m: 1, n: d.cell == .gru ? 4 * h : d.gateRows, k: rows)
    bias.ldb = pitch.gates
    return RecurrentStateProducts(
      parts: parts, projection: projection, bias: d.biases > 0 ? try GemmPlan(bias, context: context) : nil)
  }
}
