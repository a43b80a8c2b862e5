internal import ApusEngine

/// y = x with any strides, converted to y's type; shapes are the same.
func copyElements(of x: Tensor, to y: Tensor) {
  if y.count == 0 { return }
  if x.dtype == y.dtype && (x.isContiguous && y.isContiguous || x.strides == y.strides && x.isDense) {
    y.result.copyMemory(from: x.base, byteCount: x.count * x.dtype.size)
    withExtendedLifetime((x, y)) {}
    return
  }
  if x.dtype.size > 1 && y.dtype.size > 1 {
    return compute("copy", x, y) { context throws(ApusEngine.ApusError) in
      try Movement.copy(context: context, x.strided, x.base, y.strided, y.result)
    }
  }
  if x.dtype == .uint8 && y.dtype == .float32 && x.isContiguous && y.isContiguous { return convertBytes(x, y) }
  x.dtype.withScalar { from in y.dtype.withScalar { to in convert(x, from, y, to) } }
}

/// Images come as bytes: a loop of its own, which the compiler vectorises.
private func convertBytes(_ x: Tensor, _ y: Tensor) {
  let from = x.base.assumingMemoryBound(to: UInt8.self)
  let to = y.result.assumingMemoryBound(to: Float.self)
  for i in 0..<x.count { to[i] = Float(from[i]) }
  withExtendedLifetime((x, y)) {}
}

/// Bytes and bools, which the engine does not move; through `Double`, which holds all that a byte can.
private func convert<S: TensorScalar, T: TensorScalar>(_ x: Tensor, _: S.Type, _ y: Tensor, _: T.Type) {
  let from = x.base.assumingMemoryBound(to: S.self)
  let to = y.result.assumingMemoryBound(to: T.self)
  forEachPlace(x.shape, x.strides, y.strides) { xPlace, yPlace in
    to[yPlace] = T(nearest: from[xPlace].asDouble)
  }
  withExtendedLifetime((x, y)) {}
}

/// Calls `body` with the places of each element in two strided tensors of one shape.
@inline(__always)
func forEachPlace(_ shape: [Int], _ x: [Int], _ y: [Int], _ body: (Int, Int) -> Void) {
  var count = 1
  for size in shape { count *= size }
  if count == 0 { return }
  var index = [Int](repeating: 0, count: shape.count)
  var xPlace = 0
  var yPlace = 0
  for _ in 0..<count {
    body(xPlace, yPlace)
    var i = shape.count - 1
    while i >= 0 {
      index[i] += 1
      xPlace += x[i]
      yPlace += y[i]
      if index[i] < shape[i] { break }
      xPlace -= x[i] * shape[i]
      yPlace -= y[i] * shape[i]
      index[i] = 0
      i -= 1
    }
  }
}
