internal import ApusEngine

/// The engine's plan, and how many elements each buffer must have.
@usableFromInline
final class GemmCore: Sendable {
  let plan: GemmPlan
  private let needA: Need
  private let needB: Need
  private let needC: Need
  private let needResidual: Need

  init(_ descriptor: GemmDescriptor, _ context: ExecutionContext) throws(ApusError) {
    plan = try translatingErrors { () throws(ApusEngine.ApusError) in try GemmPlan(descriptor, context: context) }
    needA = Need(matrixA: descriptor, batch: descriptor.batch)
    needB = Need(matrixB: descriptor, batch: descriptor.batch)
    needC = Need("c", descriptor, leading: descriptor.ldc, stride: descriptor.strideC)
    needResidual = Need("residual", descriptor, leading: descriptor.ldr, stride: descriptor.strideResidual)
  }

  /// Checks that every buffer is of the kind and the size that the plan takes, then runs it.
  @usableFromInline
  func run(
    alpha: Double, a: Operand, b: Operand, beta: Double, c: UnsafeMutableRawPointer?, count: Int, extras: Extras,
    context: Context?
  ) throws(ApusError) {
    let descriptor = plan.descriptor
    if descriptor.batchKind == .pointers {
      throw .invalid("the plan's batch is of pointers: its run takes arrays of pointers")
    }
    try needA.check(a, isPacked: descriptor.packedA)
    try needB.check(b, isPacked: descriptor.packedB)
    try needC.check(count)
    try check(extras)
    var arguments = GemmArguments()
    arguments.alpha = alpha
    arguments.beta = beta
    arguments.a = a.base
    arguments.b = b.base
    arguments.c = c
    arguments.bias = extras.bias
    arguments.residual = extras.residual
    try run(arguments, extras, context)
  }

  /// The same over arrays of pointers, whose matrices nobody can check.
  func run(
    alpha: Double, a: UnsafeRawBufferPointer, b: UnsafeRawBufferPointer, beta: Double, c: UnsafeRawBufferPointer,
    residual: UnsafeRawBufferPointer?, extras: Extras, context: Context?
  ) throws(ApusError) {
    let descriptor = plan.descriptor
    guard descriptor.batchKind == .pointers else {
      throw .invalid("the plan's batch is strided: its run takes matrices, not arrays of pointers")
    }
    for (name, array) in [("a", a), ("b", b), ("c", c), ("residual", residual ?? c)] {
      let count = array.count / MemoryLayout<UnsafeRawPointer>.size
      if count < descriptor.batch {
        throw .invalid("\(name) has \(count) pointers, but the batch takes \(descriptor.batch)")
      }
    }
    try checkBias(extras)
    if (residual != nil) != descriptor.hasResidual { throw Self.unwanted("residual", descriptor.hasResidual) }
    var arguments = GemmArguments()
    arguments.alpha = alpha
    arguments.beta = beta
    arguments.a = a.baseAddress
    arguments.b = b.baseAddress
    arguments.c = UnsafeMutableRawPointer(mutating: c.baseAddress)
    arguments.bias = extras.bias
    arguments.residual = residual?.baseAddress
    try run(arguments, extras, context)
  }

  private func run(_ arguments: GemmArguments, _ extras: Extras, _ context: Context?) throws(ApusError) {
    var arguments = arguments
    arguments.scratch = extras.scratch?.baseAddress
    arguments.scratchBytes = extras.scratch?.count ?? 0
    let engine = try Context.resolve(context)
    try translatingErrors { () throws(ApusEngine.ApusError) in try plan.run(context: engine, arguments) }
  }

  private func check(_ extras: Extras) throws(ApusError) {
    let descriptor = plan.descriptor
    try checkBias(extras)
    if (extras.residualCount != nil) != descriptor.hasResidual {
      throw Self.unwanted("residual", descriptor.hasResidual)
    }
    if let count = extras.residualCount { try needResidual.check(count) }
  }

  private func checkBias(_ extras: Extras) throws(ApusError) {
    let descriptor = plan.descriptor
    if (extras.biasCount != nil) != (descriptor.bias != .none) { throw Self.unwanted("bias", descriptor.bias != .none) }
    let numbers = descriptor.bias == .byRow ? descriptor.m : descriptor.n
    if let count = extras.biasCount, count < numbers {
      throw .invalid("bias has \(count) elements, but the plan takes \(numbers)")
    }
  }

  private static func unwanted(_ name: String, _ isWanted: Bool) -> ApusError {
    .invalid(isWanted ? "\(name) is nil, but the plan adds one" : "\(name) is given, but the plan was made without one")
  }

