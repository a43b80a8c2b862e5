internal import ApusEngine
internal import ApusKernelInterface

private let plans = PlanCache<GemmPlan>()

/// The product of matrices, as in NumPy: the last two dimensions are multiplied, those before broadcast; a vector is a row
/// on the left and a column on the right, and its dimension is gone from the result.
public func matmul(_ a: Tensor, _ b: Tensor) -> Tensor {
  require(
    a.dtype == b.dtype && a.dtype.isFloatingPoint,
    "matmul: both tensors must have one floating-point type, but they are \(a.dtype) \(a.shape) and \(b.dtype) \(b.shape)"
  )
  require(
    a.rank > 0 && b.rank > 0 && a.shape[a.rank - 1] == b.shape[max(0, b.rank - 2)],
    "matmul: the shapes \(a.shape) and \(b.shape) do not fit: the last size of the first must be the last but one of the second"
  )
  if a.rank == 1 { return matmul(a.expanded(at: 0), b).squeezed(at: b.rank == 1 ? 0 : b.rank - 2) }
  if b.rank == 1 { return matmul(a, b.expanded(at: 1)).squeezed(at: a.rank - 1) }
  if a.rank == 2 && b.rank == 2 {
    return product(a, b).recorded("matmul", a, b) { dy in
      [
        a.isTracked ? matmul(dy, b.transposed()) : nil,
        b.isTracked ? matmul(a.transposed(), dy) : nil,
      ]
    }
  }
  if b.rank == 2 {
    // One matrix for all: the others are its rows.
    let k = a.shape[a.rank - 1]
    return matmul(a.reshaped([a.shape.dropLast().reduce(1, *), k]), b).reshaped(a.shape.dropLast() + [b.shape[1]])
  }
  return batched(a, b)
}

/// Two matrices, off the tape.
private func product(_ a: Tensor, _ b: Tensor) -> Tensor {
  let (a, aLeading, aTransposed) = a.asMatrix()
  let (b, bLeading, bTransposed) = b.asMatrix()
  let y = Tensor(uninitialized: [a.shape[0], b.shape[1]], a.dtype)
  let key = [
    a.shape[0], b.shape[1], a.shape[1], aLeading, bLeading, (aTransposed ? 1 : 0) + (bTransposed ? 2 : 0),
    a.dtype.size,
  ]
  let plan = plans.plan(key) {
    var problem = GemmDescriptor(
      dataType: y.dtype.engine, m: y.shape[0], n: y.shape[1], k: a.shape[1], transposeA: aTransposed,
      transposeB: bTransposed)
    problem.lda = aLeading
    problem.ldb = bLeading
    return planned("matmul") { context throws(ApusEngine.ApusError) in try GemmPlan(problem, context: context) }
  }
  compute("matmul", a, b, y) { context throws(ApusEngine.ApusError) in
    try plan.run(context: context, a: a.base, b: b.base, c: y.result)
  }
  return y
}

/// Matrices of a batch, with the dimensions before broadcast.
private func batched(_ a: Tensor, _ b: Tensor) -> Tensor {
  let lead = broadcastShape("matmul", a.shape.dropLast(2), b.shape.dropLast(2))
  let batch = lead.reduce(1, *)
  let (m, k, n) = (a.shape[a.rank - 2], a.shape[a.rank - 1], b.shape[b.rank - 1])
  // One matrix for the whole batch is read again and again; anything else is laid out.
  func lay(_ x: Tensor) -> (Tensor, Int) {
    let matrix = Array(x.shape.suffix(2))
    if x.count == matrix[0] * matrix[1] { return (x.detached().contiguous(), 0) }
    return (x.detached().broadcast(to: lead + matrix).contiguous(), matrix[0] * matrix[1])
  }
  let (x, xStride) = lay(a)
  let (z, zStride) = lay(b)
  let y = Tensor(uninitialized: lead + [m, n], a.dtype)
  let plan = plans.plan([m, n, k, batch, xStride, zStride, a.dtype.size, 0]) {
    var problem = GemmDescriptor(dataType: a.dtype.engine, m: m, n: n, k: k)
    problem.batch = batch
    problem.strideA = xStride
    problem.strideB = zStride
    problem.strideC = m * n
    return planned("matmul") { context throws(ApusEngine.ApusError) in try GemmPlan(problem, context: context) }
  }
  compute("matmul", x, z, y) { context throws(ApusEngine.ApusError) in
    try plan.run(context: context, a: x.base, b: z.base, c: y.result)
  }
  return y.recorded("matmul", a, b) { dy in
    [
      a.isTracked ? matmul(dy, b.swappingAxes(-1, -2)).summed(to: a.shape) : nil,
      b.isTracked ? matmul(a.swappingAxes(-1, -2), dy).summed(to: b.shape) : nil,
    ]
  }
}

