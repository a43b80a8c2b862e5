import ApusEngine
import Testing

@testable import KbenchKit

@Suite struct RnnTests {
  /// What a row says gives the same problem again, and Apus's results are right in both directions.
  @Test(arguments: [
    "rnn:T=4,B=3,I=5,H=7", "rnnrelu:T=4,B=3,H=6:bias0", "lstm:T=5,B=2,I=4,H=9,L=2:train", "lstm:T=3,B=2,H=9,P=4:concat",
    "lstm:T=3,B=2,I=3,H=8:peephole:clip0.25:bias1", "gru:T=4,B=5,H=17,L=2:sum:batchmajor",
    "gruv1:T=4,B=2,I=3,H=8:reverse",
    "gru:H=33:unpacked:f64", "lstm:T=1,B=1,H=64",
  ])
  func problems(_ text: String) throws {
    for direction in ["", ":backward"] {
      let problem = try RnnProblem(text + direction, type: .float32)
      #expect(try RnnProblem(problem.text, type: .float32) == problem)
      #expect(problem.flops > 0 && problem.traffic.bytes > 0 && problem.footprint > 0)
      let result = try problem.makeCase(context: ExecutionContext(backend: .serial, threads: 1)).check()
      #expect(result.isRight && result.checked == result.total && result.worst > 0, "\(problem.text): \(result)")
    }
  }

  /// What plans print is a problem, the plan's.
  @Test func planStrings() throws {
    var d = RecurrentDescriptor(dataType: .float32, cell: .lstm, steps: 25, batch: 16, input: 512, hidden: 512)
    #expect(d.problemString == "lstm:T=25,B=16,I=512,H=512,L=1")
    d.layers = 2
    d.projection = 128
    d.cellClip = 0.5
    d.hasPeepholes = true
    d.isBatchMajor = true
    d.biases = 1
    for direction in RecurrentDirection.allCases {
      for mode in RecurrentMode.allCases {
        d.direction = direction
        let plan = try RecurrentPlan(d, mode: mode, context: ExecutionContext(backend: .serial, threads: 1))
        let problem = try RnnProblem(plan.problemString, type: .float32)
        #expect(problem.descriptor == d && problem.mode == mode && problem.text == plan.problemString)
        #expect(problem.flops == plan.flops)
        #expect(try RnnProblem(plan.problemString + ":backward", type: .float32).flops == plan.backwardFlops)
      }
    }
  }

  /// The reference notices one wrong element, and a NaN.
  @Test func wrongElementsAreFound() throws {
    for text in ["lstm:T=3,B=2,H=9:f64", "lstm:T=3,B=2,H=9:f64:backward"] {
      let work = try RnnCase(RnnProblem(text, type: .float64), context: ExecutionContext(backend: .serial, threads: 1))
      try work.run()
      let all = [0, 1]
      #expect(RnnReference.compare(work.operands, all).isRight)
      let buffer = work.operands.dParameters ?? work.operands.y
      let last = (work.operands.dParameters == nil ? 3 * 2 * 9 : work.operands.problem.parameterCount) - 1
      let p = buffer.pointer.assumingMemoryBound(to: Double.self)
      p[last] += 1e-12
      #expect(!RnnReference.compare(work.operands, all).isRight)
      p[last] = .nan
      #expect(!RnnReference.compare(work.operands, all).isRight)
    }
  }

  /// Where a batch is too large for the reference, gradients are those of the sequences that it can do.
  @Test func sampledSequences() throws {
    let work = try RnnCase(
      RnnProblem("gru:T=3,B=4,H=9:backward", type: .float32), context: ExecutionContext(backend: .serial, threads: 1))
    work.operands.restrictGradient(to: [0, 3])
    try work.run()
    #expect(RnnReference.compare(work.operands, [0, 3]).isRight)
    #expect(!RnnReference.compare(work.operands, [0]).isRight)
    work.operands.restrictGradient(to: nil)
    try work.run()
    #expect(RnnReference.compare(work.operands, [0, 1, 2, 3]).isRight)
  }

  @Test(arguments: [
    ("", "it must begin with"), ("lstm", "it must begin with"), ("elman:H=4", "it must begin with"),
    ("lstm:T=4", "lacks the units H"), ("lstm:H=4,Z=3", "'Z=3' is no size"), ("lstm:H=4,T", "'T' is no size"),
    ("lstm:H=4,H=5", "twice"), ("lstm:H=-4", "no size"), ("lstm:I=1,H=0", "hidden is 0"),
    ("lstm:H=4,B=0", "at least 1"),
    ("lstm:H=4,P=4", "less than hidden"), ("gru:H=4,P=2", "only an LSTM"), ("gru:H=4:peephole", "only an LSTM"),
    ("rnn:H=4:clip1", "only an LSTM"), ("lstm:H=4:clip", "no clip"), ("lstm:H=4:clip-1", "no clip"),
    ("lstm:H=4:sideways", "is none of"), ("lstm:H=4:reverse:sum", "order twice"),
    ("lstm:H=4:forward:backward", "direction twice"), ("lstm:H=4:f32:f64", "type twice"),
  ])
  func wrongStrings(_ text: String, _ rule: String) throws {
    let error = try #require(throws: ProblemError.self) { try RnnProblem(text, type: .float32) }
    #expect(error.rule.contains(rule), "\(error)")
  }

  @Test func presetsAndChoices() throws {
    for preset in Rnn.presets {
      let problems = try ProblemList.read(
        Rnn.self, arguments: [], presets: [preset.name], types: [.float32], chosen: ["direction": ["forward"]])
      #expect(problems.count == preset.problems.count)
      #expect(Set(problems.map(\.text)).count == problems.count, "\(preset.name) has a problem twice")
    }
    let texts = try ProblemList.read(
      Rnn.self, arguments: ["lstm:H=4", "gru:T=2,H=4:forward", "gru:H=4:train"], presets: [], types: [.float32],
      chosen: ["direction": ["forward", "backward"]]
    ).map(\.text)
    #expect(
      texts == [
        "lstm:T=1,B=1,I=4,H=4,L=1", "lstm:T=1,B=1,I=4,H=4,L=1:backward", "gru:T=2,B=1,I=4,H=4,L=1",
        "gru:T=1,B=1,I=4,H=4,L=1:train", "gru:T=1,B=1,I=4,H=4,L=1:backward",
      ])
    #expect(throws: ProblemError.self) { try Rnn.library("oneDNN") }
    #expect(try Rnn.library("mine=/lib/libdnnl.so").paths == ["/lib/libdnnl.so"])
  }
}
