import ApusEngine
import Testing

@testable import KbenchKit

@Suite struct PoolTests {
  /// What a row says gives the same problem again, and Apus's results are right in both directions.
  @Test(arguments: [
    "max:c3h9w8k2", "max:n2c5h13w12k3s2p1", "max:n2c5h13w12k3s2p1:idx:i64", "avg:c20h9w9k3s1p1:nhwc:f64",
    "avgpad:c3w20k4s2p1a2:ceil", "lp2:n2c17d5h6w7k2s1:nhwc", "lp2.5:c2h7w7kh3kw2sh1sw2", "max:c2w30k3e2",
    "avg:n2c33h7w7:global", "avg:c4h9w11oh3ow4:nhwc",
  ])
  func problems(_ text: String) throws {
    for direction in text.contains("idx") ? [""] : ["", ":backward"] {
      let problem = try PoolProblem(text + direction, type: .float32)
      #expect(try PoolProblem(problem.text, type: .float32) == problem)
      #expect(problem.flops > 0 && problem.traffic.bytes > 0 && problem.footprint > 0)
      let result = try problem.makeCase(context: ExecutionContext(backend: .serial, threads: 1)).check()
      #expect(result.isRight && result.checked == result.total, "\(problem.text): \(result)")
    }
  }

  /// The reference notices one wrong element, and a NaN.
  @Test func wrongElementsAreFound() throws {
    let problem = try PoolProblem("avg:c3h9w8k2", type: .float64)
    let work = try PoolCase(problem, context: ExecutionContext(backend: .serial, threads: 1))
    try work.run()
    #expect(PoolReference.check(work).isRight)
    let y = work.y.pointer.assumingMemoryBound(to: Double.self)
    y[problem.counts.y - 1] += 1e-14
    #expect(!PoolReference.check(work).isRight)
    y[problem.counts.y - 1] = .nan
    #expect(!PoolReference.check(work).isRight)
  }

  @Test(arguments: [
    ("", "it must begin with"), ("max", "it must begin with"), ("min:w4k2", "it must begin with"),
    ("lp0:w4k2", "it must begin with"), ("max:k2", "lacks the size w"), ("max:w4", "lacks a window"),
    ("max:w4k2z3", "'z3' is no size"), ("max:w4k2k3", "twice"), ("max:w4k", "no size"), ("max:w4k5", "window[0] is 5"),
    ("max:w4k2:nhcw", "is none of"), ("max:w4k2:nhwc:nchw", "layout twice"), ("avg:w4k2:idx", "idx is for max"),
    ("max:w4o2k2", "with o"), ("max:w4k2:global", "global has no"), ("max:n0w4k2", "at least 1"),
    ("max:w5k2:strict", "does not divide"), ("avg:w5k2e2", "only a maximum"),
  ])
  func wrongStrings(_ text: String, _ rule: String) throws {
    let error = try #require(throws: ProblemError.self) { try PoolProblem(text, type: .float32) }
    #expect(error.rule.contains(rule), "\(error)")
  }

  @Test func presetsAndChoices() throws {
    for preset in Pool.presets {
      let problems = try ProblemList.read(
        Pool.self, arguments: [], presets: [preset.name], types: [.float32],
        chosen: ["direction": ["forward", "backward"]])
      #expect(problems.count == 2 * preset.problems.count)
      #expect(Set(problems.map(\.text)).count == problems.count, "\(preset.name) has a problem twice")
    }
    let texts = try ProblemList.read(
      Pool.self, arguments: ["max:w4k2", "max:w4k2s1:nhwc"], presets: [], types: [.float32],
      chosen: ["layout": ["nhwc"], "direction": ["backward"]]
    ).map(\.text)
    #expect(texts == ["max:n1c1w4k2s2:nhwc:backward", "max:n1c1w4k2s1:nhwc:backward"])
    for (name, word) in [("layout", "nhcw"), ("colour", "red")] {
      #expect(throws: ProblemError.self) {
        try ProblemList.read(Pool.self, arguments: ["max:w4k2"], presets: [], types: [.float32], chosen: [name: [word]])
      }
    }
    #expect(throws: ProblemError.self) {
      try ProblemList.read(Gemm.self, arguments: [], presets: [], types: [.float32], chosen: ["layout": ["nchw"]])
    }
  }
}
