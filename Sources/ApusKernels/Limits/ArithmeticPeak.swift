import ApusKernelInterface

/// Independent chains of multiply-adds: more than latency x throughput of any CPU at hand (4 cycles x 2 a cycle), and
/// with their two operands no more than the registers of the set.
#if APUS_32_REGISTERS || arch(arm64)
  typealias PeakChains = Count<24>
#else
  typealias PeakChains = Count<14>
#endif

/// Nothing but multiply-adds on registers. The operands come from memory, so the compiler cannot foresee them.
@inline(__always)
func multiplyAdds<V: KernelVector>(
  _ iterations: Int, _ operands: UnsafeRawPointer, _ result: UnsafeMutableRawPointer, _: V.Type
) {
  let scalars = operands.assumingMemoryBound(to: V.Scalar.self)
  let sum = chains(iterations, V(repeating: scalars[0]), V(repeating: scalars[1]), PeakChains.self)
  result.assumingMemoryBound(to: V.Scalar.self).pointee = V.sum(sum)
}

@inline(__always)
private func chains<let N: Int, V: KernelVector>(_ iterations: Int, _ p: V, _ q: V, _: Count<N>.Type) -> V {
  var x = InlineArray<N, V>(repeating: q)
  // Chains that start alike would be merged into one.
  for i in 1..<N { x[i] = x[i - 1] + q }
  for _ in 0..<iterations {
    for i in 0..<N {
      #if APUS_FMA || arch(arm64)
        x[i] = V.multiplyAdd(x[i], p, q)
      #else
        // Without fused multiply-add the product of the loop's constants would be hoisted: multiply the chain instead.
        x[i] = V.multiplyAdd(q, x[i], p)
      #endif
    }
  }
  var sum = x[0]
  for i in 1..<N { sum += x[i] }
  return sum
}
