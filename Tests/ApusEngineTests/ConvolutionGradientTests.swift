import ApusEngine
import ApusTestSupport
import Testing

/// The directions against each other: gradients are what finite differences say, and transposes are transposes.
@Suite struct ConvolutionGradientTests {
  /// y or a gradient of a problem, from arrays in memory order.
  private struct Layer {
    var d: ConvolutionDescriptor
    let context: ExecutionContext
    let outputs: Int
    let algorithm: ConvolutionAlgorithm?

    func plan(_ direction: ConvolutionDirection) throws -> ConvolutionPlan {
      var d = d
      d.algorithm = try ConvolutionPlan.algorithms(d, direction: direction, context: context).first { $0 == algorithm }
      return try ConvolutionPlan(d, direction: direction, context: context)
    }

    func forward(_ x: [Double], _ w: [Double], _ bias: [Double]) throws -> [Double] {
      try result(.forward, outputs) { arguments, result in
        (arguments.x, arguments.weights, arguments.bias) = (pointer(x), pointer(w), pointer(bias))
        arguments.y = result
      }
    }
    func backwardData(_ dy: [Double], _ w: [Double], _ count: Int) throws -> [Double] {
      try result(.backwardData, count) { arguments, result in
        (arguments.dy, arguments.weights) = (pointer(dy), pointer(w))
        arguments.dx = result
      }
    }
    func backwardWeights(_ x: [Double], _ dy: [Double], _ count: Int) throws -> (dw: [Double], db: [Double]) {
      let all = try result(.backwardWeights, count + d.outputChannels) { arguments, result in
        (arguments.x, arguments.dy) = (pointer(x), pointer(dy))
        arguments.dw = result
        arguments.db = result + count * 8
      }
      return (Array(all[..<count]), Array(all[count...]))
    }

    private func pointer(_ values: [Double]) -> UnsafeRawPointer {
      // Lives until the end of the process: a few kilobytes for each test.
      let copy = UnsafeMutableBufferPointer<Double>.allocate(capacity: values.count)
      _ = copy.initialize(from: values)
      return UnsafeRawPointer(copy.baseAddress!)
    }
    private func result(
      _ direction: ConvolutionDirection, _ count: Int,
      _ set: (inout ConvolutionArguments, UnsafeMutableRawPointer) -> Void
    ) throws -> [Double] {
      var result = [Double](repeating: .nan, count: count)
      try result.withUnsafeMutableBytes { bytes in
        var arguments = ConvolutionArguments()
        set(&arguments, bytes.baseAddress!)
        try plan(direction).run(context: context, arguments)
      }
      return result
    }
  }

  private func layers(_ set: InstructionSet, _ count: Int, _ products: Int) throws -> [Layer] {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    var sampler = ConvolutionSampler(.float64, seed: 12)
    return try (0..<count).flatMap { _ in
      var d = sampler.problem(products: products)
      d.batch = max(1, d.batch)
      d.hasBias = true
      d.hasResidual = false
      d.activation = .identity
      d.packedWeights = false
      let outputs = d.batch * d.outputChannels * ConvolutionTrial.outputSize(d).product
      let algorithms = try ConvolutionDirection.allCases.flatMap {
        try ConvolutionPlan.algorithms(d, direction: $0, context: context)
      }
      return Set(algorithms).map { Layer(d: d, context: context, outputs: outputs, algorithm: $0) }
    }
  }

  private func numbers(_ count: Int, _ random: inout Randomness) -> [Double] { (0..<count).map { _ in random.real() } }

  /// Loss = sum r y^2, whose central differences are exact but for rounding: dy = 2 r y.
  @Test(arguments: InstructionSet.available)
  func finiteDifferences(_ set: InstructionSet) throws {
    var random = Randomness(seed: 6)
    for layer in try layers(set, 20, 3000) {
      let d = layer.d
      let x = numbers(d.batch * d.inputChannels * d.window.input.product, &random)
      let w = numbers(d.inputChannels / d.groups * d.outputChannels * d.window.window.product, &random)
      let bias = numbers(d.outputChannels, &random)
      let r = numbers(layer.outputs, &random)
      func loss(_ x: [Double], _ w: [Double], _ bias: [Double]) throws -> (value: Double, size: Double) {
        let y = try layer.forward(x, w, bias)
        let terms = zip(r, y).map { $0 * $1 * $1 }
        return (terms.reduce(0, +), terms.reduce(0) { $0 + abs($1) })
      }
      let dy = zip(r, try layer.forward(x, w, bias)).map { 2 * $0 * $1 }
      let dx = try layer.backwardData(dy, w, x.count)
      let (dw, db) = try layer.backwardWeights(x, dy, w.count)
      let step = 1e-3
      func check(
        _ name: String, _ values: [Double], _ gradient: [Double],
        _ loss: ([Double]) throws -> (value: Double, size: Double)
      ) throws {
        for _ in 0..<3 {
          let i = random.int(0...values.count - 1)
          var (more, less) = (values, values)
          more[i] += step
          less[i] -= step
          let (above, below) = (try loss(more), try loss(less))
          let difference = (above.value - below.value) / (2 * step)
          // Rounding of the losses over the step.
          let allowed = 1e-13 * (above.size + below.size) / step + 1e-12 * abs(difference)
          #expect(abs(difference - gradient[i]) <= allowed, "\(name)[\(i)] of \(d), \(layer.algorithm?.name ?? "")")
        }
      }
      try check("dx", x, dx) { try loss($0, w, bias) }
      try check("dw", w, dw) { try loss(x, $0, bias) }
      try check("db", bias, db) { try loss(x, w, $0) }
    }
  }

