import Apus

/// LeNet-5 with ReLU and max pooling, as the peers' workers build it.
final class LeNet5: Module {
  let c1 = Conv2D(inputChannels: 1, outputChannels: 6, kernelSize: 5, padding: [2])
  let c2 = Conv2D(inputChannels: 6, outputChannels: 16, kernelSize: 5)
  let f1 = Linear(400, 120)
  let f2 = Linear(120, 84)
  let f3 = Linear(84, 10)

  func callAsFunction(_ x: Tensor) -> Tensor {
    var y = c1(x, activation: .relu).maxPooled(window: [2])
    y = c2(y, activation: .relu).maxPooled(window: [2])
    return f3(f2(f1(y.flattened(from: 1), activation: .relu), activation: .relu))
  }
}

/// A character language model: embedding, one recurrent layer, a linear layer.
final class CharacterModel: Module {
  let embedding: Embedding
  let recurrent: RecurrentLayer
  let output: Linear

  init(cell: String, hidden: Int, vocabulary: Int) {
    embedding = Embedding(vocabulary, hidden)
    recurrent =
      cell == "lstm"
      ? LSTM(inputSize: hidden, hiddenSize: hidden) : GRU(inputSize: hidden, hiddenSize: hidden)
    output = Linear(hidden, vocabulary)
  }

  func callAsFunction(_ x: Tensor) -> Tensor { output(recurrent(embedding(x))) }
}

/// Two convolutions with batch normalisation beside a shortcut (K. He et al., 2016).
final class ResidualBlock: Module {
  let first: NormalizedConvolution
  let second: NormalizedConvolution
  let shortcut: NormalizedConvolution?

  init(_ inputs: Int, _ outputs: Int, stride: Int) {
    first = NormalizedConvolution(inputs, outputs, kernel: 3, stride: stride, padding: 1)
    second = NormalizedConvolution(outputs, outputs, kernel: 3, stride: 1, padding: 1)
    shortcut =
      stride > 1 || inputs != outputs
      ? NormalizedConvolution(inputs, outputs, kernel: 1, stride: stride, padding: 0) : nil
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    second(first(x, activation: .relu), residual: shortcut?(x) ?? x, activation: .relu)
  }
}

/// A convolution without bias and a batch normalisation; for inference they become one convolution.
final class NormalizedConvolution: Module {
  private let convolution: Conv2D
  private let norm: BatchNorm
  private var folded: ConvolutionLayer?

  init(_ inputs: Int, _ outputs: Int, kernel: Int, stride: Int, padding: Int) {
    convolution = Conv2D(
      inputChannels: inputs, outputChannels: outputs, kernelSize: kernel, stride: [stride], padding: [padding],
      hasBias: false)
    norm = BatchNorm(outputs)
  }

  func fold() { folded = convolution.folding(norm) }

  func callAsFunction(_ x: Tensor) -> Tensor { callAsFunction(x, activation: .none) }

  func callAsFunction(_ x: Tensor, residual: Tensor? = nil, activation: Activation) -> Tensor {
    if let folded { return folded(x, residual: residual, activation: activation) }
    let y = norm(convolution(x))
    let sum = residual.map { y + $0 } ?? y
    return activation == .relu ? sum.relu() : sum
  }
}

/// ResNet-18 for images of 224 x 224 (K. He et al., 2016).
final class ResNet18: Module {
  private let stem = NormalizedConvolution(3, 64, kernel: 7, stride: 2, padding: 3)
  private let blocks: [ResidualBlock]
  private let output = Linear(512, 1000)

  init() {
    blocks = [
      (64, 64, 1), (64, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2), (256, 256, 1), (256, 512, 2), (512, 512, 1),
    ].map { ResidualBlock($0.0, $0.1, stride: $0.2) }
  }

  /// Puts batch normalisations into the convolutions before them.
  func fold() {
    for part in [stem] + blocks.flatMap({ [$0.first, $0.second] + [$0.shortcut].compactMap { $0 } }) { part.fold() }
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    var y = stem(x, activation: .relu).maxPooled(window: [3], stride: [2], padding: [1])
    for block in blocks { y = block(y) }
    return output(y.adaptiveAveragePooled(to: [1]).flattened(from: 1))
  }
}
