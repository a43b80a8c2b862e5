import ApusEngine
import Testing

/// GEMM problems from strided tensors.
@Suite struct GemmTensorDescriptorTests {
  private func tensor(_ shape: [Int], _ strides: [Int]? = nil, _ type: DataType = .float32) throws -> TensorDescriptor {
    if let strides { return try TensorDescriptor(dataType: type, shape: shape, strides: strides) }
    return try TensorDescriptor(dataType: type, shape: shape)
  }

  @Test func rowMajor() throws {
    let d = try GemmDescriptor(a: tensor([4, 6], [7, 1]), b: tensor([6, 5], [9, 1]), c: tensor([4, 5]))
    var expected = GemmDescriptor(dataType: .float32, m: 4, n: 5, k: 6)
    expected.lda = 7
    expected.ldb = 9
    #expect(d == expected)
  }

  @Test func columnMajor() throws {
    let d = try GemmDescriptor(
      a: tensor([4, 6], [1, 5], .float64), b: tensor([6, 5], [1, 6], .float64), c: tensor([4, 5], [1, 8], .float64))
    #expect(d.dataType == .float64 && d.order == .columnMajor && !d.transposeA && !d.transposeB)
    #expect((d.lda, d.ldb, d.ldc, d.ldr) == (5, 6, 8, 8))
    #expect((d.m, d.n, d.k, d.batch) == (4, 5, 6, 1))
  }

  @Test func transposedViews() throws {
    let d = try GemmDescriptor(a: tensor([4, 6], [1, 4]), b: tensor([6, 5], [1, 6]), c: tensor([4, 5]))
    #expect(d.order == .rowMajor && d.transposeA && d.transposeB && d.lda == 4 && d.ldb == 6)
    let e = try GemmDescriptor(a: tensor([4, 6]), b: tensor([6, 5]), c: tensor([4, 5], [1, 4]))
    #expect(e.order == .columnMajor && e.transposeA && e.transposeB && e.lda == 6 && e.ldb == 5 && e.ldc == 4)
  }

  @Test func batches() throws {
    let d = try GemmDescriptor(a: tensor([3, 4, 6]), b: tensor([1, 6, 5]), c: tensor([3, 4, 5], [50, 10, 1]))
    #expect((d.batch, d.strideA, d.strideB, d.strideC, d.ldc) == (3, 24, 0, 50, 10))
    // A matrix is shared by the batch as well.
    let e = try GemmDescriptor(a: tensor([4, 6]), b: tensor([3, 6, 5]), c: tensor([3, 4, 5]))
    #expect((e.batch, e.strideA, e.strideB, e.strideC) == (3, 0, 30, 20))
    // Lines of the matrices of C between each other: [4, 3, 5] seen as [3, 4, 5].
    let f = try GemmDescriptor(a: tensor([4, 6]), b: tensor([3, 6, 5]), c: tensor([3, 4, 5], [5, 15, 1]))
    #expect(f.strideC == 5 && f.ldc == 15)
    #expect(throws: Never.self) { try GemmPlan(f, context: ExecutionContext()) }
    // The last line may end before a whole stride is over.
    let g = try GemmDescriptor(a: tensor([4, 6]), b: tensor([3, 6, 5]), c: tensor([3, 4, 5], [7, 19, 1]))
    #expect(throws: Never.self) { try GemmPlan(g, context: ExecutionContext()) }
  }

  /// A dimension of one element may have any stride; the plan must accept what comes out.
  @Test func sizesOfOneAndZero() throws {
    for (m, n, k) in [(1, 5, 6), (4, 1, 6), (4, 5, 1), (1, 1, 6), (1, 5, 1), (4, 1, 1), (1, 1, 1), (0, 5, 6), (4, 5, 0)] {
      for stride in [0, 1, 3, 100] {
        func views(_ rows: Int, _ columns: Int) throws -> [TensorDescriptor] {
          [
            try tensor([rows, columns], [rows <= 1 ? stride : max(1, columns), columns <= 1 ? stride : 1]),
            try tensor([rows, columns], [rows <= 1 ? stride : 1, columns <= 1 ? stride : max(1, rows)]),
          ]
        }
        for a in try views(m, k) {
          for b in try views(k, n) {
            for c in try views(m, n) where m != 1 || n != 1 || stride > 0 {
              // Both strides chosen freely may leave none that is contiguous: then a refusal is right.
              guard let d = try? GemmDescriptor(a: a, b: b, c: c) else { continue }
              #expect(throws: Never.self, "\(a.strides) \(b.strides) \(c.strides)") {
                try GemmPlan(d, context: ExecutionContext())
              }
              #expect((d.m, d.n, d.k) == (m, n, k))
            }
          }
        }
      }
    }
  }

  @Test func refusals() throws {
    let (a, b, c) = (try tensor([4, 6]), try tensor([6, 5]), try tensor([4, 5]))
    func expect(_ words: [String], _ a: TensorDescriptor, _ b: TensorDescriptor, _ c: TensorDescriptor) {
      let error = #expect(throws: ApusError.self) { try GemmDescriptor(a: a, b: b, c: c) }
      #expect(error?.status == .invalidArgument)
      for word in words { #expect(error?.message.contains(word) == true, "\(String(describing: error))") }
    }
    expect(["[4, 7]", "[6, 5]", "[4, 5]"], try tensor([4, 7]), b, c)
    expect(["[4, 6]", "[6, 4]", "[4, 5]"], a, try tensor([6, 4]), c)
    expect(["[3, 5]"], a, b, try tensor([3, 5]))
    expect(["[2, 4, 6]", "[3, 4, 5]"], try tensor([2, 4, 6]), b, try tensor([3, 4, 5]))
    expect(["[2, 4, 6]", "[4, 5]"], try tensor([2, 4, 6]), b, c)
    expect(["dtype is float32, float64 and float32"], a, try tensor([6, 5], nil, .float64), c)
    expect(["a->rank is 1"], try tensor([6]), b, c)
    expect(["b->rank is 4"], a, try tensor([1, 1, 6, 5]), c)
    expect(["c->rank is 0"], a, b, try tensor([]))
    expect(["a->strides is [12, 2]"], try tensor([4, 6], [12, 2]), b, c)
    expect(["b->strides is [0, 1]"], a, try tensor([6, 5], [0, 1]), c)
    expect(["c->strides is [3, 1]"], a, b, try tensor([4, 5], [3, 1]))
    expect(["c->strides is [-5, 1]"], a, b, try tensor([4, 5], [-5, 1]))
    expect(["a->strides is [1, 1]"], try tensor([4, 6], [1, 1]), b, c)
  }

  @Test func refusedTensors() {
    func expect(_ words: [String], _ shape: [Int], _ strides: [Int]? = nil) {
      let error = #expect(throws: ApusError.self) { try tensor(shape, strides) }
      #expect(error?.status == .invalidArgument)
      for word in words { #expect(error?.message.contains(word) == true, "\(String(describing: error))") }
    }
    expect(["shape[1] is -2"], [3, -2])
    expect(["rank is 9"], [Int](repeating: 1, count: 9))
    expect(["strides is [1]", "2 dimensions"], [3, 4], [1])
    expect(["[\(Int.max), 2]"], [.max, 2])
    expect(["\(1 << 61)"], [1 << 61])
  }
}
