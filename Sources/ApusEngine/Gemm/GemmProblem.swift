import ApusKernelInterface

/// A descriptor seen row by row: a column-major C is the transposed problem, C' = op(B)' op(A)', so below this point C's
/// columns are always contiguous. Strides are in elements.
struct GemmProblem: Sendable {
  var m: Int
  var n: Int
  var k: Int
  /// A(i, s) lies at i * aRow + s * aStep, B(s, j) at s * bStep + j * bColumn. Of each pair, one is 1.
  var aRow: Int
  var aStep: Int
  var bStep: Int
  var bColumn: Int
  var cRow: Int
  var residualRow: Int
  /// Whether A is contiguous along k, and B along its columns; else along the other dimension.
  var aRunsAlongK: Bool
  var bRunsAlongColumns: Bool
  /// True where A and B changed places.
  var isSwapped: Bool
  var aIsPacked: Bool
  var bIsPacked: Bool
  var biasIsByRow: Bool
  /// Between the matrices of a batch.
  var aBatch: Int
  var bBatch: Int
  var cBatch: Int
  var residualBatch: Int

  init(_ d: GemmDescriptor) {
    let rowMajor = d.order == .rowMajor
    let aUnitStep = d.transposeA != rowMajor
    let bUnitColumn = d.transposeB != rowMajor
    let a = (outer: aUnitStep ? d.lda : 1, step: aUnitStep ? 1 : d.lda)
    let b = (step: bUnitColumn ? d.ldb : 1, outer: bUnitColumn ? 1 : d.ldb)
    isSwapped = !rowMajor
    aRunsAlongK = rowMajor ? aUnitStep : !bUnitColumn
    bRunsAlongColumns = rowMajor ? bUnitColumn : !aUnitStep
    m = rowMajor ? d.m : d.n
    n = rowMajor ? d.n : d.m
    k = d.k
    aRow = rowMajor ? a.outer : b.outer
    aStep = rowMajor ? a.step : b.step
    bStep = rowMajor ? b.step : a.step
    bColumn = rowMajor ? b.outer : a.outer
    cRow = d.ldc
    residualRow = d.ldr
    aIsPacked = rowMajor ? d.packedA : d.packedB
    bIsPacked = rowMajor ? d.packedB : d.packedA
    biasIsByRow = (d.bias == .byRow) == rowMajor
    aBatch = rowMajor ? d.strideA : d.strideB
    bBatch = rowMajor ? d.strideB : d.strideA
    cBatch = d.strideC
    residualBatch = d.strideResidual
  }
}
