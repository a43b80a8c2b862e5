import ApusEngine
import ApusKernelInterface
import Foundation

/// A problem of these families with its arrays. `check` holds a sample of the result against float64 loops.
final class LayerCase: Case {
  let problem: LayerProblem
  private let context: ExecutionContext
  private let arrays: [Buffer]
  private let indices: Buffer
  private let count: Int
  private var step = 0

  init(_ problem: LayerProblem, context: ExecutionContext) throws {
    self.problem = problem
    self.context = context
    let isEmbedding = problem.grammar == "embedding"
    count = isEmbedding ? problem.size("n") * problem.size("w") : Int(problem.count)
    let size = problem.type.size
    let most = max(
      count, isEmbedding ? problem.size("r") * problem.size("w") : 0, problem.size("c") + problem.size("n"))
    // x, dy, result, two states or gamma and beta, statistics.
    arrays = try (0..<6).map { i in
      try Buffer(bytes: (i < 5 || problem.grammar == "norm" ? most : 1) * size, offset: 512 * i)
    }
    indices = try Buffer(bytes: problem.size("n") * 4)
    for i in 0..<2 { arrays[i].fill(problem.type, count: most, seed: UInt32(i + 1)) }
    if problem.grammar == "norm" {
      for i in 3..<5 { arrays[i].fill(problem.type, count: problem.size("c"), seed: UInt32(i)) }
    }
    let limit = isEmbedding ? problem.size("r") : problem.size("c")
    for i in 0..<problem.size("n") { indices.pointer.assumingMemoryBound(to: Int32.self)[i] = Int32(i * 7919 % limit) }
    if problem.grammar == "softmax" && problem.isBackward {
      try softmax.forward(context: context, x: x, y: arrays[0].pointer)
    }
    if problem.grammar == "norm" && problem.isBackward { try normalization.forward(context: context, arguments) }
  }

  var description: String { "\(problem.text), \(context.instructionSet.name)" }

  private var x: UnsafeRawPointer { UnsafeRawPointer(arrays[0].pointer) }
  private var dy: UnsafeRawPointer { UnsafeRawPointer(arrays[1].pointer) }
  private var result: UnsafeMutableRawPointer { arrays[2].pointer }
  private var type: DataType { problem.type == .float32 ? .float32 : .float64 }

  private var softmax: Softmax {
    Softmax(
      dataType: type, isLogarithm: problem.operation == "logsoftmax", outer: problem.size("n"), size: problem.size("c"))
  }

  private var normalization: Normalization {
    let kinds: [String: NormalizationKind] = [
      "batch": .batch, "layer": .layer, "rms": .rms, "instance": .instance, "group": .group,
    ]
    var plan = Normalization(
      kinds[problem.operation] ?? .layer, dataType: type, batch: problem.size("n"), channels: problem.size("c"),
      positions: problem.size("p"))
    if plan.kind == .group { plan.groups = 8 }
    if problem.isChannelsLast { plan.layout = .channelsLast }
    return plan
  }

  private var arguments: NormalizationArguments {
    var a = NormalizationArguments()
    (a.x, a.dy) = (x, dy)
    (a.gamma, a.beta) = (UnsafeRawPointer(arrays[3].pointer), UnsafeRawPointer(arrays[4].pointer))
    (a.y, a.dx) = (result, result)
    // Means, scales and the parameters' gradients share an array.
    let most = max(normalization.statisticsCount, problem.size("c")) * type.size
    let room = arrays[5].pointer
    a.mean = room
    a.scale = statisticsFit ? room + most : nil
    if problem.isBackward && statisticsFit { (a.dgamma, a.dbeta) = (room + 2 * most, room + 3 * most) }
    if !statisticsFit { a.scale = scales }
    return a
  }

  /// Small problems have statistics as large as their data.
  private var statisticsFit: Bool { 4 * max(normalization.statisticsCount, problem.size("c")) <= count }
  private lazy var scales: UnsafeMutableRawPointer = arrays[4].pointer + problem.size("c") * type.size

  private var elementwise: Elementwise {
    let function = ElementFunction.allCases.first { $0.description == problem.operation } ?? .identity
    return Elementwise(function, dataType: type, count: count)
  }

