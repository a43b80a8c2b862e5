internal import ApusEngine

/// A planned convolution of 1 to 3 spatial dimensions, forward and backward:
///
///     y = activation(conv(x, w) + bias + residual)
///     conv(x, w)[n][k][p] = sum over c, tap of w[k][c][tap] * x[n][c][p * stride - before + tap * dilation]
///
/// It is a cross-correlation, as deep learning has it; x is 0 in the padding, a zero that is multiplied. Without
/// transposition y has floor((N + before + after - dilation * (F - 1) - 1) / stride) + 1 elements along a dimension in which
/// x has N and the kernel F. x has the shape batch x inputChannels x `input`, y batch x outputChannels x ``outputShape``,
/// each in its ``TensorLayout``, dense. Weights have the shape outputChannels x (inputChannels / groups) x `kernel`.
///
/// A plan is made once and run many times. Making it checks every argument and chooses the algorithm. It is immutable: any
/// number of threads may run it at once. NaN and infinity propagate. Within an instruction set the bits of a sample's y and
/// dx depend neither on the batch around it nor on threads, back end, alignment or scratch, and those of dw and db not on
/// threads, back end, alignment or scratch.
///
///     let layer = try Convolution<Float>(
///       batch: 32, inputChannels: 3, outputChannels: 10, input: [32, 32], kernel: [5, 5], padding: .same, addsBias: true,
///       activation: .relu, directions: [.forward, .backwardWeights])
///     try layer.forward(x, weights, into: &y, bias: bias.span)   // 32 x 32 x 32 x 10, channels last
///     try layer.backwardWeights(x, dy, into: &dw, bias: &db)
public struct Convolution<Scalar: GemmScalar>: Sendable {
  @usableFromInline let core: ConvolutionCore

  /// Plans a convolution.
  ///
  /// - Parameters:
  ///   - batch: Images; 0 is legal.
  ///   - inputChannels: Channels of x, a multiple of `groups`.
  ///   - outputChannels: Channels of y, a multiple of `groups`.
  ///   - input: The spatial size of x: (length), (height, width) or (depth, height, width).
  ///   - kernel: The size of a filter, as many numbers as `input`. So have all arrays below.
  ///   - stride: Distance between neighbouring windows; nil: 1.
  ///   - dilation: Distance between neighbouring taps; nil: 1.
  ///   - padding: Zeros around x. A transposed convolution has none or explicit ones, which shorten y.
  ///   - groups: Channels fall into so many groups that do not see each other. As many as input channels make a depthwise
  ///     convolution.
  ///   - isTransposed: The transpose of the convolution from y's shape to x's ("deconvolution"). y then has
  ///     (N - 1) * stride - before - after + dilation * (F - 1) + 1 + outputPadding elements along a dimension, and weights
  ///     have the shape inputChannels x (outputChannels / groups) x `kernel`.
  ///   - outputPadding: Transposed only: elements at the end of y, fewer than the stride; nil: none.
  ///   - rounding: What happens where the stride does not divide the way of the kernel.
  ///   - inputLayout: The order of x and dx in memory.
  ///   - outputLayout: The order of y, dy and the residual; nil: that of x.
  ///   - addsBias: Forward adds a number to each output channel, and backward by weights gives its gradient.
  ///   - activation: Forward only, applied last. The caller takes dy back through it before the backward directions.
  ///   - addsResidual: Forward adds a tensor of y's shape and layout before the activation.
  ///   - takesPackedWeights: Forward and backward by data take ``PackedWeights``.
  ///   - allowsWinograd: The algorithm may be Winograd's, whose rounding error is larger: the C header states its
  ///     bound.
  ///   - algorithm: For every direction of the plan; nil: the first of ``algorithms(for:)``.
  ///   - directions: What the plan is to compute.
  ///   - context: Decides the instruction set; nil: the process's default.
  /// - Throws: `invalidArgument` for arrays of different lengths, numbers out of range, a kernel beyond the padded input, and
  ///   sizes in bytes that overflow; `unsupported` for an algorithm that cannot do this problem, a kernel of more than 2^20
  ///   taps, and strides whose product is above 2^16 backward by data (transposed: forward). Messages name arguments as the
  ///   C header does.
  ///
  /// Allocates the plan alone: some kilobytes for each direction.
  public init(
    batch: Int = 1, inputChannels: Int, outputChannels: Int, input: [Int], kernel: [Int], stride: [Int]? = nil,
    dilation: [Int]? = nil, padding: SpatialPadding = .valid, groups: Int = 1, isTransposed: Bool = false,
    outputPadding: [Int]? = nil, rounding: WindowRounding = .floor, inputLayout: TensorLayout = .channelsLast,
    outputLayout: TensorLayout? = nil, addsBias: Bool = false, activation: Activation = .none,
    addsResidual: Bool = false, takesPackedWeights: Bool = false, allowsWinograd: Bool = false,
    algorithm: ConvolutionAlgorithm? = nil, directions: Set<ConvolutionDirection> = [.forward], context: Context? = nil
  ) throws(ApusError) {
    let rank = input.count
    if !(1...3).contains(rank) { throw .invalid("input has \(rank) numbers, but there must be 1, 2 or 3") }
    func extents(_ name: String, _ numbers: [Int]?, _ rest: Int) throws(ApusError) -> Extents {
      var result = Extents(repeating: rest)
      guard let numbers else { return result }
      if numbers.count != rank { throw .invalid("\(name) has \(numbers.count) numbers, but input has \(rank)") }
      for (i, number) in numbers.enumerated() { result[3 - rank + i] = number }
      return result
    }
    var window = SpatialWindow(
      rank: rank, input: try extents("input", input, 1), window: try extents("kernel", kernel, 1))
    window.stride = try extents("stride", stride, 1)
    window.dilation = try extents("dilation", dilation, 1)
    window.rounding = rounding.engine
    switch padding {
    case .valid: break
    case .explicit(let before, let after):
      window.padBefore = try extents("padding before", before, 0)
      window.padAfter = try extents("padding after", after, 0)
    case .same:
      if isTransposed { throw .invalid("padding is .same, but a transposed convolution has its padding in numbers") }
      window = try translatingErrors { [window] () throws(ApusEngine.ApusError) in
        try window.paddedToSame(windowName: "kernel")
      }
    }
    var descriptor = ConvolutionDescriptor(
      dataType: Scalar.dataType.engine, batch: batch, inputChannels: inputChannels, outputChannels: outputChannels,
      window: window)
    descriptor.groups = groups
    descriptor.isTransposed = isTransposed
    descriptor.outputPadding = try extents("outputPadding", outputPadding, 0)
    descriptor.xLayout = inputLayout.engine
    descriptor.yLayout = (outputLayout ?? inputLayout).engine
    descriptor.hasBias = addsBias
    descriptor.hasResidual = addsResidual
    (descriptor.activation, descriptor.slope) = activation.engine
    descriptor.packedWeights = takesPackedWeights
    descriptor.allowsWinograd = allowsWinograd
    descriptor.algorithm = algorithm?.engine
    core = try ConvolutionCore(descriptor, directions, Context.resolve(context))
  }

