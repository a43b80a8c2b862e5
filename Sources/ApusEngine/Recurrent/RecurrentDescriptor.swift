/// Which recurrent unit; raw values are the C header's, which defines each.
public enum RecurrentCell: Int32, CaseIterable, Sendable {
  case tanh = 0
  case relu = 1
  /// Long short-term memory: gates i, f, g, o.
  case lstm = 2
  /// Gated recurrent unit, reset after the recurrent product: gates r, z, n.
  case gru = 3
  /// Gated recurrent unit, reset before the recurrent product: gates r, z, n.
  case gruResetBefore = 4

  /// As problem strings call it.
  public var name: String {
    switch self {
    case .tanh: "rnn"
    case .relu: "rnnrelu"
    case .lstm: "lstm"
    case .gru: "gru"
    case .gruResetBefore: "gruv1"
    }
  }

  /// Rows of weights for each unit.
  public var gates: Int {
    switch self {
    case .tanh, .relu: 1
    case .lstm: 4
    case .gru, .gruResetBefore: 3
    }
  }

  /// Numbers of each unit and step that the cell's phases hold beside the states.
  var gateColumns: Int { self == .tanh || self == .relu ? 1 : 4 }
  var isGated: Bool { self == .gru || self == .gruResetBefore }
}

/// In which order a layer takes the steps; raw values are the C header's.
public enum RecurrentDirection: Int32, CaseIterable, Sendable {
  case forward = 0
  case reverse = 1
  /// Both, their outputs side by side: forward's first.
  case bidirectionalConcatenated = 2
  /// Both, their outputs added.
  case bidirectionalSummed = 3

  /// Independent recurrences in a layer.
  public var count: Int { rawValue >= 2 ? 2 : 1 }
  /// Whether recurrence `index` of a layer runs from the last step to the first.
  func isReverse(_ index: Int) -> Bool { self == .reverse || index == 1 }
}

/// What a plan keeps; raw values are the C header's.
public enum RecurrentMode: Int32, CaseIterable, Sendable {
  /// Forward alone; nothing is saved.
  case inference = 0
  /// Forward saves what backward needs in a workspace.
  case training = 1
}

/// One of the tensors that make up a recurrence's parameters; raw values are the C header's.
public enum RecurrentParameter: Int32, CaseIterable, Sendable {
  /// gates * hidden rows of the layer's input size.
  case inputWeights = 0
  /// gates * hidden rows of the state's size.
  case recurrentWeights = 1
  /// gates * hidden numbers.
  case inputBias = 2
  /// gates * hidden numbers.
  case recurrentBias = 3
  /// projection rows of hidden numbers.
  case projection = 4
  /// Three rows of hidden numbers: i, f, o.
  case peepholes = 5
}

/// A stack of recurrent layers over sequences. Nothing is checked before a plan is made.
public struct RecurrentDescriptor: Sendable, Equatable {
  /// Of every tensor: float32 or float64.
  public var dataType: DataType
  /// The unit of every layer.
  public var cell: RecurrentCell
  /// Order of the steps in every layer.
  public var direction = RecurrentDirection.forward
  /// 0: none; 1: one number for each row of the input weights; 2: another for each row of the recurrent weights.
  public var biases = 2
  /// Each takes the outputs of the one before.
  public var layers = 1
  /// Time steps, T.
  public var steps: Int
  /// Sequences, B; 0 leaves nothing to do.
  public var batch: Int
  /// Numbers of each step of x, I.
  public var input: Int
  /// Units of each recurrence, H.
  public var hidden: Int
  /// LSTM: h is projected to so many numbers; 0: it is not.
  public var projection = 0
  /// LSTM: c stays within -clip...clip; 0: it is free.
  public var cellClip = 0.0
  /// LSTM: gates see c.
  public var hasPeepholes = false
  /// x, y and their gradients are (B, T, size) rather than (T, B, size).
  public var isBatchMajor = false

  /// One layer forward, time-major, with two biases.
  public init(dataType: DataType, cell: RecurrentCell, steps: Int, batch: Int, input: Int, hidden: Int) {
    self.dataType = dataType
    self.cell = cell
    self.steps = steps
    self.batch = batch
    self.input = input
    self.hidden = hidden
  }

  /// Recurrences of a layer: 1 or 2.
  public var directions: Int { direction.count }
  /// Numbers of a state h.
  public var state: Int { projection > 0 ? projection : hidden }
  /// Numbers of each step of y.
  public var output: Int { direction == .bidirectionalConcatenated ? 2 * state : state }
  /// Numbers of each step that a layer takes.
  public func layerInput(_ layer: Int) -> Int { layer == 0 ? input : output }
  var gateRows: Int { cell.gates * hidden }

