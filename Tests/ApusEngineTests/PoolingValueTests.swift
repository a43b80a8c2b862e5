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

  /// The same for dilated and adaptive windows, in one to three dimensions.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func gridOfOtherWindows(_ set: InstructionSet, _ type: DataType) throws {
    let contexts = try Setting.of(set).map { try $0.context() }
    var turn = 0
    for rank in 1...3 {
      let used = Extents(rank == 3 ? 1 : 0, rank >= 2 ? 1 : 0, 1)
      /// `number` in the dimensions that there are, `filler` elsewhere.
      func extents(_ number: Int, _ filler: Int) -> Extents {
        Extents(
          used.depth == 1 ? number : filler, used.height == 1 ? number : filler, used.width == 1 ? number : filler)
      }
      for layout in TensorLayout.allCases {
        for kind in PoolingKind.allCases {
          for width in [5, 16, 33] {
            // (window, stride, dilation, padding), or the size of an adaptive output.
            for (size, stride, dilation, padding) in [
              (3, 1, 1, 1), (3, 2, 1, 1), (2, 2, 1, 0), (3, 1, 2, 2), (2, 2, 3, 1), (3, 3, 2, 0), (1, 0, 0, 0),
              (2, 0, 0, 0), (4, 0, 0, 0), (7, 0, 0, 0),
            ] where dilation <= 1 || kind == .maximum {
              turn += 1
              var window = SpatialWindow(rank: rank, input: extents(5 + turn % 3, 1), window: extents(size, 1))
              window.input.width = width
              var d = PoolingDescriptor(
                dataType: type, kind: kind, batch: 1 + turn % 2, channels: layout == .channelsLast ? 1 + turn % 19 : 3,
                window: window)
              if stride == 0 {
                d.adaptiveOutput = extents(size, 1)
              } else {
                d.window.stride = extents(stride, 1)
                d.window.dilation = extents(dilation, 1)
                d.window.padBefore = extents(padding, 0)
                d.window.padAfter = extents(padding, 0)
              }
              if (try? d.outputSize()) == nil { continue }
              d.layout = layout
              d.indexType = turn % 2 == 0 ? .int32 : .int64
              d.norm = [1, 2, 3, 1.5][turn % 4]
              let trial = PoolingTrial(d, seed: UInt64(turn), ties: turn % 3 == 0)
              if let objection = try trial.objection(contexts[turn % contexts.count], .afterGuard) {
                Issue.record("\(objection)")
                return
              }
            }
          }
        }
      }
    }
  }

  /// Channels-last data beyond a core's caches, in sweeps over a part of the channels, which ask for the next row: the last
  /// rows' next ones lie outside of the operands.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func beyondTheCaches(_ set: InstructionSet, _ type: DataType) throws {
    let contexts = try Setting.of(set).map { try $0.context() }
    var turn = 0
    for kind in [PoolingKind.maximum, .average] {
      for size in 2...3 {
        turn += 1
        var window = SpatialWindow(rank: 2, input: Extents(1, 40, 50), window: Extents(1, size, size))
        window.padBefore = Extents(0, 1, 1)
        window.padAfter = Extents(0, 1, size - 2)
        var d = PoolingDescriptor(dataType: type, kind: kind, batch: 1, channels: 140, window: window)
        d.layout = .channelsLast
        d.indexType = turn % 2 == 0 ? .int32 : .int64
        let trial = PoolingTrial(d, seed: UInt64(turn), ties: turn % 2 == 0)
        let placement = turn % 2 == 0 ? TestMemory.Placement.beforeGuard : .afterGuard
        if let objection = try trial.objection(contexts[turn % contexts.count], placement) {
          Issue.record("\(objection)")
        }
      }
    }
  }
}
