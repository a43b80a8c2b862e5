import ApusKernelInterface

/// Places in one area of memory, each aligned to a cache line.
struct AreaLayout {
  private(set) var bytes = 0

  /// Room for `count` bytes; where it begins.
  mutating func add(_ count: Int) -> Int {
    let place = bytes
    bytes += count.roundedUp(to: Memory.alignment)
    return place
  }
}

/// Distances that all of a plan's buffers share, in elements.
struct RecurrentPitches {
  /// Of h, both directions' side by side.
  let h: Int
  /// Of c, likewise.
  let c: Int
  /// Of the gates of one recurrence.
  let gates: Int
  /// Of r * h, or of what is projected.
  let product: Int
  /// Of one recurrence's state.
  let state: Int

  init(_ d: RecurrentDescriptor) {
    let lane = Memory.alignment / d.dataType.size
    // An odd number of lines: rows whose distance is a power of two would meet in a few sets of the first-level cache.
    func pitch(_ elements: Int) -> Int { (elements.dividedRoundingUp(by: lane) | 1) * lane }
    h = pitch(d.directions * d.state)
    c = pitch(d.directions * d.hidden)
    gates = pitch(d.cell.gateColumns * d.hidden)
    product = pitch(d.hidden)
    state = pitch(d.state)
  }
}

/// One phase's product: which rows of the recurrent weights (or of the projection) it takes, and in which form.
struct RecurrentProduct {
  /// Gates side by side in a panel.
  let gates: Int
  /// Vectors of a unit block.
  let blockVectors: Int
  /// Columns of each gate.
  let units: Int
  /// Length of the sums.
  let k: Int
  let lanes: Int

  /// Blocks so wide that a panel has four vectors, or six where there are three gates.
  init(gates: Int, units: Int, k: Int, lanes: Int) {
    self.gates = gates
    self.units = units
    self.k = k
    self.lanes = lanes
    blockVectors = gates == 3 ? 2 : 4 / gates
  }

  var blocks: Int { units.dividedRoundingUp(by: blockVectors * lanes) }
  var panelWidth: Int { gates * blockVectors * lanes }
  var panelStride: Int { k * panelWidth }
  var elements: Int { blocks * panelStride }

  func phase(_ finish: RecurrentFinish, rows: BalancedSplit) -> RecurrentPhase {
    var phase = RecurrentPhase(finish: finish, rows: rows)
    phase.k = k
    phase.panelStride = panelStride
    phase.gates = gates
    phase.blockVectors = blockVectors
    phase.units = units
    return phase
  }
}

extension RecurrentDescriptor {
  /// The products of a step forward, in order.
  func forwardProducts(lanes: Int) -> [RecurrentProduct] {
    switch cell {
    case .tanh, .relu, .gru: [RecurrentProduct(gates: cell.gates, units: hidden, k: hidden, lanes: lanes)]
    case .lstm:
      [RecurrentProduct(gates: 4, units: hidden, k: state, lanes: lanes)]
        + (projection > 0 ? [RecurrentProduct(gates: 1, units: projection, k: hidden, lanes: lanes)] : [])
    case .gruResetBefore:
      [
        RecurrentProduct(gates: 2, units: hidden, k: hidden, lanes: lanes),
        RecurrentProduct(gates: 1, units: hidden, k: hidden, lanes: lanes),
      ]
    }
  }

  /// The products of a step backward, in order. The first takes the gradients of the step after.
  func backwardProducts(lanes: Int) -> [RecurrentProduct] {
    switch cell {
    case .tanh, .relu, .gru: [RecurrentProduct(gates: 1, units: hidden, k: gateRows, lanes: lanes)]
    case .lstm:
      [RecurrentProduct(gates: 1, units: state, k: gateRows, lanes: lanes)]
        + (projection > 0 ? [RecurrentProduct(gates: 1, units: hidden, k: projection, lanes: lanes)] : [])
    case .gruResetBefore:
      [
        RecurrentProduct(gates: 1, units: hidden, k: 2 * hidden, lanes: lanes),
        RecurrentProduct(gates: 1, units: hidden, k: hidden, lanes: lanes),
      ]
    }
  }

  func forwardFinishes() -> [RecurrentFinish] {
    switch cell {
    case .tanh: [.tanh]
    case .relu: [.relu]
    case .lstm: projection > 0 ? [.longShortTerm, .project] : [.longShortTerm]
    case .gru: [.gatedResetAfter]
    case .gruResetBefore: [.gatedReset, .gatedResetBefore]
    }
  }

  func backwardFinishes() -> [RecurrentFinish] {
    switch cell {
    case .tanh: [.tanhBackward]
    case .relu: [.reluBackward]
    case .lstm: projection > 0 ? [.projectBackward, .longShortTermBackwardProjected] : [.longShortTermBackward]
    case .gru: [.gatedResetAfterBackward]
    case .gruResetBefore: [.gatedResetBeforeBackward, .gatedResetBackward]
    }
  }

  /// Column of the gate gradients from which the input's weights count theirs.
  var inputGradientColumn: Int { cell == .gru ? hidden : 0 }
}

/// What forward in training mode leaves for backward: for each layer, h and c of every step (with a place before the first
/// and one after the last for initial states), gates, and products where the cell has them.
struct RecurrentWorkspace {
  static let headerBytes = 64

  /// Of a layer, from its beginning.
  let h: Int
  let c: Int
  let gates: (Int, Int)
  let product: (Int, Int)
  /// Where the outputs of both directions are added and another layer takes them.
  let sum: Int
  let layerBytes: Int
  let bytes: Int

  init(_ d: RecurrentDescriptor, _ pitch: RecurrentPitches) {
    var layout = AreaLayout()
    let size = d.dataType.size
    let rows = d.steps * d.batch
    let slots = (d.steps + 2) * d.batch
    h = layout.add(slots * pitch.h * size)
    c = layout.add(d.cell == .lstm ? slots * pitch.c * size : 0)
    let gateBytes = d.cell.gateColumns > 1 ? rows * pitch.gates * size : 0
    gates = (layout.add(gateBytes), layout.add(d.directions > 1 ? gateBytes : 0))
    let hasProduct = d.projection > 0 || d.cell == .gruResetBefore
    let productBytes = hasProduct ? rows * pitch.product * size : 0
    product = (layout.add(productBytes), layout.add(d.directions > 1 ? productBytes : 0))
    sum = layout.add(d.direction == .bidirectionalSummed && d.layers > 1 ? rows * d.state * size : 0)
    layerBytes = layout.bytes
    bytes = RecurrentWorkspace.headerBytes + d.layers * layerBytes
  }
}
