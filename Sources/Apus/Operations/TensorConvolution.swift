internal import ApusEngine
internal import ApusKernelInterface
import Synchronization

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

  func plan(_ direction: ApusEngine.ConvolutionDirection, hasBias: Bool, packs: Bool = false) -> ConvolutionPlan {
    plans.plan(key + [Int(direction.rawValue), hasBias ? 1 : 0, packs ? 1 : 0]) {
      var own = descriptor
      own.hasBias = hasBias
      own.packedWeights = packs
      if direction != .forward {
        own.activation = .identity
        own.hasResidual = false
      }
      return planned("convolution") { [own] context throws(ApusEngine.ApusError) in
        try ConvolutionPlan(own, direction: direction, context: context)
      }
    }
  }
}

/// Weights in the form of one plan, kept between the batches of an evaluation. Held while they are the newest; nothing is
/// kept for training, whose weights change with each step.
final class PackedWeightCache: Sendable {
  private struct Entry: Sendable {
    var plan: ConvolutionPlan
    /// Held so that whoever writes to the weights has to copy them first: the same memory means the same numbers.
    var weights: Tensor
    var packed: Tensor
  }
  private let entry = Mutex<Entry?>(nil)

  fileprivate func packed(_ weights: Tensor, for plan: ConvolutionPlan) -> Tensor {
    if let entry = entry.withLock({ $0 }), entry.plan === plan, entry.weights.storage === weights.storage,
      entry.weights.offset == weights.offset
    {
      return entry.packed
    }
    let packed = Tensor(uninitialized: [plan.packedWeightBytes], .uint8)
    compute("convolution", weights) { context throws(ApusEngine.ApusError) in
      try plan.packWeights(weights.base, into: packed.result, capacity: plan.packedWeightBytes, context: context)
    }
    entry.withLock { $0 = Entry(plan: plan, weights: weights, packed: packed) }
    return packed
  }

  fileprivate func clear() { entry.withLock { $0 = nil } }
}

/// The convolution of x with weights, as deep learning has it (a cross-correlation), over 1, 2 or 3 spatial dimensions:
/// y[k] = activation(sum over c and taps of w[k][c][tap] x[c][position stride - padding + tap dilation] + bias[k] + residual).
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
///   - residual: Added before the activation, in y's shape; nil: none.
///   - activation: Applied last, while the sums are still in registers. Its slope must be at least 0 where a gradient is
///     asked for.
/// - Returns: N x K x spatial sizes.
public func convolution(
  _ x: Tensor, weight: Tensor, bias: Tensor? = nil, stride: [Int] = [1], padding: [Int] = [0], dilation: [Int] = [1],
  groups: Int = 1, isTransposed: Bool = false, outputPadding: [Int] = [0], residual: Tensor? = nil,
  activation: Activation = .none
) -> Tensor {
  convolution(
    x, weight: weight, bias: bias, stride: stride, padding: padding, dilation: dilation, groups: groups,
    isTransposed: isTransposed, outputPadding: outputPadding, residual: residual, activation: activation, cache: nil)
}

/// The same with a place for packed weights.
func convolution(
  _ x: Tensor, weight: Tensor, bias: Tensor?, stride: [Int], padding: [Int], dilation: [Int], groups: Int,
  isTransposed: Bool, outputPadding: [Int], residual: Tensor?, activation: Activation, cache: PackedWeightCache?
) -> Tensor {
  let rank = x.rank - 2
  require(
    (1...3).contains(rank) && weight.rank == x.rank,
    "convolution: x has the shape \(x.shape) and weight \(weight.shape): both take 3 to 5 dimensions")
  require(
    x.dtype == weight.dtype && x.dtype.isFloatingPoint && bias?.dtype ?? x.dtype == x.dtype
      && residual?.dtype ?? x.dtype == x.dtype,
    "convolution: x, weight, bias and residual must have one floating-point type, but they are \(x.dtype) and \(weight.dtype)"
  )
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
  let (images, layout) = x.imagesLaidOut()
  var descriptor = ConvolutionDescriptor(
    dataType: x.dtype.engine, batch: x.shape[0], inputChannels: x.shape[1], outputChannels: channels,
    window: options.window(Array(x.shape[2...]), Array(weight.shape[2...])))
  descriptor.groups = groups
  descriptor.xLayout = layout
  // A chain keeps channels last, with which the kernels are fastest, but where a pixel's channels do not fill 64 bytes, the
  // widest vector: there it is planes.
  let isNarrow = max(x.shape[1], channels) * x.dtype.size < 64
  descriptor.yLayout = isNarrow ? .channelsFirst : .channelsLast
  descriptor.isTransposed = isTransposed
  descriptor.outputPadding = extents(extra, missing: 0)
  descriptor.hasResidual = residual != nil
  (descriptor.activation, descriptor.slope) = activation.engine
  var key = x.shape
  key += weight.shape
  key += options.numbers
  key += extra
  key += [
    groups, isTransposed ? 1 : 0, x.dtype.size, Int(layout.rawValue), residual == nil ? 0 : 1,
    Int(descriptor.activation.rawValue), Int(truncatingIfNeeded: descriptor.slope.bitPattern),
  ]
  return run(ConvolutionCall(descriptor: descriptor, key: key), x, images, weight, bias, residual, cache)
}

