import ApusEngine
import ApusKernelInterface

/// One convolution in one direction, as a problem string describes it.
public struct ConvolutionProblem: Problem, Equatable {
  /// Shapes, layouts and what is fused, as the engine takes it.
  public private(set) var descriptor: ConvolutionDescriptor
  /// What is computed.
  public private(set) var direction = ConvolutionDirection.forward
  /// The result is added to what its tensor holds.
  public private(set) var accumulates = false
  /// Spatial size of y.
  public private(set) var outputSize = Extents(repeating: 1)
  /// A multiply-add counts as two; taps in the padding count.
  public private(set) var flops = 0.0
  /// What the plan takes beside the tensors.
  private var planBytes = 0.0
  /// Every tensor once.
  private var bytes = 0.0

  static let directions: [(name: String, value: ConvolutionDirection)] = [
    ("forward", .forward), ("data", .backwardData), ("weights", .backwardWeights),
  ]
  static let algorithmNames = ConvolutionAlgorithm.allCases.map(\.name)
  /// Order of x and of y. One and three dimensions go by the same names.
  static let layouts: [(name: String, x: TensorLayout, y: TensorLayout)] = [
    ("nhwc", .channelsLast, .channelsLast), ("nchw", .channelsFirst, .channelsFirst),
    ("nchw2nhwc", .channelsFirst, .channelsLast), ("nhwc2nchw", .channelsLast, .channelsFirst),
  ]

