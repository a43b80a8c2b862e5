internal import ApusEngine

/// Which recurrent unit. x is a step's input, h and c the state before the step, h' and c' the one after it; W and U are
/// weights, b and d biases, s is the sigmoid, and * multiplies element by element.
public enum RecurrentCell: Sendable, Hashable {
  /// h' = tanh(W x + b + U h + d).
  case tanh
  /// h' = max(0, W x + b + U h + d).
  case relu
  /// Long short-term memory: i, f, o = s(W x + b + U h + d) and g = tanh(W x + b + U h + d), each with weights of its own;
  /// c' = f * c + i * g; h' = o * tanh(c').
  ///
  /// With a `projection`, h' is multiplied by a matrix and has so many numbers, fewer than the units; a `clip` keeps c'
  /// in -clip...clip; with `peepholes`, i and f see c, and o sees c'.
  case lstm(projection: Int? = nil, clip: Double? = nil, peepholes: Bool = false)
  /// Gated recurrent unit: r, z = s(W x + b + U h + d); n = tanh(W x + b + r * (U h + d)); h' = (1 - z) * n + z * h.
  /// PyTorch's, cuDNN's and Keras's, and ONNX's with linear_before_reset.
  case gru
  /// As `gru`, but n = tanh(W x + b + U (r * h) + d): the paper's (K. Cho et al., 2014), and ONNX's default.
  case gruResetBefore

  /// A long short-term memory without projection, clip and peepholes.
  public static var lstm: RecurrentCell { .lstm() }
}

/// In which order every layer takes the steps.
public enum RecurrentDirection: CaseIterable, Sendable, Hashable {
  /// From the first to the last.
  case forward
  /// From the last to the first.
  case reverse
  /// Both; their outputs side by side, forward's first.
  case bidirectional
  /// Both; their outputs added.
  case bidirectionalSum

  /// Recurrences of a layer: 1 or 2.
  public var count: Int { engine.count }

  var engine: ApusEngine.RecurrentDirection {
    switch self {
    case .forward: .forward
    case .reverse: .reverse
    case .bidirectional: .bidirectionalConcatenated
    case .bidirectionalSum: .bidirectionalSummed
    }
  }
}

/// How many bias vectors a recurrence has.
public enum RecurrentBiases: Int, CaseIterable, Sendable, Hashable {
  /// None.
  case none = 0
  /// One with the input's weights.
  case one = 1
  /// Another one with the recurrent weights, as in PyTorch and cuDNN.
  case two = 2
}

/// What a plan is for.
public enum RecurrentMode: CaseIterable, Sendable, Hashable {
  /// Forward alone; nothing is saved.
  case inference
  /// Forward fills a ``RecurrentWorkspace``, which backward reads.
  case training
}

/// The order of steps and sequences in memory.
public enum SequenceLayout: CaseIterable, Sendable, Hashable {
  /// steps x batch x numbers.
  case timeMajor
  /// batch x steps x numbers.
  case batchMajor
}

/// One of the tensors of a recurrence; G is the number of gates (1, 4 of an LSTM, 3 of a GRU), H the units, S the numbers of
/// h. They lie one after the other in this order.
public enum RecurrentParameter: CaseIterable, Sendable, Hashable {
  /// G x H rows of the layer's input size; gates in the order i, f, g, o or r, z, n.
  case inputWeights
  /// G x H rows of S numbers.
  case recurrentWeights
  /// G x H numbers.
  case inputBias
  /// G x H numbers.
  case recurrentBias
  /// S rows of H numbers.
  case projection
  /// Three rows of H numbers: i, f, o.
  case peepholes

  var engine: ApusEngine.RecurrentParameter {
    switch self {
    case .inputWeights: .inputWeights
    case .recurrentWeights: .recurrentWeights
    case .inputBias: .inputBias
    case .recurrentBias: .recurrentBias
    case .projection: .projection
    case .peepholes: .peepholes
    }
  }
}

/// How others keep a recurrence's weights; `include/apus.h` has the shapes and orders of each.
public enum RecurrentFormat: CaseIterable, Sendable, Hashable {
  /// Gates i, o, f, c; z, r, h.
  case onnx
  /// Gates i, f, c, o; u, r, o; weights (input, gate, unit).
  case oneDNN
  /// Gates i, f, c, o; z, r, h; kernels (input, gate and unit).
  case keras
  /// Gates i, f, c, o; r, z, h.
  case cuDNN

  var engine: ApusEngine.RecurrentFormat {
    switch self {
    case .onnx: .onnx
    case .oneDNN: .oneDNN
    case .keras: .keras
    case .cuDNN: .cuDNN
    }
  }
}

extension RecurrentDescriptor {
  mutating func apply(_ cell: RecurrentCell) {
    switch cell {
    case .tanh: self.cell = .tanh
    case .relu: self.cell = .relu
    case .gru: self.cell = .gru
    case .gruResetBefore: self.cell = .gruResetBefore
    case .lstm(let projection, let clip, let peepholes):
      self.cell = .lstm
      self.projection = projection ?? 0
      cellClip = clip ?? 0
      hasPeepholes = peepholes
    }
  }
}
