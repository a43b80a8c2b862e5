import ApusEngine
import ApusKernelInterface
import ApusTestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

@Suite struct LossTests {
  /// Losses of each row in float64, and what a mean divides by.
  private func reference(
    _ plan: CrossEntropy, _ x: [Double], _ labels: [Int], _ t: [Double], _ w: [Double]
  ) -> (losses: [Double], weight: Double) {
    var weight = 0.0
    let losses = (0..<plan.batch).map { n -> Double in
      let row = (0..<plan.classes).map { x[n * plan.classes + $0] }
      let most = row.max() ?? 0
      let logarithm = most + log(row.reduce(0) { $0 + exp($1 - most) })
      if plan.target != .probabilities && labels[n] == plan.ignoredLabel { return 0 }
      weight += plan.target == .probabilities ? 1 : w[labels[n]]
      return (0..<plan.classes).reduce(0) { sum, c in
        if plan.isLogarithm { return sum - (c == labels[n] ? w[c] * row[c] : 0) }
        let own = plan.target == .probabilities ? t[n * plan.classes + c] : c == labels[n] ? 1 : 0
        let target = (1 - plan.smoothing) * own + plan.smoothing / Double(plan.classes)
        return sum - target * w[c] * (row[c] - logarithm)
      }
    }
    return (losses, weight)
  }

  @Test(arguments: InstructionSet.available, gemmTypes)
  func crossEntropy(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    var random = Randomness(seed: 11)
    for target in LossTarget.allCases {
      for (batch, classes) in [(1, 1), (3, 5), (4, 16), (2, 37), (60, 300)] {
        for turn in 0..<6 {
          var plan = CrossEntropy(dataType: type, batch: batch, classes: classes, target: target)
          plan.reduction = LossReduction.allCases[turn % 3]
          plan.isLogarithm = turn == 4 && target != .probabilities
          plan.smoothing = turn % 2 == 1 && !plan.isLogarithm ? 0.1 : 0
          if turn >= 2 { plan.ignoredLabel = classes > 1 ? 1 : nil }
          let x = random.reals(batch * classes, type, scale: 4)
          let w =
            turn == 0
            ? [Double](repeating: 1, count: classes)
            : random.reals(classes, type).map { abs($0) + 0.5 }
              .map { type.rounded($0) }
          var t = random.reals(batch * classes, type).map { abs($0) }
          for n in 0..<batch {
            let sum = (0..<classes).reduce(0) { $0 + t[n * classes + $1] }
            for c in 0..<classes { t[n * classes + c] = type.rounded(t[n * classes + c] / sum) }
          }
          // Never all ignored: the first label is 0.
          let labels = (0..<batch).map { $0 == 0 ? 0 : random.int(0...classes - 1) }
          let targets: TestMemory
          if target == .probabilities {
            targets = RealArray(type, t).memory
          } else {
            targets = TestMemory(bytes: batch * (target == .int32 ? 4 : 8), .beforeGuard)
            for (i, label) in labels.enumerated() {
              if target == .int32 {
                targets.base.storeBytes(of: Int32(label), toByteOffset: 4 * i, as: Int32.self)
              } else {
                targets.base.storeBytes(of: Int64(label), toByteOffset: 8 * i, as: Int64.self)
              }
            }
          }
          let weights = turn == 0 ? nil : RealArray(type, w)
          let source = RealArray(type, x)
          let loss = RealArray(type, count: plan.lossCount)
          try plan.forward(
            context: context, x: source.pointer, targets: targets.base, classWeights: weights?.pointer,
            loss: loss.pointer)
          func expected(_ x: [Double]) -> [Double] {
            let (losses, weight) = reference(plan, x, labels, t, w)
            if plan.reduction == .none { return losses }
            return [losses.reduce(0, +) / (plan.reduction == .mean ? weight : 1)]
          }
          let wanted = expected(x)
          let bound = type.epsilon * (Double(classes) + 60) * 8 * (plan.reduction == .sum ? Double(batch) : 1)
          let difference = firstDifference(loss, wanted, within: { _ in bound })
          #expect(difference == nil, "\(set) \(plan): loss\(difference ?? "")")
          let dloss = RealArray(type, random.reals(plan.lossCount, type))
          let dx = RealArray(type, count: x.count)
          try plan.backward(
            context: context, x: source.pointer, targets: targets.base, classWeights: weights?.pointer,
            dloss: dloss.pointer, dx: dx.pointer)
          for i in stride(from: 0, to: x.count, by: max(1, x.count / 11)) {
            func sum(_ h: Double) -> Double {
              var moved = x
              moved[i] += h
              return zip(expected(moved), dloss.values).reduce(0) { $0 + $1.0 * $1.1 }
            }
            let slope = (sum(1e-5) - sum(-1e-5)) / 2e-5
            #expect(abs(slope - dx[i]) < 1e-7 + type.epsilon * 200, "\(set) \(plan) dx[\(i)] \(dx[i]) \(slope)")
          }
        }
      }
    }
  }

