/// Views: other shapes of the same memory, without copies where that is possible.
extension Tensor {
  /// The same elements in another shape; one size may be -1, for what is left. A view of a dense tensor, else a copy.
  public func reshaped(_ sizes: [Int]) -> Tensor {
    var target = sizes
    if let place = sizes.firstIndex(of: -1) {
      let known = sizes.enumerated().reduce(1) { $1.offset == place ? $0 : $0 * $1.element }
      require(known > 0 && count % known == 0, "reshaped: the shape \(shape) does not become \(sizes)")
      target[place] = count / known
    }
    if target == shape { return self }
    require(
      target.allSatisfy { $0 >= 0 } && target.reduce(1, *) == count,
      "reshaped: the shape \(shape) does not become \(sizes)")
    let own = shape
    let dense = contiguous()
    var strides = target
    var stride = 1
    for i in target.indices.reversed() {
      strides[i] = stride
      stride *= Swift.max(1, target[i])
    }
    return dense.view(shape: target, strides: strides, offset: dense.offset).recorded("reshaped", self) { dy in
      [dy.reshaped(own)]
    }
  }

  /// The same elements as a vector, or with the dimensions from `axis` on as one.
  public func flattened(from axis: Int = 0) -> Tensor {
    if rank == 0 { return reshaped([1]) }
    let place = checkedAxis("flattened", axis)
    return reshaped(Array(shape[..<place]) + [shape[place...].reduce(1, *)])
  }

  /// Dimension i of the result is dimension `axes[i]` of this. A view.
  public func permuted(_ axes: [Int]) -> Tensor {
    let axes = axes.map { checkedAxis("permuted", $0) }
    require(
      Set(axes).count == rank && axes.count == rank, "permuted: \(axes) is no permutation of the axes of \(shape)")
    var inverse = axes
    for (i, axis) in axes.enumerated() { inverse[axis] = i }
    let back = inverse
    return view(shape: axes.map { shape[$0] }, strides: axes.map { strides[$0] }, offset: offset)
      .recorded("permuted", self) { dy in [dy.permuted(back)] }
  }

  /// The transpose of a matrix. A view.
  public func transposed() -> Tensor {
    require(rank == 2, "transposed: a matrix has two dimensions, but the shape is \(shape)")
    return swappingAxes(0, 1)
  }

  /// Two dimensions in each other's place. A view.
  public func swappingAxes(_ first: Int, _ second: Int) -> Tensor {
    var axes = Array(shape.indices)
    axes.swapAt(checkedAxis("swappingAxes", first), checkedAxis("swappingAxes", second))
    return permuted(axes)
  }

  /// With a dimension of size 1 before dimension `axis`. A view.
  public func expanded(at axis: Int) -> Tensor {
    require(axis >= 0 && axis <= rank, "expanded: \(shape) has room at 0 to \(rank), not at \(axis)")
    var (sizes, steps) = (shape, strides)
    sizes.insert(1, at: axis)
    steps.insert(axis < rank ? shape[axis] * strides[axis] : 1, at: axis)
    return view(shape: sizes, strides: steps, offset: offset).recorded("expanded", self) { dy in [dy.squeezed(at: axis)]
    }
  }

  /// Without a dimension of size 1. A view.
  public func squeezed(at axis: Int) -> Tensor {
    let place = checkedAxis("squeezed", axis)
    require(shape[place] == 1, "squeezed: dimension \(axis) of \(shape) must be 1")
    var (sizes, steps) = (shape, strides)
    sizes.remove(at: place)
    steps.remove(at: place)
    return view(shape: sizes, strides: steps, offset: offset).recorded("squeezed", self) { dy in
      [dy.expanded(at: place)]
    }
  }

  /// Repeated along dimensions of size 1 and new ones before the first. A view.
  public func broadcast(to target: [Int]) -> Tensor {
    if target == shape { return self }
    require(
      broadcastShape("broadcast", shape, target) == target,
      "broadcast: the shape \(shape) does not broadcast to \(target)")
    var steps = [Int](repeating: 0, count: target.count)
    let leading = target.count - rank
    for i in shape.indices where shape[i] == target[i + leading] { steps[i + leading] = strides[i] }
    let own = shape
    return view(shape: target, strides: steps, offset: offset).recorded("broadcast", self) { dy in [dy.summed(to: own)]
    }
  }

  /// Elements `range` of a dimension, every `step`-th. A view.
  public func sliced(_ range: Range<Int>, along axis: Int = 0, step: Int = 1) -> Tensor {
    let place = checkedAxis("sliced", axis)
    require(
      range.lowerBound >= 0 && range.upperBound <= shape[place] && step > 0,
      "sliced: dimension \(axis) of \(shape) has no elements \(range) by \(step)")
    if range == 0..<shape[place] && step == 1 { return self }
    var (sizes, steps) = (shape, strides)
    sizes[place] = range.isEmpty ? 0 : (range.count - 1) / step + 1
    steps[place] = sizes[place] > 1 ? steps[place] * step : steps[place]
    let own = shape
    return view(shape: sizes, strides: steps, offset: offset + range.lowerBound * strides[place])
      .recorded("sliced", self) { dy in [dy.placed(in: own, range, along: place, step: step)] }
  }

  /// Zeros of a shape with this where `range` is: the gradient of a slice.
  private func placed(in target: [Int], _ range: Range<Int>, along axis: Int, step: Int) -> Tensor {
    let y = Tensor.zeros(target, dtype: dtype)
    copyElements(of: detached(), to: y.sliced(range, along: axis, step: step))
    return y.recorded("placed", self) { dy in [dy.sliced(range, along: axis, step: step)] }
  }

  func checkedAxis(_ operation: StaticString, _ axis: Int) -> Int {
    require(axis >= -rank && axis < rank, "\(operation): the shape \(shape) has no axis \(axis)")
    return axis < 0 ? axis + rank : axis
  }
}
