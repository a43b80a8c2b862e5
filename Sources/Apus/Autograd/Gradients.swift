/// The gradients of a scalar by tensors: d y / d x for each x of `sources`, in their shapes; zeros where y does not depend
/// on x.
///
///     let w = Tensor.ones([2, 2]).tracked()
///     let loss = matmul(x, w).squared().sum()
///     let dw = gradients(of: loss, by: [w])[0]
///
/// The steps of the tape are consumed: each lets go what it kept as soon as it has been used, and a second call for the same
/// `y` stops the program. With `keepsTape` they stay, and the gradients are on the tape themselves, so that gradients of
/// gradients can be asked for where an operation's rule is made of differentiable operations; where it is a kernel, asking
/// stops with a message that names the operation.
public func gradients(of y: Tensor, by sources: [Tensor], keepsTape: Bool = false) -> [Tensor] {
  for x in sources {
    require(x.isTracked, "gradients are asked for by a tensor of shape \(x.shape) that is not tracked")
  }
  let wanted = sources.map { $0.source }
  var found = [Tensor?](repeating: nil, count: sources.count)
  propagate(from: y, keepsTape: keepsTape) { step, results in
    for (i, source) in wanted.enumerated() where source?.step === step {
      found[i] = source.flatMap { results[$0.output] }
    }
  }
  return zip(found, sources).map { $0 ?? .zeros(like: $1) }
}

extension Tensor {
  /// Adds the gradients of this scalar to every ``Parameter/gradient`` that it was computed from. Consumes the tape.
  public func backward() {
    propagate(from: self, keepsTape: false) { step, results in
      guard step.isLeaf, let gradient = results[0] else { return }
      step.add(gradient.detached())
    }
  }
}

/// Walks the tape from its end; `visit` sees each step with the gradients of its outputs.
private func propagate(from y: Tensor, keepsTape: Bool, _ visit: (TapeStep, [Tensor?]) -> Void) {
  require(y.count == 1, "gradients are those of a scalar, but the shape is \(y.shape)")
  guard let source = y.source else {
    fatalError(
      "gradients of a tensor that is not tracked: it was computed from no tracked tensor, or without gradients")
  }
  func walk() {
    var steps = StepQueue()
    var gradients: [ObjectIdentifier: [Tensor?]] = [:]
    func add(_ gradient: Tensor, to source: TapeSource) {
      let key = ObjectIdentifier(source.step)
      if gradients[key] == nil {
        gradients[key] = [Tensor?](repeating: nil, count: source.step.outputs)
        steps.insert(source.step)
      }
      let old = gradients[key]?[source.output] ?? nil
      gradients[key]?[source.output] = old.map { $0 + gradient } ?? gradient
    }
    add(.ones(like: y.detached()), to: source)
    while let step = steps.popLast() {
      let own = gradients.removeValue(forKey: ObjectIdentifier(step)) ?? []
      visit(step, own)
      if step.isLeaf { continue }
      guard let (inputs, rule) = step.read(keeping: keepsTape) else {
        fatalError("gradients through \(step.name), whose tape was consumed: ask with keepsTape, or compute again")
      }
      let results = rule(own)
      for case let (input?, gradient?) in zip(inputs, results) { add(gradient, to: input) }
    }
  }
  if keepsTape { walk() } else { withoutGradients(walk) }
}

/// Steps by their numbers, the last first.
private struct StepQueue {
  private var heap: [TapeStep] = []

  mutating func insert(_ step: TapeStep) {
    heap.append(step)
    var i = heap.count - 1
    while i > 0, heap[i].number > heap[(i - 1) / 2].number {
      heap.swapAt(i, (i - 1) / 2)
      i = (i - 1) / 2
    }
  }

  mutating func popLast() -> TapeStep? {
    guard let first = heap.first, let last = heap.popLast() else { return nil }
    if heap.isEmpty { return first }
    heap[0] = last
    var i = 0
    while true {
      var largest = i
      for child in [2 * i + 1, 2 * i + 2] where child < heap.count && heap[child].number > heap[largest].number {
        largest = child
      }
      if largest == i { return first }
      heap.swapAt(i, largest)
      i = largest
    }
  }
}
