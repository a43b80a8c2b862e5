import ApusEngine
import ApusKernelInterface
import ApusTestSupport
import Testing

/// Convolutions of tests. Sizes are small, because the reference is a plain loop.
struct ConvolutionSampler {
  var random: Randomness
  let type: DataType

  init(_ type: DataType, seed: UInt64) {
    self.type = type
    random = Randomness(seed: seed)
  }

  /// Every option at random, in a shape that has an output; at most so many products.
  mutating func problem(products: Int = 100_000) -> ConvolutionDescriptor {
    while true {
      let d = candidate()
      if !Self.isLegal(d) { continue }
      let positions = d.isTransposed ? d.window.input : ConvolutionTrial.outputSize(d)
      let count =
        d.batch * d.inputChannels / d.groups * d.outputChannels * d.window.window.product * max(1, positions.product)
      if count <= products { return d }
    }
  }

  private mutating func candidate() -> ConvolutionDescriptor {
    let rank = random.pick([1, 2, 2, 2, 2, 3])
    var window = SpatialWindow(rank: rank, input: Extents(repeating: 1), window: Extents(repeating: 1))
    let largest = [60, 24, 8][rank - 1]
    // A plain one has stride and dilation 1 and padding that is the same on both sides, or none.
    let isPlain = random.int(0...2) == 0
    let isPointwise = random.int(0...5) == 0
    for i in window.dimensions {
      window.input[i] = random.int(1...largest)
      window.window[i] = isPointwise ? 1 : random.int(1...(random.bool() ? 3 : 7))
      if isPlain {
        window.padBefore[i] = isPointwise || random.int(0...2) == 0 ? 0 : window.window[i] / 2
        window.padAfter[i] = window.padBefore[i]
      } else {
        window.stride[i] = random.int(1...3)
        window.dilation[i] = random.int(0...2) == 0 ? random.int(1...4) : 1
        window.padBefore[i] = random.int(0...3)
        window.padAfter[i] = random.int(0...3)
      }
      // As large as the padded input now and then.
      if random.int(0...15) == 0 && window.dilation[i] == 1 {
        window.window[i] = min(9, window.input[i] + window.padBefore[i] + window.padAfter[i])
      }
    }
    let groups = random.pick([1, 1, 1, 2, 3, 5])
    let most = random.pick([4, 20, 40, 70]) / groups + 1
    var (c, k) = (groups * random.int(1...most), groups * random.int(1...most))
    var d = ConvolutionDescriptor(
      dataType: type, batch: random.int(0...9) == 0 ? 0 : random.int(1...3), inputChannels: c, outputChannels: k,
      window: window)
    d.groups = groups
    if random.int(0...4) == 0 {
      c = random.int(1...70)
      k = c * random.int(1...3)
      (d.inputChannels, d.outputChannels, d.groups) = (c, k, c)
    }
    d.isTransposed = random.int(0...3) == 0
    if d.isTransposed {
      // The multiplier is on the other side now and then.
      if random.bool() { (d.inputChannels, d.outputChannels) = (d.outputChannels, d.inputChannels) }
      for i in window.dimensions { d.outputPadding[i] = random.int(0...window.stride[i] - 1) }
    }
    addEpilogue(&d)
    return d
  }

  /// Layouts, bias, residual, activation and packed weights, each or none.
  mutating func addEpilogue(_ d: inout ConvolutionDescriptor) {
    d.xLayout = random.pick(TensorLayout.allCases)
    d.yLayout = random.pick(TensorLayout.allCases)
    d.hasBias = random.bool()
    d.hasResidual = random.int(0...2) == 0
    d.activation = random.bool() ? .identity : random.pick(Activation.allCases)
    d.slope = random.pick([0, 0.01, 1, random.real()])
    d.packedWeights = random.bool()
  }

  /// Whether the shape has an output and is not too large.
  static func isLegal(_ d: ConvolutionDescriptor) -> Bool {
    let w = d.window
    let output = ConvolutionTrial.outputSize(d)
    return (0..<3).allSatisfy { i in
      output[i] >= 1
        && (d.isTransposed || w.dilation[i] * (w.window[i] - 1) < w.input[i] + w.padBefore[i] + w.padAfter[i])
    }
  }
}

extension ConvolutionDescriptor {
  /// The problem with each algorithm that can do it, Winograd's where it is allowed.
  func withEachAlgorithm(
    _ direction: ConvolutionDirection, _ context: ExecutionContext
  ) throws -> [ConvolutionDescriptor] {
    try ConvolutionPlan.algorithms(self, direction: direction, context: context).map {
      var d = self
      d.algorithm = $0
      return d
    }
  }

  /// Two spatial dimensions, with channels first or last on both sides.
  static func plane(
    _ type: DataType, batch: Int = 1, channels: Int, height: Int, width: Int, filters: Int, kernel: Int,
    stride: Int = 1,
    pad: Int = 0, layout: TensorLayout = .channelsLast
  ) -> ConvolutionDescriptor {
    var window = SpatialWindow(rank: 2, input: Extents(1, height, width), window: Extents(1, kernel, kernel))
    window.stride = Extents(1, stride, stride)
    window.padBefore = Extents(0, pad, pad)
    window.padAfter = window.padBefore
    var d = ConvolutionDescriptor(
      dataType: type, batch: batch, inputChannels: channels, outputChannels: filters, window: window)
    d.xLayout = layout
    d.yLayout = layout
    return d
  }
}

/// Runs a problem with each of its algorithms and records what is wrong.
func expectRight(
  _ d: ConvolutionDescriptor, _ direction: ConvolutionDirection, _ context: ExecutionContext, accumulate: Bool = false,
  seed: UInt64 = 1, residualIsY: Bool = false, _ placement: TestMemory.Placement = .offset(0),
  scratch: ConvolutionTrial.Scratch = .engine
) throws {
  for d in try d.withEachAlgorithm(direction, context) {
    let trial = ConvolutionTrial(d, direction, accumulate: accumulate, seed: seed, residualIsY: residualIsY)
    let outcome = try trial.run(context, placement, scratch: scratch)
    if let objection = trial.objection(to: outcome) {
      Issue.record("\(context.instructionSet.name), \(placement): \(objection)")
    }
  }
}
