import ApusKernelInterface
import ApusShims

/// The normal distribution's inverse for p in (0, 1): M. J. Wichura's AS 241 (1988), PPND16, in three parts.
@inline(__always)
func normalQuantile<V: KernelVector>(_ p: V) -> V {
  typealias Scalar = V.Scalar
  let half = V(repeating: 0.5)
  let q = p - half
  let center = V(repeating: 0.180625) - q * q
  let middle =
    q
    * quotient(
      center,
      [
        3.3871328727963666080e0, 1.3314166789178437745e+2, 1.9715909503065514427e+3, 1.3731693765509461125e+4,
        4.5921953931549871457e+4, 6.7265770927008700853e+4, 3.3430575583588128105e+4, 2.5090809287301226727e+3,
      ] as InlineArray<8, Scalar>,
      [
        1, 4.2313330701600911252e+1, 6.8718700749205790830e+2, 5.3941960214247511077e+3, 2.1213794301586595867e+4,
        3.9307895800092710610e+4, 2.8729085735721942674e+4, 5.2264952788528545610e+3,
      ] as InlineArray<8, Scalar>)
  let tail = V.select(p, V.one - p, where: q, isLessThan: V.zero)
  let r = V.squareRoot(V.zero - log(tail))
  let near = r - V(repeating: 1.6)
  let moderate = quotient(
    near,
    [
      1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
      1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4,
    ] as InlineArray<8, Scalar>,
    [
      1, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1, 1.48103976427480074590e-1,
      1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9,
    ] as InlineArray<8, Scalar>)
  let far = r - V(repeating: 5)
  let extreme = quotient(
    far,
    [
      6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
      2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7,
    ] as InlineArray<8, Scalar>,
    [
      1, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2, 7.86869131145613259100e-4,
      1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15,
    ] as InlineArray<8, Scalar>)
  let outer = V.select(moderate, extreme, where: r, isLessThan: V(repeating: 5))
  let signed = V.select(V.zero - outer, outer, where: q, isLessThan: V.zero)
  return V.select(middle, signed, where: magnitude(q), isLessThan: V(repeating: 0.425))
}

@inline(__always)
private func quotient<V: KernelVector>(
  _ x: V, _ above: InlineArray<8, V.Scalar>, _ below: InlineArray<8, V.Scalar>
) -> V {
  let square = x * x
  return polynomial(x, square, above) / polynomial(x, square, below)
}

/// Elements `first ..< first + count` of a call.
func fillRandom<V: KernelVector>(
  _ source: UnsafePointer<RandomSource>, _ s: UnsafePointer<RandomShape>, _ result: UnsafeMutableRawPointer,
  _ first: Int, _ count: Int, _ scratch: UnsafeMutableRawPointer, _: V.Type
) {
  typealias Scalar = V.Scalar
  let y = result.assumingMemoryBound(to: Scalar.self)
  let a = V(repeating: Scalar(s.pointee.a))
  let b = V(repeating: Scalar(s.pointee.b))
  let span = V(repeating: Scalar(s.pointee.b - s.pointee.a))
  let below = V(repeating: Scalar(s.pointee.b).nextDown)
  let low = V(repeating: Scalar(s.pointee.low))
  let width = V(repeating: Scalar(s.pointee.span))
  let lowest = V(repeating: Scalar(s.pointee.lowest))
  let highest = V(repeating: Scalar(s.pointee.highest))
  let distribution = s.pointee.distribution
  let words = scratch.assumingMemoryBound(to: UInt32.self)
  let more = words + 64
  let numbers = UnsafeMutableRawPointer(words + 128).assumingMemoryBound(to: Scalar.self)
  forEachRandomBlock(source, first, count) { block, lane, at, n in
    apus_philox_block(source.pointee.seed, 0, block, words)
    if V.Scalar.exponentBias > 127 {
      apus_philox_block(source.pointee.seed, 1, block, more)
      apus_uniform_f64(words, more, UnsafeMutableRawPointer(numbers).assumingMemoryBound(to: Double.self))
    } else {
      apus_uniform_f32(words, more, UnsafeMutableRawPointer(numbers).assumingMemoryBound(to: Float.self))
    }
    var i = 0
    while i < n {
      let m = min(V.lanes, n &- i)
      let u = V.load(UnsafePointer(numbers) + (lane &+ i), first: m, otherwise: V(repeating: 0.5))
      var v: V
      switch distribution {
      case .uniform: v = V.minimum(below, V.multiplyAdd(a, u, span))
      case .normal: v = V.multiplyAdd(a, normalQuantile(u), b)
      case .truncatedNormal:
        let p = bounded(V.multiplyAdd(low, u, width), Scalar.leastNormalMagnitude, 1 - Scalar.ulpOfOne / 2)
        v = V.multiplyAdd(a, V.minimum(highest, V.maximum(lowest, normalQuantile(p))), b)
      }
      v.store(y + (at &+ i), first: m)
      i = stepped(i, by: V.lanes)
    }
  }
}

