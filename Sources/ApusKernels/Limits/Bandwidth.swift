import ApusKernelInterface
import ApusShims

// Plain loops in whole vectors, as a kernel would have them. Each step's vectors are spelled out: a loop over them is
// taken for a memcpy before it is unrolled.

/// Eight running sums hide the latency of the addition.
@inline(__always)
func readAll<V: KernelVector>(
  _ source: UnsafeRawPointer, _ bytes: Int, _ result: UnsafeMutableRawPointer, _: V.Type
) {
  var p = source.assumingMemoryBound(to: V.Scalar.self)
  let step = 8 * V.lanes
  var s0 = V.zero, s1 = V.zero, s2 = V.zero, s3 = V.zero
  var s4 = V.zero, s5 = V.zero, s6 = V.zero, s7 = V.zero
  for _ in 0..<bytes / (8 * MemoryLayout<V>.size) {
    s0 += V.load(p)
    s1 += V.load(p + V.lanes)
    s2 += V.load(p + 2 * V.lanes)
    s3 += V.load(p + 3 * V.lanes)
    s4 += V.load(p + 4 * V.lanes)
    s5 += V.load(p + 5 * V.lanes)
    s6 += V.load(p + 6 * V.lanes)
    s7 += V.load(p + 7 * V.lanes)
    p += step
  }
  let sum = ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))
  result.assumingMemoryBound(to: V.Scalar.self).pointee = V.sum(sum)
}

@inline(__always)
func copyAll<V: KernelVector>(
  _ destination: UnsafeMutableRawPointer, _ source: UnsafeRawPointer, _ bytes: Int, _: V.Type
) {
  var p = source.assumingMemoryBound(to: V.Scalar.self)
  var d = destination.assumingMemoryBound(to: V.Scalar.self)
  let step = 4 * V.lanes
  for _ in 0..<bytes / (4 * MemoryLayout<V>.size) {
    let x0 = V.load(p)
    let x1 = V.load(p + V.lanes)
    let x2 = V.load(p + 2 * V.lanes)
    let x3 = V.load(p + 3 * V.lanes)
    x0.store(d)
    x1.store(d + V.lanes)
    x2.store(d + 2 * V.lanes)
    x3.store(d + 3 * V.lanes)
    p += step
    d += step
  }
}

/// The same with stores past the caches, which do not read what they overwrite. Both are aligned to the vector.
@inline(__always)
func streamAll<V: KernelVector>(
  _ destination: UnsafeMutableRawPointer, _ source: UnsafeRawPointer, _ bytes: Int, _: V.Type
) {
  var p = source.assumingMemoryBound(to: V.Scalar.self)
  var d = destination.assumingMemoryBound(to: V.Scalar.self)
  let step = 4 * V.lanes
  for _ in 0..<bytes / (4 * MemoryLayout<V>.size) {
    let x0 = V.load(p)
    let x1 = V.load(p + V.lanes)
    let x2 = V.load(p + 2 * V.lanes)
    let x3 = V.load(p + 3 * V.lanes)
    x0.stream(d)
    x1.stream(d + V.lanes)
    x2.stream(d + 2 * V.lanes)
    x3.stream(d + 3 * V.lanes)
    p += step
    d += step
  }
  apus_stream_fence()
}

/// destination = first + 3 * second.
@inline(__always)
func triadAll<V: KernelVector>(
  _ destination: UnsafeMutableRawPointer, _ first: UnsafeRawPointer, _ second: UnsafeRawPointer, _ bytes: Int, _: V.Type
) {
  var p = first.assumingMemoryBound(to: V.Scalar.self)
  var q = second.assumingMemoryBound(to: V.Scalar.self)
  var d = destination.assumingMemoryBound(to: V.Scalar.self)
  let step = 4 * V.lanes
  let three = V(repeating: 3)
  for _ in 0..<bytes / (4 * MemoryLayout<V>.size) {
    V.multiplyAdd(V.load(p), three, V.load(q)).store(d)
    V.multiplyAdd(V.load(p + V.lanes), three, V.load(q + V.lanes)).store(d + V.lanes)
    V.multiplyAdd(V.load(p + 2 * V.lanes), three, V.load(q + 2 * V.lanes)).store(d + 2 * V.lanes)
    V.multiplyAdd(V.load(p + 3 * V.lanes), three, V.load(q + 3 * V.lanes)).store(d + 3 * V.lanes)
    p += step
    q += step
    d += step
  }
}
