import ApusEngine
import ApusTestSupport
import Testing

/// Refusals of runs and of packing: status, a message that names argument and value, nothing written.
@Suite struct GemmRunErrorTests {
  static let shapes = [(4, 5, 6), (40, 50, 60), (1, 50, 60), (50, 1, 60), (4, 5, 5000)]

  @Test(arguments: InstructionSet.available, gemmTypes)
  func missingData(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    for (m, n, k) in Self.shapes {
      var d = GemmDescriptor(dataType: type, m: m, n: n, k: k)
      func expect(_ name: String, _ number: String, _ spoil: (inout GemmArguments) -> Void) throws {
        let trial = GemmTrial(d, beta: 1)
        let error = try trial.refusal(GemmPlan(d, context: context), context, spoil)
        #expect(error.status == .invalidArgument)
        #expect(error.message.contains("\(name) is NULL") && error.message.contains(number), "\(error)")
      }
      try expect("a", "\(m) x \(k)") { $0.a = nil }
      try expect("b", "\(k) x \(n)") { $0.b = nil }
      try expect("c", "\(m) x \(n)") { $0.c = nil }
      d.bias = .byColumn
      try expect("bias", "\(n)") { $0.bias = nil }
      d.bias = .none
      d.hasResidual = true
      try expect("residual", "residual") { $0.residual = nil }
    }
  }

  /// One entry of an array of pointers, after others that are right.
  @Test(arguments: gemmTypes)
  func missingMatrixOfABatch(_ type: DataType) throws {
    let context = try ExecutionContext(threads: 2)
    var d = GemmDescriptor(dataType: type, m: 4, n: 5, k: 6)
    d.batch = 3
    d.batchKind = .pointers
    d.hasResidual = true
    let plan = try GemmPlan(d, context: context)
    let data = [UInt8](repeating: 0, count: 30 * type.size)
    for name in ["a", "b", "c", "residual"] {
      data.withUnsafeBytes { bytes in
        let whole: [UnsafeRawPointer?] = [bytes.baseAddress, bytes.baseAddress, bytes.baseAddress]
        var holed = whole
        holed[2] = nil
        whole.withUnsafeBytes { whole in
          holed.withUnsafeBytes { holed in
            var arguments = GemmArguments()
            arguments.a = (name == "a" ? holed : whole).baseAddress
            arguments.b = (name == "b" ? holed : whole).baseAddress
            arguments.c = UnsafeMutableRawPointer(mutating: (name == "c" ? holed : whole).baseAddress)
            arguments.residual = (name == "residual" ? holed : whole).baseAddress
            let error = #expect(throws: ApusError.self) { try plan.run(context: context, arguments) }
            #expect(error?.status == .invalidArgument)
            #expect(error?.message.contains("\(name)[2] is NULL") == true, "\(String(describing: error))")
          }
        }
      }
    }
  }

