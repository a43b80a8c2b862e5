import ApusEngine
import ApusKernelInterface
import ApusTestSupport
import Testing

/// NaN, infinity and the scalars that keep an operand from being read.
@Suite struct GemmSpecialValueTests {
  /// Shapes that take every path: a tile, blocks, matrix x vector both ways, several blocks of k, split k.
  static let shapes = [(3, 5, 4), (20, 70, 40), (1, 90, 60), (90, 1, 60), (1, 1, 33), (15, 40, 1100), (6, 9, 5000)]

  func expectRight(_ trial: GemmTrial, _ context: ExecutionContext) throws {
    if let objection = trial.objection(to: try trial.run(context)) { Issue.record("\(objection)") }
  }

  @Test(arguments: InstructionSet.available, gemmTypes)
  func betaZeroNeverReadsC(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    for (m, n, k) in Self.shapes + [(4, 4, 0)] {
      for var d in allLayouts(type, m, n, k) {
        // The last one rounds to zero in float32.
        for (alpha, beta) in [(1, 0), (0.5, 0), (0, 0), (-1, -0.0), (1, type == .float32 ? 1e-60 : 0)] {
          d.bias = alpha == 0.5 ? .byColumn : .none
          let trial = GemmTrial(d, alpha: alpha, beta: beta, seed: 5)
          trial.fill(.c, .nan)
          try expectRight(trial, context)
        }
      }
    }
  }

  @Test(arguments: InstructionSet.available, gemmTypes)
  func alphaZeroNeverReadsAOrB(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    for (m, n, k) in Self.shapes {
      for var d in allLayouts(type, m, n, k) {
        for (alpha, beta) in [(0, 1), (0, 0), (-0.0, 0.5), (type == .float32 ? 1e-60 : 0, 2)] {
          d.bias = beta == 0.5 ? .byRow : .none
          d.activation = beta == 0.5 ? .relu : .identity
          let trial = GemmTrial(d, alpha: alpha, beta: beta, seed: 6)
          trial.fill(.a, .nan)
          trial.fill(.b, .infinity)
          try expectRight(trial, context)
          // So NULL does as well.
          let c = [UInt8](repeating: 0, count: m * n * type.size)
          try c.withUnsafeBytes { bytes in
            let c = UnsafeMutableRawPointer(mutating: bytes.baseAddress)
            d.bias = .none
            try GemmPlan(d, context: context).run(context: context, alpha: alpha, a: nil, b: nil, beta: beta, c: c)
          }
        }
      }
    }
  }

  /// With k = 0 there is nothing that alpha could multiply, not even by infinity.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func emptySums(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 3)
    for alpha in [0, 1, -2.5, Double.infinity, .nan] {
      for beta in [0, 1, -0.5] {
        for (m, n) in [(1, 1), (5, 40), (40, 5), (1, 70), (70, 1), (0, 5), (5, 0)] {
          for d in allLayouts(type, m, n, 0) { try expectRight(GemmTrial(d, alpha: alpha, beta: beta), context) }
        }
      }
    }
  }

  /// A NaN or an infinity in A or B reaches its row or column, and no other element.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func nanAndInfinityPropagate(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    var random = Randomness(seed: 8)
    for (m, n, k) in Self.shapes {
      for d in allLayouts(type, m, n, k) {
        let trial = GemmTrial(d, alpha: random.pick([1, -0.5]), beta: random.pick([0, 1, 0.5]), seed: random.next())
        // The last row and column too, so that partial tiles and vectors see them.
        trial[.a, m - 1, random.int(0...k - 1)] = .nan
        trial[.a, random.int(0...m - 1), k - 1] = .infinity
        trial[.b, random.int(0...k - 1), n - 1] = -.infinity
        trial[.b, 0, random.int(0...n - 1)] = random.pick([.nan, .infinity, 0])
        trial[.a, random.int(0...m - 1), 0] = 0
        trial[.c, random.int(0...m - 1), random.int(0...n - 1)] = random.pick([.nan, .infinity])
        try expectRight(trial, context)
      }
    }
  }

  /// Bias, residual and activations let them through: relu(NaN) is NaN, sigmoid(-infinity) is 0.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func activationsOfSpecialValues(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set)
    for activation in Activation.allCases {
      for (m, n) in [(3, 37), (1, 37), (37, 1)] {
        var d = GemmDescriptor(dataType: type, m: m, n: n, k: 3)
        d.bias = .byColumn
        d.hasResidual = true
        d.activation = activation
        d.slope = 0.25
        let trial = GemmTrial(d, seed: 12)
        for (j, value) in [Double.nan, .infinity, -.infinity, 1000, -1000, 0].enumerated() {
          trial[.bias, j % n, 0] = value
          trial[.residual, j % m, (36 - j) % n] = value
        }
        try expectRight(trial, context)
      }
    }
  }
}
