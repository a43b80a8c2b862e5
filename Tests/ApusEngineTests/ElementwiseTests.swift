import ApusEngine
import ApusKernelInterface
import ApusTestSupport
import Testing

/// Functions of one element, and PReLU.
@Suite struct ElementwiseTests {
  /// Arguments where the function and its derivative are smooth.
  private func arguments(_ f: ElementFunction, _ type: DataType) -> [Double] {
    var x = stride(from: -9.37, to: 9.5, by: 0.171).map { type.rounded($0) }
    if f == .log || f == .squareRoot || f == .reciprocal { x = x.map { type.rounded(abs($0) + 0.01) } }
    return x
  }

  /// Forward, in place and not, against guard pages; gradients against differences of the reference, by x and by y.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func valuesAndGradients(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, backend: .serial, threads: 1)
    for f in ElementFunction.allCases {
      for count in [1, 37, 111] {
        let x = Array(arguments(f, type).prefix(count))
        var plan = Elementwise(f, dataType: type, count: x.count)
        if f == .affine { (plan.alpha, plan.beta) = (1.5, -0.25) }
        let expected = x.map { ElementReference.value(f, $0, plan.alpha, plan.beta) }
        let source = RealArray(type, x)
        let y = RealArray(type, count: x.count)
        try plan.forward(context: context, x: source.pointer, y: y.pointer)
        let eps = type.epsilon
        // A product of functions within 2 ulp; gelu's two halves cancel on the left.
        let bound = { (i: Int) in
          eps
            * (6 * abs(expected[i])
              + ([.gelu, .geluTanh, .affine, .hardSigmoid, .hardSwish].contains(f) ? abs(x[i]) : 0))
        }
        #expect(firstDifference(y, expected, within: bound) == nil, "\(set) \(type) \(f)")
        try plan.forward(context: context, x: source.pointer, y: source.pointer)
        #expect(source.bytes == y.bytes, "\(f) in place")

        let dy = RealArray(type, x.indices.map { 0.5 + Double($0 % 3) })
        let slopes = x.map { x in
          let h = 1e-5
          let g = { ElementReference.value(f, x + $0, plan.alpha, plan.beta) }
          return (8 * (g(h) - g(-h)) - (g(2 * h) - g(-2 * h))) / (12 * h)
        }
        for fromOutput in [false, true] where !fromOutput || f.hasGradient(fromOutputWithAlpha: plan.alpha) {
          plan.fromOutput = fromOutput
          let saved = fromOutput ? y : RealArray(type, x)
          let dx = RealArray(type, count: x.count)
          try plan.backward(context: context, saved: saved.pointer, dy: dy.pointer, dx: dx.pointer)
          let wanted = x.indices.map { dy[$0] * slopes[$0] }
          let tolerance = { (i: Int) in 2e-8 * (1 + abs(expected[i])) + eps * 400 * (1 + abs(wanted[i])) }
          let difference = firstDifference(dx, wanted, within: tolerance)
          #expect(difference == nil, "\(set) \(type) \(f) from output \(fromOutput): \(difference ?? "")")
          plan.accumulates = true
          let once = dx.values
          try plan.backward(context: context, saved: saved.pointer, dy: dy.pointer, dx: dx.pointer)
          #expect(firstDifference(dx, once.map { 2 * $0 }, within: { _ in 0 }) == nil, "\(f) accumulates")
          plan.accumulates = false
        }
      }
    }
  }

  /// NaN goes through; infinities are what the limits are.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func specialValues(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, backend: .serial, threads: 1)
    let x = [Double.nan, .infinity, -.infinity, 0, -0.0, 1e30, -1e30]
    for f in ElementFunction.allCases {
      let plan = Elementwise(f, dataType: type, count: x.count)
      let y = RealArray(type, count: x.count)
      let kept1 = RealArray(type, x)
      try plan.forward(context: context, x: kept1.pointer, y: y.pointer)
      let expected = x.map { type.rounded(ElementReference.value(f, $0, plan.alpha, plan.beta)) }
      for i in x.indices {
        #expect(isNear(y[i], expected[i], within: abs(expected[i]) * 1e-6), "\(set) \(f)(\(x[i])) is \(y[i])")
      }
    }
  }

  /// Any cut, back end and alignment gives the same bits, past the caches too.
  @Test(arguments: InstructionSet.available)
  func threadsAgree(_ set: InstructionSet) throws {
    let serial = try ExecutionContext(instructionSet: set, backend: .serial, threads: 1)
    var random = Randomness(seed: 5)
    for (f, count) in [(ElementFunction.gelu, 30_001), (.relu, 3_000_017)] {
      let x = RealArray(.float32, random.reals(count, .float32, scale: 5))
      let plan = Elementwise(f, dataType: .float32, count: count)
      let expected = RealArray(.float32, count: count, .offset(4))
      try plan.forward(context: serial, x: x.pointer, y: expected.pointer)
      let gradient = RealArray(.float32, count: count)
      try plan.backward(context: serial, saved: x.pointer, dy: expected.pointer, dx: gradient.pointer)
      for setting in Setting.of(set) where count < 100_000 || setting.threads == 2 {
        let context = try setting.context()
        let y = RealArray(.float32, count: count)
        try plan.forward(context: context, x: x.pointer, y: y.pointer)
        #expect(y.memory.isEqual(to: expected.memory), "\(setting)")
        try plan.backward(context: context, saved: x.pointer, dy: expected.pointer, dx: y.pointer)
        #expect(y.memory.isEqual(to: gradient.memory), "\(setting)")
      }
    }
  }

  @Test(arguments: InstructionSet.available, gemmTypes)
  func prelu(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    var random = Randomness(seed: 9)
    for (outer, channels, inner) in [(3, 5, 7), (4, 37, 1), (2, 1, 100), (5, 3, 3000), (0, 3, 2)] {
      let count = outer * channels * inner
      let x = random.reals(count, type)
      let w = random.reals(channels, type)
      let g = random.reals(count, type)
      let plan = PReLU(dataType: type, outer: outer, channels: channels, inner: inner)
      let y = RealArray(type, count: count)
      let slopes = RealArray(type, w)
      let source = RealArray(type, x)
      try plan.forward(context: context, x: source.pointer, slopes: slopes.pointer, y: y.pointer)
      let channel = { (i: Int) in i / inner % channels }
      let expected = x.indices.map { x[$0] < 0 ? type.rounded(x[$0] * w[channel($0)]) : x[$0] }
      #expect(firstDifference(y, expected, within: { _ in 0 }) == nil)
      let dx = RealArray(type, count: count)
      let dw = RealArray(type, count: channels)
      let kept2 = RealArray(type, g)
      try plan.backward(
        context: context, x: source.pointer, slopes: slopes.pointer, dy: kept2.pointer, dx: dx.pointer,
        dslopes: dw.pointer)
      #expect(
        firstDifference(
          dx, x.indices.map { x[$0] < 0 ? type.rounded(g[$0] * w[channel($0)]) : g[$0] }, within: { _ in 0 }) == nil)
      var sums = [Double](repeating: 0, count: channels)
      for i in x.indices where x[i] < 0 { sums[channel(i)] += x[i] * g[i] }
      #expect(firstDifference(dw, sums, within: { _ in type.epsilon * Double(count + 8) }) == nil)
    }
  }

  @Test func mistakesAreNamed() throws {
    let context = try ExecutionContext(backend: .serial, threads: 1)
    let memory = RealArray(.float32, [1, 2, 3])
    func message(_ change: (inout Elementwise) -> Void, function: ElementFunction = .relu, x: Bool = true) -> String {
      var plan = Elementwise(function, dataType: .float32, count: 3)
      change(&plan)
      let error = #expect(throws: ApusError.self) {
        try plan.forward(context: context, x: x ? memory.pointer : nil, y: memory.pointer)
      }
      return error?.message ?? ""
    }
    #expect(message({ $0.count = -1 }) == "count is -1, but a size must be at least 0")
    #expect(message({ $0.count = .max }).contains("must fit 63 bits"))
    #expect(message({ $0.dataType = .int8 }).contains("dtype is int8"))
    #expect(message({ _ in }, x: false) == "x is NULL, but its 3 elements are needed")
    #expect(message({ $0.alpha = 0 }, function: .celu).contains("alpha is 0.0"))
    #expect(message({ $0.alpha = 2 }, function: .clamp).contains("lower bound"))
    #expect(memory.values == [1, 2, 3])
    var gelu = Elementwise(.gelu, dataType: .float32, count: 3)
    gelu.fromOutput = true
    let error = #expect(throws: ApusError.self) {
      try gelu.backward(context: context, saved: memory.pointer, dy: memory.pointer, dx: memory.pointer)
    }
    #expect(error?.message.contains("from_output is 1") == true)
  }
}
