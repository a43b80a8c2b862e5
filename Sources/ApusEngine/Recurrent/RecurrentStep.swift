import ApusKernelInterface

/// What the phases of a run of steps have in common, and where each step's data lie: the templates of the phases are
/// completed step by step.
struct RecurrentSteps {
  /// Of direction 0's first and second phase, and of direction 1's.
  var phases: InlineArray<4, RecurrentPhase>
  let phasesOfStep: Int
  let directions: Int
  let isReverse: (Bool, Bool)
  let steps: Int
  /// Bytes from one step to the next in the buffers that keep every step; the states' place of time t is t + 1.
  var hStep = 0
  var cStep = 0
  var gateStep = 0
  var productStep = 0
  var yStep = 0
  var dyStep = 0
  var dGateStep = 0
  var dySteps: UnsafePointer<UInt8>?

  init(
    _ plan: RecurrentPlan, finishes: [RecurrentFinish], products: [RecurrentProduct]
  ) {
    let d = plan.descriptor
    let rows = plan.rowTiles
    let first = products[0].phase(finishes[0], rows: rows)
    let second = products.count > 1 ? products[1].phase(finishes[1], rows: rows) : first
    phases = [first, second, first, second]
    phasesOfStep = products.count
    directions = d.directions
    isReverse = (d.direction.isReverse(0), true)
    steps = d.steps
  }

  /// Items of a phase of all directions together.
  func items(_ phase: Int, lanes: Int) -> Int {
    phases[phase].blocks(lanes: lanes) * phases[phase].rows.count * directions
  }

  /// The time of processing step `index` of a direction.
  func time(_ index: Int, direction: Int) -> Int {
    (direction == 0 ? isReverse.0 : isReverse.1) ? steps - 1 - index : index
  }
}

/// The places of a state, before and after a step in the direction of the recurrence.
struct StatePlaces {
  let before: Int
  let after: Int

  /// Of a buffer that keeps all steps: time t lies in place t + 1, so that either direction finds what came before.
  init(time: Int, isReverse: Bool) {
    after = time + 1
    before = isReverse ? time + 2 : time
  }

  /// Of a buffer with two places that take turns.
  init(index: Int) {
    before = index & 1
    after = (index + 1) & 1
  }
}
