import ApusKernelInterface

/// PReLU: x where it is not below 0, else x times its channel's slope; x is `outer` x `channels` x `inner` elements.
public struct PReLU: Sendable, Equatable {
  /// float32 or float64.
  public var dataType: DataType
  /// What is before the channels, such as the batch.
  public var outer: Int
  /// Slopes; 1 is one for all.
  public var channels: Int
  /// What is behind the channels, such as the positions of a plane.
  public var inner: Int

  /// Sizes; nothing is checked before a run.
  public init(dataType: DataType, outer: Int, channels: Int, inner: Int) {
    self.dataType = dataType
    self.outer = outer
    self.channels = channels
    self.inner = inner
  }

  private func kernels(_ context: ExecutionContext) -> ElementKernels {
    dataType == .float32 ? context.instructionSet.kernels.elements32 : context.instructionSet.kernels.elements64
  }

  /// Throws the first rule that is broken.
  public func check() throws(ApusError) { _ = try checkedCount() }

  private func checkedCount() throws(ApusError) -> Int {
    try dataType.checkIsReal("prelu")
    return try elementCount(dataType, ("outer", outer), ("channels", channels), ("inner", inner))
  }

  /// y from x and slopes; y may be x.
  public func forward(
    context: ExecutionContext, x: UnsafeRawPointer?, slopes: UnsafeRawPointer?, y: UnsafeMutableRawPointer?
  ) throws(ApusError) {
    try context.recorded("elementwise", dataType, "prelu:" + layerShape(outer, channels, inner)) {
      () throws(ApusError) in
      let count = try checkedCount()
      try need("x", x, count)
      try need("slopes", slopes, count == 0 ? 0 : channels)
      try need("y", UnsafeRawPointer(y), count)
      guard let x, let slopes, let y, count > 0 else { return }
      let size = dataType.size
      let kernels = kernels(context)
      // Rows of one slope each, or rows of as many as there are.
      let rows = inner == 1 ? outer : outer * channels
      let columns = inner == 1 ? channels : inner
      try context.overStretches(
        of: rows, grain: max(1, Elementwise.grain / columns), nanoseconds: Double(count * size) / 32
      ) { first, count in
        var grid = ElementGrid()
        if inner == 1 {
          grid.rows = count
          grid.columns = columns
          grid.a = x + first * columns * size
          grid.b = slopes
          grid.y = y + first * columns * size
          grid.aRow = columns
          grid.yRow = columns
          return withUnsafePointer(to: grid) { kernels.binary(BinaryFunction.prelu.rawValue, $0) }
        }
        grid.columns = columns
        grid.bColumn = 0
        for row in first..<first + count {
          grid.a = x + row * columns * size
          grid.b = slopes + row % channels * size
          grid.y = y + row * columns * size
          withUnsafePointer(to: grid) { kernels.binary(BinaryFunction.prelu.rawValue, $0) }
        }
      }
    }
  }

  /// dx and, added up in the order of the samples, the slopes' gradient. dx may be dy.
  public func backward(
    context: ExecutionContext, x: UnsafeRawPointer?, slopes: UnsafeRawPointer?, dy: UnsafeRawPointer?,
    dx: UnsafeMutableRawPointer?, dslopes: UnsafeMutableRawPointer?
  ) throws(ApusError) {
    try context.recorded("elementwise", dataType, "prelu:" + layerShape(outer, channels, inner) + ":backward") {
      () throws(ApusError) in
      let count = try checkedCount()
      try need("x", x, count)
      try need("slopes", slopes, count == 0 ? 0 : channels)
      try need("dy", dy, count)
      try need("dx", UnsafeRawPointer(dx), count)
      try need("dslopes", UnsafeRawPointer(dslopes), channels)
      guard let dslopes, channels > 0 else { return }
      let size = dataType.size
      let sums = Reals(dslopes, dataType)
      for c in 0..<channels { sums[c] = 0 }
      guard let x, let slopes, let dy, let dx, count > 0 else { return }
      let kernels = kernels(context)
      if inner == 1 {
        // Rows in their order; the channels are divided among threads, on lines of their own.
        let grain = 64
        try context.overStretches(of: channels, grain: grain, nanoseconds: Double(count * size) / 16) { first, count in
          for row in 0..<outer {
            let offset = (row * channels + first) * size
            kernels.preluBackward(
              x + offset, slopes + first * size, dy + offset, dx + offset, dslopes + first * size, count, true)
          }
        }
        return
      }
      let planes = outer * channels
      try withBuffer(bytes: planes * size) { (parts) throws(ApusError) in
        try context.overStretches(
          of: planes, grain: max(1, Elementwise.grain / inner), nanoseconds: Double(count * size) / 16
        ) { first, count in
          for plane in first..<first + count {
            let offset = plane * inner * size
            kernels.preluBackward(
              x + offset, slopes + plane % channels * size, dy + offset, dx + offset, parts + plane * size, inner, false
            )
          }
        }
        let parts = Reals(parts, dataType)
        for c in 0..<channels {
          var sum = 0.0
          for n in 0..<outer { sum += parts[n * channels + c] }
          sums[c] = sum
        }
      }
    }
  }
}
