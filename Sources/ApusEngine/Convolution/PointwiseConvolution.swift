import ApusKernelInterface

/// A 1x1 kernel on channels-first tensors: each image's result is the weights, or their transpose, times its planes, with
/// the planes read and written where they lie. The weights' own form is the framework's.
final class PointwiseConvolution: GatherMethod {
  let plan: GemmPlan
  let groups: Int
  let sourceChannels: Int
  let resultChannels: Int
  let pixels: Int
  let weightCount: Int
  let size: Int

  static func canDo(_ sides: ConvolutionSides) -> Bool {
    let pass = sides.forwardPass()
    return sides.xLayout == .channelsFirst && sides.yLayout == .channelsFirst
      && (0..<3).allSatisfy { pass[$0].isIdentity }
  }

  init(
    _ sides: ConvolutionSides, backward: Bool, _ d: ConvolutionDescriptor, isForward: Bool, _ context: ExecutionContext
  ) throws(ApusError) {
    groups = sides.groups
    sourceChannels = backward ? sides.kPerGroup : sides.cPerGroup
    resultChannels = backward ? sides.cPerGroup : sides.kPerGroup
    pixels = sides.output.product
    weightCount = sides.k * sides.cPerGroup
    size = d.dataType.size
    var product = GemmDescriptor(
      dataType: d.dataType, m: resultChannels, n: pixels, k: sourceChannels, transposeA: backward, transposeB: false)
    product.batch = sides.batch
    product.strideB = groups * sourceChannels * pixels
    product.strideC = groups * resultChannels * pixels
    if isForward {
      product.bias = d.hasBias ? .byRow : .none
      product.activation = d.activation
      product.slope = d.slope
      product.hasResidual = d.hasResidual
      product.strideResidual = product.strideC
    }
    plan = try GemmPlan(product, context: context)
  }

  var details: String { "images of \(pixels) pixels" }
  var weightElements: Int { weightCount }
  var weightParts: Int { 1 }
  func pack(_ weights: UnsafeRawPointer, into own: UnsafeMutableRawPointer, part: Int) {
    own.copyMemory(from: weights, byteCount: weightCount * size)
  }
  func unpack(_ own: UnsafeRawPointer, into weights: UnsafeMutableRawPointer, accumulate: Bool, part: Int) {
    weights.copyMemory(from: own, byteCount: weightCount * size)
  }
  func scratchBytes(threads: Int) -> (slot: Int, call: Int) { (0, plan.scratchBytes(threads: threads)) }

  func run(
    _ task: GatherTask, _ scratch: UnsafeMutableRawPointer, threads: Int, _ context: ExecutionContext
  ) throws(ApusError) {
    for group in 0..<groups {
      var arguments = GemmArguments()
      arguments.a = task.weights + group * sourceChannels * resultChannels * size
      arguments.b = task.source + group * sourceChannels * pixels * size
      arguments.c = task.result + group * resultChannels * pixels * size
      arguments.beta = task.output.beta
      arguments.bias = task.output.bias.map { $0 + group * resultChannels * size }
      arguments.residual = task.output.residual.map { $0 + group * resultChannels * pixels * size }
      arguments.scratch = scratch
      arguments.scratchBytes = plan.scratchBytes(threads: threads)
      try plan.run(context: context, arguments, threads: threads)
    }
  }
}
