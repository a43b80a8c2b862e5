import ApusEngine
import ApusKernelInterface
import KbenchKit
import Testing

@Suite struct ConvolutionProblemTests {
  @Test func plainShape() throws {
    let problem = try ConvolutionProblem("n2c64h56w48k32f3s2p1", type: .float32)
    let d = problem.descriptor
    #expect((d.batch, d.inputChannels, d.outputChannels, d.groups) == (2, 64, 32, 1))
    #expect(d.window.rank == 2 && d.window.input == Extents(1, 56, 48) && d.window.window == Extents(1, 3, 3))
    #expect(d.window.stride == Extents(1, 2, 2) && d.window.padBefore == Extents(0, 1, 1))
    #expect(d.window.padAfter == d.window.padBefore)
    #expect(problem.direction == .forward && problem.type == .float32 && d.packedWeights)
    #expect(d.xLayout == .channelsLast && d.yLayout == .channelsLast)
    #expect(problem.outputSize == Extents(1, 28, 24))
    #expect(problem.flops == 2 * 2 * 32 * 28 * 24 * 64 * 9)
    let (x, y, w) = (2 * 64 * 56 * 48, 2 * 32 * 28 * 24, 64 * 32 * 9)
    #expect(problem.traffic == Traffic(read: Double(4 * (x + w)), written: Double(4 * y)))
    #expect(problem.footprint >= Double(4 * (x + y + 2 * w)))
  }

