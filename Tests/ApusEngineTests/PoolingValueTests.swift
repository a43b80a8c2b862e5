import ApusEngine
import ApusTestSupport
import Testing

/// Results against plain float64 loops, operands against guard pages, on every back end in turn.
@Suite struct PoolingValueTests {
  @Test(arguments: InstructionSet.available, gemmTypes)
  func randomProblems(_ set: InstructionSet, _ type: DataType) throws {
    let contexts = try Setting.of(set).map { try $0.context() }
    var sampler = PoolingSampler(type, seed: 2026)
    for turn in 0..<300 {
      let trial = PoolingTrial(sampler.problem(), seed: sampler.random.next(), ties: turn % 3 == 0)
      let placement = turn % 2 == 0 ? TestMemory.Placement.beforeGuard : .afterGuard
      if let objection = try trial.objection(contexts[turn % contexts.count], placement) {
        Issue.record("\(objection)")
        return
      }
    }
  }

  /// Every kind, layout, window, stride, padding and rounding that networks use, over widths around the vectors' edges.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func grid(_ set: InstructionSet, _ type: DataType) throws {
    let contexts = try Setting.of(set).map { try $0.context() }
    var turn = 0
    for layout in TensorLayout.allCases {
      for kind in PoolingKind.allCases {
        for (size, stride) in [(1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (3, 2), (3, 3), (5, 2), (7, 7)] {
          for padding in [0, 1] where padding < size {
            for rounding in [WindowRounding.floor, .ceil] {
              for width in [7, 16, 28, 33] {
                turn += 1
                var window = SpatialWindow(
                  rank: 2, input: Extents(1, 7 + turn % 3, width), window: Extents(1, size, size))
                window.stride = Extents(1, stride, stride)
                window.padBefore = Extents(0, padding, padding)
                window.padAfter = Extents(0, padding, (padding + turn) % 2 % size)
                window.rounding = rounding
                var d = PoolingDescriptor(
                  dataType: type, kind: kind, batch: 1, channels: layout == .channelsLast ? 1 + turn % 19 : 3,
                  window: window)
                d.layout = layout
                d.indexType = turn % 2 == 0 ? .int32 : .int64
                let trial = PoolingTrial(d, seed: UInt64(turn), ties: turn % 3 == 0)
                if let objection = try trial.objection(contexts[turn % contexts.count], .beforeGuard) {
                  Issue.record("\(objection)")
                  return
                }
              }
            }
          }
        }
      }
    }
  }
}
