import ApusKernelInterface

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// What the losses of a batch become; raw values are the C header's.
public enum LossReduction: Int32, CaseIterable, Sendable {
  /// A loss for each sample.
  case none = 0
  /// Their sum over the sum of their weights.
  case mean = 1
  /// Their sum.
  case sum = 2
}

/// What a classification's target is; raw values are the C header's.
public enum LossTarget: Int32, CaseIterable, Sendable {
  /// Probabilities of all classes, in the data type.
  case probabilities = 0
  /// A class's number for each sample.
  case int32 = 7
  /// The same.
  case int64 = 8
}

/// Softmax cross-entropy of logits, or the negative logarithm of given log-probabilities, over rows of classes. x, dx and
/// probabilities are batch x classes x positions; labels and losses batch x positions. Checked at each call; bits do not
/// depend on threads and back end, nor on where the classes lie.
public struct CrossEntropy: Sendable, Equatable {
  /// float32 or float64.
  public var dataType: DataType
  /// x are logarithms of probabilities already: negative log-likelihood, which takes labels.
  public var isLogarithm = false
  /// What is before the classes.
  public var batch: Int
  /// Elements of a row.
  public var classes: Int
  /// What is behind the classes, such as the pixels of an image; 1 where rows are contiguous.
  public var positions = 1
  /// Labels or probabilities.
  public var target: LossTarget
  /// What losses become.
  public var reduction = LossReduction.mean
  /// Share of the uniform distribution in every target.
  public var smoothing = 0.0
  /// A label whose samples count for nothing.
  public var ignoredLabel: Int?

  /// The mean over a batch.
  public init(dataType: DataType, batch: Int, classes: Int, target: LossTarget) {
    self.dataType = dataType
    self.batch = batch
    self.classes = classes
    self.target = target
  }

  /// Rows, each with its label and its loss.
  public var rows: Int { batch * positions }

  /// Losses that are written: one, or one for each row.
  public var lossCount: Int { reduction == .none ? rows : 1 }

  /// Loss from x, targets and class weights, which may be nil.
  public func forward(
    context: ExecutionContext, x: UnsafeRawPointer?, targets: UnsafeRawPointer?, classWeights: UnsafeRawPointer?,
    loss: UnsafeMutableRawPointer?
  ) throws(ApusError) {
    try context.recorded("loss", dataType, "ce:" + layerShape(batch, classes, positions)) { () throws(ApusError) in
      try check(x, targets)
      try need("loss", UnsafeRawPointer(loss), lossCount)
      guard let loss else { return }
      let weightSum = try checkedWeightSum(targets, classWeights)
      if rows == 0 {
        if reduction != .none { Reals(loss, dataType)[0] = reduction == .mean ? .nan : 0 }
        return
      }
      guard let x, let targets else { return }
      let weights = weightsTotal(classWeights)
      let result = Reals(loss, dataType)
      let sumBytes = reduction == .none ? 0 : (rows * 8).roundedUp(to: Memory.alignment)
      try overRows(context, x, targets, nil, sumBytes) { buffer, n, p, t, _ in
        let own = row(context, targets, n, p, t, classWeights, weights)
        if reduction == .none {
          result[n] = own
        } else {
          buffer.assumingMemoryBound(to: Double.self)[n] = own
        }
      } finish: { buffer in
        if reduction == .none { return }
        var total = 0.0
        for n in 0..<rows { total += buffer.assumingMemoryBound(to: Double.self)[n] }
        result[0] = reduction == .mean ? total / weightSum : total
      }
    }
  }

