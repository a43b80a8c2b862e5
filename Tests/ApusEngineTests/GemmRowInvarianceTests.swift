import ApusEngine
import ApusTestSupport
import Testing

/// A row-invariant plan gives row i the same bits however many other rows there are.
@Suite struct GemmRowInvarianceTests {
  /// Rows of every count that decides between algorithms, around tiles and up to 300.
  static func counts(_ set: InstructionSet, _ type: DataType) -> [Int] {
    let kernels = set.gemmKernels(type)
    return GemmSampler.around([2, kernels.tileRows, kernels.narrowTileRows, 4 * kernels.tileRows, 64], upTo: 299)
      .filter { $0 > 1 } + [300]
  }

  @Test(arguments: InstructionSet.available, gemmTypes)
  func rowsStandAlone(_ set: InstructionSet, _ type: DataType) throws {
    let kBlock = set.gemmKernels(type).kBlock
    let shapes = [
      (1, 1), (1, 37), (1, kBlock + 9), (1, 5003), (2, 64), (3, 5001), (17, 7), (33, kBlock + 1), (70, 40), (5, 3 * kBlock),
    ]
    for (n, k) in shapes {
      for (turn, layout) in allLayouts(type, 300, n, k).enumerated() {
        try expectInvariant(layout, turn, Self.counts(set, type), try Setting.of(set)[turn % 3].context())
      }
    }
  }

  /// Packed weights beside it.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func rowsStandAlonePacked(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    for (n, k) in [(1, 90), (40, 90), (9, 5001)] {
      for (turn, var layout) in allLayouts(type, 300, n, k).enumerated() {
        layout.packedB = true
        try expectInvariant(layout, turn, [2, 33, 300], context)
      }
    }
  }

  private func expectInvariant(
    _ all: GemmDescriptor, _ turn: Int, _ counts: [Int], _ context: ExecutionContext
  ) throws {
    var all = all
    all.isRowInvariant = true
    if turn % 2 == 1 {
      all.bias = .byColumn
      all.activation = .relu
    }
    let beta = turn % 3 == 0 ? 0.0 : 0.5
    let whole = GemmTrial(all, alpha: turn % 2 == 0 ? 1 : 0.7, beta: beta, seed: UInt64(turn))
    let outcome = try whole.run(context)
    if turn == 0, let objection = whole.objection(to: outcome) { Issue.record("\(objection)") }
    let rowsAlone = [0, 1, all.m / 2, all.m - 1].map { $0..<$0 + 1 }
    for rows in rowsAlone + counts.map({ 0..<$0 }) {
      let part = whole.rows(rows)
      if let difference = part.difference(try part.run(context), from: rows.lowerBound, of: whole, outcome) {
        Issue.record("\(difference)")
      }
    }
  }
}