  /// Rows, columns and place, in elements, of a tensor among the parameters, which lie one after the other: layer by layer,
  /// direction by direction, in `RecurrentParameter`'s order. nil where the descriptor has none.
  public func parameter(
    _ which: RecurrentParameter, layer: Int, direction: Int
  ) -> (offset: Int, rows: Int, columns: Int)? {
    var offset = parametersBefore(layer: layer) + direction * parametersOfRecurrence(layer: layer)
    for other in RecurrentParameter.allCases {
      let (rows, columns) = shape(other, layer: layer)
      if other == which { return rows == 0 ? nil : (offset, rows, columns) }
      offset += rows * columns
    }
    return nil
  }

  /// Elements of all parameters.
  public func parameterCount() throws(ApusError) -> Int {
    try validate()
    return parametersBefore(layer: layers)
  }

  private func parametersBefore(layer: Int) -> Int {
    layer == 0
      ? 0
      : directions * (parametersOfRecurrence(layer: 0) + (layer - 1) * parametersOfRecurrence(layer: 1))
  }

  private func parametersOfRecurrence(layer: Int) -> Int {
    RecurrentParameter.allCases.reduce(0) {
      let (rows, columns) = shape($1, layer: layer)
      return $0 + rows * columns
    }
  }

  private func shape(_ which: RecurrentParameter, layer: Int) -> (rows: Int, columns: Int) {
    switch which {
    case .inputWeights: (gateRows, layerInput(layer))
    case .recurrentWeights: (gateRows, state)
    case .inputBias: (biases > 0 ? gateRows : 0, 1)
    case .recurrentBias: (biases > 1 ? gateRows : 0, 1)
    case .projection: (projection, hidden)
    case .peepholes: (hasPeepholes ? 3 : 0, hidden)
    }
  }

  /// The shape as kbench takes it: "lstm:T=25,B=16,I=512,H=512,L=1".
  public var problemString: String {
    var text = "\(cell.name):T=\(steps),B=\(batch),I=\(input),H=\(hidden),L=\(layers)"
    if projection > 0 { text += ",P=\(projection)" }
    switch direction {
    case .forward: break
    case .reverse: text += ":reverse"
    case .bidirectionalConcatenated: text += ":concat"
    case .bidirectionalSummed: text += ":sum"
    }
    if biases != 2 { text += ":bias\(biases)" }
    if hasPeepholes { text += ":peephole" }
    if cellClip > 0 { text += ":clip\(cellClip)" }
    if isBatchMajor { text += ":batchmajor" }
    return text
  }

  /// Throws the first rule that is broken, naming the argument as the C header does.
  func validate() throws(ApusError) {
    if dataType != .float32 && dataType != .float64 {
      throw ApusError(.unsupported, "dtype is \(dataType.name), but recurrent layers have float32 and float64")
    }
    let most = Int(Int32.max)
    for (name, value, least) in [
      ("layers", layers, 1), ("steps", steps, 1), ("batch", batch, 0), ("input", input, 1), ("hidden", hidden, 1),
      ("projection", projection, 0),
    ] where value < least || value > most {
      throw .invalid(name, value, "it must be \(least) to \(most)")
    }
    if biases < 0 || biases > 2 { throw .invalid("biases", biases, "it must be 0, 1 or 2") }
    if cell != .lstm {
      let rule = "only an LSTM has one, and the cell is \(cell.name)"
      if projection > 0 { throw .invalid("projection", projection, rule) }
      if hasPeepholes { throw .invalid("flags", "PEEPHOLES", rule) }
      if cellClip != 0 { throw .invalid("cell_clip", cellClip, rule) }
    }
    if projection >= hidden && projection > 0 {
      throw .invalid("projection", projection, "it must be less than hidden, \(hidden)")
    }
    if !(cellClip >= 0 && cellClip.isFinite) {
      throw .invalid("cell_clip", cellClip, "it must be 0 (none) or a positive finite number")
    }
    // With room for the padding of packed forms and of the rows of a workspace, and for all layers.
    let widest = CheckedSize(max(input, 2 * hidden)) + CheckedSize(128)
    let weights = widest * (4 * hidden + 256) * (8 * dataType.size) * layers
    if weights.overflowed {
      throw .invalid("hidden", hidden, "the bytes of \(layers) layers' weights must fit 60 bits")
    }
    let rows = (widest + CheckedSize(4 * hidden)) * max(1, batch) * (steps + 2) * (16 * dataType.size) * layers
    if rows.overflowed {
      throw .invalid("steps", steps, "the bytes of what \(batch) sequences and \(layers) layers keep must fit 59 bits")
    }
  }
}
