import ApusKernelInterface
import ApusKernelsBaseline
#if canImport(ApusKernelsAVX512)
  import ApusKernelsAVX2
  import ApusKernelsAVX512
#endif

extension InstructionSet {
  /// The set's kernels. The set must be available.
  public var kernels: KernelTable {
    #if canImport(ApusKernelsAVX512)
      switch self {
      case .baseline: kernelTableBaseline
      case .avx2: kernelTableAVX2
      case .avx512: kernelTableAVX512
      }
    #else
      kernelTableBaseline
    #endif
  }
}
