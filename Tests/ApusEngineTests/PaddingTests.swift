import ApusEngine
import ApusTestSupport
import Testing

/// Padding, and tensors that are put together and taken apart.
@Suite struct PaddingTests {
  private struct Trial {
    var mode: PaddingMode
    var shape: [Int]
    var before: [Int]
    var behind: [Int]
    var padding: Padding {
      var numbers = InlineArray<8, Int>(repeating: 0)
      for (i, n) in before.enumerated() { numbers[i] = n }
      var result = Padding(mode, before: numbers)
      result.value = -2
      return result
    }
    var padded: [Int] { shape.indices.map { before[$0] + shape[$0] + behind[$0] } }

    /// The element of x that lies at a place of y along a dimension, by walking from the edge; nil for the constant.
    func source(_ place: Int, _ i: Int) -> Int? {
      let size = shape[i]
      var at = place - before[i]
      switch mode {
      case .constant: return at < 0 || at >= size ? nil : at
      case .replicate: return max(0, min(size - 1, at))
      case .circular: return (at + 10 * size) % size
      case .reflect:
        while at < 0 || at >= size { at = at < 0 ? -at : 2 * size - 2 - at }
        return at
      }
    }

    /// For each element of y, that of x.
    var sources: [Int?] {
      var result: [Int?] = [0]
      for i in shape.indices {
        result = result.flatMap { outer in
          (0..<padded[i]).map { place in
            guard let outer, let own = source(place, i) else { return nil }
            return outer * shape[i] + own
          }
        }
      }
      return result
    }
  }

  private static let trials: [Trial] = PaddingMode.allCases.flatMap { mode -> [Trial] in
    let shapes: [([Int], [Int], [Int])] = [
      ([5], [2], [3]), ([5], [0], [0]), ([1], [0], [mode == .reflect ? 0 : 1]), ([3, 4], [2, 3], [0, 1]),
      ([2, 3, 7], [0, 2, 5], [0, 1, 6]), ([40, 70], [9, 20], [11, 33]), ([3, 5, 4], [1, 2, 0], [2, 0, 0]), ([], [], []),
      ([2, 0, 3], [1, 0, 1], [0, 0, 0]),
    ]
    return shapes.map { Trial(mode: mode, shape: $0.0, before: $0.1, behind: $0.2) }
  }

  @Test(arguments: InstructionSet.available, gemmTypes)
  func valuesAndGradients(_ set: InstructionSet, _ type: DataType) throws {
    let contexts = try Setting.of(set).map { try $0.context() }
    var random = Randomness(seed: 41)
    for trial in Self.trials {
      let x = random.reals(trial.shape.reduce(1, *), type)
      let sources = trial.sources
      let expected = sources.map { $0.map { x[$0] } ?? -2 }
      let dy = random.reals(sources.count, type)
      var gradients = [Double](repeating: 0, count: x.count)
      for (i, source) in sources.enumerated() { if let source { gradients[source] += dy[i] } }
      let (source, gradient) = (RealArray(type, x), RealArray(type, dy))
      let (xTensor, yTensor) = (try StridedTensor(type, trial.shape), try StridedTensor(type, trial.padded))
      var first: [UInt8]?
      for context in x.count > 1000 ? contexts : [contexts[0]] {
        let y = RealArray(type, count: sources.count)
        try trial.padding.forward(context: context, xTensor, source.pointer, yTensor, y.pointer)
        #expect(y.values == expected, "\(set) \(trial)")
        let dx = RealArray(type, count: x.count)
        try trial.padding.backward(context: context, yTensor, gradient.pointer, xTensor, dx.pointer)
        let difference = firstDifference(dx, gradients, within: { _ in type.epsilon * 600 })
        #expect(difference == nil, "\(set) \(trial): dx\(difference ?? "")")
        #expect(first == nil || first == dx.bytes, "\(trial)")
        first = dx.bytes
      }
    }
  }

