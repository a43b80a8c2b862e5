internal import ApusEngine

/// Tensors one after the other along an axis; their other sizes are the same.
public func concatenate(_ tensors: [Tensor], along axis: Int = 0) -> Tensor {
  guard let first = tensors.first else { fatalError("concatenate: there are no tensors") }
  let place = first.checkedAxis("concatenate", axis)
  var shape = first.shape
  shape[place] = 0
  for x in tensors {
    require(
      x.rank == first.rank && x.dtype == first.dtype
        && x.shape.indices.allSatisfy { $0 == place || x.shape[$0] == first.shape[$0] },
      "concatenate: \(first.dtype) \(first.shape) and \(x.dtype) \(x.shape) do not fit along axis \(axis)")
    shape[place] += x.shape[place]
  }
  let keepsChannelsLast = !first.isContiguous && tensors.allSatisfy { $0.isChannelsLast }
  let y = Tensor(uninitialized: shape, first.dtype, keepsChannelsLast ? .channelsLast : .channelsFirst)
  var ranges: [Range<Int>] = []
  for x in tensors {
    let start = ranges.last?.upperBound ?? 0
    ranges.append(start..<start + x.shape[place])
    copyElements(of: x, to: y.sliced(ranges[ranges.count - 1], along: place))
  }
  return y.recorded("concatenate", from: tensors) { [ranges] dy in ranges.map { dy.sliced($0, along: place) } }
}

/// Tensors of one shape one after the other along a new axis.
public func stack(_ tensors: [Tensor], at axis: Int = 0) -> Tensor {
  concatenate(tensors.map { $0.expanded(at: axis) }, along: axis)
}

extension Tensor {
  /// Parts of the given sizes along an axis. Views.
  public func split(_ sizes: [Int], along axis: Int = 0) -> [Tensor] {
    let place = checkedAxis("split", axis)
    require(
      sizes.allSatisfy { $0 >= 0 } && sizes.reduce(0, +) == shape[place],
      "split: axis \(axis) of \(shape) does not fall into parts of \(sizes)")
    var start = 0
    return sizes.map { size in
      defer { start += size }
      return sliced(start..<start + size, along: place)
    }
  }

  /// Slices of an axis by their numbers, int32 or int64: y[..., i, ...] = x[..., indices[i], ...].
  public func gathered(_ indices: Tensor, along axis: Int = 0) -> Tensor {
    let place = checkedAxis("gathered", axis)
    require(
      indices.rank == 1 && (indices.dtype == .int32 || indices.dtype == .int64),
      "gathered: indices are a vector of int32 or int64, not \(indices.dtype) \(indices.shape)")
    let (x, numbers) = (detached().contiguous(), indices.contiguous())
    var sizes = shape
    sizes[place] = indices.count
    let y = Tensor(uninitialized: sizes, dtype)
    let plan = axisGather(numbers, place)
    compute("gathered", x, numbers, y) { context throws(ApusEngine.ApusError) in
      try plan.gather(context: context, x: x.base, indices: numbers.base, y: y.result)
    }
    let own = shape
    return y.recorded(kernel: "gathered", self) { dy in
      let dx = Tensor.zeros(own, dtype: dy.dtype)
      dx.addSlices("gathered", dy, at: numbers, along: place)
      return [dx]
    }
  }

  /// What moves slices of an axis by their numbers.
  private func axisGather(_ indices: Tensor, _ place: Int) -> AxisGather {
    let along = alongAxis(place)
    return AxisGather(
      dataType: dtype.engine, indexType: indices.dtype.engine, outer: along.outer, size: along.size, inner: along.inner,
      count: indices.count)
  }

  /// Adds in place, to memory that nobody else has yet.
  private func addSlices(_ name: StaticString, _ values: Tensor, at indices: Tensor, along place: Int) {
    let (x, numbers) = (values.detached().contiguous(), indices.contiguous())
    let plan = axisGather(numbers, place)
    compute(name, x, numbers, self) { context throws(ApusEngine.ApusError) in
      try plan.scatterAdd(context: context, x: x.base, indices: numbers.base, y: result)
    }
  }

  /// This with slices of an axis added to: y[..., indices[i], ...] += values[..., i, ...], in the order of i.
  ///
  /// - Parameters:
  ///   - values: This one's shape, but along the axis as many as there are indices; float32 or float64.
  ///   - indices: A vector of int32 or int64; the same may come several times.
  ///   - axis: Where.
  public func addingSlices(_ values: Tensor, at indices: Tensor, along axis: Int = 0) -> Tensor {
    let place = checkedAxis("addingSlices", axis)
    var expected = shape
    expected[place] = indices.count
    require(
      indices.rank == 1 && (indices.dtype == .int32 || indices.dtype == .int64) && dtype.isFloatingPoint
        && values.shape == expected && values.dtype == dtype,
      "addingSlices: \(values.dtype) \(values.shape) at indices \(indices.dtype) \(indices.shape) do not fit axis \(axis) of \(dtype) \(shape)"
    )
    let y = Tensor(uninitialized: shape, dtype)
    copyElements(of: detached(), to: y)
    y.addSlices("addingSlices", values, at: indices, along: place)
    return y.recorded("addingSlices", self, values) { dy in [dy, dy.gathered(indices, along: place)] }
  }

  /// 1 at the place that each label, int32 or int64, names, 0 elsewhere: with one more dimension, of `classes`.
  public func oneHot(_ classes: Int, dtype: DataType = .float32) -> Tensor {
    require(
      self.dtype == .int32 || self.dtype == .int64, "oneHot: labels are int32 or int64, not \(self.dtype) \(shape)")
    let labels = contiguous()
    let y = Tensor(uninitialized: shape + [classes], dtype)
    let plan = AxisGather(
      dataType: dtype.engine, indexType: self.dtype.engine, outer: 1, size: classes, inner: 1, count: count)
    compute("oneHot", labels, y) { _ throws(ApusEngine.ApusError) in
      try plan.oneHot(indices: labels.base, y: y.result)
    }
    return y
  }
}
