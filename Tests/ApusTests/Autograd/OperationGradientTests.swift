import Apus
import Testing

/// A differentiable operation with sources to check it at.
struct GradientCase: Sendable, CustomTestStringConvertible {
  var name: String
  var shapes: [[Int]]
  /// Sources are uniform in this range.
  var range = -2.0..<2.0
  var function: @Sendable ([Tensor]) -> Tensor
  var testDescription: String { name }

  var sources: [Tensor] {
    let generator = RandomGenerator(seed: 7)
    return shapes.map { .uniform($0, in: range, dtype: .float64, generator: generator) }
  }

  init(
    _ name: String, _ shapes: [[Int]], in range: Range<Double> = -2.0..<2.0,
    _ function: @escaping @Sendable ([Tensor]) -> Tensor
  ) {
    self.name = name
    self.shapes = shapes
    self.range = range
    self.function = function
  }
}

/// Every differentiable operation against central differences in float64.
@Suite struct OperationGradientTests {
  static let arithmetic: [GradientCase] = [
    GradientCase("add", [[2, 3], [3]]) { $0[0] + $0[1] },
    GradientCase("subtract", [[2, 1], [1, 3]]) { $0[0] - $0[1] },
    GradientCase("multiply", [[2, 3], [2, 1]]) { $0[0] * $0[1] },
    GradientCase("divide", [[2, 3], []], in: 0.5..<2) { $0[0] / $0[1] },
    GradientCase("same source twice", [[4]]) { $0[0] * $0[0] + $0[0] },
    GradientCase("numbers", [[4]], in: 0.5..<2) { 3 / (2 - $0[0] * 0.25) - 1 },
    GradientCase("power of a number", [[4]], in: 0.5..<2) { $0[0].power(2.5) },
    GradientCase("power", [[2, 3], [3]], in: 0.5..<2) { $0[0].power($0[1]) },
    GradientCase("maximum", [[2, 3], [3]]) { maximum($0[0], $0[1]) },
    GradientCase("minimum", [[3], [2, 3]]) { minimum($0[0], $0[1]) },
    GradientCase("select", [[2, 3], [3]]) { select(Tensor([true, false, true]), $0[0], $0[1]) },
  ]

  static let functions: [GradientCase] = [
    GradientCase("relu", [[3, 5]]) { $0[0].relu() },
    GradientCase("leakyReLU", [[3, 5]]) { $0[0].leakyReLU(slope: 0.1) },
    GradientCase("elu", [[3, 5]]) { $0[0].elu(alpha: 0.5) },
    GradientCase("selu", [[3, 5]]) { $0[0].selu() },
    GradientCase("celu", [[3, 5]]) { $0[0].celu(alpha: 0.7) },
    GradientCase("sigmoid", [[3, 5]]) { $0[0].sigmoid() },
    GradientCase("tanh", [[3, 5]]) { $0[0].tanh() },
    GradientCase("softplus", [[3, 5]]) { $0[0].softplus(beta: 2) },
    GradientCase("softsign", [[3, 5]]) { $0[0].softsign() },
    GradientCase("hardSigmoid", [[3, 5]]) { $0[0].hardSigmoid() },
    GradientCase("hardSwish", [[3, 5]]) { $0[0].hardSwish() },
    GradientCase("silu", [[3, 5]]) { $0[0].silu() },
    GradientCase("gelu", [[3, 5]]) { $0[0].gelu() },
    GradientCase("mish", [[3, 5]]) { $0[0].mish() },
    GradientCase("clamped", [[3, 5]]) { $0[0].clamped(to: -1...1) },
    GradientCase("exp", [[3, 5]]) { $0[0].exp() },
    GradientCase("expMinusOne", [[3, 5]]) { $0[0].expMinusOne() },
    GradientCase("absolute", [[3, 5]]) { $0[0].absolute() },
    GradientCase("squared", [[3, 5]]) { $0[0].squared() },
    GradientCase("erf", [[3, 5]]) { $0[0].erf() },
    GradientCase("log", [[6]], in: 0.5..<2) { $0[0].log() },
    GradientCase("squareRoot", [[6]], in: 0.5..<2) { $0[0].squareRoot() },
    GradientCase("reciprocal", [[6]], in: 0.5..<2) { $0[0].reciprocal() },
  ]

