import ApusKernelInterface

/// A loss of predictions and targets element by element. Checked at each call; sums are made by fixed blocks of 8192
/// elements, so bits do not depend on threads and back end.
public struct ElementLoss: Sendable, Equatable {
  /// float32 or float64.
  public var dataType: DataType
  /// Which loss.
  public var kind: PointwiseLoss
  /// Elements.
  public var count: Int
  /// What losses become.
  public var reduction = LossReduction.mean
  /// Where Huber's loss becomes linear, or the hinge's margin.
  public var delta = 1.0

  /// The mean of a loss.
  public init(_ kind: PointwiseLoss, dataType: DataType, count: Int) {
    self.kind = kind
    self.dataType = dataType
    self.count = count
  }

  private static let block = 8192

  /// As kbench has it.
  private var name: String {
    switch kind {
    case .binaryCrossEntropyWithLogits: "bce"
    case .meanSquaredError: "mse"
    case .meanAbsoluteError: "mae"
    case .huber: "huber"
    case .hinge: "hinge"
    }
  }

  /// Loss from predictions and targets.
  public func forward(
    context: ExecutionContext, x: UnsafeRawPointer?, targets: UnsafeRawPointer?, loss: UnsafeMutableRawPointer?
  ) throws(ApusError) {
    try context.recorded("loss", dataType, "\(name):n1c\(count)") { () throws(ApusError) in
      try check(x, targets)
      try need("loss", UnsafeRawPointer(loss), reduction == .none ? count : 1)
      guard let loss else { return }
      let result = Reals(loss, dataType)
      if count == 0 {
        if reduction != .none { result[0] = reduction == .mean ? .nan : 0 }
        return
      }
      guard let x, let targets else { return }
      let kernels = kernels(context)
      let size = dataType.size
      let cost = Double(count * size) / 16
      if reduction == .none {
        return try context.overStretches(of: count, grain: Self.block, nanoseconds: cost) { first, count in
          let offset = first * size
          _ = kernels.pointwise(kind.rawValue, x + offset, targets + offset, loss + offset, count, delta)
        }
      }
      let blocks = (count - 1) / Self.block + 1
      try withBuffer(bytes: blocks * 8) { (buffer) throws(ApusError) in
        let sums = buffer.assumingMemoryBound(to: Double.self)
        try context.overStretches(of: blocks, grain: 4, nanoseconds: cost) { first, blocks in
          for block in first..<first + blocks {
            let start = block * Self.block
            sums[block] = kernels.pointwise(
              kind.rawValue, x + start * size, targets + start * size, nil, min(Self.block, count - start), delta)
          }
        }
        var total = 0.0
        for block in 0..<blocks { total += sums[block] }
        result[0] = reduction == .mean ? total / Double(count) : total
      }
    }
  }

  /// dx from predictions, targets and the loss's gradient: one number, or one for each element; nil is 1. dx may be x.
  public func backward(
    context: ExecutionContext, x: UnsafeRawPointer?, targets: UnsafeRawPointer?, dloss: UnsafeRawPointer?,
    dx: UnsafeMutableRawPointer?
  ) throws(ApusError) {
    try context.recorded("loss", dataType, "\(name):n1c\(count):backward") { () throws(ApusError) in
      try check(x, targets)
      try need("dx", UnsafeRawPointer(dx), count)
      guard let x, let targets, let dx, count > 0 else { return }
      let kernels = kernels(context)
      let size = dataType.size
      var factor = 1.0
      if reduction != .none {
        factor = dloss.map { Reals(UnsafeMutableRawPointer(mutating: $0), dataType)[0] } ?? 1
        if reduction == .mean { factor /= Double(count) }
      }
      let each = reduction == .none ? dloss : nil
      let cost = Double(count * size) / 16
      try context.overStretches(of: count, grain: Self.block, nanoseconds: cost) { first, count in
        let offset = first * size
        kernels.pointwiseGradient(
          kind.rawValue, x + offset, targets + offset, each.map { $0 + offset }, dx + offset, count, delta, factor)
      }
    }
  }

  private func kernels(_ context: ExecutionContext) -> LossKernels {
    dataType == .float32 ? context.instructionSet.kernels.losses32 : context.instructionSet.kernels.losses64
  }

  private func check(_ x: UnsafeRawPointer?, _ targets: UnsafeRawPointer?) throws(ApusError) {
    try dataType.checkIsReal("a loss")
    _ = try elementCount(dataType, ("count", count))
    if !(delta > 0 && delta.isFinite) { throw .invalid("delta", delta, "it must be a number above 0") }
    try need("x", x, count)
    try need("targets", targets, count)
  }
}
