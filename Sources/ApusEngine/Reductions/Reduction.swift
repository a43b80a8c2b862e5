import ApusKernelInterface

/// What elements become; raw values are the C header's.
public enum ReductionKind: Int32, CaseIterable, Sendable {
  case sum = 0
  case mean = 1
  case maximum = 2
  case minimum = 3
  /// The sum of squared deviations over the count less a correction.
  case variance = 4
  /// The sum of magnitudes.
  case norm1 = 5
  /// The root of the sum of squares.
  case norm2 = 6
  /// The logarithm of the sum of e^x, with the largest taken away first.
  case logSumExp = 7
}

/// A reduction of a strided tensor over any of its axes into a dense one. Sums are made along the innermost reduced axis in
/// a shape that depends on the sizes alone, and joined in the axes' order as doubles where that axis is contiguous; so bits
/// do not depend on threads and back end. NaN goes through.
public struct Reduction: Sendable, Equatable {
  /// What elements become.
  public var kind: ReductionKind
  /// Bit i: axis i is reduced.
  public var axes: Int
  /// Of a variance: what the count is less by.
  public var correction = 0.0

  /// A reduction.
  public init(_ kind: ReductionKind, axes: Int) {
    self.kind = kind
    self.axes = axes
  }

  /// Runs of one axis that are cut, so that threads can share one result.
  private static let chunk = 32768

  /// y from x; y has the sizes that are kept, dense, in their order.
  public func run(
    context: ExecutionContext, _ xTensor: StridedTensor, x: UnsafeRawPointer?, y: UnsafeMutableRawPointer?
  ) throws(ApusError) {
    try context.recorded("reduction", xTensor.dataType, "\(kind):\(xTensor.text):axes\(axes)") { () throws(ApusError) in
      let type = xTensor.dataType
      try type.checkIsReal("a reduction")
      let total = try xTensor.checkedCount("x_tensor")
      if axes < 0 || axes >> xTensor.rank != 0 {
        throw .invalid("axes", axes, "its bits must be axes of \(xTensor.text), 0 to \(xTensor.rank - 1)")
      }
      if !correction.isFinite { throw .invalid("correction", correction, "it must be a number") }
      let shape = ReductionShape(xTensor, axes)
      try need("y", UnsafeRawPointer(y), shape.outputs)
      try need("x", x, total)
      guard let y, shape.outputs > 0 else { return }
      if shape.elements == 0 && (kind == .maximum || kind == .minimum) {
        throw .invalid("x_tensor->shape", xTensor.text, "a maximum or minimum needs an element")
      }
      guard let x, shape.elements > 0 else {
        let value = kind == .mean || kind == .variance ? Double.nan : kind == .logSumExp ? -Double.infinity : 0
        for i in 0..<shape.outputs { Reals(y, type)[i] = value }
        return
      }
      let kernels =
        type == .float32 ? context.instructionSet.kernels.reductions32 : context.instructionSet.kernels.reductions64
      let cost = Double(total * type.size) / 16
      if shape.columns > 0 {
        return try runColumns(context, shape, kernels, type, cost, x, y)
      }
      let result = Reals(y, type)
      let size = type.size
      if shape.outputs == 1 && shape.reduced == 1 && shape.runLength > Self.chunk {
        return try runAlone(context, shape, kernels, type, cost, x, y)
      }
      let grain = max(1, 8192 / max(1, shape.elements))
      try context.overStretches(of: shape.outputs, grain: grain, nanoseconds: cost) { first, count in
        for o in first..<first + count {
          let base = x + shape.keptOffset(o) * size
          result[o] = finish(shape.elements) { fold, center in
            var sum = identity(fold)
            for r in 0..<shape.reduced {
              let p = base + shape.reducedOffset(r) * size
              var start = 0
              while start < shape.runLength {
                let length = min(Self.chunk, shape.runLength - start)
                let part = kernels.run(
                  fold.rawValue, p + start * shape.runStride * size, length, shape.runStride, center)
                sum = join(fold, sum, part)
                start += length
              }
            }
            return sum
          }
        }
      }
    }
  }

