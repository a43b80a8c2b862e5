import ApusShims

/// The set's vectors, and which shims serve them.
typealias VectorF32 = SIMD16<Float>
typealias VectorF64 = SIMD8<Double>
/// For tiles of few columns: two 256-bit multiply-adds a cycle where there is one of 512 bits.
typealias HalfVectorF32 = SIMD8<Float>
typealias HalfVectorF64 = SIMD4<Double>

extension SIMD16: KernelVector where Scalar == Float {
  @inline(__always) static func load(_ p: UnsafePointer<Float>, first count: Int) -> Self {
    apus_load_first_f32x16(p, count)
  }
  @inline(__always) func store(_ p: UnsafeMutablePointer<Float>, first count: Int) {
    apus_store_first_f32x16(p, count, self)
  }
  @inline(__always) static func minimum(_ a: Self, _ b: Self) -> Self { apus_min_f32x16(a, b) }
  @inline(__always) static func maximum(_ a: Self, _ b: Self) -> Self { apus_max_f32x16(a, b) }
  @inline(__always) static func select(_ x: Self, _ y: Self, where a: Self, isLessThan b: Self) -> Self {
    apus_less_f32x16(a, b, x, y)
  }
  @inline(__always) static func ones(where a: Self, equals b: Self) -> Self { apus_equal_f32x16(a, b) }
  @inline(__always) static func ones(where a: Self, isAtMost b: Self) -> Self { apus_at_most_f32x16(a, b) }
  @inline(__always) static func power(_ a: Self, by b: Self) -> Self { apus_raise_by_f32x16(a, b) }
  @inline(__always) static func load(_ p: UnsafePointer<Float>, first count: Int, otherwise other: Self) -> Self {
    apus_load_or_f32x16(p, count, other)
  }
  @inline(__always) static func load(_ p: UnsafePointer<Float>, stride: Int, first count: Int) -> Self {
    apus_load_strided_f32x16(p, stride, count)
  }
  @inline(__always) func store(_ p: UnsafeMutablePointer<Float>, stride: Int, first count: Int) {
    apus_store_strided_f32x16(p, stride, count, self)
  }
  @inline(__always) static func squareRoot(_ a: Self) -> Self { apus_sqrt_f32x16(a) }
  @inline(__always) static func reciprocal(_ a: Self) -> Self { apus_reciprocal_f32x16(a) }
  @inline(__always) static var hasPieces: Bool { true }
  @inline(__always) static func addNearest(_ a: Self, _ b: Self) -> Self { apus_add_nearest_f32x16(a, b) }
  @inline(__always) static func multiplyAddNearest(_ sum: Self, _ a: Self, _ b: Self) -> Self {
    apus_multiply_add_nearest_f32x16(sum, a, b)
  }
  @inline(__always) static func expPiece(_ index: Self) -> Self { apus_exp_piece_f32x16(index) }
  @inline(__always) static func tanhPiece(_ k: Int, _ index: Self) -> Self { apus_tanh_piece_f32x16(k, index) }
  @inline(__always) static func erfPiece(_ k: Int, _ index: Self) -> Self { apus_erf_piece_f32x16(k, index) }
  @inline(__always) static func scaled(_ a: Self, by n: Self) -> Self { apus_scaled_f32x16(a, n) }
  @inline(__always) static func pinned(_ a: Self) -> Self { apus_pin_f32x16(a) }
  @inline(__always) static func sum(_ a: Self) -> Scalar { apus_sum_f32x16(a) }
  @inline(__always) static func transpose(
    _ s: UnsafePointer<Float>, _ ss: Int, rows: Int, columns: Int, _ d: UnsafeMutablePointer<Float>, _ ds: Int
  ) {
    apus_transpose_f32x16(s, ss, rows, columns, d, ds)
  }
  @inline(__always) static func maximumOrNaN(_ a: Self, _ b: Self) -> Self { apus_max_nan_f32x16(a, b) }
  @inline(__always) static func select(_ p: Self, _ q: Self, where x: Self, isNewMaximumOver m: Self) -> Self {
    apus_newer_f32x16(m, x, p, q)
  }
  @inline(__always) static func select(_ x: Self, whereBitsOf a: Self, equal b: Self) -> Self {
    apus_same_f32x16(a, b, x)
  }
  @inline(__always) static func evenLanes(_ a: Self, _ b: Self) -> Self { apus_even_f32x16(a, b) }
  @inline(__always) static func oddLanes(_ a: Self, _ b: Self) -> Self { apus_odd_f32x16(a, b) }
  @inline(__always) static func interleavedLow(_ a: Self, _ b: Self) -> Self { apus_interleave_low_f32x16(a, b) }
  @inline(__always) static func interleavedHigh(_ a: Self, _ b: Self) -> Self { apus_interleave_high_f32x16(a, b) }
  @inline(__always) static func power(_ x: Self, _ p: Double) -> Self { apus_power_f32x16(x, p) }
  @inline(__always) static func loadIndices(_ p: UnsafeRawPointer, _ i: Int, first count: Int, wide: Bool) -> Self {
    apus_load_indices_f32x16(p, i, count, wide ? 1 : 0)
  }
  @inline(__always) func storeIndices(_ p: UnsafeMutableRawPointer, _ i: Int, first count: Int, wide: Bool) {
    apus_store_indices_f32x16(p, i, count, wide ? 1 : 0, self)
  }
  @inline(__always) func stream(_ p: UnsafeMutablePointer<Scalar>) { apus_stream_f32x16(p, self) }
  @inline(__always) static func sum(_ sum: Self, adding x: Self, whereBitsOf a: Self, equal b: Self) -> Self {
    apus_add_same_f32x16(sum, a, b, x)
  }
}

