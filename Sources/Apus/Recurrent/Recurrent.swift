internal import ApusEngine

/// Planned recurrent layers over sequences: T steps, a batch of B, each layer the outputs of the one before.
///
/// A plan is made once and run many times. Making it checks every argument. It is immutable: any number of threads may run
/// it at once. Within an instruction set, a sequence's results have the same bits for any number of threads, any back end,
/// whatever sequences are in the batch with it, and in windows, the state carried over, as in one piece.
///
///     let layer = try Recurrent<Float>(.lstm, steps: 25, batch: 16, input: 64, hidden: 128)
///     let weights = try layer.makePackedWeights(from: parameters)
///     var state = layer.makeState()
///     var y = [Float](repeating: 0, count: layer.outputCount)
///     try layer.forward(x.span, weights, state: &state, into: &y)
public struct Recurrent<Scalar: GemmScalar>: Sendable {
  let plan: RecurrentPlan

  /// Plans recurrent layers.
  ///
  /// - Parameters:
  ///   - cell: The unit of every layer.
  ///   - mode: Whether backward is to follow.
  ///   - steps: Steps of a sequence; 1 for streaming and decoding.
  ///   - batch: Sequences; 0 leaves nothing to do.
  ///   - input: Numbers of a step of x.
  ///   - hidden: Units of each recurrence.
  ///   - layers: Layers, one upon the other.
  ///   - direction: The order of the steps in every layer.
  ///   - biases: Bias vectors of each recurrence.
  ///   - layout: Of x, y and their gradients.
  ///   - context: Decides the instruction set; nil: the process's default.
  /// - Throws: `invalidArgument` for a size that is negative, above 2^31 - 1, or 0 (except the batch), a projection that is
  ///   not less than `hidden`, a clip that is no positive number, and sizes in bytes that overflow.
  ///
  /// Allocates the plan.
  public init(
    _ cell: RecurrentCell, mode: RecurrentMode = .inference, steps: Int, batch: Int, input: Int, hidden: Int,
    layers: Int = 1, direction: RecurrentDirection = .forward, biases: RecurrentBiases = .two,
    layout: SequenceLayout = .timeMajor, context: Context? = nil
  ) throws(ApusError) {
    var descriptor = RecurrentDescriptor(
      dataType: Scalar.dataType.engine, cell: .tanh, steps: steps, batch: batch, input: input, hidden: hidden)
    descriptor.apply(cell)
    if case .lstm(let projection, let clip, _) = cell {
      // The engine's 0 says "none", which is nil here.
      if projection == 0 { throw .invalid("projection is 0, but it must be at least 1, or nil") }
      if clip == 0 { throw .invalid("clip is 0, but it must be positive, or nil") }
    }
    descriptor.layers = layers
    descriptor.direction = direction.engine
    descriptor.biases = biases.rawValue
    descriptor.isBatchMajor = layout == .batchMajor
    let engine = try Context.resolve(context)
    plan = try translatingErrors { () throws(ApusEngine.ApusError) in
      try RecurrentPlan(descriptor, mode: mode == .training ? .training : .inference, context: engine)
    }
  }

  /// Elements of x and its gradient.
  public var inputCount: Int { plan.descriptor.steps * plan.descriptor.batch * plan.descriptor.input }
  /// Elements of y and its gradient: of each step and sequence twice the numbers of h where both directions are side by
  /// side.
  public var outputCount: Int { plan.descriptor.steps * plan.descriptor.batch * plan.descriptor.output }
  /// Elements of h: layers x directions x batch x numbers of a state.
  public var hiddenCount: Int { recurrences * plan.descriptor.state }
  /// Elements of c: layers x directions x batch x hidden; 0 of a cell that is no LSTM.
  public var cellCount: Int { plan.descriptor.cell == .lstm ? recurrences * plan.descriptor.hidden : 0 }
  /// Elements of all parameters.
  public var parameterCount: Int { plan.parameterCount }
  /// Whether forward keeps what backward needs.
  public var mode: RecurrentMode { plan.mode == .training ? .training : .inference }
  /// The instruction set of the plan: that of the context which it was made with.
  public var instructionSet: InstructionSet { InstructionSet(plan.instructionSet) }
  /// Operations of a forward run's products; a multiply-add counts as two.
  public var flops: Double { plan.flops }
  /// Operations of a backward run's products, with all gradients.
  public var backwardFlops: Double { plan.backwardFlops }
  /// Bytes that a forward run reads and writes at least: parameters, x and y once.
  public var bytes: Double { plan.bytes }

  private var recurrences: Int { plan.descriptor.layers * plan.descriptor.directions * plan.descriptor.batch }

  /// Bytes of scratch that a run with this context takes, if it is to use the caller's.
  public func scratchBytes(context: Context? = nil) throws(ApusError) -> Int {
    plan.scratchBytes(context: try Context.resolve(context))
  }

  /// Threads that a run with this context uses at most.
  public func threads(context: Context? = nil) throws(ApusError) -> Int {
    plan.threadsUsed(context: try Context.resolve(context))
  }

  /// A state of zeros.
  public func makeState() -> RecurrentState<Scalar> {
    RecurrentState(
      h: [Scalar](repeating: 0, count: hiddenCount), c: [Scalar](repeating: 0, count: cellCount))
  }

  /// Room for what forward in training saves.
  ///
  /// - Throws: `unsupported` for a plan made for inference; `outOfMemory`.
  public func makeWorkspace() throws(ApusError) -> RecurrentWorkspace {
    if plan.mode != .training {
      throw ApusError(.unsupported, "the plan was made for inference: only training has a workspace")
    }
    return try RecurrentWorkspace(bytes: plan.workspaceBytes)
  }
}

extension Recurrent: CustomStringConvertible {
  /// Shape, how the steps are computed, and instruction set, for people.
  public var description: String { plan.description }
}
