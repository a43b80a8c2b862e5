import Apus
import Testing

/// The typed interface of convolution: shapes, every form of a call, refusals. What is computed is the engine's to test.
@Suite struct ConvolutionTests {
  /// A convolution of two dimensions by plain loops in float64, channels last.
  private struct Plain {
    var batch: Int
    var channels: Int
    var size: [Int]
    var filters: Int
    var kernel: [Int]
    var stride = 1
    var pad = 0
    var output: [Int] { (0..<2).map { (size[$0] + 2 * pad - kernel[$0]) / stride + 1 } }

    /// Calls `body` with the indices of x, w and y in each product.
    func products(_ body: (Int, Int, Int) -> Void) {
      for n in 0..<batch {
        for i in 0..<output[0] {
          for j in 0..<output[1] {
            for k in 0..<filters {
              for r in 0..<kernel[0] {
                for s in 0..<kernel[1] {
                  let (row, column) = (i * stride - pad + r, j * stride - pad + s)
                  if row < 0 || column < 0 || row >= size[0] || column >= size[1] { continue }
                  for c in 0..<channels {
                    body(
                      ((n * size[0] + row) * size[1] + column) * channels + c,
                      ((k * channels + c) * kernel[0] + r) * kernel[1] + s,
                      ((n * output[0] + i) * output[1] + j) * filters + k)
                  }
                }
              }
            }
          }
        }
      }
    }
  }

  @Test(arguments: InstructionSet.available)
  func everyDirection(_ set: InstructionSet) throws {
    try everyDirection(set, Float.self)
    try everyDirection(set, Double.self)
  }

  private func everyDirection<S: GemmScalar>(_ set: InstructionSet, _: S.Type) throws {
    let context = try Context(instructionSet: set)
    let plain = Plain(batch: 2, channels: 3, size: [9, 8], filters: 5, kernel: [3, 2], stride: 2, pad: 1)
    let layer = try Convolution<S>(
      batch: 2, inputChannels: 3, outputChannels: 5, input: [9, 8], kernel: [3, 2], stride: [2, 2],
      padding: .symmetric([1, 1]), addsBias: true, activation: .relu,
      directions: [.forward, .backwardData, .backwardWeights], context: context)
    #expect(layer.outputShape == plain.output && layer.parameterCount == 5 * 3 * 6 + 5)
    #expect(layer.inputCount == 2 * 72 * 3 && layer.outputCount == 2 * 25 * 5 && layer.weightCount == 90)
    #expect(layer.instructionSet == set && layer.flops > 0 && layer.description.contains("n2c3h9w8k5"))
    var numbers = Numbers(seed: 3)
    let x: [S] = numbers.array(layer.inputCount)
    let w: [S] = numbers.array(layer.weightCount)
    let dy: [S] = numbers.array(layer.outputCount)
    let bias: [S] = numbers.array(5)
    var (y, dx) = ((0..<layer.outputCount).map { Double(bias[$0 % 5]) }, [Double](repeating: 0, count: x.count))
    var dw = [Double](repeating: 0, count: w.count)
    plain.products { i, j, k in
      y[k] += Double(x[i]) * Double(w[j])
      dx[i] += Double(dy[k]) * Double(w[j])
      dw[j] += Double(dy[k]) * Double(x[i])
    }
    y = y.map { max(0, $0) }
    let db = (0..<5).map { k in stride(from: k, to: dy.count, by: 5).reduce(0.0) { $0 + Double(dy[$1]) } }
    func near(_ values: [S], _ expected: [Double]) -> Bool {
      values.count == expected.count && zip(values, expected).allSatisfy { isNear($0, $1, k: 60, magnitude: 8) }
    }
    // Arrays.
    var result = [S](repeating: .nan, count: y.count)
    try layer.forward(x, w, into: &result, bias: bias.span, context: context)
    #expect(near(result, y))
    var data = [S](repeating: .nan, count: x.count)
    try layer.backwardData(dy, w, into: &data, context: context)
    #expect(near(data, dx))
    var (weights, biases) = ([S](repeating: .nan, count: w.count), [S](repeating: .nan, count: 5))
    try layer.backwardWeights(x, dy, into: &weights, bias: &biases, context: context)
    #expect(near(weights, dw) && near(biases, db))
    // Spans and buffers have the same bits, and so has scratch of the caller's.
    var (result2, data2, weights2, biases2) = (result, data, weights, biases)
    var span = result2.mutableSpan
    try layer.forward(x.span, w[...], into: &span, bias: bias.span, context: context)
    var dataSpan = data2.mutableSpan
    try layer.backwardData(dy.span, w.span, into: &dataSpan, context: context)
    var weightSpan = weights2.mutableSpan
    var biasSpan = biases2.mutableSpan
    try layer.backwardWeights(x.span, dy.span, into: &weightSpan, bias: &biasSpan, context: context)
    #expect(result2 == result && data2 == data && weights2 == weights && biases2 == biases)
    let scratch = UnsafeMutableRawBufferPointer.allocate(
      byteCount: try layer.scratchBytes(for: .forward, context: context), alignment: 1)
    defer { scratch.deallocate() }
    try layer.forward(x, w, into: &result2, bias: bias.span, scratch: scratch, context: context)
    #expect(result2 == result)
    // Added to what is there.
    try layer.backwardData(dy, w, into: &data, accumulates: true, context: context)
    #expect(near(data, dx.map { 2 * $0 }))
    try layer.backwardWeights(x, dy, into: &weights, bias: &biases, accumulates: true, context: context)
    #expect(near(weights, dw.map { 2 * $0 }) && near(biases, db.map { 2 * $0 }))
  }

