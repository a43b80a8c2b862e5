import ApusEngine
import ApusKernelInterface
import ApusTestSupport
import Testing

/// No byte outside of the tensors, the packed weights and the scratch is touched, and scratch stays small. A stray access
/// ends the test process.
@Suite struct ConvolutionMemoryTests {
  private func expectContained(
    _ d: ConvolutionDescriptor, _ direction: ConvolutionDirection, _ context: ExecutionContext, accumulate: Bool,
    seed: UInt64
  ) throws {
    for placement in [TestMemory.Placement.beforeGuard, .afterGuard] {
      try expectRight(d, direction, context, accumulate: accumulate, seed: seed, placement, scratch: .exact)
    }
  }

  @Test(arguments: InstructionSet.available, gemmTypes)
  func guardPagesAroundEverything(_ set: InstructionSet, _ type: DataType) throws {
    let contexts = try GemmValueTests.contexts(set)
    var sampler = ConvolutionSampler(type, seed: 90)
    for turn in 0..<150 {
      try expectContained(
        sampler.problem(products: 30_000), ConvolutionDirection.allCases[turn % 3], contexts[turn % contexts.count],
        accumulate: sampler.random.bool(), seed: sampler.random.next())
    }
  }

  /// Channels and widths around the edges of vectors and tiles, where a kernel may read or write too much.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func guardPagesAroundTileEdges(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    let kernels = set.gemmKernels(type)
    let filters = GemmSampler.around([1, kernels.lanes, kernels.tileColumns], upTo: 70)
    let widths = GemmSampler.around([1, kernels.lanes, kernels.tileRows, kernels.narrowTileRows], upTo: 40)
    var turn = 0
    for k in filters where k > 0 {
      for width in widths where width > 0 {
        for kernel in [1, 3] {
          turn += 1
          var d = ConvolutionDescriptor.plane(
            type, channels: [1, 3, kernels.lanes + 1][turn % 3], height: 2, width: width, filters: k, kernel: kernel,
            stride: turn % 5 == 0 ? 2 : 1, pad: kernel / 2)
          d.xLayout = TensorLayout.allCases[turn / 2 % 2]
          d.yLayout = TensorLayout.allCases[turn / 4 % 2]
          if turn % 4 == 3 {
            d.inputChannels = k
            d.groups = k
          }
          d.hasBias = turn % 2 == 0
          d.activation = turn % 3 == 0 ? .sigmoid : .identity
          d.packedWeights = turn % 7 < 3
          for direction in ConvolutionDirection.allCases {
            try expectContained(d, direction, context, accumulate: turn % 2 == 1, seed: 3)
          }
        }
      }
    }
  }

  /// Layers of VGG-16 and ResNet-50 on two threads: what the plan chooses takes a few rows of the tensors for each thread
  /// and the weights. No algorithm of the list has a buffer that grows with the batch.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func scratchIsSmall(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    for (channels, size, filters, kernel, stride) in [
      (3, 224, 64, 3, 1), (64, 224, 64, 3, 1), (128, 112, 128, 3, 1), (256, 56, 256, 3, 1), (512, 28, 512, 3, 1),
      (512, 14, 512, 3, 1), (3, 224, 64, 7, 2), (64, 56, 256, 1, 1), (256, 56, 512, 1, 2), (512, 7, 2048, 1, 1),
    ] {
      for layout in TensorLayout.allCases {
        for direction in ConvolutionDirection.allCases {
          var problem = ConvolutionDescriptor.plane(
            type, channels: channels, height: size, width: size, filters: filters, kernel: kernel, stride: stride,
            pad: kernel / 2, layout: layout)
          problem.hasBias = true
          for (place, var d) in try problem.withEachAlgorithm(direction, context).enumerated() {
            func bytes(batch: Int, packed: Bool) throws -> Int {
              d.batch = batch
              d.packedWeights = packed
              let plan = try ConvolutionPlan(d, direction: direction, context: context)
              return plan.scratchBytes(context: context) - (packed ? 0 : plan.packedWeightBytes)
            }
            let many = try bytes(batch: 64, packed: false)
            let most = try bytes(batch: 64_000, packed: false)
            // Small images may share a band, and a batch is cut into a fixed number of stretches.
            #expect(most <= many + many / 4 + 4096, "\(direction) \(d): \(most) after \(many)")
            if place > 0 { continue }
            for packed in [false, true] {
              for batch in [1, 64] {
                let bytes = try bytes(batch: batch, packed: packed)
                #expect(bytes <= 4 << 20, "\(direction), batch \(batch) of \(d): \(bytes)")
              }
            }
          }
        }
      }
    }
  }

  /// Dilated layers: rows and columns between the taps are not kept. ASPP's branches, and taps at either end of an image.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func scratchOfDilatedLayersIsSmall(_ set: InstructionSet, _ type: DataType) throws {
    let context = try Setting(set, .host, 2).context()
    typealias Layer = (channels: Int, groups: Int, input: Extents, kernel: Extents, dilation: Extents, pad: Extents)
    let layers: [Layer] = [
      (2048, 1, Extents(1, 65, 65), Extents(1, 3, 3), Extents(1, 18, 18), Extents(0, 18, 18)),
      (2048, 1, Extents(1, 33, 33), Extents(1, 3, 3), Extents(1, 24, 24), Extents(0, 24, 24)),
      (64, 1, Extents(1, 100_000, 64), Extents(1, 2, 1), Extents(1, 99_999, 1), Extents(0, 1, 0)),
      (64, 1, Extents(1, 64, 100_000), Extents(1, 1, 2), Extents(1, 1, 99_999), Extents(0, 0, 1)),
      (64, 1, Extents(500, 8, 8), Extents(2, 1, 1), Extents(499, 1, 1), Extents(1, 0, 0)),
      (64, 64, Extents(1, 65, 65), Extents(1, 3, 3), Extents(1, 18, 18), Extents(0, 18, 18)),
      (64, 64, Extents(1, 100_000, 64), Extents(1, 2, 1), Extents(1, 99_999, 1), Extents(0, 1, 0)),
    ]
    for layer in layers {
      for layout in TensorLayout.allCases {
        for direction in ConvolutionDirection.allCases {
          var d = ConvolutionDescriptor.plane(
            type, channels: layer.channels, height: 1, width: 1, filters: layer.groups == 1 ? 256 : layer.channels,
            kernel: 1, layout: layout)
          d.groups = layer.groups
          d.window.rank = 3
          (d.window.input, d.window.window, d.window.dilation) = (layer.input, layer.kernel, layer.dilation)
          (d.window.padBefore, d.window.padAfter) = (layer.pad, layer.pad)
          d.packedWeights = true
          let bytes = try ConvolutionPlan(d, direction: direction, context: context).scratchBytes(context: context)
          // Three rows of 2048 channels are half of it.
          #expect(bytes <= (8 << 20) * type.size / 4, "\(direction) of \(d): \(bytes)")
        }
      }
    }
  }

  /// Bands in pieces along the height, the depth, and the width, where few pixels make a part.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func bandsInPieces(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    var random = Randomness(seed: 26)
    for turn in 0..<20 {
      var d = ConvolutionDescriptor.plane(
        type, batch: random.int(1...2), channels: random.pick([3, 17, 40]), height: random.int(18...25),
        width: random.int(20...40), filters: random.pick([5, 33]), kernel: 3)
      if turn % 5 == 4 {
        d.window.input = Extents(1, 2, 150)
        d.window.window = Extents(1, 1, 2)
        d.window.dilation.width = 100
        d.window.padBefore.width = 50
      } else {
        d.window.dilation = Extents(1, random.int(7...11), random.int(5...15))
        d.window.padBefore = Extents(0, random.int(0...9), random.int(0...15))
        d.window.padAfter = Extents(0, random.int(0...9), random.int(0...15))
        d.window.stride = Extents(1, random.int(1...3), random.int(1...3))
        if turn % 3 == 0 {
          d.window.rank = 3
          (d.window.input.depth, d.window.window.depth, d.window.dilation.depth) = (9, 2, 7)
        }
      }
      if !ConvolutionSampler.isLegal(d) { continue }
      d.isTransposed = turn % 7 == 5
      d.xLayout = random.pick(TensorLayout.allCases)
      d.yLayout = random.pick(TensorLayout.allCases)
      d.hasBias = turn % 2 == 0
      for direction in ConvolutionDirection.allCases {
        if turn % 5 == 4 {
          // Enough channels to gather for parts of a line, along which taps are pieces.
          let many = type == .float32 ? 700 : 350
          d.inputChannels = direction == .backwardData ? 3 : many
          d.outputChannels = direction == .backwardData ? many : 3
        }
        try expectContained(d, direction, context, accumulate: random.bool(), seed: random.next())
      }
    }
  }
}