  /// One result of a long run: chunks are shared among threads and joined in their order.
  private func runAlone(
    _ context: ExecutionContext, _ shape: ReductionShape, _ kernels: ReductionKernels, _ type: DataType, _ cost: Double,
    _ x: UnsafeRawPointer, _ y: UnsafeMutableRawPointer
  ) throws(ApusError) {
    let chunks = (shape.runLength - 1) / Self.chunk + 1
    let size = type.size
    try withBuffer(bytes: chunks * 8) { (buffer) throws(ApusError) in
      let parts = buffer.assumingMemoryBound(to: Double.self)
      func sweep(_ fold: Fold, _ center: Double) throws(ApusError) -> Double {
        try context.overStretches(of: chunks, grain: 1, nanoseconds: cost) { first, count in
          for i in first..<first + count {
            let start = i * Self.chunk
            parts[i] = kernels.run(
              fold.rawValue, x + start * shape.runStride * size, min(Self.chunk, shape.runLength - start),
              shape.runStride, center)
          }
        }
        var sum = identity(fold)
        for i in 0..<chunks { sum = join(fold, sum, parts[i]) }
        return sum
      }
      var center = 0.0
      if let fold = centerFold {
        center = Self.center(fold, try sweep(fold, 0), shape.elements)
      }
      Reals(y, type)[0] = value(try sweep(mainFold, center), center, shape.elements)
    }
  }

  /// Results that are neighbours where x's elements are: columns, in the lanes.
  private func runColumns(
    _ context: ExecutionContext, _ shape: ReductionShape, _ kernels: ReductionKernels, _ type: DataType, _ cost: Double,
    _ x: UnsafeRawPointer, _ y: UnsafeMutableRawPointer
  ) throws(ApusError) {
    let size = type.size
    let blocks = shape.columns.dividedRoundingUp(by: 64)
    let outer = shape.outputs / shape.columns
    let tasks = outer * blocks
    let slots = context.slots(parts: tasks, nanoseconds: cost)
    let slotBytes = 64 * 8
    try withBuffer(bytes: slots * slotBytes) { (buffer) throws(ApusError) in
      try context.parallel(parts: tasks, slots: slots) { slot, task in
        let centers = buffer + slot * slotBytes
        let (o, block) = task.quotientAndRemainder(dividingBy: blocks)
        let column = block * 64
        let columns = min(64, shape.columns - column)
        let base = x + (shape.keptOffset(o * shape.columns) + column) * size
        let to = y + (o * shape.columns + column) * size
        func sweep(_ fold: Fold, _ center: UnsafeMutableRawPointer?) {
          for r in 0..<shape.reduced {
            kernels.columns(
              fold.rawValue, base + shape.reducedOffset(r) * size, shape.runLength, shape.runStride, columns, center,
              to,
              r == 0)
          }
        }
        let result = Reals(to, type)
        let center = Reals(centers, type)
        if let fold = centerFold {
          sweep(fold, nil)
          for c in 0..<columns { center[c] = Self.center(fold, result[c], shape.elements) }
        }
        sweep(mainFold, centerFold == nil ? nil : centers)
        for c in 0..<columns { result[c] = value(result[c], centerFold == nil ? 0 : center[c], shape.elements) }
      }
    }
  }

  /// What must be known before the main sweep.
  private var centerFold: Fold? {
    switch kind {
    case .variance: .sum
    case .logSumExp: .maximum
    default: nil
    }
  }

  private var mainFold: Fold {
    switch kind {
    case .sum, .mean: .sum
    case .maximum: .maximum
    case .minimum: .minimum
    case .norm1: .magnitudes
    case .variance, .norm2: .squares
    case .logSumExp: .exponentials
    }
  }

  private static func center(_ fold: Fold, _ value: Double, _ count: Int) -> Double {
    // Nothing is taken away from an infinity.
    fold == .sum ? value / Double(count) : value.isInfinite ? 0 : value
  }

