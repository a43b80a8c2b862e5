import ApusKernelInterface

extension SelfTest {
  /// Every cell over two steps, at the edges of vectors, panels and tiles: forward beside plain loops; in float64 the
  /// gradient beside a difference of the loss along a direction that meets every number, in float32 beside float64's.
  static func recurrent(_ context: ExecutionContext) throws(ApusError) {
    for cell in RecurrentCell.allCases {
      for (batch, input, hidden) in [(1, 3, 5), (3, 18, 35), (16, 5, 33)] {
        let wide = try RecurrentSelfTrial<Double>(.float64, cell, batch, input, hidden, context)
        let narrow = try RecurrentSelfTrial<Float>(.float32, cell, batch, input, hidden, context)
        let gradient = try wide.gradient()
        try wide.checkOutputs()
        try narrow.checkOutputs()
        try wide.checkDifference(gradient)
        try narrow.check(try narrow.gradient(), gradient)
      }
    }
  }
}

/// One problem in one type: parameters, x and h0 lie one after the other in `data`.
private struct RecurrentSelfTrial<T: BinaryFloatingPoint> {
  private let plan: RecurrentPlan
  private let context: ExecutionContext
  private let d: RecurrentDescriptor
  private let weightCount: Int
  private let data: [T]

  init(
    _ type: DataType, _ cell: RecurrentCell, _ batch: Int, _ input: Int, _ hidden: Int, _ context: ExecutionContext
  ) throws(ApusError) {
    d = RecurrentDescriptor(dataType: type, cell: cell, steps: 2, batch: batch, input: input, hidden: hidden)
    self.context = context
    plan = try RecurrentPlan(d, mode: .training, context: context)
    weightCount = plan.parameterCount
    let count = weightCount + 2 * batch * input + batch * hidden
    data = (0..<count).map { T(Double($0 * 37 % 128 - 64) / 256) }
  }

  private var xCount: Int { 2 * d.batch * d.input }
  private var yCount: Int { 2 * d.batch * d.hidden }
  /// Weight of element `i` of y in the loss.
  private func share(_ i: Int) -> Double { Double(i * 23 % 64 - 32) / 64 }

  private func failure(_ text: String) -> ApusError {
    ApusError(.backend, "self test: \(context.instructionSet.name), \(plan.description): \(text)")
  }

  /// Runs with these data: y and, where they are wanted, gradients by all of them.
  private func run(_ data: [T], backward: Bool) throws(ApusError) -> (y: [T], gradient: [T]) {
    let size = MemoryLayout<T>.stride
    let counts = [data.count, yCount, yCount, backward ? data.count : 0]
    let memory = UnsafeMutablePointer<T>.allocate(capacity: counts.reduce(0, +))
    let workspace = UnsafeMutableRawPointer.allocate(byteCount: plan.workspaceBytes, alignment: 64)
    defer {
      memory.deallocate()
      workspace.deallocate()
    }
    memory.initialize(repeating: .nan, count: counts.reduce(0, +))
    for (i, value) in data.enumerated() { memory[i] = value }
    let base = UnsafeMutableRawPointer(memory)
    let y = base + data.count * size
    let dy = y + yCount * size
    let gradients = dy + yCount * size
    for i in 0..<yCount { memory[data.count + yCount + i] = T(share(i)) }
    var arguments = RecurrentArguments()
    arguments.parameters = UnsafeRawPointer(base)
    arguments.x = UnsafeRawPointer(base + weightCount * size)
    arguments.h0 = UnsafeRawPointer(base + (weightCount + xCount) * size)
    arguments.y = y
    arguments.workspace = workspace
    arguments.workspaceBytes = plan.workspaceBytes
    try plan.forward(context: context, arguments)
    if backward {
      arguments.dy = UnsafeRawPointer(dy)
      arguments.dParameters = gradients
      arguments.dx = gradients + weightCount * size
      arguments.dh0 = gradients + (weightCount + xCount) * size
      try plan.backward(context: context, arguments)
    }
    let first = data.count + 2 * yCount
    return (
      (0..<yCount).map { memory[data.count + $0] }, backward ? data.indices.map { memory[first + $0] } : []
    )
  }