  /// The spatial size of y: as many numbers as `input` has.
  public var outputShape: [Int] { core.outputShape }
  /// Elements of x and dx.
  public var inputCount: Int { core.counts.x }
  /// Elements of y, dy and the residual.
  public var outputCount: Int { core.counts.y }
  /// Elements of the weights and their gradient.
  public var weightCount: Int { core.counts.weights }
  /// Elements of the weights and, where the plan adds one, of the bias.
  public var parameterCount: Int { core.counts.weights + (core.descriptor.hasBias ? core.counts.channels : 0) }
  /// What the plan computes.
  public var directions: Set<ConvolutionDirection> { Set(core.plans.keys) }
  /// The instruction set of the plan: that of the context which it was made with.
  public var instructionSet: InstructionSet { InstructionSet(core.instructionSet) }

  /// The algorithm of a direction; nil if the plan has not that direction.
  public func algorithm(for direction: ConvolutionDirection) -> ConvolutionAlgorithm? {
    core.plans[direction].map { ConvolutionAlgorithm($0.algorithm) }
  }

  /// The algorithms that can do this problem in a direction, best first: a function of the problem and the instruction set,
  /// never of batch or threads. The direction need not be one of the plan's.
  public func algorithms(for direction: ConvolutionDirection) throws(ApusError) -> [ConvolutionAlgorithm] {
    try core.algorithms(direction).map(ConvolutionAlgorithm.init)
  }

  /// Floating-point operations of one run in any direction, taps in the padding counted; a multiply-add counts as two.
  public var flops: Double { core.flops }

  /// Bytes of scratch that a run with this context takes, if it is to use the caller's.
  ///
  /// - Throws: `invalidArgument` if the plan has not that direction.
  public func scratchBytes(for direction: ConvolutionDirection, context: Context? = nil) throws(ApusError) -> Int {
    try core.plan(direction).scratchBytes(context: try Context.resolve(context))
  }

  /// Threads that a run with this context uses at most.
  ///
  /// - Throws: `invalidArgument` if the plan has not that direction.
  public func threads(for direction: ConvolutionDirection, context: Context? = nil) throws(ApusError) -> Int {
    try core.plan(direction).threadsUsed(context: try Context.resolve(context))
  }

  /// Packs weights for a plan that was made with `takesPackedWeights`.
  ///
  /// - Parameters:
  ///   - weights: As forward takes them unpacked.
  ///   - direction: `.forward` or `.backwardData`, whose forms differ.
  ///   - context: As for a run.
  /// - Throws: `invalidArgument` if the plan takes weights unpacked or has not that direction, or `weights` has too few
  ///   elements; `outOfMemory`.
  public func makePackedWeights<W: GemmOperand & ~Escapable>(
    from weights: W, for direction: ConvolutionDirection = .forward, context: Context? = nil
  ) throws(ApusError) -> PackedWeights<Scalar> where W.Scalar == Scalar {
    try weights.withGemmOperand { weights throws(ApusError) in
      try core.pack(GemmCore.Operand(weights), direction, context)
    }
  }
}

extension Convolution: CustomStringConvertible {
  /// Shape, algorithm, blocking and instruction set of every direction, for people.
  public var description: String {
    ConvolutionDirection.allCases.compactMap { core.plans[$0]?.description }.joined(separator: "\n")
  }
}
