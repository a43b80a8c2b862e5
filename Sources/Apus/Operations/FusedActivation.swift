internal import ApusEngine
internal import ApusKernelInterface

/// The gradient of what goes into an activation that a kernel applied at its end, from that of its output y; dy lies as y.
func activationGradient(
  _ name: StaticString, _ activation: ApusKernelInterface.Activation, _ slope: Double, _ dy: Tensor, _ y: Tensor
) -> Tensor {
  let function: ElementFunction
  switch activation {
  case .identity: return dy
  case .relu: function = .relu
  case .leakyReLU: function = .leakyReLU
  case .elu: function = .elu
  case .sigmoid: function = .sigmoid
  case .tanh: function = .tanh
  }
  var plan = Elementwise(function, dataType: dy.dtype.engine, count: dy.count)
  plan.alpha = slope
  plan.fromOutput = true
  let dx = y.uninitializedLike()
  compute(name, y, dy, dx) { [plan] context throws(ApusEngine.ApusError) in
    try plan.backward(context: context, saved: y.base, dy: dy.base, dx: dx.result)
  }
  return dx
}
