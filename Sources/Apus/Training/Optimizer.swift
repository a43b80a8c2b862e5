internal import ApusEngine
internal import ApusKernelInterface

/// What updates parameters by their gradients.
///
///     let optimizer = SGD(model.parameters, learningRate: 0.1, momentum: 0.9)
///     loss.backward()
///     optimizer.step()
public protocol Optimizer: AnyObject {
  /// What is updated.
  var parameters: [Parameter] { get }
  /// The length of a step; schedules set it.
  var learningRate: Double { get set }
  /// Updates every trainable parameter that has a gradient, and forgets the gradients.
  func step()
  /// Everything that the next steps depend on beside the parameters and the learning rate, to be saved.
  var state: OptimizerState { get set }
}

/// What an optimizer remembers: numbers for each parameter.
public struct OptimizerState: Sendable {
  /// Steps that were made.
  public var step: Int
  /// The first state of each parameter, such as a momentum; nil before the first step that needs it.
  public var first: [Tensor?]
  /// The second state, such as mean squares.
  public var second: [Tensor?]
}

/// Parameters, their states and the engine's update of them.
final class OptimizerCore {
  let parameters: [Parameter]
  var update: ApusEngine.Optimizer
  var state: OptimizerState {
    didSet {
      require(
        state.first.count == parameters.count && state.second.count == parameters.count,
        "an optimizer of \(parameters.count) parameters takes as many states")
    }
  }

  init(_ parameters: [Parameter], _ kind: OptimizerKind, _ rate: Double) {
    let type = parameters.first?.dtype ?? .float32
    require(parameters.allSatisfy { $0.dtype == type }, "an optimizer takes parameters of one type")
    self.parameters = parameters
    update = ApusEngine.Optimizer(kind, dataType: type.engine, rate: rate)
    state = OptimizerState(
      step: 0, first: Array(repeating: nil, count: parameters.count),
      second: Array(repeating: nil, count: parameters.count))
  }

  func step() {
    state.step += 1
    update.step = state.step
    let needsFirst = update.kind == .adam || update.kind == .adamW || (update.kind != .adagrad && update.momentum != 0)
    let needsSecond = update.kind != .sgd
    var tensors: [OptimizerTensor] = []
    var gradients: [Tensor] = []
    tensors.reserveCapacity(parameters.count)
    for (i, parameter) in parameters.enumerated() where parameter.isTrainable {
      guard let gradient = parameter.gradient?.contiguous() else { continue }
      parameter.gradient = nil
      gradients.append(gradient)
      tensors.append(
        OptimizerTensor(
          count: gradient.count, parameters: parameter.writableMemory(), gradients: gradient.base,
          first: needsFirst ? Self.memory(&state.first[i], like: parameter) : nil,
          second: needsSecond ? Self.memory(&state.second[i], like: parameter) : nil))
    }
    guard let first = gradients.first else { return }
    compute("optimizer step", first) { context throws(ApusEngine.ApusError) in
      try update.run(context: context, count: tensors.count) { tensors[$0] }
    }
    withExtendedLifetime((gradients, state)) {}
  }

  private static func memory(_ state: inout Tensor?, like parameter: Parameter) -> UnsafeMutableRawPointer {
    var own = state ?? .zeros(parameter.shape, dtype: parameter.dtype)
    require(
      own.shape == parameter.shape && own.dtype == parameter.dtype,
      "an optimizer's state is \(own.dtype) \(own.shape), its parameter \(parameter.dtype) \(parameter.shape)")
    state = nil
    own.makeUnique()
    state = own
    return own.result
  }
}

/// What the optimizers of this library share: one kernel updates a parameter and its states in one pass.
public class FusedOptimizer: Optimizer {
  let core: OptimizerCore

  init(_ core: OptimizerCore) { self.core = core }

  /// What is updated.
  public final var parameters: [Parameter] { core.parameters }
  /// The length of a step.
  public final var learningRate: Double {
    get { core.update.rate }
    set { core.update.rate = newValue }
  }
  /// Updates.
  public final func step() { core.step() }
  /// Momenta, mean squares and what else the rule remembers.
  public final var state: OptimizerState {
    get { core.state }
    set { core.state = newValue }
  }
}

/// Stochastic gradient descent: d = g + decay p; with momentum m = momentum m + (1 - dampening) d; p -= rate m.
public final class SGD: FusedOptimizer {
  /// An optimizer of parameters.
  public init(
    _ parameters: [Parameter], learningRate: Double, momentum: Double = 0, dampening: Double = 0,
    weightDecay: Double = 0,
    isNesterov: Bool = false
  ) {
    super.init(OptimizerCore(parameters, .sgd, learningRate))
    core.update.momentum = momentum
    core.update.dampening = dampening
    core.update.decay = weightDecay
    core.update.isNesterov = isNesterov
  }
}

/// Adam (D. Kingma, J. Ba, 2015), with `weightDecay` added to the gradient, or with `decouplesDecay` AdamW (I. Loshchilov,
/// F. Hutter, 2019).
public final class Adam: FusedOptimizer {
  /// An optimizer of parameters.
  public init(
    _ parameters: [Parameter], learningRate: Double = 1e-3, beta1: Double = 0.9, beta2: Double = 0.999,
    epsilon: Double = 1e-8, weightDecay: Double = 0, decouplesDecay: Bool = false
  ) {
    super.init(OptimizerCore(parameters, decouplesDecay ? .adamW : .adam, learningRate))
    core.update.beta1 = beta1
    core.update.beta2 = beta2
    core.update.epsilon = epsilon
    core.update.decay = weightDecay
  }
}

/// RMSProp (G. Hinton, 2012): v = alpha v + (1 - alpha) g^2; p -= rate g / (sqrt(v) + epsilon).
public final class RMSProp: FusedOptimizer {
  /// An optimizer of parameters.
  public init(
    _ parameters: [Parameter], learningRate: Double = 0.01, alpha: Double = 0.99, momentum: Double = 0,
    epsilon: Double = 1e-8, weightDecay: Double = 0
  ) {
    super.init(OptimizerCore(parameters, .rmsProp, learningRate))
    core.update.beta2 = alpha
    core.update.momentum = momentum
    core.update.epsilon = epsilon
    core.update.decay = weightDecay
  }
}

/// Adagrad (J. Duchi et al., 2011): v += g^2; p -= rate g / (sqrt(v) + epsilon).
public final class Adagrad: FusedOptimizer {
  /// An optimizer of parameters.
  public init(_ parameters: [Parameter], learningRate: Double = 0.01, epsilon: Double = 1e-10, weightDecay: Double = 0)
  {
    super.init(OptimizerCore(parameters, .adagrad, learningRate))
    core.update.epsilon = epsilon
    core.update.decay = weightDecay
  }
}