  /// dx from x and the loss's gradient: one number, or one for each row; nil is 1. dx may be x.
  public func backward(
    context: ExecutionContext, x: UnsafeRawPointer?, targets: UnsafeRawPointer?, classWeights: UnsafeRawPointer?,
    dloss: UnsafeRawPointer?, dx: UnsafeMutableRawPointer?
  ) throws(ApusError) {
    try context.recorded("loss", dataType, "ce:" + layerShape(batch, classes, positions) + ":backward") {
      () throws(ApusError) in
      try check(x, targets)
      try need("dx", UnsafeRawPointer(dx), rows * classes)
      let weightSum = try checkedWeightSum(targets, classWeights)
      guard let x, let targets, let dx, rows > 0 else { return }
      let weights = weightsTotal(classWeights)
      let kernels = kernels(context)
      let gradients = dloss.map { Reals(UnsafeMutableRawPointer(mutating: $0), dataType) }
      try overRows(context, x, targets, dx, 0) { _, n, p, t, to in
        guard let to else { return }
        let label = target == .probabilities ? nil : self.label(targets, n)
        var g = gradients.map { $0[reduction == .none ? n : 0] } ?? 1
        if reduction == .mean { g /= weightSum }
        if let label, label == ignoredLabel || isLogarithm {
          to.initializeMemory(as: UInt8.self, repeating: 0, count: classes * dataType.size)
          if label != ignoredLabel { Reals(to, dataType)[label] = -g * weight(classWeights, label) }
          return
        }
        var found = (0.0, 0.0, 0.0, 0.0)
        withUnsafeMutableBytes(of: &found) {
          kernels.row(p, t, classWeights, classes, $0.baseAddress!.assumingMemoryBound(to: Double.self))
        }
        // e^(x - m) over the sum: m + logarithm would lose the small part beside a large m.
        let most = found.0
        let inverse = exp(-found.1)
        if let label {
          let own = (1 - smoothing) * weight(classWeights, label)
          let uniform = smoothing / Double(classes)
          kernels.rowGradient(
            p, nil, classWeights, to, classes, most, g * (own + uniform * weights) * inverse, g * uniform)
          let row = Reals(to, dataType)
          row[label] = row[label] - g * own
        } else {
          let uniform = smoothing / Double(classes)
          let share = 1 - smoothing
          kernels.rowGradient(
            p, t, classWeights, to, classes, most, g * (share * found.2 + uniform * weights) * inverse, g * share)
          if uniform > 0 {
            let row = Reals(to, dataType)
            for c in 0..<classes { row[c] = row[c] - g * uniform * weight(classWeights, c) }
          }
        }
      }
    }
  }

  /// Calls `body` with scratch, a row's number, its x and its probabilities, which lie as neighbours, and where its gradient
  /// goes. Rows whose classes do not lie so are turned, a block of positions at a time; a gradient takes x's place there.
  /// `finish` gets the first `sumBytes` of the scratch.
  private func overRows(
    _ context: ExecutionContext, _ x: UnsafeRawPointer, _ targets: UnsafeRawPointer, _ dx: UnsafeMutableRawPointer?,
    _ sumBytes: Int,
    _ body: (UnsafeMutableRawPointer, Int, UnsafeRawPointer, UnsafeRawPointer?, UnsafeMutableRawPointer?) -> Void,
    finish: (UnsafeMutableRawPointer) -> Void = { _ in }
  ) throws(ApusError) {
    let row = classes * dataType.size
    let hasProbabilities = target == .probabilities
    if positions == 1 {
      return try withBuffer(bytes: max(1, sumBytes)) { (buffer) throws(ApusError) in
        try context.overStretches(of: rows, grain: grain, nanoseconds: cost) { first, count in
          for n in first..<first + count {
            body(buffer, n, x + n * row, hasProbabilities ? targets + n * row : nil, dx.map { $0 + n * row })
          }
        }
        finish(buffer)
      }
    }
    let transpose =
      dataType == .float32
      ? context.instructionSet.kernels.reductions32.transpose : context.instructionSet.kernels.reductions64.transpose
    let width = min(positions, Self.block)
    let blocks = positions.dividedRoundingUp(by: width)
    let slots = context.slots(parts: batch * blocks, nanoseconds: cost)
    let area = (width * row).roundedUp(to: Memory.alignment)
    let slotBytes = hasProbabilities ? 2 * area : area
    try withBuffer(bytes: sumBytes + slots * slotBytes) { (buffer) throws(ApusError) in
      try context.parallel(parts: batch * blocks, slots: slots) { slot, part in
        let (sample, block) = part.quotientAndRemainder(dividingBy: blocks)
        let first = block * width
        let count = min(width, positions - first)
        let offset = (sample * classes * positions + first) * dataType.size
        let own = buffer + sumBytes + slot * slotBytes
        transpose(x + offset, positions, classes, count, own, classes)
        if hasProbabilities { transpose(targets + offset, positions, classes, count, own + area, classes) }
        for i in 0..<count {
          let p = own + i * row
          body(buffer, sample * positions + first + i, p, hasProbabilities ? p + area : nil, dx == nil ? nil : p)
        }
        if let dx { transpose(own, classes, count, classes, dx + offset, positions) }
      }
      finish(buffer)
    }
  }

