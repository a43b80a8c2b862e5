extension Movement {
  /// y = the parts one behind the other along an axis; converted as `copy` does. y's size along it must be the sum of theirs,
  /// and the others the same. Throws where a rule is broken or data are missing; nothing is written then.
  public static func concatenate(
    context: ExecutionContext, axis: Int, count: Int,
    _ part: (Int) throws(ApusError) -> (StridedTensor, UnsafeRawPointer?),
    _ yTensor: StridedTensor, _ y: UnsafeMutableRawPointer?
  ) throws(ApusError) {
    try context.recorded("movement", yTensor.dataType, "concatenate:\(yTensor.text)") { () throws(ApusError) in
      try check(axis, count, { i throws(ApusError) in try part(i) }, "x", yTensor, "y", UnsafeRawPointer(y))
      guard let y else { return }
      var start = 0
      for i in 0..<count {
        let (tensor, x) = try part(i)
        let size = tensor.shape[axis]
        try move(
          context: context, tensor, x, yTensor.part(of: size, along: axis),
          y + start * yTensor.strides[axis] * yTensor.dataType.size)
        start += size
      }
    }
  }

  /// The parts of x, one behind the other along an axis, into tensors of their own: the other way round of `concatenate`.
  public static func split(
    context: ExecutionContext, axis: Int, count: Int, _ xTensor: StridedTensor, _ x: UnsafeRawPointer?,
    _ part: (Int) throws(ApusError) -> (StridedTensor, UnsafeMutableRawPointer?)
  ) throws(ApusError) {
    try context.recorded("movement", xTensor.dataType, "split:\(xTensor.text)") { () throws(ApusError) in
      try check(
        axis, count,
        { i throws(ApusError) in
          let (tensor, y) = try part(i)
          return (tensor, UnsafeRawPointer(y))
        }, "y", xTensor, "x", x)
      guard let x else { return }
      var start = 0
      for i in 0..<count {
        let (tensor, y) = try part(i)
        let size = tensor.shape[axis]
        try move(
          context: context, xTensor.part(of: size, along: axis),
          x + start * xTensor.strides[axis] * xTensor.dataType.size, tensor, y)
        start += size
      }
    }
  }

  private static func check(
    _ axis: Int, _ count: Int, _ part: (Int) throws(ApusError) -> (StridedTensor, UnsafeRawPointer?),
    _ partName: String,
    _ whole: StridedTensor, _ wholeName: String, _ data: UnsafeRawPointer?
  ) throws(ApusError) {
    if count < 0 { throw .invalid("count", count, "a number of tensors must be at least 0") }
    if axis < 0 || axis >= whole.rank {
      throw .invalid("axis", axis, "the tensor \(whole.text) has the axes 0 to \(whole.rank - 1)")
    }
    try checkType("\(wholeName)_tensor", whole.dataType)
    let elements = try whole.checkedCount("\(wholeName)_tensor")
    try need(wholeName, data, elements)
    var sum = CheckedSize(0)
    for i in 0..<count {
      let (tensor, p) = try part(i)
      let name = "\(partName)_tensors[\(i)]"
      try checkType(name, tensor.dataType)
      try need("\(partName)[\(i)]", p, try tensor.checkedCount(name))
      if tensor.rank != whole.rank || !tensor.part(of: whole.shape[axis], along: axis).hasShape(of: whole) {
        throw .invalid(
          "\(name)'s shape", tensor.text,
          "it must be that of \(wholeName), which is \(whole.text), but for axis \(axis)")
      }
      sum = sum + CheckedSize(tensor.shape[axis])
    }
    if sum.overflowed || sum.value != whole.shape[axis] {
      throw .invalid(
        "\(wholeName)_tensor->shape[\(axis)]", whole.shape[axis],
        "it must be the sum of the \(count) parts' sizes, which is \(sum.overflowed ? "too large" : "\(sum.value)")")
    }
  }
}
