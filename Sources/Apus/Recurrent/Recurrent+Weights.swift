internal import ApusEngine

/// Where a tensor lies among a plan's parameters.
public struct RecurrentTensorPlace: Sendable, Hashable {
  /// Its elements.
  public let range: Range<Int>
  /// Rows, one after the other.
  public let rows: Int
  /// Numbers of a row; 1 of a bias.
  public let columns: Int
}

/// One recurrence's weights as another library keeps them.
public struct RecurrentWeights<Scalar: GemmScalar>: Sendable, Equatable {
  /// The format of all of them.
  public let format: RecurrentFormat
  /// The input's weights.
  public var input: [Scalar] = []
  /// The recurrent weights.
  public var recurrent: [Scalar] = []
  /// All biases; empty where there are none.
  public var bias: [Scalar] = []
  /// The projection; empty where there is none.
  public var projection: [Scalar] = []
  /// The peepholes; empty where there are none.
  public var peepholes: [Scalar] = []

  /// No numbers.
  public init(_ format: RecurrentFormat) { self.format = format }
}

extension Recurrent {
  /// Where a tensor of a recurrence lies; nil where the plan has none.
  ///
  /// - Throws: `invalidArgument` for a layer or direction that the plan has not.
  public func place(
    of parameter: RecurrentParameter, layer: Int = 0, direction: Int = 0
  ) throws(ApusError) -> RecurrentTensorPlace? {
    try translatingErrors { () throws(ApusEngine.ApusError) in
      try plan.descriptor.checkRecurrence(layer: layer, direction: direction)
    }
    return plan.descriptor.parameter(parameter.engine, layer: layer, direction: direction).map {
      RecurrentTensorPlace(range: $0.offset..<$0.offset + $0.rows * $0.columns, rows: $0.rows, columns: $0.columns)
    }
  }

  /// Packs all parameters.
  ///
  /// - Parameters:
  ///   - parameters: ``parameterCount`` numbers: a span, an array or an unsafe buffer.
  ///   - context: As for a run.
  /// - Throws: `invalidArgument` for packed or too few numbers; `outOfMemory`.
  public func makePackedWeights<W: GemmOperand & ~Escapable>(
    from parameters: W, context: Context? = nil
  ) throws(ApusError) -> PackedRecurrentWeights<Scalar> where W.Scalar == Scalar {
    let packed = try PackedRecurrentWeights<Scalar>(bytes: plan.packedBytes, instructionSet: instructionSet)
    let engine = try Context.resolve(context)
    try parameters.withGemmOperand { view throws(ApusError) in
      if view.isPacked { throw .invalid("parameters are packed already") }
      try check("parameters", view.count, parameterCount)
      try translatingErrors { () throws(ApusEngine.ApusError) in
        try plan.pack(view.base, into: packed.memory, capacity: packed.byteCount, context: engine)
      }
    }
    return packed
  }

  func check(_ name: String, _ count: Int, _ needed: Int) throws(ApusError) {
    if count < needed { throw .invalid("\(name) has \(count) elements, but the plan takes \(needed)") }
  }

  /// Elements of a format's arrays.
  private func counts(
    _ format: RecurrentFormat, _ layer: Int
  ) -> (input: Int, recurrent: Int, bias: Int, projection: Int, peepholes: Int) {
    let d = plan.descriptor
    let rows = d.cell.gates * d.hidden
    return (
      rows * d.layerInput(layer), rows * d.state,
      d.biases > 0 ? format.engine.biasRows(d.cell) * d.hidden : 0, d.projection * d.hidden,
      d.hasPeepholes ? 3 * d.hidden : 0
    )
  }

