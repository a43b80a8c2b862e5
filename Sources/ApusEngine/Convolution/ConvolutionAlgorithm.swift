/// How a convolution is computed; raw values are the C header's.
public enum ConvolutionAlgorithm: Int32, CaseIterable, Sendable {
  /// Register tiles of pixels x channels over the taps of the kernel, whose inputs are read where they lie or from a
  /// padded copy of a few rows.
  case direct = 1
  /// The same tiles over patches that are laid out a few rows at a time ("implicit GEMM"): for few input channels.
  case implicitGemm = 2
  /// A 1x1 kernel on channels-first tensors as the product of the weights and each image.
  case pointwise = 3
  /// One input channel in each group.
  case depthwise = 4
  /// Vectors along the width of channels-first planes: for few channels.
  case planes = 5
  /// F(4x4, 3x3) of A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks", 2016; its rounding error
  /// is larger, so it is chosen only where the caller allows it.
  case winograd = 6

  /// As messages and tables call it.
  public var name: String {
    switch self {
    case .direct: "direct"
    case .implicitGemm: "implicit_gemm"
    case .pointwise: "pointwise"
    case .depthwise: "depthwise"
    case .planes: "planes"
    case .winograd: "winograd"
    }
  }
}
