import ApusKernelInterface

/// C = activation(alpha * sum + beta * C + bias + residual) over rows of sums that lie in the first-level cache.
///
/// This is the only place where sums that are not plainly stored meet C, so whichever path made them, the bits agree.
@inline(never)
func finishRows<V: KernelVector>(
  _ sums: UnsafeRawPointer, _ sumStride: Int, _ rows: Int, _ columns: Int, _ c: UnsafeMutableRawPointer, _ cStride: Int,
  _ output: UnsafePointer<GemmOutput>, _: V.Type
) {
  typealias Scalar = V.Scalar
  let alpha = V(repeating: Scalar(output.pointee.alpha))
  let beta = V(repeating: Scalar(output.pointee.beta))
  let readsC = output.pointee.beta != 0
  let slope = V(repeating: Scalar(output.pointee.slope))
  let activation = output.pointee.activation
  let bias = output.pointee.bias?.assumingMemoryBound(to: Scalar.self)
  let biasIsByRow = output.pointee.biasIsByRow
  let biasRowStride = output.pointee.biasRowStride
  for i in 0..<rows {
    let from = sums.assumingMemoryBound(to: Scalar.self) + i * sumStride
    let to = c.assumingMemoryBound(to: Scalar.self) + i * cStride
    let residual = output.pointee.residual.map {
      $0.assumingMemoryBound(to: Scalar.self) + i * output.pointee.residualRowStride
    }
    var j = 0
    while j < columns {
      let count = min(V.lanes, columns - j)
      var x = alpha * V.load(from + j, first: count)
      if readsC { x = V.multiplyAdd(x, beta, V.load(to + j, first: count)) }
      if let bias { x += biasIsByRow ? V(repeating: bias[i &* biasRowStride]) : V.load(bias + j, first: count) }
      if let residual { x += V.load(residual + j, first: count) }
      activate(x, activation, slope).store(to + j, first: count)
      j += V.lanes
    }
  }
}

/// One vector through an activation.
@inline(__always)
func activate<V: KernelVector>(_ x: V, _ activation: Activation, _ slope: V) -> V {
  switch activation {
  case .identity: x
  case .relu: V.maximum(V.zero, x)
  case .leakyReLU: V.select(x * slope, x, where: x, isLessThan: V.zero)
  case .elu: V.select(expMinusOne(x) * slope, x, where: x, isLessThan: V.zero)
  case .sigmoid: sigmoid(x)
  case .tanh: tanh(x)
  }
}
