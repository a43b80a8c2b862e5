import ApusEngine
import ApusKernelInterface
import ApusTestSupport

extension InstructionSet {
  func gemmKernels(_ type: DataType) -> GemmKernels { type == .float32 ? kernels.gemm32 : kernels.gemm64 }
}

/// Pseudo-random problems whose sizes crowd around the edges of a set's tiles, vectors and blocks.
struct GemmSampler {
  let kernels: GemmKernels
  let type: DataType
  var random: Randomness
  private let edges: [Int]
  private let depths: [Int]

  init(_ set: InstructionSet, _ type: DataType, seed: UInt64) {
    let kernels = set.gemmKernels(type)
    self.kernels = kernels
    self.type = type
    random = Randomness(seed: seed)
    edges = Self.around(
      [1, 2, 4].flatMap { f in
        [kernels.lanes, kernels.tileRows, kernels.narrowTileRows, kernels.tileColumns].map { $0 * f }
      } + [64, 128])
    depths = Self.around([1, 2, 3].map { $0 * kernels.kBlock }, upTo: 4096)
  }

  /// Each number, one less and one more, where they are within 0...limit.
  static func around(_ numbers: [Int], upTo limit: Int = 130) -> [Int] {
    Set(numbers.flatMap { [$0 - 1, $0, $0 + 1] }).filter { (0...limit).contains($0) }.sorted()
  }

  mutating func size() -> Int {
    switch random.int(0...9) {
    case 0: random.int(0...17)
    case 1...5: random.pick(edges)
    default: random.int(0...130)
    }
  }

  mutating func scalar() -> Double {
    switch random.int(0...4) {
    case 0: 0
    case 1: 1
    case 2: -1
    default: random.real() * 2
    }
  }

  /// Any order and transposition, with leading dimensions that often leave a gap.
  mutating func layout(_ m: Int, _ n: Int, _ k: Int) -> GemmDescriptor {
    var d = GemmDescriptor(
      dataType: type, m: m, n: n, k: k, transposeA: random.bool(), transposeB: random.bool(),
      order: random.bool() ? .rowMajor : .columnMajor)
    func gap() -> Int { random.bool() ? 0 : random.int(1...9) }
    d.lda += gap()
    d.ldb += gap()
    d.ldc += gap()
    d.ldr += gap()
    return d
  }

  /// A problem; one in eight has a k beyond the set's block.
  mutating func problem() -> GemmDescriptor {
    let isDeep = random.int(0...7) == 0
    let k = isDeep ? random.pick(depths) : size()
    return isDeep ? layout(min(size(), 40), min(size(), 40), k) : layout(size(), size(), k)
  }

  /// Adds a bias, a residual and an activation, each or none.
  mutating func addEpilogue(_ d: inout GemmDescriptor) {
    d.bias = random.pick(GemmBias.allCases)
    d.hasResidual = random.bool()
    d.activation = random.pick(Activation.allCases)
    d.slope = random.pick([0, 0.01, 1, random.real()])
  }

  /// Makes it a batch: strided with gaps, A or B shared, C's matrices between each other's lines, or pointers.
  mutating func addBatch(_ d: inout GemmDescriptor) {
    d.batch = random.int(0...4)
    let rowMajor = d.order == .rowMajor
    let a = d.transposeA == rowMajor ? (d.m, d.k) : (d.k, d.m)
    let b = d.transposeB == rowMajor ? (d.k, d.n) : (d.n, d.k)
    let c = rowMajor ? (d.n, d.m) : (d.m, d.n)
    func extent(_ shape: (Int, Int), _ leading: Int) -> Int { leading * max(0, shape.1 - 1) + shape.0 }
    if random.int(0...3) == 0 {
      d.batchKind = .pointers
      return
    }
    d.strideA = random.int(0...3) == 0 ? 0 : extent(a, d.lda) + random.int(0...5)
    d.strideB = random.int(0...3) == 0 ? 0 : extent(b, d.ldb) + random.int(0...5)
    if random.int(0...2) == 0 {
      d.strideC = c.0 + random.int(0...2)
      d.ldc = max(1, d.strideC * max(1, d.batch)) + random.int(0...2)
    } else {
      d.strideC = extent(c, d.ldc) + random.int(0...5)
    }
    d.strideResidual = random.int(0...3) == 0 ? 0 : extent(c, d.ldr) + random.int(0...5)
  }
}

/// Every order and transposition of a shape.
func allLayouts(_ type: DataType, _ m: Int, _ n: Int, _ k: Int) -> [GemmDescriptor] {
  MatrixOrder.allCases.flatMap { order in
    [false, true].flatMap { a in
      [false, true].map { b in
        GemmDescriptor(dataType: type, m: m, n: n, k: k, transposeA: a, transposeB: b, order: order)
      }
    }
  }
}
