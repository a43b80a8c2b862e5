import ApusEngine
import ApusTestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

@Suite struct SoftmaxTests {
  static let shapes = [
    (1, 1, 1), (3, 2, 1), (5, 10, 1), (4, 16, 1), (3, 17, 1), (2, 100, 1), (2, 3000, 1), (3, 5, 4), (2, 7, 40),
    (1, 300, 19),
    (4, 0, 3), (0, 4, 1),
  ]

  private func reference(_ x: [Double], _ plan: Softmax) -> [Double] {
    var y = x
    for o in 0..<plan.outer {
      for i in 0..<plan.inner {
        let place = { (k: Int) in (o * plan.size + k) * plan.inner + i }
        let most = (0..<plan.size).map { x[place($0)] }.max() ?? 0
        let sum = (0..<plan.size).reduce(0.0) { $0 + exp(x[place($1)] - most) }
        for k in 0..<plan.size {
          let d = x[place(k)] - most
          y[place(k)] = plan.isLogarithm ? d - log(sum) : exp(d) / sum
        }
      }
    }
    return y
  }

  @Test(arguments: InstructionSet.available, gemmTypes)
  func valuesAndGradients(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    var random = Randomness(seed: 2)
    for (outer, size, inner) in Self.shapes {
      for isLogarithm in [false, true] {
        let plan = Softmax(dataType: type, isLogarithm: isLogarithm, outer: outer, size: size, inner: inner)
        let x = random.reals(outer * size * inner, type, scale: 8)
        let expected = reference(x, plan)
        let y = RealArray(type, count: x.count)
        let source = RealArray(type, x)
        try plan.forward(context: context, x: source.pointer, y: y.pointer)
        let eps = type.epsilon
        let bound = { (i: Int) in eps * (Double(size) / 16 + 16) * (isLogarithm ? 4 + abs(expected[i]) : expected[i]) }
        #expect(firstDifference(y, expected, within: bound) == nil, "\(set) \(plan)")
        try plan.forward(context: context, x: source.pointer, y: source.pointer)
        #expect(source.bytes == y.bytes, "in place \(plan)")

        let g = random.reals(x.count, type)
        let dx = RealArray(type, count: x.count)
        let kept1 = RealArray(type, g)
        try plan.backward(context: context, y: y.pointer, dy: kept1.pointer, dx: dx.pointer)
        let slopes = gradient(expected, g, plan)
        #expect(
          firstDifference(dx, slopes, within: { _ in eps * (Double(size) / 4 + 40) * 2 }) == nil,
          "backward \(set) \(plan)")
      }
    }
  }

  private func gradient(_ y: [Double], _ g: [Double], _ plan: Softmax) -> [Double] {
    var dx = y
    for o in 0..<plan.outer {
      for i in 0..<plan.inner {
        let place = { (k: Int) in (o * plan.size + k) * plan.inner + i }
        let sum = (0..<plan.size).reduce(0.0) { $0 + g[place($1)] * (plan.isLogarithm ? 1 : y[place($1)]) }
        for k in 0..<plan.size {
          let p = place(k)
          dx[p] = plan.isLogarithm ? g[p] - exp(y[p]) * sum : y[p] * (g[p] - sum)
        }
      }
    }
    return dx
  }

  /// The gradient is that of differences, in float64.
  @Test(arguments: InstructionSet.available, [false, true])
  func gradientsAreDifferences(_ set: InstructionSet, _ isLogarithm: Bool) throws {
    let context = try ExecutionContext(instructionSet: set, backend: .serial, threads: 1)
    var random = Randomness(seed: 3)
    let plan = Softmax(dataType: .float64, isLogarithm: isLogarithm, outer: 2, size: 11, inner: 1)
    let x = random.reals(22, .float64)
    let g = random.reals(22, .float64)
    let y = RealArray(.float64, count: 22)
    let dx = RealArray(.float64, count: 22)
    let kept2 = RealArray(.float64, x)
    try plan.forward(context: context, x: kept2.pointer, y: y.pointer)
    let kept3 = RealArray(.float64, g)
    try plan.backward(context: context, y: y.pointer, dy: kept3.pointer, dx: dx.pointer)
    for i in x.indices {
      func sum(_ h: Double) throws -> Double {
        var moved = x
        moved[i] += h
        let y = RealArray(.float64, count: 22)
        let kept4 = RealArray(.float64, moved)
        try plan.forward(context: context, x: kept4.pointer, y: y.pointer)
        return zip(y.values, g).reduce(0) { $0 + $1.0 * $1.1 }
      }
      #expect(abs((try sum(1e-5) - sum(-1e-5)) / 2e-5 - dx[i]) < 1e-8)
    }
  }

  /// Huge arguments stay finite, minus infinity is a probability of 0, NaN fills its row and no other.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func specialValues(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, backend: .serial, threads: 1)
    for size in [5, 40] {
      var x = [Double](repeating: 0, count: 3 * size)
      x[1] = 1e30
      x[2] = -1e30
      x[size] = -.infinity
      x[2 * size + 1] = .nan
      let y = RealArray(type, count: x.count)
      let kept5 = RealArray(type, x)
      try Softmax(dataType: type, outer: 3, size: size).forward(
        context: context, x: kept5.pointer, y: y.pointer)
      #expect(y[1] == 1 && y[0] == 0 && y[2] == 0 && y[size] == 0)
      #expect(abs(y[size + 1] - 1 / Double(size - 1)) < 1e-6)
      #expect((0..<size).allSatisfy { y[2 * size + $0].isNaN })
    }
  }

  @Test(arguments: InstructionSet.available)
  func threadsAgree(_ set: InstructionSet) throws {
    var random = Randomness(seed: 4)
    let serial = try ExecutionContext(instructionSet: set, backend: .serial, threads: 1)
    for (outer, size, inner) in [(70, 300, 1), (60, 10, 31), (300, 8000, 1)] {
      let plan = Softmax(dataType: .float32, outer: outer, size: size, inner: inner)
      let x = RealArray(.float32, random.reals(outer * size * inner, .float32))
      let expected = RealArray(.float32, count: x.count, .offset(12))
      try plan.forward(context: serial, x: x.pointer, y: expected.pointer)
      for setting in Setting.of(set) where x.count < 1_000_000 || setting.threads == 2 {
        let y = RealArray(.float32, count: x.count)
        try plan.forward(context: setting.context(), x: x.pointer, y: y.pointer)
        #expect(y.memory.isEqual(to: expected.memory), "\(setting) \(plan)")
      }
    }
  }

  @Test func axes() throws {
    let plan = try Softmax(dataType: .float32, shape: [2, 3, 4, 5], axis: -3)
    #expect(plan.outer == 2 && plan.size == 3 && plan.inner == 20)
    let error = #expect(throws: ApusError.self) { try Softmax(dataType: .float32, shape: [2, 3], axis: 2) }
    #expect(error?.message == "axis is 2, but shape [2, 3] has the axes -2 to 1")
  }
}
