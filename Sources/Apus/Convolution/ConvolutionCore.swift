internal import ApusEngine

/// The engine's plans, one for each direction, and how many elements each buffer must have.
@usableFromInline
final class ConvolutionCore: Sendable {
  let descriptor: ConvolutionDescriptor
  let plans: [ConvolutionDirection: ConvolutionPlan]
  let instructionSet: ApusEngine.InstructionSet
  let outputShape: [Int]
  let counts: (x: Int, y: Int, weights: Int, channels: Int)
  let flops: Double

  init(
    _ descriptor: ConvolutionDescriptor, _ directions: Set<ConvolutionDirection>, _ context: ExecutionContext
  ) throws(ApusError) {
    if directions.isEmpty { throw .invalid("directions is empty, but a plan computes something") }
    self.descriptor = descriptor
    instructionSet = context.instructionSet
    var plans: [ConvolutionDirection: ConvolutionPlan] = [:]
    for direction in ConvolutionDirection.allCases where directions.contains(direction) {
      var own = descriptor
      // A gradient is an array of the caller's: what is packed is what runs read.
      if direction == .backwardWeights { own.packedWeights = false }
      plans[direction] = try translatingErrors { () throws(ApusEngine.ApusError) in
        try ConvolutionPlan(own, direction: direction.engine, context: context)
      }
    }
    self.plans = plans
    // Any plan has checked that these do not overflow.
    let output = try translatingErrors { () throws(ApusEngine.ApusError) in try descriptor.outputSize() }
    outputShape = descriptor.window.dimensions.map { output[$0] }
    counts = (
      descriptor.batch * descriptor.inputChannels * descriptor.window.input.product,
      descriptor.batch * descriptor.outputChannels * output.product,
      descriptor.inputChannels / descriptor.groups * descriptor.outputChannels * descriptor.window.window.product,
      descriptor.outputChannels
    )
    flops = plans.values.first?.flops ?? 0
  }

  func plan(_ direction: ConvolutionDirection) throws(ApusError) -> ConvolutionPlan {
    if let plan = plans[direction] { return plan }
    let known = ConvolutionDirection.allCases.filter { plans[$0] != nil }.map { ".\($0)" }.joined(separator: ", ")
    throw .invalid("direction is .\(direction), but the plan was made for \(known)")
  }

  func algorithms(_ direction: ConvolutionDirection) throws(ApusError) -> [ApusEngine.ConvolutionAlgorithm] {
    try translatingErrors { () throws(ApusEngine.ApusError) in
      let context = try ExecutionContext(instructionSet: instructionSet, backend: .serial, threads: 1)
      return try ConvolutionPlan.algorithms(descriptor, direction: direction.engine, context: context)
    }
  }

  @usableFromInline
  func forward(
    _ x: GemmCore.Operand, _ weights: GemmCore.Operand, _ y: UnsafeMutableRawPointer?, count: Int, accumulates: Bool,
    extras: GemmCore.Extras, context: Context?
  ) throws(ApusError) {
    let plan = try plan(.forward)
    try Self.check("x", x, counts.x)
    try check(weights)
    try Self.check("y", count, counts.y)
    if (extras.biasCount != nil) != descriptor.hasBias { throw Self.unwanted("bias", descriptor.hasBias) }
    if (extras.residualCount != nil) != descriptor.hasResidual {
      throw Self.unwanted("residual", descriptor.hasResidual)
    }
    if let given = extras.biasCount { try Self.check("bias", given, counts.channels) }
    if let given = extras.residualCount { try Self.check("residual", given, counts.y) }
    var arguments = ConvolutionArguments()
    arguments.x = x.base
    arguments.weights = weights.base
    arguments.y = y
    arguments.bias = extras.bias
    arguments.residual = extras.residual
    arguments.accumulate = accumulates
    try run(plan, arguments, extras.scratch, context)
  }

