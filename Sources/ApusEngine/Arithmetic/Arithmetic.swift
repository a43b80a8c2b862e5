import ApusKernelInterface

/// Functions of two tensors, and the choice between two, with broadcasting.
public enum Arithmetic {
  /// y = f(a, b). y has the shape that the others broadcast to; it may be a source of the same shape and strides.
  public static func binary(
    _ function: BinaryFunction, context: ExecutionContext, _ aTensor: StridedTensor, _ a: UnsafeRawPointer?,
    _ bTensor: StridedTensor, _ b: UnsafeRawPointer?, _ yTensor: StridedTensor, _ y: UnsafeMutableRawPointer?
  ) throws(ApusError) {
    try context.recorded("elementwise", yTensor.dataType, "\(function):\(yTensor.text)") { () throws(ApusError) in
      try checkTypes(("a", aTensor), ("b", bTensor), yTensor)
      let loops = try Loops(result: yTensor, ("a", aTensor), ("b", bTensor))
      try need("a", a, loops.count)
      try need("b", b, loops.count)
      try need("y", UnsafeRawPointer(y), loops.count)
      guard let a, let b, let y else { return }
      let size = yTensor.dataType.size
      let kernels = kernels(context, yTensor.dataType)
      let each = function == .power ? 40.0 : 3 * Double(size) / 64
      let streams =
        3 * loops.count * size > streamingBytes && UnsafeRawPointer(y) != a && UnsafeRawPointer(y) != b
      try loops.run(
        context: context, size: size, nanoseconds: Double(loops.count) * each, a, b, nil, y, streams: streams
      ) { kernels.binary(function.rawValue, $0) }
    }
  }

  /// y = c ? a : b, where c is a number that is not 0; NaN is one.
  public static func select(
    context: ExecutionContext, _ cTensor: StridedTensor, _ c: UnsafeRawPointer?, _ aTensor: StridedTensor,
    _ a: UnsafeRawPointer?, _ bTensor: StridedTensor, _ b: UnsafeRawPointer?, _ yTensor: StridedTensor,
    _ y: UnsafeMutableRawPointer?
  ) throws(ApusError) {
    try context.recorded("elementwise", yTensor.dataType, "select:\(yTensor.text)") { () throws(ApusError) in
      try checkTypes(("a", aTensor), ("b", bTensor), yTensor)
      try checkTypes(("condition", cTensor), ("b", bTensor), yTensor)
      let loops = try Loops(result: yTensor, ("a", aTensor), ("b", bTensor), ("condition", cTensor))
      try need("condition", c, loops.count)
      try need("a", a, loops.count)
      try need("b", b, loops.count)
      try need("y", UnsafeRawPointer(y), loops.count)
      guard let a, let b, let c, let y else { return }
      let size = yTensor.dataType.size
      let kernels = kernels(context, yTensor.dataType)
      try loops.run(
        context: context, size: size, nanoseconds: Double(loops.count * size) / 16, a, b, c, y, streams: false
      ) { kernels.select($0) }
    }
  }

  private static func checkTypes(
    _ a: (String, StridedTensor), _ b: (String, StridedTensor), _ y: StridedTensor
  ) throws(ApusError) {
    try y.dataType.checkIsReal("arithmetic")
    // No array of the two: a call allocates nothing.
    let (name, tensor) = a.1.dataType != y.dataType ? a : b
    if tensor.dataType != y.dataType {
      throw .invalid("\(name)'s dtype", tensor.dataType.name, "it must be that of y, which is \(y.dataType.name)")
    }
  }

  static func kernels(_ context: ExecutionContext, _ type: DataType) -> ElementKernels {
    type == .float32 ? context.instructionSet.kernels.elements32 : context.instructionSet.kernels.elements64
  }
}
