import Apus
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What plans do beyond a plain product.
@Suite struct GemmPlanTests {
  static let activations: [(Activation, @Sendable (Double) -> Double)] = [
    (.none, { $0 }), (.relu, { max(0, $0) }), (.leakyReLU(slope: 0.1), { $0 < 0 ? 0.1 * $0 : $0 }),
    (.elu(slope: 0.5), { $0 < 0 ? 0.5 * (exp($0) - 1) : $0 }), (.sigmoid, { 1 / (1 + exp(-$0)) }),
    (.tanh, { tanh($0) }),
  ]

  @Test(arguments: InstructionSet.available, 0..<activations.count)
  func epilogue(_ set: InstructionSet, _ index: Int) throws {
    let (activation, function) = Self.activations[index]
    let context = try Context(instructionSet: set)
    for bias in [GemmBias.none, .byRow, .byColumn] {
      for isColumnMajor in [false, true] {
        try check(
          Reference(m: 19, n: 37, k: 45, isColumnMajor: isColumnMajor), bias, activation, function, Float.self, context)
        try check(
          Reference(m: 19, n: 37, k: 45, isColumnMajor: isColumnMajor), bias, activation, function, Double.self, context
        )
      }
    }
  }

  private func check<S: GemmScalar>(
    _ r: Reference, _ bias: GemmBias, _ activation: Activation, _ function: (Double) -> Double, _: S.Type,
    _ context: Context
  ) throws {
    var numbers = Numbers(seed: 3)
    let a: [S] = numbers.array(r.m * r.k)
    let b: [S] = numbers.array(r.k * r.n)
    let added: [S] = numbers.array(r.m * r.n)
    let before: [S] = numbers.array(r.m * r.n)
    let biases: [S] = numbers.array(max(r.m, r.n))
    let plan = try Gemm<S>(
      m: r.m, n: r.n, k: r.k, order: r.isColumnMajor ? .columnMajor : .rowMajor, bias: bias, activation: activation,
      addsResidual: true, context: context)
    var c = before
    try plan.run(
      alpha: 0.5, a, b, beta: 2, into: &c, bias: bias == .none ? nil : biases.span, residual: added.span,
      context: context)
    for i in 0..<r.m {
      for j in 0..<r.n {
        let (sum, magnitude) = r.product(a, r.lda, b, r.ldb, i, j)
        let at = r.index(i, j, r.ldc)
        let plus = bias == .none ? 0 : Double(biases[bias == .byRow ? i : j])
        let expected = function(0.5 * sum + 2 * Double(before[at]) + plus + Double(added[at]))
        #expect(isNear(c[at], expected, k: r.k, magnitude: magnitude + 4), "\(activation) \(bias) \(i) \(j)")
      }
    }
  }

  @Test func residualMayBeC() throws {
    let plan = try Gemm<Float>(m: 2, n: 2, k: 1, addsResidual: true)
    var c: [Float] = [10, 20, 30, 40]
    try c.withUnsafeMutableBufferPointer { c in
      try plan.run([1, 2] as [Float], [1, 1] as [Float], into: c, residual: UnsafeBufferPointer(c))
    }
    #expect(c == [11, 21, 32, 42])
  }

  /// Packed or not gives the same bits where both m and n are above 1, and k is below 4096 or the plan is row-invariant.
  @Test(arguments: InstructionSet.available, [(70, 90, 600), (2, 2, 4095), (3, 33, 1200), (8, 9, 9000)])
  func packed(_ set: InstructionSet, _ shape: (Int, Int, Int)) throws {
    let context = try Context(instructionSet: set)
    var numbers = Numbers(seed: 4)
    let (m, n, k) = shape
    let a: [Float] = numbers.array(m * k)
    let b: [Float] = numbers.array(n * k)
    var plain = [Float](repeating: 0, count: m * n)
    let invariant = k > 4095
    let unpacked = try Gemm<Float>(m: m, n: n, k: k, transposeB: true, isRowInvariant: invariant, context: context)
    try unpacked.run(a, b, into: &plain, context: context)
    for packed in [PackedOperands.a, .b, [.a, .b]] {
      let plan = try Gemm<Float>(
        m: m, n: n, k: k, transposeB: true, packed: packed, isRowInvariant: invariant, context: context)
      var c = plain.map { _ in Float.nan }
      if packed == .a {
        try plan.run(plan.makePackedA(from: a), b, into: &c, context: context)
      } else if packed == .b {
        let packedB = try plan.makePackedB(from: b.span)
        #expect(packedB.instructionSet == set && packedB.byteCount >= n * k * 4)
        try plan.run(a, packedB, into: &c, context: context)
      } else {
        try plan.run(plan.makePackedA(from: a), plan.makePackedB(from: b), into: &c, context: context)
      }
      #expect(c == plain, "packed and not packed: the same bits")
    }
  }

