internal import ApusEngine

/// x, below 0 slope x with slopes that are learned (K. He et al., 2015).
///
/// - Parameters:
///   - x: Any shape; with several slopes N x C and more.
///   - slopes: One number for all of x, or one for each channel, dimension 1.
public func prelu(_ x: Tensor, slopes: Tensor) -> Tensor {
  require(
    x.dtype.isFloatingPoint && slopes.dtype == x.dtype && slopes.rank == 1
      && (slopes.count == 1 || x.rank >= 2 && x.shape[1] == slopes.count),
    "prelu: x is \(x.dtype) \(x.shape) and slopes \(slopes.dtype) \(slopes.shape): there is one slope, or one for each channel, dimension 1"
  )
  let isForAll = slopes.count == 1
  let (source, layout) = isForAll ? (x.dense(), .channelsFirst) : x.imagesLaidOut()
  let factors = slopes.detached().contiguous()
  let channels = slopes.count
  // With channels last every position is a row of channels.
  let inner = isForAll || layout == .channelsLast ? 1 : x.shape[2...].reduce(1, *)
  let plan = ApusEngine.PReLU(
    dataType: x.dtype.engine, outer: x.count / Swift.max(1, channels * inner), channels: channels, inner: inner)
  let y = source.uninitializedLike()
  compute("prelu", source, factors, y) { context throws(ApusEngine.ApusError) in
    try plan.forward(context: context, x: source.base, slopes: factors.base, y: y.result)
  }
  return y.recorded(kernel: "prelu", x, slopes) { dy in
    let gradient = dy.laidOut(as: source)
    let dx = source.uninitializedLike()
    let dslopes = Tensor(uninitialized: factors.shape, factors.dtype)
    compute("prelu", source, factors, gradient, dx, dslopes) { context throws(ApusEngine.ApusError) in
      try plan.backward(
        context: context, x: source.base, slopes: factors.base, dy: gradient.base, dx: dx.result,
        dslopes: dslopes.result)
    }
    return [dx, dslopes]
  }
}
