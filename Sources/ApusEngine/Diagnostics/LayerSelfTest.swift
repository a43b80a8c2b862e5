import ApusKernelInterface

extension SelfTest {
  /// Every family between the large kernels once, at lengths around those of vectors, against plain loops. Operands are
  /// multiples of 1/16, so that what has no root and no exponential is exact.
  static func layers<T: BinaryFloatingPoint & BitwiseCopyable>(
    _ context: ExecutionContext, _: T.Type, _ type: DataType
  ) throws(ApusError) {
    for (rows, size) in [(1, 1), (3, 7), (4, 37), (20, 16)] {
      var trial = LayerTrial<T>(context, type, rows, size)
      try trial.elementwise()
      try trial.tensors()
      try trial.softmaxAndLoss()
      try trial.normalization()
      try trial.update()
    }
    try random(context, type)
  }

  /// Words of Philox as its authors' known answers have them (J. Salmon et al., 2011): counter and key 0.
  private static func random(_ context: ExecutionContext, _ type: DataType) throws(ApusError) {
    let count = 64
    let y = UnsafeMutableRawPointer.allocate(byteCount: 8 * count, alignment: 8)
    defer { y.deallocate() }
    try RandomFill(.uniform, dataType: type, a: 0, b: 1).run(context: context, seed: 0, offset: 0, count: count, y: y)
    // Sixteen blocks side by side: the words of the first are 16 numbers apart.
    for (k, word) in ([0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8] as [Double]).enumerated() {
      let found = Reals(y, type)[16 * k]
      if !(abs(found - word / 0x1p32) < 0x1p-22) {
        throw ApusError(
          .backend,
          "self test: \(context.instructionSet.name), random \(type.name): number \(16 * k) is \(found), but Philox gives "
            + "\(word / 0x1p32)")
      }
    }
  }
}

private func exponential(_ x: Double) -> Double { SelfTest.logistic(x) / SelfTest.logistic(-x) }

/// Two matrices, and room for results.
private struct LayerTrial<T: BinaryFloatingPoint & BitwiseCopyable> {
  let context: ExecutionContext
  let type: DataType
  let rows: Int
  let size: Int
  var x: [T]
  var dy: [T]
  var y: [T]
  var count: Int { rows * size }

  init(_ context: ExecutionContext, _ type: DataType, _ rows: Int, _ size: Int) {
    self.context = context
    self.type = type
    self.rows = rows
    self.size = size
    x = (0..<rows * size).map { T(Double($0 * 37 % 64) / 16 - 2) }
    dy = (0..<rows * size).map { T(Double($0 * 23 % 32) / 16 - 1) }
    y = [T](repeating: .nan, count: rows * size)
  }

  /// Throws where a result is further from its plain loop's than some roundings.
  func check(_ name: String, _ found: [T], _ expected: (Int) -> Double) throws(ApusError) {
    for i in found.indices {
      let wanted = expected(i)
      if !(abs(Double(found[i]) - wanted) <= (32 * Double(T.ulpOfOne) + 1e-13) * max(1, abs(wanted))) {
        throw ApusError(
          .backend,
          "self test: \(context.instructionSet.name), \(name) \(type.name), \(rows) x \(size): element \(i) is "
            + "\(found[i]), but a plain loop gives \(wanted)")
      }
    }
  }

  /// The matrix along its rows, as doubles.
  private func row(_ r: Int, _ values: [T]) -> [Double] { (0..<size).map { Double(values[r * size + $0]) } }

  mutating func elementwise() throws(ApusError) {
    let functions: [(ElementFunction, (Double) -> Double)] = [
      (.relu, { max($0, 0) }), (.sigmoid, SelfTest.logistic), (.tanh, { 2 * SelfTest.logistic(2 * $0) - 1 }),
      (.silu, { $0 * SelfTest.logistic($0) }), (.exp, exponential), (.square, { $0 * $0 }),
    ]
    for (f, value) in functions {
      try Elementwise(f, dataType: type, count: count).forward(context: context, x: x, y: &y)
      try check("\(f)", y) { value(Double(x[$0])) }
    }
    try Elementwise(.relu, dataType: type, count: count).backward(context: context, saved: x, dy: dy, dx: &y)
    try check("relu backward", y) { x[$0] > 0 ? Double(dy[$0]) : 0 }
  }