  /// <conv(x), y> = <x, conv by data(y)> = <w, conv by weights(x, y)>.
  @Test(arguments: InstructionSet.available)
  func adjoints(_ set: InstructionSet) throws {
    var random = Randomness(seed: 7)
    for layer in try layers(set, 60, 30_000) {
      let d = layer.d
      let x = numbers(d.batch * d.inputChannels * d.window.input.product, &random)
      let w = numbers(d.inputChannels / d.groups * d.outputChannels * d.window.window.product, &random)
      let dy = numbers(layer.outputs, &random)
      func dot(_ a: [Double], _ b: [Double]) -> (sum: Double, size: Double) {
        zip(a, b).reduce((0, 0)) { ($0.0 + $1.0 * $1.1, $0.1 + abs($1.0 * $1.1)) }
      }
      let y = try layer.forward(x, w, [Double](repeating: 0, count: d.outputChannels))
      let forward = dot(y, dy)
      let data = dot(x, try layer.backwardData(dy, w, x.count))
      let (dw, db) = try layer.backwardWeights(x, dy, w.count)
      let weights = dot(w, dw)
      // Both are sums of the same products; the sum of their magnitudes is at most the mean's square root times larger.
      let allowed = 64 * Double.ulpOfOne * (forward.size + data.size + weights.size + Double(y.count))
      #expect(abs(forward.sum - data.sum) <= allowed, "by data: \(d)")
      #expect(abs(forward.sum - weights.sum) <= allowed, "by weights: \(d)")
      // The bias adds sum dy to <y, dy>.
      let biased = dot(try layer.forward(x, w, [Double](repeating: 1, count: d.outputChannels)), dy)
      #expect(abs(biased.sum - forward.sum - db.reduce(0, +)) <= allowed, "bias: \(d)")
    }
  }

  /// A transposed convolution is the transpose of the plain one between the same sides: forward is the other's backward by
  /// data, bit for bit.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func transposedIsBackwardByData(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    var sampler = ConvolutionSampler(type, seed: 15)
    for _ in 0..<60 {
      var transposed = sampler.problem(products: 20_000)
      transposed.batch = max(1, transposed.batch)
      transposed.isTransposed = true
      (transposed.hasBias, transposed.hasResidual, transposed.activation) = (false, false, .identity)
      if !ConvolutionSampler.isLegal(transposed) { continue }
      var plain = transposed
      plain.isTransposed = false
      plain.outputPadding = Extents(repeating: 0)
      plain.window.input = ConvolutionTrial.outputSize(transposed)
      (plain.inputChannels, plain.outputChannels) = (transposed.outputChannels, transposed.inputChannels)
      (plain.xLayout, plain.yLayout) = (transposed.yLayout, transposed.xLayout)
      // Rows that neither form meets leave the plain one with fewer positions: another problem.
      if ConvolutionTrial.outputSize(plain) != transposed.window.input { continue }
      for (direction, other) in [
        (ConvolutionDirection.forward, ConvolutionDirection.backwardData), (.backwardData, .forward),
      ] {
        let a = ConvolutionTrial(transposed, direction, seed: 5)
        let b = ConvolutionTrial(plain, other, seed: 5)
        // Both have the weights first or second among their random data, so they are set to be the same.
        let inputs: (ConvolutionData, ConvolutionData) = direction == .forward ? (.x, .dy) : (.dy, .x)
        for i in 0..<a.count(.weights) { b[.weights, i] = a[.weights, i] }
        for i in 0..<a.count(inputs.0) { b[inputs.1, i] = a[inputs.0, i] }
        let (x, y) = (try a.run(context), try b.run(context))
        for i in 0..<a.count(a.results[0]) where a.element(x, a.results[0], i) != b.element(y, b.results[0], i) {
          Issue.record("\(a): element \(i)")
          break
        }
      }
    }
  }
}