  private func value(_ sum: Double, _ center: Double, _ count: Int) -> Double {
    switch kind {
    case .mean: sum / Double(count)
    case .variance: sum / max(0, Double(count) - correction)
    case .norm2: sum.squareRoot()
    case .logSumExp: center + Self.logarithm(sum)
    default: sum
    }
  }

  private func finish(_ count: Int, _ sweep: (Fold, Double) -> Double) -> Double {
    let center = centerFold.map { Self.center($0, sweep($0, 0), count) } ?? 0
    return value(sweep(mainFold, center), center, count)
  }

  private func identity(_ fold: Fold) -> Double {
    fold == .maximum ? -.infinity : fold == .minimum ? .infinity : 0
  }

  private func join(_ fold: Fold, _ a: Double, _ b: Double) -> Double {
    switch fold {
    case .maximum: a.isNaN || b <= a ? a : b
    case .minimum: a.isNaN || b >= a ? a : b
    default: a + b
    }
  }
}

/// The loops of a reduction: those kept, those reduced, and the innermost reduced one, which is a kernel's run.
struct ReductionShape {
  /// Loops of either kind but for the run, outermost first.
  private var keptRank = 0
  private var keptSizes = InlineArray<8, Int>(repeating: 1)
  private var keptStrides = InlineArray<8, Int>(repeating: 0)
  private var reducedRank = 0
  private var reducedSizes = InlineArray<8, Int>(repeating: 1)
  private var reducedStrides = InlineArray<8, Int>(repeating: 0)
  /// Elements and distance of the innermost reduced loop.
  var runLength = 1
  var runStride = 1
  /// Results; elements that each is made of.
  var outputs = 1
  var elements = 1
  /// Calls of a kernel for each result.
  var reduced = 1
  /// Results that are neighbours as their elements are, where the run is not contiguous; else 0.
  var columns = 0

  init(_ x: StridedTensor, _ axes: Int) {
    for i in 0..<x.rank {
      if axes >> i & 1 == 1 {
        elements *= x.shape[i]
        if x.shape[i] == 1 { continue }
        if reducedRank > 0, reducedStrides[reducedRank - 1] == x.strides[i] &* x.shape[i] {
          reducedSizes[reducedRank - 1] *= x.shape[i]
          reducedStrides[reducedRank - 1] = x.strides[i]
        } else {
          reducedSizes[reducedRank] = x.shape[i]
          reducedStrides[reducedRank] = x.strides[i]
          reducedRank += 1
        }
      } else {
        outputs *= x.shape[i]
        if x.shape[i] == 1 { continue }
        if keptRank > 0, keptStrides[keptRank - 1] == x.strides[i] &* x.shape[i] {
          keptSizes[keptRank - 1] *= x.shape[i]
          keptStrides[keptRank - 1] = x.strides[i]
        } else {
          keptSizes[keptRank] = x.shape[i]
          keptStrides[keptRank] = x.strides[i]
          keptRank += 1
        }
      }
    }
    if reducedRank > 0 {
      reducedRank -= 1
      runLength = reducedSizes[reducedRank]
      runStride = reducedStrides[reducedRank]
      for i in 0..<reducedRank { reduced *= reducedSizes[i] }
    }
    if keptRank > 0 && keptStrides[keptRank - 1] == 1 && runStride != 1 { columns = keptSizes[keptRank - 1] }
  }

  func keptOffset(_ o: Int) -> Int { Self.offset(o, keptRank, keptSizes, keptStrides) }
  func reducedOffset(_ r: Int) -> Int { Self.offset(r, reducedRank, reducedSizes, reducedStrides) }

  private static func offset(
    _ place: Int, _ rank: Int, _ sizes: borrowing InlineArray<8, Int>, _ strides: borrowing InlineArray<8, Int>
  ) -> Int {
    var rest = place
    var offset = 0
    var i = rank - 1
    while i >= 0 {
      offset += rest % sizes[i] * strides[i]
      rest /= sizes[i]
      i -= 1
    }
    return offset
  }
}