  /// Reads a problem string; `type` is meant where it names none. What the engine refuses is refused here, in its
  /// words.
  public init(_ text: String, type: ElementType) throws(ProblemError) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    let shape = try ConvolutionShape(parts[0], problem: text)
    descriptor = try shape.descriptor(type)
    descriptor.packedWeights = true
    descriptor.slope = 0.25
    var seen: Set<String> = []
    for option in parts.dropFirst() {
      let subject = try apply(option, in: text)
      guard seen.insert(subject).inserted else { throw ProblemError(text, "it says its \(subject) twice") }
    }
    if direction != .forward && (descriptor.hasResidual || descriptor.activation != .identity) {
      throw ProblemError(text, "only forward has an activation or a residual")
    }
    if direction == .backwardData && descriptor.hasBias { throw ProblemError(text, "backward by data has no bias") }
    do throws(ApusError) {
      outputSize = try descriptor.outputSize()
      // A Double, so sizes that overflow show as absurdly large. 2^50 bytes keeps every index in Int.
      if footprint > 0x1p50 { throw ApusError(.invalidArgument, "its operands take more than 2^50 bytes") }
      let context = try ExecutionContext(
        instructionSet: InstructionSet.available.last, backend: .serial, threads: 1, lingerMicroseconds: 0)
      let plan = try ConvolutionPlan(descriptor, direction: direction, context: context)
      flops = plan.flops
      bytes = plan.bytes
      planBytes = Double(plan.packedWeightBytes) + Double(plan.scratchBytes(context: context))
    } catch {
      throw ProblemError(text, error.message)
    }
  }

  /// Applies one option; returns what it is about, for each may be said once.
  private mutating func apply(_ option: String, in text: String) throws(ProblemError) -> String {
    if let direction = Self.directions.first(where: { $0.name == option }) {
      self.direction = direction.value
      return "direction"
    }
    if let layout = Self.layouts.first(where: { $0.name == option }) {
      (descriptor.xLayout, descriptor.yLayout) = (layout.x, layout.y)
      return "layout"
    }
    if let activation = GemmProblem.activations.first(where: { $0.name == option }) {
      descriptor.activation = activation.value
      return "activation"
    }
    if let type = ElementType(rawValue: option) {
      descriptor.dataType = type == .float32 ? .float32 : .float64
      return "type"
    }
    switch option {
    case "unpacked": descriptor.packedWeights = false
    case "bias": descriptor.hasBias = true
    case "residual": descriptor.hasResidual = true
    case "acc": accumulates = true
    case "winograd": descriptor.allowsWinograd = true
    case "strict": descriptor.window.rounding = .strict
    case _ where option.hasPrefix("alg="):
      guard let algorithm = ConvolutionAlgorithm.allCases.first(where: { "alg=" + $0.name == option }) else {
        let names = Self.algorithmNames.joined(separator: ", ")
        throw ProblemError(text, "'\(option)' must be alg= and one of \(names)")
      }
      descriptor.algorithm = algorithm
      return "algorithm"
    default:
      throw ProblemError(
        text,
        "'\(option)' is none of forward data weights nhwc nchw nchw2nhwc nhwc2nchw f32 f64 unpacked bias residual relu "
          + "leaky elu sigmoid tanh acc winograd strict alg=NAME")
    }
    return option
  }

  /// The problem string that gives this problem again.
  public var text: String {
    var words = [descriptor.problemString]
    if direction != .forward { words.append(directionName) }
    if type == .float64 { words.append("f64") }
    if layoutName != "nhwc" { words.append(layoutName) }
    if !descriptor.packedWeights { words.append("unpacked") }
    if descriptor.hasBias { words.append("bias") }
    if descriptor.hasResidual { words.append("residual") }
    words += GemmProblem.activations.filter { $0.value == descriptor.activation }.map(\.name)
    if accumulates { words.append("acc") }
    if descriptor.allowsWinograd { words.append("winograd") }
    if descriptor.window.rounding == .strict { words.append("strict") }
    if let algorithm = descriptor.algorithm { words.append("alg=\(algorithm.name)") }
    return words.joined(separator: ":")
  }

  /// Type of the data.
  public var type: ElementType { descriptor.dataType == .float32 ? .float32 : .float64 }

  var directionName: String { Self.directions.first { $0.value == direction }?.name ?? "" }
  var layoutName: String { Self.layouts.first { $0.x == descriptor.xLayout && $0.y == descriptor.yLayout }?.name ?? "" }

  /// Elements of x, of y and of the weights.
  var elements: (x: Double, y: Double, weights: Double) {
    func product(_ extents: Extents) -> Double {
      Double(extents.depth) * Double(extents.height) * Double(extents.width)
    }
    let d = descriptor
    return (
      Double(d.batch) * Double(d.inputChannels) * product(d.window.input),
      Double(d.batch) * Double(d.outputChannels) * product(outputSize),
      Double(d.inputChannels) / Double(max(1, d.groups)) * Double(d.outputChannels) * product(d.window.window)
    )
  }

  /// Direction, layout and the numbers of samples and channels.
  public var settings: Record {
    var record = Record()
    record["direction"] = .text(directionName)
    record["layout"] = .text(layoutName)
    record["weights"] = .text(descriptor.packedWeights ? "packed" : "unpacked")
    record["batch"] = .integer(descriptor.batch)
    record["in_channels"] = .integer(descriptor.inputChannels)
    record["out_channels"] = .integer(descriptor.outputChannels)
    record["groups"] = .integer(descriptor.groups)
    return record
  }

  /// Every tensor once; a result that is added to, twice.
  public var traffic: Traffic {
    let result =
      switch direction {
      case .forward: elements.y
      case .backwardData: elements.x
      case .backwardWeights: elements.weights
      }
    let written = Double(type.size) * result
    return Traffic(read: bytes - written + (accumulates ? written : 0), written: written)
  }

  /// The tensors, with weights in the framework's order beside packed ones, and scratch.
  public var footprint: Double {
    let (x, y, weights) = elements
    return Double(type.size) * (x + y * (descriptor.hasResidual ? 2 : 1) + weights) + planBytes
  }

  /// Operands and a plan.
  public func makeCase(context: ExecutionContext) throws -> any Case { try ConvolutionCase(self, context: context) }

  /// The same operands and oneDNN's primitive.
  public func makePeerCase(_ library: LoadedLibrary) throws -> any Case {
    try OneDNNCase(self, library: library)
  }
}
