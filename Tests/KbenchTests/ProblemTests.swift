import ApusKernelInterface
import KbenchKit
import Testing

@Suite struct ProblemTests {
  @Test func plainSizes() throws {
    let problem = try GemmProblem("64x1000x2048", type: .float32)
    #expect((problem.m, problem.n, problem.k) == (64, 1000, 2048))
    #expect(problem.flops == 2 * 64 * 1000 * 2048)
    #expect(problem.traffic == Traffic(read: 4 * (64 * 2048 + 2048 * 1000), written: 4 * 64 * 1000))
    #expect(problem.type == .float32)
    #expect(problem.transposition == "NN")
  }

  @Test func allOptions() throws {
    let problem = try GemmProblem("3x4x5:TN:f64:col:b7:beta=-0.5:packa:packb:rowinv:bias:leaky", type: .float32)
    #expect(problem.transposeA && !problem.transposeB && problem.isColumnMajor)
    #expect(problem.type == .float64)
    #expect(problem.batch == 7)
    #expect(problem.beta == -0.5)
    #expect(problem.packedA && problem.packedB && problem.isRowInvariant && problem.hasBias)
    #expect(problem.activation == .leakyReLU)
  }

  /// What a row says gives the same problem again.
  @Test(arguments: [
    "1x2x3", "1x2x3:TT", "1x2x3:NT:f64", "1x2x3:col:b2:beta=1:packa:rowinv", "9x9x9:packb:bias:elu",
    "2x2x2:beta=0.25:tanh", "2x2x2:beta=-1e+20",
  ])
  func textIsCanonical(_ text: String) throws {
    let problem = try GemmProblem(text, type: .float32)
    let again = try GemmProblem(problem.text, type: .float32)
    #expect(again == problem)
    #expect(again.text == problem.text)
  }

  @Test(arguments: [
    ("", "MxNxK"), ("64", "MxNxK"), ("64x64", "MxNxK"), ("64x64x", "MxNxK"), ("64x64x64x64", "MxNxK"),
    ("0x1x1", "at least 1"), ("-1x1x1", "at least 1"), ("axbxc", "MxNxK"), ("1e3x1x1", "MxNxK"),
    ("99999999999999999999x1x1", "MxNxK"), ("9223372036854775807x2x2", "2^50"), ("4x4x4:", "none of"),
    ("4x4x4:XX", "'XX' is none of"), ("4x4x4:nt", "none of"), ("4x4x4:f16", "none of"),
    ("4x4x4:NN:TT", "transposition twice"), ("4x4x4:f32:f64", "type twice"), ("4x4x4:relu:tanh", "activation twice"),
    ("4x4x4:b0", "at least 1"), ("4x4x4:b", "number of matrices"), ("4x4x4:beta=", "finite"),
    ("4x4x4:beta=nan", "finite"), ("4x4x4:beta=x", "finite"),
  ])
  func wrongStrings(_ text: String, _ rule: String) throws {
    let error = try #require(throws: ProblemError.self) { try GemmProblem(text, type: .float32) }
    #expect(error.problem == text)
    #expect(error.rule.contains(rule), "\(error)")
    #expect(!error.description.contains("\n"))
  }

  @Test func presetsAreRight() throws {
    for preset in Gemm.presets {
      let problems = try ProblemList.read(Gemm.self, arguments: [], presets: [preset.name], types: [.float32])
      #expect(problems.count == preset.problems.count)
      #expect(Set(problems.map(\.text)).count == problems.count, "\(preset.name) has a problem twice")
    }
  }

  @Test func lists() throws {
    func texts(_ arguments: [String], _ types: [ElementType]) throws -> [String] {
      try ProblemList.read(Gemm.self, arguments: arguments, presets: [], types: types).map(\.text)
    }
    #expect(try texts(["2x2x2", "3x3x3:f64"], [.float32, .float64]) == ["2x2x2", "2x2x2:f64", "3x3x3:f64"])
    #expect(try !texts([], [.float32]).isEmpty)
    #expect(throws: ProblemError.self) { try texts(["@/nonexistent/file"], [.float32]) }
    #expect(throws: ProblemError.self) {
      try ProblemList.read(Gemm.self, arguments: [], presets: ["nonesuch"], types: [.float32])
    }
    // Above all memory, below what a size may say.
    let error = try #require(throws: ProblemError.self) { try texts(["1000000x1000000x1"], [.float64]) }
    #expect(error.rule.contains("memory") || Machine.current.memory > 10_000_000_000_000)
  }

  @Test func libraries() throws {
    let library = try PeerLibrary.parse("mine=/opt/lib/libmine.so:my_?gemm", standard: "cblas_?gemm")
    #expect(library.name == "mine" && library.paths == ["/opt/lib/libmine.so"] && library.symbol == "my_?gemm")
    #expect(try PeerLibrary.parse("mine=libmine.so", standard: "cblas_?gemm").symbol == "cblas_?gemm")
    for wrong in ["", "mine", "=x", "mine=", "mine=x:sgemm", "mine=x:?g?", "Apus=x"] {
      #expect(throws: ProblemError.self) { try PeerLibrary.parse(wrong, standard: "cblas_?gemm") }
    }
  }
}