extension SIMD4: KernelVector where Scalar == Double {
  @inline(__always) static func load(_ p: UnsafePointer<Double>, first count: Int) -> Self {
    apus_load_first_f64x4(p, count)
  }
  @inline(__always) func store(_ p: UnsafeMutablePointer<Double>, first count: Int) {
    apus_store_first_f64x4(p, count, self)
  }
  @inline(__always) static func minimum(_ a: Self, _ b: Self) -> Self { apus_min_f64x4(a, b) }
  @inline(__always) static func maximum(_ a: Self, _ b: Self) -> Self { apus_max_f64x4(a, b) }
  @inline(__always) static func select(_ x: Self, _ y: Self, where a: Self, isLessThan b: Self) -> Self {
    apus_less_f64x4(a, b, x, y)
  }
  @inline(__always) static func ones(where a: Self, equals b: Self) -> Self { apus_equal_f64x4(a, b) }
  @inline(__always) static func ones(where a: Self, isAtMost b: Self) -> Self { apus_at_most_f64x4(a, b) }
  @inline(__always) static func power(_ a: Self, by b: Self) -> Self { apus_raise_by_f64x4(a, b) }
  @inline(__always) static func load(_ p: UnsafePointer<Double>, first count: Int, otherwise other: Self) -> Self {
    apus_load_or_f64x4(p, count, other)
  }
  @inline(__always) static func load(_ p: UnsafePointer<Double>, stride: Int, first count: Int) -> Self {
    apus_load_strided_f64x4(p, stride, count)
  }
  @inline(__always) func store(_ p: UnsafeMutablePointer<Double>, stride: Int, first count: Int) {
    apus_store_strided_f64x4(p, stride, count, self)
  }
  @inline(__always) static func squareRoot(_ a: Self) -> Self { apus_sqrt_f64x4(a) }
  @inline(__always) static func pinned(_ a: Self) -> Self { apus_pin_f64x4(a) }
  @inline(__always) static func sum(_ a: Self) -> Scalar { apus_sum_f64x4(a) }
  @inline(__always) static func transpose(
    _ s: UnsafePointer<Double>, _ ss: Int, rows: Int, columns: Int, _ d: UnsafeMutablePointer<Double>, _ ds: Int
  ) {
    apus_transpose_f64x4(s, ss, rows, columns, d, ds)
  }
  @inline(__always) static func maximumOrNaN(_ a: Self, _ b: Self) -> Self { apus_max_nan_f64x4(a, b) }
  @inline(__always) static func select(_ p: Self, _ q: Self, where x: Self, isNewMaximumOver m: Self) -> Self {
    apus_newer_f64x4(m, x, p, q)
  }
  @inline(__always) static func select(_ x: Self, whereBitsOf a: Self, equal b: Self) -> Self {
    apus_same_f64x4(a, b, x)
  }
  @inline(__always) static func evenLanes(_ a: Self, _ b: Self) -> Self { apus_even_f64x4(a, b) }
  @inline(__always) static func oddLanes(_ a: Self, _ b: Self) -> Self { apus_odd_f64x4(a, b) }
  @inline(__always) static func interleavedLow(_ a: Self, _ b: Self) -> Self { apus_interleave_low_f64x4(a, b) }
  @inline(__always) static func interleavedHigh(_ a: Self, _ b: Self) -> Self { apus_interleave_high_f64x4(a, b) }
  @inline(__always) static func power(_ x: Self, _ p: Double) -> Self { apus_power_f64x4(x, p) }
  @inline(__always) static func loadIndices(_ p: UnsafeRawPointer, _ i: Int, first count: Int, wide: Bool) -> Self {
    apus_load_indices_f64x4(p, i, count, wide ? 1 : 0)
  }
  @inline(__always) func storeIndices(_ p: UnsafeMutableRawPointer, _ i: Int, first count: Int, wide: Bool) {
    apus_store_indices_f64x4(p, i, count, wide ? 1 : 0, self)
  }
  @inline(__always) func stream(_ p: UnsafeMutablePointer<Scalar>) { apus_stream_f64x4(p, self) }
  @inline(__always) static func sum(_ sum: Self, adding x: Self, whereBitsOf a: Self, equal b: Self) -> Self {
    apus_add_same_f64x4(sum, a, b, x)
  }
}

