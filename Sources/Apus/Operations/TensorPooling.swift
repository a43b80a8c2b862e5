internal import ApusEngine

private let plans = PlanCache<PoolingPlan>()

extension Tensor {
  /// The largest element of each window of N x C x spatial sizes. Numbers that stand alone are for all spatial dimensions;
  /// `stride` nil is the window, so that windows do not overlap. Padding never wins. Of equal elements the first gets the
  /// gradient.
  public func maxPooled(
    window: [Int], stride: [Int]? = nil, padding: [Int] = [0], dilation: [Int] = [1], rounding: WindowRounding = .floor
  ) -> Tensor {
    pooled("maxPooled", .maximum, window, stride ?? window, padding, dilation, rounding)
  }

  /// The mean of each window of N x C x spatial sizes; else as ``maxPooled(window:stride:padding:dilation:rounding:)``.
  /// `countsPadding` divides by the whole window where it hangs over, as PyTorch does unless told otherwise.
  public func averagePooled(
    window: [Int], stride: [Int]? = nil, padding: [Int] = [0], countsPadding: Bool = true,
    rounding: WindowRounding = .floor
  ) -> Tensor {
    pooled(
      "averagePooled", countsPadding ? .averageIncludingPadding : .average, window, stride ?? window, padding, [1],
      rounding)
  }

  /// The largest element of each of `size` windows along each spatial dimension, which cover it as evenly as they can.
  public func adaptiveMaxPooled(to size: [Int]) -> Tensor { adaptivelyPooled("adaptiveMaxPooled", .maximum, size) }

  /// The mean of each of `size` windows along each spatial dimension, which cover it as evenly as they can; size 1 is global
  /// pooling.
  public func adaptiveAveragePooled(to size: [Int]) -> Tensor {
    adaptivelyPooled("adaptiveAveragePooled", .average, size)
  }

  private func spread(_ name: StaticString, _ numbers: [Int]) -> [Int] {
    let spatial = rank - 2
    require(
      (1...3).contains(spatial) && (numbers.count == 1 || numbers.count == spatial),
      "\(name): \(numbers) does not fit the spatial dimensions of \(shape), which are those behind N and C")
    return numbers.count == 1 ? Array(repeating: numbers[0], count: spatial) : numbers
  }

  private func pooled(
    _ name: StaticString, _ kind: ApusEngine.PoolingKind, _ window: [Int], _ stride: [Int], _ padding: [Int],
    _ dilation: [Int], _ rounding: WindowRounding
  ) -> Tensor {
    let kernel = spread(name, window)
    let options = WindowOptions(
      stride: spread(name, stride), padding: spread(name, padding), dilation: spread(name, dilation))
    var place = options.window(Array(shape[2...]), kernel)
    place.rounding = rounding.engine
    let descriptor = PoolingDescriptor(
      dataType: dtype.engine, kind: kind, batch: shape[0], channels: shape[1], window: place)
    let key =
      shape + kernel + options.numbers
      + [Int(kind.rawValue), dtype.size, Int(place.rounding.rawValue), 0]
    return pooled(name, descriptor, key)
  }

  private func adaptivelyPooled(_ name: StaticString, _ kind: ApusEngine.PoolingKind, _ size: [Int]) -> Tensor {
    let output = spread(name, size)
    let input = Array(shape[2...])
    var descriptor = PoolingDescriptor(
      dataType: dtype.engine, kind: kind, batch: shape[0], channels: shape[1],
      window: SpatialWindow(rank: input.count, input: extents(input), window: Extents(repeating: 1)))
    descriptor.adaptiveOutput = extents(output)
    return pooled(name, descriptor, shape + output + [Int(kind.rawValue), dtype.size, 1])
  }

  private func pooled(_ name: StaticString, _ geometry: PoolingDescriptor, _ numbers: [Int]) -> Tensor {
    let (x, layout) = imagesLaidOut()
    let descriptor = {
      var own = geometry
      own.layout = layout
      return own
    }()
    let key = numbers + [Int(layout.rawValue)]
    require(dtype.isFloatingPoint, "\(name) takes a floating-point tensor, but this one is \(dtype) \(shape)")
    @Sendable func plan(_ direction: ApusEngine.PoolingDirection) -> PoolingPlan {
      plans.plan(key + [Int(direction.rawValue)]) {
        planned(name) { context throws(ApusEngine.ApusError) in
          try PoolingPlan(descriptor, direction: direction, context: context)
        }
      }
    }
    let forward = plan(.forward)
    let spatial = [forward.output.depth, forward.output.height, forward.output.width].suffix(rank - 2)
    let y = Tensor(uninitialized: Array(shape[..<2]) + spatial, dtype, layout)
    // The places of maxima are kept for the gradient alone.
    let wantsPlaces = descriptor.kind == .maximum && isTracked && Tape.isRecording
    let places = wantsPlaces ? y.uninitializedLike(.int32) : nil
    var arguments = PoolingArguments()
    arguments.x = x.result
    arguments.y = y.result
    arguments.indices = places?.result
    compute(name, x, y, places) { [arguments] context throws(ApusEngine.ApusError) in
      try forward.run(context: context, arguments)
    }
    return y.recorded(kernel: name, self) { dy in
      let gradient = dy.images(in: layout)
      let dx = x.uninitializedLike()
      var arguments = PoolingArguments()
      arguments.dy = gradient.result
      arguments.dx = dx.result
      arguments.indices = places?.result
      compute(name, gradient, dx, places) { [arguments] context throws(ApusEngine.ApusError) in
        try plan(.backwardData).run(context: context, arguments)
      }
      return [dx]
    }
  }
}