  func gradient() throws(ApusError) -> [Double] { try run(data, backward: true).gradient.map { Double($0) } }

  /// y beside plain loops.
  func checkOutputs() throws(ApusError) {
    let found = try run(data, backward: false).y
    let numbers = data.map { Double($0) }
    let n = d.hidden
    for b in 0..<d.batch {
      var h = (0..<n).map { numbers[weightCount + xCount + b * n + $0] }
      var c = [Double](repeating: 0, count: n)
      for t in 0..<2 {
        let row = t * d.batch + b
        let first = weightCount + row * d.input
        (h, c) = step(numbers, Array(numbers[first..<first + d.input]), h, c)
        for u in 0..<n {
          let value = Double(found[row * n + u])
          if !(abs(value - h[u]) <= 64 * Double(T.ulpOfOne) + 1e-12) {
            throw failure("y(\(t), \(b), \(u)) is \(value), but plain loops give \(h[u])")
          }
        }
      }
    }
  }

  private func step(_ w: [Double], _ x: [Double], _ h: [Double], _ c: [Double]) -> (h: [Double], c: [Double]) {
    let n = d.hidden
    let rows = d.cell.gates * n
    func dot(_ first: Int, _ v: [Double]) -> Double {
      var sum = 0.0
      for (i, value) in v.enumerated() { sum += w[first + i] * value }
      return sum
    }
    let biases = rows * (d.input + n)
    func from(_ row: Int) -> Double { dot(row * d.input, x) + w[biases + row] }
    func recurrent(_ row: Int, _ v: [Double]) -> Double { dot(rows * d.input + row * n, v) + w[biases + rows + row] }
    func sigmoid(_ row: Int) -> Double { SelfTest.logistic(from(row) + recurrent(row, h)) }
    func tanh(_ x: Double) -> Double { 2 * SelfTest.logistic(2 * x) - 1 }
    var (next, cell) = (h, c)
    let reset = d.cell == .gruResetBefore ? (0..<n).map { sigmoid($0) * h[$0] } : []
    for u in 0..<n {
      switch d.cell {
      case .tanh: next[u] = tanh(from(u) + recurrent(u, h))
      case .relu: next[u] = max(0, from(u) + recurrent(u, h))
      case .lstm:
        cell[u] = sigmoid(n + u) * c[u] + sigmoid(u) * tanh(from(2 * n + u) + recurrent(2 * n + u, h))
        next[u] = sigmoid(3 * n + u) * tanh(cell[u])
      case .gru, .gruResetBefore:
        let row = 2 * n + u
        let z = sigmoid(n + u)
        let new = tanh(
          from(row) + (d.cell == .gru ? sigmoid(u) * recurrent(row, h) : recurrent(row, reset)))
        next[u] = (1 - z) * new + z * h[u]
      }
    }
    return (next, cell)
  }

  /// The gradient's part along a direction beside the difference of the loss there.
  func checkDifference(_ gradient: [Double]) throws(ApusError) {
    let length = Double(data.count).squareRoot()
    let direction = data.indices.map { ($0 * 41 % 64 < 32 ? 1 : -1) / length }
    let distance = 1e-5
    func loss(_ sign: Double) throws(ApusError) -> Double {
      let moved = data.indices.map { data[$0] + T(sign * distance * direction[$0]) }
      let y = try run(moved, backward: false).y
      return y.indices.reduce(0) { $0 + share($1) * Double(y[$1]) }
    }
    let difference = (try loss(1) - loss(-1)) / (2 * distance)
    let slope = gradient.indices.reduce(0) { $0 + gradient[$1] * direction[$1] }
    if !(abs(difference - slope) <= 1e-7 * max(1, abs(slope))) {
      throw failure("the gradient along a direction is \(slope), but a difference gives \(difference)")
    }
  }

  /// A gradient beside that of the other type.
  func check(_ gradient: [Double], _ expected: [Double]) throws(ApusError) {
    let largest = expected.reduce(1) { max($0, abs($1)) }
    for (i, value) in gradient.enumerated() where !(abs(value - expected[i]) <= 1e-5 * largest) {
      throw failure("gradient \(i) is \(value), but in float64 it is \(expected[i])")
    }
  }
}
