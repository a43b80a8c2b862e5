extension Tensor {
  /// Calls `body` with the elements in their order. `Scalar` must be the type of the elements.
  public func withElements<Scalar: TensorScalar, Result>(
    _: Scalar.Type = Scalar.self, _ body: (UnsafeBufferPointer<Scalar>) throws -> Result
  ) rethrows -> Result {
    require(Scalar.dtype == dtype, "elements of a tensor of \(dtype) were asked for as \(Scalar.dtype)")
    let dense = detached().contiguous()
    defer { withExtendedLifetime(dense) {} }
    return try body(
      UnsafeBufferPointer(start: dense.base.assumingMemoryBound(to: Scalar.self), count: dense.count))
  }

  /// Calls `body` with the elements in their order, to be written. `Scalar` must be the type of the elements. The tensor
  /// leaves the tape.
  public mutating func withMutableElements<Scalar: TensorScalar, Result>(
    _: Scalar.Type = Scalar.self, _ body: (UnsafeMutableBufferPointer<Scalar>) throws -> Result
  ) rethrows -> Result {
    require(Scalar.dtype == dtype, "elements of a tensor of \(dtype) were asked for as \(Scalar.dtype)")
    source = nil
    makeUnique()
    defer { withExtendedLifetime(storage) {} }
    return try body(
      UnsafeMutableBufferPointer(start: result.assumingMemoryBound(to: Scalar.self), count: count))
  }

  /// The elements in their order, converted to `Scalar` as ``converted(to:)`` does.
  public func array<Scalar: TensorScalar>(of _: Scalar.Type = Scalar.self) -> [Scalar] {
    detached().converted(to: Scalar.dtype).withElements(Scalar.self) { Array($0) }
  }

  /// The only element of a tensor that has one.
  public func item<Scalar: TensorScalar>(_: Scalar.Type = Scalar.self) -> Scalar {
    require(count == 1, "item() takes a tensor of one element, but the shape is \(shape)")
    return array(of: Scalar.self)[0]
  }

  /// The only element as a `Double`.
  public var scalar: Double { item(Double.self) }

  /// The same numbers in another type: to integers towards zero, out of range to the nearest, NaN to 0; to bool: whether a
  /// number is not 0. Itself where the type is the same. Differentiable between floating-point types.
  public func converted(to type: DataType) -> Tensor {
    if type == dtype { return self }
    let y = Tensor(uninitialized: shape, type)
    copyElements(of: self, to: y)
    guard type.isFloatingPoint && dtype.isFloatingPoint else { return y }
    let own = dtype
    return y.recorded("converted", self) { dy in [dy.converted(to: own)] }
  }
}
