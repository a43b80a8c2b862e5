import ApusKernelInterface

extension SelfTest {
  /// Shapes at the edges of tiles and vectors, with stride, padding, groups and transposition, in both layouts, every
  /// direction and every algorithm. All numbers are multiples of 1/16, so sums are exact in any order.
  static func convolution<T: BinaryFloatingPoint>(
    _ context: ExecutionContext, _: T.Type, _ dataType: DataType
  ) throws(ApusError) {
    for (c, k, groups, size, kernel, stride, pad, isTransposed) in [
      (3, 5, 1, 7, 3, 1, 1, false), (1, 6, 1, 9, 5, 1, 0, false), (18, 34, 1, 5, 3, 2, 1, false),
      (17, 33, 1, 4, 1, 1, 0, false), (6, 6, 6, 8, 3, 1, 1, false), (4, 8, 4, 7, 3, 2, 1, false),
      (5, 4, 1, 4, 3, 2, 0, true),
    ] {
      var window = SpatialWindow(rank: 2, input: Extents(1, size, size + 1), window: Extents(1, kernel, kernel))
      window.stride = Extents(1, stride, stride)
      window.padBefore = Extents(0, pad, pad)
      window.padAfter = Extents(0, pad, pad)
      for layouts in 0..<4 {
        var descriptor = ConvolutionDescriptor(
          dataType: dataType, batch: 2, inputChannels: c, outputChannels: k, window: window)
        descriptor.groups = groups
        descriptor.isTransposed = isTransposed
        descriptor.xLayout = layouts & 1 == 0 ? .channelsLast : .channelsFirst
        descriptor.yLayout = layouts & 2 == 0 ? .channelsLast : .channelsFirst
        let trial = try Trial<T>(descriptor)
        for direction in ConvolutionDirection.allCases {
          for algorithm in try ConvolutionPlan.algorithms(descriptor, direction: direction, context: context) {
            descriptor.algorithm = algorithm
            try trial.run(ConvolutionPlan(descriptor, direction: direction, context: context), context)
          }
        }
      }
    }
  }

  /// A problem's data, and each direction's result by plain loops.
  private struct Trial<T: BinaryFloatingPoint> {
    var x: [T]
    var y: [T]
    var weights: [T]
    var expected: [ConvolutionDirection: [Double]] = [:]

    init(_ d: ConvolutionDescriptor) throws(ApusError) {
      let sides = try ConvolutionSides(d)
      let (big, small) = (sides.window.input, sides.output)
      func values(_ count: Int, _ factor: Int) -> [T] { (0..<count).map { T(Double($0 * factor % 16) / 16 - 0.5) } }
      // The plain convolution's: big side, small side.
      let bigSide = values(2 * sides.c * big.product, 7)
      let smallSide = values(2 * sides.k * small.product, 5)
      weights = values(d.weightCount, 3)
      var bigSum = [Double](repeating: 0, count: bigSide.count)
      var smallSum = [Double](repeating: 0, count: smallSide.count)
      var weightSum = [Double](repeating: 0, count: weights.count)
      let window = sides.window
      for n in 0..<2 {
        for i in 0..<small.height {
          for j in 0..<small.width {
            for r in 0..<window.window.height {
              for s in 0..<window.window.width {
                let row = i * window.stride.height - window.padBefore.height + r
                let column = j * window.stride.width - window.padBefore.width + s
                if row < 0 || column < 0 || row >= big.height || column >= big.width { continue }
                for k in 0..<sides.k {
                  for c in 0..<sides.cPerGroup {
                    let channel = k / sides.kPerGroup * sides.cPerGroup + c
                    let b = Self.index(n, sides.c, channel, big.product, row * big.width + column, sides.xLayout)
                    let a = Self.index(n, sides.k, k, small.product, i * small.width + j, sides.yLayout)
                    let w = ((k * sides.cPerGroup + c) * window.window.height + r) * window.window.width + s
                    bigSum[b] += Double(smallSide[a]) * Double(weights[w])
                    smallSum[a] += Double(bigSide[b]) * Double(weights[w])
                    weightSum[w] += Double(bigSide[b]) * Double(smallSide[a])
                  }
                }
              }
            }
          }
        }
      }
      (x, y) = d.isTransposed ? (smallSide, bigSide) : (bigSide, smallSide)
      expected[.forward] = d.isTransposed ? bigSum : smallSum
      expected[.backwardData] = d.isTransposed ? smallSum : bigSum
      expected[.backwardWeights] = weightSum
    }

    private static func index(
      _ n: Int, _ channels: Int, _ channel: Int, _ positions: Int, _ position: Int, _ layout: TensorLayout
    ) -> Int {
      layout == .channelsFirst
        ? (n * channels + channel) * positions + position : (n * positions + position) * channels + channel
    }

    func run(_ plan: ConvolutionPlan, _ context: ExecutionContext) throws(ApusError) {
      guard let expected = expected[plan.direction] else { return }
      let bytes = MemoryLayout<T>.stride
      let result = UnsafeMutablePointer<T>.allocate(capacity: expected.count)
      result.initialize(repeating: .nan, count: expected.count)
      // Pointers that outlive closures, which would not pass typed errors through here.
      let data = UnsafeMutablePointer<T>.allocate(capacity: x.count + y.count + weights.count)
      defer {
        result.deallocate()
        data.deallocate()
      }
      for (i, value) in (x + y + weights).enumerated() { (data + i).initialize(to: value) }
      var arguments = ConvolutionArguments()
      arguments.x = UnsafeRawPointer(data)
      arguments.dy = UnsafeRawPointer(data) + x.count * bytes
      arguments.weights = UnsafeRawPointer(data) + (x.count + y.count) * bytes
      arguments.y = UnsafeMutableRawPointer(result)
      arguments.dx = arguments.y
      arguments.dw = arguments.y
      try plan.run(context: context, arguments)
      for (i, value) in expected.enumerated() where Double(result[i]) != value {
        throw ApusError(
          .backend,
          "self test: \(context.instructionSet.name), \(plan.description): element \(i) is \(result[i]), but plain loops "
            + "give \(value)")
      }
    }
  }
}
