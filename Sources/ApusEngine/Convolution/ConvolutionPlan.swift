import ApusKernelInterface

/// A validated convolution with its algorithm chosen. Immutable; any number of threads may run it at once.
///
/// Bits of a result depend on the problem, the data and the instruction set only, never on threads, back end or alignment;
/// forward and backward by data, not on the batch around a sample either.
public final class ConvolutionPlan: Sendable {
  /// The problem as the caller described it.
  public let descriptor: ConvolutionDescriptor
  /// What the plan computes.
  public let direction: ConvolutionDirection
  /// Whose kernels every run uses.
  public let instructionSet: InstructionSet
  /// Spatial size of y.
  public let outputSize: Extents
  /// What was chosen.
  public let algorithm: ConvolutionAlgorithm
  let sides: ConvolutionSides
  let method: any ConvolutionMethod
  let bias: BiasGradient?
  let size: Int

  /// Validates and plans; allocates the plan alone. Throws `.invalidArgument` where a rule of `ConvolutionDescriptor` is
  /// broken, `.unsupported` for a reserved data type, or an algorithm that cannot do this problem.
  public init(
    _ descriptor: ConvolutionDescriptor, direction: ConvolutionDirection, context: ExecutionContext
  ) throws(ApusError) {
    let start = Verbose.isOn ? ContinuousClock.now : nil
    let choices = try Self.algorithms(descriptor, direction: direction, context: context)
    let algorithm = descriptor.algorithm ?? choices[0]
    if !choices.contains(algorithm) {
      throw ApusError(
        .unsupported,
        "algorithm is \(algorithm.name), but this problem has \(choices.map(\.name).joined(separator: ", "))")
    }
    let sides = try ConvolutionSides(descriptor)
    let table = context.instructionSet.kernels
    size = descriptor.dataType.size
    self.descriptor = descriptor
    self.direction = direction
    self.algorithm = algorithm
    self.sides = sides
    instructionSet = context.instructionSet
    outputSize = try descriptor.outputSize()
    method = try Self.makeMethod(
      algorithm, sides, direction.onSides(isTransposed: descriptor.isTransposed), descriptor,
      isForward: direction == .forward, context)
    bias =
      direction == .backwardWeights && descriptor.hasBias
      ? BiasGradient(
        dy: ChannelTensor(channels: descriptor.outputChannels, extents: outputSize, layout: descriptor.yLayout),
        samples: descriptor.batch, gemm: size == 4 ? table.gemm32 : table.gemm64, size: size) : nil
    if let start { Verbose.emit(record("plan", context, Verbose.microseconds(since: start))) }
  }

  /// The algorithms that can do a problem, best first: a function of the problem alone, never of the batch or the threads.
  /// Throws the first rule that the descriptor breaks.
  public static func algorithms(
    _ descriptor: ConvolutionDescriptor, direction: ConvolutionDirection, context: ExecutionContext
  ) throws(ApusError) -> [ConvolutionAlgorithm] {
    try descriptor.validate()
    let sides = try ConvolutionSides(descriptor)
    let table = context.instructionSet.kernels
    let gemm = descriptor.dataType == .float32 ? table.gemm32 : table.gemm64
    let onSides = direction.onSides(isTransposed: descriptor.isTransposed)
    if onSides == .gatherBig { try sides.checkPasses() }
    return choices(sides, onSides, gemm, descriptor)
  }

  /// Operations of one run, taps in the padding counted; a multiply-add counts as two.
  public var flops: Double {
    2 * Double(sides.batch) * Double(sides.k) * Double(sides.cPerGroup) * Double(sides.taps)
      * Double(sides.output.product)
  }

  /// Bytes that one run reads and writes at least: every tensor once.
  public var bytes: Double {
    let x = Double(sides.batch) * Double(sides.c) * Double(sides.window.input.product)
    let y = Double(sides.batch) * Double(sides.k) * Double(sides.output.product)
    let residual = direction == .forward && descriptor.hasResidual ? (descriptor.isTransposed ? x : y) : 0
    return Double(size) * (x + y + Double(descriptor.weightCount) + residual)
  }

  /// The shape as kbench takes it: "n1c64h56w56k64f3s1p1".
  public var problemString: String { descriptor.problemString }

  /// Algorithm, blocking, type and instruction set, for people.
  public var description: String {
    let name =
      switch direction {
      case .forward: "forward"
      case .backwardData: "backward by data"
      case .backwardWeights: "backward by weights"
      }
    return "conv \(descriptor.dataType.name) \(problemString) \(name): \(algorithm.name), \(method.details), "
      + instructionSet.name
  }

  func record(_ event: StaticString, _ context: ExecutionContext, _ microseconds: Double) -> Verbose.Record {
    Verbose.Record(
      event: event, operation: "conv", problem: problemString, description: description,
      instructionSet: instructionSet, backend: context.backend, threads: threadsUsed(context: context),
      microseconds: microseconds)
  }
}

/// What is computed between the sides of the plain convolution.
enum SidesDirection: Sendable {
  case gatherSmall
  case gatherBig
  case weights
}

extension ConvolutionDirection {
  /// A transposed convolution's forward is the plain one's backward by data.
  func onSides(isTransposed: Bool) -> SidesDirection {
    switch self {
    case .forward: isTransposed ? .gatherBig : .gatherSmall
    case .backwardData: isTransposed ? .gatherSmall : .gatherBig
    case .backwardWeights: .weights
    }
  }
}
