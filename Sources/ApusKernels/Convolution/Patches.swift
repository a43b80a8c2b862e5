import ApusKernelInterface

/// Runs are copied as whole vectors, in order: what one writes past its end, the next one overwrites.
@inline(__always)
func layOutPatches<V: KernelVector>(
  _ shape: UnsafePointer<PatchShape>, _ source: UnsafePointer<V.Scalar>, _ patches: UnsafeMutablePointer<V.Scalar>,
  _: V.Type
) {
  let length = shape.pointee.length
  var to = patches
  for line in 0..<shape.pointee.lines {
    for pixel in 0..<shape.pointee.pixels {
      let from = source + (line &* shape.pointee.lineStride &+ pixel &* shape.pointee.pixelStride)
      for run in 0..<shape.pointee.runs {
        let start = from + shape.pointee.offsets[run]
        var i = 0
        while i < length {
          V.load(start + i).store(to + i)
          i &+= V.lanes
        }
        to += length
      }
    }
  }
}
