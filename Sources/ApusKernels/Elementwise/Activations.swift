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

/// y = f(x) over an array.
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
  case .identity: run { $0 }
  case .relu: run { V.maximum(V.zero, $0) }
  case .leakyReLU: run { V.select($0 * alpha, $0, where: $0, isLessThan: V.zero) }
  case .elu: run { V.select(expMinusOne($0) * alpha, $0, where: $0, isLessThan: V.zero) }
  case .sigmoid: run { sigmoid($0) }
  case .tanh: run { tanh($0) }
  case .selu:
    run {
      V.select(expMinusOne($0) * V(repeating: Scalar.seluAlpha), $0, where: $0, isLessThan: V.zero)
        * V(repeating: Scalar.seluScale)
    }
  case .celu: run { V.select(expMinusOne($0 / alpha) * alpha, $0, where: $0, isLessThan: V.zero) }
  case .softplus: run { softplus($0 * alpha) / alpha }
  case .softsign: run { softsign($0) }
  case .hardSigmoid: run { hardSigmoid($0) }
  case .hardTanh, .clamp: run { V.minimum(beta, V.maximum(alpha, $0)) }
  case .hardSwish: run { hardSwish($0) }
  case .silu: run { gated($0) * sigmoid($0) }
  case .gelu: run { gated($0) * normalDistribution($0) }
  case .geluTanh:
    run {
      let b = gated($0)
      return b * sigmoid(geluArgument(b))
    }
  case .mish: run { gated($0) * mishGate($0) }
  case .exp: run { exp($0) }
  case .log: run { log($0) }
  case .squareRoot: run { V.squareRoot($0) }
  case .absolute: run { magnitude($0) }
  case .negate: run { V(repeating: -0.0) - $0 }
  case .square: run { $0 * $0 }
  case .reciprocal: run { V.one / $0 }
  case .sign:
    run { V.select(V(repeating: -1), V.select(V.one, $0, where: V.zero, isLessThan: $0), where: $0, isLessThan: V.zero) }
  case .expMinusOne: run { expMinusOne($0) }
  case .erf: run { erf($0) }
  case .affine: run { V.multiplyAdd(beta, $0, alpha) }
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
    case .elu: run { V.select($1 * ($0 + alpha), $1, where: $0, isLessThan: V.zero) }
    case .sigmoid: run { $1 * ($0 * (one - $0)) }
    case .tanh: run { $1 * V.multiplyAdd(one, V.zero - $0, $0) }
    case .selu:
      run {
        let scale = V(repeating: Scalar.seluScale)
        return $1
          * V.select(
            $0 + V(repeating: Scalar.seluScale * Scalar.seluAlpha), scale, where: $0, isLessThan: V.zero)
      }
    case .celu: run { V.select($1 * ($0 / alpha + one), $1, where: $0, isLessThan: V.zero) }
    case .softplus: run { $1 * (V.zero - expMinusOne(V.zero - $0 * alpha)) }
    case .softsign:
      run {
        let r = one - magnitude($0)
        return $1 * (r * r)
      }
    case .hardSigmoid: run { between($0, V.zero, one, $1 * V(repeating: 1.0 / 6.0)) }
    case .exp: run { $1 * $0 }
    case .squareRoot: run { $1 * (V(repeating: 0.5) / $0) }
    default: break
    }
  }
  switch ElementFunction(rawValue: function) {
  case .identity: run { $1 }
  // Of NaN the other branch is NaN too, else 0. By x and by y alike.
  case .relu: run { V.select($1, V.maximum(V.zero, $0), where: V.zero, isLessThan: $0) }
  case .leakyReLU: run { V.select($1 * alpha, $1, where: $0, isLessThan: V.zero) }
  case .hardTanh, .clamp: run { between($0, alpha, beta, $1) }
  default: break
  }
  if options.pointee.fromOutput { return }
  switch ElementFunction(rawValue: function) {
  case .elu: run { V.select($1 * (alpha * exp($0)), $1, where: $0, isLessThan: V.zero) }
  case .sigmoid:
    run {
      let y = sigmoid($0)
      return $1 * (y * sigmoid(V.zero - $0))
    }
  case .tanh:
    run {
      let y = tanh($0)
      return $1 * V.multiplyAdd(one, V.zero - y, y)
    }
  case .selu:
    run {
      let scale = V(repeating: Scalar.seluScale)
      return $1
        * V.select(
          exp($0) * V(repeating: Scalar.seluScale * Scalar.seluAlpha), scale, where: $0, isLessThan: V.zero)
    }
  case .celu: run { V.select($1 * exp($0 / alpha), $1, where: $0, isLessThan: V.zero) }
  case .softplus: run { $1 * sigmoid($0 * alpha) }
  case .softsign:
    run {
      let r = one / (one + magnitude($0))
      return $1 * (r * r)
    }
  case .hardSigmoid: run { between($0, V(repeating: -3), V(repeating: 3), $1 * V(repeating: 1.0 / 6.0)) }
  case .hardSwish:
    run {
      let middle = V.multiplyAdd(V(repeating: 0.5), $0, V(repeating: 1.0 / 3.0))
      let high = V.select(middle, one, where: $0, isLessThan: V(repeating: 3))
      return V.select(V.zero, $1 * high, where: $0, isLessThan: V(repeating: -3))
    }
  case .silu:
    run {
      let y = sigmoid($0)
      return $1 * V.multiplyAdd(y, bounded($0, Scalar.expUnderflow, 1e4) * y, sigmoid(V.zero - $0))
    }
  case .gelu:
    run {
      let b = bounded($0, Scalar.expUnderflow, -Scalar.expUnderflow)
      let density = exp(b * b * V(repeating: -0.5)) * V(repeating: Scalar.normalDensity)
      return $1 * V.multiplyAdd(normalDistribution($0), b, density)
    }
  case .geluTanh:
    run {
      let b = bounded($0, Scalar.expUnderflow, -Scalar.expUnderflow)
      let u = geluArgument(b)
      let y = sigmoid(u)
      let slope = V.multiplyAdd(one, V(repeating: 3 * 0.044715) * b, b) * V(repeating: Scalar.geluSlope)
      return $1 * V.multiplyAdd(y, b * slope, y * sigmoid(V.zero - u))
    }
  case .mish:
    run {
      let b = bounded($0, Scalar.expUnderflow, -Scalar.expUnderflow)
      let t = mishGate(b)
      return $1 * V.multiplyAdd(t, b * sigmoid(b), V.multiplyAdd(one, V.zero - t, t))
    }
  case .exp: run { $1 * exp($0) }
  case .log: run { $1 / $0 }
  case .squareRoot: run { $1 * (V(repeating: 0.5) / V.squareRoot($0)) }
  case .absolute:
    run { V.select(V.zero - $1, V.select($1, $1 * $0, where: V.zero, isLessThan: $0), where: $0, isLessThan: V.zero) }
  case .negate: run { V(repeating: -0.0) - $1 + $0 * V.zero }
  case .square: run { $1 * ($0 + $0) }
  case .reciprocal: run { V.zero - $1 / ($0 * $0) }
  case .sign: run { $1 * V.zero + $0 * V.zero }
  case .expMinusOne: run { $1 * exp($0) }
  case .erf:
    run {
      let b = bounded($0, -1e4, 1e4)
      return $1 * (exp(V.zero - b * b) * V(repeating: 2 * 0.56418958354775628694807945156077))
    }
  case .affine: run { $1 * alpha }
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
