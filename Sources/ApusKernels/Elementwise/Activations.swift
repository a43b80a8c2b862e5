import ApusKernelInterface

// Each activation forward, and its derivative by its input x or its output y. The functions that products at an infinity
// would make NaN bound x first, where the result no longer changes; bounds stand first, so that NaN passes.

@inline(__always)
func bounded<V: KernelVector>(_ x: V, _ low: V.Scalar, _ high: V.Scalar) -> V {
  V.minimum(V(repeating: high), V.maximum(V(repeating: low), x))
}

/// "Self-normalizing neural networks" (G. Klambauer et al., 2017).
extension KernelScalar {
  @inline(__always) static var seluScale: Self { 1.0507009873554804934193349852946 }
  @inline(__always) static var seluAlpha: Self { 1.6732632423543772848170429916717 }
  /// 1 / sqrt(2), 1 / sqrt(2 pi), 2 sqrt(2 / pi).
  @inline(__always) static var rootHalf: Self { 0.70710678118654752440084436210485 }
  @inline(__always) static var normalDensity: Self { 0.39894228040143267793994605993438 }
  @inline(__always) static var geluSlope: Self { 1.5957691216057307117597842397375 }
}

/// x / (1 + |x|).
@inline(__always)
func softsign<V: KernelVector>(_ x: V) -> V {
  let b = bounded(x, -1e30, 1e30)
  return b / (V.one + magnitude(b))
}

/// The normal distribution's function.
@inline(__always)
func normalDistribution<V: KernelVector>(_ x: V) -> V {
  let half = V(repeating: 0.5)
  return V.multiplyAdd(half, half, erf(x * V(repeating: V.Scalar.rootHalf)))
}

/// tanh(log(1 + e^x)) = e (e + 2) / (e (e + 2) + 2) with e = e^x.
@inline(__always)
func mishGate<V: KernelVector>(_ x: V) -> V {
  let e = exp(V.minimum(V(repeating: V.Scalar.negligibleExp), x))
  let n = V.multiplyAdd(e + e, e, e)
  return n / (n + V(repeating: 2))
}

/// 2 sqrt(2/pi) (x + 0.044715 x^3): gelu's tanh form is x sigmoid of it (D. Hendrycks, K. Gimpel, 2016).
@inline(__always)
func geluArgument<V: KernelVector>(_ x: V) -> V {
  let cubic = V(repeating: 0.044715) * x * x
  return V.multiplyAdd(x, x, cubic) * V(repeating: V.Scalar.geluSlope)
}

@inline(__always)
func hardSigmoid<V: KernelVector>(_ x: V) -> V {
  bounded(V.multiplyAdd(V(repeating: 0.5), bounded(x, -4, 4), V(repeating: 1.0 / 6.0)), 0, 1)
}

@inline(__always)
func hardSwish<V: KernelVector>(_ x: V) -> V {
  let b = V.maximum(V(repeating: -3), x)
  return b * (V.minimum(V(repeating: 6), b + V(repeating: 3)) * V(repeating: 1.0 / 6.0))
}

/// Below, x sigmoid(x) and its like are 0 to the last bit.
@inline(__always)
func gated<V: KernelVector>(_ x: V) -> V { V.maximum(V(repeating: V.Scalar.expUnderflow), x) }

