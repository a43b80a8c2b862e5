import ApusEngine
import Testing

@testable import KbenchKit

@Suite struct LayerTests {
  static var families: [any Family.Type] {
    [
      ElementwiseFamily.self, SoftmaxFamily.self, NormFamily.self, LossFamily.self, OptimizerFamily.self,
      EmbeddingFamily.self,
    ]
  }

  /// What a row says gives the same problem again, and Apus's results are right.
  @Test(arguments: [
    (0, "gelu:n1000"), (0, "tanh:n777:backward:f64"), (0, "add:n50"), (1, "softmax:n3c40"),
    (1, "logsoftmax:n5c17:backward"),
    (1, "softmax:n9c100:backward:f64"), (2, "layer:n5c40"), (2, "layer:n64c40:backward"), (2, "rms:n7c100"),
    (2, "batch:n4c6p50"), (2, "batch:n4c16p50:backward:nhwc"), (2, "group:n2c16p30:nhwc"),
    (2, "instance:n2c5p60:backward"),
    (3, "ce:n9c20"), (3, "ce:n9c20:backward:f64"), (3, "bce:n5c7"), (3, "huber:n50c7:backward"), (4, "sgd:n100"),
    (4, "clipadam:n1000"), (4, "adamw:n33:f64"), (4, "rmsprop:n70"), (5, "lookup:n40r10w33"),
    (5, "lookup:n40r10w33:backward"),
  ])
  func problems(_ family: Int, _ text: String) throws {
    let problem = try Self.families[family].problem(text, type: .float32)
    #expect(try Self.families[family].problem(problem.text, type: .float32).text == problem.text)
    #expect(problem.traffic.bytes > 0 && problem.footprint >= problem.traffic.bytes / 2)
    let work = try problem.makeCase(context: ExecutionContext(backend: .serial, threads: 1))
    let result = try work.check()
    #expect(result.isRight && result.checked > 0, "\(text): \(result)")
  }

  @Test(arguments: [
    (0, "gelu", "must begin with"), (0, "glu:n5", "must begin with"), (0, "gelu:n5:n6", "is none of"),
    (0, "gelu:m5", "is no size"), (0, "add:n5:backward", "no backward"), (1, "softmax:n5", "lacks the size c"),
    (2, "group:n5c9p2", "must divide"), (2, "layer:n5c9p2", "no p"), (1, "softmax:n5c0", "is no size"),
    (2, "batch:n5c9:nchw:nhwc", "twice"), (1, "softmax:n1c1:nhwc", "is none of"),
  ])
  func wrongStrings(_ family: Int, _ text: String, _ rule: String) throws {
    let error = try #require(throws: ProblemError.self) { try Self.families[family].problem(text, type: .float32) }
    #expect(error.rule.contains(rule), "\(error)")
  }

  @Test func presets() throws {
    for family in Self.families {
      for preset in family.presets {
        for text in preset.problems { #expect(try !family.problem(text, type: .float32).text.isEmpty) }
      }
    }
  }
}
