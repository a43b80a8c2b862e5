import Apus

/// A plain loop in float64, with the bound that sums in another order and precision may differ by.
struct Reference {
  var m: Int
  var n: Int
  var k: Int
  var transposeA = false
  var transposeB = false
  var isColumnMajor = false

  /// Where element (row, column) of a matrix lies.
  func index(_ row: Int, _ column: Int, _ leading: Int, transposed: Bool = false) -> Int {
    transposed != isColumnMajor ? column * leading + row : row * leading + column
  }
  /// The length of a row (column) in memory.
  func leading(_ rows: Int, _ columns: Int, transposed: Bool = false) -> Int {
    max(1, transposed != isColumnMajor ? rows : columns)
  }
  var lda: Int { leading(m, k, transposed: transposeA) }
  var ldb: Int { leading(k, n, transposed: transposeB) }
  var ldc: Int { leading(m, n) }

  /// Element (i, j) of op(A) op(B), and the sum of the magnitudes.
  func product<S: GemmScalar>(_ a: [S], _ lda: Int, _ b: [S], _ ldb: Int, _ i: Int, _ j: Int) -> (Double, Double) {
    var sum = 0.0
    var magnitude = 0.0
    for s in 0..<k {
      let x = Double(a[index(i, s, lda, transposed: transposeA)]) * Double(b[index(s, j, ldb, transposed: transposeB)])
      sum += x
      magnitude += abs(x)
    }
    return (sum, magnitude)
  }
}

/// Numbers in -1..<1 that are the same in every run.
struct Numbers {
  var state: UInt64

  init(seed: Int) { state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 | 1 }

  mutating func array<S: GemmScalar>(_ count: Int) -> [S] {
    (0..<count).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return S(Double(Int64(bitPattern: state) >> 11) / 0x1p52)
    }
  }
}

/// Whether `value` is as near `expected` as k roundings of numbers that add up to `magnitude` allow.
func isNear<S: GemmScalar>(_ value: S, _ expected: Double, k: Int, magnitude: Double) -> Bool {
  abs(Double(value) - expected) <= Double(S.ulpOfOne) * (Double(k) + 4) * (magnitude + abs(expected))
}