/// y = f(x) over an array. Each case is a function of its own: in one as large as all of them together the optimiser leaves
/// loads and stores out of line.
func mapElements<V: KernelVector>(
  _ function: Int32, _ source: UnsafeRawPointer, _ result: UnsafeMutableRawPointer, _ count: Int,
  _ options: UnsafePointer<ElementOptions>, _: V.Type
) {
  typealias Scalar = V.Scalar
  let x = source.assumingMemoryBound(to: Scalar.self)
  let y = result.assumingMemoryBound(to: Scalar.self)
  let alpha = V(repeating: Scalar(options.pointee.alpha))
  let beta = V(repeating: Scalar(options.pointee.beta))
  let streams = options.pointee.streams
  @inline(__always) func run(_ f: (V) -> V) { mapOne(x, y, count, streams: streams, V.self, f) }
  switch ElementFunction(rawValue: function) {
  case .identity:
    @inline(__always) func f1(_ v0: V) -> V { v0 }
    @inline(never) func go1() { run(f1) }
    go1()
  case .relu:
    @inline(__always) func f2(_ v0: V) -> V { V.maximum(V.zero, v0) }
    @inline(never) func go2() { run(f2) }
    go2()
  case .leakyReLU:
    @inline(__always) func f3(_ v0: V) -> V { V.select(v0 * alpha, v0, where: v0, isLessThan: V.zero) }
    @inline(never) func go3() { run(f3) }
    go3()
  case .elu:
    @inline(__always) func f4(_ v0: V) -> V { V.select(expMinusOne(v0) * alpha, v0, where: v0, isLessThan: V.zero) }
    @inline(never) func go4() { run(f4) }
    go4()
  case .sigmoid:
    @inline(__always) func f5(_ v0: V) -> V { sigmoid(v0) }
    @inline(never) func go5() { run(f5) }
    go5()
  case .tanh:
    @inline(__always) func f6(_ v0: V) -> V { tanh(v0) }
    @inline(never) func go6() { run(f6) }
    go6()
  case .selu:
    @inline(__always) func f7(_ v0: V) -> V {
      V.select(expMinusOne(v0) * V(repeating: Scalar.seluAlpha), v0, where: v0, isLessThan: V.zero)
        * V(repeating: Scalar.seluScale)
    }
    @inline(never) func go7() { run(f7) }
    go7()
  case .celu:
    @inline(__always) func f8(_ v0: V) -> V {
      V.select(expMinusOne(v0 / alpha) * alpha, v0, where: v0, isLessThan: V.zero)
    }
    @inline(never) func go8() { run(f8) }
    go8()
  case .softplus:
    @inline(__always) func f9(_ v0: V) -> V { softplus(v0 * alpha) / alpha }
    @inline(never) func go9() { run(f9) }
    go9()
  case .softsign:
    @inline(__always) func f10(_ v0: V) -> V { softsign(v0) }
    @inline(never) func go10() { run(f10) }
    go10()
  case .hardSigmoid:
    @inline(__always) func f11(_ v0: V) -> V { hardSigmoid(v0) }
    @inline(never) func go11() { run(f11) }
    go11()
  case .hardTanh, .clamp:
    @inline(__always) func f12(_ v0: V) -> V { V.minimum(beta, V.maximum(alpha, v0)) }
    @inline(never) func go12() { run(f12) }
    go12()
  case .hardSwish:
    @inline(__always) func f13(_ v0: V) -> V { hardSwish(v0) }
    @inline(never) func go13() { run(f13) }
    go13()
  case .silu:
    @inline(__always) func f14(_ v0: V) -> V { gated(v0) * sigmoid(v0) }
    @inline(never) func go14() { run(f14) }
    go14()
  case .gelu:
    @inline(__always) func f15(_ v0: V) -> V { gated(v0) * normalDistribution(v0) }
    @inline(never) func go15() { run(f15) }
    go15()
  case .geluTanh:
    @inline(__always) func f16(_ v0: V) -> V {
      let b = gated(v0)
      return b * sigmoid(geluArgument(b))
    }
    @inline(never) func go16() { run(f16) }
    go16()
  case .mish:
    @inline(__always) func f17(_ v0: V) -> V { gated(v0) * mishGate(v0) }
    @inline(never) func go17() { run(f17) }
    go17()
  case .exp:
    @inline(__always) func f18(_ v0: V) -> V { exp(v0) }
    @inline(never) func go18() { run(f18) }
    go18()
  case .log:
    @inline(__always) func f19(_ v0: V) -> V { log(v0) }
    @inline(never) func go19() { run(f19) }
    go19()
  case .squareRoot:
    @inline(__always) func f20(_ v0: V) -> V { V.squareRoot(v0) }
    @inline(never) func go20() { run(f20) }
    go20()
  case .absolute:
    @inline(__always) func f21(_ v0: V) -> V { magnitude(v0) }
    @inline(never) func go21() { run(f21) }
    go21()
  case .negate:
    @inline(__always) func f22(_ v0: V) -> V { V(repeating: -0.0) - v0 }
    @inline(never) func go22() { run(f22) }
    go22()
  case .square:
    @inline(__always) func f23(_ v0: V) -> V { v0 * v0 }
    @inline(never) func go23() { run(f23) }
    go23()
  case .reciprocal:
    @inline(__always) func f24(_ v0: V) -> V { V.one / v0 }
    @inline(never) func go24() { run(f24) }
    go24()
  case .sign:
    @inline(__always) func f25(_ v0: V) -> V {
      V.select(V(repeating: -1), V.select(V.one, v0, where: V.zero, isLessThan: v0), where: v0, isLessThan: V.zero)
    }
    @inline(never) func go25() { run(f25) }
    go25()
  case .expMinusOne:
    @inline(__always) func f26(_ v0: V) -> V { expMinusOne(v0) }
    @inline(never) func go26() { run(f26) }
    go26()
  case .erf:
    @inline(__always) func f27(_ v0: V) -> V { erf(v0) }
    @inline(never) func go27() { run(f27) }
    go27()
  case .affine:
    @inline(__always) func f28(_ v0: V) -> V { V.multiplyAdd(beta, v0, alpha) }
    @inline(never) func go28() { run(f28) }
    go28()
  case nil: return
  }
}