  mutating func tensors() throws(ApusError) {
    let matrix = try StridedTensor(type, [rows, size])
    try Arithmetic.binary(.multiply, context: context, matrix, x, StridedTensor(type, [size]), dy, matrix, &y)
    try check("multiply", y) { Double(x[$0] * dy[$0 % size]) }
    var turned = StridedTensor(type)
    try turned.append(size: size, stride: 1, name: "view")
    try turned.append(size: rows, stride: size, name: "view")
    try Movement.copy(context: context, turned, x, StridedTensor(type, [size, rows]), &y)
    try check("transposition", y) { Double(x[$0 % rows * size + $0 / rows]) }
    var sums = [T](repeating: .nan, count: rows)
    try Reduction(.sum, axes: 2).run(context: context, matrix, x: x, y: &sums)
    try check("sum of rows", sums) { row($0, x).reduce(0, +) }
    sums = [T](repeating: .nan, count: size)
    try Reduction(.maximum, axes: 1).run(context: context, matrix, x: x, y: &sums)
    try check("maximum of columns", sums) { c in (0..<rows).map { Double(x[$0 * size + c]) }.max() ?? 0 }
    var before = InlineArray<8, Int>(repeating: 0)
    before[1] = 1
    var wide = [T](repeating: .nan, count: rows * (size + 2))
    try Padding(.replicate, before: before)
      .forward(context: context, matrix, x, StridedTensor(type, [rows, size + 2]), &wide)
    try check("padding", wide) { i in
      Double(x[i / (size + 2) * size + min(max(i % (size + 2) - 1, 0), size - 1)])
    }
  }

  mutating func softmaxAndLoss() throws(ApusError) {
    let exponentials = x.map { exponential(Double($0)) }
    let totals = (0..<rows).map { r in (0..<size).reduce(0) { $0 + exponentials[r * size + $1] } }
    try Softmax(dataType: type, outer: rows, size: size).forward(context: context, x: x, y: &y)
    try check("softmax", y) { exponentials[$0] / totals[$0 / size] }
    let labels = (0..<rows).map { Int32($0 * 5 % size) }
    var plan = CrossEntropy(dataType: type, batch: rows, classes: size, target: .int32)
    plan.reduction = .none
    var losses = [T](repeating: .nan, count: rows)
    try plan.forward(context: context, x: x, targets: labels, classWeights: nil, loss: &losses)
    try check("e^-cross-entropy", losses.map { T(exponential(-Double($0))) }) {
      exponentials[$0 * size + Int(labels[$0])] / totals[$0]
    }
    plan.reduction = .sum
    try plan.backward(context: context, x: x, targets: labels, classWeights: nil, dloss: nil, dx: &y)
    try check("cross-entropy backward", y) {
      exponentials[$0] / totals[$0 / size] - (Int32($0 % size) == labels[$0 / size] ? 1 : 0)
    }
    var squares = ElementLoss(.meanSquaredError, dataType: type, count: count)
    squares.reduction = .sum
    losses = [.nan]
    try squares.forward(context: context, x: x, targets: dy, loss: &losses)
    let differences = (0..<count).map { Double(x[$0]) - Double(dy[$0]) }
    try check("squared error", losses) { _ in differences.reduce(0) { $0 + $1 * $1 } }
  }

  mutating func normalization() throws(ApusError) {
    for kind in [NormalizationKind.layer, .instance] {
      let isRow = kind == .layer
      let plan = Normalization(
        kind, dataType: type, batch: rows, channels: isRow ? size : 1, positions: isRow ? 1 : size)
      let context = context
      func run(_ x: UnsafeRawPointer, _ y: UnsafeMutableRawPointer) throws(ApusError) {
        var a = NormalizationArguments()
        (a.x, a.y) = (x, y)
        try plan.forward(context: context, a)
      }
      try run(x, &y)
      try check("\(kind) normalization", y) { i in
        let values = row(i / size, x)
        let mean = values.reduce(0, +) / Double(size)
        let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(size)
        return (Double(x[i]) - mean) / (variance + 1e-5).squareRoot()
      }
    }
  }

  /// Adam's first step from 0: its mean and square are the gradient and its square.
  mutating func update() throws(ApusError) {
    var (mean, square) = ([T](repeating: 0, count: count), [T](repeating: 0, count: count))
    y = [T](repeating: 0, count: count)
    let (context, type, n) = (context, type, count)
    func step(
      _ gradients: UnsafeRawPointer, _ parameters: UnsafeMutableRawPointer, _ mean: UnsafeMutableRawPointer,
      _ square: UnsafeMutableRawPointer
    ) throws(ApusError) {
      let tensor = OptimizerTensor(
        count: n, parameters: parameters, gradients: gradients, first: mean, second: square)
      try Optimizer(.adam, dataType: type, rate: 0.5).run(context: context, count: 1) { _ in tensor }
    }
    try step(x, &y, &mean, &square)
    try check("adam", y) { -0.5 * Double(x[$0]) / (abs(Double(x[$0])) + 1e-8) }
  }
}
