import Foundation

/// Where BLAS libraries are found. All of them with 32-bit integers (LP64), as Debian's and MKL's default are.
enum BlasLibrary {
  static let symbol = "cblas_?gemm"

  static let known = [
    PeerLibrary(
      name: "OpenBLAS", paths: ["libopenblas.so.0", "libopenblas.so"], symbol: symbol,
      versionSymbol: "openblas_get_config", howToInstall: "Debian: apt-get install libopenblas-dev"),
    PeerLibrary(
      name: "BLIS", paths: ["libblis.so.4", "libblis.so"], symbol: symbol, versionSymbol: "bli_info_get_version_str",
      howToInstall: "Debian: apt-get install libblis-dev"),
    PeerLibrary(
      name: "MKL", paths: ["libmkl_rt.so.2", "libmkl_rt.so.1", "libmkl_rt.so"], symbol: symbol,
      howToInstall: "Debian (non-free): apt-get install libmkl-rt"),
  ]
}

/// A problem with a peer's CBLAS function.
final class BlasCase: Case {
  private typealias Float32Function =
    @convention(c) (
      Int32, Int32, Int32, Int32, Int32, Int32, Float, UnsafeRawPointer, Int32, UnsafeRawPointer, Int32, Float,
      UnsafeMutableRawPointer, Int32
    ) -> Void
  private typealias Float64Function =
    @convention(c) (
      Int32, Int32, Int32, Int32, Int32, Int32, Double, UnsafeRawPointer, Int32, UnsafeRawPointer, Int32, Double,
      UnsafeMutableRawPointer, Int32
    ) -> Void

  private let operands: GemmOperands
  private let call: () -> Void
  let description: String

  init(_ problem: GemmProblem, library: LoadedLibrary) throws {
    if problem.packedA || problem.packedB || problem.isRowInvariant || problem.hasBias
      || problem.activation != .identity
      || problem.batch > 1
    {
      throw PeerError("CBLAS has no packed operands, batches, bias, activation or row-invariant plans")
    }
    if max(problem.m, problem.n, problem.k) > Int(Int32.max) { throw PeerError("sizes of CBLAS have 32 bits") }
    let function = try library.function(problem.type)
    let operands = try GemmOperands(problem)
    self.operands = operands
    description = library.library.symbol
    // CBLAS's numbers.
    let order: Int32 = problem.isColumnMajor ? 102 : 101
    let transposeA: Int32 = problem.transposeA ? 112 : 111
    let transposeB: Int32 = problem.transposeB ? 112 : 111
    let (m, n, k) = (Int32(problem.m), Int32(problem.n), Int32(problem.k))
    let (lda, ldb, ldc) = (Int32(operands.lda), Int32(operands.ldb), Int32(operands.ldc))
    let (a, b, c) = (operands.a.pointer, operands.b.pointer, operands.c.pointer)
    switch problem.type {
    case .float32:
      let gemm = unsafeBitCast(function, to: Float32Function.self)
      let beta = Float(problem.beta)
      call = { gemm(order, transposeA, transposeB, m, n, k, 1, a, lda, b, ldb, beta, c, ldc) }
    case .float64:
      let gemm = unsafeBitCast(function, to: Float64Function.self)
      let beta = problem.beta
      call = { gemm(order, transposeA, transposeB, m, n, k, 1, a, lda, b, ldb, beta, c, ldc) }
    }
  }

  func run() { call() }

  func check() -> CheckResult {
    operands.fillC()
    call()
    return GemmReference.check(operands)
  }
}