/// y = activation(x weight^T + bias), a fully connected layer: x has any number of dimensions, of which the last is
/// multiplied; weight is outputs x inputs, as PyTorch has it. A sample's bits do not depend on the batch around it.
public func linear(_ x: Tensor, weight: Tensor, bias: Tensor? = nil, activation: Activation = .none) -> Tensor {
  require(
    x.rank > 0 && weight.rank == 2 && x.shape[x.rank - 1] == weight.shape[1],
    "linear: x has the shape \(x.shape) and weight \(weight.shape): the last sizes must be the same")
  require(
    bias.map { $0.shape == [weight.shape[0]] } ?? true,
    "linear: bias has the shape \(bias?.shape ?? []), but weight has \(weight.shape)")
  require(
    x.dtype == weight.dtype && x.dtype.isFloatingPoint && bias?.dtype ?? x.dtype == x.dtype,
    "linear: x, weight and bias must have one floating-point type, but they are \(x.dtype) and \(weight.dtype)")
  if x.rank != 2 {
    return linear(
      x.reshaped([x.shape.dropLast().reduce(1, *), weight.shape[1]]), weight: weight, bias: bias, activation: activation
    )
    .reshaped(x.shape.dropLast() + [weight.shape[0]])
  }
  let (m, n, k) = (x.shape[0], weight.shape[0], weight.shape[1])
  let (a, w, b) = (x.detached().contiguous(), weight.detached().contiguous(), bias?.detached().contiguous())
  let y = Tensor(uninitialized: [m, n], x.dtype)
  let (kind, slope) = activation.engine
  let key = [
    m, n, k, bias == nil ? 0 : 1, x.dtype.size, Int(kind.rawValue), Int(truncatingIfNeeded: slope.bitPattern), 1,
  ]
  let plan = plans.plan(key) {
    var problem = GemmDescriptor(dataType: x.dtype.engine, m: m, n: n, k: k, transposeA: false, transposeB: true)
    problem.bias = bias == nil ? .none : .byColumn
    problem.isRowInvariant = true
    problem.activation = kind
    problem.slope = slope
    return planned("linear") { context throws(ApusEngine.ApusError) in try GemmPlan(problem, context: context) }
  }
  var arguments = GemmArguments()
  arguments.a = a.base
  arguments.b = w.base
  arguments.bias = b?.base
  arguments.c = y.result
  compute("linear", a, w, b, y) { [arguments] context throws(ApusEngine.ApusError) in
    try plan.run(context: context, arguments)
  }
  let sources = [x, weight] + (bias.map { [$0] } ?? [])
  let rule: @Sendable (Tensor) -> [Tensor?] = { dy in
    let gradient = kind == .identity ? dy : activationGradient("linear", kind, slope, dy.detached().contiguous(), y)
    let gradients: [Tensor?] = [
      x.isTracked ? matmul(gradient, weight) : nil,
      weight.isTracked ? matmul(gradient.transposed(), x) : nil,
      bias?.isTracked ?? false ? gradient.sum(along: [0]) : nil,
    ]
    return Array(gradients.prefix(sources.count))
  }
  // The activation's gradient is a kernel's, which has none itself.
  return kind == .identity
    ? y.recorded("linear", from: sources, rule: rule) : y.recorded(kernel: "linear", from: sources, rule: rule)
}

extension Tensor {
  /// A matrix as GEMM takes it: off the tape, with its leading dimension, and whether it lies transposed.
  fileprivate func asMatrix() -> (Tensor, leading: Int, isTransposed: Bool) {
    let matrix = detached()
    let (rows, columns) = (shape[0], shape[1])
    if (strides[1] == 1 || columns == 1) && strides[0] >= Swift.max(1, columns) { return (matrix, strides[0], false) }
    if (strides[0] == 1 || rows == 1) && strides[1] >= Swift.max(1, rows) { return (matrix, strides[1], true) }
    let copy = Tensor(uninitialized: shape, dtype)
    copyElements(of: matrix, to: copy)
    return (copy, Swift.max(1, columns), false)
  }
}
