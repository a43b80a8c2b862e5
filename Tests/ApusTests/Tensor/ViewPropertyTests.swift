import Apus
import Testing

/// Chains of views, and operations of shapes that broadcast, against index arithmetic on arrays; at random, from seeds.
@Suite struct ViewPropertyTests {
  /// An array with a shape, whose views are copies.
  private struct Plain {
    var shape: [Int]
    var values: [Float]

    /// Elements by the index of the result.
    func mapped(_ shape: [Int], _ source: ([Int]) -> [Int]) -> Plain {
      var result = Plain(shape: shape, values: [])
      Plain.forEachIndex(shape) { result.values.append(self[source($0)]) }
      return result
    }

    subscript(_ index: [Int]) -> Float {
      var place = 0
      for (i, size) in zip(index, shape) { place = place * size + i }
      return values[place]
    }

    static func forEachIndex(_ shape: [Int], _ body: ([Int]) -> Void) {
      var index = [Int](repeating: 0, count: shape.count)
      for _ in 0..<shape.reduce(1, *) {
        body(index)
        for i in shape.indices.reversed() {
          index[i] += 1
          if index[i] < shape[i] { break }
          index[i] = 0
        }
      }
    }
  }

  private struct Dice {
    var state: UInt64
    mutating func roll(_ range: Range<Int>) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return range.lowerBound + Int(state >> 33) % range.count
    }
  }

  @Test(arguments: 0..<200) func chainsOfViews(seed: Int) {
    var dice = Dice(state: UInt64(seed))
    let shape = (0..<dice.roll(1..<5)).map { _ in dice.roll(1..<5) }
    let values = (0..<shape.reduce(1, *)).map(Float.init)
    var plain = Plain(shape: shape, values: values)
    var tensor = Tensor(values, shape: shape)
    for _ in 0..<6 {
      let axis = dice.roll(0..<plain.shape.count)
      switch dice.roll(0..<6) {
      case 0:
        var axes = Array(plain.shape.indices)
        for i in axes.indices.reversed() { axes.swapAt(i, dice.roll(0..<i + 1)) }
        tensor = tensor.permuted(axes)
        plain = plain.mapped(axes.map { plain.shape[$0] }) { index in
          var source = index
          for (i, axis) in axes.enumerated() { source[axis] = index[i] }
          return source
        }
      case 1:
        let first = dice.roll(0..<plain.shape[axis])
        let last = dice.roll(first + 1..<plain.shape[axis] + 1)
        let step = dice.roll(1..<3)
        var sizes = plain.shape
        sizes[axis] = (last - first + step - 1) / step
        tensor = tensor.sliced(first..<last, along: axis, step: step)
        plain = plain.mapped(sizes) { index in
          var source = index
          source[axis] = first + index[axis] * step
          return source
        }
      case 2 where plain.shape.count < 6:
        tensor = tensor.expanded(at: axis)
        plain.shape.insert(1, at: axis)
      case 3 where plain.shape[axis] == 1 && plain.shape.count > 1:
        tensor = tensor.squeezed(at: axis)
        plain.shape.remove(at: axis)
      case 4:
        let sizes = [-1] + (plain.shape.count > 1 ? [plain.shape[plain.shape.count - 1]] : [])
        tensor = tensor.reshaped(sizes)
        plain.shape = tensor.shape
      case 5 where plain.shape[axis] == 1:
        var sizes = plain.shape
        sizes[axis] = 3
        tensor = tensor.broadcast(to: sizes)
        plain = plain.mapped(sizes) { index in
          var source = index
          source[axis] = 0
          return source
        }
      default: continue
      }
      #expect(tensor.shape == plain.shape)
      #expect(tensor.array(of: Float.self) == plain.values)
    }
    // Views are read by operations as their copies are, and written to without harm to others.
    #expect((tensor * 2 + tensor).array(of: Float.self) == plain.values.map { $0 * 2 + $0 })
    let before = tensor
    tensor[0] = Tensor(repeating: -1, shape: [])
    #expect(before.array(of: Float.self) == plain.values)
  }

  @Test(arguments: 0..<200) func broadcasting(seed: Int) {
    var dice = Dice(state: UInt64(seed) &+ 1000)
    let whole = (0..<dice.roll(1..<5)).map { _ in dice.roll(1..<5) }
    func part() -> [Int] {
      let sizes = whole.map { dice.roll(0..<3) == 0 ? 1 : $0 }
      return Array(sizes.dropFirst(dice.roll(0..<sizes.count + 1)))
    }
    let (a, b) = (part(), part())
    let rank = max(a.count, b.count)
    let result = (0..<rank).map { i in
      let (x, y) = (i - (rank - a.count), i - (rank - b.count))
      return max(x >= 0 ? a[x] : 1, y >= 0 ? b[y] : 1)
    }
    func filled(_ shape: [Int], _ factor: Float) -> Plain {
      Plain(shape: shape, values: (0..<shape.reduce(1, *)).map { Float($0) * factor + 1 })
    }
    let (p, q) = (filled(a, 1), filled(b, -0.5))
    func source(_ index: [Int], _ shape: [Int]) -> [Int] {
      zip(index.suffix(shape.count), shape).map { $1 == 1 ? 0 : $0 }
    }
    var expected: [Float] = []
    Plain.forEachIndex(result) { expected.append(p[source($0, a)] - q[source($0, b)]) }
    let (x, y) = (Tensor(p.values, shape: a).tracked(), Tensor(q.values, shape: b).tracked())
    let difference = x - y
    #expect(difference.shape == result)
    #expect(difference.array(of: Float.self) == expected)
    // Each element's gradient counts how often it was repeated.
    let found = gradients(of: difference.sum(), by: [x, y])
    let count = result.reduce(1, *)
    #expect(found[0].array(of: Float.self).allSatisfy { $0 == Float(count / max(1, p.values.count)) })
    #expect(found[1].array(of: Float.self).allSatisfy { $0 == -Float(count / max(1, q.values.count)) })
  }
}