  static let shapes: [GradientCase] = [
    GradientCase("reshaped", [[2, 6]]) { $0[0].reshaped([3, -1]).squared() },
    GradientCase("permuted", [[2, 3, 4]]) { $0[0].permuted([2, 0, 1]).squared() },
    GradientCase("sliced", [[5, 4]]) { $0[0].sliced(1..<5, along: 0, step: 2).squared() },
    GradientCase("subscript", [[3, 4, 2]]) { $0[0][1, 1..<3].squared() },
    GradientCase("broadcast", [[3, 1]]) { $0[0].broadcast(to: [2, 3, 4]).squared() },
    GradientCase("expanded and squeezed", [[2, 1, 3]]) { $0[0].squeezed(at: 1).expanded(at: 2).squared() },
    GradientCase("reshaped transpose", [[2, 3]]) { $0[0].transposed().reshaped([6]).squared() },
    GradientCase("concatenate", [[2, 3], [2, 1]]) { concatenate([$0[0], $0[1], $0[0]], along: 1).squared() },
    GradientCase("split", [[5, 2]]) { x in
      let parts = x[0].split([2, 3])
      return parts[0].sum() * parts[1].sum()
    },
    GradientCase("gathered", [[4, 3]]) { $0[0].gathered(Tensor([2, 0, 2]), along: 0).squared() },
    GradientCase("padded", [[2, 3]]) { $0[0].padded([(1, 0), (0, 2)]).squared() },
    GradientCase("padded by reflection", [[3, 4]]) { $0[0].padded([(2, 1), (0, 3)], with: .reflect).squared() },
    GradientCase("padded by repetition", [[2, 3]]) { $0[0].padded([(1, 0), (2, 2)], with: .replicate).squared() },
    GradientCase("padded around", [[2, 3]]) { $0[0].padded([(2, 1), (0, 3)], with: .circular).squared() },
    GradientCase("padded by a number", [[2, 3]]) { $0[0].padded([(1, 0), (0, 2)], with: .constant(2)).squared() },
    GradientCase("addingSlices", [[4, 2], [3, 2]]) { $0[0].addingSlices($0[1], at: Tensor([3, 0, 3])).squared() },
    GradientCase("windows", [[2, 1, 5, 4]]) { $0[0].windows([3, 2], stride: [2, 1]).squared() },
    GradientCase("cumulativeSum", [[3, 4]]) { $0[0].cumulativeSum(along: 0).squared() },
  ]

  static let reductions: [GradientCase] = [
    GradientCase("sum", [[2, 3, 4]]) { $0[0].sum(along: [0, 2]).squared() },
    GradientCase("sum of all", [[2, 3]]) { $0[0].sum().squared() },
    GradientCase("mean", [[2, 3, 4]]) { $0[0].mean(along: [1], keepsAxes: true).squared() },
    GradientCase("variance", [[3, 4]]) { $0[0].variance(along: [1], correction: 1) },
    GradientCase("max", [[3, 4]]) { $0[0].max(along: [1]) },
    GradientCase("min", [[3, 4]]) { $0[0].min(along: [0], keepsAxes: true) },
    GradientCase("logSumExp", [[3, 4]]) { $0[0].logSumExp(along: [1]) },
    GradientCase("norm", [[3, 4]]) { $0[0].norm(along: [0]) },
    GradientCase("softmax", [[2, 3, 4]]) { $0[0].softmax(along: 1) },
    GradientCase("logSoftmax", [[3, 4]]) { $0[0].logSoftmax() },
  ]

  static let products: [GradientCase] = [
    GradientCase("matmul", [[3, 4], [4, 2]]) { matmul($0[0], $0[1]) },
    GradientCase("matmul of transposes", [[4, 3], [2, 4]]) { matmul($0[0].transposed(), $0[1].transposed()) },
    GradientCase("vector by matrix", [[4], [4, 2]]) { matmul($0[0], $0[1]) },
    GradientCase("matrix by vector", [[3, 4], [4]]) { matmul($0[0], $0[1]) },
    GradientCase("dot", [[4], [4]]) { matmul($0[0], $0[1]) },
    GradientCase("batch by matrix", [[2, 3, 4], [4, 2]]) { matmul($0[0], $0[1]) },
    GradientCase("matrix by batch", [[3, 4], [2, 4, 2]]) { matmul($0[0], $0[1]) },
    GradientCase("broadcast batches", [[2, 1, 3, 4], [3, 4, 2]]) { matmul($0[0], $0[1]) },
    GradientCase("linear", [[3, 4], [2, 4], [2]]) { linear($0[0], weight: $0[1], bias: $0[2]) },
    GradientCase("linear and tanh", [[3, 4], [2, 4], [2]]) {
      linear($0[0], weight: $0[1], bias: $0[2], activation: .tanh)
    },
    GradientCase("linear of 3 dimensions", [[2, 3, 4], [2, 4]]) { linear($0[0], weight: $0[1]) },
  ]

