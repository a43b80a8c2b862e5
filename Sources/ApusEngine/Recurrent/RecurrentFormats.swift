/// How others keep a recurrence's weights; raw values are the C header's, which describes each.
public enum RecurrentFormat: Int32, CaseIterable, Sendable {
  case onnx = 1
  case oneDNN = 2
  case keras = 3
  case cuDNN = 4

  /// For each of the engine's gates in order, its place in the format.
  func gatePlaces(_ cell: RecurrentCell) -> [Int] {
    switch (self, cell) {
    case (_, .tanh), (_, .relu): [0]
    // i o f c.
    case (.onnx, .lstm): [0, 2, 3, 1]
    case (_, .lstm): [0, 1, 2, 3]
    case (.cuDNN, _): [0, 1, 2]
    // z r h.
    case (_, .gru), (_, .gruResetBefore): [1, 0, 2]
    }
  }

  /// Whether weights are (columns, rows) rather than (rows, columns).
  var isTransposed: Bool { self == .oneDNN || self == .keras }

  /// Rows of H numbers in the bias.
  public func biasRows(_ cell: RecurrentCell) -> Int {
    switch self {
    case .onnx, .cuDNN: 2 * cell.gates
    case .oneDNN: cell == .gru ? 4 : cell.gates
    case .keras: cell == .gru ? 6 : cell.gates
    }
  }

  var hasProjection: Bool { self == .oneDNN || self == .cuDNN }
  /// For i, f and o, their rows; nil where the format has no peepholes.
  var peepholePlaces: [Int]? {
    switch self {
    case .onnx: [0, 2, 1]
    case .oneDNN: [0, 1, 2]
    case .keras, .cuDNN: nil
    }
  }
}

/// One recurrence's weights in another format.
public struct RecurrentForeignWeights {
  /// The format of all of them.
  public var format: RecurrentFormat
  /// The input's weights.
  public var input: UnsafeMutableRawPointer?
  /// The recurrent weights.
  public var recurrent: UnsafeMutableRawPointer?
  /// All biases.
  public var bias: UnsafeMutableRawPointer?
  /// The projection.
  public var projection: UnsafeMutableRawPointer?
  /// The peepholes.
  public var peephole: UnsafeMutableRawPointer?

  /// No data.
  public init(format: RecurrentFormat) { self.format = format }
}

extension RecurrentDescriptor {
  /// Copies one recurrence's weights from another format into the parameters. Allocates small tables. Throws
  /// `.invalidArgument` for nil where the descriptor has a tensor and for a recurrence that there is not, `.unsupported`
  /// for what the format lacks; nothing is written then.
  public func importWeights(
    _ foreign: RecurrentForeignWeights, layer: Int, direction: Int, into parameters: UnsafeMutableRawPointer?
  ) throws(ApusError) {
    try convert(foreign, layer, direction, parameters, imports: true)
  }

  /// The other way.
  public func exportWeights(
    _ parameters: UnsafeRawPointer?, layer: Int, direction: Int, into foreign: RecurrentForeignWeights
  ) throws(ApusError) {
    try convert(foreign, layer, direction, parameters.map { UnsafeMutableRawPointer(mutating: $0) }, imports: false)
  }

  /// Throws for a layer or direction that there is not.
  public func checkRecurrence(layer: Int, direction: Int) throws(ApusError) {
    if layer < 0 || layer >= layers { throw .invalid("layer", layer, "it must be 0 to \(layers - 1)") }
    if direction < 0 || direction >= directions {
      throw .invalid("direction", direction, "it must be 0 to \(directions - 1)")
    }
  }

  private func convert(
    _ foreign: RecurrentForeignWeights, _ layer: Int, _ direction: Int, _ parameters: UnsafeMutableRawPointer?,
    imports: Bool
  ) throws(ApusError) {
    try validate()
    try checkRecurrence(layer: layer, direction: direction)
    guard let parameters else {
      throw .invalid("parameters", "NULL", "it has \(try parameterCount()) elements")
    }
    let format = foreign.format
    if projection > 0 && !format.hasProjection {
      throw ApusError(.unsupported, "projection is \(projection), but format \(format) has none")
    }
    if hasPeepholes && format.peepholePlaces == nil {
      throw ApusError(.unsupported, "flags has PEEPHOLES, but format \(format) has none")
    }
    for (name, pointer, isNeeded) in [
      ("input", foreign.input, true), ("recurrent", foreign.recurrent, true), ("bias", foreign.bias, biases > 0),
      ("projection", foreign.projection, projection > 0), ("peephole", foreign.peephole, hasPeepholes),
    ] where isNeeded && pointer == nil {
      throw .invalid("weights.\(name)", "NULL", "the description has it")
    }
    if dataType == .float32 {
      try RecurrentConversion<Float>(self, layer, direction, foreign, parameters, imports).run()
    } else {
      try RecurrentConversion<Double>(self, layer, direction, foreign, parameters, imports).run()
    }
  }
}