  /// A plan for (m, n, k) and what it was handed, packed for something else.
  @Test(arguments: GemmOperand.allCases, MatrixOrder.allCases)
  func packedForSomethingElse(_ operand: GemmOperand, _ order: MatrixOrder) throws {
    let set = InstructionSet.available[0]
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    func descriptor(_ type: DataType, _ m: Int, _ n: Int, _ k: Int, _ operand: GemmOperand) -> GemmDescriptor {
      var d = GemmDescriptor(dataType: type, m: m, n: n, k: k, transposeA: false, transposeB: false, order: order)
      d.packedA = operand == .a
      d.packedB = operand == .b
      return d
    }
    let d = descriptor(.float32, 40, 30, 20, operand)
    let plan = try GemmPlan(d, context: context)
    let trial = GemmTrial(d)
    var others: [(String, GemmDescriptor, ExecutionContext)] = [
      ("k 21", descriptor(.float32, 40, 30, 21, operand), context),
      ("41", descriptor(.float32, 41, 30, 20, operand), context),
      ("31", descriptor(.float32, 40, 31, 20, operand), context),
      ("float64", descriptor(.float64, 40, 30, 20, operand), context),
      // The same number of lines, but for the other side of the tile.
      ("k 20", descriptor(.float32, 30, 40, 20, operand == .a ? .b : .a), context),
    ]
    // The other size is not part of the packed operand.
    others.remove(at: operand == .a ? 2 : 1)
    for other in InstructionSet.available where other != set {
      others.append((other.name, d, try ExecutionContext(instructionSet: other)))
    }
    for (word, other, otherContext) in others {
      let buffer = try packed(other, otherContext)
      let error = try trial.refusal(plan, context) {
        if operand == .a { $0.a = UnsafeRawPointer(buffer.base) } else { $0.b = UnsafeRawPointer(buffer.base) }
      }
      #expect(error.status == .mismatch)
      #expect(error.message.hasPrefix(operand == .a ? "a was packed" : "b was packed"), "\(error)")
      #expect(error.message.contains(word), "\(error)")
    }
    // Not packed at all: the matrix itself, and a buffer whose header is damaged byte by byte.
    let good = try packed(d, context)
    for damaged in 0..<64 {
      let byte = good.base.load(fromByteOffset: damaged, as: UInt8.self)
      good.base.storeBytes(of: byte ^ 0x41, toByteOffset: damaged, as: UInt8.self)
      let error = try trial.refusal(plan, context) {
        if operand == .a { $0.a = UnsafeRawPointer(good.base) } else { $0.b = UnsafeRawPointer(good.base) }
      }
      #expect(error.status == .mismatch, "byte \(damaged): \(error)")
      good.base.storeBytes(of: byte, toByteOffset: damaged, as: UInt8.self)
    }
    let raw = try trial.refusal(plan, context) { _ in }
    #expect(raw.status == .mismatch && raw.message.contains("not a packed operand"))
  }

  private func packed(_ d: GemmDescriptor, _ context: ExecutionContext) throws -> TestMemory {
    let plan = try GemmPlan(d, context: context)
    let operand = d.packedA ? GemmOperand.a : .b
    let buffer = TestMemory(bytes: plan.packedBytes(operand))
    let source = TestMemory(bytes: 64 * 64 * 8)
    try plan.pack(
      operand, source: UnsafeRawPointer(source.base), leading: 64, into: buffer.base, capacity: buffer.count,
      context: context)
    return buffer
  }

  @Test(arguments: gemmTypes)
  func refusalsOfPacking(_ type: DataType) throws {
    let context = try ExecutionContext()
    var d = GemmDescriptor(dataType: type, m: 40, n: 30, k: 20)
    d.packedB = true
    let plan = try GemmPlan(d, context: context)
    let bytes = plan.packedBytes(.b)
    #expect(bytes >= 30 * 20 * type.size && plan.packedBytes(.a) == 0)
    let source = TestMemory(bytes: 30 * 20 * type.size)
    let from = UnsafeRawPointer(source.base)
    func expect(_ words: [String], _ pack: () throws -> Void) {
      let error = #expect(throws: ApusError.self) { try pack() }
      #expect(error?.status == .invalidArgument)
      for word in words { #expect(error?.message.contains(word) == true, "\(String(describing: error))") }
    }
    let room = [UInt8](repeating: 7, count: bytes)
    room.withUnsafeBytes { contents in
      let room = UnsafeMutableRawPointer(mutating: contents.baseAddress!)
      expect(["operand is A", "PACKED"]) {
        try plan.pack(.a, source: from, leading: 20, into: room, capacity: bytes, context: context)
      }
      expect(["packed is NULL", "\(bytes)"]) {
        try plan.pack(.b, source: from, leading: 30, into: nil, capacity: bytes, context: context)
      }
      expect(["packed_bytes is \(bytes - 1)", "\(bytes)"]) {
        try plan.pack(.b, source: from, leading: 30, into: room, capacity: bytes - 1, context: context)
      }
      expect(["ld is 29", "30"]) {
        try plan.pack(.b, source: from, leading: 29, into: room, capacity: bytes, context: context)
      }
      expect(["ld is \(Int.max)"]) {
        try plan.pack(.b, source: from, leading: .max, into: room, capacity: bytes, context: context)
      }
      expect(["source is NULL", "30", "20"]) {
        try plan.pack(.b, source: nil, leading: 30, into: room, capacity: bytes, context: context)
      }
    }
    #expect(room.allSatisfy { $0 == 7 }, "a refusal wrote into the packed buffer")
  }
}
