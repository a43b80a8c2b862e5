/// A part of a parameter that has a name of its own in saved files.
struct StatePart {
  var name: String
  var range: Range<Int>
  var shape: [Int]
}

/// A layer one of whose parameters holds several tensors, which are saved each by itself.
protocol PartitionedState: Module {
  /// The name of the parameter, and its parts in their order.
  var partition: (name: String, parts: [StatePart]) { get }
}

extension Module {
  /// Parameters and buffers by name, to be saved. Recurrent layers name each tensor of each layer as PyTorch does:
  /// "weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0", with "_reverse" of the other direction.
  public var state: [String: Tensor] {
    var state: [String: Tensor] = [:]
    forEachPlace { name, whole, part in
      let value = whole.read()
      state[name] = part.map { value.sliced($0.range).reshaped($0.shape) } ?? value
    }
    return state
  }

  /// Takes parameters and buffers over from what ``state`` gave, or another program's file.
  ///
  /// - Parameters:
  ///   - state: Tensors by name.
  ///   - renaming: The model's name of a name in the state; nil leaves it out. ``pyTorchName(_:)`` knows PyTorch's.
  /// - Throws: `mismatch` where a name is missing, is too many, or has another shape or type. Nothing has been changed then.
  public func load(_ state: [String: Tensor], renaming: (String) -> String? = { $0 }) throws(ApusError) {
    var given: [String: Tensor] = [:]
    for (name, value) in state {
      guard let own = renaming(name) else { continue }
      if given.updateValue(value, forKey: own) != nil {
        throw ApusError(.mismatch, "\(own) has two tensors in the state, of which \(name) is one")
      }
    }
    try check(given)
    forEachPlace { name, whole, part in
      guard let value = given[name] else { return }
      if let part {
        whole.write { $0[part.range] = value.detached().reshaped([-1]) }
      } else {
        whole.write { $0 = value }
      }
    }
  }

  /// Throws what `load` throws, and loads nothing.
  func check(_ given: [String: Tensor]) throws(ApusError) {
    let expected = self.state
    for (name, own) in expected {
      guard let value = given[name] else { throw ApusError(.mismatch, "\(name) is missing in the state") }
      if value.shape != own.shape || value.dtype != own.dtype {
        throw ApusError(
          .mismatch, "\(name) is \(value.dtype) \(value.shape), but the model has \(own.dtype) \(own.shape)")
      }
    }
    for name in given.keys where expected[name] == nil {
      throw ApusError(.mismatch, "\(name) is in the state, but not in the model")
    }
  }

  /// Calls `visit` with each place that is saved: what holds it, and where in it, or nil for all of it. What is used twice
  /// comes once.
  private func forEachPlace(_ visit: (_ name: String, _ whole: StatePlace, _ part: StatePart?) -> Void) {
    var parts: [ObjectIdentifier: (prefix: String, parts: [StatePart])] = [:]
    func note(_ layer: any PartitionedState, _ prefix: String) {
      let (name, list) = layer.partition
      for (member, value) in layer.members where member == name {
        if let parameter = value as? Parameter { parts[ObjectIdentifier(parameter)] = (prefix, list) }
      }
    }
    if let own = self as? any PartitionedState { note(own, "") }
    forEachMember { name, value in
      if let layer = value as? any PartitionedState { note(layer, name + ".") }
    }
    for (name, parameter) in namedParameters {
      if let (prefix, list) = parts[ObjectIdentifier(parameter)] {
        for part in list { visit(prefix + part.name, .parameter(parameter), part) }
      } else {
        visit(name, .parameter(parameter), nil)
      }
    }
    for (name, buffer) in namedBuffers { visit(name, .buffer(buffer), nil) }
  }
}

/// What holds numbers that are saved.
private enum StatePlace {
  case parameter(Parameter)
  case buffer(Buffer)

  func read() -> Tensor {
    switch self {
    case .parameter(let parameter): parameter.value.detached()
    case .buffer(let buffer): buffer.value
    }
  }

  func write(_ change: (inout Tensor) -> Void) {
    switch self {
    case .parameter(let parameter):
      var value = parameter.value.detached()
      change(&value)
      parameter.value = value
    case .buffer(let buffer): change(&buffer.value)
    }
  }
}

/// The name that this library has for one of a PyTorch `state_dict`: batch normalisation's statistics are spelled otherwise,
/// and the count of its batches is left out. For ``Module/load(_:renaming:)``.
public func pyTorchName(_ name: String) -> String? {
  for (theirs, ours) in [("running_mean", "runningMean"), ("running_var", "runningVariance")]
  where name == theirs || name.hasSuffix("." + theirs) {
    return name.dropLast(theirs.count) + ours
  }
  return name == "num_batches_tracked" || name.hasSuffix(".num_batches_tracked") ? nil : name
}
