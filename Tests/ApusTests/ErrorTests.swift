import Apus
import Testing

/// What is refused, with which message, and that nothing is written then.
@Suite struct ErrorTests {
  static let ones = [Float](repeating: 1, count: 64)

  /// The error of `body`, which is handed a C that must stay as it is.
  private func error(count: Int = 64, _ body: (inout [Float]) throws(ApusError) -> Void) -> ApusError? {
    var c = [Float](repeating: -3, count: count)
    defer { #expect(c.allSatisfy { $0 == -3 }, "something was written") }
    do throws(ApusError) {
      try body(&c)
      return nil
    } catch {
      return error
    }
  }

  private func expect(_ error: ApusError?, _ code: ApusError.Code = .invalidArgument, _ parts: String...) {
    #expect(error?.code == code)
    for part in parts { #expect(error?.message.contains(part) == true, "\(error?.message ?? "no error"): \(part)") }
  }

  @Test func shortBuffers() {
    let ones = Self.ones
    expect(
      error { c throws(ApusError) in try gemm(m: 4, n: 5, k: 6, ones[..<23], ones, into: &c) }, .invalidArgument,
      "a has 23 elements", "24")
    expect(
      error { c throws(ApusError) in try gemm(m: 4, n: 5, k: 6, ones, ones[..<29], into: &c) }, .invalidArgument,
      "b has 29 elements", "30")
    expect(
      error(count: 19) { c throws(ApusError) in try gemm(m: 4, n: 5, k: 6, ones, ones, into: &c) }, .invalidArgument,
      "c has 19 elements", "20")
    // 3 * 8 + 6: the last row without its gap.
    #expect(error { c throws(ApusError) in _ = try Gemm<Float>(m: 4, n: 5, k: 6, lda: 8) } == nil)
    expect(
      error { c throws(ApusError) in try gemm(m: 4, n: 5, k: 6, ones[..<29], lda: 8, ones, into: &c) },
      .invalidArgument, "a has 29 elements", "8 apart", "30")
    expect(
      error(count: 23) { c throws(ApusError) in
        try gemm(m: 4, n: 5, k: 6, ones, ones, into: &c, ldc: 6, order: .columnMajor)
      }, .invalidArgument, "c has 23 elements", "28")
  }

  @Test func shortBuffersOfAPlan() {
    let ones = Self.ones
    func plan(_ batch: GemmBatch = .single, _ bias: GemmBias = .none, _ residual: Bool = false) throws(ApusError)
      -> Gemm<Float>
    { try Gemm(m: 2, n: 3, k: 4, batch: batch, bias: bias, addsResidual: residual) }
    expect(
      error { c throws(ApusError) in try plan(.strided(count: 3)).run(ones[..<23], ones, into: &c) },
      .invalidArgument, "a has 23 elements", "batch of 3", "24")
    expect(
      error(count: 17) { c throws(ApusError) in try plan(.strided(count: 3)).run(ones, ones, into: &c) },
      .invalidArgument, "c has 17 elements", "18")
    expect(
      error { c throws(ApusError) in
        try plan(.single, .byColumn).run(ones, ones, into: &c, bias: ones.span.extracting(first: 2))
      }, .invalidArgument, "bias has 2 elements", "3")
    expect(
      error { c throws(ApusError) in
        try plan(.single, .none, true).run(ones, ones, into: &c, residual: ones.span.extracting(first: 5))
      }, .invalidArgument, "residual has 5 elements", "6")
    expect(
      error { c throws(ApusError) in try plan(.single, .byRow).run(ones, ones, into: &c) }, .invalidArgument, "bias")
    expect(
      error { c throws(ApusError) in try plan().run(ones, ones, into: &c, bias: ones.span) }, .invalidArgument, "bias")
    expect(
      error { c throws(ApusError) in try plan().run(ones, ones, into: &c, residual: ones.span) }, .invalidArgument,
      "residual")
    expect(
      error { c throws(ApusError) in try plan(.single, .none, true).run(ones, ones, into: &c) }, .invalidArgument,
      "residual")
    expect(
      error { c throws(ApusError) in try plan(.pointers(count: 1)).run(ones, ones, into: &c) }, .invalidArgument,
      "pointers")
  }

  @Test func sizes() {
    let ones = Self.ones
    expect(
      error { c throws(ApusError) in try gemm(m: -1, n: 1, k: 1, ones, ones, into: &c) }, .invalidArgument, "m is -1")
    expect(
      error { c throws(ApusError) in try gemm(m: 2, n: 2, k: 3, ones, lda: 2, ones, into: &c) }, .invalidArgument,
      "lda is 2", "3")
    expect(
      error { c throws(ApusError) in try gemm(m: .max, n: 2, k: .max, ones, ones, into: &c) }, .invalidArgument)
    expect(
      error { c throws(ApusError) in
        _ = try Gemm<Float>(m: 2, n: 2, k: 2, batch: .strided(count: 2, strideC: 3))
      }, .invalidArgument, "stride_c is 3")
    expect(
      error { c throws(ApusError) in _ = try Gemm<Float>(m: 1 << 40, n: 1, k: 1 << 40, batch: .strided(count: 2)) })
  }

  @Test func packedMatrices() throws {
    let ones = Self.ones
    let plan = try Gemm<Float>(m: 2, n: 3, k: 4, packed: .b)
    let other = try Gemm<Float>(m: 2, n: 3, k: 5, packed: .b)
    let plain = try Gemm<Float>(m: 2, n: 3, k: 4)
    let packed = try plan.makePackedB(from: ones)
    expect(error { c throws(ApusError) in try other.run(ones, packed, into: &c) }, .mismatch, "k 4", "k 5")
    expect(error { c throws(ApusError) in try plain.run(ones, packed, into: &c) }, .invalidArgument, "b is packed")
    expect(error { c throws(ApusError) in try plan.run(ones, ones, into: &c) }, .invalidArgument, "b is not packed")
    expect(
      error { c throws(ApusError) in try gemm(m: 2, n: 3, k: 4, ones, packed, into: &c) }, .invalidArgument,
      "b is packed")
    expect(
      error { c throws(ApusError) in _ = try plan.makePackedB(from: ones[..<11]) }, .invalidArgument, "b has 11", "12")
    expect(
      error { c throws(ApusError) in _ = try plan.makePackedB(from: ones[..<14], ldb: 6) }, .invalidArgument,
      "b has 14",
      "21")
    expect(error { c throws(ApusError) in _ = try plan.makePackedB(from: ones, ldb: 2) }, .invalidArgument, "ld is 2")
    expect(error { c throws(ApusError) in _ = try plan.makePackedB(from: ones, ldb: .min) }, .invalidArgument)
    expect(error { c throws(ApusError) in _ = try plan.makePackedA(from: ones) }, .invalidArgument, ".a")
    if let set = InstructionSet.available.first, set != plan.instructionSet {
      let lower = try Gemm<Float>(m: 2, n: 3, k: 4, packed: .b, context: Context(instructionSet: set))
      expect(error { c throws(ApusError) in try lower.run(ones, packed, into: &c) }, .mismatch, "\(set)")
    }
  }

  @Test func contexts() throws {
    func error(_ body: () throws(ApusError) -> Void) -> ApusError? {
      do throws(ApusError) { try body() } catch { return error }
      return nil
    }
    expect(error { () throws(ApusError) in _ = try Context(threads: 0) }, .invalidArgument, "threads is 0")
    expect(error { () throws(ApusError) in _ = try Context(backend: .host) }, .invalidArgument, "host")
    expect(
      error { () throws(ApusError) in _ = try Context(lingerMicroseconds: 10_001) }, .invalidArgument, "10001")
    for set in InstructionSet.allCases where !InstructionSet.available.contains(set) {
      expect(error { () throws(ApusError) in _ = try Context(instructionSet: set) }, .unsupported, "\(set)")
    }
    let context = try Context(instructionSet: .baseline, backend: .dispatch, threads: 3, lingerMicroseconds: 7)
    #expect(context.instructionSet == .baseline && context.backend == .dispatch)
    #expect(context.threads == 3 && context.lingerMicroseconds == 7 && context.effectiveThreads >= 1)
    #expect(InstructionSet.available.contains(try Context.processDefault().instructionSet))
  }

  @Test func selfTestPasses() throws {
    trimMemory()
    try selfTest()
  }

  /// A parallel-for that leaves tasks out.
  @Test func hostThatSkips() throws {
    let context = try Context(threads: 4) { count, task in for i in 1..<count { task(i) } }
    let a = [Float](repeating: 1, count: 300 * 300)
    var c = a
    let plan = try Gemm<Float>(m: 300, n: 300, k: 300, context: context)
    guard try plan.threads(context: context) > 1 else { return }
    #expect { try plan.run(a, a, into: &c, context: context) } throws: { ($0 as? ApusError)?.code == .backend }
  }
}