/// Calls `body` with a block's number, the first lane in it, the first element and how many.
@inline(__always)
private func forEachRandomBlock(
  _ source: UnsafePointer<RandomSource>, _ first: Int, _ count: Int, _ body: (UInt64, Int, Int, Int) -> Void
) {
  var at = first
  let end = first &+ count
  while at < end {
    let number = source.pointee.first &+ UInt64(truncatingIfNeeded: at)
    let lane = Int(truncatingIfNeeded: number & 63)
    let n = min(64 &- lane, end &- at)
    body(number >> 6, lane, at, n)
    at = stepped(at, by: n)
  }
}

/// y = x factor where the element stays.
func dropElements<V: KernelVector>(
  _ source: UnsafePointer<RandomSource>, _ threshold: UInt32, _ factor: Double, _ from: UnsafeRawPointer,
  _ to: UnsafeMutableRawPointer, _ first: Int, _ count: Int, _ scratch: UnsafeMutableRawPointer, _: V.Type
) {
  typealias Scalar = V.Scalar
  let x = from.assumingMemoryBound(to: Scalar.self)
  let y = to.assumingMemoryBound(to: Scalar.self)
  let words = scratch.assumingMemoryBound(to: UInt32.self)
  let numbers = UnsafeMutableRawPointer(words + 128).assumingMemoryBound(to: Scalar.self)
  let factor = V(repeating: Scalar(factor))
  let half = V(repeating: 0.5)
  forEachRandomBlock(source, first, count) { block, lane, at, n in
    apus_philox_block(source.pointee.seed, 0, block, words)
    if V.Scalar.exponentBias > 127 {
      apus_kept_f64(words, threshold, UnsafeMutableRawPointer(numbers).assumingMemoryBound(to: Double.self))
    } else {
      apus_kept_f32(words, threshold, UnsafeMutableRawPointer(numbers).assumingMemoryBound(to: Float.self))
    }
    var i = 0
    while i < n {
      let m = min(V.lanes, n &- i)
      let kept = V.load(UnsafePointer(numbers) + (lane &+ i), first: m)
      let v = V.load(x + (at &+ i), first: m) * factor
      V.select(v, V.zero, where: half, isLessThan: kept).store(y + (at &+ i), first: m)
      i = stepped(i, by: V.lanes)
    }
  }
}

func makeRandomKernelsF32() -> RandomKernels {
  RandomKernels(
    fill: {
      fillRandom(
        $0.assumingMemoryBound(to: RandomSource.self), $1.assumingMemoryBound(to: RandomShape.self), $2, $3, $4, $5,
        VectorF32.self)
    },
    dropout: {
      dropElements($0.assumingMemoryBound(to: RandomSource.self), $1, $2, $3, $4, $5, $6, $7, VectorF32.self)
    })
}

func makeRandomKernelsF64() -> RandomKernels {
  RandomKernels(
    fill: {
      fillRandom(
        $0.assumingMemoryBound(to: RandomSource.self), $1.assumingMemoryBound(to: RandomShape.self), $2, $3, $4, $5,
        VectorF64.self)
    },
    dropout: {
      dropElements($0.assumingMemoryBound(to: RandomSource.self), $1, $2, $3, $4, $5, $6, $7, VectorF64.self)
    })
}
