import ApusEngine

/// The one place that knows Apus's GEMM: a problem becomes a descriptor, a plan and its arguments.
final class GemmCase: Case {
  private let operands: GemmOperands
  private let context: ExecutionContext
  private let plan: GemmPlan
  private var arguments = GemmArguments()
  private var packed: [Buffer] = []

  init(_ problem: GemmProblem, context: ExecutionContext) throws {
    self.context = context
    operands = try GemmOperands(problem)
    var descriptor = GemmDescriptor(
      dataType: problem.type == .float32 ? .float32 : .float64, m: problem.m, n: problem.n, k: problem.k,
      transposeA: problem.transposeA, transposeB: problem.transposeB,
      order: problem.isColumnMajor ? .columnMajor : .rowMajor)
    descriptor.lda = operands.lda
    descriptor.ldb = operands.ldb
    descriptor.ldc = operands.ldc
    descriptor.batch = problem.batch
    descriptor.strideA = operands.strideA
    descriptor.strideB = operands.strideB
    descriptor.strideC = operands.strideC
    descriptor.isRowInvariant = problem.isRowInvariant
    descriptor.packedA = problem.packedA
    descriptor.packedB = problem.packedB
    descriptor.bias = problem.hasBias ? .byColumn : .none
    descriptor.activation = problem.activation
    descriptor.slope = operands.slope
    plan = try GemmPlan(descriptor, context: context)
    arguments.beta = problem.beta
    arguments.c = operands.c.pointer
    arguments.bias = operands.bias.map { UnsafeRawPointer($0.pointer) }
    arguments.a = try pack(.a, operands.a, leading: operands.lda, isPacked: problem.packedA)
    arguments.b = try pack(.b, operands.b, leading: operands.ldb, isPacked: problem.packedB)
  }

  /// The operand as the plan takes it.
  private func pack(
    _ operand: GemmOperand, _ source: Buffer, leading: Int, isPacked: Bool
  ) throws(ApusError) -> UnsafeRawPointer {
    guard isPacked else { return UnsafeRawPointer(source.pointer) }
    let bytes = plan.packedBytes(operand)
    let buffer = try Buffer(bytes: bytes)
    try plan.pack(
      operand, source: source.pointer, leading: leading, into: buffer.pointer, capacity: bytes, context: context)
    packed.append(buffer)
    return UnsafeRawPointer(buffer.pointer)
  }

  var description: String { plan.description }

  func run() throws { try plan.run(context: context, arguments) }

  func check() throws -> CheckResult {
    operands.fillC()
    try run()
    return GemmReference.check(operands)
  }
}
