import Apus
import Testing

/// Training steps against what PyTorch computed (Fixtures/make_fixtures.py), in float64: the same losses, and the same
/// parameters and buffers at the end.
@Suite struct TrainingFixtureTests {
  /// What a fixture has.
  private struct Fixture {
    let tensors: [String: Tensor]

    init(_ name: String) throws {
      let folder = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
      tensors = try Safetensors(path: "/\(folder)/Fixtures/\(name).safetensors").tensors
    }

    func state(_ prefix: String) -> [String: Tensor] {
      var state: [String: Tensor] = [:]
      for (name, tensor) in tensors where name.hasPrefix(prefix) {
        state[String(name.dropFirst(prefix.count))] = tensor
      }
      return state
    }

    func tensor(_ name: String) throws -> Tensor { try #require(tensors[name]) }
  }

  private func compare(
    _ name: String, _ model: any Module, clip: Double? = nil, _ makeOptimizer: ([Parameter]) -> any Optimizer
  ) throws {
    let fixture = try Fixture(name)
    try model.load(fixture.state("before."), renaming: pyTorchName)
    let optimizer = makeOptimizer(model.parameters)
    let (x, labels) = (try fixture.tensor("x"), try fixture.tensor("labels"))
    for expected in try fixture.tensor("losses").array(of: Double.self) {
      let y = model(x)
      let loss = softmaxCrossEntropy(y.reshaped([-1, y.shape[y.rank - 1]]), labels.reshaped([-1]))
      #expect(abs(loss.scalar - expected) < 1e-12 * max(1, abs(expected)))
      loss.backward()
      if let clip { model.parameters.clipGradients(toNorm: clip) }
      optimizer.step()
    }
    let state = model.state
    for (theirs, expected) in fixture.state("after.") {
      guard let ours = pyTorchName(theirs) else { continue }
      let own = try #require(state[ours])
      #expect(own.shape == expected.shape)
      let largest = (own - expected).absolute().max().scalar
      #expect(largest < 1e-9, "\(theirs) is off by \(largest)")
    }
  }

  @Test func convolutionsAndAdam() throws {
    let model = Sequential {
      Conv2D(inputChannels: 1, outputChannels: 3, kernelSize: 5, padding: [2], dtype: .float64)
      Tanh()
      AvgPool2D(2)
      Conv2D(inputChannels: 3, outputChannels: 4, kernelSize: 5, dtype: .float64)
      ReLU()
      MaxPool2D(2)
      Flatten()
      Linear(16, 12, dtype: .float64)
      Sigmoid()
      Linear(12, 5, dtype: .float64)
    }
    try compare("lenet_adam", model) { Adam($0, learningRate: 0.01) }
  }

  @Test func normalisationsAndMomentum() throws {
    let model = Sequential {
      Conv2D(
        inputChannels: 1, outputChannels: 4, kernelSize: 3, stride: [2], padding: [1], hasBias: false, dtype: .float64)
      BatchNorm(4, dtype: .float64)
      ReLU()
      Conv2D(inputChannels: 4, outputChannels: 4, kernelSize: 3, padding: [1], groups: 4, dtype: .float64)
      GroupNorm(groups: 2, channels: 4, dtype: .float64)
      GELU()
      AdaptiveAvgPool(2)
      Flatten()
      LayerNorm(16, dtype: .float64)
      Linear(16, 5, dtype: .float64)
    }
    try compare("normed_sgd", model) {
      SGD($0, learningRate: 0.05, momentum: 0.9, weightDecay: 0.01, isNesterov: true)
    }
  }

  final class Characters: Module {
    let embedding = Embedding(7, 5, dtype: .float64)
    let recurrent: RecurrentLayer
    let output: Linear

    init(_ recurrent: RecurrentLayer, width: Int) {
      self.recurrent = recurrent
      output = Linear(width, 7, dtype: .float64)
    }

    func callAsFunction(_ x: Tensor) -> Tensor { output(recurrent(embedding(x))) }
  }

  @Test(arguments: ["lstm", "gru", "rnn"]) func recurrentLayersAndClipping(cell: String) throws {
    let layer: RecurrentLayer =
      switch cell {
      case "lstm": LSTM(inputSize: 5, hiddenSize: 6, layers: 2, isBidirectional: true, dtype: .float64)
      case "gru": GRU(inputSize: 5, hiddenSize: 6, dtype: .float64)
      default: SimpleRNN(inputSize: 5, hiddenSize: 6, layers: 2, dtype: .float64)
      }
    try compare("\(cell)_clipped", Characters(layer, width: cell == "lstm" ? 12 : 6), clip: 0.5) {
      RMSProp($0, learningRate: 0.01)
    }
  }
}
