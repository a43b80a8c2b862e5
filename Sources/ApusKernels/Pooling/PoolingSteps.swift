import ApusKernelInterface
import ApusShims

// What kinds of pooling do with an element. Types without cases, so that every loop is specialised for its kind.

/// Forward: how a window's elements become one.
protocol PoolingStep {
  /// Whether it is worth kernels of its own beside the general ones.
  static var isCommon: Bool { get }
  /// Whether elements are added, so that long chains lose digits.
  static var isSum: Bool { get }
  /// Of a window without elements.
  static func start<V: KernelVector>(_: V.Type) -> V
  /// Of a window with one element.
  static func first<V: KernelVector>(_ x: V, _ norm: Double) -> V
  static func combine<V: KernelVector>(_ sum: V, _ x: V, _ norm: Double) -> V
  /// Of two results of `combine`.
  static func join<V: KernelVector>(_ a: V, _ b: V) -> V
  /// Where `combine` is done, with the factor of an average.
  static func finish<V: KernelVector>(_ sum: V, _ factor: V, _ norm: Double) -> V
}

/// Elements that are added one after the other at most: the sums of such chains are added to a sum of sums, and as many
/// of those to the total.
@inline(__always)
var longestChain: Int { 256 }

/// One more chain's sum for a sum of sums, of which there are `chains`.
@inline(__always)
func joinChain<V: KernelVector, Step: PoolingStep>(
  _ chain: V, _ sums: inout V, _ total: inout V, _ chains: inout Int, _: Step.Type
) {
  sums = Step.join(sums, chain)
  chains = counted(chains)
  if chains < longestChain { return }
  total = Step.join(total, sums)
  sums = Step.start(V.self)
  chains = 0
}

enum MaximumStep: PoolingStep {
  @inline(__always) static var isCommon: Bool { true }
  @inline(__always) static var isSum: Bool { false }
  @inline(__always) static func start<V: KernelVector>(_: V.Type) -> V { V(repeating: -V.Scalar.infinity) }
  @inline(__always) static func first<V: KernelVector>(_ x: V, _: Double) -> V { x }
  @inline(__always) static func combine<V: KernelVector>(_ sum: V, _ x: V, _: Double) -> V { V.maximumOrNaN(sum, x) }
  @inline(__always) static func join<V: KernelVector>(_ a: V, _ b: V) -> V { V.maximumOrNaN(a, b) }
  @inline(__always) static func finish<V: KernelVector>(_ sum: V, _: V, _: Double) -> V { sum }
}

enum AverageStep: PoolingStep {
  @inline(__always) static var isCommon: Bool { true }
  @inline(__always) static var isSum: Bool { true }
  @inline(__always) static func start<V: KernelVector>(_: V.Type) -> V { V.zero }
  @inline(__always) static func first<V: KernelVector>(_ x: V, _: Double) -> V { x }
  @inline(__always) static func combine<V: KernelVector>(_ sum: V, _ x: V, _: Double) -> V { sum + x }
  @inline(__always) static func join<V: KernelVector>(_ a: V, _ b: V) -> V { a + b }
  @inline(__always) static func finish<V: KernelVector>(_ sum: V, _ factor: V, _: Double) -> V { sum * factor }
}

enum NormStep: PoolingStep {
  @inline(__always) static var isCommon: Bool { false }
  @inline(__always) static var isSum: Bool { true }
  @inline(__always) static func start<V: KernelVector>(_: V.Type) -> V { V.zero }
  @inline(__always) static func first<V: KernelVector>(_ x: V, _ p: Double) -> V { combine(V.zero, x, p) }
  @inline(__always) static func combine<V: KernelVector>(_ sum: V, _ x: V, _ p: Double) -> V {
    if p == 2 { return V.multiplyAdd(sum, x, x) }
    if p == 1 { return sum + magnitude(x) }
    return sum + V.power(x, p)
  }
  @inline(__always) static func join<V: KernelVector>(_ a: V, _ b: V) -> V { a + b }
  @inline(__always) static func finish<V: KernelVector>(_ sum: V, _: V, _ p: Double) -> V {
    if p == 2 { return V.squareRoot(sum) }
    if p == 1 { return sum }
    return V.power(sum, 1 / p)
  }
}

/// |x|, NaN too.
@inline(__always)
func magnitude<V: KernelVector>(_ x: V) -> V {
  let sign = unsafeBitCast(V(repeating: -0.0), to: V.MaskStorage.self)
  return unsafeBitCast(unsafeBitCast(x, to: V.MaskStorage.self) & ~sign, to: V.self)
}

/// What is beyond the finite numbers, to the last of them; NaN stays.
@inline(__always)
private func bounded<V: KernelVector>(_ x: V) -> V {
  let most = V(repeating: V.Scalar.greatestFiniteMagnitude)
  let above = V.select(most, x, where: most, isLessThan: x)
  return V.select(-most, above, where: above, isLessThan: -most)
}

