/// Everything that one instruction set offers. The engine picks a table at run time and calls through it.
@frozen public struct KernelTable: Sendable {
  /// GEMM in float32.
  public var gemm32: GemmKernels
  /// GEMM in float64.
  public var gemm64: GemmKernels
  /// Convolution in float32.
  public var convolution32: ConvolutionKernels
  /// Convolution in float64.
  public var convolution64: ConvolutionKernels
  /// Planes in float32.
  public var planes32: PlaneKernels
  /// Planes in float64.
  public var planes64: PlaneKernels
  /// Pooling in float32.
  public var pooling32: PoolingKernels
  /// Pooling in float64.
  public var pooling64: PoolingKernels
  /// Winograd's transforms in float32.
  public var winograd32: WinogradKernels
  /// Winograd's transforms in float64.
  public var winograd64: WinogradKernels
  /// Recurrent layers in float32.
  public var recurrent32: RecurrentKernels
  /// Recurrent layers in float64.
  public var recurrent64: RecurrentKernels
  /// Functions of elements in float32.
  public var elements32: ElementKernels
  /// Functions of elements in float64.
  public var elements64: ElementKernels
  /// Softmax in float32.
  public var softmax32: SoftmaxKernels
  /// Softmax in float64.
  public var softmax64: SoftmaxKernels
  /// Normalisation in float32.
  public var normalization32: NormalizationKernels
  /// Normalisation in float64.
  public var normalization64: NormalizationKernels
  /// Losses in float32.
  public var losses32: LossKernels
  /// Losses in float64.
  public var losses64: LossKernels
  /// Updates in float32.
  public var optimizers32: OptimizerKernels
  /// Updates in float64.
  public var optimizers64: OptimizerKernels
  /// Random numbers in float32.
  public var random32: RandomKernels
  /// Random numbers in float64.
  public var random64: RandomKernels
  /// Reductions in float32.
  public var reductions32: ReductionKernels
  /// Reductions in float64.
  public var reductions64: ReductionKernels
  /// exp, sigmoid and the like over arrays.
  public var vectorMath: VectorMathKernels
  /// The yardstick in float32.
  public var limits32: LimitKernels
  /// The yardstick in float64.
  public var limits64: LimitKernels

  /// A whole table; the names are the fields'.
  @inlinable public init(
    gemm32: GemmKernels, gemm64: GemmKernels, convolution32: ConvolutionKernels, convolution64: ConvolutionKernels,
    planes32: PlaneKernels, planes64: PlaneKernels, pooling32: PoolingKernels, pooling64: PoolingKernels,
    winograd32: WinogradKernels, winograd64: WinogradKernels, recurrent32: RecurrentKernels,
    recurrent64: RecurrentKernels, elements32: ElementKernels,
    elements64: ElementKernels, softmax32: SoftmaxKernels,
    softmax64: SoftmaxKernels, normalization32: NormalizationKernels,
    normalization64: NormalizationKernels, losses32: LossKernels,
    losses64: LossKernels, optimizers32: OptimizerKernels,
    optimizers64: OptimizerKernels, random32: RandomKernels,
    random64: RandomKernels, reductions32: ReductionKernels,
    reductions64: ReductionKernels, vectorMath: VectorMathKernels, limits32: LimitKernels,
    limits64: LimitKernels
  ) {
    self.gemm32 = gemm32
    self.gemm64 = gemm64
    self.convolution32 = convolution32
    self.convolution64 = convolution64
    self.planes32 = planes32
    self.planes64 = planes64
    self.pooling32 = pooling32
    self.pooling64 = pooling64
    self.winograd32 = winograd32
    self.winograd64 = winograd64
    self.recurrent32 = recurrent32
    self.recurrent64 = recurrent64
    self.elements32 = elements32
    self.elements64 = elements64
    self.softmax32 = softmax32
    self.softmax64 = softmax64
    self.normalization32 = normalization32
    self.normalization64 = normalization64
    self.losses32 = losses32
    self.losses64 = losses64
    self.optimizers32 = optimizers32
    self.optimizers64 = optimizers64
    self.random32 = random32
    self.random64 = random64
    self.reductions32 = reductions32
    self.reductions64 = reductions64
    self.vectorMath = vectorMath
    self.limits32 = limits32
    self.limits64 = limits64
  }
}