  /// Packs an operand that the plan takes packed.
  func pack<Scalar: GemmScalar>(
    _ operand: ApusEngine.GemmOperand, _ source: Operand, leading: Int?, _ context: Context?
  ) throws(ApusError) -> PackedMatrix<Scalar> {
    var descriptor = plan.descriptor
    let isA = operand == .a
    let bytes = plan.packedBytes(operand)
    if bytes == 0 {
      throw .invalid("packed has no .\(isA ? "a" : "b"), but only what the plan takes packed can be packed for it")
    }
    if let leading { if isA { descriptor.lda = leading } else { descriptor.ldb = leading } }
    let need = isA ? Need(matrixA: descriptor, batch: 1) : Need(matrixB: descriptor, batch: 1)
    try need.check(source, isPacked: false)
    let engine = try Context.resolve(context)
    let packed = try PackedMatrix<Scalar>(operand, bytes: bytes, instructionSet: InstructionSet(plan.instructionSet))
    try translatingErrors { () throws(ApusEngine.ApusError) in
      try plan.pack(
        operand, source: source.base, leading: isA ? descriptor.lda : descriptor.ldb, into: packed.memory,
        capacity: bytes, context: engine)
    }
    return packed
  }
}

extension GemmCore {
  /// An operand without its type.
  @usableFromInline
  struct Operand {
    @usableFromInline var base: UnsafeRawPointer?
    @usableFromInline var count: Int
    @usableFromInline var isPacked: Bool

    @inlinable init<Scalar>(_ view: GemmOperandView<Scalar>) {
      base = view.base
      count = view.count
      isPacked = view.isPacked
    }
  }

  /// What most runs do without.
  @usableFromInline
  struct Extras {
    @usableFromInline var bias: UnsafeRawPointer?
    @usableFromInline var biasCount: Int?
    @usableFromInline var residual: UnsafeRawPointer?
    @usableFromInline var residualCount: Int?
    @usableFromInline var scratch: UnsafeMutableRawBufferPointer?

    @inlinable init<Scalar>(
      bias: UnsafeBufferPointer<Scalar>?, residual: UnsafeBufferPointer<Scalar>?,
      scratch: UnsafeMutableRawBufferPointer?
    ) {
      self.bias = UnsafeRawPointer(bias?.baseAddress)
      biasCount = bias?.count
      self.residual = UnsafeRawPointer(residual?.baseAddress)
      residualCount = residual?.count
      self.scratch = scratch
    }
  }
}

/// How many elements a matrix, or a batch of them, reaches over.
private struct Need: Sendable {
  let name: String
  /// Rows as they lie in memory, and their length.
  let rows: Int
  let length: Int
  let leading: Int
  let batch: Int
  let elements: Int

  init(matrixA d: GemmDescriptor, batch: Int) {
    let runsAlongK = d.transposeA != (d.order == .rowMajor)
    self.init("a", runsAlongK ? (d.m, d.k) : (d.k, d.m), d.lda, d.strideA, batch)
  }
  init(matrixB d: GemmDescriptor, batch: Int) {
    let runsAlongK = d.transposeB == (d.order == .rowMajor)
    self.init("b", runsAlongK ? (d.n, d.k) : (d.k, d.n), d.ldb, d.strideB, batch)
  }
  init(_ name: String, _ d: GemmDescriptor, leading: Int, stride: Int) {
    self.init(name, d.order == .rowMajor ? (d.m, d.n) : (d.n, d.m), leading, stride, d.batch)
  }

  private init(_ name: String, _ shape: (rows: Int, length: Int), _ leading: Int, _ stride: Int, _ batch: Int) {
    self.name = name
    (rows, length) = shape
    self.leading = leading
    self.batch = batch
    if rows <= 0 || length <= 0 || batch <= 0 {
      elements = 0
      return
    }
    // What overflows is more than any buffer has; the engine has refused it where it checks, and ignores it elsewhere.
    let (toLastRow, overflow) = leading.multipliedReportingOverflow(by: rows - 1)
    let (toLastMatrix, overflow2) = stride.multipliedReportingOverflow(by: batch - 1)
    let (start, overflow3) = toLastRow.addingReportingOverflow(toLastMatrix)
    let (end, overflow4) = start.addingReportingOverflow(length)
    elements = overflow || overflow2 || overflow3 || overflow4 ? Int.max : end
  }

  func check(_ operand: GemmCore.Operand, isPacked: Bool) throws(ApusError) {
    if operand.isPacked != isPacked {
      throw .invalid(
        isPacked
          ? "\(name) is not packed, but the plan takes a packed matrix"
          : "\(name) is packed, but the plan takes a matrix")
    }
    if !isPacked { try check(operand.count) }
  }

  func check(_ count: Int) throws(ApusError) {
    if count >= elements { return }
    throw .invalid(
      "\(name) has \(count) elements, but \(rows) rows of \(length), \(leading) apart"
        + (batch > 1 ? ", in a batch of \(batch)," : "") + " take \(elements)")
  }
}
