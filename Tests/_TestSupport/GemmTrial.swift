import ApusEngine

/// A matrix of a problem as it lies in memory: `count` lines of `length` neighbours, `leading` apart, for each matrix of
/// the batch at its own offset.
struct TestMatrix {
  var length: Int
  var count: Int
  var leading: Int
  var offsets: [Int]
  var memory: TestMemory

  /// Elements from the first to the last of one matrix, with nothing after it.
  static func extent(_ length: Int, _ count: Int, _ leading: Int) -> Int {
    length == 0 || count == 0 ? 0 : (count - 1) * leading + length
  }

  init(_ length: Int, _ count: Int, leading: Int, stride: Int, _ d: GemmDescriptor, isShared: Bool) {
    self.length = length
    self.count = count
    self.leading = leading
    let extent = Self.extent(length, count, leading)
    // An array of pointers may point anywhere: backwards, with gaps of an odd length.
    offsets = (0..<max(0, d.batch)).map {
      isShared ? 0 : d.batchKind == .strided ? $0 * stride : (d.batch - 1 - $0) * (extent + 3)
    }
    memory = TestMemory(bytes: extent == 0 ? 0 : ((offsets.max() ?? 0) + extent) * d.dataType.size)
  }

  /// Where element `inner` of line `outer` lies.
  func index(_ matrix: Int, _ outer: Int, _ inner: Int) -> Int { offsets[matrix] + outer * leading + inner }
}

/// Names of the data of a problem.
public enum GemmData: Sendable, CaseIterable { case a, b, c, bias, residual }

/// A GEMM problem with its data, what should come out of it, and ways to run it.
///
/// Layouts are worked out here from the meaning of order and transposition, not with the engine's own code.
public final class GemmTrial {
  public let descriptor: GemmDescriptor
  public let alpha: Double
  public let beta: Double
  /// The residual is C itself.
  public let residualIsC: Bool
  var a: TestMatrix
  var b: TestMatrix
  var c: TestMatrix
  var residual: TestMatrix?
  var bias: TestMemory?
  lazy var expected = GemmExpectation(self)

  /// Random data for a descriptor that is valid (none without a seed). `residualIsC` needs ldr = ldc and equal strides.
  public init(
    _ descriptor: GemmDescriptor, alpha: Double = 1, beta: Double = 0, seed: UInt64? = 1, residualIsC: Bool = false
  ) {
    let d = descriptor
    self.descriptor = d
    self.alpha = alpha
    self.beta = beta
    self.residualIsC = residualIsC
    a = TestMatrix(
      Self.aRunsAlongK(d) ? d.k : d.m, Self.aRunsAlongK(d) ? d.m : d.k, leading: d.lda, stride: d.strideA, d,
      isShared: d.packedA)
    b = TestMatrix(
      Self.bRunsAlongN(d) ? d.n : d.k, Self.bRunsAlongN(d) ? d.k : d.n, leading: d.ldb, stride: d.strideB, d,
      isShared: d.packedB)
    let rowMajor = d.order == .rowMajor
    c = TestMatrix(
      rowMajor ? d.n : d.m, rowMajor ? d.m : d.n, leading: d.ldc, stride: d.strideC, d, isShared: false)
    if d.hasResidual && !residualIsC {
      residual = TestMatrix(
        rowMajor ? d.n : d.m, rowMajor ? d.m : d.n, leading: d.ldr, stride: d.strideResidual, d, isShared: false)
    }
    if d.bias != .none { bias = TestMemory(bytes: (d.bias == .byRow ? d.m : d.n) * d.dataType.size) }
    guard let seed else { return }
    var random = Randomness(seed: seed)
    for memory in [a.memory, b.memory, c.memory, residual?.memory, bias].compactMap({ $0 }) {
      random.fill(memory.base, memory.count / d.dataType.size, d.dataType)
    }
  }

  /// Row-major: rows of A as it lies run along k unless it is transposed; column-major: its columns if it is.
  static func aRunsAlongK(_ d: GemmDescriptor) -> Bool { (d.order == .rowMajor) != d.transposeA }
  static func bRunsAlongN(_ d: GemmDescriptor) -> Bool { (d.order == .rowMajor) != d.transposeB }

  func indexA(_ matrix: Int, _ i: Int, _ step: Int) -> Int {
    Self.aRunsAlongK(descriptor) ? a.index(matrix, i, step) : a.index(matrix, step, i)
  }
  func indexB(_ matrix: Int, _ step: Int, _ j: Int) -> Int {
    Self.bRunsAlongN(descriptor) ? b.index(matrix, step, j) : b.index(matrix, j, step)
  }
  func indexC(_ c: TestMatrix, _ matrix: Int, _ i: Int, _ j: Int) -> Int {
    descriptor.order == .rowMajor ? c.index(matrix, i, j) : c.index(matrix, j, i)
  }

  /// Element (i, j) of op(A), op(B), C or the residual; of the bias, element i.
  private func place(_ data: GemmData, _ matrix: Int, _ i: Int, _ j: Int) -> (UnsafeMutableRawPointer, Int) {
    switch data {
    case .a: (a.memory.base, indexA(matrix, i, j))
    case .b: (b.memory.base, indexB(matrix, i, j))
    case .c: (c.memory.base, indexC(c, matrix, i, j))
    case .bias: (bias!.base, i)
    case .residual: (residual!.memory.base, indexC(residual!, matrix, i, j))
    }
  }

  public subscript(_ data: GemmData, _ i: Int, _ j: Int, matrix matrix: Int = 0) -> Double {
    get {
      let (p, index) = place(data, matrix, i, j)
      return descriptor.dataType.load(p, index)
    }
    set {
      let (p, index) = place(data, matrix, i, j)
      descriptor.dataType.store(newValue, p, index)
    }
  }

  /// Every element of one of the data, its padding too.
  public func fill(_ data: GemmData, _ value: Double) {
    let memory: TestMemory? =
      switch data {
      case .a: a.memory
      case .b: b.memory
      case .c: c.memory
      case .bias: bias
      case .residual: residual?.memory
      }
    guard let memory else { return }
    for i in 0..<memory.count / descriptor.dataType.size { descriptor.dataType.store(value, memory.base, i) }
  }
}

extension GemmTrial: CustomStringConvertible {
  /// All that is needed to repeat it.
  public var description: String {
    let d = descriptor
    var text =
      "\(d.dataType.name) \(d.m)x\(d.n)x\(d.k):\(d.transposeA ? "T" : "N")\(d.transposeB ? "T" : "N")"
      + " \(d.order) ld \(d.lda) \(d.ldb) \(d.ldc) alpha \(alpha) beta \(beta)"
    if d.batch != 1 || d.batchKind == .pointers {
      text += " batch \(d.batch) \(d.batchKind) \(d.strideA) \(d.strideB) \(d.strideC)"
    }
    if d.packedA || d.packedB { text += " packed" + (d.packedA ? " A" : "") + (d.packedB ? " B" : "") }
    if d.bias != .none { text += " bias \(d.bias)" }
    if d.hasResidual { text += " residual" + (residualIsC ? " is C" : " ld \(d.ldr)") }
    if d.activation != .identity { text += " \(d.activation) \(d.slope)" }
    return text + (d.isRowInvariant ? " row invariant" : "")
  }
}
