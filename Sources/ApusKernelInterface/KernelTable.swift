/// Everything that one instruction set offers. The engine picks a table at run time and calls through it.
@frozen public struct KernelTable: Sendable {
  public var gemm32: GemmKernels
  public var gemm64: GemmKernels
  public var limits32: LimitKernels
  public var limits64: LimitKernels

  @inlinable public init(
    gemm32: GemmKernels, gemm64: GemmKernels, limits32: LimitKernels, limits64: LimitKernels
  ) {
    self.gemm32 = gemm32
    self.gemm64 = gemm64
    self.limits32 = limits32
    self.limits64 = limits64
  }
}
