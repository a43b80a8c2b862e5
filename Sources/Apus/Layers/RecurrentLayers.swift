internal import ApusEngine

/// The states of recurrent layers, each layers x directions, batch, hidden: what a sequence is continued with.
public struct RecurrentLayerState: Sendable {
  /// h.
  public var hidden: Tensor
  /// c of an LSTM; nil otherwise.
  public var cell: Tensor?

  /// A state.
  public init(hidden: Tensor, cell: Tensor? = nil) {
    self.hidden = hidden
    self.cell = cell
  }

  /// The same numbers off the tape: where truncated backpropagation cuts.
  public func detached() -> RecurrentLayerState {
    RecurrentLayerState(hidden: hidden.detached(), cell: cell?.detached())
  }
}

/// What recurrent layers share: a stack of layers over sequences of steps x batch x inputs, or batch x steps x inputs.
public class RecurrentLayer: Module, PartitionedState {
  /// The weights of all layers and directions, one after the other: input weights (gates hidden x inputs), recurrent ones
  /// (gates hidden x hidden), and with a bias one for each of the two, as PyTorch has them.
  public final let weight: Parameter
  private let shape: RecurrentShape

  init(
    _ cell: ApusEngine.RecurrentCell, _ inputSize: Int, _ hiddenSize: Int, layers: Int, isBidirectional: Bool,
    hasBias: Bool,
    isBatchFirst: Bool, _ dtype: DataType
  ) {
    require(
      inputSize > 0 && hiddenSize > 0 && layers > 0,
      "a recurrent layer takes sizes above 0, not \(inputSize), \(hiddenSize) and \(layers) layers")
    shape = RecurrentShape(
      cell: cell, direction: isBidirectional ? .bidirectionalConcatenated : .forward, input: inputSize,
      hidden: hiddenSize, layers: layers, hasBias: hasBias, isBatchMajor: isBatchFirst)
    let count = shape.plan(dtype, steps: 1, batch: 1, trains: false).parameterCount
    weight = Parameter(Initialization.standard.makeTensor([count], fanIn: hiddenSize, fanOut: hiddenSize, dtype: dtype))
  }

  /// PyTorch's names and shapes of the tensors in ``weight``.
  final var partition: (name: String, parts: [StatePart]) {
    let d = shape.descriptor(.float32, steps: 1, batch: 1)
    var parts: [StatePart] = []
    let kinds: [(String, ApusEngine.RecurrentParameter)] = [
      ("weight_ih", .inputWeights), ("weight_hh", .recurrentWeights), ("bias_ih", .inputBias),
      ("bias_hh", .recurrentBias),
    ]
    for layer in 0..<d.layers {
      for direction in 0..<d.directions {
        for (name, kind) in kinds {
          guard let place = d.parameter(kind, layer: layer, direction: direction) else { continue }
          let isMatrix = kind == .inputWeights || kind == .recurrentWeights
          parts.append(
            StatePart(
              name: "\(name)_l\(layer)\(direction == 1 ? "_reverse" : "")",
              range: place.offset..<place.offset + place.rows * place.columns,
              shape: isMatrix ? [place.rows, place.columns] : [place.rows * place.columns]))
        }
      }
    }
    return ("weight", parts)
  }

  /// The outputs of all steps, from a state of zeros.
  public final func callAsFunction(_ x: Tensor) -> Tensor { callAsFunction(x, state: nil).output }

  /// The outputs of all steps, and the state after each sequence's last one.
  ///
  /// - Parameters:
  ///   - x: Steps x batch x inputs, or with `isBatchFirst` batch x steps x inputs.
  ///   - state: Before the first step; nil: zeros.
  ///   - lengths: Steps of each sequence; what lies behind is padding, whose outputs are 0. nil: all.
  public final func callAsFunction(
    _ x: Tensor, state: RecurrentLayerState?, lengths: [Int]? = nil
  ) -> (output: Tensor, state: RecurrentLayerState) {
    let (y, hidden, cell) = recurrent(
      shape, x, weights: weight.value, hidden: state?.hidden, cell: state?.cell, lengths: lengths)
    return (reported(y), RecurrentLayerState(hidden: hidden, cell: cell))
  }
}

/// h = f(W x + b + U h + c) with tanh or ReLU for f (J. Elman, 1990).
public final class SimpleRNN: RecurrentLayer {
  /// A layer with random weights, uniform within 1 / sqrt(hiddenSize).
  public init(
    inputSize: Int, hiddenSize: Int, layers: Int = 1, usesReLU: Bool = false, isBidirectional: Bool = false,
    hasBias: Bool = true, isBatchFirst: Bool = false, dtype: DataType = .float32
  ) {
    super.init(
      usesReLU ? .relu : .tanh, inputSize, hiddenSize, layers: layers, isBidirectional: isBidirectional,
      hasBias: hasBias,
      isBatchFirst: isBatchFirst, dtype)
  }
}

/// Long short-term memory (S. Hochreiter, J. Schmidhuber, 1997): gates i, f, g, o = s(W x + U h + b), c = f c + i g,
/// h = o tanh(c), where s is the sigmoid, and tanh for g.
public final class LSTM: RecurrentLayer {
  /// A layer with random weights, uniform within 1 / sqrt(hiddenSize).
  public init(
    inputSize: Int, hiddenSize: Int, layers: Int = 1, isBidirectional: Bool = false, hasBias: Bool = true,
    isBatchFirst: Bool = false, dtype: DataType = .float32
  ) {
    super.init(
      .lstm, inputSize, hiddenSize, layers: layers, isBidirectional: isBidirectional, hasBias: hasBias,
      isBatchFirst: isBatchFirst, dtype)
  }
}

/// Gated recurrent unit (K. Cho et al., 2014), reset after the recurrent product: r, z = s(W x + U h + b),
/// n = tanh(W x + b + r (U h + c)), h = (1 - z) n + z h.
public final class GRU: RecurrentLayer {
  /// A layer with random weights, uniform within 1 / sqrt(hiddenSize).
  public init(
    inputSize: Int, hiddenSize: Int, layers: Int = 1, isBidirectional: Bool = false, hasBias: Bool = true,
    isBatchFirst: Bool = false, dtype: DataType = .float32
  ) {
    super.init(
      .gru, inputSize, hiddenSize, layers: layers, isBidirectional: isBidirectional, hasBias: hasBias,
      isBatchFirst: isBatchFirst, dtype)
  }
}