  @Test func packedWeights() throws {
    let plan = { (packed: Bool) throws(ApusError) in
      try Convolution<Float>(
        inputChannels: 6, outputChannels: 9, input: [8, 7], kernel: [3, 3], padding: .same, takesPackedWeights: packed,
        directions: [.forward, .backwardData])
    }
    let (plain, packed) = (try plan(false), try plan(true))
    #expect(plain.outputShape == [8, 7])
    var numbers = Numbers(seed: 1)
    let x: [Float] = numbers.array(plain.inputCount)
    let w: [Float] = numbers.array(plain.weightCount)
    let dy: [Float] = numbers.array(plain.outputCount)
    let forward = try packed.makePackedWeights(from: w)
    let backward = try packed.makePackedWeights(from: w, for: .backwardData)
    #expect(forward.direction == .forward && backward.direction == .backwardData)
    #expect(forward.byteCount >= w.count * 4 && forward.instructionSet == packed.instructionSet)
    var (a, b) = ([Float](repeating: 0, count: dy.count), [Float](repeating: 0, count: dy.count))
    try plain.forward(x, w, into: &a)
    try packed.forward(x, forward, into: &b)
    #expect(a == b)
    var (c, d) = (x, x)
    try plain.backwardData(dy, w, into: &c)
    try packed.backwardData(dy, backward, into: &d)
    #expect(c == d)
    expectError(.mismatch, "backward by data") { () throws(ApusError) in try packed.forward(x, backward, into: &b) }
    expectError(.invalidArgument, "weights are not packed") { () throws(ApusError) in try packed.forward(x, w, into: &b)
    }
    expectError(.invalidArgument, "weights are packed") { () throws(ApusError) in
      try plain.forward(x, forward, into: &a)
    }
    expectError(.invalidArgument, "x is packed") { () throws(ApusError) in
      try packed.forward(forward, forward, into: &b)
    }
    expectError(.invalidArgument, "takesPackedWeights is false") { () throws(ApusError) in
      _ = try plain.makePackedWeights(from: w)
    }
    expectError(.invalidArgument, "weights has 485", "486") { () throws(ApusError) in
      _ = try packed.makePackedWeights(from: w.dropLast())
    }
    expectError(.invalidArgument, "reads no weights") { () throws(ApusError) in
      _ = try packed.makePackedWeights(from: w, for: .backwardWeights)
    }
    // A matrix that was packed for a product is no kernel.
    let matrix = try Gemm<Float>(m: 8, n: 8, k: 8, packed: .b).makePackedB(from: [Float](repeating: 1, count: 64))
    expectError(.mismatch, "not a packed operand") { () throws(ApusError) in try packed.forward(x, matrix, into: &b) }
  }

  @Test func residualMayBeTheResult() throws {
    let layer = try Convolution<Float>(
      inputChannels: 1, outputChannels: 1, input: [3], kernel: [1], activation: .relu, addsResidual: true)
    var y: [Float] = [-1, -5, 4]
    try y.withUnsafeMutableBufferPointer { y in
      try layer.forward([1, 2, 3] as [Float], [2] as [Float], into: y, residual: UnsafeBufferPointer(y))
    }
    #expect(y == [1, 0, 10])
  }