/// One conversion, either way, of checked pointers.
private struct RecurrentConversion<T: BinaryFloatingPoint> {
  let d: RecurrentDescriptor
  let layer: Int
  let direction: Int
  let foreign: RecurrentForeignWeights
  let parameters: UnsafeMutableRawPointer
  let imports: Bool

  init(
    _ d: RecurrentDescriptor, _ layer: Int, _ direction: Int, _ foreign: RecurrentForeignWeights,
    _ parameters: UnsafeMutableRawPointer, _ imports: Bool
  ) {
    self.d = d
    self.layer = layer
    self.direction = direction
    self.foreign = foreign
    self.parameters = parameters
    self.imports = imports
  }

  private func own(_ which: RecurrentParameter) -> UnsafeMutablePointer<T>? {
    d.parameter(which, layer: layer, direction: direction).map {
      parameters.assumingMemoryBound(to: T.self) + $0.offset
    }
  }

  func run() throws(ApusError) {
    let places = foreign.format.gatePlaces(d.cell)
    try convertBiases(places)
    convertMatrix(.inputWeights, foreign.input, columns: d.layerInput(layer), places)
    convertMatrix(.recurrentWeights, foreign.recurrent, columns: d.state, places)
    if let mine = own(.projection), let theirs = foreign.projection?.assumingMemoryBound(to: T.self) {
      let isTransposed = foreign.format.isTransposed
      for p in 0..<d.projection {
        for h in 0..<d.hidden {
          move(mine + (p * d.hidden + h), theirs + (isTransposed ? h * d.projection + p : p * d.hidden + h))
        }
      }
    }
    if let mine = own(.peepholes), let theirs = foreign.peephole?.assumingMemoryBound(to: T.self),
      let rows = foreign.format.peepholePlaces
    {
      for row in 0..<3 {
        for h in 0..<d.hidden { move(mine + (row * d.hidden + h), theirs + (rows[row] * d.hidden + h)) }
      }
    }
  }

  private func move(_ mine: UnsafeMutablePointer<T>, _ theirs: UnsafeMutablePointer<T>) {
    if imports { mine.pointee = theirs.pointee } else { theirs.pointee = mine.pointee }
  }

  private func convertMatrix(
    _ which: RecurrentParameter, _ theirs: UnsafeMutableRawPointer?, columns: Int, _ places: [Int]
  ) {
    guard let mine = own(which), let theirs = theirs?.assumingMemoryBound(to: T.self) else { return }
    let rows = d.gateRows
    let isTransposed = foreign.format.isTransposed
    for (gate, place) in places.enumerated() {
      for h in 0..<d.hidden {
        let from = gate * d.hidden + h
        let to = place * d.hidden + h
        for column in 0..<columns {
          move(mine + (from * columns + column), theirs + (isTransposed ? column * rows + to : to * columns + column))
        }
      }
    }
  }

  private func convertBiases(_ places: [Int]) throws(ApusError) {
    guard let first = own(.inputBias), let theirs = foreign.bias?.assumingMemoryBound(to: T.self) else { return }
    let second = own(.recurrentBias)
    let h = d.hidden
    let rows = foreign.format.biasRows(d.cell)
    /// Where the second bias of a gate lies; nil: the format adds it to the first.
    func secondRow(_ place: Int) -> Int? {
      if rows == 2 * d.cell.gates { return d.cell.gates + place }
      return foreign.format == .oneDNN && d.cell == .gru && place == 2 ? 3 : nil
    }
    if imports && second == nil && d.cell == .gru, let row = secondRow(2) {
      for unit in 0..<h where theirs[row * h + unit] != 0 {
        throw .invalid(
          "weights.bias[\(row * h + unit)]", "\(theirs[row * h + unit])",
          "with biases = 1 the recurrent bias of a GRU's last gate must be 0, because the reset stands between the two")
      }
    }
    for (gate, place) in places.enumerated() {
      let row = secondRow(place)
      for unit in 0..<h {
        let mine = gate * h + unit
        let other = place * h + unit
        if imports {
          let extra = row.map { theirs[$0 * h + unit] } ?? 0
          first[mine] = theirs[other] + (second == nil ? extra : 0)
          if let second { second[mine] = extra }
        } else if let row {
          theirs[other] = first[mine]
          theirs[row * h + unit] = second?[mine] ?? 0
        } else {
          theirs[other] = first[mine] + (second?[mine] ?? 0)
        }
      }
    }
  }
}
