import ApusEngine
import ApusKernelInterface
import ApusTestSupport
import Testing

/// Refusals of runs and of packing: status, a message that names argument and value, nothing written. An empty batch needs
/// no data.
@Suite struct ConvolutionRunErrorTests {
  private func layer(_ type: DataType, _ change: (inout ConvolutionDescriptor) -> Void = { _ in })
    -> ConvolutionDescriptor
  {
    var d = ConvolutionDescriptor.plane(type, batch: 2, channels: 4, height: 7, width: 6, filters: 5, kernel: 3, pad: 1)
    d.hasBias = true
    d.hasResidual = true
    change(&d)
    return d
  }

  @Test(arguments: InstructionSet.available, gemmTypes)
  func missingData(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    func expect(
      _ direction: ConvolutionDirection, _ words: [String], _ spoil: (inout ConvolutionArguments) -> Void
    ) throws {
      for d in try layer(type).withEachAlgorithm(direction, context) {
        let trial = ConvolutionTrial(d, direction, accumulate: true)
        let plan = try ConvolutionPlan(d, direction: direction, context: context)
        let error = try trial.refusal(plan, context, spoil)
        #expect(error.status == .invalidArgument)
        for word in words { #expect(error.message.contains(word), "\(error)") }
      }
    }
    try expect(.forward, ["x is NULL", "2 x 4 x 7 x 6"]) { $0.x = nil }
    try expect(.forward, ["weights is NULL", "180"]) { $0.weights = nil }
    try expect(.forward, ["y is NULL", "2 x 5 x 7 x 6"]) { $0.y = nil }
    try expect(.forward, ["bias is NULL", "5"]) { $0.bias = nil }
    try expect(.forward, ["residual is NULL", "2 x 5 x 7 x 6"]) { $0.residual = nil }
    try expect(.backwardData, ["dy is NULL", "2 x 5 x 7 x 6"]) { $0.dy = nil }
    try expect(.backwardData, ["dx is NULL", "2 x 4 x 7 x 6"]) { $0.dx = nil }
    try expect(.backwardData, ["weights is NULL", "180"]) { $0.weights = nil }
    try expect(.backwardWeights, ["x is NULL", "2 x 4 x 7 x 6"]) { $0.x = nil }
    try expect(.backwardWeights, ["dy is NULL", "2 x 5 x 7 x 6"]) { $0.dy = nil }
    try expect(.backwardWeights, ["dw is NULL", "180"]) { $0.dw = nil }
    try expect(.backwardWeights, ["db is NULL", "5"]) { $0.db = nil }
  }

  @Test(arguments: gemmTypes, ConvolutionDirection.allCases)
  func scratchTooSmall(_ type: DataType, _ direction: ConvolutionDirection) throws {
    let context = try ExecutionContext(threads: 2)
    for d in try layer(type).withEachAlgorithm(direction, context) {
      let plan = try ConvolutionPlan(d, direction: direction, context: context)
      let needed = plan.scratchBytes(context: context)
      for bytes in [0, 1, needed - 1] {
        let scratch = TestMemory(bytes: max(1, bytes), .beforeGuard)
        let error = try ConvolutionTrial(d, direction).refusal(plan, context) {
          $0.scratch = scratch.base
          $0.scratchBytes = bytes
        }
        #expect(error.status == .invalidArgument)
        #expect(error.message.contains("scratch_bytes is \(bytes),") && error.message.contains("\(needed)"), "\(error)")
      }
    }
  }

  /// Nothing to do forward and by data, which needs no pointer; the gradient of an empty batch is zero, or what it was.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func emptyBatch(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    for packed in [false, true] {
      for transposed in [false, true] {
        let problem = layer(type) {
          $0.batch = 0
          $0.packedWeights = packed
          $0.isTransposed = transposed
        }
        for direction in [ConvolutionDirection.forward, .backwardData] {
          for d in try problem.withEachAlgorithm(direction, context) {
            try ConvolutionPlan(d, direction: direction, context: context).run(context: context, ConvolutionArguments())
          }
        }
        for d in try problem.withEachAlgorithm(.backwardWeights, context) {
          for accumulate in [false, true] {
            let trial = ConvolutionTrial(d, .backwardWeights, accumulate: accumulate)
            if let objection = trial.objection(to: try trial.run(context)) { Issue.record("\(objection)") }
            if packed { continue }
            // x and dy have no elements, so they may be NULL.
            let plan = try ConvolutionPlan(d, direction: .backwardWeights, context: context)
            var results = [Double](repeating: 7, count: 200)
            try results.withUnsafeMutableBytes { bytes in
              var arguments = ConvolutionArguments()
              arguments.accumulate = accumulate
              arguments.dw = bytes.baseAddress
              arguments.db = bytes.baseAddress! + 190 * 8
              try plan.run(context: context, arguments)
            }
            #expect(results[0] == (accumulate ? 7 : 0) && results[190] == (accumulate ? 7 : 0) && results[189] == 7)
          }
        }
      }
    }
  }

  /// Weights that were packed for another plan, each with the word that says what differs.
  @Test(arguments: InstructionSet.available)
  func packedForSomethingElse(_ set: InstructionSet) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    let plain = layer(.float32) {
      $0.packedWeights = true
      $0.algorithm = .direct
    }
    func packed(_ d: ConvolutionDescriptor, _ direction: ConvolutionDirection, _ context: ExecutionContext) throws
      -> TestMemory
    {
      let plan = try ConvolutionPlan(d, direction: direction, context: context)
      let buffer = TestMemory(bytes: max(plan.packedWeightBytes, 1 << 16))
      let source = TestMemory(bytes: 1 << 16)
      try plan.packWeights(UnsafeRawPointer(source.base), into: buffer.base, capacity: buffer.count, context: context)
      return buffer
    }
    var others: [(String, ConvolutionDescriptor, ConvolutionDirection, ConvolutionDirection, ExecutionContext)] = []
    func add(
      _ word: String, _ user: ConvolutionDirection = .forward, _ maker: ConvolutionDirection = .forward,
      _ change: (inout ConvolutionDescriptor) -> Void
    ) {
      var d = plain
      change(&d)
      others.append((word, d, maker, user, context))
    }
    add("6 x 4") { $0.outputChannels = 6 }
    add("5 x 3") { $0.inputChannels = 3 }
    add("3 x 2") { $0.window.window.width = 2 }
    add("float64") { $0.dataType = .float64 }
    add("backward by data", .forward, .backwardData) { _ in }
    add("forward", .backwardData, .forward) { _ in }
    add("stride", .backwardData, .backwardData) { $0.window.stride = Extents(1, 2, 2) }
    for other in InstructionSet.available where other != set {
      others.append((other.name, plain, .forward, .forward, try ExecutionContext(instructionSet: other)))
    }
    for (word, d, maker, user, makerContext) in others {
      let buffer = try packed(d, maker, makerContext)
      let error = try ConvolutionTrial(plain, user).refusal(
        ConvolutionPlan(plain, direction: user, context: context), context
      ) { $0.weights = UnsafeRawPointer(buffer.base) }
      #expect(error.status == .mismatch)
      #expect(error.message.hasPrefix("weights was packed") && error.message.contains(word), "\(error)")
    }
    // Padding and dilation belong to the form backward by data where the stride leaves remainders.
    let strided = layer(.float32) {
      $0.packedWeights = true
      $0.algorithm = .direct
      $0.window.stride = Extents(1, 2, 2)
    }
    for change in [
      { @Sendable (d: inout ConvolutionDescriptor) in d.window.padBefore.width = 2 },
      { @Sendable (d: inout ConvolutionDescriptor) in d.window.dilation.height = 2 },
    ] {
      var d = strided
      change(&d)
      let buffer = try packed(d, .backwardData, context)
      let error = try ConvolutionTrial(strided, .backwardData).refusal(
        ConvolutionPlan(strided, direction: .backwardData, context: context), context
      ) { $0.weights = UnsafeRawPointer(buffer.base) }
      #expect(error.status == .mismatch && error.message.contains("stride, dilation or padding"), "\(error)")
    }

    // Not packed at all: the weights themselves, and a buffer whose header is damaged byte by byte.
    let plan = try ConvolutionPlan(plain, direction: .forward, context: context)
    let trial = ConvolutionTrial(plain, .forward)
    let raw = try trial.refusal(plan, context) { _ in }
    #expect(raw.status == .mismatch && raw.message.contains("not a packed operand"))
    let good = try packed(plain, .forward, context)
    for damaged in 0..<64 {
      let byte = good.base.load(fromByteOffset: damaged, as: UInt8.self)
      good.base.storeBytes(of: byte ^ 0x41, toByteOffset: damaged, as: UInt8.self)
      let error = try trial.refusal(plan, context) { $0.weights = UnsafeRawPointer(good.base) }
      #expect(error.status == .mismatch, "byte \(damaged): \(error)")
      good.base.storeBytes(of: byte, toByteOffset: damaged, as: UInt8.self)
    }
    // A gradient that is added to must be one; one that is overwritten need not.
    let gradient = try ConvolutionTrial(plain, .backwardWeights, accumulate: true).refusal(
      ConvolutionPlan(plain, direction: .backwardWeights, context: context), context
    ) { _ in }
    #expect(gradient.status == .mismatch && gradient.message.hasPrefix("dw is not a packed"), "\(gradient)")
  }

  /// Plans of other batches, sizes, strides, epilogues and layouts share packed weights, forward.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func packedForAnotherSize(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    let problem = layer(type) { $0.packedWeights = true }
    for d in try problem.withEachAlgorithm(.forward, context) {
      let plan = try ConvolutionPlan(d, direction: .forward, context: context)
      var other = d
      other.batch = 3
      other.window.input = Extents(1, 12, 9)
      other.window.padBefore = Extents(repeating: 0)
      other.hasResidual = false
      other.activation = .relu
      guard let algorithm = d.algorithm,
        try ConvolutionPlan.algorithms(other, direction: .forward, context: context).contains(algorithm)
      else { continue }
      let buffer = TestMemory(bytes: plan.packedWeightBytes)
      let weights = TestMemory(bytes: 180 * type.size)
      try plan.packWeights(UnsafeRawPointer(weights.base), into: buffer.base, capacity: buffer.count, context: context)
      try ConvolutionPlan(other, direction: .forward, context: context).unpackWeights(
        UnsafeRawPointer(buffer.base), into: weights.base, context: context)
    }
  }

  @Test(arguments: gemmTypes)
  func refusalsOfPacking(_ type: DataType) throws {
    let context = try ExecutionContext()
    for d in try layer(type).withEachAlgorithm(.forward, context) {
      let plan = try ConvolutionPlan(d, direction: .forward, context: context)
      let bytes = plan.packedWeightBytes
      #expect(bytes >= 180 * type.size)
      let source = TestMemory(bytes: 180 * type.size)
      let from = UnsafeRawPointer(source.base)
      let room = TestMemory(bytes: bytes)
      let untouched = TestMemory(bytes: bytes)
      func expect(_ status: Status, _ words: [String], _ pack: () throws -> Void) {
        let error = #expect(throws: ApusError.self) { try pack() }
        #expect(error?.status == status)
        for word in words { #expect(error?.message.contains(word) == true, "\(String(describing: error))") }
        #expect(room.isEqual(to: untouched), "a refusal wrote")
      }
      expect(.invalidArgument, ["weights is NULL", "180"]) {
        try plan.packWeights(nil, into: room.base, capacity: bytes, context: context)
      }
      expect(.invalidArgument, ["packed is NULL", "\(bytes)"]) {
        try plan.packWeights(from, into: nil, capacity: bytes, context: context)
      }
      expect(.invalidArgument, ["packed_bytes is \(bytes - 1)", "\(bytes)"]) {
        try plan.packWeights(from, into: room.base, capacity: bytes - 1, context: context)
      }
      expect(.invalidArgument, ["packed is NULL"]) {
        try plan.unpackWeights(nil, into: room.base, context: context)
      }
      expect(.invalidArgument, ["weights is NULL"]) {
        try plan.unpackWeights(UnsafeRawPointer(room.base), into: nil, context: context)
      }
      expect(.mismatch, ["packed is not a packed"]) {
        try plan.unpackWeights(UnsafeRawPointer(untouched.base), into: room.base, context: context)
      }
    }
  }
}
