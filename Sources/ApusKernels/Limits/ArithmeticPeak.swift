import ApusKernelInterface

// The chains are tuples, not an InlineArray: a second kind of InlineArray in the module made the compiler specialise its
// initialiser out of line, and the register tile of GEMM then kept its sums in memory (45 instead of 115 GFLOP/s).
private typealias Four<V> = (V, V, V, V)

/// Nothing but multiply-adds on registers, in more independent chains than latency x throughput of any CPU at hand
/// (4 cycles x 2 to 4 a cycle), but no more than the registers of the set. The operands come from memory, so the compiler
/// cannot foresee them.
@inline(__always)
func multiplyAdds<V: KernelVector>(
  _ iterations: Int, _ operands: UnsafeRawPointer, _ result: UnsafeMutableRawPointer, _: V.Type
) {
  let scalars = operands.assumingMemoryBound(to: V.Scalar.self)
  let p = V(repeating: scalars[0])
  let q = V(repeating: scalars[1])
  // Chains that start alike would be merged into one.
  var a = fourFrom(q, q)
  var b = fourFrom(a.3, q)
  var c = fourFrom(b.3, q)
  #if APUS_32_REGISTERS || arch(arm64)
    var d = fourFrom(c.3, q)
    var e = fourFrom(d.3, q)
  #endif
  for _ in 0..<iterations {
    advance(&a, p, q)
    advance(&b, p, q)
    advance(&c, p, q)
    #if APUS_32_REGISTERS || arch(arm64)
      advance(&d, p, q)
      advance(&e, p, q)
    #endif
  }
  var sum = total(a) + total(b) + total(c)
  #if APUS_32_REGISTERS || arch(arm64)
    sum += total(d) + total(e)
  #endif
  result.assumingMemoryBound(to: V.Scalar.self).pointee = V.sum(sum)
}

/// How many chains `multiplyAdds` has.
var peakChains: Int {
  #if APUS_32_REGISTERS || arch(arm64)
    20
  #else
    12
  #endif
}

@inline(__always)
private func fourFrom<V: KernelVector>(_ start: V, _ step: V) -> Four<V> {
  (start + step, start + step + step, start + step + step + step, start + step + step + step + step)
}

@inline(__always)
private func advance<V: KernelVector>(_ x: inout Four<V>, _ p: V, _ q: V) {
  #if APUS_FMA || arch(arm64)
    x.0 = V.multiplyAdd(x.0, p, q)
    x.1 = V.multiplyAdd(x.1, p, q)
    x.2 = V.multiplyAdd(x.2, p, q)
    x.3 = V.multiplyAdd(x.3, p, q)
  #else
    // Without a fused instruction the product of the loop's constants would be hoisted: multiply the chain instead.
    x.0 = V.multiplyAdd(q, x.0, p)
    x.1 = V.multiplyAdd(q, x.1, p)
    x.2 = V.multiplyAdd(q, x.2, p)
    x.3 = V.multiplyAdd(q, x.3, p)
  #endif
}

@inline(__always)
private func total<V: KernelVector>(_ x: Four<V>) -> V { (x.0 + x.1) + (x.2 + x.3) }
