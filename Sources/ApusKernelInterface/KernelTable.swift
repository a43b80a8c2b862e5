/// Everything that one instruction set offers. The engine picks a table at run time and calls through it.
@frozen public struct KernelTable: Sendable {
  public var gemm32: GemmKernels
  public var gemm64: GemmKernels

  @inlinable public init(gemm32: GemmKernels, gemm64: GemmKernels) {
    self.gemm32 = gemm32
    self.gemm64 = gemm64
  }
}
