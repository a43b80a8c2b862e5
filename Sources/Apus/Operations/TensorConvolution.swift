internal import ApusEngine

/// The geometry of a convolution or pooling along each spatial dimension.
struct WindowOptions: Sendable {
  var stride: [Int]
  var padding: [Int]
  var dilation: [Int]

  var numbers: [Int] { stride + padding + dilation }

  func window(_ input: [Int], _ kernel: [Int]) -> SpatialWindow {
    let rank = input.count
    var window = SpatialWindow(rank: rank, input: extents(input), window: extents(kernel))
    window.stride = extents(stride)
    window.dilation = extents(dilation)
    window.padBefore = extents(padding, missing: 0)
    window.padAfter = extents(padding, missing: 0)
    return window
  }
}

/// Sizes of 1 to 3 spatial dimensions, the last being the width.
func extents(_ sizes: [Int], missing: Int = 1) -> Extents {
  var extents = Extents(repeating: missing)
  for (i, size) in sizes.enumerated() {
    switch 3 - sizes.count + i {
    case 0: extents.depth = size
    case 1: extents.height = size
    default: extents.width = size
    }
  }
  return extents
}

private let plans = PlanCache<ConvolutionPlan>()

/// A convolution with its plans, as often as its shapes come again.
private struct ConvolutionCall: Sendable {
  var descriptor: ConvolutionDescriptor
  var key: [Int]

  func plan(_ direction: ApusEngine.ConvolutionDirection, hasBias: Bool) -> ConvolutionPlan {
    plans.plan(key + [Int(direction.rawValue), hasBias ? 1 : 0]) {
      var own = descriptor
      own.hasBias = hasBias
      return planned("convolution") { [own] context throws(ApusEngine.ApusError) in
        try ConvolutionPlan(own, direction: direction, context: context)
      }
    }
  }
}

/// The convolution of x with weights, as deep learning has it (a cross-correlation), over 1, 2 or 3 spatial dimensions.
///
/// - Parameters:
///   - x: N x C x spatial sizes.
///   - weight: K x C / groups x kernel sizes; transposed: C x K / groups x kernel sizes.
///   - bias: K numbers; nil: none.
///   - stride: Of each spatial dimension; one number is for all.
///   - padding: Zeros on both sides of each, likewise.
///   - dilation: Distance between the taps of each, likewise.
///   - groups: Channels fall into so many groups, each convolved alone.
///   - isTransposed: The transpose of the convolution that maps y's shape to x's.
///   - outputPadding: Transposed only: rows added at the end of the output, less than the stride.
/// - Returns: N x K x spatial sizes.
public func convolution(
  _ x: Tensor, weight: Tensor, bias: Tensor? = nil, stride: [Int] = [1], padding: [Int] = [0], dilation: [Int] = [1],
  groups: Int = 1, isTransposed: Bool = false, outputPadding: [Int] = [0]
) -> Tensor {
  let rank = x.rank - 2
  require(
    (1...3).contains(rank) && weight.rank == x.rank,
    "convolution: x has the shape \(x.shape) and weight \(weight.shape): both take 3 to 5 dimensions")
  require(
    x.dtype == weight.dtype && x.dtype.isFloatingPoint && bias?.dtype ?? x.dtype == x.dtype,
    "convolution: x, weight and bias must have one floating-point type, but they are \(x.dtype) and \(weight.dtype)")
  require(
    groups > 0 && x.shape[1] == weight.shape[isTransposed ? 0 : 1] * (isTransposed ? 1 : groups),
    "convolution: x of shape \(x.shape) does not fit weight of shape \(weight.shape) in \(groups) groups")
  let channels = isTransposed ? weight.shape[1] * groups : weight.shape[0]
  require(
    bias.map { $0.shape == [channels] } ?? true,
    "convolution: bias has the shape \(bias?.shape ?? []), but weight has \(weight.shape)")
  func spread(_ name: StaticString, _ numbers: [Int]) -> [Int] {
    require(
      numbers.count == 1 || numbers.count == rank,
      "convolution: \(name) is \(numbers), but x of shape \(x.shape) has \(rank) spatial dimensions")
    return numbers.count == 1 ? Array(repeating: numbers[0], count: rank) : numbers
  }
  let options = WindowOptions(
    stride: spread("stride", stride), padding: spread("padding", padding), dilation: spread("dilation", dilation))
  let extra = spread("outputPadding", outputPadding)
  let (input, kernel) = (Array(x.shape[2...]), Array(weight.shape[2...]))
  var descriptor = ConvolutionDescriptor(
    dataType: x.dtype.engine, batch: x.shape[0], inputChannels: x.shape[1], outputChannels: channels,
    window: options.window(input, kernel))
  descriptor.groups = groups
  descriptor.xLayout = .channelsFirst
  descriptor.yLayout = .channelsFirst
  descriptor.isTransposed = isTransposed
  descriptor.outputPadding = extents(extra, missing: 0)
  let call = ConvolutionCall(
    descriptor: descriptor,
    key: x.shape + weight.shape + options.numbers + extra + [groups, isTransposed ? 1 : 0, x.dtype.size])
  return run(call, x, weight, bias)
}

private func run(_ call: ConvolutionCall, _ x: Tensor, _ weight: Tensor, _ bias: Tensor?) -> Tensor {
  let (source, w, b) = (x.detached().contiguous(), weight.detached().contiguous(), bias?.detached().contiguous())
  let plan = call.plan(.forward, hasBias: bias != nil)
  let size = plan.outputSize
  let spatial = [size.depth, size.height, size.width].suffix(x.rank - 2)
  let y = Tensor(uninitialized: [x.shape[0], call.descriptor.outputChannels] + spatial, x.dtype)
  var arguments = ConvolutionArguments()
  arguments.x = source.base
  arguments.weights = w.base
  arguments.bias = b?.base
  arguments.y = y.result
  compute("convolution", source, w, b, y) { [arguments] context throws(ApusEngine.ApusError) in
    try plan.run(context: context, arguments)
  }
  let rule: @Sendable (Tensor) -> [Tensor?] = { dy in
    let gradient = dy.detached().contiguous()
    var dx: Tensor?
    if x.isTracked {
      let result = Tensor(uninitialized: source.shape, source.dtype)
      var arguments = ConvolutionArguments()
      arguments.dy = gradient.base
      arguments.weights = w.base
      arguments.dx = result.result
      compute("convolution", gradient, w, result) { [arguments] context throws(ApusEngine.ApusError) in
        try call.plan(.backwardData, hasBias: false).run(context: context, arguments)
      }
      dx = result
    }
    var dw: Tensor?
    var db: Tensor?
    let wantsBias = bias?.isTracked ?? false
    if weight.isTracked || wantsBias {
      let weights = Tensor(uninitialized: w.shape, w.dtype)
      let biases = wantsBias ? Tensor(uninitialized: [call.descriptor.outputChannels], w.dtype) : nil
      var arguments = ConvolutionArguments()
      arguments.x = source.base
      arguments.dy = gradient.base
      arguments.dw = weights.result
      arguments.db = biases?.result
      compute("convolution", source, gradient, weights, biases) { [arguments] context throws(ApusEngine.ApusError) in
        try call.plan(.backwardWeights, hasBias: wantsBias).run(context: context, arguments)
      }
      (dw, db) = (weight.isTracked ? weights : nil, biases)
    }
    return bias == nil ? [dx, dw] : [dx, dw, db]
  }
  guard let bias else { return y.recorded(kernel: "convolution", x, weight, rule: rule) }
  return y.recorded(kernel: "convolution", x, weight, bias, rule: rule)
}
