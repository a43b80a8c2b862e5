import ApusKernelInterface

/// Functions along one axis of a dense tensor: outer x size x inner elements.
public struct AxisFunction: Sendable, Equatable {
  /// float32 or float64.
  public var dataType: DataType
  /// Elements before the axis.
  public var outer: Int
  /// Elements of the axis.
  public var size: Int
  /// Elements behind it.
  public var inner: Int

  /// Sizes; nothing is checked before a run.
  public init(dataType: DataType, outer: Int, size: Int, inner: Int) {
    self.dataType = dataType
    self.outer = outer
    self.size = size
    self.inner = inner
  }

  /// Where the first largest (or least) element lies along the axis, the first NaN where there is one: outer x inner
  /// numbers, int32 or int64.
  public func position(
    context: ExecutionContext, least: Bool, x: UnsafeRawPointer?, indexType: DataType, indices: UnsafeMutableRawPointer?
  ) throws(ApusError) {
    try context.recorded("reduction", dataType, (least ? "argmin:" : "argmax:") + layerShape(outer, size, inner)) {
      () throws(ApusError) in
      let count = try checkedCount()
      if indexType != .int32 && indexType != .int64 {
        throw .invalid("index_type", indexType.name, "it must be int32 or int64")
      }
      if size < 1 || (indexType == .int32 && size > Int32.max) {
        throw .invalid("size", size, "the axis needs an element, and its positions must fit \(indexType.name)")
      }
      try need("x", x, count)
      try need("indices", UnsafeRawPointer(indices), outer * inner)
      guard let x, let indices else { return }
      let kernels =
        dataType == .float32 ? context.instructionSet.kernels.reductions32 : context.instructionSet.kernels.reductions64
      let bytes = dataType.size
      try context.overStretches(of: outer * inner, grain: max(1, 8192 / size), nanoseconds: Double(count)) {
        first, count in
        for i in first..<first + count {
          let place = kernels.position(x + (i / inner * size * inner + i % inner) * bytes, size, inner, least)
          if indexType == .int32 {
            indices.assumingMemoryBound(to: Int32.self)[i] = Int32(place)
          } else {
            indices.assumingMemoryBound(to: Int64.self)[i] = Int64(place)
          }
        }
      }
    }
  }

  /// y[i] = x[0] + ... + x[i] along the axis, from its end if reversed, added up one after the other as doubles; y may be x.
  public func cumulativeSum(
    context: ExecutionContext, isReversed: Bool, isExclusive: Bool, x: UnsafeRawPointer?, y: UnsafeMutableRawPointer?
  ) throws(ApusError) {
    try context.recorded("reduction", dataType, "cumsum:" + layerShape(outer, size, inner)) { () throws(ApusError) in
      let count = try checkedCount()
      try need("x", x, count)
      try need("y", UnsafeRawPointer(y), count)
      guard let x, let y, count > 0 else { return }
      let from = Reals(UnsafeMutableRawPointer(mutating: x), dataType)
      let to = Reals(y, dataType)
      try context.overStretches(of: outer * inner, grain: max(1, 8192 / size), nanoseconds: Double(count)) {
        first, count in
        for i in first..<first + count {
          let base = i / inner * size * inner + i % inner
          var sum = 0.0
          for k in 0..<size {
            let place = base + (isReversed ? size - 1 - k : k) * inner
            let value = from[place]
            if isExclusive { to[place] = sum }
            sum += value
            if !isExclusive { to[place] = sum }
          }
        }
      }
    }
  }

  private func checkedCount() throws(ApusError) -> Int {
    try dataType.checkIsReal("this function")
    return try elementCount(dataType, ("outer", outer), ("size", size), ("inner", inner))
  }
}