/// `bounded(value)` where `of` is finite: what comes out of a number that is, must not make NaN with a 0.
@inline(__always)
private func bounded<V: KernelVector>(_ value: V, of x: V) -> V {
  V.select(bounded(value), value, where: magnitude(x), isLessThan: V(repeating: V.Scalar.infinity))
}

/// What a window's gradient is divided by, from its norm: dy / y^(p-1), and 0 where y is, because all its elements are.
@inline(__always)
func normWeight<V: KernelVector>(_ dy: V, _ y: V, _ p: Double) -> V {
  if p == 1 { return dy }
  var divisor = y
  if p != 2 {
    let least = V(repeating: V.Scalar.leastNormalMagnitude)
    let size = V.power(y, p - 1)
    divisor = V.select(least, size, where: size, isLessThan: least)
  }
  // A norm is never negative: what is not above 0 is 0, which stays 0, or NaN, which stays NaN.
  return V.select(bounded(dy / divisor, of: dy), y, where: V.zero, isLessThan: y)
}

/// sign(x) |x|^(p-1), 0 for x = 0.
@inline(__always)
private func normSlope<V: KernelVector>(_ x: V, _ p: Double) -> V {
  if p == 2 { return x }
  let size = p == 1 ? V(repeating: 1) : bounded(V.power(x, p - 1), of: x)
  // 0 and NaN stay what they are.
  let positive = V.select(size, x, where: V.zero, isLessThan: x)
  return V.select(-size, positive, where: x, isLessThan: V.zero)
}

/// The gradient by x from the weights of its windows: 0 where x is, however large they are.
@inline(__always)
func normGradient<V: KernelVector>(_ weights: V, _ x: V, _ p: Double) -> V {
  let slope = normSlope(x, p)
  let least = V(repeating: V.Scalar.leastNormalMagnitude)
  return V.select(bounded(weights), weights, where: magnitude(slope), isLessThan: least) * slope
}

/// Rows that sweeps of a few channels go down before they go on to the next channels.
@inline(__always)
var sweptRows: Int { 16 }

/// Rows of an input or an output, counted through samples and depth.
@inline(__always)
func splitRow(_ row: Int, _ depth: Int, _ height: Int) -> (sample: Int, d: Int, h: Int) {
  let slice = row / height
  let sample = slice / depth
  return (sample, slice &- sample &* depth, row &- slice &* height)
}

/// The row after `row`, without a division.
@inline(__always)
func advance(_ row: inout (sample: Int, d: Int, h: Int), _ depth: Int, _ height: Int) {
  row.h = row.h &+ 1
  if row.h < height { return }
  row.h = 0
  row.d = row.d &+ 1
  if row.d < depth { return }
  row.d = 0
  row.sample = row.sample &+ 1
}

/// i + 1, in a way that keeps short loops from being unrolled.
@inline(__always)
func counted(_ i: Int) -> Int { apus_opaque(i &+ 1) }

/// `i` as the bits of every lane.
@inline(__always)
func indexBits<V: KernelVector>(_ i: Int, _: V.Type) -> V {
  unsafeBitCast(V.MaskStorage(repeating: V.MaskStorage.Scalar(truncatingIfNeeded: i)), to: V.self)
}

/// `first`, `first + stride`... as bits.
@inline(__always)
func indexBits<V: KernelVector>(from first: Int, by stride: Int, _: V.Type) -> V {
  var bits = V.MaskStorage(repeating: V.MaskStorage.Scalar(truncatingIfNeeded: first))
  for i in 0..<V.lanes { bits[i] = bits[i] &+ V.MaskStorage.Scalar(truncatingIfNeeded: i &* stride) }
  return unsafeBitCast(bits, to: V.self)
}

/// Indices that are `distance` further.
@inline(__always)
func moved<V: KernelVector>(_ indices: V, by distance: Int) -> V {
  let bits = unsafeBitCast(indices, to: V.MaskStorage.self)
  return unsafeBitCast(
    bits &+ V.MaskStorage(repeating: V.MaskStorage.Scalar(truncatingIfNeeded: distance)), to: V.self)
}

/// A whole vector, or its first lanes.
@inline(__always)
func loadSome<V: KernelVector>(_ p: UnsafePointer<V.Scalar>, _ count: Int, whole: Bool, _: V.Type) -> V {
  whole ? V.load(p) : V.load(p, first: count)
}
@inline(__always)
func storeSome<V: KernelVector>(_ p: UnsafeMutablePointer<V.Scalar>, _ count: Int, whole: Bool, _ v: V) {
  if whole { v.store(p) } else { v.store(p, first: count) }
}
