import ApusEngine
import ApusKernelInterface
import ApusKernelsBaseline

#if canImport(ApusKernelsAVX512)
  import ApusKernelsAVX2
  import ApusKernelsAVX512
#endif

/// A kernel target under test.
struct KernelSet: CustomStringConvertible, Sendable {
  var description: String
  var kernels: KernelTable

  /// The sets that this build has and this CPU can run.
  static var available: [KernelSet] {
    var sets = [KernelSet(description: "baseline", kernels: kernelTableBaseline)]
    #if canImport(ApusKernelsAVX512)
      if InstructionSet.available.contains(.avx2) {
        sets.append(KernelSet(description: "avx2", kernels: kernelTableAVX2))
      }
      if InstructionSet.available.contains(.avx512) {
        sets.append(KernelSet(description: "avx512", kernels: kernelTableAVX512))
      }
    #endif
    return sets
  }
}
