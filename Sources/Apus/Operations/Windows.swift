internal import ApusEngine

/// What is put around a tensor.
public enum TensorPadding: Sendable, Hashable {
  /// A number.
  case constant(Double)
  /// The tensor mirrored at its first and last element, which are not repeated.
  case reflect
  /// The nearest element.
  case replicate
  /// The tensor again, from its other end.
  case circular

  fileprivate var engine: (mode: ApusEngine.PaddingMode, value: Double) {
    switch self {
    case .constant(let value): (.constant, value)
    case .reflect: (.reflect, 0)
    case .replicate: (.replicate, 0)
    case .circular: (.circular, 0)
    }
  }
}

/// What is around a tensor, and its windows.
extension Tensor {
  /// More elements before and after those of each dimension, of a floating-point tensor.
  ///
  /// - Parameters:
  ///   - amounts: For each dimension, how many before and after: nothing negative, less than the dimension's size to reflect,
  ///     at most its size for `circular`.
  ///   - padding: What they are.
  public func padded(_ amounts: [(before: Int, after: Int)], with padding: TensorPadding) -> Tensor {
    require(
      dtype.isFloatingPoint && amounts.count == rank && amounts.allSatisfy { $0.before >= 0 && $0.after >= 0 },
      "padded: \(dtype) \(shape) takes \(rank) pairs of numbers from 0 on, and a floating-point type, not \(amounts)")
    let (mode, value) = padding.engine
    var before = InlineArray<8, Int>(repeating: 0)
    for (i, amount) in amounts.enumerated() {
      let most = Swift.max(amount.before, amount.after)
      let fits =
        switch padding {
        case .constant: true
        case .reflect: most == 0 || most < shape[i]
        case .replicate: most == 0 || shape[i] > 0
        case .circular: most <= shape[i]
        }
      require(fits, "padded: \(padding) cannot put \(amount) around dimension \(i) of \(shape)")
      before[i] = amount.before
    }
    var plan = ApusEngine.Padding(mode, before: before)
    plan.value = value
    let x = detached()
    let y = Tensor(uninitialized: shape.indices.map { shape[$0] + amounts[$0].before + amounts[$0].after }, dtype)
    compute("padded", x, y) { [plan] context throws(ApusEngine.ApusError) in
      try plan.forward(context: context, x.strided, x.base, y.strided, y.result)
    }
    let own = shape
    return y.recorded(kernel: "padded", self) { [plan] dy in
      let gradient = dy.detached()
      let dx = Tensor(uninitialized: own, gradient.dtype)
      compute("padded", gradient, dx) { context throws(ApusEngine.ApusError) in
        try plan.backward(context: context, gradient.strided, gradient.base, dx.strided, dx.result)
      }
      return [dx]
    }
  }

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
    @Sendable func inner(_ whole: Tensor) -> Tensor {
      var part = whole
      for (i, amount) in amounts.enumerated() {
        part = part.sliced(amount.before..<amount.before + own[i], along: i)
      }
      return part
    }
    copyElements(of: detached(), to: inner(y))
    return y.recorded("padded", self) { dy in [inner(dy)] }
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
