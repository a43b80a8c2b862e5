import ApusEngine
import Foundation

/// The tensors of a problem as they lie in memory, dense, with the same numbers in every process.
final class ConvolutionOperands {
  let problem: ConvolutionProblem
  /// x, or dx.
  let x: Buffer
  /// y, or dy.
  let y: Buffer
  /// Weights, or their gradient, in the framework's order.
  let weights: Buffer
  /// Bias, or its gradient.
  let bias: Buffer?
  let residual: Buffer?
  /// Elements.
  let xCount: Int
  let yCount: Int
  let weightCount: Int

  /// What the numbers of each tensor depend on.
  enum Seed {
    static let x: UInt32 = 1
    static let weights: UInt32 = 2
    static let y: UInt32 = 3
    static let bias: UInt32 = 4
    static let residual: UInt32 = 5
  }

  init(_ problem: ConvolutionProblem) throws(ApusError) {
    self.problem = problem
    let (type, d) = (problem.type, problem.descriptor)
    // Exact: 2^50 bytes are the most.
    (xCount, yCount, weightCount) = (
      Int(problem.elements.x), Int(problem.elements.y), Int(problem.elements.weights)
    )
    x = try Buffer(bytes: xCount * type.size)
    y = try Buffer(bytes: yCount * type.size, offset: 1024)
    weights = try Buffer(bytes: weightCount * type.size, offset: 2048)
    bias = d.hasBias ? try Buffer(bytes: d.outputChannels * type.size) : nil
    residual = d.hasResidual ? try Buffer(bytes: yCount * type.size, offset: 3072) : nil
    x.fill(type, count: xCount, seed: Seed.x)
    y.fill(type, count: yCount, seed: Seed.y)
    weights.fill(type, count: weightCount, seed: Seed.weights)
    bias?.fill(type, count: d.outputChannels, seed: Seed.bias)
    residual?.fill(type, count: yCount, seed: Seed.residual)
  }

  /// The result as it is before a run that is checked: what is added to, or else NaN, so that what a run leaves out shows.
  func resetResult() {
    switch problem.direction {
    case .forward: reset(y, yCount, Seed.y)
    case .backwardData: reset(x, xCount, Seed.x)
    case .backwardWeights:
      reset(weights, weightCount, Seed.weights)
      if let bias { reset(bias, problem.descriptor.outputChannels, Seed.bias) }
    }
  }

  private func reset(_ buffer: Buffer, _ count: Int, _ seed: UInt32) {
    if problem.accumulates {
      buffer.fill(problem.type, count: count, seed: seed)
    } else {
      memset(buffer.pointer, 0xff, count * problem.type.size)
    }
  }
}
