import ApusKernelInterface

/// Copies between strided views: permutation, slices, concatenation, splitting and conversion of types are all one.
public enum Movement {
  /// y = x, broadcast to y's shape and converted to its type: to integers towards zero, what does not fit to the nearest
  /// number that does, NaN to 0. Types: float32, float64, int32, int64.
  public static func copy(
    context: ExecutionContext, _ xTensor: StridedTensor, _ x: UnsafeRawPointer?, _ yTensor: StridedTensor,
    _ y: UnsafeMutableRawPointer?
  ) throws(ApusError) {
    try context.recorded("movement", yTensor.dataType, "copy:\(yTensor.text)") { () throws(ApusError) in
      try move(context: context, xTensor, x, yTensor, y)
    }
  }

  /// `copy` as a part of another call.
  static func move(
    context: ExecutionContext, _ xTensor: StridedTensor, _ x: UnsafeRawPointer?, _ yTensor: StridedTensor,
    _ y: UnsafeMutableRawPointer?
  ) throws(ApusError) {
    try checkType("x_tensor", xTensor.dataType)
    try checkType("y_tensor", yTensor.dataType)
    let loops = try Loops(result: yTensor, ("x", xTensor))
    try need("x", x, loops.count)
    try need("y", UnsafeRawPointer(y), loops.count)
    guard let x, let y, loops.count > 0 else { return }
    let size = yTensor.dataType.size
    let cost = Double(loops.count * size) / 12
    if xTensor.dataType != yTensor.dataType {
      // Pointers of loops move by elements of one size: the source's are counted from its own start.
      let from = xTensor.dataType
      let to = yTensor.dataType
      return try loops.run(
        context: context, size: 1, nanoseconds: cost * 2, UnsafeRawPointer(bitPattern: 1), nil, nil,
        UnsafeMutableRawPointer(bitPattern: 1)!, streams: false
      ) { grid in
        let g = grid.pointee
        let source = x + (Int(bitPattern: g.a) - 1) * from.size
        let result = y + (Int(bitPattern: g.y) - 1) * to.size
        for row in 0..<g.rows {
          convert(
            source + row * g.aRow * from.size, from, g.aColumn, result + row * g.yRow * to.size, to, g.yColumn,
            g.columns)
        }
      }
    }
    let wide = size == 8
    let kernels =
      wide
      ? context.instructionSet.kernels.reductions64.transpose : context.instructionSet.kernels.reductions32.transpose
    try loops.run(context: context, size: size, nanoseconds: cost, x, nil, nil, y, streams: false) { grid in
      let g = grid.pointee
      guard let a = g.a, let y = g.y else { return }
      if g.aColumn == 1 && g.yColumn == 1 {
        for row in 0..<g.rows {
          (y + row * g.yRow * size).copyMemory(from: a + row * g.aRow * size, byteCount: g.columns * size)
        }
      } else if g.aRow == 1 && g.yColumn == 1 && g.aColumn > 0 && g.yRow > 0 && g.rows > 1 {
        // Rows of x are columns of y.
        kernels(a, g.aColumn, g.columns, g.rows, y, g.yRow)
      } else {
        for row in 0..<g.rows {
          if wide {
            move(a + row * g.aRow * 8, g.aColumn, y + row * g.yRow * 8, g.yColumn, g.columns, UInt64.self)
          } else {
            move(a + row * g.aRow * 4, g.aColumn, y + row * g.yRow * 4, g.yColumn, g.columns, UInt32.self)
          }
        }
      }
    }
  }

  static func checkType(_ name: String, _ type: DataType) throws(ApusError) {
    switch type {
    case .float32, .float64, .int32, .int64: return
    default:
      throw ApusError(.unsupported, "\(name)'s dtype is \(type.name), but copies have float32, float64, int32, int64")
    }
  }

  @inline(__always)
  static func move<T>(
    _ x: UnsafeRawPointer, _ xs: Int, _ y: UnsafeMutableRawPointer, _ ys: Int, _ count: Int, _: T.Type
  ) {
    let x = x.assumingMemoryBound(to: T.self)
    let y = y.assumingMemoryBound(to: T.self)
    for i in 0..<count { y[i &* ys] = x[i &* xs] }
  }

  private static func convert(
    _ x: UnsafeRawPointer, _ from: DataType, _ xs: Int, _ y: UnsafeMutableRawPointer, _ to: DataType, _ ys: Int,
    _ count: Int
  ) {
    @inline(__always) func each<S, T>(_: S.Type, _: T.Type, _ f: (S) -> T) {
      let x = x.assumingMemoryBound(to: S.self)
      let y = y.assumingMemoryBound(to: T.self)
      for i in 0..<count { y[i &* ys] = f(x[i &* xs]) }
    }
    switch (from, to) {
    case (.float32, .float64): each(Float.self, Double.self) { Double($0) }
    case (.float64, .float32): each(Double.self, Float.self) { Float($0) }
    case (.float32, .int32): each(Float.self, Int32.self) { nearest(Double($0), Int32.self) }
    case (.float32, .int64): each(Float.self, Int64.self) { nearest(Double($0), Int64.self) }
    case (.float64, .int32): each(Double.self, Int32.self) { nearest($0, Int32.self) }
    case (.float64, .int64): each(Double.self, Int64.self) { nearest($0, Int64.self) }
    case (.int32, .float32): each(Int32.self, Float.self) { Float($0) }
    case (.int32, .float64): each(Int32.self, Double.self) { Double($0) }
    case (.int64, .float32): each(Int64.self, Float.self) { Float($0) }
    case (.int64, .float64): each(Int64.self, Double.self) { Double($0) }
    case (.int32, .int64): each(Int32.self, Int64.self) { Int64($0) }
    case (.int64, .int32): each(Int64.self, Int32.self) { Int32(clamping: $0) }
    default: return
    }
  }

  @inline(__always)
  private static func nearest<T: FixedWidthInteger>(_ x: Double, _: T.Type) -> T {
    if x.isNaN { return 0 }
    // 2^31 or 2^63: exact, and the first that does not fit.
    let end = -Double(T.min)
    return x >= end ? T.max : x < -end ? T.min : T(x)
  }

  /// Every element of y.
  public static func fill(
    context: ExecutionContext, _ yTensor: StridedTensor, _ y: UnsafeMutableRawPointer?, value: Double
  ) throws(ApusError) {
    try context.recorded("movement", yTensor.dataType, "fill:\(yTensor.text)") { () throws(ApusError) in
      try put(context: context, yTensor, y, value: value)
    }
  }

  /// `fill` as a part of another call.
  static func put(
    context: ExecutionContext, _ yTensor: StridedTensor, _ y: UnsafeMutableRawPointer?, value: Double
  ) throws(ApusError) {
    try yTensor.dataType.checkIsReal("a fill")
    let number = StridedTensor(yTensor.dataType)
    let float = Float(value)
    if yTensor.dataType == .float32 {
      try withUnsafePointer(to: float) { p throws(ApusError) in
        try move(context: context, number, UnsafeRawPointer(p), yTensor, y)
      }
    } else {
      try withUnsafePointer(to: value) { p throws(ApusError) in
        try move(context: context, number, UnsafeRawPointer(p), yTensor, y)
      }
    }
  }
}