  /// Copies one recurrence's weights from another format into the parameters; nothing else of them is written.
  ///
  /// Where the format has one bias and the plan two, the second becomes zero. Where the format has two and the plan one,
  /// they are added, of a ``RecurrentCell/gru`` only if the second one of its last gate is zero.
  ///
  /// - Throws: `invalidArgument` for arrays that are too short, a layer or direction that the plan has not; `unsupported`
  ///   for a projection or peepholes in a format that has none. Nothing has been written then.
  public func importWeights(
    _ weights: RecurrentWeights<Scalar>, layer: Int = 0, direction: Int = 0, into parameters: inout [Scalar]
  ) throws(ApusError) {
    let needed = counts(weights.format, layer)
    try check("parameters", parameters.count, parameterCount)
    try check("input", weights.input.count, needed.input)
    try check("recurrent", weights.recurrent.count, needed.recurrent)
    try check("bias", weights.bias.count, needed.bias)
    if weights.format == .oneDNN || weights.format == .cuDNN {
      try check("projection", weights.projection.count, needed.projection)
    }
    if weights.format == .onnx || weights.format == .oneDNN {
      try check("peepholes", weights.peepholes.count, needed.peepholes)
    }
    var copy = weights
    let descriptor = plan.descriptor
    // An array's memory is valid inside of the closure alone.
    let error = parameters.withUnsafeMutableBufferPointer { parameters in
      copy.withForeign { foreign in
        Self.caught { () throws(ApusEngine.ApusError) in
          try descriptor.importWeights(
            foreign, layer: layer, direction: direction, into: UnsafeMutableRawPointer(parameters.baseAddress))
        }
      }
    }
    if let error { throw error }
  }

  /// One recurrence's weights in another format. Where the format has one bias and the plan two, it is their sum; where
  /// the format has two and the plan one, the second is zero.
  ///
  /// - Throws: As ``importWeights(_:layer:direction:into:)``.
  public func exportWeights(
    _ parameters: Span<Scalar>, layer: Int = 0, direction: Int = 0, to format: RecurrentFormat
  ) throws(ApusError) -> RecurrentWeights<Scalar> {
    try check("parameters", parameters.count, parameterCount)
    let needed = counts(format, max(0, layer))
    var result = RecurrentWeights<Scalar>(format)
    result.input = [Scalar](repeating: 0, count: needed.input)
    result.recurrent = [Scalar](repeating: 0, count: needed.recurrent)
    result.bias = [Scalar](repeating: 0, count: needed.bias)
    result.projection = [Scalar](repeating: 0, count: needed.projection)
    result.peepholes = [Scalar](repeating: 0, count: needed.peepholes)
    let descriptor = plan.descriptor
    let error = parameters.withUnsafeBufferPointer { parameters in
      result.withForeign { foreign in
        Self.caught { () throws(ApusEngine.ApusError) in
          try descriptor.exportWeights(
            UnsafeRawPointer(parameters.baseAddress), layer: layer, direction: direction, into: foreign)
        }
      }
    }
    if let error { throw error }
    return result
  }

  /// Errors as values: the closures that lend an array's memory pass no typed ones.
  private static func caught(_ body: () throws(ApusEngine.ApusError) -> Void) -> ApusError? {
    do throws(ApusEngine.ApusError) {
      try body()
      return nil
    } catch {
      return ApusError(error)
    }
  }
}

extension RecurrentWeights {
  /// The arrays' memory, valid until `body` returns.
  fileprivate mutating func withForeign(_ body: (RecurrentForeignWeights) -> ApusError?) -> ApusError? {
    var foreign = RecurrentForeignWeights(format: format.engine)
    return input.withUnsafeMutableBytes { input in
      recurrent.withUnsafeMutableBytes { recurrent in
        bias.withUnsafeMutableBytes { bias in
          projection.withUnsafeMutableBytes { projection in
            peepholes.withUnsafeMutableBytes { peepholes in
              foreign.input = input.baseAddress
              foreign.recurrent = recurrent.baseAddress
              foreign.bias = bias.baseAddress
              foreign.projection = projection.baseAddress
              foreign.peephole = peepholes.baseAddress
              return body(foreign)
            }
          }
        }
      }
    }
  }
}