  /// Row i of a row-invariant plan has the same bits among any number of rows.
  @Test(arguments: [false, true]) func rowInvariant(_ transposeB: Bool) throws {
    var numbers = Numbers(seed: 8)
    let (n, k) = (20, 5000)
    let a: [Float] = numbers.array(300 * k)
    let b: [Float] = numbers.array(n * k)
    var all: [Float] = []
    for m in [300, 1, 2, 15, 100] {
      let plan = try Gemm<Float>(m: m, n: n, k: k, transposeB: transposeB, isRowInvariant: true)
      var c = [Float](repeating: 0, count: m * n)
      try plan.run(a[..<(m * k)], b, into: &c)
      if all.isEmpty { all = c }
      #expect(c == Array(all[..<(m * n)]), "\(m) rows")
    }
  }

  @Test func stridedBatch() throws {
    var numbers = Numbers(seed: 5)
    let a: [Double] = numbers.array(3 * 4 * 5)
    let b: [Double] = numbers.array(5 * 6)
    let plan = try Gemm<Double>(m: 4, n: 6, k: 5, batch: .strided(count: 3, strideB: 0))
    var c = [Double](repeating: 0, count: 3 * 4 * 6)
    try plan.run(a, b, into: &c)
    for i in 0..<3 {
      var one = [Double](repeating: 0, count: 4 * 6)
      try gemm(m: 4, n: 6, k: 5, a[(i * 20)..<(i * 20 + 20)], b, into: &one)
      #expect(Array(c[(i * 24)..<(i * 24 + 24)]) == one)
    }
    #expect(plan.flops == 2 * 3 * 4 * 6 * 5)
  }

  @Test func pointerBatch() throws {
    let plan = try Gemm<Float>(m: 1, n: 1, k: 2, batch: .pointers(count: 2))
    let a: [Float] = [1, 2, 3, 4]
    var c: [Float] = [0, 0]
    try a.withUnsafeBufferPointer { a in
      try c.withUnsafeMutableBufferPointer { c in
        let first = try #require(a.baseAddress)
        let result = try #require(c.baseAddress)
        let left = [first, first + 2]
        let right = [first + 2, first]
        let results = [result + 1, result]
        try left.withUnsafeBufferPointer { left in
          try right.withUnsafeBufferPointer { right in
            try results.withUnsafeBufferPointer { results in
              try plan.run(left, right, into: results)
              #expect(throws: ApusError.self) {
                try plan.run(left, right, into: UnsafeBufferPointer(rebasing: results[..<1]))
              }
            }
          }
        }
      }
    }
    #expect(c == [11, 11])
  }

  @Test func scratch() throws {
    let context = try Context(threads: 2)
    let plan = try Gemm<Float>(m: 150, n: 150, k: 150, context: context)
    var numbers = Numbers(seed: 6)
    let a: [Float] = numbers.array(150 * 150)
    let b: [Float] = numbers.array(150 * 150)
    var c = a
    var d = a
    try plan.run(a, b, into: &c, context: context)
    let bytes = try plan.scratchBytes(context: context)
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes, alignment: 1)
    defer { memory.deallocate() }
    try plan.run(a, b, into: &d, scratch: memory, context: context)
    #expect(c == d)
    #expect(throws: ApusError.self) {
      try plan.run(
        a, b, into: &d, scratch: UnsafeMutableRawBufferPointer(rebasing: memory[..<(bytes - 1)]), context: context)
    }
    #expect(try plan.threads(context: context) <= 2)
    #expect(plan.description.contains("150x150x150"))
  }

  @Test func manyThreadsRunOnePlan() async throws {
    let plan = try Gemm<Float>(m: 64, n: 64, k: 64, packed: .b)
    var numbers = Numbers(seed: 7)
    let a: [Float] = numbers.array(64 * 64)
    let weights = try plan.makePackedB(from: a)
    var expected = a
    try plan.run(a, weights, into: &expected)
    try await withThrowingTaskGroup(of: [Float].self) { group in
      for _ in 0..<8 {
        group.addTask {
          var c = [Float](repeating: 0, count: 64 * 64)
          try plan.run(a, weights, into: &c)
          return c
        }
      }
      for try await c in group { #expect(c == expected) }
    }
  }
}
