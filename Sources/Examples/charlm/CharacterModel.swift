import Apus

/// What stands in the middle of the model.
enum Cell: String, CaseIterable {
  case rnn
  case lstm
  case gru
}

/// The next character from those before: a vector for each character, recurrent layers, and a number for each character that
/// may follow.
final class CharacterModel: CarriesState {
  let embedding: Embedding
  let cell: RecurrentLayer
  let output: Linear
  /// What the text so far has left, off the tape: here backpropagation is truncated.
  var carriedState: [String: Tensor] = [:]

  init(_ kind: Cell, characters: Int, hidden: Int, layers: Int) {
    let width = min(hidden, 64)
    embedding = Embedding(characters, width)
    switch kind {
    case .rnn: cell = SimpleRNN(inputSize: width, hiddenSize: hidden, layers: layers)
    case .lstm: cell = LSTM(inputSize: width, hiddenSize: hidden, layers: layers)
    case .gru: cell = GRU(inputSize: width, hiddenSize: hidden, layers: layers)
    }
    output = Linear(hidden, characters)
  }

  /// From steps x texts numbers of characters, steps x texts x characters logits of the next ones.
  func callAsFunction(_ x: Tensor) -> Tensor {
    let before = carriedState["hidden"].map { RecurrentLayerState(hidden: $0, cell: carriedState["cell"]) }
    let (y, after) = cell(embedding(x), state: before)
    let kept = after.detached()
    carriedState["hidden"] = kept.hidden
    carriedState["cell"] = kept.cell
    return output(y)
  }

  /// A text that goes on from another, character by character, each drawn by its probability.
  ///
  /// - Parameters:
  ///   - prompt: At least one character.
  ///   - count: Characters to draw.
  ///   - temperature: Below 1 likely characters become likelier.
  ///   - generator: What draws.
  func sample(
    after prompt: [Int32], count: Int, temperature: Double, generator: RandomGenerator
  ) -> [Int32] {
    withoutGradients {
      let before = carriedState
      defer { carriedState = before }
      carriedState = [:]
      var drawn: [Int32] = []
      var next = prompt
      while drawn.count < count {
        let logits = self(Tensor(next, shape: [next.count, 1]))[next.count - 1, 0]
        let shares = (logits / temperature).softmax().array(of: Double.self)
        var rest = Tensor.uniform([], dtype: .float64, generator: generator).scalar
        let place = shares.firstIndex { share in
          rest -= share
          return rest < 0
        }
        next = [Int32(place ?? shares.count - 1)]
        drawn += next
      }
      return drawn
    }
  }
}