  @usableFromInline
  func backwardData(
    _ dy: GemmCore.Operand, _ weights: GemmCore.Operand, _ dx: UnsafeMutableRawPointer?, count: Int, accumulates: Bool,
    scratch: UnsafeMutableRawBufferPointer?, context: Context?
  ) throws(ApusError) {
    let plan = try plan(.backwardData)
    try Self.check("dy", dy, counts.y)
    try check(weights)
    try Self.check("dx", count, counts.x)
    var arguments = ConvolutionArguments()
    arguments.dy = dy.base
    arguments.weights = weights.base
    arguments.dx = dx
    arguments.accumulate = accumulates
    try run(plan, arguments, scratch, context)
  }

  @usableFromInline
  func backwardWeights(
    _ x: GemmCore.Operand, _ dy: GemmCore.Operand, _ dw: UnsafeMutableRawBufferPointer,
    _ db: UnsafeMutableRawBufferPointer?,
    accumulates: Bool, scratch: UnsafeMutableRawBufferPointer?, context: Context?
  ) throws(ApusError) {
    let plan = try plan(.backwardWeights)
    let size = descriptor.dataType.size
    try Self.check("x", x, counts.x)
    try Self.check("dy", dy, counts.y)
    try Self.check("dw", dw.count / size, counts.weights)
    if (db != nil) != descriptor.hasBias { throw Self.unwanted("bias", descriptor.hasBias) }
    if let db { try Self.check("bias", db.count / size, counts.channels) }
    var arguments = ConvolutionArguments()
    arguments.x = x.base
    arguments.dy = dy.base
    arguments.dw = dw.baseAddress
    arguments.db = db?.baseAddress
    arguments.accumulate = accumulates
    try run(plan, arguments, scratch, context)
  }

  func pack<Scalar: GemmScalar>(
    _ weights: GemmCore.Operand, _ direction: ConvolutionDirection, _ context: Context?
  ) throws(ApusError) -> PackedWeights<Scalar> {
    if !descriptor.packedWeights {
      throw .invalid("takesPackedWeights is false, but only what the plan takes packed can be packed for it")
    }
    if direction == .backwardWeights {
      throw .invalid("direction is .backwardWeights, but that reads no weights")
    }
    let plan = try plan(direction)
    try Self.check("weights", weights, counts.weights)
    let engine = try Context.resolve(context)
    let packed = try PackedWeights<Scalar>(
      bytes: plan.packedWeightBytes, direction: direction, instructionSet: InstructionSet(instructionSet))
    try translatingErrors { () throws(ApusEngine.ApusError) in
      try plan.packWeights(weights.base, into: packed.memory, capacity: packed.byteCount, context: engine)
    }
    return packed
  }

  private func run(
    _ plan: ConvolutionPlan, _ arguments: ConvolutionArguments, _ scratch: UnsafeMutableRawBufferPointer?,
    _ context: Context?
  ) throws(ApusError) {
    var arguments = arguments
    arguments.scratch = scratch?.baseAddress
    arguments.scratchBytes = scratch?.count ?? 0
    let engine = try Context.resolve(context)
    try translatingErrors { () throws(ApusEngine.ApusError) in try plan.run(context: engine, arguments) }
  }

  /// Weights are of the kind that the plan takes. The engine looks at packed ones' header.
  private func check(_ weights: GemmCore.Operand) throws(ApusError) {
    if weights.isPacked != descriptor.packedWeights {
      throw .invalid(
        descriptor.packedWeights
          ? "weights are not packed, but the plan takes packed ones" : "weights are packed, but the plan takes an array"
      )
    }
    if !weights.isPacked { try Self.check("weights", weights, counts.weights) }
  }

  private static func check(_ name: String, _ operand: GemmCore.Operand, _ needed: Int) throws(ApusError) {
    if operand.isPacked { throw .invalid("\(name) is packed, but the plan takes a tensor") }
    try check(name, operand.count, needed)
  }

  private static func check(_ name: String, _ count: Int, _ needed: Int) throws(ApusError) {
    if count < needed { throw .invalid("\(name) has \(count) elements, but the plan takes \(needed)") }
  }

  private static func unwanted(_ name: String, _ isWanted: Bool) -> ApusError {
    .invalid(isWanted ? "\(name) is nil, but the plan adds one" : "\(name) is given, but the plan was made without one")
  }
}
