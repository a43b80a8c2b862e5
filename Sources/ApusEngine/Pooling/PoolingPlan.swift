import ApusKernelInterface

/// A validated pooling with its algorithm chosen. Immutable; any number of threads may run it at once.
///
/// The instruction set is that of the context it was made with. Bits of a result depend on the sample's data, the geometry
/// and the instruction set only: never on threads, back end, alignment or the batch around a sample.
public final class PoolingPlan: @unchecked Sendable {
  /// The problem as the caller described it.
  public let descriptor: PoolingDescriptor
  /// What is computed from what.
  public let direction: PoolingDirection
  /// Whose kernels every run uses.
  public let instructionSet: InstructionSet
  /// Positions of the window.
  public let output: Extents
  let kernels: PoolingKernels
  /// Immutable: nothing writes to the tables after this plan was made, which makes it safe to send.
  private let tables: PoolingTables
  let algorithm: PoolingAlgorithm
  /// Bytes of an element.
  let size: Int
  /// Elements of all windows of a plane.
  private let taps: Double
  /// Of a backward maximum without indices: rows of the output whose maxima a part finds, at most. Set by `init` alone.
  private(set) var coveringRows = 0

  /// Validates and plans. Allocates the plan and its tables: 8 bytes for each position of input and output along each
  /// dimension and, where an average's divisor is not the same everywhere, one plane of the output. Throws
  /// `.invalidArgument` where a rule of `PoolingDescriptor` is broken, `.unsupported` for a reserved data type and for
  /// more positions than there are indices, `.outOfMemory` where the tables are refused.
  public init(
    _ descriptor: PoolingDescriptor, direction: PoolingDirection = .forward, context: ExecutionContext
  ) throws(ApusError) {
    let start = Verbose.isOn ? ContinuousClock.now : nil
    output = try descriptor.outputSize()
    if descriptor.kind != .maximum && (direction == .unpool || direction == .unpoolBackward) {
      throw .invalid("direction", direction, "there is unpooling only of a maximum")
    }
    self.descriptor = descriptor
    self.direction = direction
    instructionSet = context.instructionSet
    let tables = try PoolingTables(descriptor, output: output)
    self.tables = tables
    taps = tables.taps
    let table = context.instructionSet.kernels
    kernels = descriptor.dataType == .float32 ? table.pooling32 : table.pooling64
    size = descriptor.dataType.size
    algorithm = PoolingAlgorithm(descriptor, direction)
    if direction == .backwardData && descriptor.kind == .maximum { coveringRows = mostCoveringRows() }
    if let start { Verbose.emit(record("plan", context, Verbose.microseconds(since: start))) }
  }

  var shape: PoolingShape { tables.shape }
  /// Elements of x.
  public var inputCount: Int { descriptor.batch * descriptor.channels * descriptor.window.input.product }
  /// Elements of y.
  public var outputCount: Int { descriptor.batch * descriptor.channels * output.product }

  /// Operations of one run: one for each element of each window, padding included; of unpooling none.
  public var flops: Double {
    switch direction {
    case .forward, .backwardData: max(Double(descriptor.batch) * Double(descriptor.channels) * taps, Double(inputCount))
    case .unpool, .unpoolBackward: 0
    }
  }

  /// Bytes that one run reads and writes at least: x and y (dx and dy) once, and where they cannot be done without,
  /// indices or the forward pass's x and y.
  public var bytes: Double {
    let data = Double(size) * (Double(inputCount) + Double(outputCount))
    let indices = Double(descriptor.indexType.size) * Double(outputCount)
    switch direction {
    case .forward: return data
    case .backwardData:
      return descriptor.kind == .maximum ? data + indices : descriptor.kind == .norm ? 2 * data : data
    case .unpool, .unpoolBackward: return data + indices
    }
  }

  /// The problem as kbench takes it: "max:n8c64h112w112k3s2p1".
  public var problemString: String { descriptor.problemString }

  /// Algorithm, type and instruction set, for people.
  public var description: String {
    "pool \(descriptor.dataType.name) \(problemString) \(direction): \(algorithm.name), \(instructionSet.name)"
  }
}

/// How a plan goes about it; a matter of the geometry alone.
enum PoolingAlgorithm {
  /// Pixel by pixel, the lanes along the channels.
  case channelLanes
  /// Row by row of planes, the lanes along the width.
  case widthLanes
  /// Element by element at the indices.
  case indices

  init(_ descriptor: PoolingDescriptor, _ direction: PoolingDirection) {
    if direction == .unpool || direction == .unpoolBackward {
      self = .indices
    } else {
      self = descriptor.layout == .channelsLast ? .channelLanes : .widthLanes
    }
  }

  var name: String {
    switch self {
    case .channelLanes: "channels in the lanes"
    case .widthLanes: "width in the lanes"
    case .indices: "by index"
    }
  }
}

extension PoolingDescriptor {
  /// The problem as kbench takes it.
  public var problemString: String {
    let names = ["d", "h", "w"]
    let used = window.dimensions
    var text =
      switch kind {
      case .maximum: "max"
      case .average: "avg"
      case .averageIncludingPadding: "avgpad"
      case .norm: "lp\(norm == norm.rounded() && norm < 1e6 ? "\(Int(norm))" : "\(norm)")"
      }
    text += ":n\(batch)c\(channels)"
    for i in used { text += "\(names[i])\(window.input[i])" }
    // One number where all dimensions agree, else one for each.
    func add(_ letter: String, _ extents: Extents, unless standard: Int?) {
      let values = used.map { extents[$0] }
      if let standard, values.allSatisfy({ $0 == standard }) { return }
      if values.allSatisfy({ $0 == values[0] }) { return text += "\(letter)\(values[0])" }
      for i in used { text += "\(letter)\(names[i])\(extents[i])" }
    }
    if let adaptiveOutput {
      add("o", adaptiveOutput, unless: nil)
    } else {
      add("k", window.window, unless: nil)
      add("s", window.stride, unless: nil)
      add("p", window.padBefore, unless: 0)
      if window.padAfter != window.padBefore { add("a", window.padAfter, unless: nil) }
      add("e", window.dilation, unless: 1)
    }
    if layout == .channelsLast { text += ":nhwc" }
    if window.rounding != .floor { text += ":\(window.rounding)" }
    return text
  }
}
