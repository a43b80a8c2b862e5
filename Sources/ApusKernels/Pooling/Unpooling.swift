import ApusKernelInterface

@inline(__always)
private func index(_ p: UnsafeRawPointer, _ i: Int, wide: Bool) -> Int {
  wide ? Int(p.assumingMemoryBound(to: Int64.self)[i]) : Int(p.assumingMemoryBound(to: Int32.self)[i])
}

/// x = 0, then y to its indices in their order: of several with one index the last one stays.
@inline(__always)
func unpoolSamples<Scalar: KernelScalar>(
  _ s: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ sample: Int, _ samples: Int,
  _ channel: Int, _ channels: Int, _: Scalar.Type
) {
  guard let x = operands.pointee.x?.assumingMemoryBound(to: Scalar.self),
    let y = operands.pointee.y?.assumingMemoryBound(to: Scalar.self), let indices = operands.pointee.indices
  else { return }
  let pixel = s.pointee.channels
  let inputPlane = s.pointee.depth.input &* s.pointee.height.input &* s.pointee.width.input
  let outputPlane = s.pointee.depth.output &* s.pointee.height.output &* s.pointee.width.output
  let wide = s.pointee.indicesAreWide
  for n in sample..<sample &+ samples {
    let to = x + (n &* inputPlane &* pixel)
    for i in 0..<inputPlane {
      for c in channel..<channel &+ channels { to[i &* pixel &+ c] = 0 }
    }
    for o in n &* outputPlane..<(n &+ 1) &* outputPlane {
      for c in channel..<channel &+ channels {
        let i = o &* pixel &+ c
        to[index(indices, i, wide: wide) &* pixel &+ c] = y[i]
      }
    }
  }
}

/// dy = dx at the indices, or added to it.
@inline(__always)
func gatherAtIndices<Scalar: KernelScalar>(
  _ s: UnsafePointer<PoolingShape>, _ operands: UnsafePointer<PoolingOperands>, _ sample: Int, _ samples: Int,
  _ channel: Int, _ channels: Int, _: Scalar.Type
) {
  guard let dx = operands.pointee.dx?.assumingMemoryBound(to: Scalar.self),
    let dy = operands.pointee.dy?.assumingMemoryBound(to: Scalar.self), let indices = operands.pointee.indices
  else { return }
  let pixel = s.pointee.channels
  let inputPlane = s.pointee.depth.input &* s.pointee.height.input &* s.pointee.width.input
  let outputPlane = s.pointee.depth.output &* s.pointee.height.output &* s.pointee.width.output
  let wide = s.pointee.indicesAreWide
  let accumulates = s.pointee.accumulates
  for n in sample..<sample &+ samples {
    let from = dx + (n &* inputPlane &* pixel)
    for o in n &* outputPlane..<(n &+ 1) &* outputPlane {
      for c in channel..<channel &+ channels {
        let i = o &* pixel &+ c
        let value = from[index(indices, i, wide: wide) &* pixel &+ c]
        dy[i] = accumulates ? dy[i] + value : value
      }
    }
  }
}

/// The first of `count` indices that is not in 0..<plane, or -1.
@inline(__always)
func firstOutside(_ indices: UnsafeRawPointer, _ count: Int, _ plane: Int, wide: Bool) -> Int {
  for i in 0..<count {
    // One comparison: negative numbers are large unsigned ones.
    if UInt(bitPattern: index(indices, i, wide: wide)) >= UInt(bitPattern: plane) { return i }
  }
  return -1
}
