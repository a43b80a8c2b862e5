import ApusEngine

/// Recurrent layers, as a problem string describes them.
public struct RnnProblem: Problem, Equatable {
  /// Everything but the mode.
  public var descriptor: RecurrentDescriptor
  /// Gradients are what is measured.
  public var isBackward = false
  /// Forward saves what backward needs.
  public var trains = false
  /// Weights are packed by each run.
  public var unpacked = false

  /// Type of the data.
  public var type: ElementType { descriptor.dataType == .float32 ? .float32 : .float64 }
  /// What the plan is made for.
  var mode: RecurrentMode { trains || isBackward ? .training : .inference }

  /// Reads a problem string; `type` is meant where it names none.
  public init(_ text: String, type: ElementType) throws(ProblemError) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    guard parts.count >= 2, let cell = RecurrentCell.allCases.first(where: { $0.name == parts[0] }) else {
      let names = RecurrentCell.allCases.map(\.name).joined(separator: ", ")
      throw ProblemError(text, "it must begin with one of \(names), a colon and the sizes")
    }
    let sizes = try Self.sizes(parts[1], in: text)
    guard let hidden = sizes["H"] else { throw ProblemError(text, "it lacks the units H") }
    descriptor = RecurrentDescriptor(
      dataType: type == .float32 ? .float32 : .float64, cell: cell, steps: sizes["T"] ?? 1, batch: sizes["B"] ?? 1,
      input: sizes["I"] ?? hidden, hidden: hidden)
    descriptor.layers = sizes["L"] ?? 1
    descriptor.projection = sizes["P"] ?? 0
    var seen: Set<String> = []
    for option in parts.dropFirst(2) {
      let subject = try apply(option, in: text)
      if !seen.insert(subject).inserted { throw ProblemError(text, "it says its \(subject) twice") }
    }
    // The way back needs what training saves: one word says both.
    if isBackward { trains = false }
    if descriptor.batch < 1 { throw ProblemError(text, "B must be at least 1") }
    do throws(ApusError) {
      _ = try descriptor.parameterCount()
    } catch {
      throw ProblemError(text, error.message)
    }
    if footprint > 0x1p50 { throw ProblemError(text, "its tensors take more than 2^50 bytes") }
  }

  private static func sizes(_ word: String, in text: String) throws(ProblemError) -> [String: Int] {
    var result: [String: Int] = [:]
    for item in word.split(separator: ",", omittingEmptySubsequences: false) {
      let pair = item.split(separator: "=", omittingEmptySubsequences: false).map(String.init)
      guard pair.count == 2, ["T", "B", "I", "H", "L", "P"].contains(pair[0]), pair[1].allSatisfy(\.isNumber),
        let value = Int(pair[1])
      else { throw ProblemError(text, "'\(item)' is no size: T B I H L P, an equals sign and a number") }
      if result.updateValue(value, forKey: pair[0]) != nil { throw ProblemError(text, "it says its \(pair[0]) twice") }
    }
    return result
  }

  /// Takes a word behind the sizes; what it is about.
  private mutating func apply(_ option: String, in text: String) throws(ProblemError) -> String {
    switch option {
    case "forward", "backward":
      isBackward = option == "backward"
      return "direction"
    case "train":
      trains = true
      return "mode"
    case "reverse", "concat", "sum":
      descriptor.direction =
        option == "reverse" ? .reverse : option == "concat" ? .bidirectionalConcatenated : .bidirectionalSummed
      return "order"
    case "bias0", "bias1", "bias2":
      descriptor.biases = option == "bias0" ? 0 : option == "bias1" ? 1 : 2
      return "biases"
    case "peephole":
      descriptor.hasPeepholes = true
      return "peepholes"
    case "batchmajor":
      descriptor.isBatchMajor = true
      return "layout"
    case "unpacked":
      unpacked = true
      return "packing"
    case "f32", "f64":
      descriptor.dataType = option == "f32" ? .float32 : .float64
      return "type"
    case _ where option.hasPrefix("clip"):
      guard let bound = Double(option.dropFirst(4)), bound > 0, bound.isFinite else {
        throw ProblemError(text, "'\(option)' is no clip with a positive number")
      }
      descriptor.cellClip = bound
      return "clip"
    default:
      throw ProblemError(
        text,
        "'\(option)' is none of forward backward train reverse concat sum bias0 bias1 bias2 peephole clipX batchmajor "
          + "unpacked f32 f64")
    }
  }

  /// The problem string that gives this problem again.
  public var text: String {
    var text = descriptor.problemString
    if trains { text += ":train" }
    if isBackward { text += ":backward" }
    if unpacked { text += ":unpacked" }
    if type == .float64 { text += ":f64" }
    return text
  }

  /// Cell, direction, mode and sizes.
  public var settings: Record {
    var record = Record()
    record["cell"] = .text(descriptor.cell.name)
    record["direction"] = .text(isBackward ? "backward" : "forward")
    record["mode"] = .text(mode == .training ? "training" : "inference")
    record["steps"] = .integer(descriptor.steps)
    record["batch"] = .integer(descriptor.batch)
    record["input"] = .integer(descriptor.input)
    record["hidden"] = .integer(descriptor.hidden)
    record["layers"] = .integer(descriptor.layers)
    return record
  }

  /// Elements of all parameters; a problem that could be read has a number of them.
  var parameterCount: Int { (try? descriptor.parameterCount()) ?? 0 }
  var rows: Int { descriptor.steps * descriptor.batch }
  var recurrences: Int { descriptor.layers * descriptor.directions * descriptor.batch }

  /// Of the products; twice forward's backward.
  public var flops: Double {
    let d = descriptor
    func recurrence(_ layer: Int) -> Double {
      Double(d.cell.gates * d.hidden) * Double(d.layerInput(layer) + d.state) + Double(d.projection) * Double(d.hidden)
    }
    let perRow = Double(d.directions) * (recurrence(0) + Double(d.layers - 1) * recurrence(1))
    return 2 * Double(rows) * perRow * (isBackward ? 2 : 1)
  }

  /// The recurrent weights once a step, because each step waits for the one before; input weights, x and y once. Backward
  /// also the gradients.
  public var traffic: Traffic {
    let d = descriptor
    let size = Double(type.size)
    var recurrent = 0.0
    for layer in 0..<min(2, d.layers) {
      let times = layer == 0 ? 1.0 : Double(d.layers - 1)
      for which in [RecurrentParameter.recurrentWeights, .projection] {
        guard let place = d.parameter(which, layer: layer, direction: 0) else { continue }
        recurrent += times * Double(d.directions) * Double(place.rows) * Double(place.columns)
      }
    }
    let weights = Double(parameterCount)
    let data = Double(rows) * Double(d.input)
    let outputs = Double(rows) * Double(d.output)
    let read = weights + recurrent * Double(d.steps - 1) + data
    return isBackward
      ? Traffic(read: size * (read + outputs), written: size * (weights + data))
      : Traffic(read: size * read, written: size * outputs)
  }

  /// Tensors, what training saves, and the reference's doubles.
  public var footprint: Double {
    let d = descriptor
    let units = Double(rows) * Double(d.layers) * Double(d.directions) * Double(8 * d.hidden)
    let tensors = 3 * Double(parameterCount) + 2 * Double(rows) * Double(d.input + d.output)
    return Double(type.size) * (tensors + units) + 8 * (2 * Double(parameterCount) + units)
  }

  /// Tensors and a plan.
  public func makeCase(context: ExecutionContext) throws -> any Case { try RnnCase(self, context: context) }

  /// The same with oneDNN.
  public func makePeerCase(_ library: LoadedLibrary) throws -> any Case {
    try OneDNNRnnCase(self, library: library)
  }
}
