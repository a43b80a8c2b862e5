import Synchronization

/// What the layers of a run have given, in the order of their calls.
final class LayerTrace: Sendable {
  struct Call: Sendable {
    var layer: ObjectIdentifier
    var type: String
    var shape: [Int]
    var parameters: Int
  }

  /// Set for the length of ``Module/summary(inputShape:dtype:)``.
  @TaskLocal static var current: LayerTrace?
  let calls = Mutex<[Call]>([])
}

extension Module {
  /// A layer's result on its way out: a summary that is being made hears of it. Layers of your own may pass theirs through
  /// this to have a line.
  public func reported(_ y: Tensor) -> Tensor {
    if let trace = LayerTrace.current {
      let call = LayerTrace.Call(
        layer: ObjectIdentifier(self), type: "\(type(of: self))", shape: y.shape, parameters: parameterCount)
      trace.calls.withLock { $0.append(call) }
    }
    return y
  }

  /// A table of the layers as a batch goes through them: name and type, output shape, parameters; and the sums of all
  /// parameters.
  ///
  /// - Parameters:
  ///   - inputShape: The shape of an input, with its batch.
  ///   - dtype: Its type.
  public func summary(inputShape: [Int], dtype: DataType = .float32) -> String {
    let trace = LayerTrace()
    evaluating {
      LayerTrace.$current.withValue(trace) { _ = withoutGradients { self(Tensor.zeros(inputShape, dtype: dtype)) } }
    }
    var names: [ObjectIdentifier: String] = [:]
    forEachMember { name, value in
      if let module = value as? any Module { names[ObjectIdentifier(module)] = name }
    }
    var rows = [["Layer (type)", "Output shape", "Parameters"]]
    for call in trace.calls.withLock({ $0 }) {
      let name = names[call.layer].map { "\($0) " } ?? ""
      rows.append(["\(name)(\(call.type))", "\(call.shape)", "\(call.parameters)"])
    }
    let widths = (0..<3).map { column in rows.map { $0[column].count }.max() ?? 0 }
    let line = String(repeating: "-", count: widths.reduce(4, +))
    let table = rows.map { row in
      zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }.joined(separator: "  ").trimmedRight
    }
    let trainable = trainableParameters.reduce(0) { $0 + $1.count }
    return
      ([table[0], line] + table.dropFirst() + [
        line, "Parameters: \(parameterCount), of which trainable: \(trainable)",
      ]).joined(separator: "\n")
  }
}

extension String {
  fileprivate var trimmedRight: String {
    var text = self[...]
    while text.last == " " { text.removeLast() }
    return String(text)
  }
}
