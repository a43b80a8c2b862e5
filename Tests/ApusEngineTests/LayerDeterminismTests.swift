import ApusEngine
import ApusKernelInterface
import ApusTestSupport
import Testing

/// Every back end and thread count gives the bits of one thread, at sizes that are worth a region.
@Suite struct LayerDeterminismTests {
  /// What `run` writes into arrays of these lengths, in every setting.
  private func agree(
    _ set: InstructionSet, _ type: DataType, _ name: String, _ lengths: [Int],
    _ run: (ExecutionContext, [RealArray]) throws -> Void
  ) throws {
    func results(_ context: ExecutionContext) throws -> [[UInt8]] {
      let arrays = lengths.map { RealArray(type, [Double](repeating: 0.5, count: $0)) }
      try run(context, arrays)
      return arrays.map(\.bytes)
    }
    let expected = try results(ExecutionContext(instructionSet: set, backend: .serial, threads: 1))
    for setting in Setting.of(set) {
      #expect(try results(setting.context()) == expected, "\(name), \(type.name), \(setting)")
    }
  }

  @Test(arguments: InstructionSet.available, gemmTypes)
  func channels(_ set: InstructionSet, _ type: DataType) throws {
    var random = Randomness(seed: 51)
    for (outer, channels, inner) in [(6, 20, 500), (300, 130, 1)] {
      let count = outer * channels * inner
      let x = RealArray(type, random.reals(count, type))
      let dy = RealArray(type, random.reals(count, type))
      let slopes = RealArray(type, random.reals(channels, type))
      let prelu = PReLU(dataType: type, outer: outer, channels: channels, inner: inner)
      try agree(set, type, "prelu", [count, count, channels]) { context, to in
        try prelu.forward(context: context, x: x.pointer, slopes: slopes.pointer, y: to[0].pointer)
        try prelu.backward(
          context: context, x: x.pointer, slopes: slopes.pointer, dy: dy.pointer, dx: to[1].pointer,
          dslopes: to[2].pointer)
      }
      for layout in TensorLayout.allCases {
        var response = ResponseNormalization(dataType: type, batch: outer, channels: channels, positions: inner)
        response.layout = layout
        response.alpha = 0.1
        try agree(set, type, "local response", [count, count]) { context, to in
          try response.forward(context: context, x: x.pointer, y: to[0].pointer)
          try response.backward(context: context, x: x.pointer, dy: dy.pointer, dx: to[1].pointer)
        }
      }
    }
  }

  @Test(arguments: InstructionSet.available, gemmTypes)
  func classes(_ set: InstructionSet, _ type: DataType) throws {
    var random = Randomness(seed: 52)
    for (batch, classes, positions) in [(300, 90, 1), (3, 21, 700)] {
      let count = batch * classes * positions
      let rows = batch * positions
      let x = RealArray(type, random.reals(count, type, scale: 5))
      let t = RealArray(type, random.reals(count, type).map { type.rounded(abs($0)) })
      let dloss = RealArray(type, random.reals(rows, type))
      let weights = RealArray(type, random.reals(classes, type).map { type.rounded(abs($0)) })
      let labels = (0..<rows).map { _ in Int32(random.int(0...classes - 1)) }
      for target in [LossTarget.int32, .probabilities] {
        for reduction in LossReduction.allCases {
          var plan = CrossEntropy(dataType: type, batch: batch, classes: classes, target: target)
          (plan.positions, plan.reduction, plan.smoothing) = (positions, reduction, 0.1)
          try agree(set, type, "cross-entropy", [plan.lossCount, count]) { context, to in
            try labels.withUnsafeBytes { labels in
              let targets = target == .int32 ? labels.baseAddress : UnsafeRawPointer(t.pointer)
              try plan.forward(
                context: context, x: x.pointer, targets: targets, classWeights: weights.pointer, loss: to[0].pointer)
              try plan.backward(
                context: context, x: x.pointer, targets: targets, classWeights: weights.pointer, dloss: dloss.pointer,
                dx: to[1].pointer)
            }
          }
        }
      }
    }
  }

  @Test(arguments: InstructionSet.available, gemmTypes)
  func tensors(_ set: InstructionSet, _ type: DataType) throws {
    var random = Randomness(seed: 53)
    let shape = [60, 17, 50]
    let count = shape.reduce(1, *)
    let a = RealArray(type, random.reals(count, type))
    let b = RealArray(type, random.reals(count, type))
    let tensor = try StridedTensor(type, shape)
    let row = try StridedTensor(type, [17, 1])
    for f in [BinaryFunction.add, .divide, .power, .less] {
      try agree(set, type, "\(f)", [count, count]) { context, to in
        try Arithmetic.binary(f, context: context, tensor, a.pointer, tensor, b.pointer, tensor, to[0].pointer)
        try Arithmetic.binary(f, context: context, row, a.pointer, tensor, b.pointer, tensor, to[1].pointer)
      }
    }
    var turned = StridedTensor(type)
    for axis in [2, 0, 1] { try turned.append(size: shape[axis], stride: tensor.strides[axis], name: "view") }
    let result = try StridedTensor(type, [50, 60, 17])
    try agree(set, type, "movement", [count, count, count]) { context, to in
      try Arithmetic.select(
        context: context, tensor, a.pointer, tensor, b.pointer, row, a.pointer, tensor, to[0].pointer)
      try Movement.copy(context: context, turned, a.pointer, result, to[1].pointer)
      try Movement.fill(context: context, tensor, to[2].pointer, value: 0.1)
    }
    for kind in ReductionKind.allCases {
      for axes in 1..<8 {
        let kept = (0..<3).reduce(1) { axes >> $1 & 1 == 0 ? $0 * shape[$1] : $0 }
        try agree(set, type, "\(kind) over \(axes)", [kept]) { context, to in
          try Reduction(kind, axes: axes).run(context: context, tensor, x: a.pointer, y: to[0].pointer)
        }
      }
    }
    for (outer, size, inner) in [(60, 850, 1), (60, 17, 50)] {
      let plan = AxisFunction(dataType: type, outer: outer, size: size, inner: inner)
      try agree(set, type, "along an axis", [count, outer * inner]) { context, to in
        try plan.cumulativeSum(context: context, isReversed: false, isExclusive: true, x: a.pointer, y: to[0].pointer)
        // Numbers of places, where nobody reads them as reals.
        try plan.position(
          context: context, least: false, x: a.pointer, indexType: .int32, indices: to[1].pointer)
      }
    }
    let gather = AxisGather(dataType: type, indexType: .int32, outer: 60, size: 17, inner: 50, count: 40)
    let indices = (0..<40).map { _ in Int32(random.int(0...16)) }
    try agree(set, type, "gather", [60 * 40 * 50, count]) { context, to in
      try indices.withUnsafeBytes { indices in
        try gather.gather(context: context, x: a.pointer, indices: indices.baseAddress, y: to[0].pointer)
        try gather.scatterAdd(context: context, x: to[0].pointer, indices: indices.baseAddress, y: to[1].pointer)
      }
    }
  }
}
