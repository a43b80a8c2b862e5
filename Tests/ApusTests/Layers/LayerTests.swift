import Apus
import Testing

@Suite struct LayerTests {
  final class Net: Module {
    let hidden = Linear(4, 3)
    let norms = [BatchNorm(3), BatchNorm(3)]
    let output: Linear? = Linear(3, 2, hasBias: false)
    let dropout = Dropout(0.5)
    func callAsFunction(_ x: Tensor) -> Tensor {
      let y = dropout(norms[1](norms[0](hidden(x))))
      return output?(y) ?? y
    }
  }

  @Test func parametersAreFoundByName() {
    let net = Net()
    #expect(
      net.namedParameters.map(\.name) == [
        "hidden.weight", "hidden.bias", "norms.0.weight", "norms.0.bias", "norms.1.weight", "norms.1.bias",
        "output.weight",
      ])
    #expect(net.parameterCount == 12 + 3 + 12 + 6)
    #expect(net.namedBuffers.map(\.name).contains("norms.1.runningMean"))
    net.hidden.weight.isTrainable = false
    #expect(net.trainableParameters.count == 6)
    #expect(
      Sequential {
        Linear(2, 3); ReLU(); Linear(3, 1)
      }.namedParameters.map(\.name).last == "2.bias")
  }

  @Test func trainingAndEvaluation() {
    let net = Net()
    net.evaluate()
    #expect(!net.dropout.isTraining && !net.norms[0].isTraining)
    let x = Tensor.ones([5, 4])
    #expect(net(x) == net(x))
    net.train()
    #expect(net.dropout.isTraining && net.norms[1].isTraining)
    let dropped = RandomGenerator(seed: 5).use { net.dropout(.ones([1000])) }
    let zeros = (dropped .== 0).sum().item(Int64.self)
    #expect(zeros > 400 && zeros < 600)
    #expect(dropped.max().scalar == 2)
  }

  @Test func stateLoadsAndIsChecked() throws {
    let (a, b) = (Net(), Net())
    a.norms[0].runningMean.value = Tensor([1, 2, 3] as [Float])
    try b.load(a.state)
    #expect(b.hidden.weight.value == a.hidden.weight.value)
    #expect(b.norms[0].runningMean.value.array(of: Float.self) == [1, 2, 3])
    var broken = a.state
    broken["hidden.bias"] = Tensor.zeros([4])
    #expect(throws: ApusError.self) { try b.load(broken) }
    broken["hidden.bias"] = nil
    #expect(throws: ApusError.self) { try b.load(broken) }
  }

  @Test func summaryListsLayers() {
    let model = Sequential {
      Conv2D(inputChannels: 1, outputChannels: 6, kernelSize: 5)
      MaxPool2D(2)
      Flatten()
      Linear(6 * 12 * 12, 10)
    }
    let text = model.summary(inputShape: [1, 1, 28, 28])
    #expect(text.contains("[1, 6, 24, 24]"))
    #expect(text.contains("0 (Conv2D)"))
    #expect(text.contains("Parameters: 8806, of which trainable: 8806"))
  }

  @Test func batchNormTracksStatistics() {
    let norm = BatchNorm(1, momentum: 0.5)
    _ = norm(Tensor([1, 3] as [Float], shape: [2, 1]))
    #expect(abs(norm.runningMean.value.scalar - 1) < 1e-6)
    #expect(abs(norm.runningVariance.value.scalar - 1.5) < 1e-6)
  }

  @Test(arguments: ["tanh", "relu", "lstm", "gru"], [false, true])
  func recurrentGradientsMatchDifferences(_ cell: String, _ hasLengths: Bool) {
    let layer: RecurrentLayer = RandomGenerator(seed: 5).use {
      switch cell {
      case "lstm": LSTM(inputSize: 3, hiddenSize: 4, layers: 2, isBidirectional: hasLengths, dtype: .float64)
      case "gru": GRU(inputSize: 3, hiddenSize: 4, isBatchFirst: hasLengths, dtype: .float64)
      default: SimpleRNN(inputSize: 3, hiddenSize: 4, usesReLU: cell == "relu", dtype: .float64)
      }
    }
    let generator = RandomGenerator(seed: 11)
    let directions = cell == "lstm" && hasLengths ? 2 : 1
    let layers = cell == "lstm" ? 2 : 1
    let x = Tensor.normal(cell == "gru" && hasLengths ? [2, 5, 3] : [5, 2, 3], dtype: .float64, generator: generator)
    let state = Tensor.normal([layers * directions, 2, 4], dtype: .float64, generator: generator)
    let check = checkGradients(
      of: { sources in
        let carried = RecurrentLayerState(hidden: sources[1], cell: cell == "lstm" ? sources[2] : nil)
        let (y, after) = layer(sources[0], state: carried, lengths: hasLengths ? [5, 3] : nil)
        return y.squared().sum() + (after.hidden * 0.5).sum() + (after.cell.map { $0.squared().sum() } ?? Tensor(0.0))
      }, at: cell == "lstm" ? [x, state, state * 0.5] : [x, state])
    #expect(check.largestError < 1e-6, "\(cell): \(check)")
    // By the weights: one step of differences along the gradient.
    layer(x).squared().sum().backward()
    guard let gradient = layer.weight.gradient else {
      Issue.record("the weights of \(cell) have no gradient")
      return
    }
    let (value, h) = (layer.weight.value.detached(), 1e-6)
    func loss(_ shift: Double) -> Double {
      layer.weight.value = value + gradient * shift
      return withoutGradients { layer(x).squared().sum().scalar }
    }
    let slope = (loss(h) - loss(-h)) / (2 * h)
    let square = gradient.squared().sum().scalar
    #expect(abs(slope - square) <= 1e-5 * square)
  }

  @Test func carriedStateContinuesASequence() {
    let layer = GRU(inputSize: 2, hiddenSize: 3)
    let x = Tensor.normal([6, 1, 2], generator: RandomGenerator(seed: 2))
    let (whole, _) = layer(x, state: nil)
    let (_, state) = layer(x[0..<4], state: nil)
    let (rest, _) = layer(x[4..<6], state: state.detached())
    #expect(rest == whole[4..<6])
  }
}
