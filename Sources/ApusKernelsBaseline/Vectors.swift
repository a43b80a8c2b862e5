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
  @inline(__always) static func ones(where a: Self, equals b: Self) -> Self { apus_equal_f32x4(a, b) }
  @inline(__always) static func ones(where a: Self, isAtMost b: Self) -> Self { apus_at_most_f32x4(a, b) }
  @inline(__always) static func power(_ a: Self, by b: Self) -> Self { apus_raise_by_f32x4(a, b) }
  @inline(__always) static func load(_ p: UnsafePointer<Float>, first count: Int, otherwise other: Self) -> Self {
    apus_load_or_f32x4(p, count, other)
  }
  @inline(__always) static func load(_ p: UnsafePointer<Float>, stride: Int, first count: Int) -> Self {
    apus_load_strided_f32x4(p, stride, count)
  }
  @inline(__always) func store(_ p: UnsafeMutablePointer<Float>, stride: Int, first count: Int) {
    apus_store_strided_f32x4(p, stride, count, self)
  }
  @inline(__always) static func squareRoot(_ a: Self) -> Self { apus_sqrt_f32x4(a) }
  @inline(__always) static func pinned(_ a: Self) -> Self { apus_pin_f32x4(a) }
  @inline(__always) static func sum(_ a: Self) -> Scalar { apus_sum_f32x4(a) }
  @inline(__always) static func transpose(
    _ s: UnsafePointer<Float>, _ ss: Int, rows: Int, columns: Int, _ d: UnsafeMutablePointer<Float>, _ ds: Int
  ) {
    apus_transpose_f32x4(s, ss, rows, columns, d, ds)
  }
  @inline(__always) static func maximumOrNaN(_ a: Self, _ b: Self) -> Self { apus_max_nan_f32x4(a, b) }
  @inline(__always) static func select(_ p: Self, _ q: Self, where x: Self, isNewMaximumOver m: Self) -> Self {
    apus_newer_f32x4(m, x, p, q)
  }
  @inline(__always) static func select(_ x: Self, whereBitsOf a: Self, equal b: Self) -> Self {
    apus_same_f32x4(a, b, x)
  }
  @inline(__always) static func evenLanes(_ a: Self, _ b: Self) -> Self { apus_even_f32x4(a, b) }
  @inline(__always) static func oddLanes(_ a: Self, _ b: Self) -> Self { apus_odd_f32x4(a, b) }
  @inline(__always) static func interleavedLow(_ a: Self, _ b: Self) -> Self { apus_interleave_low_f32x4(a, b) }
  @inline(__always) static func interleavedHigh(_ a: Self, _ b: Self) -> Self { apus_interleave_high_f32x4(a, b) }
  @inline(__always) static func power(_ x: Self, _ p: Double) -> Self { apus_power_f32x4(x, p) }
  @inline(__always) static func loadIndices(_ p: UnsafeRawPointer, _ i: Int, first count: Int, wide: Bool) -> Self {
    apus_load_indices_f32x4(p, i, count, wide ? 1 : 0)
  }
  @inline(__always) func storeIndices(_ p: UnsafeMutableRawPointer, _ i: Int, first count: Int, wide: Bool) {
    apus_store_indices_f32x4(p, i, count, wide ? 1 : 0, self)
  }
  @inline(__always) func stream(_ p: UnsafeMutablePointer<Scalar>) { apus_stream_f32x4(p, self) }
  @inline(__always) static func sum(_ sum: Self, adding x: Self, whereBitsOf a: Self, equal b: Self) -> Self {
    apus_add_same_f32x4(sum, a, b, x)
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
  @inline(__always) static func ones(where a: Self, equals b: Self) -> Self { apus_equal_f64x2(a, b) }
  @inline(__always) static func ones(where a: Self, isAtMost b: Self) -> Self { apus_at_most_f64x2(a, b) }
  @inline(__always) static func power(_ a: Self, by b: Self) -> Self { apus_raise_by_f64x2(a, b) }
  @inline(__always) static func load(_ p: UnsafePointer<Double>, first count: Int, otherwise other: Self) -> Self {
    apus_load_or_f64x2(p, count, other)
  }
  @inline(__always) static func load(_ p: UnsafePointer<Double>, stride: Int, first count: Int) -> Self {
    apus_load_strided_f64x2(p, stride, count)
  }
  @inline(__always) func store(_ p: UnsafeMutablePointer<Double>, stride: Int, first count: Int) {
    apus_store_strided_f64x2(p, stride, count, self)
  }
  @inline(__always) static func squareRoot(_ a: Self) -> Self { apus_sqrt_f64x2(a) }
  @inline(__always) static func pinned(_ a: Self) -> Self { apus_pin_f64x2(a) }
  @inline(__always) static func sum(_ a: Self) -> Scalar { apus_sum_f64x2(a) }
  @inline(__always) static func transpose(
    _ s: UnsafePointer<Double>, _ ss: Int, rows: Int, columns: Int, _ d: UnsafeMutablePointer<Double>, _ ds: Int
  ) {
    apus_transpose_f64x2(s, ss, rows, columns, d, ds)
  }
  @inline(__always) static func maximumOrNaN(_ a: Self, _ b: Self) -> Self { apus_max_nan_f64x2(a, b) }
  @inline(__always) static func select(_ p: Self, _ q: Self, where x: Self, isNewMaximumOver m: Self) -> Self {
    apus_newer_f64x2(m, x, p, q)
  }
  @inline(__always) static func select(_ x: Self, whereBitsOf a: Self, equal b: Self) -> Self {
    apus_same_f64x2(a, b, x)
  }
  @inline(__always) static func evenLanes(_ a: Self, _ b: Self) -> Self { apus_even_f64x2(a, b) }
  @inline(__always) static func oddLanes(_ a: Self, _ b: Self) -> Self { apus_odd_f64x2(a, b) }
  @inline(__always) static func interleavedLow(_ a: Self, _ b: Self) -> Self { apus_interleave_low_f64x2(a, b) }
  @inline(__always) static func interleavedHigh(_ a: Self, _ b: Self) -> Self { apus_interleave_high_f64x2(a, b) }
  @inline(__always) static func power(_ x: Self, _ p: Double) -> Self { apus_power_f64x2(x, p) }
  @inline(__always) static func loadIndices(_ p: UnsafeRawPointer, _ i: Int, first count: Int, wide: Bool) -> Self {
    apus_load_indices_f64x2(p, i, count, wide ? 1 : 0)
  }
  @inline(__always) func storeIndices(_ p: UnsafeMutableRawPointer, _ i: Int, first count: Int, wide: Bool) {
    apus_store_indices_f64x2(p, i, count, wide ? 1 : 0, self)
  }
  @inline(__always) func stream(_ p: UnsafeMutablePointer<Scalar>) { apus_stream_f64x2(p, self) }
  @inline(__always) static func sum(_ sum: Self, adding x: Self, whereBitsOf a: Self, equal b: Self) -> Self {
    apus_add_same_f64x2(sum, a, b, x)
  }
}
