import ApusKernelInterface

/// What a plan computes; raw values are the C header's.
public enum ConvolutionDirection: Int32, CaseIterable, Sendable {
  /// y from x.
  case forward = 0
  /// dx from dy.
  case backwardData = 1
  /// dw and db from x and dy.
  case backwardWeights = 2
}

/// A convolution, as deep learning has it (a cross-correlation): y[k] = activation(sum over c, taps of w[k][c][tap]
/// x[c][position * stride - pad + tap * dilation] + bias[k] + residual). Tensors are dense. Nothing is checked before a
/// plan is made.
public struct ConvolutionDescriptor: Sendable, Equatable {
  /// Of every tensor: float32 or float64.
  public var dataType: DataType
  /// Images; 0 leaves nothing to do (gradients by weights are zero).
  public var batch: Int
  /// Channels of x.
  public var inputChannels: Int
  /// Channels of y.
  public var outputChannels: Int
  /// Input channels fall into so many groups, each seen by its share of the output channels.
  public var groups = 1
  /// Input size, kernel, stride, dilation and padding. Rounding is floor or strict.
  public var window: SpatialWindow
  /// Order of x and dx.
  public var xLayout = TensorLayout.channelsLast
  /// Order of y, dy and the residual.
  public var yLayout = TensorLayout.channelsLast
  /// The transpose of the convolution that maps y's shape to x's: what that one's backward by data computes. Its weights
  /// are (C, K / groups, taps).
  public var isTransposed = false
  /// Transposed only: rows that are added at the end of the output, less than the stride.
  public var outputPadding = Extents(repeating: 0)
  /// Forward adds one number for each output channel; backward by weights may give its gradient.
  public var hasBias = false
  /// Forward only, applied last.
  public var activation = Activation.identity
  /// Of leaky ReLU and ELU.
  public var slope = 0.0
  /// Forward only: adds a tensor of y's shape and layout before the activation.
  public var hasResidual = false
  /// Weights are, and their gradient will be, in the plan's own packed form.
  public var packedWeights = false
  /// Algorithms whose rounding grows faster than the plain sum's may be chosen.
  public var allowsWinograd = false
  /// nil: the first of `ConvolutionPlan.algorithms`.
  public var algorithm: ConvolutionAlgorithm?

  /// Stride 1, dilation 1, no padding, one group, channels last.
  public init(dataType: DataType, batch: Int, inputChannels: Int, outputChannels: Int, window: SpatialWindow) {
    self.dataType = dataType
    self.batch = batch
    self.inputChannels = inputChannels
    self.outputChannels = outputChannels
    self.window = window
  }

  /// Spatial size of y. Throws the first rule that the descriptor breaks.
  public func outputSize() throws(ApusError) -> Extents {
    if window.rounding == .ceil {
      throw .invalid("rounding", "ceil", "a convolution rounds by floor or strict; ceil is for pooling")
    }
    let name = "kernel"
    if !isTransposed {
      for i in window.dimensions where outputPadding[i] != 0 {
        throw .invalid(
          "output_padding[\(i - window.dimensions.lowerBound)]", outputPadding[i],
          "it must be 0: only a transposed convolution has one")
      }
      return try window.outputSize(windowName: name)
    }
    // The input of a transposed convolution need not contain the kernel.
    try window.checkNumbers(windowName: name)
    var output = Extents(repeating: 1)
    for i in window.dimensions {
      let index = i - window.dimensions.lowerBound
      // What the output padding adds is what the plain convolution would leave over.
      if window.rounding == .strict && outputPadding[i] != 0 {
        throw .invalid(
          "output_padding[\(index)]", outputPadding[i],
          "it must be 0: rounding is strict, and with it the stride \(window.stride[i]) would not divide the way back")
      }
      if outputPadding[i] < 0 || outputPadding[i] >= window.stride[i] {
        throw .invalid(
          "output_padding[\(index)]", outputPadding[i],
          "it must be at least 0 and less than the stride \(window.stride[i])")
      }
      output[i] =
        (window.input[i] - 1) * window.stride[i] + window.span[i] - window.padBefore[i] - window.padAfter[i]
        + outputPadding[i]
      if output[i] < 1 {
        throw .invalid(
          "pad_before[\(index)] + pad_after[\(index)]", window.padBefore[i] + window.padAfter[i],
          "it leaves no output: an input of \(window.input[i]) spreads over \(output[i] + window.padBefore[i] + window.padAfter[i])"
        )
      }
    }
    return output
  }

  /// Elements of the weights and, with a bias, of that.
  public func parameterCount() throws(ApusError) -> Int {
    try validate()
    return weightCount + (hasBias ? outputChannels : 0)
  }

  var weightCount: Int { inputChannels / groups * outputChannels * window.window.product }

  /// Throws the first rule that is broken, naming the argument as the C header does.
  func validate() throws(ApusError) {
    if dataType != .float32 && dataType != .float64 {
      throw ApusError(.unsupported, "dtype is \(dataType.name), but convolution has float32 and float64")
    }
    if batch < 0 { throw .invalid("batch", batch, "it must be at least 0") }
    let most = Int(Int32.max)
    for (name, value) in [
      ("in_channels", inputChannels), ("out_channels", outputChannels), ("groups", groups),
    ] where value < 1 || value > most {
      throw .invalid(name, value, "it must be 1 to \(most)")
    }
    for (name, value) in [("in_channels", inputChannels), ("out_channels", outputChannels)] where value % groups != 0 {
      throw .invalid(name, value, "it must be a multiple of groups, \(groups)")
    }
    if slope.isNaN && (activation == .leakyReLU || activation == .elu) {
      throw .invalid("slope", slope, "the activation multiplies by it: it must be a number")
    }
    let output = try outputSize()
    for (name, count, channels, extents, room) in [
      ("x", batch, inputChannels, window.input, 2), ("y", batch, outputChannels, output, 2),
      // Winograd's form has four times as many.
      ("weights", inputChannels / groups, outputChannels, window.window, 16),
      // What an element is summed over, in one of the directions: the patches that 2^12 threads lay out.
      ("weights", 1, max(inputChannels, outputChannels) / groups, window.window, 1 << 20),
    ] {
      // 64: the padding that a packed form adds to the channels.
      var bytes = CheckedSize(max(1, count)) * (channels + 64) * (dataType.size * room)
      for i in 0..<3 { bytes = bytes * extents[i] }
      if bytes.overflowed {
        throw .invalid(
          name, "\(count) x \(channels) x \(extents.depth) x \(extents.height) x \(extents.width)",
          "its size in bytes must fit 62 bits")
      }
    }
    // A run keeps a few padded rows for each thread, whose number must not overflow either, with room for what backward by
    // data and 2^12 threads add.
    var padded = CheckedSize(max(inputChannels, outputChannels) + 64) * (dataType.size << 15)
    for i in 0..<3 {
      let size = isTransposed ? output[i] : window.input[i]
      padded = padded * (size + window.padBefore[i] + window.padAfter[i])
    }
    if padded.overflowed {
      throw .invalid(
        "pad_before and pad_after",
        "\(window.dimensions.map { window.padBefore[$0] }) and \(window.dimensions.map { window.padAfter[$0] })",
        "the padded tensor's size in bytes must fit 47 bits")
    }
    if window.window.product > Self.mostTaps {
      throw ApusError(
        .unsupported,
        "kernel has \(window.window.product) taps, but a plan keeps a table of them and takes at most \(Self.mostTaps)")
    }
  }

  /// Taps of a kernel at most: 1024 x 1024.
  static let mostTaps = 1 << 20
}
