import ApusEngine

extension ConvolutionTrial {
  /// The weights as they were, and after they were packed and unpacked.
  public func packAndUnpack(_ plan: ConvolutionPlan, _ context: ExecutionContext) throws -> ([Double], [Double]) {
    let packed = TestMemory(bytes: plan.packedWeightBytes, .beforeGuard)
    let back = TestMemory(bytes: memory[.weights]!.count, .beforeGuard)
    back.fill(0xff)
    try plan.packWeights(
      UnsafeRawPointer(memory[.weights]!.base), into: packed.base, capacity: packed.count, context: context)
    try plan.unpackWeights(UnsafeRawPointer(packed.base), into: back.base, context: context)
    let after = (0..<count(.weights)).map { descriptor.dataType.load(back.base, $0) }
    return (canonical(.weights), after)
  }

  /// Runs a backward plan by weights, subtracts its packed gradient from the packed weights element for element, and runs
  /// this trial's problem with them. nil where the result is that of weights which were updated unpacked.
  public func objectionToPackedUpdate(gradient d: ConvolutionDescriptor, _ context: ExecutionContext) throws -> String?
  {
    let type = descriptor.dataType
    let backward = ConvolutionTrial(d, .backwardWeights, seed: 77)
    let gradients = try ConvolutionPlan(d, direction: .backwardWeights, context: context)
    let plan = try ConvolutionPlan(descriptor, direction: direction, context: context)
    if gradients.packedWeightBytes != plan.packedWeightBytes { return "\(self): forms of different sizes" }
    let packed = TestMemory(bytes: plan.packedWeightBytes)
    try plan.packWeights(
      UnsafeRawPointer(memory[.weights]!.base), into: packed.base, capacity: packed.count, context: context)
    let dw = TestMemory(bytes: plan.packedWeightBytes)
    dw.fill(0xff)
    var arguments = ConvolutionArguments()
    arguments.x = UnsafeRawPointer(backward.memory[.x]!.base)
    arguments.dy = UnsafeRawPointer(backward.memory[.dy]!.base)
    arguments.dw = dw.base
    arguments.db = backward.memory[.db]?.base
    try gradients.run(context: context, arguments)
    for i in 64 / type.size..<packed.count / type.size {
      type.store(type.load(packed.base, i) - type.load(dw.base, i), packed.base, i)
    }
    // The same on the weights as the framework has them.
    let plainGradient = TestMemory(bytes: memory[.weights]!.count)
    try gradients.unpackWeights(UnsafeRawPointer(dw.base), into: plainGradient.base, context: context)
    for i in 0..<count(.weights) { self[.weights, i] -= type.load(plainGradient.base, i) }
    let expected = try run(plan, context)

    var results: [ConvolutionData: TestMemory] = [:]
    var run = ConvolutionArguments()
    let result = memory[self.results[0]]!.copy(.offset(0))
    results[self.results[0]] = result
    run.x = memory[.x].map { UnsafeRawPointer($0.base) }
    run.dy = memory[.dy].map { UnsafeRawPointer($0.base) }
    run.bias = memory[.bias].map { UnsafeRawPointer($0.base) }
    run.weights = UnsafeRawPointer(packed.base)
    if direction == .forward { run.y = result.base } else { run.dx = result.base }
    try plan.run(context: context, run)
    return difference(expected, ConvolutionOutcome(results: results, damage: nil))
  }
}
