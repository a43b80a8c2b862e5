import ApusShims

/// The set's vectors, and which shims serve them.
typealias VectorF32 = SIMD4<Float>
typealias VectorF64 = SIMD2<Double>
/// For tiles of few columns; a narrower vector would not be faster here.
typealias HalfVectorF32 = VectorF32
typealias HalfVectorF64 = VectorF64

extension SIMD4: KernelVector where Scalar == Float {
  @inline(__always) static func load(_ p: UnsafePointer<Float>, first count: Int) -> Self {
    apus_load_first_f32x4(p, count)
  }
  @inline(__always) func store(_ p: UnsafeMutablePointer<Float>, first count: Int) {
    apus_store_first_f32x4(p, count, self)
  }
  @inline(__always) static func minimum(_ a: Self, _ b: Self) -> Self { apus_min_f32x4(a, b) }
  @inline(__always) static func maximum(_ a: Self, _ b: Self) -> Self { apus_max_f32x4(a, b) }
  @inline(__always) static func select(_ x: Self, _ y: Self, where a: Self, isLessThan b: Self) -> Self {
    apus_less_f32x4(a, b, x, y)
  }
  @inline(__always) static func squareRoot(_ a: Self) -> Self { apus_sqrt_f32x4(a) }
  @inline(__always) static func pinned(_ a: Self) -> Self { apus_pin_f32x4(a) }
  @inline(__always) static func sum(_ a: Self) -> Scalar { apus_sum_f32x4(a) }
  @inline(__always) static func transpose(
    _ s: UnsafePointer<Float>, _ ss: Int, rows: Int, columns: Int, _ d: UnsafeMutablePointer<Float>, _ ds: Int
  ) {
    apus_transpose_f32x4(s, ss, rows, columns, d, ds)
  }
}

extension SIMD2: KernelVector where Scalar == Double {
  @inline(__always) static func load(_ p: UnsafePointer<Double>, first count: Int) -> Self {
    apus_load_first_f64x2(p, count)
  }
  @inline(__always) func store(_ p: UnsafeMutablePointer<Double>, first count: Int) {
    apus_store_first_f64x2(p, count, self)
  }
  @inline(__always) static func minimum(_ a: Self, _ b: Self) -> Self { apus_min_f64x2(a, b) }
  @inline(__always) static func maximum(_ a: Self, _ b: Self) -> Self { apus_max_f64x2(a, b) }
  @inline(__always) static func select(_ x: Self, _ y: Self, where a: Self, isLessThan b: Self) -> Self {
    apus_less_f64x2(a, b, x, y)
  }
  @inline(__always) static func squareRoot(_ a: Self) -> Self { apus_sqrt_f64x2(a) }
  @inline(__always) static func pinned(_ a: Self) -> Self { apus_pin_f64x2(a) }
  @inline(__always) static func sum(_ a: Self) -> Scalar { apus_sum_f64x2(a) }
  @inline(__always) static func transpose(
    _ s: UnsafePointer<Double>, _ ss: Int, rows: Int, columns: Int, _ d: UnsafeMutablePointer<Double>, _ ds: Int
  ) {
    apus_transpose_f64x2(s, ss, rows, columns, d, ds)
  }
}
