import ApusEngine
import ApusTestSupport
import Testing

/// A rule that a descriptor breaks, and what the message must contain.
struct BrokenRule: Sendable, CustomStringConvertible {
  var description: String
  var words: [String]
  var status = Status.invalidArgument
  var spoil: @Sendable (inout GemmDescriptor) -> Void

  init(
    _ description: String, _ words: [String], status: Status = .invalidArgument,
    _ spoil: @escaping @Sendable (inout GemmDescriptor) -> Void
  ) {
    self.description = description
    self.words = words
    self.status = status
    self.spoil = spoil
  }
}

/// Refusals of plans.
@Suite struct GemmPlanErrorTests {
  static let rules: [BrokenRule] = [
    BrokenRule("negative m", ["m is -1"]) { $0.m = -1 },
    BrokenRule("negative n", ["n is -7"]) { $0.n = -7 },
    BrokenRule("negative k", ["k is -3"]) { $0.k = -3 },
    BrokenRule("least m", ["m is \(Int.min)"]) { $0.m = .min },
    BrokenRule("negative batch", ["batch is -2"]) { $0.batch = -2 },
    BrokenRule("lda", ["lda is 5", "6"]) { $0.lda = 5 },
    BrokenRule("ldb", ["ldb is 4", "5"]) { $0.ldb = 4 },
    BrokenRule("ldc", ["ldc is 4", "5"]) { $0.ldc = 4 },
    BrokenRule("lda of a transposed A", ["lda is 3", "4"]) {
      $0.transposeA = true
      $0.lda = 3
    },
    BrokenRule("ldb of a transposed B", ["ldb is 5", "6"]) {
      $0.transposeB = true
      $0.ldb = 5
    },
    BrokenRule("ldc by columns", ["ldc is 3", "4"]) {
      $0.order = .columnMajor
      $0.ldb = 6
      $0.ldc = 3
    },
    BrokenRule("lda by columns", ["lda is 3", "4"]) {
      $0.order = .columnMajor
      $0.lda = 3
    },
    BrokenRule("leading dimension of an empty matrix", ["lda is 0", "1"]) {
      $0.k = 0
      $0.lda = 0
    },
    BrokenRule("negative leading dimension", ["ldc is -5"]) { $0.ldc = -5 },
    BrokenRule("ldr", ["ldr is 2", "5"]) {
      $0.hasResidual = true
      $0.ldr = 2
    },
    BrokenRule("negative stride of A", ["stride_a is -1"]) {
      $0.batch = 2
      $0.strideA = -1
      $0.strideC = 20
    },
    BrokenRule("negative stride of B", ["stride_b is -6"]) {
      $0.batch = 2
      $0.strideB = -6
      $0.strideC = 20
    },
    BrokenRule("negative stride of the residual", ["stride_residual is -6"]) {
      $0.batch = 2
      $0.strideC = 20
      $0.hasResidual = true
      $0.strideResidual = -6
    },
    BrokenRule("C shared by a batch", ["stride_c is 0", "20"]) { $0.batch = 2 },
    BrokenRule("matrices of C that overlap", ["stride_c is 19", "20"]) {
      $0.batch = 2
      $0.strideC = 19
    },
    BrokenRule("lines of C that overlap", ["stride_c is 5"]) {
      $0.batch = 3
      $0.strideC = 5
      $0.ldc = 14
    },
    BrokenRule("bytes of A", ["lda is \(1 << 61)"]) { $0.lda = 1 << 61 },
    BrokenRule("bytes of B", ["ldb is \(Int.max)"]) { $0.ldb = .max },
    BrokenRule("bytes of C", ["ldc is \(Int.max / 3)"]) { $0.ldc = .max / 3 },
    BrokenRule("bytes of a batch", ["batch \(Int.max)"]) {
      $0.batch = .max
      $0.strideC = 20
    },
    BrokenRule("m and n at most", ["63 bits"]) {
      $0.m = .max
      $0.n = .max
      $0.ldb = .max
      $0.ldc = .max
    },
    BrokenRule("stride that overflows", ["stride_a is \(Int.max)", "63 bits"]) {
      $0.batch = 3
      $0.strideA = .max
      $0.strideC = 20
    },
    BrokenRule("packed size", ["k is \(Int.max)", "63 bits"]) {
      $0.m = 0
      $0.n = 0
      $0.k = .max
      $0.packedA = true
      $0.packedB = true
    },
    BrokenRule("packed operand in a batch of pointers", ["batch_kind is pointers", "packed"]) {
      $0.packedB = true
      $0.batchKind = .pointers
    },
    BrokenRule("reserved type", ["dtype is bfloat16"], status: .unsupported) { $0.dataType = .bfloat16 },
    BrokenRule("integer type", ["dtype is int8"], status: .unsupported) { $0.dataType = .int8 },
  ]

  @Test(arguments: rules, gemmTypes)
  func brokenRulesAreNamed(_ rule: BrokenRule, _ type: DataType) throws {
    let context = try ExecutionContext()
    var d = GemmDescriptor(dataType: type, m: 4, n: 5, k: 6)
    rule.spoil(&d)
    let error = #expect(throws: ApusError.self) { try GemmPlan(d, context: context) }
    #expect(error?.status == rule.status)
    for word in rule.words { #expect(error?.message.contains(word) == true, "\(String(describing: error))") }
  }

  /// Legal, however odd: sizes that the arithmetic behind a plan must survive.
  @Test(arguments: Setting.all, gemmTypes)
  func extremesThatAreLegal(_ setting: Setting, _ type: DataType) throws {
    let context = try setting.context()
    let most = Int.max / type.size
    let shapes: [(Int, Int, Int)] = [
      (1, most, 1), (most, 1, 1), (1, 1, most), (1, most, 0), (most, 1, 0), (0, most, 0), (0, 0, most), (0, 5, most / 5),
      (1 << 30, 1 << 28, 1), (1, most / 40, 40), (40, most / 40, 1), (most / 40, 40, 1), (40, 40, most / 40),
    ]
    for (m, n, k) in shapes {
      for var d in allLayouts(type, m, n, k) {
        d.batch = m == 0 ? .max : 1
        let plan = try GemmPlan(d, context: context)
        #expect(plan.scratchBytes(context: context) >= 0)
        #expect(plan.threadsUsed(context: context) >= 1)
        #expect(plan.flops >= 0 && plan.bytes >= 0 && !plan.description.isEmpty)
        if m == 0 || n == 0 { try plan.run(context: context, a: nil, b: nil, c: nil) }
      }
    }
  }

  /// Where there is one line alone, its leading dimension is never used.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func leadingDimensionOfOneLine(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    for (m, n, k) in [(1, 70, 1), (70, 1, 1), (1, 1, 1), (1, 1, 70), (70, 70, 1), (1, 70, 70), (70, 1, 70), (9, 1, 5000)] {
      for d in allLayouts(type, m, n, k) {
        for field in [\GemmDescriptor.lda, \.ldb, \.ldc] {
          var odd = d
          odd[keyPath: field] = .max
          guard (try? GemmPlan(odd, context: context)) != nil else { continue }
          let trial = GemmTrial(odd, beta: 1)
          if let objection = trial.objection(to: try trial.run(context)) { Issue.record("\(objection)") }
        }
      }
    }
  }
}
