import ApusEngine
import ApusTestSupport
import Testing

/// The worked examples of a first course on convolutional networks.
@Suite struct ConvolutionExampleTests {
  private func layer(
    _ size: Int, _ channels: Int, _ filters: Int, _ kernel: Int, stride: Int = 1, pad: Int = 0
  ) -> ConvolutionDescriptor {
    .plane(
      .float32, channels: channels, height: size, width: size, filters: filters, kernel: kernel, stride: stride,
      pad: pad)
  }

  @Test func sixFiltersOfFiveByFive() throws {
    let d = layer(32, 3, 6, 5)
    #expect(try d.outputSize() == Extents(1, 28, 28) && d.outputChannels == 6)
    try run(d)
  }

  @Test func tenFiltersWithPaddingTwo() throws {
    var d = layer(32, 3, 10, 5, pad: 2)
    d.hasBias = true
    #expect(try d.outputSize() == Extents(1, 32, 32))
    // Each filter has 5 x 5 x 3 weights and a bias: 76, and there are ten.
    #expect(try d.parameterCount() == 760)
    d.hasBias = false
    #expect(try d.parameterCount() == 750)
    try run(d)
  }

  @Test func strides() throws {
    #expect(try layer(7, 1, 1, 3).outputSize() == Extents(1, 5, 5))
    #expect(try layer(7, 1, 1, 3, stride: 2).outputSize() == Extents(1, 3, 3))
    #expect(try layer(7, 1, 1, 3, pad: 1).outputSize() == Extents(1, 7, 7))
    // (7 + 2 - 3) / 3 + 1
    #expect(try layer(7, 1, 1, 3, stride: 3, pad: 1).outputSize() == Extents(1, 3, 3))
    for d in [layer(7, 1, 1, 3), layer(7, 1, 1, 3, stride: 2), layer(7, 1, 1, 3, pad: 1)] { try run(d) }
  }

  /// A window of 3 on 7 goes 4 further: 3 does not divide that. Floor ignores the rest; strict says so.
  @Test func aStrideThatDoesNotFit() throws {
    var d = layer(7, 1, 1, 3, stride: 3)
    #expect(try d.outputSize() == Extents(1, 2, 2))
    d.window.rounding = .strict
    let error = #expect(throws: ApusError.self) { try d.outputSize() }
    #expect(error?.status == .invalidArgument)
    for word in ["stride[0] is 3", "does not divide 4", "kernel of 3", "input of 7", "strict"] {
      #expect(error?.message.contains(word) == true, "\(String(describing: error))")
    }
    let context = try ExecutionContext()
    #expect(throws: ApusError.self) { try ConvolutionPlan(d, direction: .forward, context: context) }
    // The second dimension by its own number.
    d.window.stride.height = 2
    let other = #expect(throws: ApusError.self) { try d.outputSize() }
    #expect(other?.message.contains("stride[1] is 3") == true)
    d.window.stride.width = 4
    #expect(try d.outputSize() == Extents(1, 3, 2))
  }

  @Test(arguments: [3, 5, 7]) func paddingThatKeepsTheSize(_ kernel: Int) throws {
    for size in [7, 8, 32] {
      var d = layer(size, 2, 2, kernel, pad: (kernel - 1) / 2)
      #expect(try d.outputSize() == Extents(1, size, size))
      let byHand = d.window
      d.window.padBefore = Extents(repeating: 0)
      d.window.padAfter = Extents(repeating: 0)
      d.window.padToSame()
      #expect(d.window == byHand)
      if size == 8 { try run(d) }
    }
  }

  /// 1x1 filters mix channels and leave the plane alone.
  @Test(arguments: [2, 4]) func oneByOne(_ filters: Int) throws {
    let d = layer(4, 3, filters, 1)
    #expect(try d.outputSize() == Extents(1, 4, 4))
    #expect(try d.parameterCount() == 3 * filters)
    try run(d)
  }

  /// SAME with a stride: ceil(N / S), what is odd behind.
  @Test func samePadding() throws {
    for size in 1...20 {
      for kernel in 1...7 {
        for stride in 1...4 {
          for dilation in 1...3 {
            var window = SpatialWindow(rank: 1, input: Extents(1, 1, size), window: Extents(1, 1, kernel))
            window.stride.width = stride
            window.dilation.width = dilation
            window.padToSame()
            #expect(try window.outputSize(windowName: "kernel").width == (size + stride - 1) / stride)
            #expect((0...1).contains(window.padAfter.width - window.padBefore.width))
          }
        }
      }
    }
  }

  /// A transposed convolution undoes the shape of a plain one, whatever the stride left over.
  @Test func transposedShapes() throws {
    for size in 5...14 {
      for kernel in 1...4 {
        for stride in 1...3 {
          for pad in 0...1 where pad < kernel {
            let plain = layer(size, 2, 3, kernel, stride: stride, pad: pad)
            let output = try plain.outputSize()
            var d = layer(output.width, 3, 2, kernel, stride: stride, pad: pad)
            d.isTransposed = true
            let rest = (size + 2 * pad - kernel) % stride
            d.outputPadding = Extents(0, rest, rest)
            #expect(try d.outputSize() == Extents(1, size, size))
            #expect(try d.parameterCount() == plain.parameterCount())
          }
        }
      }
    }
  }

  /// A filter of a first lesson, with numbers that can be checked by hand.
  @Test(arguments: TensorLayout.allCases) func edgesOfAnImage(_ layout: TensorLayout) throws {
    let context = try ExecutionContext()
    var problem = ConvolutionDescriptor.plane(
      .float32, channels: 1, height: 6, width: 6, filters: 1, kernel: 3, layout: layout)
    problem.activation = .identity
    for d in try problem.withEachAlgorithm(.forward, context) {
      let trial = ConvolutionTrial(d, .forward)
      for i in 0..<36 { trial[.x, i] = i % 6 < 3 ? 10 : 0 }
      for i in 0..<9 { trial[.weights, i] = [1, 0, -1][i % 3] }
      let y = try trial.run(context)
      for i in 0..<16 { #expect(trial.element(y, .y, i) == [0, 30, 30, 0][i % 4]) }
    }
  }

  /// All directions and layouts.
  private func run(_ d: ConvolutionDescriptor) throws {
    let context = try ExecutionContext(threads: 2)
    for layout in TensorLayout.allCases {
      for direction in ConvolutionDirection.allCases {
        var d = d
        d.xLayout = layout
        d.yLayout = layout
        try expectRight(d, direction, context)
      }
    }
  }
}
