import Apus
import Testing

/// Products against a plain loop.
@Suite struct GemmTests {
  static let shapes = [(1, 1, 1), (5, 7, 3), (16, 33, 20), (1, 40, 25), (40, 1, 25), (65, 70, 130)]

  @Test(arguments: InstructionSet.available, shapes)
  func oneCall(_ set: InstructionSet, _ shape: (Int, Int, Int)) throws {
    for options in 0..<8 {
      let reference = Reference(
        m: shape.0, n: shape.1, k: shape.2, transposeA: options & 1 != 0, transposeB: options & 2 != 0,
        isColumnMajor: options & 4 != 0)
      try check(reference, Float.self, set)
      try check(reference, Double.self, set)
    }
  }

  private func check<S: GemmScalar>(_ r: Reference, _: S.Type, _ set: InstructionSet) throws {
    var numbers = Numbers(seed: r.m + r.n * 3 + r.k * 5)
    let order = r.isColumnMajor ? MatrixOrder.columnMajor : .rowMajor
    let a: [S] = numbers.array(r.m * r.k)
    let b: [S] = numbers.array(r.k * r.n)
    let before: [S] = numbers.array(r.m * r.n)
    let context = try Context(instructionSet: set)
    // Arrays, spans and unsafe buffers: the same bits.
    var c = before
    try gemm(
      m: r.m, n: r.n, k: r.k, alpha: 2, a, transposeA: r.transposeA, b, transposeB: r.transposeB, beta: -1, into: &c,
      order: order, context: context)
    var c2 = before
    var span = c2.mutableSpan
    try gemm(
      m: r.m, n: r.n, k: r.k, alpha: 2, a.span, transposeA: r.transposeA, b.span, transposeB: r.transposeB, beta: -1,
      into: &span, order: order, context: context)
    var c3 = before
    try a.withUnsafeBufferPointer { a in
      try b.withUnsafeBufferPointer { b in
        try c3.withUnsafeMutableBufferPointer { c in
          try gemm(
            m: r.m, n: r.n, k: r.k, alpha: 2, a, transposeA: r.transposeA, b, transposeB: r.transposeB, beta: -1,
            into: c, order: order, context: context)
        }
      }
    }
    #expect(c == c2 && c == c3)
    for i in 0..<r.m {
      for j in 0..<r.n {
        let (sum, magnitude) = r.product(a, r.lda, b, r.ldb, i, j)
        let at = r.index(i, j, r.ldc)
        #expect(isNear(c[at], 2 * sum - Double(before[at]), k: r.k, magnitude: 2 * magnitude), "\(r) \(i) \(j)")
      }
    }
  }

  @Test func leadingDimensionsLeaveGaps() throws {
    let r = Reference(m: 9, n: 6, k: 11)
    var numbers = Numbers(seed: 1)
    let a: [Double] = numbers.array(8 * 13 + 11)  // the last row without its gap
    let b: [Double] = numbers.array(11 * 8)
    var c = [Double](repeating: 7, count: 9 * 10)
    try gemm(m: 9, n: 6, k: 11, a[...], lda: 13, b, ldb: 8, into: &c, ldc: 10)
    for i in 0..<9 {
      for j in 0..<10 {
        if j >= 6 {
          #expect(c[i * 10 + j] == 7)
        } else {
          let (sum, magnitude) = r.product(a, 13, b, 8, i, j)
          #expect(isNear(c[i * 10 + j], sum, k: 11, magnitude: magnitude))
        }
      }
    }
  }

  @Test func zeroSizes() throws {
    var c: [Float] = [1, 2, 3, 4]
    try gemm(m: 0, n: 2, k: 2, [Float](), [Float](repeating: 1, count: 4), into: &c)
    try gemm(m: 2, n: 0, k: 2, [Float](repeating: 1, count: 4), [Float](), into: &c)
    #expect(c == [1, 2, 3, 4])
    try gemm(m: 2, n: 2, k: 0, [Float](), [Float](), beta: 2, into: &c)
    #expect(c == [2, 4, 6, 8])
    try gemm(m: 2, n: 2, k: 0, [Float](), [Float](), into: &c)
    #expect(c == [0, 0, 0, 0])
  }

  @Test func betaZeroOverwritesNaN() throws {
    var c = [Float](repeating: .nan, count: 9)
    try gemm(m: 3, n: 3, k: 1, [1, 2, 3] as [Float], [1, 1, 1] as [Float], into: &c)
    #expect(c == [1, 1, 1, 2, 2, 2, 3, 3, 3])
  }

  @Test func threadsDoNotChangeBits() throws {
    var numbers = Numbers(seed: 2)
    let a: [Float] = numbers.array(190 * 300)
    let b: [Float] = numbers.array(300 * 210)
    var results: [[Float]] = []
    let host = try Context(threads: 3) { count, task in for i in (0..<count).reversed() { task(i) } }
    for context in [try Context(backend: .serial), try Context(threads: 2), host] {
      var c = [Float](repeating: 0, count: 190 * 210)
      try gemm(m: 190, n: 210, k: 300, a, b, into: &c, context: context)
      results.append(c)
    }
    #expect(results[0] == results[1] && results[0] == results[2])
  }
}