/// dx = f'(x) dy over an array, by x or by y.
func mapGradients<V: KernelVector>(
  _ function: Int32, _ saved: UnsafeRawPointer, _ gradient: UnsafeRawPointer, _ result: UnsafeMutableRawPointer,
  _ count: Int, _ options: UnsafePointer<ElementOptions>, _: V.Type
) {
  typealias Scalar = V.Scalar
  let s = saved.assumingMemoryBound(to: Scalar.self)
  let dy = gradient.assumingMemoryBound(to: Scalar.self)
  let dx = result.assumingMemoryBound(to: Scalar.self)
  let alpha = V(repeating: Scalar(options.pointee.alpha))
  let beta = V(repeating: Scalar(options.pointee.beta))
  let streams = options.pointee.streams
  let accumulates = options.pointee.accumulates
  @inline(__always) func run(_ f: (V, V) -> V) {
    mapTwo(s, dy, dx, count, streams: streams, accumulates: accumulates, V.self, f)
  }
  let one = V.one
  if options.pointee.fromOutput {
    switch ElementFunction(rawValue: function) {
    case .elu:
      @inline(__always) func f29(_ v0: V, _ v1: V) -> V {
        V.select(v1 * (v0 + alpha), v1, where: v0, isLessThan: V.zero)
      }
      @inline(never) func go29() { run(f29) }
      go29()
    case .sigmoid:
      @inline(__always) func f30(_ v0: V, _ v1: V) -> V { v1 * (v0 * (one - v0)) }
      @inline(never) func go30() { run(f30) }
      go30()
    case .tanh:
      @inline(__always) func f31(_ v0: V, _ v1: V) -> V { v1 * V.multiplyAdd(one, V.zero - v0, v0) }
      @inline(never) func go31() { run(f31) }
      go31()
    case .selu:
      @inline(__always) func f32(_ v0: V, _ v1: V) -> V {
        let scale = V(repeating: Scalar.seluScale)
        return v1
          * V.select(
            v0 + V(repeating: Scalar.seluScale * Scalar.seluAlpha), scale, where: v0, isLessThan: V.zero)
      }
      @inline(never) func go32() { run(f32) }
      go32()
    case .celu:
      @inline(__always) func f33(_ v0: V, _ v1: V) -> V {
        V.select(v1 * (v0 / alpha + one), v1, where: v0, isLessThan: V.zero)
      }
      @inline(never) func go33() { run(f33) }
      go33()
    case .softplus:
      @inline(__always) func f34(_ v0: V, _ v1: V) -> V { v1 * (V.zero - expMinusOne(V.zero - v0 * alpha)) }
      @inline(never) func go34() { run(f34) }
      go34()
    case .softsign:
      @inline(__always) func f35(_ v0: V, _ v1: V) -> V {
        let r = one - magnitude(v0)
        return v1 * (r * r)
      }
      @inline(never) func go35() { run(f35) }
      go35()
    case .hardSigmoid:
      @inline(__always) func f36(_ v0: V, _ v1: V) -> V { between(v0, V.zero, one, v1 * V(repeating: 1.0 / 6.0)) }
      @inline(never) func go36() { run(f36) }
      go36()
    case .exp:
      @inline(__always) func f37(_ v0: V, _ v1: V) -> V { v1 * v0 }
      @inline(never) func go37() { run(f37) }
      go37()
    case .squareRoot:
      @inline(__always) func f38(_ v0: V, _ v1: V) -> V { v1 * (V(repeating: 0.5) / v0) }
      @inline(never) func go38() { run(f38) }
      go38()
    default: break
    }
  }
  switch ElementFunction(rawValue: function) {
  case .identity:
    @inline(__always) func f39(_ v0: V, _ v1: V) -> V { v1 }
    @inline(never) func go39() { run(f39) }
    go39()
  // Of NaN the other branch is NaN too, else 0. By x and by y alike.
  case .relu:
    @inline(__always) func f40(_ v0: V, _ v1: V) -> V {
      V.select(v1, V.maximum(V.zero, v0), where: V.zero, isLessThan: v0)
    }
    @inline(never) func go40() { run(f40) }
    go40()
  case .leakyReLU:
    @inline(__always) func f41(_ v0: V, _ v1: V) -> V { V.select(v1 * alpha, v1, where: v0, isLessThan: V.zero) }
    @inline(never) func go41() { run(f41) }
    go41()
  case .hardTanh, .clamp:
    @inline(__always) func f42(_ v0: V, _ v1: V) -> V { between(v0, alpha, beta, v1) }
    @inline(never) func go42() { run(f42) }
    go42()
  default: break
  }
  if options.pointee.fromOutput { return }
  switch ElementFunction(rawValue: function) {
  case .elu:
    @inline(__always) func f43(_ v0: V, _ v1: V) -> V {
      V.select(v1 * (alpha * exp(v0)), v1, where: v0, isLessThan: V.zero)
    }
    @inline(never) func go43() { run(f43) }
    go43()
  case .sigmoid:
    @inline(__always) func f44(_ v0: V, _ v1: V) -> V {
      let y = sigmoid(v0)
      return v1 * (y * sigmoid(V.zero - v0))
    }
    @inline(never) func go44() { run(f44) }
    go44()
  case .tanh:
    @inline(__always) func f45(_ v0: V, _ v1: V) -> V {
      let y = tanh(v0)
      return v1 * V.multiplyAdd(one, V.zero - y, y)
    }
    @inline(never) func go45() { run(f45) }
    go45()
  case .selu:
    @inline(__always) func f46(_ v0: V, _ v1: V) -> V {
      let scale = V(repeating: Scalar.seluScale)
      return v1
        * V.select(
          exp(v0) * V(repeating: Scalar.seluScale * Scalar.seluAlpha), scale, where: v0, isLessThan: V.zero)
    }
    @inline(never) func go46() { run(f46) }
    go46()
  case .celu:
    @inline(__always) func f47(_ v0: V, _ v1: V) -> V {
      V.select(v1 * exp(v0 / alpha), v1, where: v0, isLessThan: V.zero)
    }
    @inline(never) func go47() { run(f47) }
    go47()
  case .softplus:
    @inline(__always) func f48(_ v0: V, _ v1: V) -> V { v1 * sigmoid(v0 * alpha) }
    @inline(never) func go48() { run(f48) }
    go48()
  case .softsign:
    @inline(__always) func f49(_ v0: V, _ v1: V) -> V {
      let r = one / (one + magnitude(v0))
      return v1 * (r * r)
    }
    @inline(never) func go49() { run(f49) }
    go49()
  case .hardSigmoid:
    @inline(__always) func f50(_ v0: V, _ v1: V) -> V {
      between(v0, V(repeating: -3), V(repeating: 3), v1 * V(repeating: 1.0 / 6.0))
    }
    @inline(never) func go50() { run(f50) }
    go50()
  case .hardSwish:
    @inline(__always) func f51(_ v0: V, _ v1: V) -> V {
      let middle = V.multiplyAdd(V(repeating: 0.5), v0, V(repeating: 1.0 / 3.0))
      let high = V.select(middle, one, where: v0, isLessThan: V(repeating: 3))
      return V.select(V.zero, v1 * high, where: v0, isLessThan: V(repeating: -3))
    }
    @inline(never) func go51() { run(f51) }
    go51()
  case .silu:
    @inline(__always) func f52(_ v0: V, _ v1: V) -> V {
      let y = sigmoid(v0)
      return v1 * V.multiplyAdd(y, bounded(v0, Scalar.expUnderflow, 1e4) * y, sigmoid(V.zero - v0))
    }
    @inline(never) func go52() { run(f52) }
    go52()
  case .gelu:
    @inline(__always) func f53(_ v0: V, _ v1: V) -> V {
      let b = bounded(v0, Scalar.expUnderflow, -Scalar.expUnderflow)
      let density = exp(b * b * V(repeating: -0.5)) * V(repeating: Scalar.normalDensity)
      return v1 * V.multiplyAdd(normalDistribution(v0), b, density)
    }
    @inline(never) func go53() { run(f53) }
    go53()
  case .geluTanh:
    @inline(__always) func f54(_ v0: V, _ v1: V) -> V {
      let b = bounded(v0, Scalar.expUnderflow, -Scalar.expUnderflow)
      let u = geluArgument(b)
      let y = sigmoid(u)
      let slope = V.multiplyAdd(one, V(repeating: 3 * 0.044715) * b, b) * V(repeating: Scalar.geluSlope)
      return v1 * V.multiplyAdd(y, b * slope, y * sigmoid(V.zero - u))
    }
    @inline(never) func go54() { run(f54) }
    go54()
  case .mish:
    @inline(__always) func f55(_ v0: V, _ v1: V) -> V {
      let b = bounded(v0, Scalar.expUnderflow, -Scalar.expUnderflow)
      let t = mishGate(b)
      return v1 * V.multiplyAdd(t, b * sigmoid(b), V.multiplyAdd(one, V.zero - t, t))
    }
    @inline(never) func go55() { run(f55) }
    go55()
  case .exp:
    @inline(__always) func f56(_ v0: V, _ v1: V) -> V { v1 * exp(v0) }
    @inline(never) func go56() { run(f56) }
    go56()
  case .log:
    @inline(__always) func f57(_ v0: V, _ v1: V) -> V { v1 / v0 }
    @inline(never) func go57() { run(f57) }
    go57()
  case .squareRoot:
    @inline(__always) func f58(_ v0: V, _ v1: V) -> V { v1 * (V(repeating: 0.5) / V.squareRoot(v0)) }
    @inline(never) func go58() { run(f58) }
    go58()
  case .absolute:
    @inline(__always) func f59(_ v0: V, _ v1: V) -> V {
      V.select(V.zero - v1, V.select(v1, v1 * v0, where: V.zero, isLessThan: v0), where: v0, isLessThan: V.zero)
    }
    @inline(never) func go59() { run(f59) }
    go59()
  case .negate:
    @inline(__always) func f60(_ v0: V, _ v1: V) -> V { V(repeating: -0.0) - v1 + v0 * V.zero }
    @inline(never) func go60() { run(f60) }
    go60()
  case .square:
    @inline(__always) func f61(_ v0: V, _ v1: V) -> V { v1 * (v0 + v0) }
    @inline(never) func go61() { run(f61) }
    go61()
  case .reciprocal:
    @inline(__always) func f62(_ v0: V, _ v1: V) -> V { V.zero - v1 / (v0 * v0) }
    @inline(never) func go62() { run(f62) }
    go62()
  case .sign:
    @inline(__always) func f63(_ v0: V, _ v1: V) -> V { v1 * V.zero + v0 * V.zero }
    @inline(never) func go63() { run(f63) }
    go63()
  case .expMinusOne:
    @inline(__always) func f64(_ v0: V, _ v1: V) -> V { v1 * exp(v0) }
    @inline(never) func go64() { run(f64) }
    go64()
  case .erf:
    @inline(__always) func f65(_ v0: V, _ v1: V) -> V {
      let b = bounded(v0, -1e4, 1e4)
      return v1 * (exp(V.zero - b * b) * V(repeating: 2 * 0.56418958354775628694807945156077))
    }
    @inline(never) func go65() { run(f65) }
    go65()
  case .affine:
    @inline(__always) func f66(_ v0: V, _ v1: V) -> V { v1 * alpha }
    @inline(never) func go66() { run(f66) }
    go66()
  default: return
  }
}

/// g where low < x < high, 0 outside, NaN where x is.
@inline(__always)
func between<V: KernelVector>(_ x: V, _ low: V, _ high: V, _ g: V) -> V {
  let below = V.select(g, V.zero, where: x, isLessThan: high)
  let inside = V.select(below, V.zero, where: low, isLessThan: x)
  return inside + (bounded(x, 0, 0))
}