/// `images` is x in the order of the call's descriptor.
private func run(
  _ call: ConvolutionCall, _ x: Tensor, _ images: Tensor, _ weight: Tensor, _ bias: Tensor?, _ residual: Tensor?,
  _ cache: PackedWeightCache?
) -> Tensor {
  let (w, b) = (weight.detached().contiguous(), bias?.detached().contiguous())
  let isConstant = !Tape.isRecording || !weight.isTracked
  let plan = call.plan(.forward, hasBias: bias != nil, packs: cache != nil && isConstant)
  var packed: Tensor?
  if isConstant { packed = cache?.packed(w, for: plan) } else { cache?.clear() }
  let size = plan.outputSize
  let spatial = [size.depth, size.height, size.width].suffix(x.rank - 2)
  let layout = call.descriptor.yLayout
  let y = Tensor(uninitialized: [x.shape[0], call.descriptor.outputChannels] + spatial, x.dtype, layout)
  require(
    residual.map { $0.shape == y.shape } ?? true,
    "convolution: residual has the shape \(residual?.shape ?? []), but the result has \(y.shape)")
  let sum = residual?.images(in: layout)
  var arguments = ConvolutionArguments()
  arguments.x = images.base
  arguments.weights = packed?.base ?? w.base
  arguments.bias = b?.base
  arguments.residual = sum?.base
  arguments.y = y.result
  compute("convolution", images, w, b, sum, y) { [arguments] context throws(ApusEngine.ApusError) in
    try plan.run(context: context, arguments)
  }
  withExtendedLifetime(packed) {}
  let sources = [x, weight] + [bias, residual].compactMap { $0 }
  return y.recorded(kernel: "convolution", from: sources) { dy in
    let gradient = activationGradient(
      "convolution", call.descriptor.activation, call.descriptor.slope, dy.images(in: layout), y)
    let dx = x.isTracked ? call.dataGradient(gradient, w, like: images) : nil
    let (dw, db) = call.weightGradients(
      images, gradient, weight.isTracked ? w : nil, (bias?.isTracked ?? false) ? b : nil, shape: w.shape)
    return [dx, dw] + (bias == nil ? [] : [db]) + (residual == nil ? [] : [gradient])
  }
}

extension ConvolutionCall {
  /// dx, which lies as x.
  func dataGradient(_ gradient: Tensor, _ weights: Tensor, like x: Tensor) -> Tensor {
    let dx = x.uninitializedLike()
    var arguments = ConvolutionArguments()
    arguments.dy = gradient.base
    arguments.weights = weights.base
    arguments.dx = dx.result
    compute("convolution", gradient, weights, dx) { [arguments] context throws(ApusEngine.ApusError) in
      try plan(.backwardData, hasBias: false).run(context: context, arguments)
    }
    return dx
  }

  /// dw and db, where the weights and the bias are given; dw has the shape.
  func weightGradients(_ x: Tensor, _ gradient: Tensor, _ weights: Tensor?, _ bias: Tensor?, shape: [Int]) -> (
    Tensor?, Tensor?
  ) {
    if weights == nil && bias == nil { return (nil, nil) }
    let dw = Tensor(uninitialized: shape, x.dtype)
    let db = bias.map { Tensor(uninitialized: $0.shape, x.dtype) }
    var arguments = ConvolutionArguments()
    arguments.x = x.base
    arguments.dy = gradient.base
    arguments.dw = dw.result
    arguments.db = db?.result
    compute("convolution", x, gradient, dw, db) { [arguments] context throws(ApusEngine.ApusError) in
      try plan(.backwardWeights, hasBias: bias != nil).run(context: context, arguments)
    }
    return (weights == nil ? nil : dw, db)
  }
}
