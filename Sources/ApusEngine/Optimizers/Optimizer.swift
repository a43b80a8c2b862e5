import ApusKernelInterface

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A parameter with its gradient and states, as an update takes it.
public struct OptimizerTensor {
  /// Elements of each.
  public var count: Int
  /// What is updated.
  public var parameters: UnsafeMutableRawPointer?
  /// What it is updated by.
  public var gradients: UnsafeRawPointer?
  /// Momentum of SGD and RMSProp, mean of Adam.
  public var first: UnsafeMutableRawPointer?
  /// Squares of Adagrad, RMSProp and Adam.
  public var second: UnsafeMutableRawPointer?

  /// A tensor.
  public init(
    count: Int, parameters: UnsafeMutableRawPointer?, gradients: UnsafeRawPointer?, first: UnsafeMutableRawPointer?,
    second: UnsafeMutableRawPointer?
  ) {
    self.count = count
    self.parameters = parameters
    self.gradients = gradients
    self.first = first
    self.second = second
  }
}

/// An update of parameters by their gradients, many tensors in one pass. Checked at each call; bits do not depend on threads
/// and back end.
public struct Optimizer: Sendable, Equatable {
  /// float32 or float64.
  public var dataType: DataType
  /// Which.
  public var kind: OptimizerKind
  /// Learning rate.
  public var rate: Double
  /// Of SGD and RMSProp; 0 has no first state.
  public var momentum = 0.0
  /// SGD: share of the gradient that a momentum does without.
  public var dampening = 0.0
  /// SGD: Nesterov's momentum.
  public var isNesterov = false
  /// L2 decay added to the gradient, or AdamW's own.
  public var decay = 0.0
  /// Of Adam.
  public var beta1 = 0.9
  /// Of Adam; RMSProp's alpha.
  public var beta2 = 0.999
  /// Added to the root.
  public var epsilon = 1e-8
  /// Which step this is, from 1 on: of Adam, and SGD's first one, whose momentum is the gradient.
  public var step = 1
  /// Factor of every gradient, such as that of `Clipping.norm`.
  public var gradientScale = 1.0
  /// Bound of every gradient after the factor; infinity for none.
  public var limit = Double.infinity

  /// The usual numbers of a kind.
  public init(_ kind: OptimizerKind, dataType: DataType, rate: Double) {
    self.kind = kind
    self.dataType = dataType
    self.rate = rate
    if kind == .adagrad { epsilon = 1e-10 }
    if kind == .rmsProp { beta2 = 0.99 }
    if kind == .adamW { decay = 0.01 }
  }

  /// Updates `count` tensors, which `tensor` describes. Throws where a rule is broken or data are missing; nothing is
  /// written then.
  public func run(
    context: ExecutionContext, count: Int, _ tensor: (Int) -> OptimizerTensor
  ) throws(ApusError) {
    try context.recorded(
      "optimizer", dataType, problem(count, tensor)
    ) { () throws(ApusError) in
      let numbers = try checkedNumbers()
      let needsFirst = kind == .adam || kind == .adamW || (kind != .adagrad && momentum != 0)
      let needsSecond = kind != .sgd
      if count < 0 { throw .invalid("count", count, "a size must be at least 0") }
      var blocks = 0
      var elements = 0
      for i in 0..<count {
        let t = tensor(i)
        _ = try elementCount(dataType, ("counts", t.count))
        if t.count > 0 && (t.parameters == nil || t.gradients == nil) {
          throw .invalid("tensor \(i)", "NULL", "parameters and gradients are needed")
        }
        if t.count > 0 && (needsFirst && t.first == nil || needsSecond && t.second == nil) {
          throw .invalid(
            needsFirst && t.first == nil ? "first[\(i)]" : "second[\(i)]", "NULL", "\(kind) keeps this state")
        }
        blocks += TensorBlocks.count(t.count)
        elements += t.count
      }
      let kernels =
        dataType == .float32 ? context.instructionSet.kernels.optimizers32 : context.instructionSet.kernels.optimizers64
      let size = dataType.size
      try context.overStretches(of: blocks, grain: 4, nanoseconds: Double(elements * size) / 4) { first, count in
        TensorBlocks.forEach(first..<first + count, counts: { tensor($0).count }) { i, start, length, _ in
          let t = tensor(i)
          guard let p = t.parameters, let g = t.gradients else { return }
          let offset = start * size
          withUnsafePointer(to: numbers) {
            kernels.step(
              $0, p + offset, g + offset, needsFirst ? t.first.map { $0 + offset } : nil,
              needsSecond ? t.second.map { $0 + offset } : nil, length)
          }
        }
      }
    }
  }

  /// As kbench has it.
  private func problem(_ count: Int, _ tensor: (Int) -> OptimizerTensor) -> String {
    "\(kind)".lowercased() + ":n\((0..<count).reduce(0) { $0 + tensor($1).count })"
  }