  /// Views whose dimensions lie in another order in memory.
  @Test(arguments: PaddingMode.allCases)
  func strides(_ mode: PaddingMode) throws {
    let context = try ExecutionContext(threads: 1)
    let trial = Trial(mode: mode, shape: [4, 3], before: [1, 2], behind: [2, 0])
    func turned(_ shape: [Int]) throws -> StridedTensor {
      var result = StridedTensor(.float32)
      try result.append(size: shape[0], stride: 1, name: "view")
      try result.append(size: shape[1], stride: shape[0], name: "view")
      return result
    }
    func turn(_ values: [Double], _ shape: [Int]) -> [Double] {
      (0..<shape[1]).flatMap { j in (0..<shape[0]).map { values[$0 * shape[1] + j] } }
    }
    let x = (0..<12).map { Double($0) }
    let y = RealArray(.float32, count: 35)
    let source = RealArray(.float32, turn(x, [4, 3]))
    try trial.padding.forward(
      context: context, turned([4, 3]), source.pointer, turned(trial.padded), y.pointer)
    #expect(y.values == turn(trial.sources.map { $0.map { x[$0] } ?? -2 }, trial.padded))
    let ones = RealArray(.float32, [Double](repeating: 1, count: 35))
    try trial.padding.backward(context: context, turned(trial.padded), ones.pointer, turned([4, 3]), source.pointer)
    let counts = (0..<12).map { i in Double(trial.sources.filter { $0 == i }.count) }
    #expect(source.values == turn(counts, [4, 3]))
  }

  @Test(arguments: InstructionSet.available)
  func parts(_ set: InstructionSet) throws {
    let whole = (0..<120).map { Double($0) }
    for setting in Setting.of(set) {
      let context = try setting.context()
      let x = RealArray(.float64, whole)
      let tensor = try StridedTensor(.float64, [4, 10, 3])
      let sizes = [3, 0, 6, 1]
      let tensors = try sizes.map { try StridedTensor(.float32, [4, $0, 3]) }
      let parts = sizes.map { RealArray(.float32, count: 12 * $0) }
      try Movement.split(context: context, axis: 1, count: 4, tensor, x.pointer) { i throws(ApusError) in
        (tensors[i], parts[i].pointer)
      }
      #expect(
        parts[2].values[18...].prefix(3) == [39, 40, 41]
          && parts[3].values == [27, 28, 29, 57, 58, 59, 87, 88, 89, 117, 118, 119])
      let y = RealArray(.float64, count: 120)
      try Movement.concatenate(
        context: context, axis: 1, count: 4,
        { i throws(ApusError) in (tensors[i], UnsafeRawPointer(parts[i].pointer)) },
        tensor, y.pointer)
      #expect(y.values == whole)
    }
  }

  @Test func mistakesAreNamed() throws {
    let context = try ExecutionContext(threads: 1)
    let y = RealArray(.float32, count: 40)
    func message(_ mode: PaddingMode, _ x: [Int], _ before: [Int], _ result: [Int]) -> String? {
      let trial = Trial(mode: mode, shape: x, before: before, behind: [])
      let error = #expect(throws: ApusError.self) {
        try trial.padding.forward(
          context: context, StridedTensor(.float32, x), y.pointer, StridedTensor(.float32, result), y.pointer)
      }
      return error?.message
    }
    #expect(
      message(.reflect, [2, 3], [0, 3], [2, 6])
        == "the padding of dimension 1 is 3, but it must be less than the size, 3")
    #expect(
      message(.circular, [3], [1], [8]) == "the padding of dimension 0 is 4, but it must be at most the size, 3")
    #expect(message(.replicate, [0], [1], [2])?.contains("where there is no element") == true)
    #expect(message(.constant, [3], [-1], [8]) == "before[0] is -1, but it must be 0 to y's size, which is 8")
    #expect(
      message(.constant, [3], [4], [6])
        == "y_tensor->shape[0] is 6, but it must be at least before[0] + the size of x, which is 4 + 3")
    #expect(message(.constant, [3], [0], [3, 1]) == "y_tensor's rank is 2, but x has 1 dimensions")
    #expect(y.values.allSatisfy { $0 == -777 })
    func joined(_ parts: [[Int]], _ whole: [Int], axis: Int) -> String? {
      let error = #expect(throws: ApusError.self) {
        let tensors = try parts.map { try StridedTensor(.float32, $0) }
        try Movement.concatenate(
          context: context, axis: axis, count: parts.count,
          { i throws(ApusError) in (tensors[i], UnsafeRawPointer(y.pointer)) }, StridedTensor(.float32, whole),
          y.pointer)
      }
      return error?.message
    }
    #expect(joined([[2, 3]], [2, 3], axis: 2) == "axis is 2, but the tensor [2, 3] has the axes 0 to 1")
    #expect(
      joined([[2, 3], [3, 1]], [2, 4], axis: 1)
        == "x_tensors[1]'s shape is [3, 1], but it must be that of y, which is [2, 4], but for axis 1")
    #expect(
      joined([[2, 3], [2, 2]], [2, 4], axis: 1)
        == "y_tensor->shape[1] is 4, but it must be the sum of the 2 parts' sizes, which is 5")
    #expect(y.values.allSatisfy { $0 == -777 })
  }
}