  /// Classes that are planes give the bits of classes that are rows.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func classesAsPlanes(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    var random = Randomness(seed: 13)
    for (batch, classes, positions) in [(1, 1, 2), (2, 3, 5), (3, 21, 64), (2, 17, 130)] {
      let rows = batch * positions
      func planes(_ values: [Double]) -> [Double] {
        (0..<values.count).map { i in
          let (sample, place) = i.quotientAndRemainder(dividingBy: classes * positions)
          return values[(sample * positions + place % positions) * classes + place / positions]
        }
      }
      let x = random.reals(rows * classes, type, scale: 4)
      let t = random.reals(rows * classes, type).map { type.rounded(abs($0)) }
      let dloss = RealArray(type, random.reals(rows, type))
      let labels = (0..<rows).map { _ in Int64(random.int(0...classes - 1)) }
      for target in [LossTarget.int64, .probabilities] {
        for reduction in LossReduction.allCases {
          func run(_ plan: CrossEntropy, _ x: [Double], _ t: [Double]) throws -> ([UInt8], [Double]) {
            let (source, probabilities) = (RealArray(type, x), RealArray(type, t))
            let loss = RealArray(type, count: plan.lossCount)
            try labels.withUnsafeBytes { labels in
              let targets = target == .int64 ? labels.baseAddress : UnsafeRawPointer(probabilities.pointer)
              try plan.forward(
                context: context, x: source.pointer, targets: targets, classWeights: nil, loss: loss.pointer)
              try plan.backward(
                context: context, x: source.pointer, targets: targets, classWeights: nil, dloss: dloss.pointer,
                dx: source.pointer)
            }
            return (loss.bytes, source.values)
          }
          var plan = CrossEntropy(dataType: type, batch: rows, classes: classes, target: target)
          plan.reduction = reduction
          plan.ignoredLabel = classes > 2 ? 1 : nil
          let expected = try run(plan, x, t)
          (plan.batch, plan.positions) = (batch, positions)
          let found = try run(plan, planes(x), planes(t))
          #expect(found.0 == expected.0 && found.1 == planes(expected.1), "\(set) \(plan)")
        }
      }
    }
  }

  private func value(_ kind: PointwiseLoss, _ x: Double, _ t: Double, _ delta: Double) -> Double {
    let d = abs(x - t)
    switch kind {
    case .binaryCrossEntropyWithLogits: return max(x, 0) - x * t + log1p(exp(-abs(x)))
    case .meanSquaredError: return d * d
    case .meanAbsoluteError: return d
    case .huber: return d < delta ? d * d / 2 : delta * (d - delta / 2)
    case .hinge: return max(0, delta - x * t)
    }
  }

  @Test(arguments: InstructionSet.available, gemmTypes)
  func pointwise(_ set: InstructionSet, _ type: DataType) throws {
    let contexts = try Setting.of(set).map { try $0.context() }
    var random = Randomness(seed: 12)
    for kind in PointwiseLoss.allCases {
      for count in [1, 7, 100, 30_000] {
        for reduction in LossReduction.allCases {
          var plan = ElementLoss(kind, dataType: type, count: count)
          (plan.reduction, plan.delta) = (reduction, 0.75)
          let x = random.reals(count, type, scale: 3)
          let t = (0..<count).map { $0 % 2 == 0 ? 1.0 : kind == .binaryCrossEntropyWithLogits ? 0 : -1 }
          let (source, targets) = (RealArray(type, x), RealArray(type, t))
          let each = x.indices.map { value(kind, x[$0], t[$0], 0.75) }
          let sum = each.reduce(0, +)
          let wanted = reduction == .none ? each : [reduction == .sum ? sum : sum / Double(count)]
          var first: [UInt8]?
          for context in count > 1000 ? contexts : [contexts[0]] {
            let loss = RealArray(type, count: wanted.count)
            try plan.forward(context: context, x: source.pointer, targets: targets.pointer, loss: loss.pointer)
            #expect(
              firstDifference(loss, wanted, within: { type.epsilon * (20 + 8 * abs(wanted[$0])) * 4 }) == nil,
              "\(set) \(plan)")
            #expect(first == nil || first == loss.bytes)
            first = loss.bytes
          }
          let dloss = RealArray(type, random.reals(wanted.count, type))
          let dx = RealArray(type, count: count)
          try plan.backward(
            context: contexts[0], x: source.pointer, targets: targets.pointer, dloss: dloss.pointer, dx: dx.pointer)
          for i in stride(from: 0, to: count, by: max(1, count / 50)) {
            let h = 1e-6
            let slope = (value(kind, x[i] + h, t[i], 0.75) - value(kind, x[i] - h, t[i], 0.75)) / (2 * h)
            let g =
              reduction == .none ? dloss[i] : reduction == .sum ? dloss[0] : dloss[0] / Double(count)
            #expect(abs(dx[i] - slope * g) < 1e-8 + 40 * type.epsilon, "\(set) \(plan) \(i)")
          }
        }
      }
    }
  }

  @Test func mistakesAreNamed() throws {
    let context = try ExecutionContext(backend: .serial, threads: 1)
    let x = RealArray(.float32, [1, 2, 3, 4])
    let loss = RealArray(.float32, [9])
    var labels: [Int32] = [1, 2]
    var plan = CrossEntropy(dataType: .float32, batch: 2, classes: 2, target: .int32)
    func message() -> String {
      let error = #expect(throws: ApusError.self) {
        try plan.forward(context: context, x: x.pointer, targets: &labels, classWeights: nil, loss: loss.pointer)
      }
      return error?.message ?? ""
    }
    #expect(message() == "targets[1] is 2, but a label must be 0 to 1, or the ignored one")
    labels = [-100, 1]
    #expect(message().contains("targets[0] is -100"))
    plan.smoothing = 1.5
    #expect(message().contains("smoothing is 1.5"))
    plan.smoothing = 0.1
    plan.isLogarithm = true
    #expect(message().contains("negative log-likelihood"))
    #expect(loss.values == [9])
    plan = CrossEntropy(dataType: .float32, batch: 2, classes: 2, target: .int32)
    plan.ignoredLabel = -100
    try plan.forward(context: context, x: x.pointer, targets: &labels, classWeights: nil, loss: loss.pointer)
    #expect(abs(loss[0] - log1p(exp(-1.0))) < 1e-6)
    labels = [-100, -100]
    try plan.forward(context: context, x: x.pointer, targets: &labels, classWeights: nil, loss: loss.pointer)
    #expect(loss[0].isNaN)
  }
}