  @Test func whatIsWritten() throws {
    let shape = "n2c6h9w9k4f3"
    let (x, y, w) = (Double(4 * 2 * 6 * 81), Double(4 * 2 * 4 * 49), Double(4 * 4 * 6 * 9))
    #expect(try ConvolutionProblem(shape + ":data", type: .float32).traffic == Traffic(read: y + w, written: x))
    #expect(try ConvolutionProblem(shape + ":weights", type: .float32).traffic == Traffic(read: x + y, written: w))
    #expect(
      try ConvolutionProblem(shape + ":weights:acc", type: .float32).traffic == Traffic(read: x + y + w, written: w))
    #expect(
      try ConvolutionProblem(shape + ":residual", type: .float32).traffic == Traffic(read: x + w + y, written: y))
  }

  @Test func everyLetter() throws {
    let d = try ConvolutionProblem("n1c8d4h5w6k12f1x2x3s2p0x1x2q1x1x0e1x2x1g4", type: .float64).descriptor
    #expect(d.window.rank == 3 && d.window.input == Extents(4, 5, 6) && d.window.window == Extents(1, 2, 3))
    #expect(d.window.stride == Extents(2, 2, 2) && d.window.dilation == Extents(1, 2, 1))
    #expect(d.window.padBefore == Extents(0, 1, 2) && d.window.padAfter == Extents(1, 1, 0))
    #expect(d.groups == 4 && d.dataType == .float64)
    let transposed = try ConvolutionProblem("c8h5w6k12f3s2to1x0", type: .float32)
    #expect(transposed.descriptor.isTransposed && transposed.descriptor.outputPadding == Extents(0, 1, 0))
    #expect(transposed.outputSize == Extents(1, 12, 13))
    let line = try ConvolutionProblem("w50k8c4f3", type: .float32)
    #expect(line.descriptor.window.rank == 1 && line.descriptor.batch == 1 && line.text == "n1c4w50k8f3")
  }

  @Test func everyOption() throws {
    let forward = try ConvolutionProblem(
      "c8h9w9k8f3:f64:nchw2nhwc:unpacked:bias:residual:leaky:acc:winograd:alg=direct", type: .float32)
    let d = forward.descriptor
    #expect(forward.type == .float64 && forward.accumulates && !d.packedWeights && d.hasBias && d.hasResidual)
    #expect(d.xLayout == .channelsFirst && d.yLayout == .channelsLast)
    #expect(d.activation == .leakyReLU && d.allowsWinograd && d.algorithm == .direct)
    #expect(try ConvolutionProblem("c8h9w9k8f3:weights:bias", type: .float32).direction == .backwardWeights)
  }

  /// What a row says gives the same problem again, and is what the engine calls it.
  @Test(arguments: [
    "n1c64h56w56k64f3s1p1", "n8c3h224w224k64f7s2p3:weights:nchw", "n1c8h9w9k8f3x5s2x1p1x2q0e2x1:data:f64",
    "c8d4h5w6k12f3p1g4:nhwc2nchw:unpacked:bias:residual:relu:acc", "c6h7w7k4f3s2to1:data", "c6w7k4f3t:alg=direct",
    "c8h8w8k8f3p1g8:winograd:tanh", "c8h9w9k8f3:forward:nhwc:f32", "c8h9w9k8f3s2:strict",
  ])
  func textIsCanonical(_ text: String) throws {
    let problem = try ConvolutionProblem(text, type: .float32)
    let again = try ConvolutionProblem(problem.text, type: .float32)
    #expect(again == problem)
    #expect(again.text == problem.text)
    let context = try ExecutionContext(backend: .serial, threads: 1)
    let plan = try ConvolutionPlan(problem.descriptor, direction: problem.direction, context: context)
    #expect(problem.text.split(separator: ":").first.map(String.init) == plan.problemString)
    #expect(problem.flops == plan.flops)
    #expect(problem.traffic.bytes == plan.bytes + (problem.accumulates ? problem.traffic.written : 0))
  }

  @Test(arguments: [
    ("", "must begin with"), ("64x64", "none of n c d h w"), ("c8h9k8f3", "must begin with"),
    ("c8w9k8", "must begin with"), ("c8w9k8f3s4:strict", "stride[0] is 4"),
    ("c8d4w9k8f3", "no h"), ("c8w9k8f3z4", "'z4' is none of"), ("c8w9k8f3f3", "'f' twice"), ("c8w9k8f", "number"),
    ("c8w9k8f3x", "number"), ("c8x8w9k8f3", "one number"), ("c8w9k8f3t2", "t alone"), ("c8w9k8f-3", "number"),
    ("c8h9w9k8f3x3x3", "2 dimensions"), ("c99999999999w9k8f3", "up to 2147483647"), ("n0c8w9k8f3", "at least 1"),
    ("c8w9k8f0", "kernel[0] is 0"), ("c8w9k8f10", "kernel[0] is 10"), ("c8w9k8f3s0", "stride[0] is 0"),
    ("c8w9k9f3g2", "multiple of groups"), ("c8w9k8f3o1", "output_padding"), ("c8w9k8f3s2to2", "output_padding[0] is 2"),
    ("c8w9k8f3:", "none of"), ("c8w9k8f3:NHWC", "'NHWC' is none of"), ("c8w9k8f3:data:weights", "direction twice"),
    ("c8w9k8f3:nchw:nchw", "layout twice"), ("c8w9k8f3:relu:elu", "activation twice"),
    ("c8w9k8f3:f32:f64", "type twice"), ("c8w9k8f3:acc:acc", "acc twice"), ("c8w9k8f3:data:relu", "only forward"),
    ("c8w9k8f3:weights:residual", "only forward"), ("c8w9k8f3:data:bias", "no bias"),
    ("c8w9k8f3:alg=fast", "one of direct, implicit_gemm"),
    ("c8w9k8f1:alg=winograd", "but this problem has "),
    ("n99999999c999999h99999w99999k8f3", "2^50"),
  ])
  func wrongStrings(_ text: String, _ rule: String) throws {
    let error = try #require(throws: ProblemError.self) { try ConvolutionProblem(text, type: .float32) }
    #expect(error.problem == text)
    #expect(error.rule.contains(rule), "\(error)")
    #expect(!error.description.contains("\n"))
  }

  /// Numbers of the papers' distinct layers.
  @Test(arguments: [
    ("lenet", 3), ("alexnet", 5), ("vgg16", 9), ("resnet50", 23), ("googlenet", 51), ("mobilenet", 19),
  ])
  func presetsAreComplete(_ name: String, _ count: Int) throws {
    #expect(try read(presets: [name]).count == count)
  }

  @Test func presetsAreRight() throws {
    for preset in Convolution.presets {
      for direction in ["forward", "data", "weights"] {
        let problems = try read(presets: [preset.name], chosen: ["direction": [direction]])
        #expect(problems.count == preset.problems.count)
        #expect(Set(problems.map(\.text)).count == problems.count, "\(preset.name) has a layer twice")
        #expect(problems.allSatisfy { ($0 as? ConvolutionProblem)?.descriptor.batch == 1 })
      }
    }
    // Billions of multiply-adds as the papers have them; ResNet's is of distinct layers alone.
    let vgg = try read(presets: ["vgg16"]).reduce(0) { $0 + $1.flops }
    #expect(abs(vgg / 2 - 10.72e9) < 0.01e9, "\(vgg)")
    let stem = try #require(read(presets: ["resnet50"]).first as? ConvolutionProblem)
    #expect(stem.outputSize == Extents(1, 112, 112))
    let mobile = try read(presets: ["mobilenet"]).compactMap { $0 as? ConvolutionProblem }
    #expect(mobile.filter { $0.descriptor.groups > 1 }.count == 9)
  }

  @Test func options() throws {
    func texts(_ arguments: [String], _ chosen: [String: [String]], batch: Int? = nil) throws -> [String] {
      try read(arguments, chosen: chosen, batch: batch).map(\.text)
    }
    #expect(
      try texts(["c8w9k8f3", "c8w9k8f3:weights"], ["direction": ["forward", "data"]])
        == ["n1c8w9k8f3", "n1c8w9k8f3:data", "n1c8w9k8f3:weights"])
    #expect(try texts(["c8w9k8f3", "c4w9k8f3:nhwc"], ["layout": ["nchw"]]) == ["n1c8w9k8f3:nchw", "n1c4w9k8f3"])
    #expect(try texts(["c8w9k8f3"], ["layout": ["nhwc", "nchw"]]) == ["n1c8w9k8f3", "n1c8w9k8f3:nchw"])
    #expect(try texts(["c8w9k8f3"], ["algorithm": ["direct"]]) == ["n1c8w9k8f3:alg=direct"])
    #expect(try texts(["c8w9k8f3:alg=implicit_gemm"], ["algorithm": ["direct"]]) == ["n1c8w9k8f3:alg=implicit_gemm"])
    #expect(try texts(["c8w9k8f3", "n4c8w9k8f3"], [:], batch: 16) == ["n16c8w9k8f3", "n4c8w9k8f3"])
    for (chosen, named) in [
      (["direction": ["backward"]], "forward, data, weights"), (["layout": ["NCHW"]], "nhwc, nchw"),
      (["algorithm": ["fast"]], "direct, implicit_gemm"), (["direction": [""]], "forward"),
    ] {
      let error = try #require(throws: ProblemError.self) { try texts(["c8w9k8f3"], chosen) }
      #expect(error.rule.contains(named), "\(error)")
    }
    #expect(throws: ProblemError.self) { try texts(["c8w9k8f3"], [:], batch: 0) }
    for (chosen, batch) in [(["direction": ["forward"]], nil), ([:], 4)] as [([String: [String]], Int?)] {
      #expect(throws: ProblemError.self) {
        try ProblemList.read(
          Gemm.self, arguments: ["2x2x2"], presets: [], types: [.float32], chosen: chosen, batch: batch)
      }
    }
  }

  @Test func libraries() throws {
    #expect(try Convolution.library("mine=/opt/libdnnl.so").manner == "any")
    let plain = try Convolution.library("mine=/opt/libdnnl.so:plain")
    #expect(plain.name == "mine" && plain.paths == ["/opt/libdnnl.so"] && plain.manner == "plain")
    for wrong in ["", "mine", "=x", "mine=", "mine=x:fast", "Apus=x"] {
      #expect(throws: ProblemError.self) { try Convolution.library(wrong) }
    }
  }

  private func read(
    _ arguments: [String] = [], presets: [String] = [], chosen: [String: [String]] = [:], batch: Int? = nil
  ) throws(ProblemError) -> [any Problem] {
    try ProblemList.read(
      Convolution.self, arguments: arguments, presets: presets, types: [.float32], chosen: chosen, batch: batch)
  }
}