  @Test func shapesOfEveryRank() throws {
    #expect(try Convolution<Float>(inputChannels: 1, outputChannels: 1, input: [10], kernel: [3]).outputShape == [8])
    let volume = try Convolution<Double>(
      inputChannels: 2, outputChannels: 4, input: [4, 5, 6], kernel: [2, 2, 2], stride: [1, 2, 2], dilation: [1, 1, 2],
      padding: .explicit(before: [0, 1, 0], after: [1, 0, 0]), groups: 2)
    #expect(volume.outputShape == [4, 3, 2] && volume.parameterCount == 1 * 4 * 8)
    let up = try Convolution<Float>(
      batch: 2, inputChannels: 3, outputChannels: 2, input: [5, 5], kernel: [4, 4], stride: [2, 2],
      padding: .symmetric([1, 1]), isTransposed: true, outputPadding: [1, 0], inputLayout: .channelsFirst,
      outputLayout: .channelsLast)
    #expect(up.outputShape == [11, 10] && up.outputCount == 2 * 2 * 110)
    let course = try Convolution<Float>(
      inputChannels: 3, outputChannels: 10, input: [32, 32], kernel: [5, 5], padding: .symmetric([2, 2]), addsBias: true
    )
    #expect(course.outputShape == [32, 32] && course.parameterCount == 760)
    let empty = try Convolution<Float>(batch: 0, inputChannels: 1, outputChannels: 1, input: [4], kernel: [3])
    var nothing: [Float] = []
    try empty.forward([Float](), [1, 2, 3] as [Float], into: &nothing)
  }

  @Test func algorithms() throws {
    let layer = try Convolution<Float>(inputChannels: 8, outputChannels: 8, input: [9, 9], kernel: [3, 3])
    for direction in ConvolutionDirection.allCases {
      let list = try layer.algorithms(for: direction)
      #expect(list.contains(.direct) && !list.contains(.winograd))
      #expect(layer.algorithm(for: direction) == (direction == .forward ? list[0] : nil))
      for algorithm in list {
        let chosen = try Convolution<Float>(
          inputChannels: 8, outputChannels: 8, input: [9, 9], kernel: [3, 3], algorithm: algorithm,
          directions: [direction])
        #expect(chosen.algorithm(for: direction) == algorithm && chosen.directions == [direction])
      }
    }
    #expect("\(ConvolutionAlgorithm.implicitGemm)" == "implicit_gemm")
    expectError(.unsupported, "depthwise", "direct") { () throws(ApusError) in
      _ = try Convolution<Float>(
        inputChannels: 8, outputChannels: 8, input: [9, 9], kernel: [3, 3], algorithm: .depthwise)
    }
  }