  static let losses: [GradientCase] = [
    GradientCase("softmaxCrossEntropy", [[4, 3]]) { softmaxCrossEntropy($0[0], Tensor([0, 2, 1, 2]), smoothing: 0.1) },
    GradientCase("weighted, ignored", [[4, 3]]) {
      softmaxCrossEntropy(
        $0[0], Tensor([0, 2, 1, 2]), classWeights: Tensor([0.5, 1, 2]), ignoredLabel: 1, reduction: .none)
    },
    GradientCase("probabilities", [[2, 3]]) {
      softmaxCrossEntropy($0[0], Tensor([0.2, 0.3, 0.5, 1, 0, 0], shape: [2, 3]), reduction: .sum)
    },
    GradientCase("negativeLogLikelihood", [[3, 3]]) { negativeLogLikelihood($0[0].logSoftmax(), Tensor([0, 2, 1])) },
    GradientCase("meanSquaredError", [[6]]) { meanSquaredError($0[0], Tensor.range(to: 6, dtype: .float64)) },
    GradientCase("meanAbsoluteError", [[6]]) {
      meanAbsoluteError($0[0], Tensor.range(to: 6, dtype: .float64), reduction: .none)
    },
    GradientCase("huberLoss", [[6]]) { huberLoss($0[0], Tensor.range(from: -2, to: 4, dtype: .float64), delta: 0.5) },
    GradientCase("hingeLoss", [[4]]) { hingeLoss($0[0], Tensor([1.0, -1, 1, -1]), reduction: .sum) },
    GradientCase("sigmoidCrossEntropy", [[4]]) { sigmoidCrossEntropy($0[0], Tensor([1, 0, 0.5, 0.25])) },
    // By the targets too.
    GradientCase("meanSquaredError by both", [[2, 3], [2, 3]]) { meanSquaredError($0[0], $0[1]) },
    GradientCase("meanAbsoluteError by both", [[6], [6]]) { meanAbsoluteError($0[0], $0[1], reduction: .sum) },
    GradientCase("huberLoss by both", [[6], [6]]) { huberLoss($0[0], $0[1], delta: 0.5, reduction: .none) },
    GradientCase("hingeLoss by both", [[6], [6]]) { hingeLoss($0[0], $0[1], reduction: .none) },
    GradientCase("sigmoidCrossEntropy by both", [[6], [6]]) { sigmoidCrossEntropy($0[0], $0[1]) },
  ]

