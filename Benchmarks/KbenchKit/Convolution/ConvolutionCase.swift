import ApusEngine

/// The one place that knows Apus's convolution: a problem becomes a plan and its arguments.
final class ConvolutionCase: Case {
  private let operands: ConvolutionOperands
  private let context: ExecutionContext
  private let plan: ConvolutionPlan
  private let packed: Buffer?
  private var arguments = ConvolutionArguments()

  convenience init(_ problem: ConvolutionProblem, context: ExecutionContext) throws(ApusError) {
    try self.init(problem, context: context, operands: ConvolutionOperands(problem))
  }

  init(_ problem: ConvolutionProblem, context: ExecutionContext, operands: ConvolutionOperands) throws(ApusError) {
    self.context = context
    plan = try ConvolutionPlan(problem.descriptor, direction: problem.direction, context: context)
    self.operands = operands
    packed = problem.descriptor.packedWeights ? try Buffer(bytes: plan.packedWeightBytes) : nil
    let weights = packed?.pointer ?? operands.weights.pointer
    arguments.accumulate = problem.accumulates
    switch problem.direction {
    case .forward:
      arguments.x = UnsafeRawPointer(operands.x.pointer)
      arguments.weights = UnsafeRawPointer(weights)
      arguments.bias = operands.bias.map { UnsafeRawPointer($0.pointer) }
      arguments.residual = operands.residual.map { UnsafeRawPointer($0.pointer) }
      arguments.y = operands.y.pointer
    case .backwardData:
      arguments.dy = UnsafeRawPointer(operands.y.pointer)
      arguments.weights = UnsafeRawPointer(weights)
      arguments.dx = operands.x.pointer
    case .backwardWeights:
      arguments.x = UnsafeRawPointer(operands.x.pointer)
      arguments.dy = UnsafeRawPointer(operands.y.pointer)
      arguments.dw = weights
      arguments.db = operands.bias?.pointer
    }
    try pack()
  }

  /// Packed weights from those in the framework's order; so is a packed gradient that is added to.
  private func pack() throws(ApusError) {
    guard let packed else { return }
    try plan.packWeights(
      operands.weights.pointer, into: packed.pointer, capacity: plan.packedWeightBytes, context: context)
  }

  var description: String { plan.description }
  var algorithm: String? { plan.algorithm.name }

  func run() throws { try plan.run(context: context, arguments) }

  func check() throws -> CheckResult {
    operands.resetResult()
    let isGradient = operands.problem.direction == .backwardWeights
    if isGradient { try pack() }
    try run()
    if isGradient, let packed {
      try plan.unpackWeights(packed.pointer, into: operands.weights.pointer, context: context)
    }
    return ConvolutionReference.check(operands)
  }
}
