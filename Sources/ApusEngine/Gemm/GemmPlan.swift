import ApusKernelInterface

/// A validated GEMM with its algorithm chosen. Immutable; any number of threads may run it at once.
///
/// The instruction set is that of the context it was made with. Bits of a result depend on the problem, the data and the
/// instruction set only, never on threads, back end or alignment (and of a row-invariant plan, not on m).
public final class GemmPlan: Sendable {
  /// The problem as the caller described it.
  public let descriptor: GemmDescriptor
  /// Whose kernels every run uses.
  public let instructionSet: InstructionSet
  let problem: GemmProblem
  /// Whether A and B change places inside.
  @usableFromInline let isSwapped: Bool
  let kernels: GemmKernels
  let blocking: GemmBlocking
  let algorithm: GemmAlgorithm
  /// Bytes of an element.
  let size: Int
  let rowTiles: BalancedSplit
  /// See `GemmProblem.streams`.
  let streams: Bool
  /// Columns of C that a tile covers at most.
  let panelColumns: Int
  let kBlocks: BalancedSplit
  /// Columns up to the next whole panel.
  let paddedColumns: Int
  /// Small plain problems skip everything but the kernel.
  @usableFromInline let direct: GemmDirectForm?

  /// Validates and plans; allocates the plan alone. Throws `.invalidArgument` where a rule of `GemmDescriptor` is broken,
  /// `.unsupported` for a reserved data type.
  public init(_ descriptor: GemmDescriptor, context: ExecutionContext) throws(ApusError) {
    let start = Verbose.isOn ? ContinuousClock.now : nil
    try descriptor.validate()
    self.descriptor = descriptor
    instructionSet = context.instructionSet
    problem = GemmProblem(descriptor)
    isSwapped = problem.isSwapped
    let table = context.instructionSet.kernels
    kernels = descriptor.dataType == .float32 ? table.gemm32 : table.gemm64
    size = descriptor.dataType.size
    blocking = GemmBlocking(kernels, elementSize: size)
    algorithm = problem.algorithm(kernels, isRowInvariant: descriptor.isRowInvariant, elementSize: size)
    streams = problem.streams(kernels, algorithm, size: size)
    // One vector wide where C is, and where only so the rows fit one tile.
    let isNarrow = problem.n <= kernels.lanes && !problem.aIsPacked || streams && problem.m > kernels.tileRows
    panelColumns = isNarrow && !algorithm.packsB && !problem.bIsPacked ? kernels.lanes : kernels.tileColumns
    rowTiles = BalancedSplit(problem.m, atMost: isNarrow ? kernels.narrowTileRows : kernels.tileRows)
    kBlocks = BalancedSplit(problem.k, atMost: kernels.kBlock)
    paddedColumns = problem.n.roundedUp(to: kernels.tileColumns)
    direct = GemmDirectForm(descriptor, problem, algorithm, kernels, rowTiles, panelColumns)
    if let start { Verbose.emit(record("plan", context, Verbose.microseconds(since: start))) }
  }

  deinit { direct?.free() }

  /// Operations of one run; a multiply-add counts as two.
  public var flops: Double {
    2 * Double(descriptor.m) * Double(descriptor.n) * Double(descriptor.k) * Double(descriptor.batch)
  }

  /// Bytes that one run reads and writes at least: every operand once.
  public var bytes: Double {
    let m = Double(descriptor.m)
    let n = Double(descriptor.n)
    let k = Double(descriptor.k)
    let matrices = m * k + k * n + m * n * (descriptor.hasResidual ? 2 : 1)
    return Double(size) * (matrices * Double(descriptor.batch))
  }

  /// The shape as kbench takes it: "64x1000x2048:TN".
  public var problemString: String {
    "\(descriptor.m)x\(descriptor.n)x\(descriptor.k):\(descriptor.transposeA ? "T" : "N")"
      + (descriptor.transposeB ? "T" : "N")
  }

  /// Algorithm, blocking, type and instruction set, for people.
  public var description: String {
    let name =
      switch algorithm {
      case .scale: "scale"
      case .blocked(let packA, let packB):
        (streams ? "streamed, packs A" : "blocked" + (packA ? ", packs A" : "")) + (packB ? ", packs B" : "")
          + (problem.aIsPacked ? ", packed A given" : "") + (problem.bIsPacked ? ", packed B given" : "")
      case .dots: "dot products"
      case .update: "row updates"
      case .splitK(let chunks, packA: _, packB: _): "k split in \(chunks)"
      }
    return
      "gemm \(descriptor.dataType.name) \(problemString): \(name); tile \(kernels.tileRows)x\(kernels.tileColumns), "
      + "k blocks of \(kBlocks.longest), \(instructionSet.name)"
  }
}