/// SIMD8 is a whole vector of Double and half a vector of Float, but may conform only once: which shim serves is decided
/// by the scalar, and that folds when the caller is specialised.
extension SIMD8: KernelVector where Scalar: KernelScalar {
  @inline(__always) private var floats: SIMD8<Float> { unsafeBitCast(self, to: SIMD8<Float>.self) }
  @inline(__always) private var doubles: SIMD8<Double> { unsafeBitCast(self, to: SIMD8<Double>.self) }
  @inline(__always) private static func of<V>(_ v: V) -> Self { unsafeBitCast(v, to: Self.self) }
  @inline(__always) private static var isFloat: Bool { Scalar.self == Float.self }

  @inline(__always) static func load(_ p: UnsafePointer<Scalar>, first count: Int) -> Self {
    let p = UnsafeRawPointer(p)
    return isFloat
      ? of(apus_load_first_f32x8(p.assumingMemoryBound(to: Float.self), count))
      : of(apus_load_first_f64x8(p.assumingMemoryBound(to: Double.self), count))
  }
  @inline(__always) func store(_ p: UnsafeMutablePointer<Scalar>, first count: Int) {
    let p = UnsafeMutableRawPointer(p)
    if Self.isFloat {
      apus_store_first_f32x8(p.assumingMemoryBound(to: Float.self), count, floats)
    } else {
      apus_store_first_f64x8(p.assumingMemoryBound(to: Double.self), count, doubles)
    }
  }
  @inline(__always) static func minimum(_ a: Self, _ b: Self) -> Self {
    isFloat ? of(apus_min_f32x8(a.floats, b.floats)) : of(apus_min_f64x8(a.doubles, b.doubles))
  }
  @inline(__always) static func maximum(_ a: Self, _ b: Self) -> Self {
    isFloat ? of(apus_max_f32x8(a.floats, b.floats)) : of(apus_max_f64x8(a.doubles, b.doubles))
  }
  @inline(__always) static func select(_ x: Self, _ y: Self, where a: Self, isLessThan b: Self) -> Self {
    isFloat
      ? of(apus_less_f32x8(a.floats, b.floats, x.floats, y.floats))
      : of(apus_less_f64x8(a.doubles, b.doubles, x.doubles, y.doubles))
  }
  @inline(__always) static func ones(where a: Self, equals b: Self) -> Self {
    isFloat ? of(apus_equal_f32x8(a.floats, b.floats)) : of(apus_equal_f64x8(a.doubles, b.doubles))
  }
  @inline(__always) static func ones(where a: Self, isAtMost b: Self) -> Self {
    isFloat ? of(apus_at_most_f32x8(a.floats, b.floats)) : of(apus_at_most_f64x8(a.doubles, b.doubles))
  }
  @inline(__always) static func power(_ a: Self, by b: Self) -> Self {
    isFloat ? of(apus_raise_by_f32x8(a.floats, b.floats)) : of(apus_raise_by_f64x8(a.doubles, b.doubles))
  }
  @inline(__always) static func load(_ p: UnsafePointer<Scalar>, first count: Int, otherwise other: Self) -> Self {
    let p = UnsafeRawPointer(p)
    return isFloat
      ? of(apus_load_or_f32x8(p.assumingMemoryBound(to: Float.self), count, other.floats))
      : of(apus_load_or_f64x8(p.assumingMemoryBound(to: Double.self), count, other.doubles))
  }
  @inline(__always) static func load(_ p: UnsafePointer<Scalar>, stride: Int, first count: Int) -> Self {
    let p = UnsafeRawPointer(p)
    return isFloat
      ? of(apus_load_strided_f32x8(p.assumingMemoryBound(to: Float.self), stride, count))
      : of(apus_load_strided_f64x8(p.assumingMemoryBound(to: Double.self), stride, count))
  }
  @inline(__always) func store(_ p: UnsafeMutablePointer<Scalar>, stride: Int, first count: Int) {
    let p = UnsafeMutableRawPointer(p)
    if Self.isFloat {
      apus_store_strided_f32x8(p.assumingMemoryBound(to: Float.self), stride, count, floats)
    } else {
      apus_store_strided_f64x8(p.assumingMemoryBound(to: Double.self), stride, count, doubles)
    }
  }
  @inline(__always) static func squareRoot(_ a: Self) -> Self {
    isFloat ? of(apus_sqrt_f32x8(a.floats)) : of(apus_sqrt_f64x8(a.doubles))
  }
  @inline(__always) static func pinned(_ a: Self) -> Self {
    isFloat ? of(apus_pin_f32x8(a.floats)) : of(apus_pin_f64x8(a.doubles))
  }
  @inline(__always) static func sum(_ a: Self) -> Scalar {
    isFloat
      ? unsafeBitCast(apus_sum_f32x8(a.floats), to: Scalar.self)
      : unsafeBitCast(apus_sum_f64x8(a.doubles), to: Scalar.self)
  }
  @inline(__always) static func transpose(
    _ s: UnsafePointer<Scalar>, _ ss: Int, rows: Int, columns: Int, _ d: UnsafeMutablePointer<Scalar>, _ ds: Int
  ) {
    let s = UnsafeRawPointer(s)
    let d = UnsafeMutableRawPointer(d)
    if isFloat {
      apus_transpose_f32x8(
        s.assumingMemoryBound(to: Float.self), ss, rows, columns, d.assumingMemoryBound(to: Float.self), ds)
    } else {
      apus_transpose_f64x8(
        s.assumingMemoryBound(to: Double.self), ss, rows, columns, d.assumingMemoryBound(to: Double.self), ds)
    }
  }
  @inline(__always) static func maximumOrNaN(_ a: Self, _ b: Self) -> Self {
    isFloat ? of(apus_max_nan_f32x8(a.floats, b.floats)) : of(apus_max_nan_f64x8(a.doubles, b.doubles))
  }
  @inline(__always) static func select(_ p: Self, _ q: Self, where x: Self, isNewMaximumOver m: Self) -> Self {
    isFloat
      ? of(apus_newer_f32x8(m.floats, x.floats, p.floats, q.floats))
      : of(apus_newer_f64x8(m.doubles, x.doubles, p.doubles, q.doubles))
  }
  @inline(__always) static func select(_ x: Self, whereBitsOf a: Self, equal b: Self) -> Self {
    isFloat ? of(apus_same_f32x8(a.floats, b.floats, x.floats)) : of(apus_same_f64x8(a.doubles, b.doubles, x.doubles))
  }
  @inline(__always) static func evenLanes(_ a: Self, _ b: Self) -> Self {
    isFloat ? of(apus_even_f32x8(a.floats, b.floats)) : of(apus_even_f64x8(a.doubles, b.doubles))
  }
  @inline(__always) static func oddLanes(_ a: Self, _ b: Self) -> Self {
    isFloat ? of(apus_odd_f32x8(a.floats, b.floats)) : of(apus_odd_f64x8(a.doubles, b.doubles))
  }
  @inline(__always) static func interleavedLow(_ a: Self, _ b: Self) -> Self {
    isFloat ? of(apus_interleave_low_f32x8(a.floats, b.floats)) : of(apus_interleave_low_f64x8(a.doubles, b.doubles))
  }
  @inline(__always) static func interleavedHigh(_ a: Self, _ b: Self) -> Self {
    isFloat ? of(apus_interleave_high_f32x8(a.floats, b.floats)) : of(apus_interleave_high_f64x8(a.doubles, b.doubles))
  }
  @inline(__always) static func power(_ x: Self, _ p: Double) -> Self {
    isFloat ? of(apus_power_f32x8(x.floats, p)) : of(apus_power_f64x8(x.doubles, p))
  }
  @inline(__always) static func loadIndices(_ p: UnsafeRawPointer, _ i: Int, first count: Int, wide: Bool) -> Self {
    isFloat
      ? of(apus_load_indices_f32x8(p, i, count, wide ? 1 : 0)) : of(apus_load_indices_f64x8(p, i, count, wide ? 1 : 0))
  }
  @inline(__always) func storeIndices(_ p: UnsafeMutableRawPointer, _ i: Int, first count: Int, wide: Bool) {
    if Self.isFloat {
      apus_store_indices_f32x8(p, i, count, wide ? 1 : 0, floats)
    } else {
      apus_store_indices_f64x8(p, i, count, wide ? 1 : 0, doubles)
    }
  }
  @inline(__always) func stream(_ p: UnsafeMutablePointer<Scalar>) {
    let p = UnsafeMutableRawPointer(p)
    if Self.isFloat {
      apus_stream_f32x8(p.assumingMemoryBound(to: Float.self), floats)
    } else {
      apus_stream_f64x8(p.assumingMemoryBound(to: Double.self), doubles)
    }
  }
  @inline(__always) static func sum(_ sum: Self, adding x: Self, whereBitsOf a: Self, equal b: Self) -> Self {
    isFloat
      ? of(apus_add_same_f32x8(sum.floats, a.floats, b.floats, x.floats))
      : of(apus_add_same_f64x8(sum.doubles, a.doubles, b.doubles, x.doubles))
  }
}
