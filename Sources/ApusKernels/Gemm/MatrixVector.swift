import ApusKernelInterface

/// result[i] = dot(row i of the matrix, vector): the rows are contiguous.
///
/// A row has four running sums of vectors, added as (0 + 1) + (2 + 3) and then lane by lane in halves, so its bits are
/// a function of k alone; several rows go together to share the loads of the vector.
@inline(__always)
func dots<V: KernelVector>(_ args: UnsafePointer<MatrixVectorArguments>, _: V.Type) {
  let matrix = args.pointee.matrix.assumingMemoryBound(to: V.Scalar.self)
  let stride = args.pointee.matrixStride
  let vector = args.pointee.vector.assumingMemoryBound(to: V.Scalar.self)
  let result = args.pointee.result.assumingMemoryBound(to: V.Scalar.self)
  let rows = args.pointee.rows
  let k = args.pointee.k
  var i = 0
  while i + DotRows.value <= rows {
    dotRows(matrix + i &* stride, stride, vector, result + i, k, V.self, DotRows.self)
    i += DotRows.value
  }
  while i < rows {
    dotRows(matrix + i &* stride, stride, vector, result + i, k, V.self, Count<1>.self)
    i += 1
  }
}

@inline(__always)
private func dotRows<let R: Int, V: KernelVector>(
  _ matrix: UnsafePointer<V.Scalar>, _ stride: Int, _ vector: UnsafePointer<V.Scalar>,
  _ result: UnsafeMutablePointer<V.Scalar>, _ k: Int, _: V.Type, _: Count<R>.Type
) {
  var sums = InlineArray<R, InlineArray<4, V>>(repeating: InlineArray<4, V>(repeating: V.zero))
  var step = 0
  while step + 4 &* V.lanes <= k {
    for j in 0..<4 {
      let x = V.load(vector + (step &+ j &* V.lanes))
      for i in 0..<R {
        sums[i][j] = V.multiplyAdd(sums[i][j], x, V.load(matrix + (i &* stride &+ step &+ j &* V.lanes)))
      }
    }
    step += 4 &* V.lanes
  }
  while step < k {
    let count = min(V.lanes, k - step)
    let x = V.load(vector + step, first: count)
    for i in 0..<R {
      sums[i][0] = V.multiplyAdd(sums[i][0], x, V.load(matrix + (i &* stride &+ step), first: count))
    }
    step += V.lanes
  }
  for i in 0..<R { result[i] = V.sum((sums[i][0] + sums[i][1]) + (sums[i][2] + sums[i][3])) }
}

/// result[j] = sum over k of vector[k] * matrix[k][j]: the rows of the matrix are read as they lie, eight at a time, and
/// the results wait in the first-level cache. Each result is one chain in the order of k, as the register tile's.
@inline(__always)
func update<V: KernelVector>(_ args: UnsafePointer<MatrixVectorArguments>, _: V.Type) {
  let stride = args.pointee.matrixStride
  let vector = args.pointee.vector.assumingMemoryBound(to: V.Scalar.self)
  let vectorStride = args.pointee.vectorStride
  let result = args.pointee.result.assumingMemoryBound(to: V.Scalar.self)
  let columns = args.pointee.rows
  let k = args.pointee.k
  var row = args.pointee.matrix.assumingMemoryBound(to: V.Scalar.self)
  var step = 0
  while step < k {
    let x = vector + step &* vectorStride
    if step + 8 <= k {
      addRows(row, stride, x, vectorStride, result, columns, step == 0, V.self, Count<8>.self)
      step += 8
      row += 8 &* stride
    } else {
      addRows(row, stride, x, vectorStride, result, columns, step == 0, V.self, Count<1>.self)
      step += 1
      row += stride
    }
  }
}

@inline(__always)
private func addRows<let R: Int, V: KernelVector>(
  _ matrix: UnsafePointer<V.Scalar>, _ stride: Int, _ vector: UnsafePointer<V.Scalar>, _ vectorStride: Int,
  _ result: UnsafeMutablePointer<V.Scalar>, _ columns: Int, _ isFirst: Bool, _: V.Type, _: Count<R>.Type
) {
  var x = InlineArray<R, V>(repeating: V.zero)
  for i in 0..<R { x[i] = V(repeating: vector[i &* vectorStride]) }
  var j = 0
  while j + V.lanes <= columns {
    var sum = isFirst ? V.zero : V.load(result + j)
    for i in 0..<R { sum = V.multiplyAdd(sum, x[i], V.load(matrix + (i &* stride &+ j))) }
    sum.store(result + j)
    j += V.lanes
  }
  if j < columns {
    var sum = isFirst ? V.zero : V.load(result + j, first: columns - j)
    for i in 0..<R { sum = V.multiplyAdd(sum, x[i], V.load(matrix + (i &* stride &+ j), first: columns - j)) }
    sum.store(result + j, first: columns - j)
  }
}
