internal import ApusEngine

/// Zeros around a tensor, and its windows.
extension Tensor {
  /// Zeros before and after the elements of each dimension.
  ///
  /// - Parameter amounts: For each dimension, how many before and after; nothing negative.
  public func padded(_ amounts: [(before: Int, after: Int)]) -> Tensor {
    require(
      amounts.count == rank && amounts.allSatisfy { $0.before >= 0 && $0.after >= 0 },
      "padded: \(shape) takes \(rank) pairs of numbers from 0 on, not \(amounts)")
    if amounts.allSatisfy({ $0.before == 0 && $0.after == 0 }) { return self }
    let y = Tensor.zeros(shape.indices.map { shape[$0] + amounts[$0].before + amounts[$0].after }, dtype: dtype)
    let own = shape
    func inner(_ whole: Tensor) -> Tensor {
      var part = whole
      for (i, amount) in amounts.enumerated() {
        part = part.sliced(amount.before..<amount.before + own[i], along: i)
      }
      return part
    }
    copyElements(of: detached(), to: inner(y))
    return y.recorded("padded", self) { [amounts] dy in
      var part = dy
      for (i, amount) in amounts.enumerated() {
        part = part.sliced(amount.before..<amount.before + own[i], along: i)
      }
      return [part]
    }
  }

  /// Every window of N x C x spatial sizes: N x C x positions x window sizes, positions and sizes one for each spatial
  /// dimension. A view: windows that overlap share their elements, and the gradient adds up what they get.
  public func windows(_ window: [Int], stride: [Int]) -> Tensor {
    let spatial = rank - 2
    require(
      spatial > 0 && window.count == spatial && stride.count == spatial && 2 * spatial + 2 <= 8
        && window.indices.allSatisfy { window[$0] > 0 && window[$0] <= shape[$0 + 2] && stride[$0] > 0 },
      "windows: \(shape) has no windows of \(window) by \(stride)")
    let positions = window.indices.map { (shape[$0 + 2] - window[$0]) / stride[$0] + 1 }
    let outer = window.indices.map { strides[$0 + 2] * stride[$0] }
    let own = shape
    return view(
      shape: Array(shape[..<2]) + positions + window, strides: Array(strides[..<2]) + outer + Array(strides[2...]),
      offset: offset
    ).recorded("windows", self) { dy in [dy.addedUpWindows(own, window, stride)] }
  }

  /// The gradient of ``windows(_:stride:)``: each element gets the sum of what its windows have at its place.
  private func addedUpWindows(_ target: [Int], _ window: [Int], _ stride: [Int]) -> Tensor {
    let spatial = window.count
    let dx = Tensor.zeros(target, dtype: dtype)
    var tap = [Int](repeating: 0, count: spatial)
    for _ in 0..<window.reduce(1, *) {
      var part = detached()
      var place = dx
      for i in (0..<spatial).reversed() {
        part = part.sliced(tap[i]..<tap[i] + 1, along: 2 + spatial + i).squeezed(at: 2 + spatial + i)
      }
      for i in 0..<spatial {
        let last = tap[i] + (shape[2 + i] - 1) * stride[i]
        place = place.sliced(tap[i]..<last + 1, along: 2 + i, step: stride[i])
      }
      compute("windows", part, place) { context throws(ApusEngine.ApusError) in
        try ApusEngine.Arithmetic.binary(
          .add, context: context, place.strided, place.base, part.strided, part.base, place.strided, place.result)
      }
      for i in (0..<spatial).reversed() {
        tap[i] += 1
        if tap[i] < window[i] { break }
        tap[i] = 0
      }
    }
    return dx.recorded("windows", self) { dy in [dy.windows(window, stride: stride)] }
  }
}
