import ApusKernelInterface

/// Softmax or its logarithm along one axis of a dense tensor: `outer` x `size` x `inner` elements, along `size`. Checked at
/// each call; results have the same bits for any threads, back end and alignment, and a row's do not depend on the others.
public struct Softmax: Sendable, Equatable {
  /// float32 or float64.
  public var dataType: DataType
  /// The logarithm.
  public var isLogarithm: Bool
  /// Elements before the axis.
  public var outer: Int
  /// Elements of the axis.
  public var size: Int
  /// Elements behind the axis.
  public var inner: Int

  /// Sizes; nothing is checked before a run.
  public init(dataType: DataType, isLogarithm: Bool = false, outer: Int, size: Int, inner: Int = 1) {
    self.dataType = dataType
    self.isLogarithm = isLogarithm
    self.outer = outer
    self.size = size
    self.inner = inner
  }

  /// The axis of a shape; -1 is the last one. Throws for an axis that the shape has not, and for sizes below 0.
  public init(dataType: DataType, isLogarithm: Bool = false, shape: [Int], axis: Int) throws(ApusError) {
    let place = axis < 0 ? axis + shape.count : axis
    if !shape.indices.contains(place) {
      throw .invalid("axis", axis, "shape \(shape) has the axes \(-shape.count) to \(shape.count - 1)")
    }
    let checked = try TensorDescriptor(dataType: dataType, shape: shape).shape
    self.init(
      dataType: dataType, isLogarithm: isLogarithm, outer: checked[..<place].reduce(1, *), size: checked[place],
      inner: checked[(place + 1)...].reduce(1, *))
  }

  /// y from x; y may be x.
  public func forward(
    context: ExecutionContext, x: UnsafeRawPointer?, y: UnsafeMutableRawPointer?
  ) throws(ApusError) {
    try context.recorded("softmax", dataType, problemText) { () throws(ApusError) in
      let count = try checkedCount()
      try need("x", x, count)
      try need("y", UnsafeRawPointer(y), count)
      guard let x, let y, count > 0 else { return }
      let kernels = kernels(context)
      let bytes = dataType.size
      var shape = shape
      let row = size * inner
      let grain = max(1, 8192 / row)
      let cost = Double(count) * Double(bytes) / 10 + Double(outer * inner) * 10
      shape.streams = 2 * count * bytes > streamingBytes && x != UnsafeRawPointer(y) && inner == 1
      if !shape.streams || isLogarithm || size * bytes > 512 << 10 {
        if !isLogarithm { shape.streams = false }
        return try context.overStretches(of: outer, grain: grain, nanoseconds: cost) { first, count in
          withUnsafePointer(to: shape) { kernels.forward($0, x, y, first, count) }
        }
      }
      let parts = (outer - 1) / grain + 1
      let slots = context.slots(parts: parts, nanoseconds: cost)
      let scratch = (size * bytes).roundedUp(to: Memory.alignment)
      try withBuffer(bytes: slots * scratch) { (buffer) throws(ApusError) in
        try context.parallel(parts: parts, slots: slots) { slot, part in
          var shape = shape
          shape.scratch = buffer + slot * scratch
          kernels.forward(&shape, x, y, part * grain, min(grain, outer - part * grain))
        }
      }
    }
  }

  /// dx from forward's y and dy; dx may be dy.
  public func backward(
    context: ExecutionContext, y: UnsafeRawPointer?, dy: UnsafeRawPointer?, dx: UnsafeMutableRawPointer?
  ) throws(ApusError) {
    try context.recorded("softmax", dataType, problemText + ":backward") { () throws(ApusError) in
      let count = try checkedCount()
      try need("y", y, count)
      try need("dy", dy, count)
      try need("dx", UnsafeRawPointer(dx), count)
      guard let y, let dy, let dx, count > 0 else { return }
      let kernels = kernels(context)
      let bytes = dataType.size
      var shape = shape
      let result = UnsafeRawPointer(dx)
      shape.streams = 3 * count * bytes > streamingBytes && y != result && dy != result && inner == 1
      let cost = Double(count) * Double(bytes) / (isLogarithm ? 12 : 24) + Double(outer * inner) * 8
      try context.overStretches(of: outer, grain: max(1, 8192 / (size * inner)), nanoseconds: cost) { first, count in
        withUnsafePointer(to: shape) { kernels.backward($0, y, dy, dx, first, count) }
      }
    }
  }

  private var problemText: String { (isLogarithm ? "logsoftmax:" : "softmax:") + layerShape(outer, size, inner) }

  private var shape: SoftmaxShape {
    var shape = SoftmaxShape()
    shape.size = size
    shape.inner = inner
    shape.isLogarithm = isLogarithm
    return shape
  }

  private func kernels(_ context: ExecutionContext) -> SoftmaxKernels {
    dataType == .float32 ? context.instructionSet.kernels.softmax32 : context.instructionSet.kernels.softmax64
  }

  private func checkedCount() throws(ApusError) -> Int {
    try dataType.checkIsReal("softmax")
    return try elementCount(dataType, ("outer", outer), ("size", size), ("inner", inner))
  }
}
