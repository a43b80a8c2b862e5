import ApusEngine
import ApusKernelInterface
import ApusTestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Arithmetic with broadcasting, reductions, movement, gathering and embedding.
@Suite struct TensorFunctionTests {
  /// Every place of a shape, with its offset in a view.
  private func places(_ tensor: StridedTensor) -> [(index: [Int], offset: Int)] {
    var result: [(index: [Int], offset: Int)] = [([], 0)]
    for i in 0..<tensor.rank {
      result = result.flatMap { place in
        (0..<tensor.shape[i]).map { (place.index + [$0], place.offset + $0 * tensor.strides[i]) }
      }
    }
    return result
  }

  /// The offset in a source that is broadcast.
  private func offset(_ tensor: StridedTensor, _ index: [Int]) -> Int {
    (0..<tensor.rank).reduce(0) { sum, i in
      let place = index[index.count - tensor.rank + i]
      return sum + (tensor.shape[i] == 1 ? 0 : place * tensor.strides[i])
    }
  }

  private func reference(_ f: BinaryFunction, _ a: Double, _ b: Double) -> Double {
    switch f {
    case .add: a + b
    case .subtract: a - b
    case .multiply: a * b
    case .divide: a / b
    case .power: pow(a, b)
    case .minimum: a.isNaN || b.isNaN ? .nan : min(a, b)
    case .maximum: a.isNaN || b.isNaN ? .nan : max(a, b)
    case .equal: a == b ? 1 : 0
    case .notEqual: a != b ? 1 : 0
    case .less: a < b ? 1 : 0
    case .lessOrEqual: a <= b ? 1 : 0
    case .greater: a > b ? 1 : 0
    case .greaterOrEqual: a >= b ? 1 : 0
    case .prelu: a < 0 ? a * b : a
    }
  }

  /// A view with its dimensions in another order in memory.
  private func permuted(_ type: DataType, _ shape: [Int], order: [Int]) throws -> StridedTensor {
    let dense = try StridedTensor(type, order.map { shape[$0] })
    var result = StridedTensor(type)
    for i in shape.indices {
      try result.append(size: shape[i], stride: dense.strides[order.firstIndex(of: i) ?? 0], name: "view")
    }
    return result
  }

