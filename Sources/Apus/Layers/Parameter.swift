internal import ApusEngine

/// Numbers that a model learns.
///
/// ``value`` is on the tape while the parameter is trainable; ``Tensor/backward()`` adds to ``gradient``, and an ``Optimizer``
/// takes it from there.
public final class Parameter {
  private var stored: Tensor
  private let leaf: TapeStep

  /// A parameter that begins with a value, of float32 or float64.
  public init(_ value: Tensor, isTrainable: Bool = true) {
    require(value.dtype.isFloatingPoint, "a parameter is a floating-point tensor, not \(value.dtype) \(value.shape)")
    stored = value.detached().contiguous()
    leaf = TapeStep("parameter", inputs: [], rule: nil)
    self.isTrainable = isTrainable
  }

  /// Whether gradients are asked for by it. A frozen parameter is a constant.
  public var isTrainable: Bool

  /// The numbers; what is assigned has the same shape and type.
  public var value: Tensor {
    get {
      if !isTrainable { return stored }
      var tensor = stored
      tensor.source = TapeSource(step: leaf, output: 0)
      return tensor
    }
    set {
      require(
        newValue.shape == stored.shape && newValue.dtype == stored.dtype,
        "a parameter of \(stored.dtype) \(stored.shape) does not become \(newValue.dtype) \(newValue.shape)")
      stored = newValue.detached().contiguous()
    }
  }

  /// What ``Tensor/backward()`` has added up since it was nil.
  public var gradient: Tensor? {
    get { leaf.gradient }
    set {
      require(
        newValue.map { $0.shape == stored.shape && $0.dtype == stored.dtype } ?? true,
        "the gradient of a parameter of \(stored.dtype) \(stored.shape) is not \(newValue?.shape ?? [])")
      leaf.gradient = newValue?.detached()
    }
  }

  /// The number of elements.
  public var count: Int { stored.count }

  /// The memory, this parameter's own, to be written in place.
  func writableMemory() -> UnsafeMutableRawPointer {
    stored.makeUnique()
    return stored.result
  }

  var dtype: DataType { stored.dtype }
  var shape: [Int] { stored.shape }
}

/// Numbers that a model keeps and does not learn by gradients, such as running means. Saved with the parameters.
public final class Buffer {
  /// The numbers, off the tape.
  public var value: Tensor {
    didSet { if value.isTracked { value = value.detached() } }
  }

  /// A buffer that begins with a value.
  public init(_ value: Tensor) { self.value = value.detached() }
}

/// The gradients of a scalar by parameters; zeros where it does not depend on one. See ``gradients(of:by:keepsTape:)-(_,[Tensor],_)``.
public func gradients(of y: Tensor, by parameters: [Parameter], keepsTape: Bool = false) -> [Tensor] {
  gradients(of: y, by: parameters.map(\.value), keepsTape: keepsTape)
}

extension Sequence<Parameter> {
  /// The gradients there are, each as one dense buffer to be written: what an all-reduce between processes takes.
  public func withGradientBuffers(_ body: (_ buffers: [UnsafeMutableRawBufferPointer]) throws -> Void) rethrows {
    var own: [(Parameter, Tensor)] = []
    for parameter in self {
      guard var gradient = parameter.gradient else { continue }
      parameter.gradient = nil
      gradient.makeUnique()
      own.append((parameter, gradient))
    }
    defer { for (parameter, gradient) in own { parameter.gradient = gradient } }
    try body(own.map { UnsafeMutableRawBufferPointer(start: $1.result, count: $1.count * $1.dtype.size) })
  }

  /// Forgets all gradients.
  public func clearGradients() { for parameter in self { parameter.gradient = nil } }

  /// The Euclidean norm of all gradients as one vector; NaN or infinite where an element is.
  public func gradientNorm() -> Double {
    let all = compactMap(\.gradient).map { $0.contiguous() }
    guard let type = all.first?.dtype else { return 0 }
    require(all.allSatisfy { $0.dtype == type }, "gradientNorm takes gradients of one type")
    var norm = 0.0
    compute("gradientNorm", all[0]) { context throws(ApusEngine.ApusError) in
      norm = try Clipping.norm(type.engine, context: context, count: all.count) { (all[$0].count, all[$0].base) }
    }
    withExtendedLifetime(all) {}
    return norm
  }

  /// Scales all gradients so that their norm is at most `limit`, and returns the norm that they had.
  @discardableResult public func clipGradients(toNorm limit: Double) -> Double {
    require(limit > 0, "clipGradients takes a norm above 0, not \(limit)")
    let norm = gradientNorm()
    if norm > limit {
      for parameter in self { parameter.gradient = parameter.gradient.map { $0 * (limit / norm) } }
    }
    return norm
  }

  /// Bounds every element of all gradients by -limit and limit.
  public func clipGradients(toValue limit: Double) {
    require(limit > 0, "clipGradients takes a bound above 0, not \(limit)")
    for parameter in self { parameter.gradient = parameter.gradient.map { $0.clamped(to: -limit...limit) } }
  }
}
