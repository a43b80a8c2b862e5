import ApusEngine

extension GemmTrial {
  /// The problem of some rows of C alone, over copies of their data that lie closer together, and all of B.
  public func rows(_ rows: Range<Int>) -> GemmTrial {
    var d = descriptor
    precondition(d.batch == 1 && !d.hasResidual && d.bias != .byRow && !d.packedA)
    let smallest = GemmDescriptor(
      dataType: d.dataType, m: rows.count, n: d.n, k: d.k, transposeA: d.transposeA, transposeB: d.transposeB,
      order: d.order)
    d.m = rows.count
    d.lda = smallest.lda
    d.ldc = smallest.ldc
    let part = GemmTrial(d, alpha: alpha, beta: beta, seed: nil)
    part.b = b
    part.bias = bias
    Self.copy(rows, Self.aRunsAlongK(d), a, part.a, d.dataType.size)
    Self.copy(rows, d.order == .rowMajor, c, part.c, d.dataType.size)
    return part
  }

  /// Some of the lines, or a part of every line.
  private static func copy(_ range: Range<Int>, _ areLines: Bool, _ from: TestMatrix, _ to: TestMatrix, _ size: Int) {
    for line in 0..<to.count {
      let source = areLines ? from.index(0, range.lowerBound + line, 0) : from.index(0, line, range.lowerBound)
      (to.memory.base + to.index(0, line, 0) * size).copyMemory(
        from: from.memory.base + source * size, byteCount: to.length * size)
    }
  }

  /// nil where this problem's rows have the bits of rows `first`... of the whole, else where they differ.
  public func difference(_ outcome: GemmOutcome, from first: Int, of whole: GemmTrial, _ all: GemmOutcome) -> String? {
    for i in 0..<descriptor.m {
      for j in 0..<descriptor.n {
        let (x, y) = (element(outcome, i, j), whole.element(all, first + i, j))
        if x.bitPattern != y.bitPattern {
          return "\(self): row \(first + i), column \(j) is \(x) among \(descriptor.m) rows, \(y) among \(whole.descriptor.m)"
        }
      }
    }
    return nil
  }
}
