import ApusEngine
import ApusTestSupport
import Testing

/// Sums of large windows, and norms at the ends of their range.
@Suite struct PoolingSumTests {
  private func filled(_ type: DataType, _ count: Int, _ value: (Int) -> Double) -> TestMemory {
    let memory = TestMemory(bytes: count * type.size)
    for i in 0..<count { type.store(value(i), memory.base, i) }
    return memory
  }

  private static let geometries: [(channels: Int, window: SpatialWindow, adaptive: Extents?)] = {
    func slide(_ rank: Int, _ input: Extents, _ size: Extents, stride: Int = 1) -> SpatialWindow {
      var window = SpatialWindow(rank: rank, input: input, window: size)
      window.stride = Extents(repeating: stride)
      return window
    }
    let plane = Extents(1, 1000, 1000)
    let row = Extents(1, 1, 70_003)
    return [
      (2, slide(2, plane, plane), nil),
      // Eight vectors of channels and more.
      (141, slide(2, Extents(1, 190, 200), Extents(1, 190, 200)), nil),
      (1, slide(2, plane, plane), Extents(1, 1, 2)),
      (1, slide(1, row, Extents(1, 1, 70_000)), nil),
      (1, slide(1, row, Extents(1, 1, 70_000), stride: 2), nil),
      (1, slide(1, row, Extents(1, 1, 70_000), stride: 3), nil),
      (18, slide(2, Extents(1, 30_000, 5), Extents(1, 30_000, 3)), nil),
      (2, slide(3, Extents(300, 30, 40), Extents(300, 30, 39)), nil),
    ]
  }()

  /// The error of a sum of n elements does not grow as n: see the header.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func largeWindows(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    for (channels, window, adaptive) in Self.geometries {
      let value = type.rounded(0.1)
      let x = filled(type, channels * window.input.product) { _ in value }
      for layout in TensorLayout.allCases {
        for (kind, p) in [(PoolingKind.average, 1.0), (.norm, 1), (.norm, 2)] {
          var d = PoolingDescriptor(dataType: type, kind: kind, batch: 1, channels: channels, window: window)
          d.layout = layout
          d.norm = p
          d.adaptiveOutput = adaptive
          let plan = try PoolingPlan(d, context: context)
          let y = filled(type, plan.outputCount) { _ in -1 }
          var arguments = PoolingArguments()
          (arguments.x, arguments.y) = (x.base, y.base)
          try plan.run(context: context, arguments)
          let count = Double(adaptive == nil ? window.window.product : window.input.product / plan.output.product)
          let expected = kind == .average ? value : p == 1 ? count * value : count.squareRoot() * value
          let bound = (count / 65_536 + 1100) * type.epsilon * expected
          for i in 0..<plan.outputCount where abs(type.load(y.base, i) - expected) > bound {
            Issue.record("\(plan.description): y[\(i)] is \(type.load(y.base, i)) instead of \(expected)")
            return
          }
        }
      }
    }
  }

  /// Gradients of finite numbers are numbers, also where powers and their sums are beyond the type's range.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func normsBeyondTheRange(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 1)
    let (small, large) = type == .float32 ? (1e-30, 1e30) : (1e-200, 1e200)
    let tiny = type == .float32 ? 1e-42 : Double.leastNormalMagnitude / 64
    let values = [0, 1, -30, small, -large, large, tiny, -0.01, 1e5, 3]
    for layout in TensorLayout.allCases {
      for p in [0.25, 0.5, 1, 1.5, 2, 3, 30, 300] {
        for (size, stride) in [(1, 1), (2, 2), (2, 1), (3, 1), (3, 3)] {
          var window = SpatialWindow(rank: 2, input: Extents(1, 6, 15), window: Extents(1, size, size))
          window.stride = Extents(1, stride, stride)
          var d = PoolingDescriptor(dataType: type, kind: .norm, batch: 1, channels: 3, window: window)
          d.layout = layout
          d.norm = p
          var random = Randomness(seed: UInt64(size))
          let x = filled(type, 3 * 90) { $0 < 100 ? 0.5 : random.pick(values) }
          let forward = try PoolingPlan(d, context: context)
          let y = filled(type, forward.outputCount) { _ in 0 }
          var arguments = PoolingArguments()
          (arguments.x, arguments.y) = (x.base, y.base)
          try forward.run(context: context, arguments)
          let dy = filled(type, forward.outputCount) { _ in random.pick([0, 1, -1, 1e3]) }
          let dx = filled(type, 3 * 90) { _ in 0 }
          (arguments.dy, arguments.dx) = (dy.base, dx.base)
          try PoolingPlan(d, direction: .backwardData, context: context).run(context: context, arguments)
          for i in 0..<3 * 90 {
            let (from, to) = (type.load(x.base, i), type.load(dx.base, i))
            #expect(!to.isNaN && (from != 0 || to == 0), "\(forward.description): x \(from) gives dx \(to)")
            if to.isNaN { return }
          }
          for i in 0..<forward.outputCount { #expect(type.load(y.base, i) >= 0) }
        }
      }
    }
  }

  /// NaN and infinity still go through.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func normsOfSpecialValues(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 1)
    for p in [1.0, 1.5, 2, 3] {
      var d = PoolingDescriptor(
        dataType: type, kind: .norm, batch: 1, channels: 1,
        window: SpatialWindow(rank: 1, input: Extents(1, 1, 8), window: Extents(1, 1, 2)))
      d.window.stride.width = 2
      d.norm = p
      let x = filled(type, 8) { [1, .nan, 1, -.infinity, 3, 4, 1, 2][$0] }
      let y = filled(type, 4) { _ in 0 }
      var arguments = PoolingArguments()
      (arguments.x, arguments.y) = (x.base, y.base)
      try PoolingPlan(d, context: context).run(context: context, arguments)
      #expect(type.load(y.base, 0).isNaN && type.load(y.base, 1) == .infinity)
      let dy = filled(type, 4) { [1, 1, .infinity, .nan][$0] }
      let dx = filled(type, 8) { _ in 0 }
      (arguments.dy, arguments.dx) = (dy.base, dx.base)
      try PoolingPlan(d, direction: .backwardData, context: context).run(context: context, arguments)
      func gradient(_ i: Int) -> Double { type.load(dx.base, i) }
      #expect(p == 1 || gradient(0).isNaN)
      #expect(gradient(1).isNaN && gradient(4) == .infinity && gradient(5) == .infinity)
      #expect(gradient(6).isNaN && gradient(7).isNaN)
    }
  }
}
