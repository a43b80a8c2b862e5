import ApusKernelInterface

/// Slices of a dense tensor by their numbers along an axis: outer x size x inner elements, and `count` numbers.
public struct AxisGather: Sendable, Equatable {
  /// float32 or float64.
  public var dataType: DataType
  /// int32 or int64.
  public var indexType: DataType
  /// Elements before the axis.
  public var outer: Int
  /// Elements of the axis.
  public var size: Int
  /// Elements behind it.
  public var inner: Int
  /// Numbers.
  public var count: Int

  /// Sizes; nothing is checked before a run.
  public init(dataType: DataType, indexType: DataType, outer: Int, size: Int, inner: Int, count: Int) {
    self.dataType = dataType
    self.indexType = indexType
    self.outer = outer
    self.size = size
    self.inner = inner
    self.count = count
  }

  /// y[o, i, :] = x[o, indices[i], :].
  public func gather(
    context: ExecutionContext, x: UnsafeRawPointer?, indices: UnsafeRawPointer?, y: UnsafeMutableRawPointer?
  ) throws(ApusError) {
    try context.recorded("movement", dataType, "gather:\(count)of" + layerShape(outer, size, inner)) {
      () throws(ApusError) in
      try check(x, indices)
      try need("y", UnsafeRawPointer(y), outer * count * inner)
      guard let x, let indices, let y, outer * count * inner > 0 else { return }
      let bytes = inner * dataType.size
      try context.overStretches(
        of: outer * count, grain: max(1, 65536 / bytes), nanoseconds: Double(outer * count * bytes) / 8
      ) { first, number in
        for i in first..<first + number {
          let (o, k) = i.quotientAndRemainder(dividingBy: count)
          (y + i * bytes).copyMemory(from: x + (o * size + index(indices, k)) * bytes, byteCount: bytes)
        }
      }
    }
  }

  /// y[o, indices[i], :] += x[o, i, :] in the order of i.
  public func scatterAdd(
    context: ExecutionContext, x: UnsafeRawPointer?, indices: UnsafeRawPointer?, y: UnsafeMutableRawPointer?
  ) throws(ApusError) {
    try context.recorded("movement", dataType, "scatter:\(count)of" + layerShape(outer, size, inner)) {
      () throws(ApusError) in
      try check(UnsafeRawPointer(y), indices)
      try need("x", x, outer * count * inner)
      guard let x, let indices, let y, outer * count * inner > 0 else { return }
      let kernels = Arithmetic.kernels(context, dataType)
      let bytes = inner * dataType.size
      try context.overStretches(of: outer, grain: 1, nanoseconds: Double(outer * count * bytes) / 8) { first, number in
        var grid = ElementGrid()
        grid.columns = inner
        for o in first..<first + number {
          for k in 0..<count {
            let to = y + (o * size + index(indices, k)) * bytes
            grid.a = UnsafeRawPointer(to)
            grid.b = x + (o * count + k) * bytes
            grid.y = to
            withUnsafePointer(to: grid) { kernels.binary(BinaryFunction.add.rawValue, $0) }
          }
        }
      }
    }
  }

  /// y[i, indices[i]] = 1, 0 elsewhere: `count` rows of `size`.
  public func oneHot(indices: UnsafeRawPointer?, y: UnsafeMutableRawPointer?) throws(ApusError) {
    try check(UnsafeRawPointer(bitPattern: 1), indices)
    let elements = try elementCount(dataType, ("count", count), ("size", size))
    try need("y", UnsafeRawPointer(y), elements)
    guard let indices, let y, elements > 0 else { return }
    y.initializeMemory(as: UInt8.self, repeating: 0, count: elements * dataType.size)
    for i in 0..<count { Reals(y, dataType)[i * size + index(indices, i)] = 1 }
  }

  private func index(_ p: UnsafeRawPointer, _ i: Int) -> Int {
    indexType == .int32 ? Int(p.assumingMemoryBound(to: Int32.self)[i]) : Int(p.assumingMemoryBound(to: Int64.self)[i])
  }

  private func check(_ x: UnsafeRawPointer?, _ indices: UnsafeRawPointer?) throws(ApusError) {
    try dataType.checkIsReal("a gather")
    if indexType != .int32 && indexType != .int64 {
      throw .invalid("index_type", indexType.name, "it must be int32 or int64")
    }
    let elements = try elementCount(dataType, ("outer", outer), ("size", size), ("inner", inner))
    _ = try elementCount(.float64, ("outer", outer), ("count", count), ("inner", inner))
    _ = try elementCount(.float64, ("count", count))
    try need("tensor", x, elements)
    try need("indices", indices, count)
    guard let indices else { return }
    for i in 0..<count where index(indices, i) < 0 || index(indices, i) >= size {
      throw .invalid("indices[\(i)]", index(indices, i), "it must be 0 to \(size - 1)")
    }
  }
}
