import ApusEngine
import ApusKernelInterface
import ApusTestSupport
import Testing

/// Every kernel between the large ones once, at sizes that an emulated CPU has time for. Away from guard pages: an emulated
/// masked load touches lanes that are masked off, which a CPU's does not.
@Suite struct LayerPortableTests {
  @Test(arguments: InstructionSet.available, gemmTypes)
  func oneCallOfEach(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    var random = Randomness(seed: 77)
    let (rows, size) = (4, 37)
    let x = RealArray(type, random.reals(rows * size, type), .offset(0))
    let dy = RealArray(type, random.reals(rows * size, type), .offset(0))
    let y = RealArray(type, count: rows * size, .offset(0))
    for f in ElementFunction.allCases {
      let plan = Elementwise(f, dataType: type, count: rows * size)
      try plan.forward(context: context, x: x.pointer, y: y.pointer)
      #expect(y[5].isNaN == ElementReference.value(f, x[5], plan.alpha, plan.beta).isNaN, "\(f)")
      try plan.backward(context: context, saved: x.pointer, dy: dy.pointer, dx: y.pointer)
    }
    let tensor = try StridedTensor(type, [rows, size])
    for f in BinaryFunction.allCases {
      try Arithmetic.binary(f, context: context, tensor, x.pointer, tensor, dy.pointer, tensor, y.pointer)
    }
    let turned = try StridedTensor(type, [size, rows])
    var view = StridedTensor(type)
    for axis in [1, 0] { try view.append(size: tensor.shape[axis], stride: tensor.strides[axis], name: "view") }
    try Movement.copy(context: context, view, x.pointer, turned, y.pointer)
    #expect(y[1] == x[size])
    let sums = RealArray(type, count: size, .offset(0))
    for kind in ReductionKind.allCases {
      for axes in 1...2 { try Reduction(kind, axes: axes).run(context: context, tensor, x: x.pointer, y: sums.pointer) }
    }
    for isLogarithm in [true, false] {
      let plan = Softmax(dataType: type, isLogarithm: isLogarithm, outer: rows, size: size)
      try plan.forward(context: context, x: x.pointer, y: y.pointer)
      try plan.backward(context: context, y: y.pointer, dy: dy.pointer, dx: dy.pointer)
    }
    #expect(abs(y.values.reduce(0, +) - Double(rows)) < 1e-5)
    var labels: [Int32] = [1, 2, 3, 36]
    let entropy = CrossEntropy(dataType: type, batch: rows, classes: size, target: .int32)
    try entropy.forward(context: context, x: x.pointer, targets: &labels, classWeights: nil, loss: sums.pointer)
    #expect(sums[0] > 2 && sums[0] < 6)
    for kind in PointwiseLoss.allCases {
      let plan = ElementLoss(kind, dataType: type, count: rows * size)
      try plan.forward(context: context, x: x.pointer, targets: dy.pointer, loss: sums.pointer)
    }
    for layout in TensorLayout.allCases {
      for kind in NormalizationKind.allCases {
        let isRow = kind == .layer || kind == .rms
        var plan = Normalization(
          kind, dataType: type, batch: rows, channels: isRow ? size : 1, positions: isRow ? 1 : size)
        plan.layout = layout
        let (mean, scale) = (RealArray(type, count: 4, .offset(0)), RealArray(type, count: 4, .offset(0)))
        var a = NormalizationArguments()
        (a.x, a.y, a.mean, a.scale) = (UnsafeRawPointer(x.pointer), y.pointer, mean.pointer, scale.pointer)
        try plan.forward(context: context, a)
        #expect(kind == .rms || abs(y.values.reduce(0, +)) < 1e-3)
        (a.dy, a.dx) = (UnsafeRawPointer(dy.pointer), y.pointer)
        try plan.backward(context: context, a)
      }
    }
    let (p, m, v) = (
      RealArray(type, count: 8, .offset(0)), RealArray(type, count: 8, .offset(0)),
      RealArray(type, count: 8, .offset(0))
    )
    for kind in OptimizerKind.allCases {
      try Optimizer(kind, dataType: type, rate: 0.1).run(context: context, count: 1) { _ in
        OptimizerTensor(count: 8, parameters: p.pointer, gradients: x.pointer, first: m.pointer, second: v.pointer)
      }
    }
    for distribution in RandomDistribution.allCases {
      try RandomFill(distribution, dataType: type, a: 0, b: 1)
        .run(context: context, seed: 1, offset: 3, count: rows * size, y: y.pointer)
      #expect(y.values.allSatisfy { abs($0) < 9 })
    }
  }
}
