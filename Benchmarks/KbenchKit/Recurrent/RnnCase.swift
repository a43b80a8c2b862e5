import ApusEngine

/// The one place that knows Apus's recurrent layers: a problem becomes a plan and its tensors.
final class RnnCase: Case {
  let operands: RnnOperands
  private let context: ExecutionContext
  private let plan: RecurrentPlan
  private let packed: Buffer?
  private let workspace: Buffer
  private var arguments = RecurrentArguments()

  init(_ problem: RnnProblem, context: ExecutionContext) throws {
    self.context = context
    operands = try RnnOperands(problem)
    plan = try RecurrentPlan(problem.descriptor, mode: problem.mode, context: context)
    workspace = try Buffer(bytes: plan.workspaceBytes)
    packed = problem.unpacked ? nil : try Buffer(bytes: plan.packedBytes)
    if let packed {
      try plan.pack(operands.parameters.pointer, into: packed.pointer, capacity: plan.packedBytes, context: context)
      arguments.packed = UnsafeRawPointer(packed.pointer)
    } else {
      arguments.parameters = UnsafeRawPointer(operands.parameters.pointer)
    }
    arguments.x = UnsafeRawPointer(operands.x.pointer)
    arguments.y = operands.y.pointer
    arguments.workspace = workspace.pointer
    arguments.workspaceBytes = plan.workspaceBytes
    if problem.isBackward { try plan.forward(context: context, arguments) }
    arguments.dy = operands.dy.map { UnsafeRawPointer($0.pointer) }
    arguments.dx = operands.dx?.pointer
    arguments.dParameters = operands.dParameters?.pointer
  }

  var description: String { plan.description }

  func run() throws {
    if operands.problem.isBackward {
      try plan.backward(context: context, arguments)
    } else {
      try plan.forward(context: context, arguments)
    }
  }

  func check() throws -> CheckResult { try RnnReference.check(operands) { try run() } }
}
