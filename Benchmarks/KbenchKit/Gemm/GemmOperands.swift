import ApusEngine
import Foundation

/// The operands of a problem as they lie in memory, dense, with the same numbers in every process.
final class GemmOperands {
  let problem: GemmProblem
  let a: Buffer
  let b: Buffer
  let c: Buffer
  let bias: Buffer?
  /// Distance between rows (row-major) or columns (column-major).
  let lda: Int
  let ldb: Int
  let ldc: Int
  /// Slope of leaky ReLU and ELU.
  let slope = 0.25

  init(_ problem: GemmProblem) throws(ApusError) {
    self.problem = problem
    let size = problem.type.size
    let rowMajor = !problem.isColumnMajor
    lda = problem.transposeA == rowMajor ? problem.m : problem.k
    ldb = problem.transposeB == rowMajor ? problem.k : problem.n
    ldc = rowMajor ? problem.n : problem.m
    // A batch shares an operand that is packed.
    let countA = problem.m * problem.k * (problem.packedA ? 1 : problem.batch)
    let countB = problem.k * problem.n * (problem.packedB ? 1 : problem.batch)
    a = try Buffer(bytes: countA * size)
    b = try Buffer(bytes: countB * size, offset: 1024)
    c = try Buffer(bytes: problem.m * problem.n * problem.batch * size, offset: 2048)
    a.fill(problem.type, count: countA, seed: 1)
    b.fill(problem.type, count: countB, seed: 2)
    bias = problem.hasBias ? try Buffer(bytes: problem.n * size) : nil
    bias?.fill(problem.type, count: problem.n, seed: 4)
    fillC()
  }

  /// C as it is before a run that adds to it.
  func fillC() {
    if problem.beta != 0 {
      c.fill(problem.type, count: problem.m * problem.n * problem.batch, seed: 3)
    }
  }

  var strideA: Int { problem.packedA ? 0 : problem.m * problem.k }
  var strideB: Int { problem.packedB ? 0 : problem.k * problem.n }
  var strideC: Int { problem.m * problem.n }
}