  @Test(arguments: InstructionSet.available, gemmTypes)
  func broadcasting(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    var random = Randomness(seed: 31)
    let shapes: [([Int], [Int], [Int])] = [
      ([5], [5], [5]), ([3, 40], [40], [3, 40]), ([3, 1], [1, 7], [3, 7]), ([], [2, 3], [2, 3]),
      ([4, 1, 5], [3, 1], [4, 3, 5]), ([2, 3, 4, 5], [2, 3, 4, 5], [2, 3, 4, 5]), ([0, 3], [1, 3], [0, 3]),
      ([70, 200], [70, 1], [70, 200]), ([20_000], [1], [20_000]),
    ]
    for f in BinaryFunction.allCases {
      for (turn, (a, b, y)) in shapes.enumerated() where y.reduce(1, *) < 2000 || f == .add || f == .maximum {
        let count = y.reduce(1, *)
        var aTensor = try StridedTensor(type, a)
        if turn == 5 { aTensor = try permuted(type, a, order: [3, 1, 0, 2]) }
        let bTensor = try StridedTensor(type, b)
        let yTensor = turn == 3 ? try permuted(type, y, order: [1, 0]) : try StridedTensor(type, y)
        var left = random.reals(a.reduce(1, *), type, scale: 2)
        var right = random.reals(b.reduce(1, *), type, scale: 2)
        if f == .power { left = left.map { abs($0) + 0.1 }.map { type.rounded($0) } }
        if turn == 5 { (left[3], right[4], left[7]) = (.nan, .nan, right[7]) }
        let (p, q, result) = (RealArray(type, left), RealArray(type, right), RealArray(type, count: count))
        try Arithmetic.binary(f, context: context, aTensor, p.pointer, bTensor, q.pointer, yTensor, result.pointer)
        for place in places(yTensor) {
          let wanted = reference(f, left[offset(aTensor, place.index)], right[offset(bTensor, place.index)])
          let bound = abs(wanted) * type.epsilon * 2
          if !isNear(result[place.offset], wanted, within: bound) {
            Issue.record("\(set) \(f) \(a) \(b): \(place.index) is \(result[place.offset]) instead of \(wanted)")
            break
          }
        }
      }
    }
    let error = #expect(throws: ApusError.self) {
      let (a, y) = (try StridedTensor(type, [3, 4]), try StridedTensor(type, [3, 5]))
      try Arithmetic.binary(.add, context: context, a, nil, y, nil, y, nil)
    }
    #expect(error?.message == "a's shape is [3, 4], but it must broadcast to the shape of y, which is [3, 5]")
  }

  @Test(arguments: InstructionSet.available, gemmTypes)
  func select(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, backend: .serial, threads: 1)
    let condition = RealArray(type, [0, 1, -0.0, .nan, 0.25])
    let (a, b, y) = (
      RealArray(type, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]), RealArray(type, [-1]), RealArray(type, count: 10)
    )
    try Arithmetic.select(
      context: context, StridedTensor(type, [5]), condition.pointer, StridedTensor(type, [2, 5]), a.pointer,
      StridedTensor(type, [1]), b.pointer, StridedTensor(type, [2, 5]), y.pointer)
    #expect(y.values == [-1, 2, -1, 4, 5, -1, 7, -1, 9, 10])
  }

  private func reference(_ plan: Reduction, _ x: [Double]) -> Double {
    let n = Double(x.count)
    let mean = x.reduce(0, +) / n
    switch plan.kind {
    case .sum: return x.reduce(0, +)
    case .mean: return mean
    case .maximum: return x.contains { $0.isNaN } ? .nan : x.max() ?? 0
    case .minimum: return x.contains { $0.isNaN } ? .nan : x.min() ?? 0
    case .variance: return x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (n - plan.correction)
    case .norm1: return x.reduce(0) { $0 + abs($1) }
    case .norm2: return x.reduce(0) { $0 + $1 * $1 }.squareRoot()
    case .logSumExp:
      let most = x.max() ?? 0
      return most + log(x.reduce(0) { $0 + exp($1 - most) })
    }
  }

  @Test(arguments: InstructionSet.available, gemmTypes)
  func reductions(_ set: InstructionSet, _ type: DataType) throws {
    let contexts = try Setting.of(set).map { try $0.context() }
    var random = Randomness(seed: 32)
    for kind in ReductionKind.allCases {
      for (turn, (shape, axes)) in [
        ([7], 1), ([3, 40], 2), ([40, 33], 1), ([4, 5, 6], 0b101), ([4, 5, 6], 0b010), ([2, 3, 4, 5], 0b1010),
        ([3, 4], 3), ([3, 4], 0), ([300, 90], 1), ([70_000], 1), ([6, 5, 4], 0b011), ([5, 7], 2),
      ].enumerated() {
        var plan = Reduction(kind, axes: axes)
        plan.correction = turn % 2 == 0 ? 0 : 1
        let tensor = turn == 11 ? try permuted(type, shape, order: [1, 0]) : try StridedTensor(type, shape)
        if kind == .variance && axes == 0 { continue }
        var values = random.reals(shape.reduce(1, *), type).map { type.rounded($0 + 0.25) }
        if turn == 1 { values[41] = .nan }
        let x = RealArray(type, values)
        var groups: [[Int]: [Double]] = [:]
        var order: [[Int]] = []
        for place in places(tensor) {
          let key = place.index.enumerated().filter { axes >> $0.offset & 1 == 0 }.map(\.element)
          if groups[key] == nil { order.append(key) }
          groups[key, default: []].append(values[place.offset])
        }
        order.sort { $0.lexicographicallyPrecedes($1) }
        let expected = order.map { reference(plan, groups[$0] ?? []) }
        var first: [UInt8]?
        for context in turn >= 8 ? contexts : [contexts[0]] {
          let y = RealArray(type, count: expected.count)
          try plan.run(context: context, tensor, x: x.pointer, y: y.pointer)
          let n = Double(values.count)
          let difference = firstDifference(
            y, expected, within: { type.epsilon * (n / 64 + 40) * (abs(expected[$0]) + (kind == .sum ? n / 20 : 1)) })
          #expect(difference == nil, "\(set) \(kind) \(shape) \(axes): y\(difference ?? "")")
          #expect(first == nil || first == y.bytes, "\(kind) \(shape)")
          first = y.bytes
        }
      }
    }
    let error = #expect(throws: ApusError.self) {
      try Reduction(.sum, axes: 4).run(context: contexts[0], StridedTensor(type, [2, 3]), x: nil, y: nil)
    }
    #expect(error?.message == "axes is 4, but its bits must be axes of [2, 3], 0 to 1")
  }

  @Test(arguments: InstructionSet.available, gemmTypes)
  func alongAxes(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    let plan = AxisFunction(dataType: type, outer: 2, size: 4, inner: 3)
    let values: [Double] = [1, 5, 0, 2, 5, .nan, 2, 4, 9, 0, 1, .nan] + [-1, -2, -3, -1, -2, -4, -5, -2, -3, 0, 7, -9]
    let x = RealArray(type, values)
    var indices = [Int32](repeating: -1, count: 6)
    try plan.position(context: context, least: false, x: x.pointer, indexType: .int32, indices: &indices)
    #expect(indices == [1, 0, 1, 3, 3, 0])
    var wide = [Int64](repeating: -1, count: 6)
    try plan.position(context: context, least: true, x: x.pointer, indexType: .int64, indices: &wide)
    #expect(wide == [3, 3, 1, 2, 0, 3])
    let y = RealArray(type, count: 24)
    let line = RealArray(type, (1...24).map { Double($0) })
    try plan.cumulativeSum(context: context, isReversed: false, isExclusive: false, x: line.pointer, y: y.pointer)
    #expect(Array(y.values[0..<12]) == [1, 2, 3, 5, 7, 9, 12, 15, 18, 22, 26, 30])
    try plan.cumulativeSum(context: context, isReversed: true, isExclusive: true, x: line.pointer, y: line.pointer)
    #expect(Array(line.values[0..<12]) == [21, 24, 27, 17, 19, 21, 10, 11, 12, 0, 0, 0])
  }

  @Test(arguments: InstructionSet.available, gemmTypes)
  func permutations(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    var random = Randomness(seed: 33)
    for (shape, order) in [
      ([5, 7], [1, 0]), ([33, 50], [1, 0]), ([2, 17, 35], [0, 2, 1]), ([3, 4, 5, 6], [3, 1, 2, 0]),
      ([130, 70], [1, 0]),
    ] {
      let values = random.reals(shape.reduce(1, *), type)
      let dense = try StridedTensor(type, shape)
      var view = StridedTensor(type)
      for axis in order { try view.append(size: shape[axis], stride: dense.strides[axis], name: "view") }
      let y = RealArray(type, count: values.count)
      let kept1 = RealArray(type, values)
      try Movement.copy(
        context: context, view, kept1.pointer, StridedTensor(type, order.map { shape[$0] }), y.pointer)
      #expect(y.values == places(view).map { values[$0.offset] }, "\(set) \(shape) \(order)")
    }
    // Between a part of one and a part of the other, backwards.
    let x = RealArray(type, (0..<20).map { Double($0) })
    let y = RealArray(type, [Double](repeating: -1, count: 12))
    var part = StridedTensor(type)
    try part.append(size: 3, stride: -5, name: "part")
    try part.append(size: 2, stride: 2, name: "part")
    var place = StridedTensor(type)
    try place.append(size: 3, stride: 4, name: "place")
    try place.append(size: 2, stride: 1, name: "place")
    try Movement.copy(context: context, part, x.pointer + 11 * type.size, place, y.pointer + type.size)
    #expect(y.values == [-1, 11, 13, -1, -1, 6, 8, -1, -1, 1, 3, -1])
    try Movement.fill(context: context, place, y.pointer + type.size, value: 7)
    #expect(y.values == [-1, 7, 7, -1, -1, 7, 7, -1, -1, 7, 7, -1])
  }

  @Test func conversions() throws {
    let context = try ExecutionContext(threads: 1)
    let x: [Double] = [0, 1.9, -1.9, 1e30, -1e30, .nan, .infinity, 2_147_483_647.5]
    func converted<T>(_ from: DataType, _ x: [some Any], _ to: DataType, _: T.Type, _ zero: T) throws -> [T] {
      var y = [T](repeating: zero, count: x.count)
      try x.withUnsafeBytes { x in
        try y.withUnsafeMutableBytes { y in
          try Movement.copy(
            context: context, StridedTensor(from, [8]), x.baseAddress, StridedTensor(to, [8]), y.baseAddress)
        }
      }
      return y
    }
    #expect(
      try converted(.float64, x, .int32, Int32.self, 0) == [0, 1, -1, .max, .min, 0, .max, .max])
    #expect(
      try converted(.float32, x.map { Float($0) }, .int64, Int64.self, 0)
        == [0, 1, -1, .max, .min, 0, .max, 2_147_483_648])
    #expect(try converted(.float64, x, .float32, Float.self, 0).prefix(5) == [0, 1.9, -1.9, 1e30, -1e30])
    #expect(try converted(.int32, [Int32](0..<8), .float32, Float.self, 0) == [0, 1, 2, 3, 4, 5, 6, 7])
    #expect(try converted(.int64, [Int64](repeating: 1 << 40, count: 8), .int32, Int32.self, 0)[0] == .max)
  }

  @Test(arguments: InstructionSet.available, gemmTypes)
  func gathering(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    var random = Randomness(seed: 34)
    let plan = AxisGather(dataType: type, indexType: .int64, outer: 3, size: 5, inner: 7, count: 4)
    let x = random.reals(105, type)
    var indices: [Int64] = [4, 0, 4, 2]
    let y = RealArray(type, count: 84)
    let kept2 = RealArray(type, x)
    try plan.gather(context: context, x: kept2.pointer, indices: &indices, y: y.pointer)
    for o in 0..<3 {
      for (k, index) in indices.enumerated() {
        for i in 0..<7 { #expect(y[(o * 4 + k) * 7 + i] == x[(o * 5 + Int(index)) * 7 + i]) }
      }
    }
    let sums = RealArray(type, [Double](repeating: 1, count: 105))
    try plan.scatterAdd(context: context, x: y.pointer, indices: &indices, y: sums.pointer)
    for i in 0..<7 {
      #expect(sums[4 * 7 + i] == type.rounded(type.rounded(1 + x[28 + i]) + x[28 + i]) && sums[7 + i] == 1)
    }
    indices[2] = 5
    let error = #expect(throws: ApusError.self) {
      try plan.gather(context: context, x: sums.pointer, indices: &indices, y: y.pointer)
    }
    #expect(error?.message == "indices[2] is 5, but it must be 0 to 4")
    var labels: [Int32] = [2, 0]
    let rows = RealArray(type, count: 6)
    try AxisGather(dataType: type, indexType: .int32, outer: 1, size: 3, inner: 1, count: 2)
      .oneHot(indices: &labels, y: rows.pointer)
    #expect(rows.values == [0, 0, 1, 1, 0, 0])
  }

  @Test(arguments: InstructionSet.available, gemmTypes)
  func embedding(_ set: InstructionSet, _ type: DataType) throws {
    var random = Randomness(seed: 35)
    let (rows, width, count) = (50, 37, 600)
    var plan = Embedding(dataType: type, rows: rows, width: width, count: count)
    plan.paddingIndex = 3
    let table = random.reals(rows * width, type)
    var indices = (0..<count).map { _ in Int32(random.int(0...rows - 1)) }
    let dy = random.reals(count * width, type)
    let gradient = RealArray(type, dy)
    var sums = [Double](repeating: 0, count: rows * width)
    for i in 0..<count where indices[i] != 3 {
      for k in 0..<width {
        let place = Int(indices[i]) * width + k
        sums[place] = type.rounded(sums[place] + dy[i * width + k])
      }
    }
    for setting in Setting.of(set) {
      let context = try setting.context()
      let y = RealArray(type, count: count * width)
      let kept3 = RealArray(type, table)
      try plan.forward(context: context, table: kept3.pointer, indices: &indices, y: y.pointer)
      #expect((0..<count * width).allSatisfy { y[$0] == table[Int(indices[$0 / width]) * width + $0 % width] })
      let dtable = RealArray(type, count: rows * width)
      try plan.backward(
        context: context, dy: gradient.pointer, indices: &indices, dtable: dtable.pointer, accumulates: false)
      #expect(dtable.values == sums, "\(setting)")
    }
    indices[5] = 50
    let context = try ExecutionContext(instructionSet: set, threads: 1)
    let error = #expect(throws: ApusError.self) {
      try plan.forward(context: context, table: gradient.pointer, indices: &indices, y: gradient.pointer)
    }
    #expect(error?.message == "indices[5] is 50, but it must be a row, 0 to 49")
  }
}
