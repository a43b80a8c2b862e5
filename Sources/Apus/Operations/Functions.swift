internal import ApusEngine
internal import ApusKernelInterface

/// Functions of each element. Where they have a parameter it is that of ``ElementwiseFunction``.
extension Tensor {
  /// f of every element. `derivative`, made of differentiable operations, is for gradients of gradients; functions of
  /// straight pieces need none.
  private func map(
    _ name: StaticString, _ function: ElementFunction, alpha: Double? = nil, beta: Double? = nil,
    isPiecewise: Bool = false,
    derivative: (@Sendable (Tensor) -> Tensor)? = nil
  ) -> Tensor {
    require(dtype.isFloatingPoint, "\(name) takes a floating-point tensor, but this one is \(dtype) \(shape)")
    let x = dense()
    let y = x.uninitializedLike()
    var plan = Elementwise(function, dataType: dtype.engine, count: x.count)
    if let alpha { plan.alpha = alpha }
    if let beta { plan.beta = beta }
    plan.fromOutput = function.hasGradient(fromOutputWithAlpha: plan.alpha)
    compute(name, x, y) { [plan] context throws(ApusEngine.ApusError) in
      try plan.forward(context: context, x: x.base, y: y.result)
    }
    if source == nil { return y }
    let saved = plan.fromOutput ? y : x
    let kernel: @Sendable (Tensor) -> Tensor = { [plan] dy in
      let gradient = dy.laidOut(as: saved)
      let dx = saved.uninitializedLike()
      compute(name, saved, gradient, dx) { context throws(ApusEngine.ApusError) in
        try plan.backward(context: context, saved: saved.base, dy: gradient.base, dx: dx.result)
      }
      return dx
    }
    if let derivative {
      let own = self
      return y.recorded(name, self) { dy in [Tape.isRecording ? dy * derivative(own) : kernel(dy)] }
    }
    if isPiecewise {
      return y.recorded(name, self) { dy in [Tape.isRecording ? dy * kernel(.ones(like: saved)) : kernel(dy)] }
    }
    return y.recorded(kernel: name, self) { dy in [kernel(dy)] }
  }

  /// max(x, 0)
  public func relu() -> Tensor { map("relu", .relu, isPiecewise: true) }
  /// x, below 0 slope x.
  public func leakyReLU(slope: Double = 0.01) -> Tensor {
    map("leakyReLU", .leakyReLU, alpha: slope, isPiecewise: true)
  }
  /// x, below 0 alpha (e^x - 1).
  public func elu(alpha: Double = 1) -> Tensor { map("elu", .elu, alpha: alpha) }
  /// The self-normalising ELU.
  public func selu() -> Tensor { map("selu", .selu) }
  /// x, below 0 alpha (e^(x / alpha) - 1).
  public func celu(alpha: Double = 1) -> Tensor { map("celu", .celu, alpha: alpha) }
  /// 1 / (1 + e^-x)
  public func sigmoid() -> Tensor {
    map("sigmoid", .sigmoid) { x in
      let s = x.sigmoid(); return s * (1 - s)
    }
  }
  /// The hyperbolic tangent.
  public func tanh() -> Tensor { map("tanh", .tanh) { x in 1 - x.tanh().squared() } }
  /// log(1 + e^(beta x)) / beta
  public func softplus(beta: Double = 1) -> Tensor {
    map("softplus", .softplus, alpha: beta) { x in (x * beta).sigmoid() }
  }
  /// x / (1 + |x|)
  public func softsign() -> Tensor { map("softsign", .softsign) }
  /// x / 6 + 1/2 within 0...1.
  public func hardSigmoid() -> Tensor { map("hardSigmoid", .hardSigmoid, isPiecewise: true) }
  /// x hardSigmoid(x)
  public func hardSwish() -> Tensor { map("hardSwish", .hardSwish) }
  /// x sigmoid(x), also called swish.
  public func silu() -> Tensor { map("silu", .silu) }
  /// x times the normal distribution's function.
  public func gelu() -> Tensor { map("gelu", .gelu) }
  /// x tanh(softplus(x))
  public func mish() -> Tensor { map("mish", .mish) }
  /// x within the bounds.
  public func clamped(to bounds: ClosedRange<Double>) -> Tensor {
    map("clamped", .clamp, alpha: bounds.lowerBound, beta: bounds.upperBound, isPiecewise: true)
  }
  /// -x, zeros too.
  func negated() -> Tensor { map("-", .negate, isPiecewise: true) }
  /// e^x
  public func exp() -> Tensor { map("exp", .exp) { x in x.exp() } }
  /// e^x - 1
  public func expMinusOne() -> Tensor { map("expMinusOne", .expMinusOne) { x in x.exp() } }
  /// The natural logarithm.
  public func log() -> Tensor { map("log", .log) { x in 1 / x } }
  /// The square root.
  public func squareRoot() -> Tensor { map("squareRoot", .squareRoot) { x in 0.5 / x.squareRoot() } }
  /// |x|; its gradient at 0 is 0.
  public func absolute() -> Tensor { map("absolute", .absolute, isPiecewise: true) }
  /// x^2
  public func squared() -> Tensor { map("squared", .square) { x in x * 2 } }
  /// 1 / x
  public func reciprocal() -> Tensor { map("reciprocal", .reciprocal) { x in -(1 / x.squared()) } }
  /// -1, 0 or 1; its gradient is 0.
  public func sign() -> Tensor { map("sign", .sign, isPiecewise: true) }
  /// The error function.
  public func erf() -> Tensor {
    map("erf", .erf) { x in (-x.squared()).exp() * 1.1283791670955126 }
  }
}