  static let layers: [GradientCase] = [
    GradientCase("conv 1D", [[2, 3, 7], [4, 3, 3], [4]]) {
      convolution($0[0], weight: $0[1], bias: $0[2], padding: [1])
    },
    GradientCase("conv 2D", [[2, 4, 5, 6], [4, 2, 3, 2], [4]]) {
      convolution($0[0], weight: $0[1], bias: $0[2], stride: [2, 1], padding: [1, 0], groups: 2)
    },
    GradientCase("conv, residual and ELU", [[1, 2, 4, 4], [3, 2, 3, 3], [1, 3, 4, 4]]) {
      convolution($0[0], weight: $0[1], padding: [1], residual: $0[2], activation: .elu(slope: 0.5))
    },
    // A pixel of eight numbers: channels last.
    GradientCase("conv, residual and ELU, channels last", [[1, 2, 4, 4], [8, 2, 3, 3], [1, 8, 4, 4]]) {
      convolution($0[0], weight: $0[1], padding: [1], residual: $0[2], activation: .elu(slope: 0.5))
    },
    GradientCase("conv 2D, channels last", [[2, 8, 5, 3], [4, 8, 3, 2], [4]]) {
      convolution($0[0], weight: $0[1], bias: $0[2], stride: [2, 1], padding: [1, 0])
    },
    GradientCase("transposed, channels last", [[1, 3, 3, 3], [3, 8, 3, 3], [8]]) {
      convolution($0[0], weight: $0[1], bias: $0[2], stride: [2], padding: [1], isTransposed: true)
    },
    GradientCase("conv 3D", [[1, 2, 3, 4, 4], [2, 2, 2, 2, 2]]) {
      convolution($0[0], weight: $0[1], dilation: [1, 2, 1])
    },
    GradientCase("depthwise", [[1, 3, 5, 5], [3, 1, 3, 3]]) { convolution($0[0], weight: $0[1], groups: 3) },
    GradientCase("transposed", [[2, 3, 4, 3], [3, 2, 3, 3], [2]]) {
      convolution(
        $0[0], weight: $0[1], bias: $0[2], stride: [2], padding: [1], isTransposed: true, outputPadding: [1, 0])
    },
    GradientCase("max pooling", [[2, 2, 5, 6]]) { $0[0].maxPooled(window: [3, 2], stride: [2], padding: [1, 0]) },
    GradientCase("average pooling", [[2, 2, 5, 6]]) { $0[0].averagePooled(window: [3], stride: [2], padding: [1]) },
    GradientCase("average without padding", [[1, 2, 7]]) {
      $0[0].averagePooled(window: [3], stride: [2], padding: [1], countsPadding: false)
    },
    GradientCase("adaptive average", [[1, 2, 5, 7]]) { $0[0].adaptiveAveragePooled(to: [2, 3]) },
    GradientCase("adaptive max", [[1, 2, 5, 7]]) { $0[0].adaptiveMaxPooled(to: [1]) },
    GradientCase("batch norm", [[3, 2, 4], [2], [2]]) { batchNormalization($0[0], gamma: $0[1], beta: $0[2]) },
    GradientCase("batch norm by running statistics", [[3, 2], [2], [2]]) {
      batchNormalization(
        $0[0], gamma: $0[1], beta: $0[2],
        running: (Buffer(Tensor([0.1, -0.2])), Buffer(Tensor([0.5, 2.0]))), isTraining: false)
    },
    GradientCase("layer norm", [[3, 2, 4], [2, 4], [2, 4]]) {
      layerNormalization($0[0], gamma: $0[1], beta: $0[2], axes: 2)
    },
    GradientCase("RMS norm", [[3, 4], [4]]) { rmsNormalization($0[0], gamma: $0[1]) },
    GradientCase("group norm", [[2, 4, 3], [4], [4]]) {
      groupNormalization($0[0], groups: 2, gamma: $0[1], beta: $0[2])
    },
    GradientCase("local response norm", [[2, 5, 3]]) {
      localResponseNormalization($0[0], size: 3, alpha: 0.3, beta: 0.6, k: 2)
    },
    GradientCase("PReLU", [[2, 3, 2], [3]]) { prelu($0[0], slopes: $0[1]) },
    GradientCase("PReLU with one slope", [[2, 3], [1]]) { prelu($0[0], slopes: $0[1]) },
    GradientCase("embedding", [[5, 3]]) {
      embedding($0[0], Tensor([4, 0, 4, 2], shape: [2, 2])).squared()
    },
    GradientCase("dropout", [[6, 4]]) { $0[0].droppingOut(0.4, generator: RandomGenerator(seed: 3)) },
  ]

  @Test(arguments: arithmetic + functions + shapes + reductions + products + losses + layers)
  func gradientsMatchDifferences(_ trial: GradientCase) {
    let check = checkGradients(of: trial.function, at: trial.sources)
    #expect(check.largestError < 2e-7, "\(trial.name): \(check)")
  }

  @Test(
    arguments: arithmetic + products.filter { $0.name != "linear and tanh" } + reductions
      + shapes.filter { !["gathered", "addingSlices"].contains($0.name) && !$0.name.hasPrefix("padded ") })
  func secondGradientsMatchDifferences(_ trial: GradientCase) {
    let check = checkGradients(
      of: { x in
        let tracked = x.map { $0.isTracked ? $0 : $0.tracked() }
        let y = trial.function(tracked)
        let weights = Tensor((0..<y.count).map { 1 + Double($0 % 3) / 4 }, shape: y.shape)
        let first = gradients(of: (y * weights).sum(), by: tracked, keepsTape: true)
        // Constant first gradients leave the tape: a linear term keeps the result on it.
        return first.reduce(tracked.reduce(Tensor(0.0)) { $0 + $1.sum() * 0.1 }) { $0 + $1.squared().sum() }
      }, at: trial.sources)
    #expect(check.largestError < 1e-5, "\(trial.name): \(check)")
  }
}
