import ApusEngine

/// The one place that knows Apus's pooling: a problem becomes a plan and its tensors.
final class PoolCase: Case {
  let problem: PoolProblem
  let x: Buffer
  let y: Buffer
  let dy: Buffer?
  let dx: Buffer?
  let indices: Buffer?
  private let context: ExecutionContext
  private let plan: PoolingPlan
  private var arguments = PoolingArguments()

  init(_ problem: PoolProblem, context: ExecutionContext) throws {
    self.problem = problem
    self.context = context
    let descriptor = problem.descriptor
    let (countX, countY) = problem.counts
    let size = problem.type.size
    let isBackward = problem.direction == .backwardData
    x = try Buffer(bytes: countX * size)
    y = try Buffer(bytes: countY * size, offset: 1024)
    dy = isBackward ? try Buffer(bytes: countY * size, offset: 2048) : nil
    dx = isBackward ? try Buffer(bytes: countX * size, offset: 3072) : nil
    x.fill(problem.type, count: countX, seed: 1)
    dy?.fill(problem.type, count: countY, seed: 3)
    let takesIndices = descriptor.kind == .maximum && (isBackward || problem.withIndices)
    indices = takesIndices ? try Buffer(bytes: countY * descriptor.indexType.size, offset: 512) : nil
    plan = try PoolingPlan(descriptor, direction: problem.direction, context: context)
    arguments.x = x.pointer
    arguments.y = y.pointer
    arguments.indices = indices?.pointer
    if isBackward {
      let forward = try PoolingPlan(descriptor, direction: .forward, context: context)
      try forward.run(context: context, arguments)
      arguments.dy = dy?.pointer
      arguments.dx = dx?.pointer
    }
  }

  var description: String { plan.description }

  func run() throws { try plan.run(context: context, arguments) }

  func check() throws -> CheckResult {
    try run()
    return PoolReference.check(self)
  }
}
