import Synchronization

/// What differentiation remembers of the current task.
///
/// The tape of a computation is the chain of steps that its result holds: there is no list of everything that was computed.
/// So a result that is let go frees its steps, tasks do not disturb each other, and a step frees what it kept as soon as
/// ``gradients(of:by:keepsTape:)-(_,[Tensor],_)`` has consumed it.
enum Tape {
  @TaskLocal static var isRecording = true
}

/// Runs `body` without remembering how results were computed: for evaluation, and whatever needs no gradient. The scope is
/// that of the task and of the tasks that it makes.
public func withoutGradients<Result, Failure: Error>(
  _ body: () throws(Failure) -> Result
) throws(Failure) -> Result {
  if !Tape.isRecording { return try body() }
  return try Tape.$isRecording.withValue(false) { () -> Swift.Result<Result, Failure> in
    do throws(Failure) { return .success(try body()) } catch { return .failure(error) }
  }.get()
}

/// Where a tensor stands on the tape: an output of a step.
struct TapeSource: Sendable {
  let step: TapeStep
  let output: Int
}

/// An operation that was done, or a tensor that gradients are asked for.
final class TapeStep: Sendable {
  /// Gradients of the outputs (nil: zero) to those of the inputs (nil: none).
  typealias Rule = @Sendable (_ gradients: [Tensor?]) -> [Tensor?]

  private struct State {
    var inputs: [TapeSource?]
    var rule: Rule?
    var gradient: Tensor?
  }

  /// Steps are numbered as they are made, so an input's number is below its user's.
  let number: Int
  let name: StaticString
  let isLeaf: Bool
  let outputs: Int
  private let state: Mutex<State>
  private static let next = Atomic<Int>(0)

  init(_ name: StaticString, inputs: [TapeSource?], outputs: Int = 1, rule: Rule?) {
    number = Self.next.wrappingAdd(1, ordering: .relaxed).oldValue
    self.name = name
    self.outputs = outputs
    isLeaf = rule == nil
    state = Mutex(State(inputs: inputs, rule: rule, gradient: nil))
  }

  /// What backward needs; takes it away unless the tape is kept. nil of a step that was consumed.
  func read(keeping: Bool) -> (inputs: [TapeSource?], rule: Rule)? {
    state.withLock { state in
      guard let rule = state.rule else { return nil }
      let inputs = state.inputs
      if !keeping {
        state.rule = nil
        state.inputs = []
      }
      return (inputs, rule)
    }
  }

  /// Of a leaf: what `backward()` has added up.
  var gradient: Tensor? {
    get { state.withLock { $0.gradient } }
    set { state.withLock { $0.gradient = newValue } }
  }

  /// Of a leaf: adds to `gradient`, which others may be adding to.
  func add(_ more: Tensor) {
    state.withLock { $0.gradient = $0.gradient.map { $0 + more } ?? more }
  }

  /// Long chains are let go one by one: steps that freed each other would need a stack as deep as the chain.
  deinit {
    var rest = state.withLock { state in
      let inputs = state.inputs
      state.inputs = []
      return inputs.compactMap { $0?.step }
    }
    // What the rule captured goes while `rest` holds its steps.
    let rule = state.withLock { state in
      let rule = state.rule
      state.rule = nil
      return rule
    }
    _ = consume rule
    while var step = rest.popLast() {
      if isKnownUniquelyReferenced(&step), let (inputs, rule) = step.read(keeping: false) {
        rest += inputs.compactMap { $0?.step }
        _ = consume rule
      }
    }
  }
}

extension Tensor {
  /// Whether gradients can flow to what this was computed from.
  public var isTracked: Bool { source != nil }

  /// The same numbers, off the tape.
  public func detached() -> Tensor {
    if source == nil { return self }
    var copy = self
    copy.source = nil
    return copy
  }

  /// The same numbers as a new beginning of the tape: what is computed from it has gradients by it.
  public func tracked() -> Tensor {
    require(dtype.isFloatingPoint, "only floating-point tensors have gradients, but this one is \(dtype)")
    var copy = self
    copy.source = TapeSource(step: TapeStep("tracked", inputs: [], rule: nil), output: 0)
    return copy
  }

  /// This result with the step that made it, if one of the sources is on the tape. The rule may use tensors that are
  /// sources; the result itself it may use only detached, or the step would hold itself.
  func recorded(
    _ name: StaticString, _ sources: Tensor..., rule: @escaping @Sendable (_ dy: Tensor) -> [Tensor?]
  ) -> Tensor {
    recorded(name, from: sources, rule: rule)
  }

  /// The same with the sources as an array.
  func recorded(
    _ name: StaticString, from sources: [Tensor], rule: @escaping @Sendable (_ dy: Tensor) -> [Tensor?]
  ) -> Tensor {
    if !sources.contains(where: { $0.source != nil }) || !Tape.isRecording { return detached() }
    var y = self
    y.source = TapeSource(
      step: TapeStep(name, inputs: sources.map(\.source)) { gradients in gradients[0].map(rule) ?? [] }, output: 0)
    return y
  }

  /// The same for gradients that kernels compute, which have no gradients themselves: where the tape is kept, a gradient by
  /// the result stops with a message that says so.
  func recorded(
    kernel name: StaticString, _ sources: Tensor..., rule: @escaping @Sendable (_ dy: Tensor) -> [Tensor?]
  ) -> Tensor {
    recorded(kernel: name, from: sources, rule: rule)
  }

  /// The same with the sources as an array.
  func recorded(
    kernel name: StaticString, from sources: [Tensor], rule: @escaping @Sendable (_ dy: Tensor) -> [Tensor?]
  ) -> Tensor {
    recorded(name, from: sources) { dy in
      let results = rule(dy)
      return Tape.isRecording ? undifferentiable(name, results, [dy] + sources) : results
    }
  }
}

/// Gradients that the tape ends at, with a message.
func undifferentiable(_ name: StaticString, _ gradients: [Tensor?], _ sources: [Tensor]) -> [Tensor?] {
  gradients.map { gradient in
    gradient?.recorded(name, from: sources) { _ in
      fatalError("the gradient of \(name) was to be differentiated, but it has no derivative here")
    }
  }
}
