internal import ApusEngine

/// What a convolution computes from what it is given.
public enum ConvolutionDirection: CaseIterable, Sendable, Hashable {
  /// y from x.
  case forward
  /// dx from dy.
  case backwardData
  /// dw and db from x and dy.
  case backwardWeights

  var engine: ApusEngine.ConvolutionDirection {
    switch self {
    case .forward: .forward
    case .backwardData: .backwardData
    case .backwardWeights: .backwardWeights
    }
  }
}

/// How a convolution is computed.
public enum ConvolutionAlgorithm: CaseIterable, Sendable, Hashable, CustomStringConvertible {
  /// Register tiles of pixels x channels over the taps of the kernel.
  case direct
  /// The same tiles over patches that are laid out a few rows at a time.
  case implicitGemm
  /// A 1x1 kernel on channels-first tensors, as a product for each image.
  case pointwise
  /// One input channel in each group.
  case depthwise
  /// Vectors along the width of channels-first planes, for few channels.
  case planes
  /// F(4x4, 3x3): fewer operations and a larger rounding error; only where a plan allows it.
  case winograd

  /// As the C interface calls it: "implicit_gemm".
  public var description: String { engine.name }

  var engine: ApusEngine.ConvolutionAlgorithm {
    switch self {
    case .direct: .direct
    case .implicitGemm: .implicitGemm
    case .pointwise: .pointwise
    case .depthwise: .depthwise
    case .planes: .planes
    case .winograd: .winograd
    }
  }

  init(_ algorithm: ApusEngine.ConvolutionAlgorithm) {
    self =
      switch algorithm {
      case .direct: .direct
      case .implicitGemm: .implicitGemm
      case .pointwise: .pointwise
      case .depthwise: .depthwise
      case .planes: .planes
      case .winograd: .winograd
      }
  }
}