  @Test func refusals() throws {
    func plan(
      _ input: [Int] = [7, 7], _ kernel: [Int] = [3, 3], stride: [Int]? = nil, padding: SpatialPadding = .valid,
      groups: Int = 1, isTransposed: Bool = false, outputPadding: [Int]? = nil, rounding: WindowRounding = .floor,
      directions: Set<ConvolutionDirection> = [.forward]
    ) throws(ApusError) {
      _ = try Convolution<Float>(
        inputChannels: 2, outputChannels: 4, input: input, kernel: kernel, stride: stride, padding: padding,
        groups: groups, isTransposed: isTransposed, outputPadding: outputPadding, rounding: rounding,
        directions: directions)
    }
    func expect(_ words: String..., body: () throws(ApusError) -> Void) {
      expectError(.invalidArgument, words, body)
    }
    expect("input has 0 numbers") { () throws(ApusError) in try plan([], []) }
    expect("input has 4 numbers") { () throws(ApusError) in try plan([1, 1, 1, 1], [1, 1, 1, 1]) }
    expect("kernel has 1 numbers", "input has 2") { () throws(ApusError) in try plan([7, 7], [3]) }
    expect("stride has 3") { () throws(ApusError) in try plan(stride: [1, 1, 1]) }
    expect("padding after has 1") { () throws(ApusError) in try plan(padding: .explicit(before: [1, 1], after: [1])) }
    expect("outputPadding has 1") { () throws(ApusError) in try plan(isTransposed: true, outputPadding: [0]) }
    expect("padding is .same", "transposed") { () throws(ApusError) in try plan(padding: .same, isTransposed: true) }
    expect("stride[1] is 0") { () throws(ApusError) in try plan(stride: [1, 0], padding: .same) }
    expect("input[0] is \(Int.max)") { () throws(ApusError) in try plan([.max, 7], padding: .same) }
    expect("in_channels is 2", "groups, 4") { () throws(ApusError) in try plan(groups: 4) }
    expect("kernel[0] is 8") { () throws(ApusError) in try plan([7, 7], [8, 1]) }
    expect("stride[0] is 3", "does not divide 4") { () throws(ApusError) in try plan(stride: [3, 3], rounding: .strict)
    }
    expect("output_padding[0] is 1") { () throws(ApusError) in try plan(outputPadding: [1, 0]) }
    expect("directions is empty") { () throws(ApusError) in try plan(directions: []) }

    let layer = try Convolution<Float>(inputChannels: 2, outputChannels: 4, input: [7, 7], kernel: [3, 3])
    let biased = try Convolution<Float>(
      inputChannels: 2, outputChannels: 4, input: [7, 7], kernel: [3, 3], addsBias: true, addsResidual: true,
      directions: [.forward, .backwardWeights])
    let ones = [Float](repeating: 1, count: 200)
    var y = [Float](repeating: 7, count: 100)
    expect("x has 97", "98") { () throws(ApusError) in try layer.forward(ones[..<97], ones, into: &y) }
    expect("weights has 71", "72") { () throws(ApusError) in try layer.forward(ones, ones[..<71], into: &y) }
    var short = [Float](repeating: 7, count: 99)
    expect("y has 99", "100") { () throws(ApusError) in try layer.forward(ones, ones, into: &short) }
    expect("bias is given") { () throws(ApusError) in try layer.forward(ones, ones, into: &y, bias: ones.span) }
    expect("residual is given") { () throws(ApusError) in try layer.forward(ones, ones, into: &y, residual: ones.span) }
    expect("bias is nil") { () throws(ApusError) in try biased.forward(ones, ones, into: &y, residual: ones.span) }
    expect("residual is nil") { () throws(ApusError) in try biased.forward(ones, ones, into: &y, bias: ones.span) }
    let three = [Float](repeating: 1, count: 3)
    expect("bias has 3", "4") { () throws(ApusError) in
      try biased.forward(ones, ones, into: &y, bias: three.span, residual: ones.span)
    }
    expect("bias is nil") { () throws(ApusError) in try biased.backwardWeights(ones, ones, into: &y) }
    expect("dw has 71") { () throws(ApusError) in
      var (dw, db) = ([Float](repeating: 0, count: 71), three)
      try biased.backwardWeights(ones, ones, into: &dw, bias: &db)
    }
    expect("direction is .backwardData", ".forward") { () throws(ApusError) in
      var dx = ones
      try layer.backwardData(ones, ones, into: &dx)
    }
    expect("direction is .backwardWeights") { () throws(ApusError) in _ = try layer.scratchBytes(for: .backwardWeights)
    }
    let few = UnsafeMutableRawBufferPointer.allocate(byteCount: 8, alignment: 8)
    defer { few.deallocate() }
    expect("scratch_bytes is 8") { () throws(ApusError) in try layer.forward(ones, ones, into: &y, scratch: few) }
    #expect(y == [Float](repeating: 7, count: 100) && short == [Float](repeating: 7, count: 99))
  }

  @Test func manyThreadsRunOnePlan() async throws {
    let layer = try Convolution<Float>(
      batch: 2, inputChannels: 8, outputChannels: 16, input: [12, 12], kernel: [3, 3], takesPackedWeights: true)
    var numbers = Numbers(seed: 7)
    let x: [Float] = numbers.array(layer.inputCount)
    let weights = try layer.makePackedWeights(from: numbers.array(layer.weightCount) as [Float])
    var expected = [Float](repeating: 0, count: layer.outputCount)
    try layer.forward(x, weights, into: &expected)
    try await withThrowingTaskGroup(of: [Float].self) { group in
      for _ in 0..<8 {
        group.addTask {
          var y = [Float](repeating: 0, count: layer.outputCount)
          try layer.forward(x, weights, into: &y)
          return y
        }
      }
      for try await y in group { #expect(y == expected) }
    }
  }

  private func expectError(_ code: ApusError.Code, _ words: String..., body: () throws(ApusError) -> Void) {
    expectError(code, words, body)
  }
  private func expectError(_ code: ApusError.Code, _ words: [String], _ body: () throws(ApusError) -> Void) {
    do throws(ApusError) {
      try body()
      Issue.record("not refused: \(words)")
    } catch {
      #expect(error.code == code)
      for word in words { #expect(error.message.contains(word), "\(error)") }
    }
  }
}
