import ApusEngine
import ApusKernelInterface

/// Names of the data of a convolution.
public enum ConvolutionData: CaseIterable, Sendable { case x, weights, bias, residual, y, dy, dx, dw, db }

/// A convolution in one direction with its data, what should come out of it, and ways to run it.
///
/// Shapes and layouts are worked out here from the header's words, not with the engine's own code.
public final class ConvolutionTrial {
  /// The problem.
  public let descriptor: ConvolutionDescriptor
  /// What is computed.
  public let direction: ConvolutionDirection
  /// Results are added to what is there.
  public let accumulate: Bool
  /// The residual is y itself.
  public let residualIsY: Bool
  /// Spatial size of y.
  public let outputSize: Extents
  var memory: [ConvolutionData: TestMemory] = [:]
  lazy var expected = ConvolutionExpectation(self)

  /// Random data for a descriptor that is valid.
  public init(
    _ descriptor: ConvolutionDescriptor, _ direction: ConvolutionDirection, accumulate: Bool = false, seed: UInt64 = 1,
    residualIsY: Bool = false
  ) {
    self.descriptor = descriptor
    self.direction = direction
    self.accumulate = accumulate
    self.residualIsY = residualIsY && descriptor.hasResidual && direction == .forward
    outputSize = Self.outputSize(descriptor)
    var random = Randomness(seed: seed)
    for name in inputs + results {
      let memory = TestMemory(bytes: count(name) * descriptor.dataType.size)
      random.fill(memory.base, count(name), descriptor.dataType)
      self.memory[name] = memory
    }
  }

  /// The spatial size of y by the header's formulas.
  public static func outputSize(_ d: ConvolutionDescriptor) -> Extents {
    var size = Extents(repeating: 1)
    for i in 0..<3 {
      let w = d.window
      let span = w.dilation[i] * (w.window[i] - 1) + 1
      let pad = w.padBefore[i] + w.padAfter[i]
      size[i] =
        d.isTransposed
        ? (w.input[i] - 1) * w.stride[i] - pad + span + d.outputPadding[i]
        : (w.input[i] + pad - span) / w.stride[i] + 1
    }
    return size
  }

  /// What the direction reads.
  public var inputs: [ConvolutionData] {
    switch direction {
    case .forward:
      [.x, .weights] + (descriptor.hasBias ? [.bias] : []) + (descriptor.hasResidual && !residualIsY ? [.residual] : [])
    case .backwardData: [.weights, .dy]
    case .backwardWeights: [.x, .dy]
    }
  }

  /// What it writes.
  public var results: [ConvolutionData] {
    switch direction {
    case .forward: [.y]
    case .backwardData: [.dx]
    case .backwardWeights: [.dw] + (descriptor.hasBias ? [.db] : [])
    }
  }

  /// Elements of one of the data.
  public func count(_ data: ConvolutionData) -> Int {
    let d = descriptor
    return switch data {
    case .x, .dx: d.batch * d.inputChannels * d.window.input.product
    case .y, .dy, .residual: d.batch * d.outputChannels * outputSize.product
    case .weights, .dw: d.inputChannels / d.groups * d.outputChannels * d.window.window.product
    case .bias, .db: d.outputChannels
    }
  }

  /// Where element (sample, channel, position) of a tensor lies.
  func index(_ data: ConvolutionData, _ sample: Int, _ channel: Int, _ position: Int) -> Int {
    let isX = data == .x || data == .dx
    let channels = isX ? descriptor.inputChannels : descriptor.outputChannels
    let positions = isX ? descriptor.window.input.product : outputSize.product
    return (isX ? descriptor.xLayout : descriptor.yLayout) == .channelsFirst
      ? (sample * channels + channel) * positions + position : (sample * positions + position) * channels + channel
  }

  /// Element `index` in memory order. Set before the first comparison.
  public subscript(_ data: ConvolutionData, _ index: Int) -> Double {
    get { descriptor.dataType.load(memory[data]!.base, index) }
    set { descriptor.dataType.store(newValue, memory[data]!.base, index) }
  }

  /// Every element of one of the data.
  public func fill(_ data: ConvolutionData, _ value: Double) {
    for i in 0..<count(data) { self[data, i] = value }
  }

  /// The data as the reference takes them: tensors by sample, channel, position; weights and biases as they are.
  func canonical(_ data: ConvolutionData) -> [Double] {
    let type = descriptor.dataType
    guard let base = memory[data]?.base else { return [] }
    switch data {
    case .weights, .dw, .bias, .db: return (0..<count(data)).map { type.load(base, $0) }
    default: break
    }
    let isX = data == .x || data == .dx
    var values: [Double] = []
    values.reserveCapacity(count(data))
    for n in 0..<descriptor.batch {
      for c in 0..<(isX ? descriptor.inputChannels : descriptor.outputChannels) {
        for p in 0..<(isX ? descriptor.window.input : outputSize).product {
          values.append(type.load(base, index(data, n, c, p)))
        }
      }
    }
    return values
  }

  /// The problem of one sample alone, with its data.
  public func sample(_ n: Int) -> ConvolutionTrial {
    var d = descriptor
    d.batch = 1
    let part = ConvolutionTrial(d, direction, accumulate: accumulate, residualIsY: residualIsY)
    for (name, memory) in part.memory {
      let isShared = name == .weights || name == .bias
      memory.base.copyMemory(
        from: self.memory[name]!.base + (isShared ? 0 : n * memory.count), byteCount: memory.count)
    }
    return part
  }
}

extension ConvolutionTrial: CustomStringConvertible {
  /// All that is needed to repeat it.
  public var description: String {
    let d = descriptor
    let w = d.window
    func each(_ e: Extents) -> String { w.dimensions.map { "\(e[$0])" }.joined(separator: "x") }
    var text =
      "\(direction) \(d.dataType.name) n\(d.batch) c\(d.inputChannels) k\(d.outputChannels) g\(d.groups) "
      + "in \(each(w.input)) kernel \(each(w.window)) stride \(each(w.stride)) dilation \(each(w.dilation)) "
      + "pad \(each(w.padBefore)) \(each(w.padAfter)) \(d.xLayout) to \(d.yLayout)"
    if d.isTransposed { text += " transposed, output padding \(each(d.outputPadding))" }
    if d.hasBias { text += " bias" }
    if d.hasResidual { text += residualIsY ? " residual is y" : " residual" }
    if d.activation != .identity { text += " \(d.activation) \(d.slope)" }
    if accumulate { text += " accumulate" }
    if d.packedWeights { text += " packed" }
    return text + " \(d.algorithm?.name ?? "auto")"
  }
}