  private var pointwise: ElementLoss {
    let kinds: [String: PointwiseLoss] = [
      "bce": .binaryCrossEntropyWithLogits, "mse": .meanSquaredError, "mae": .meanAbsoluteError, "huber": .huber,
      "hinge": .hinge,
    ]
    return ElementLoss(kinds[problem.operation] ?? .meanSquaredError, dataType: type, count: count)
  }

  func run() throws {
    switch problem.grammar {
    case "elementwise":
      if problem.operation == "add" {
        let tensor = try StridedTensor(type, [count])
        return try Arithmetic.binary(.add, context: context, tensor, x, tensor, dy, tensor, result)
      }
      if problem.isBackward { return try elementwise.backward(context: context, saved: x, dy: dy, dx: result) }
      try elementwise.forward(context: context, x: x, y: result)
    case "softmax":
      if problem.isBackward { return try softmax.backward(context: context, y: x, dy: dy, dx: result) }
      try softmax.forward(context: context, x: x, y: result)
    case "norm":
      if problem.isBackward { return try normalization.backward(context: context, arguments) }
      try normalization.forward(context: context, arguments)
    case "loss":
      if problem.operation == "ce" {
        let plan = CrossEntropy(dataType: type, batch: problem.size("n"), classes: problem.size("c"), target: .int32)
        if problem.isBackward {
          return try plan.backward(
            context: context, x: x, targets: indices.pointer, classWeights: nil, dloss: nil, dx: result)
        }
        return try plan.forward(
          context: context, x: x, targets: indices.pointer, classWeights: nil, loss: result)
      }
      if problem.isBackward {
        return try pointwise.backward(context: context, x: x, targets: dy, dloss: nil, dx: result)
      }
      try pointwise.forward(context: context, x: x, targets: dy, loss: result)
    case "optimizer":
      let kinds: [String: OptimizerKind] = [
        "adagrad": .adagrad, "rmsprop": .rmsProp, "adamw": .adamW, "sgd": .sgd, "momentum": .sgd,
      ]
      var plan = Optimizer(kinds[problem.operation] ?? .adam, dataType: type, rate: 1e-3)
      if problem.operation == "momentum" { plan.momentum = 0.9 }
      step += 1
      plan.step = step
      let gradient = dy
      let n = count
      if problem.operation == "clipadam" {
        let norm = try Clipping.norm(type, context: context, count: 1) { _ in (n, gradient) }
        plan.gradientScale = min(1, 1 / norm)
      }
      let tensor = OptimizerTensor(
        count: n, parameters: result, gradients: gradient, first: arrays[3].pointer, second: arrays[4].pointer)
      try plan.run(context: context, count: 1) { _ in tensor }
    default:
      let plan = Embedding(
        dataType: type, rows: problem.size("r"), width: problem.size("w"), count: problem.size("n"))
      if problem.isBackward {
        return try plan.backward(
          context: context, dy: dy, indices: indices.pointer, dtable: result, accumulates: false)
      }
      try plan.forward(context: context, table: x, indices: indices.pointer, y: result)
    }
  }

  /// Another way to the same numbers: float64 by the portable definition on one thread, from the same operands, at up to 4096
  /// places. Gradients are held against differences; sums and updates against their definition.
  func check() throws -> CheckResult {
    if problem.grammar == "optimizer" {
      step = 0; for i in [2, 3, 4] { memset(arrays[i].pointer, 0, count * type.size) }
    }
    try run()
    let expected = LayerReference(problem, count: count) { [arrays, problem] i, k in arrays[i].element(problem.type, k)
    }
    let total = expected.total
    let samples = min(total, problem.grammar == "loss" && !problem.isBackward ? 1 : 4096)
    var worst = 0.0
    for s in 0..<samples {
      let i = samples == 1 ? 0 : Int(Double(s) * Double(total - 1) / Double(samples - 1))
      guard let (value, bound) = expected.value(i) else { continue }
      let error = abs(arrays[2].element(problem.type, i) - value) / max(bound, .leastNormalMagnitude)
      if arrays[2].element(problem.type, i) != value && !(error <= worst) { worst = error }
      if worst.isNaN { break }
    }
    return CheckResult(worst: worst, checked: samples, total: total)
  }
}
