import ApusEngine

/// Random recurrent layers with every option.
public struct RecurrentSampler {
  /// The generator.
  public var random: Randomness
  /// Of all problems.
  public let type: DataType

  /// The same seed gives the same problems.
  public init(_ type: DataType, seed: UInt64) {
    self.type = type
    random = Randomness(seed: seed)
  }

  /// A valid problem with at most so many products of a forward run.
  public mutating func problem(products: Int = 60_000) -> RecurrentDescriptor {
    while true {
      let most = random.pick([5, 20, 20, 40, 90])
      let cell = random.pick(RecurrentCell.allCases)
      var d = RecurrentDescriptor(
        dataType: type, cell: cell, steps: random.int(1...7), batch: random.int(1...random.pick([2, 5, 20])),
        input: random.int(1...most), hidden: random.int(1...most))
      d.direction = random.pick(RecurrentDirection.allCases)
      d.biases = random.int(0...2)
      d.layers = random.pick([1, 1, 1, 2, 3])
      d.isBatchMajor = random.bool()
      if cell == .lstm {
        d.hasPeepholes = random.bool()
        if d.hidden > 1 && random.int(0...2) == 0 { d.projection = random.int(1...d.hidden - 1) }
        if random.int(0...3) == 0 { d.cellClip = 0.3 }
      }
      let recurrence = d.cell.gates * d.hidden * (max(d.input, d.output) + d.state) + d.projection * d.hidden
      if d.steps * d.batch * d.layers * d.directions * recurrence <= products { return d }
    }
  }
}
