import ApusKernelInterface

// Local response normalisation ("ImageNet classification with deep convolutional neural networks", A. Krizhevsky et al.,
// 2012): y = x s^-beta with s = k + alpha / size * (the sum of x^2 over a window of channels).

/// s^-beta.
@inline(__always)
private func response<V: KernelVector>(_ s: V, _ beta: V) -> V { exp(V.zero - beta * log(s)) }

/// Element `c` of a sample's position block: with channels first the lanes are positions, else there is one lane.
@inline(__always)
private func channelStride(_ s: UnsafePointer<ResponseShape>) -> Int {
  s.pointee.channelsLast ? 1 : s.pointee.positions
}

func responseForward<V: KernelVector>(
  _ s: UnsafePointer<ResponseShape>, _ source: UnsafeRawPointer, _ result: UnsafeMutableRawPointer, _ first: Int,
  _ count: Int, _ scratch: UnsafeMutableRawPointer, _: V.Type
) {
  forEachBlock(s, first, count, V.self) { offset, n, step in
    let x = source.assumingMemoryBound(to: V.Scalar.self) + offset
    let y = result.assumingMemoryBound(to: V.Scalar.self) + offset
    let squares = scratch.assumingMemoryBound(to: V.Scalar.self)
    fillSquares(s, x, squares, n, step, V.self)
    let beta = V(repeating: V.Scalar(s.pointee.beta))
    for c in 0..<s.pointee.channels {
      let sum = windowSum(s, squares, c, V.self)
      let v = loadAlong(x + c &* channelStride(s), 0, step, first: n, V.self)
      (v * response(sum, beta)).store(y + c &* channelStride(s), stride: step, first: n)
    }
  }
}

/// dx = dy s^-beta - 2 alpha beta / size x (the sum of dy y / s over the windows that have x).
func responseBackward<V: KernelVector>(
  _ s: UnsafePointer<ResponseShape>, _ source: UnsafeRawPointer, _ gradient: UnsafeRawPointer,
  _ result: UnsafeMutableRawPointer, _ first: Int, _ count: Int, _ scratch: UnsafeMutableRawPointer, _: V.Type
) {
  let channels = s.pointee.channels
  let size = s.pointee.size
  forEachBlock(s, first, count, V.self) { offset, n, step in
    let x = source.assumingMemoryBound(to: V.Scalar.self) + offset
    let dy = gradient.assumingMemoryBound(to: V.Scalar.self) + offset
    let dx = result.assumingMemoryBound(to: V.Scalar.self) + offset
    let squares = scratch.assumingMemoryBound(to: V.Scalar.self)
    let ratios = squares + (channels &+ 2 &* size) &* V.lanes
    fillSquares(s, x, squares, n, step, V.self)
    let beta = V(repeating: V.Scalar(s.pointee.beta))
    for c in 0..<size {
      V.zero.store(ratios + c &* V.lanes)
      V.zero.store(ratios + (channels &+ size &+ c) &* V.lanes)
    }
    for c in 0..<channels {
      let sum = windowSum(s, squares, c, V.self)
      let v = loadAlong(x + c &* channelStride(s), 0, step, first: n, V.self)
      let g = loadAlong(dy + c &* channelStride(s), 0, step, first: n, V.self)
      (g * v * response(sum, beta) / sum).store(ratios + (size &+ c) &* V.lanes)
    }
    let factor = V(repeating: V.Scalar(2 * s.pointee.alpha * s.pointee.beta / Double(size)))
    for c in 0..<channels {
      let sum = windowSum(s, squares, c, V.self)
      let v = loadAlong(x + c &* channelStride(s), 0, step, first: n, V.self)
      let g = loadAlong(dy + c &* channelStride(s), 0, step, first: n, V.self)
      var total = V.zero
      // The windows that have channel c: those of c - (size - 1 - half) to c + half.
      let before = size &- 1 &- size / 2
      for i in 0..<size { total += V.load(UnsafePointer(ratios) + (size &+ c &- before &+ i) &* V.lanes) }
      (g * response(sum, beta) - factor * v * total).store(dx + c &* channelStride(s), stride: step, first: n)
    }
  }
}

/// Calls `body` with the offset, lanes and lane stride of every block of positions.
@inline(__always)
private func forEachBlock<V: KernelVector>(
  _ s: UnsafePointer<ResponseShape>, _ first: Int, _ count: Int, _: V.Type, _ body: (Int, Int, Int) -> Void
) {
  let channels = s.pointee.channels
  let positions = s.pointee.positions
  let step = s.pointee.channelsLast ? channels : 1
  for sample in first..<first &+ count {
    var p = 0
    while p < positions {
      body(sample &* channels &* positions &+ p &* step, min(V.lanes, positions &- p), step)
      p = stepped(p, by: V.lanes)
    }
  }
}

/// x^2 of every channel, between `size` zeros at both ends.
@inline(__always)
private func fillSquares<V: KernelVector>(
  _ s: UnsafePointer<ResponseShape>, _ x: UnsafePointer<V.Scalar>, _ squares: UnsafeMutablePointer<V.Scalar>, _ n: Int,
  _ step: Int, _: V.Type
) {
  let channels = s.pointee.channels
  let size = s.pointee.size
  for c in 0..<size {
    V.zero.store(squares + c &* V.lanes)
    V.zero.store(squares + (channels &+ size &+ c) &* V.lanes)
  }
  for c in 0..<channels {
    let v = loadAlong(x + c &* channelStride(s), 0, step, first: n, V.self)
    (v * v).store(squares + (size &+ c) &* V.lanes)
  }
}

/// k + alpha / size * the sum over the window of channel c, which begins size / 2 before it.
@inline(__always)
private func windowSum<V: KernelVector>(
  _ s: UnsafePointer<ResponseShape>, _ squares: UnsafeMutablePointer<V.Scalar>, _ c: Int, _: V.Type
) -> V {
  let size = s.pointee.size
  var sum = V.zero
  for i in 0..<size { sum += V.load(UnsafePointer(squares) + (size &+ c &- size / 2 &+ i) &* V.lanes) }
  return V.multiplyAdd(
    V(repeating: V.Scalar(s.pointee.k)), sum, V(repeating: V.Scalar(s.pointee.alpha / Double(size))))
}
