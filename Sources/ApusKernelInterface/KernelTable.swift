/// Everything that one instruction set offers. The engine picks a table at run time and calls through it.
@frozen public struct KernelTable: Sendable {
  /// GEMM in float32.
  public var gemm32: GemmKernels
  /// GEMM in float64.
  public var gemm64: GemmKernels
  /// The yardstick in float32.
  public var limits32: LimitKernels
  /// The yardstick in float64.
  public var limits64: LimitKernels

  /// A set's kernels.
  @inlinable public init(
    gemm32: GemmKernels, gemm64: GemmKernels, limits32: LimitKernels, limits64: LimitKernels
  ) {
    self.gemm32 = gemm32
    self.gemm64 = gemm64
    self.limits32 = limits32
    self.limits64 = limits64
  }
}
