import ApusEngine
import ApusKernelInterface
import ApusTestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

@Suite struct OptimizerTests {
  /// One element's update as the papers have it.
  private func update(
    _ o: Optimizer, _ p: inout Double, _ gradient: Double, _ s: inout Double, _ q: inout Double
  ) {
    var g = min(o.limit, max(-o.limit, gradient * o.gradientScale))
    if o.kind == .adamW { p -= o.rate * o.decay * p } else { g += o.decay * p }
    switch o.kind {
    case .sgd:
      if o.momentum == 0 { return p -= o.rate * g }
      s = o.step == 1 ? g : o.momentum * s + (1 - o.dampening) * g
      p -= o.rate * (o.isNesterov ? g + o.momentum * s : s)
    case .adagrad:
      q += g * g
      p -= o.rate * g / (q.squareRoot() + o.epsilon)
    case .rmsProp:
      q = o.beta2 * q + (1 - o.beta2) * g * g
      let step = g / (q.squareRoot() + o.epsilon)
      if o.momentum == 0 { return p -= o.rate * step }
      s = o.momentum * s + step
      p -= o.rate * s
    case .adam, .adamW:
      s = o.beta1 * s + (1 - o.beta1) * g
      q = o.beta2 * q + (1 - o.beta2) * g * g
      let m = s / (1 - pow(o.beta1, Double(o.step)))
      let v = q / (1 - pow(o.beta2, Double(o.step)))
      p -= o.rate * m / (v.squareRoot() + o.epsilon)
    }
  }

  @Test(arguments: InstructionSet.available, gemmTypes)
  func updates(_ set: InstructionSet, _ type: DataType) throws {
    let contexts = try Setting.of(set).map { try $0.context() }
    var random = Randomness(seed: 21)
    let counts = [1, 0, 37, 9000, 20_000]
    for kind in OptimizerKind.allCases {
      for variant in 0..<4 {
        var o = Optimizer(kind, dataType: type, rate: 0.01)
        if variant > 0 { (o.momentum, o.decay, o.limit) = (0.9, 0.02, 0.7) }
        o.isNesterov = variant == 2
        o.dampening = variant == 3 ? 0.3 : 0
        o.gradientScale = 0.5
        let starts = counts.map { random.reals($0, type) }
        let gradients = counts.map { RealArray(type, random.reals($0, type, scale: 2)) }
        var expected: [[UInt8]]?
        for context in variant == 1 ? contexts : [contexts[0]] {
          let p = starts.map { RealArray(type, $0) }
          let s = counts.map { RealArray(type, [Double](repeating: 0, count: $0)) }
          let q = counts.map { RealArray(type, [Double](repeating: 0, count: $0)) }
          var wanted = starts
          var states = counts.map { [Double](repeating: 0, count: $0) }
          var squares = states
          for step in 1...3 {
            o.step = step
            try o.run(context: context, count: counts.count) { i in
              OptimizerTensor(
                count: counts[i], parameters: p[i].pointer, gradients: gradients[i].pointer, first: s[i].pointer,
                second: q[i].pointer)
            }
            for i in counts.indices {
              for k in 0..<counts[i] { update(o, &wanted[i][k], gradients[i][k], &states[i][k], &squares[i][k]) }
            }
          }
          for i in counts.indices {
            #expect(firstDifference(p[i], wanted[i], within: { _ in type.epsilon * 200 }) == nil, "\(set) \(o)")
          }
          let bytes = p.map(\.bytes)
          #expect(expected == nil || bytes == expected, "\(context.backend)")
          expected = bytes
        }
      }
    }
  }

  @Test(arguments: InstructionSet.available, gemmTypes)
  func norms(_ set: InstructionSet, _ type: DataType) throws {
    var random = Randomness(seed: 22)
    let arrays = [3, 0, 17, 30_000].map { RealArray(type, random.reals($0, type)) }
    let wanted = arrays.reduce(0.0) { $0 + $1.values.reduce(0) { $0 + $1 * $1 } }.squareRoot()
    func norm(_ context: ExecutionContext) throws -> Double {
      try Clipping.norm(type, context: context, count: arrays.count) {
        (arrays[$0].count, UnsafeRawPointer(arrays[$0].pointer))
      }
    }
    var first: Double?
    for setting in Setting.of(set) {
      let value = try norm(setting.context())
      #expect(abs(value - wanted) < wanted * type.epsilon * 40 && (first == nil || first == value), "\(setting)")
      first = value
    }
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    // Squares that overflow float32.
    arrays[2][5] = 1e30
    #expect(abs(try norm(context) - 1e30) < 1e24)
    arrays[2][5] = .infinity
    #expect(try norm(context) == .infinity)
    arrays[3][29_999] = .nan
    #expect(try norm(context).isNaN)
  }

  @Test func mistakesAreNamed() throws {
    let context = try ExecutionContext(backend: .serial, threads: 1)
    let p = RealArray(.float32, [1, 2])
    func message(_ kind: OptimizerKind, _ change: (inout Optimizer) -> Void) -> String {
      var o = Optimizer(kind, dataType: .float32, rate: 0.1)
      change(&o)
      let error = #expect(throws: ApusError.self) {
        try o.run(context: context, count: 1) { _ in
          OptimizerTensor(count: 2, parameters: p.pointer, gradients: p.pointer, first: nil, second: nil)
        }
      }
      return error?.message ?? ""
    }
    #expect(message(.adam) { _ in }.contains("first[0] is NULL"))
    #expect(message(.adagrad) { _ in }.contains("second[0] is NULL"))
    #expect(message(.sgd) { $0.momentum = 2 }.contains("momentum is 2.0"))
    #expect(message(.sgd) { $0.isNesterov = true }.contains("nesterov is 1"))
    #expect(message(.sgd) { $0.step = 0 }.contains("step is 0"))
    #expect(message(.adam) { $0.beta1 = 1 }.contains("beta1 is 1.0"))
    #expect(message(.sgd) { $0.rate = .nan }.contains("learning_rate is nan"))
    #expect(p.values == [1, 2])
  }
}
