import ApusEngine

extension GemmTrial {
  /// The problem of some rows of C alone, with copies of the rows of A and C (and what lies between them) and all of B.
  public func rows(_ rows: Range<Int>) -> GemmTrial {
    var d = descriptor
    precondition(d.batch == 1 && !d.hasResidual && d.bias != .byRow && !d.packedA)
    d.m = rows.count
    let part = GemmTrial(d, alpha: alpha, beta: beta)
    part.b = b
    part.bias = bias
    let size = d.dataType.size
    for i in 0..<rows.count {
      for s in 0..<d.k {
        let from = a.memory.base + indexA(0, rows.lowerBound + i, s) * size
        (part.a.memory.base + part.indexA(0, i, s) * size).copyMemory(from: from, byteCount: size)
      }
      for j in 0..<d.n {
        let from = c.memory.base + indexC(c, 0, rows.lowerBound + i, j) * size
        (part.c.memory.base + part.indexC(part.c, 0, i, j) * size).copyMemory(from: from, byteCount: size)
      }
    }
    return part
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
