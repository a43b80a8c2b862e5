import Synchronization

/// A function with a gradient of its own: forward and backward side by side.
///
///     let y = differentiable("cube", [x]) { x in
///       x[0] * x[0] * x[0]
///     } backward: { dy, x, y in
///       [3 * x[0] * x[0] * dy]
///     }
///
/// - Parameters:
///   - name: What messages call it.
///   - sources: What it is computed from; `forward` gets them off the tape.
///   - forward: The result.
///   - backward: From the gradient of the result, the sources and the result, the gradient by each source in its shape; nil
///     where there is none.
/// - Returns: The result, on the tape where a source is.
public func differentiable(
  _ name: StaticString, _ sources: [Tensor], forward: (_ sources: [Tensor]) -> Tensor,
  backward: @escaping @Sendable (_ dy: Tensor, _ sources: [Tensor], _ y: Tensor) -> [Tensor?]
) -> Tensor {
  let y = withoutGradients { forward(sources.map { $0.detached() }) }.detached()
  // Where the tape is kept the rule gets y with its place on it, for gradients of gradients. Weakly: the step holds the rule.
  let place = WeakStep()
  let recorded = y.recorded(name, from: sources) { dy in
    var result = y
    if Tape.isRecording, let step = place.step { result.source = TapeSource(step: step, output: 0) }
    let results = backward(dy, sources, result)
    require(
      results.count == sources.count,
      "\(name): backward gives \(results.count) gradients, but there are \(sources.count) sources")
    for (result, source) in zip(results, sources) {
      guard let result else { continue }
      require(
        result.shape == source.shape && result.dtype == source.dtype,
        "\(name): a gradient has the shape \(result.shape), but its source has \(source.shape)")
    }
    return results
  }
  place.step = recorded.source?.step
  return recorded
}

private final class WeakStep: Sendable {
  private struct Reference: Sendable {
    weak var step: TapeStep?
  }
  private let reference = Mutex(Reference())

  var step: TapeStep? {
    get { reference.withLock { $0.step } }
    set { reference.withLock { $0.step = newValue } }
  }
}
