internal import ApusEngine

/// How elements lie in memory. Indices and results never depend on it: it is what lets a chain of convolutions keep the
/// order that its kernels are fastest with (channels last), and elementwise functions between them leave it alone.
extension Tensor {
  /// Whether the elements fill their memory without gaps, whatever the order of the dimensions.
  var isDense: Bool {
    if isContiguous { return true }
    // Each dimension, from the one with the closest neighbours on, must begin where the last one ended.
    var expected = 1
    var left = shape.indices.filter { shape[$0] != 1 }
    while let place = left.firstIndex(where: { strides[$0] == expected }) {
      expected *= shape[left.remove(at: place)]
    }
    return left.isEmpty
  }

  /// Whether N x C x spatial sizes lie as N x spatial sizes x C.
  var isChannelsLast: Bool {
    guard rank >= 3 else { return false }
    var expected = 1
    func fits(_ i: Int) -> Bool {
      if shape[i] == 1 { return true }
      defer { expected *= shape[i] }
      return strides[i] == expected
    }
    if !fits(1) { return false }
    for i in (2..<rank).reversed() where !fits(i) { return false }
    return fits(0)
  }

  /// Memory for N x C x spatial sizes that lies as N x spatial sizes x C, which holds anything.
  init(uninitializedChannelsLast shape: [Int], _ dtype: DataType) {
    self.init(uninitialized: shape, dtype)
    guard shape.count >= 3 else { return }
    var stride = 1
    strides[1] = stride
    stride *= Swift.max(1, shape[1])
    for i in (2..<shape.count).reversed() {
      strides[i] = stride
      stride *= Swift.max(1, shape[i])
    }
    strides[0] = stride
  }

  /// Memory for a tensor of this one's shape, in this one's order where it is dense, which holds anything.
  func uninitializedLike(_ dtype: DataType? = nil) -> Tensor {
    var y = Tensor(uninitialized: shape, dtype ?? self.dtype)
    if !isContiguous && isDense { y.strides = strides }
    return y
  }

  /// The elements without gaps, off the tape: itself where they are, else a copy in the order of the indices.
  func dense() -> Tensor {
    let own = detached()
    return own.isDense ? own : own.contiguous()
  }

  /// The elements off the tape and in the order of another tensor of this shape, which is dense.
  func laidOut(as other: Tensor) -> Tensor {
    let own = detached()
    if own.strides == other.strides { return own }
    if other.isContiguous { return own.contiguous() }
    // Dimensions of size 1 may differ in strides that mean nothing.
    if shape.indices.allSatisfy({ shape[$0] == 1 || own.strides[$0] == other.strides[$0] }) { return own }
    let copy = other.uninitializedLike(dtype)
    copyElements(of: own, to: copy)
    return copy
  }

  /// N x C x spatial sizes off the tape, as N x spatial sizes x C.
  func channelsLast() -> Tensor {
    let own = detached()
    if own.isChannelsLast { return own }
    let copy = Tensor(uninitializedChannelsLast: shape, dtype)
    copyElements(of: own, to: copy)
    return copy
  }

  /// N x C x spatial sizes off the tape, in one of the two orders that kernels take.
  func imagesLaidOut() -> (images: Tensor, layout: ApusEngine.TensorLayout) {
    if isChannelsLast { return (detached(), .channelsLast) }
    return (detached().contiguous(), .channelsFirst)
  }

  /// N x C x spatial sizes off the tape, in an order.
  func images(in layout: ApusEngine.TensorLayout) -> Tensor {
    layout == .channelsLast ? channelsLast() : detached().contiguous()
  }

  /// Memory for N x C x spatial sizes in an order, which holds anything.
  init(uninitialized shape: [Int], _ dtype: DataType, _ layout: ApusEngine.TensorLayout) {
    if layout == .channelsLast {
      self.init(uninitializedChannelsLast: shape, dtype)
    } else {
      self.init(uninitialized: shape, dtype)
    }
  }
}
