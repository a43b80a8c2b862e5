import ApusEngine

/// A problem with oneDNN. Manner "any": x and y are in the order that oneDNN chooses; "plain": in the problem's. Weights
/// are in oneDNN's order either way, unless the problem has them unpacked. Reorders are not measured.
final class OneDNNCase: Case {
  private let operands: ConvolutionOperands
  private let library: OneDNN
  private let primitive: OneDNN.Primitive
  /// What the primitive writes, and where the problem has it.
  private var results: [Tensor] = []

  /// The caller's memory beside oneDNN's.
  private struct Tensor {
    var plain: OneDNN.Memory
    var plainLayout: OneDNN.Layout
    var own: OneDNN.Memory
    var ownLayout: OneDNN.Description
  }

  init(_ problem: ConvolutionProblem, library loaded: LoadedLibrary) throws {
    let d = problem.descriptor
    if problem.type != .float32 { throw PeerError("oneDNN's convolution has no float64 on CPUs") }
    if problem.accumulates || d.hasResidual || d.activation != .identity {
      throw PeerError("kbench runs oneDNN without activation, residual and accumulation")
    }
    if let algorithm = d.algorithm { throw PeerError("oneDNN knows no algorithm \(algorithm.name)") }
    let library = try OneDNN(loaded)
    let operands = try ConvolutionOperands(problem)
    (self.library, self.operands) = (library, operands)

    let x = Self.order(d.batch, d.inputChannels, d.window.input, d.window.dimensions, d.xLayout)
    let y = Self.order(d.batch, d.outputChannels, problem.outputSize, d.window.dimensions, d.yLayout)
    let w = Self.weightOrder(d)
    let isPlain = loaded.library.manner == "plain"
    let plainX = try library.layout(x.sizes, strides: x.strides)
    let plainY = try library.layout(y.sizes, strides: y.strides)
    let plainWeights = try library.layout(w.sizes, strides: w.strides)
    let plainBias = d.hasBias ? try library.layout([d.outputChannels], strides: [1]) : nil
    func each(_ extents: Extents) -> [Int64] { d.window.dimensions.map { Int64(extents[$0]) } }
    var shape = OneDNN.Shape(
      isTransposed: d.isTransposed, allowsWinograd: d.allowsWinograd,
      source: isPlain ? plainX : try library.layout(x.sizes, strides: nil),
      weights: d.packedWeights ? try library.layout(w.sizes, strides: nil) : plainWeights, bias: plainBias,
      destination: isPlain ? plainY : try library.layout(y.sizes, strides: nil), strides: each(d.window.stride),
      dilations: each(d.window.dilation).map { $0 - 1 }, padBefore: each(d.window.padBefore),
      padAfter: each(d.window.padAfter))
    // What oneDNN has for output padding: less padding behind.
    if d.isTransposed {
      for (j, i) in d.window.dimensions.enumerated() { shape.padAfter[j] -= Int64(d.outputPadding[i]) }
    }
    let forward = try library.convolution(shape, .forward, hint: nil)
    switch problem.direction {
    case .forward:
      primitive = forward
      try input(.source, operands.x, plainX)
      try input(.weights, operands.weights, plainWeights)
      if let bias = operands.bias, let plainBias { try input(.bias, bias, plainBias) }
      try output(.destination, operands.y, plainY)
    case .backwardData:
      primitive = try library.convolution(shape, .data, hint: forward)
      try input(.destinationGradient, operands.y, plainY)
      try input(.weights, operands.weights, plainWeights)
      try output(.sourceGradient, operands.x, plainX)
    case .backwardWeights:
      primitive = try library.convolution(shape, .weights, hint: forward)
      try input(.source, operands.x, plainX)
      try input(.destinationGradient, operands.y, plainY)
      try output(.weightsGradient, operands.weights, plainWeights)
      if let bias = operands.bias, let plainBias { try output(.biasGradient, bias, plainBias) }
    }
  }

  /// Sizes as oneDNN orders them (samples, channels, positions), and strides.
  private static func order(
    _ batch: Int, _ channels: Int, _ size: Extents, _ dimensions: Range<Int>, _ layout: TensorLayout
  ) -> (sizes: [Int], strides: [Int]) {
    let isLast = layout == .channelsLast
    let pixel = isLast ? channels : 1
    let strides = [pixel * size.height * size.width, pixel * size.width, pixel]
    return (
      [batch, channels] + dimensions.map { size[$0] },
      [channels * size.product, isLast ? 1 : size.product] + dimensions.map { strides[$0] }
    )
  }

  /// (groups, outputs, inputs, taps), without groups where there is one; a transposed convolution's weights lie with the
  /// inputs outermost.
  private static func weightOrder(_ d: ConvolutionDescriptor) -> (sizes: [Int], strides: [Int]) {
    let kernel = d.window.window
    let (k, c, taps) = (d.outputChannels / d.groups, d.inputChannels / d.groups, kernel.product)
    let tapStrides = [kernel.height * kernel.width, kernel.width, 1]
    let sizes = [d.groups, k, c] + d.window.dimensions.map { kernel[$0] }
    let strides =
      [k * c * taps] + (d.isTransposed ? [taps, k * taps] : [c * taps, taps])
      + d.window.dimensions.map { tapStrides[$0] }
    return d.groups > 1 ? (sizes, strides) : (Array(sizes.dropFirst()), Array(strides.dropFirst()))
  }

  private func tensor(_ role: OneDNN.Role, _ buffer: Buffer, _ plain: OneDNN.Layout) throws -> Tensor {
    let layout = try primitive.layout(role)
    let tensor = Tensor(
      plain: try library.memory(plain.pointer, buffer.pointer), plainLayout: plain,
      own: try library.memory(layout, nil), ownLayout: layout)
    primitive.bind(role, tensor.own)
    return tensor
  }

  private func input(_ role: OneDNN.Role, _ buffer: Buffer, _ plain: OneDNN.Layout) throws {
    let tensor = try tensor(role, buffer, plain)
    try library.reorder(tensor.plain, plain.pointer, to: tensor.own, tensor.ownLayout)
  }

  private func output(_ role: OneDNN.Role, _ buffer: Buffer, _ plain: OneDNN.Layout) throws {
    results.append(try tensor(role, buffer, plain))
  }

  var description: String { primitive.implementation }

  func run() throws { try primitive.run() }

  func check() throws -> CheckResult {
    operands.resetResult()
    try run()
    for tensor in results {
      try library.reorder(tensor.own, tensor.ownLayout, to: tensor.plain, tensor.plainLayout.pointer)
    }
    return ConvolutionReference.check(operands)
  }
}
