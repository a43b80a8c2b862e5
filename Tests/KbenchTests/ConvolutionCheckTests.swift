import ApusEngine
import ApusKernelInterface
import Testing

@testable import KbenchKit

@Suite struct ConvolutionCheckTests {
  /// Apus's own results, whatever the problem string asks for.
  @Test(arguments: [
    "n2c5h9w8k7f3p1", "c1h12w12k6f5:data", "n3c3h10w10k4f3s2p1:weights", "c8h9w9k8f3x2s2x1p1x0q0:bias:relu",
    "n2c6h7w7k4f3p1:nchw:residual:tanh", "c4h6w6k6f3e2p2:f64:weights:bias:nchw2nhwc", "c8h8w8k8f3p1g8:data:nhwc2nchw",
    "c6h5w5k9f3g3:unpacked:acc", "c6h5w5k9f3g3:weights:acc:bias", "c6h5w5k9f3g3:weights:acc:unpacked:nchw",
    "c6h5w5k4f3s2to1:elu", "c6h5w5k4f3s2p1t:data", "c6h5w5k4f3s2g2t:weights:f64", "c4d4h5w6k5f2x3x2p1:sigmoid",
    "c4d4h5w6k5f2x3x2p1:data:acc", "c4w20k5f3s3:weights", "c64h6w6k32f1:alg=direct", "c4h9w9k4f3p1:alg=implicit_gemm",
    "c2h9w9k2f1s3:data",
  ])
  func apusIsRight(_ text: String) throws {
    for set in InstructionSet.available {
      let context = try ExecutionContext(instructionSet: set, backend: .serial, threads: 1)
      let work = try ConvolutionProblem(text, type: .float32).makeCase(context: context)
      let result = try work.check()
      #expect(result.isRight, "\(set.name): \(result)")
      #expect(result.checked == result.total)
      #expect(work.algorithm.map { work.description.contains($0) } == true)
    }
  }

  /// The reference against sums that are written out here: one dimension, both channels, every position.
  @Test func referenceOfASmallConvolution() throws {
    let operands = try ConvolutionOperands(ConvolutionProblem("c2w4k1f3p1", type: .float64))
    let y = operands.y.pointer.assumingMemoryBound(to: Double.self)
    func x(_ position: Int, _ channel: Int) -> Double {
      (0..<4).contains(position) ? Buffer.value(position * 2 + channel, 1) : 0
    }
    for o in 0..<4 {
      y[o] = 0
      for c in 0..<2 { for tap in 0..<3 { y[o] += Buffer.value(c * 3 + tap, 2) * x(o + tap - 1, c) } }
    }
    #expect(ConvolutionReference.check(operands) == CheckResult(worst: 0, checked: 4, total: 4))
    y[3] += 1e-9
    #expect(!ConvolutionReference.check(operands).isRight)
  }

  /// One wrong element and a NaN are noticed in each direction, and so is an element that nothing wrote.
  @Test(arguments: ["forward", "data", "weights"], [ElementType.float32, .float64])
  func wrongElementsAreFound(_ direction: String, _ type: ElementType) throws {
    let problem = try ConvolutionProblem(
      "n2c6h7w7k8f3p1:bias:\(direction)".replacing(":bias:data", with: ":data"), type: type)
    let operands = try ConvolutionOperands(problem)
    let work = try ConvolutionCase(problem, context: ExecutionContext(backend: .serial, threads: 1), operands: operands)
    #expect(try work.check().isRight)
    let (result, count) =
      switch problem.direction {
      case .forward: (operands.y, operands.yCount)
      case .backwardData: (operands.x, operands.xCount)
      case .backwardWeights: (operands.weights, operands.weightCount)
      }
    func put(_ x: Double, _ i: Int) {
      switch type {
      case .float32: result.pointer.assumingMemoryBound(to: Float.self)[i] = Float(x)
      case .float64: result.pointer.assumingMemoryBound(to: Double.self)[i] = x
      }
    }
    let right = result.element(type, count - 1)
    put(right + 0.001, count - 1)
    #expect(!ConvolutionReference.check(operands).isRight)
    put(.nan, count - 1)
    #expect(!ConvolutionReference.check(operands).isRight)
    put(right, count - 1)
    #expect(ConvolutionReference.check(operands).isRight)
    operands.resetResult()
    #expect(!ConvolutionReference.check(operands).isRight)
  }

  /// Layers are checked in part, at places that ascend, end with the last element and do not keep to a stride.
  @Test func largeProblemsAreSampled() {
    let places = ConvolutionReference.places(total: 200_704, termsOfEach: 4608)
    #expect(places.count == ConvolutionReference.budget / 4608)
    #expect(zip(places, places.dropFirst()).allSatisfy { $0 < $1 })
    #expect(places.last == 200_703 && (places.first ?? -1) >= 0)
    #expect(Set(places.map { $0 % 64 }).count == 64)
    #expect(ConvolutionReference.places(total: 5, termsOfEach: 1 << 40) == [0, 1, 2, 3, 4])
    #expect(ConvolutionReference.places(total: 500, termsOfEach: 1 << 40).count == 16)
  }
}
