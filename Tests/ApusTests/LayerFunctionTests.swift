import Apus
import Testing

/// The Swift face of what lies between the large kernels.
@Suite struct LayerFunctionTests {
  @Test func functions() throws {
    let x: [Float] = [-2, -0.5, 0, 3]
    var y = [Float](repeating: 9, count: 4)
    try ElementwiseFunction.relu.apply(x.span, into: &y)
    #expect(y == [0, 0, 0, 3])
    try ElementwiseFunction.clamp(-1, 1).apply(x.span, into: &y)
    #expect(y == [-1, -0.5, 0, 1])
    try ElementwiseFunction.leakyReLU(slope: 0.5).applyGradient(x.span, x.span, into: &y)
    #expect(y == [-1, -0.25, 0, 3])
    try ElementwiseFunction.square.applyGradient(x.span, [1, 1, 1, 1].span, into: &y, accumulates: true)
    #expect(y == [-5, -1.25, 0, 9])
    var short = [Float](repeating: 0, count: 3)
    let error = #expect(throws: ApusError.self) { try ElementwiseFunction.relu.apply(x.span, into: &short) }
    #expect(error?.message == "y has 3 elements, but 4 are needed")
  }

  @Test func softmaxAndLoss() throws {
    let x: [Double] = [0, 0, 1000, 1000]
    var y = [Double](repeating: 0, count: 4)
    try softmax(x.span, shape: [2, 2], into: &y)
    #expect(y == [0.5, 0.5, 0.5, 0.5])
    try softmax(x.span, shape: [2, 2], axis: 0, into: &y)
    #expect(y == [0, 0, 1, 1])
    var dx = y
    try softmaxGradient(y: [0.5, 0.5, 0.5, 0.5].span, dy: [1, 0, 0, 0].span, shape: [2, 2], into: &dx)
    #expect(dx == [0.25, -0.25, 0, 0])
    let loss = try softmaxCrossEntropy(x.span, labels: [0, 1].span, classes: 2, gradient: &dx)
    #expect(abs(loss - 0.6931471805599453) < 1e-15)
    #expect(zip(dx, [-0.25, 0.25, 0.25, -0.25]).allSatisfy { abs($0 - $1) < 1e-15 })
    let error = #expect(throws: ApusError.self) {
      try softmaxCrossEntropy(x.span, labels: [0, 2].span, classes: 2, gradient: &dx)
    }
    #expect(error?.message.contains("targets[1] is 2") == true)
  }

  @Test func normalizationThereAndBack() throws {
    let norm = Normalization<Double>(.layer, batch: 1, channels: 4, epsilon: 0)
    #expect(norm.statisticsCount == 1)
    var (mean, scale): ([Double], [Double]) = ([0], [0])
    let x: [Double] = [1, 3, 1, 3]
    let ones: [Double] = [1, 1, 1, 1]
    var y = ones
    try norm.forward(x.span, gamma: ones.span, beta: ones.span, into: &y, mean: &mean, scale: &scale)
    #expect(y == [0, 2, 0, 2] && mean == [2] && scale == [1])
    var (dx, dgamma, dbeta) = (ones, ones, ones)
    try norm.backward(
      x.span, dy: [1, 0, 0, 0].span, gamma: ones.span, mean: mean.span, scale: scale.span, into: &dx, dgamma: &dgamma,
      dbeta: &dbeta)
    #expect(dx == [0.5, 0, -0.5, 0] && dgamma == [-1, 0, 0, 0] && dbeta == [1, 0, 0, 0])
  }

  @Test func slopesThereAndBack() throws {
    let prelu = PReLUFunction<Float>(batch: 2, channels: 2, positions: 2)
    let x: [Float] = [1, -1, 2, -2, -3, 3, -4, 4]
    let slopes: [Float] = [0.5, 0.25]
    var y = x
    try prelu.forward(x.span, slopes: slopes.span, into: &y)
    #expect(y == [1, -0.5, 2, -0.5, -1.5, 3, -1, 4])
    let ones = [Float](repeating: 1, count: 8)
    var (dx, dslopes) = (y, slopes)
    try prelu.backward(x.span, dy: ones.span, slopes: slopes.span, into: &dx, dslopes: &dslopes)
    #expect(dx == [1, 0.5, 1, 0.25, 0.5, 1, 0.25, 1] && dslopes == [-4, -6])
    let error = #expect(throws: ApusError.self) { try prelu.forward(x.span, slopes: [1].span, into: &y) }
    #expect(error?.message == "slopes has 1 elements, but 2 are needed")
    let negative = #expect(throws: ApusError.self) {
      try PReLUFunction<Float>(batch: -1, channels: 2).forward(x.span, slopes: slopes.span, into: &y)
    }
    #expect(negative?.message.contains("outer is -1") == true)
  }

  @Test func localResponseThereAndBack() throws {
    // A window of one channel, and beta 1: y = x / (1 + x^2), dy/dx = (1 - x^2) / (1 + x^2)^2.
    let norm = ResponseNormalization<Double>(batch: 1, channels: 3, positions: 1, size: 1, alpha: 1, beta: 1)
    let x: [Double] = [0, 1, 2]
    var y = x
    try norm.forward(x.span, into: &y)
    #expect(zip(y, [0, 0.5, 0.4]).allSatisfy { abs($0 - $1) < 1e-14 })
    try norm.backward(x.span, dy: [1, 1, 1].span, into: &y)
    #expect(zip(y, [1, 0, -0.12]).allSatisfy { abs($0 - $1) < 1e-14 })
    let error = #expect(throws: ApusError.self) {
      try ResponseNormalization<Double>(batch: 1, channels: 3, positions: 1, k: 0).forward(x.span, into: &y)
    }
    #expect(error?.message.contains("k is 0.0") == true)
  }

  @Test func parametersAndRandomNumbers() throws {
    var p: [Float] = [1, -1]
    var (m, v) = ([Float](repeating: 0, count: 2), [Float](repeating: 0, count: 2))
    try adamWStep(&p, gradients: [3, -4].span, mean: &m, squares: &v, step: 1, learningRate: 0.1, decay: 0)
    #expect(abs(p[0] - 0.9) < 1e-6 && abs(p[1] + 0.9) < 1e-6)
    let gradient: [Float] = [3, -4]
    #expect(try gradientNorm(gradient.span) == 5)
    var a = [Double](repeating: 0, count: 100)
    var b = [Double](repeating: 0, count: 50)
    try fillNormal(&a, seed: 1)
    try fillNormal(&b, seed: 1, offset: 50)
    #expect(Array(a[50...]) == b)
    try fillUniform(&b, in: 2..<3, seed: 2)
    #expect(b.allSatisfy { $0 >= 2 && $0 < 3 } && Set(b).count == 50)
    var c = a
    try dropout(a.span, probability: 0.5, seed: 3, into: &c)
    #expect(zip(a, c).allSatisfy { $1 == 0 || $1 == 2 * $0 } && c.contains(0) && c != a)
    let table: [Float] = [1, 2, 3, 4, 5, 6]
    var rows = [Float](repeating: 0, count: 4)
    try embedding(table.span, width: 2, indices: [2, 0].span, into: &rows)
    #expect(rows == [5, 6, 1, 2])
    var dtable = table
    try embeddingGradient(rows.span, width: 2, indices: [1, 1].span, into: &dtable)
    #expect(dtable == [0, 0, 6, 8, 0, 0])
  }
}
