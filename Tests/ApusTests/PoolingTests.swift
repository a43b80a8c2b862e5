import Apus
import Testing

/// The Swift face of pooling.
@Suite struct PoolingTests {
  @Test func maximumThereAndBack() throws {
    let x: [Float] = [1, 5, 2, 0, 3, 4, 9, 8, 7, 7, 6, 1, -1, -2, -3, -4]
    let pool = try Pooling<Float>(.max, batch: 1, channels: 1, input: [4, 4], windows: .sliding([2, 2]))
    #expect(pool.output == [2, 2] && pool.inputCount == 16 && pool.outputCount == 4)
    var y = [Float](repeating: 0, count: 4)
    var indices = [Int32](repeating: 0, count: 4)
    try pool.run(x.span, into: &y, indices: &indices)
    #expect(y == [5, 9, 7, 6] && indices == [1, 6, 8, 10])
    let back = try Pooling<Float>(
      .max, direction: .backward, batch: 1, channels: 1, input: [4, 4], windows: .sliding([2, 2]))
    var dx = [Float](repeating: 1, count: 16)
    try back.runBackward(y.span, indices: indices.span, into: &dx)
    var expected = [Float](repeating: 0, count: 16)
    for (i, index) in indices.enumerated() { expected[Int(index)] = y[i] }
    #expect(dx == expected)
    try back.runBackward(y.span, x: x.span, into: &dx, accumulates: true)
    #expect(dx == expected.map { 2 * $0 })
    let unpool = try Pooling<Float>(
      .max, direction: .unpool, batch: 1, channels: 1, input: [4, 4], windows: .sliding([2, 2]))
    try unpool.unpool(y.span, indices: indices.span, into: &dx)
    #expect(dx == expected)
    let unpoolBack = try Pooling<Float>(
      .max, direction: .unpoolBackward, batch: 1, channels: 1, input: [4, 4], windows: .sliding([2, 2]))
    try unpoolBack.unpoolBackward(x.span, indices: indices.span, into: &y)
    #expect(y == [5, 9, 7, 6])
  }

  @Test func averagesAndNorms() throws {
    let x: [Double] = [3, 4, 0, 1, 2, 2]
    var y = [Double](repeating: 0, count: 3)
    try Pooling<Double>(.average, batch: 1, channels: 1, input: [6], windows: .adaptive(output: [3]))
      .run(x.span, into: &y)
    #expect(y == [3.5, 0.5, 2])
    try Pooling<Double>(.norm(p: 2), batch: 1, channels: 1, input: [6], windows: .sliding([2])).run(x.span, into: &y)
    #expect(y[0] == 5 && y[1] == 1)
    var padded = [Double](repeating: 0, count: 6)
    try Pooling<Double>(
      .averageIncludingPadding, batch: 1, channels: 1, input: [6],
      windows: .sliding([3], stride: [1], padding: .same)
    ).run(x.span, into: &padded)
    #expect(abs(padded[0] - 7.0 / 3) < 1e-15 && abs(padded[5] - 4.0 / 3) < 1e-15)
    var whole = [Double](repeating: 0, count: 3)
    try Pooling<Double>(
      .average, batch: 1, channels: 3, input: [2], windows: .global, layout: .channelsLast
    ).run(x.span, into: &whole)
    #expect(whole == [2, 3, 1])
  }

  @Test func mistakesAreNamed() throws {
    func message(_ body: () throws -> Void) -> String {
      do {
        try body()
        return ""
      } catch {
        return "\(error)"
      }
    }
    #expect(
      message { _ = try Pooling<Float>(.max, batch: 1, channels: 1, input: [4, 4], windows: .sliding([2])) }
        == "window has 1 numbers, but input has 2")
    #expect(
      message {
        _ = try Pooling<Float>(.average, direction: .unpool, batch: 1, channels: 1, input: [4], windows: .global)
      }
      .contains("unpooling only of a maximum"))
    for (size, stride, words) in [
      (Int.max - 1, 1, "input[0] is \(Int.max - 1), but it must be 1 to 2147483647"), (4, 0, "stride[0] is 0"),
    ] {
      #expect(
        message {
          _ = try Pooling<Float>(
            .max, batch: 1, channels: 1, input: [size], windows: .sliding([3], stride: [stride], padding: .same))
        }
        .contains(words))
    }
    let pool = try Pooling<Float>(.max, batch: 2, channels: 3, input: [4], windows: .global)
    var y = [Float](repeating: 7, count: 6)
    #expect(message { try pool.run([1, 2].span, into: &y) } == "x has 2 elements, but the plan takes 24")
    var indices = [Int64](repeating: 0, count: 6)
    let x = [Float](repeating: 0, count: 24)
    #expect(message { try pool.run(x.span, into: &y, indices: &indices) }.contains("Int64"))
    var other = x
    #expect(message { try pool.unpool(y.span, indices: indices.span, into: &other) }.contains("direction is forward"))
    #expect(y == [Float](repeating: 7, count: 6))
    #expect(pool.description.contains("max:n2c3w4k4s4"))
  }
}
