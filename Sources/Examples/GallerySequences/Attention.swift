import Apus

/// Attention of a decoder's states h to an encoder's outputs m (M. Luong et al., 2015, "global, general"; the idea is
/// D. Bahdanau's et al., 2014): weights softmax(h W m), the mean c of all m by them, and tanh(V [c, h]).
final class GlobalAttention: Module {
  let score: Linear
  let combination: Linear

  init(_ size: Int, memorySize: Int) {
    score = Linear(size, memorySize, hasBias: false)
    combination = Linear(memorySize + size, size)
  }

  /// Of states to themselves.
  func callAsFunction(_ x: Tensor) -> Tensor { look(x, x).y }

  /// From batch x steps x size states and batch x places x memorySize outputs: batch x steps x size, and the weights, batch x
  /// steps x places. A mask is added to the scores.
  func look(_ h: Tensor, _ memory: Tensor, mask: Tensor? = nil) -> (y: Tensor, weights: Tensor) {
    let scores = matmul(score(h), memory.swappingAxes(1, 2))
    let weights = (mask.map { scores + $0 } ?? scores).softmax()
    return (combination(concatenate([matmul(weights, memory), h], along: 2)).tanh(), weights)
  }
}

/// What a decoder wrote: numbers of each row, and for each step where it looked, batch x 1 x places.
typealias Decoded = (symbols: [[Int32]], weights: [Tensor])

/// Free running: each symbol that is written is the next one's input, the likeliest every time (greedy). Number 0 is the start.
func decodeGreedily(
  rows: Int, length: Int, from state: RecurrentLayerState,
  _ decode: (Tensor, RecurrentLayerState) -> (logits: Tensor, state: RecurrentLayerState, weights: Tensor?)
) -> Decoded {
  var state = state, next = Tensor.zeros([rows, 1], dtype: .int32)
  var symbols = [[Int32]](repeating: [], count: rows), weights: [Tensor] = []
  for _ in 0..<length {
    let step = decode(next, state)
    (state, next) = (step.state, step.logits.argmax())
    for (row, symbol) in next.array(of: Int32.self).enumerated() { symbols[row].append(symbol) }
    if let own = step.weights { weights.append(own) }
  }
  return (symbols, weights)
}