  private func checkedNumbers() throws(ApusError) -> OptimizerNumbers {
    try dataType.checkIsReal("an optimizer")
    if !rate.isFinite { throw .invalid("learning_rate", rate, "it must be a number") }
    if !(momentum >= 0 && momentum < 1 || momentum == 1) {
      throw .invalid("momentum", momentum, "it must be from 0 to 1")
    }
    if !(beta1 >= 0 && beta1 < 1) { throw .invalid("beta1", beta1, "it must be at least 0 and below 1") }
    if !(beta2 >= 0 && beta2 < 1) { throw .invalid("beta2", beta2, "it must be at least 0 and below 1") }
    if !(epsilon >= 0) { throw .invalid("epsilon", epsilon, "it must be at least 0") }
    if !decay.isFinite { throw .invalid("weight_decay", decay, "it must be a number") }
    if step < 1 { throw .invalid("step", step, "steps count from 1 on") }
    if !(limit > 0) { throw .invalid("clip_value", limit, "it must be above 0") }
    if isNesterov && (momentum == 0 || dampening != 0) {
      throw .invalid("nesterov", 1, "it takes a momentum above 0 and no dampening")
    }
    var numbers = OptimizerNumbers()
    numbers.kind = kind
    numbers.rate = rate
    numbers.momentum = momentum
    numbers.dampening = dampening
    numbers.isNesterov = isNesterov
    numbers.isFirst = step == 1
    numbers.squares = beta2
    numbers.epsilon = epsilon
    numbers.decay = decay
    numbers.gradientScale = gradientScale
    numbers.limit = limit
    if kind == .adam || kind == .adamW {
      numbers.momentum = beta1
      numbers.rate = rate / (1 - pow(beta1, Double(step)))
      numbers.rootFactor = 1 / (1 - pow(beta2, Double(step))).squareRoot()
      if kind == .adamW { numbers.decay = rate * decay }
    }
    return numbers
  }
}

/// The norm of many gradients together.
public enum Clipping {
  /// The Euclidean norm of `count` tensors as one vector, in one pass; NaN or infinite where an element is. Sums are made by
  /// fixed blocks; a float32 block whose squares overflow is added up in float64.
  public static func norm(
    _ type: DataType, context: ExecutionContext, count: Int, _ tensor: (Int) -> (count: Int, data: UnsafeRawPointer?)
  ) throws(ApusError) -> Double {
    return try context.recorded("optimizer", type, "norm:n\((0..<count).reduce(0) { $0 + tensor($1).count })") {
      () throws(ApusError) -> Double in
      try type.checkIsReal("a norm")
      if count < 0 { throw .invalid("count", count, "a size must be at least 0") }
      let size = type.size
      var blocks = 0
      var elements = 0
      for i in 0..<count {
        let t = tensor(i)
        _ = try elementCount(type, ("counts", t.count))
        if t.count > 0 && t.data == nil {
          throw .invalid("gradients[\(i)]", "NULL", "its \(t.count) elements are needed")
        }
        blocks += TensorBlocks.count(t.count)
        elements += t.count
      }
      if blocks == 0 { return 0 }
      let kernels =
        type == .float32 ? context.instructionSet.kernels.optimizers32 : context.instructionSet.kernels.optimizers64
      var total = 0.0
      try withBuffer(bytes: blocks * 8) { (buffer) throws(ApusError) in
        let sums = buffer.assumingMemoryBound(to: Double.self)
        try context.overStretches(of: blocks, grain: 4, nanoseconds: Double(elements * size) / 20) { first, wanted in
          TensorBlocks.forEach(first..<first + wanted, counts: { tensor($0).count }) { i, start, length, block in
            guard let p = tensor(i).data.map({ $0 + start * size }) else { return }
            var sum = kernels.squares(p, length)
            if !sum.isFinite && type == .float32 {
              sum = 0
              for j in 0..<length {
                let v = Double(p.assumingMemoryBound(to: Float.self)[j])
                sum += v * v
              }
            }
            sums[block] = sum
          }
        }
        for i in 0..<blocks { total += sums[i] }
      }
      return total.squareRoot()
    }
  }
}

/// The elements of many tensors by blocks, the last one of each tensor being shorter.
private enum TensorBlocks {
  /// Elements of a block.
  static let size = 8192

  /// Blocks of a tensor.
  static func count(_ elements: Int) -> Int { (elements + size - 1) / size }

  /// Calls `body` with the tensor, the first element, the elements and the number of each of some blocks, which are counted
  /// through all tensors.
  static func forEach(
    _ blocks: Range<Int>, counts: (Int) -> Int,
    _ body: (_ tensor: Int, _ start: Int, _ length: Int, _ block: Int) -> Void
  ) {
    var (tensor, before, block) = (0, 0, blocks.lowerBound)
    while block < blocks.upperBound {
      let elements = counts(tensor)
      let own = count(elements)
      if block < before + own {
        let start = (block - before) * size
        body(tensor, start, min(size, elements - start), block)
        block += 1
      } else {
        (tensor, before) = (tensor + 1, before + own)
      }
    }
  }
}