  /// Positions that are turned at once: whole lines of every class.
  private static let block = 64

  /// The loss of one row.
  private func row(
    _ context: ExecutionContext, _ targets: UnsafeRawPointer, _ n: Int, _ p: UnsafeRawPointer, _ t: UnsafeRawPointer?,
    _ classWeights: UnsafeRawPointer?, _ weights: Double
  ) -> Double {
    let row = Reals(UnsafeMutableRawPointer(mutating: p), dataType)
    if target != .probabilities {
      let label = label(targets, n)
      if label == ignoredLabel { return 0 }
      if isLogarithm { return -weight(classWeights, label) * row[label] }
      let found = sums(context, p, nil, classWeights)
      let own = weight(classWeights, label) * (found.1 - (row[label] - found.0))
      if smoothing == 0 { return own }
      return (1 - smoothing) * own + smoothing / Double(classes) * (weights * found.1 - found.3)
    }
    let found = sums(context, p, t, classWeights)
    let own = found.2 * found.1 - found.3
    if smoothing == 0 { return own }
    let plain = sums(context, p, nil, classWeights)
    return (1 - smoothing) * own + smoothing / Double(classes) * (weights * plain.1 - plain.3)
  }

  private func sums(
    _ context: ExecutionContext, _ p: UnsafeRawPointer, _ t: UnsafeRawPointer?, _ w: UnsafeRawPointer?
  ) -> (Double, Double, Double, Double) {
    var found = (0.0, 0.0, 0.0, 0.0)
    withUnsafeMutableBytes(of: &found) {
      kernels(context).row(p, t, w, classes, $0.baseAddress!.assumingMemoryBound(to: Double.self))
    }
    return found
  }

  private var grain: Int { max(1, 4096 / max(1, classes)) }
  private var cost: Double { Double(rows * classes * dataType.size) / 10 + Double(rows) * 40 }

  private func kernels(_ context: ExecutionContext) -> LossKernels {
    dataType == .float32 ? context.instructionSet.kernels.losses32 : context.instructionSet.kernels.losses64
  }

  private func label(_ p: UnsafeRawPointer, _ n: Int) -> Int {
    target == .int32
      ? Int(p.assumingMemoryBound(to: Int32.self)[n]) : Int(p.assumingMemoryBound(to: Int64.self)[n])
  }

  private func weight(_ p: UnsafeRawPointer?, _ c: Int) -> Double {
    p.map { Reals(UnsafeMutableRawPointer(mutating: $0), dataType)[c] } ?? 1
  }

  private func weightsTotal(_ p: UnsafeRawPointer?) -> Double {
    if p == nil { return Double(classes) }
    var sum = 0.0
    for c in 0..<classes { sum += weight(p, c) }
    return sum
  }

  /// What a mean divides by: the weights of the labels that count, or the number of rows. Looks at every label.
  private func checkedWeightSum(_ targets: UnsafeRawPointer?, _ w: UnsafeRawPointer?) throws(ApusError) -> Double {
    guard let targets, target != .probabilities else { return Double(rows) }
    var sum = 0.0
    for n in 0..<rows {
      let label = label(targets, n)
      if label == ignoredLabel { continue }
      if label < 0 || label >= classes {
        throw .invalid("targets[\(n)]", label, "a label must be 0 to \(classes - 1), or the ignored one")
      }
      sum += weight(w, label)
    }
    return sum
  }

  private func check(_ x: UnsafeRawPointer?, _ targets: UnsafeRawPointer?) throws(ApusError) {
    try dataType.checkIsReal("cross-entropy")
    let count = try elementCount(dataType, ("batch", batch), ("classes", classes), ("positions", positions))
    if classes < 1 { throw .invalid("classes", classes, "it must be at least 1") }
    if !(smoothing >= 0 && smoothing <= 1) { throw .invalid("smoothing", smoothing, "it must be from 0 to 1") }
    if isLogarithm && (target == .probabilities || smoothing != 0) {
      throw .invalid("logarithm", 1, "negative log-likelihood takes labels, and no smoothing")
    }
    try need("x", x, count)
    try need("targets", targets, rows)
  }
}
