import ApusShims

/// A SIMD vector that a kernel can be written with: what the standard library's operators lack.
///
/// The conformances below choose the shims of the shape; a kernel is generic over `V: KernelVector` and specialised
/// inside its own instruction-set target.
protocol KernelVector: SIMD where Scalar: KernelScalar {
  /// The first `count` lanes from memory, the others zero and untouched.
  static func load(_ p: UnsafePointer<Scalar>, first count: Int) -> Self
  func store(_ p: UnsafeMutablePointer<Scalar>, first count: Int)
  /// a < b ? a : b; b where a lane is NaN.
  static func minimum(_ a: Self, _ b: Self) -> Self
  /// a > b ? a : b; b where a lane is NaN.
  static func maximum(_ a: Self, _ b: Self) -> Self
  /// a < b ? x : y, lane by lane. In generic code `.<` is a loop over the lanes.
  static func select(_ x: Self, _ y: Self, where a: Self, isLessThan b: Self) -> Self
  /// The larger one, a where they are equal, NaN where one is NaN.
  static func maximumOrNaN(_ a: Self, _ b: Self) -> Self
  /// q where x is larger than m or the first NaN, p elsewhere: for values and, as bits, for their indices.
  static func select(_ p: Self, _ q: Self, where x: Self, isNewMaximumOver m: Self) -> Self
  /// x where a and b have the same bits, 0 elsewhere.
  static func select(_ x: Self, whereBitsOf a: Self, equal b: Self) -> Self
  /// sum + x where a and b have the same bits, sum elsewhere.
  static func sum(_ sum: Self, adding x: Self, whereBitsOf a: Self, equal b: Self) -> Self
  /// Lanes 0, 2, 4... of a followed by b, and the others.
  static func evenLanes(_ a: Self, _ b: Self) -> Self
  static func oddLanes(_ a: Self, _ b: Self) -> Self
  /// a0, b0, a1, b1...: the first vector of that, and the second.
  static func interleavedLow(_ a: Self, _ b: Self) -> Self
  static func interleavedHigh(_ a: Self, _ b: Self) -> Self
  /// |x|^p, lane by lane.
  static func power(_ x: Self, _ p: Double) -> Self
  /// Indices i ..< i + count of an array of Int32, or Int64 if wide, as bits of as many lanes.
  static func loadIndices(_ p: UnsafeRawPointer, _ i: Int, first count: Int, wide: Bool) -> Self
  /// A store past the caches to memory that is aligned to the vector; see `apus_stream_fence`.
  func stream(_ p: UnsafeMutablePointer<Scalar>)
  func storeIndices(_ p: UnsafeMutableRawPointer, _ i: Int, first count: Int, wide: Bool)
  /// 1 where a equals b, 0 elsewhere and where one is NaN.
  static func ones(where a: Self, equals b: Self) -> Self
  /// 1 where a <= b, 0 elsewhere and where one is NaN.
  static func ones(where a: Self, isAtMost b: Self) -> Self
  /// a^b, lane by lane, by libm.
  static func power(_ a: Self, by b: Self) -> Self
  /// The first `count` lanes from memory, the others from `other`.
  static func load(_ p: UnsafePointer<Scalar>, first count: Int, otherwise other: Self) -> Self
  /// The first `count` lanes from elements that lie `stride` apart, the others zero.
  static func load(_ p: UnsafePointer<Scalar>, stride: Int, first count: Int) -> Self
  func store(_ p: UnsafeMutablePointer<Scalar>, stride: Int, first count: Int)
  static func squareRoot(_ a: Self) -> Self
  /// 1 / a for normal a whose reciprocal is normal, or NaN: within 0.51 units in the last place.
  static func reciprocal(_ a: Self) -> Self
  /// Whether the functions in pieces exist for this shape; else the next six are of no use.
  static var hasPieces: Bool { get }
  /// a + b, and sum + a b, rounded to the nearest in every mode.
  static func addNearest(_ a: Self, _ b: Self) -> Self
  static func multiplyAddNearest(_ sum: Self, _ a: Self, _ b: Self) -> Self
  /// Coefficients of exp, tanh and erf, each lane's from the piece that its low four bits name.
  static func expPiece(_ index: Self) -> Self
  static func tanhPiece(_ k: Int, _ index: Self) -> Self
  static func erfPiece(_ k: Int, _ index: Self) -> Self
  /// a 2^floor(n) for a in [1/2, 2), where n is within bounds: infinity, 0 or NaN by n alone beyond, whatever a is.
  static func scaled(_ a: Self, by n: Self) -> Self
  /// `a`, in a register here and now: the compiler moves no other pinned value across.
  static func pinned(_ a: Self) -> Self
  /// The sum of all lanes, by halves.
  static func sum(_ a: Self) -> Scalar
  /// Transposes a lanes x lanes block in registers. Reads only the first `rows` rows, the last of which stands in for
  /// those that are missing, and of them the first `columns` elements; writes `columns` whole rows.
  static func transpose(
    _ s: UnsafePointer<Scalar>, _ ss: Int, rows: Int, columns: Int, _ d: UnsafeMutablePointer<Scalar>, _ ds: Int
  )
}

extension KernelVector {
  @inline(__always) static func reciprocal(_ a: Self) -> Self { one / a }
  @inline(__always) static var hasPieces: Bool { false }
  @inline(__always) static func addNearest(_ a: Self, _ b: Self) -> Self { a }
  @inline(__always) static func multiplyAddNearest(_ sum: Self, _ a: Self, _ b: Self) -> Self { sum }
  @inline(__always) static func expPiece(_ index: Self) -> Self { index }
  @inline(__always) static func tanhPiece(_ k: Int, _ index: Self) -> Self { index }
  @inline(__always) static func erfPiece(_ k: Int, _ index: Self) -> Self { index }
  @inline(__always) static func scaled(_ a: Self, by n: Self) -> Self { a }
  @inline(__always) static var lanes: Int { MemoryLayout<Self>.size / MemoryLayout<Scalar>.size }
  @inline(__always) static func load(_ p: UnsafePointer<Scalar>) -> Self {
    UnsafeRawPointer(p).loadUnaligned(as: Self.self)
  }
  @inline(__always) func store(_ p: UnsafeMutablePointer<Scalar>) {
    UnsafeMutableRawPointer(p).storeBytes(of: self, as: Self.self)
  }
}

extension KernelVector {
  /// sum + a * b, in one rounding where the instruction set can. a * b + c is never contracted by the compiler, and
  /// addingProduct without the instruction is a call of libm for each lane.
  @inline(__always) static func multiplyAdd(_ sum: Self, _ a: Self, _ b: Self) -> Self {
    #if APUS_FMA || arch(arm64)
      sum.addingProduct(a, b)
    #else
      sum + a * b
    #endif
  }
}
