import Apus
import ExampleSupport

/// What the trainings of this part share: Adam, whose rate falls along a cosine, and gradients clipped by their norm.
struct Training {
  var epochs: Int
  var batchSize: Int
  var rate: Double
  var clipNorm = 1.0
  var sampleName = "samples"

  /// A trainer of a model and the batches it is fitted to; `run` gives the seed of their order.
  func trainer(
    _ model: any Module, on data: any Dataset, _ run: RunOptions, metrics: [Metric] = [.accuracy],
    loss: @escaping (Tensor, Tensor) -> Tensor = { softmaxCrossEntropy($0, $1) }
  ) -> (trainer: Trainer, loader: DataLoader) {
    let loader = DataLoader(data, batchSize: batchSize, shuffles: true, seed: run.seed)
    let trainer = Trainer(model, optimizer: Adam(model.parameters, learningRate: rate), metrics: metrics, loss: loss)
    trainer.options.fall(from: rate, over: epochs, of: loader, counting: sampleName)
    trainer.options.clipNorm = clipNorm
    return (trainer, loader)
  }

  /// Trains to the end.
  func fit(
    _ model: any Module, on data: any Dataset, validation: (any Dataset)? = nil, _ run: RunOptions,
    metrics: [Metric] = [.accuracy], loss: @escaping (Tensor, Tensor) -> Tensor = { softmaxCrossEntropy($0, $1) }
  ) throws -> [EpochRecord] {
    let (trainer, loader) = trainer(model, on: data, run, metrics: metrics, loss: loss)
    return try trainer.fit(loader, validation: validation.map { DataLoader($0, batchSize: 200, seed: run.testSeed) })
  }
}

extension RunOptions {
  /// What made-up data to measure with are drawn by: never the numbers of a training.
  var testSeed: UInt64 { seed ^ 0x7e57 }
}

/// SplitMix64 (G. Steele et al., 2014): what made-up data are drawn by, the same on every run with a seed.
struct Choices: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  /// For a data set that draws its samples: others in each batch of each epoch.
  static func ofBatch() -> Choices {
    let place = RandomGenerator.current.reserve(1)
    return Choices(seed: place.seed &+ place.offset)
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// The characters that a model knows, by numbers from 1 on; 0 is padding, and every character that it does not know.
struct Alphabet {
  private let bytes: [UInt8]
  private var numbers = [Int32](repeating: 0, count: 256)

  init(_ texts: some Sequence<String>) {
    bytes = texts.reduce(into: Set()) { $0.formUnion($1.utf8) }.sorted()
    for (i, byte) in bytes.enumerated() { numbers[Int(byte)] = Int32(i + 1) }
  }

  /// How many numbers there are, that of padding included.
  var count: Int { bytes.count + 1 }

  /// The numbers of a text's first characters, with padding up to a length.
  func encode(_ text: some StringProtocol, length: Int) -> [Int32] {
    let own = text.utf8.prefix(length).map { numbers[Int($0)] }
    return own + [Int32](repeating: 0, count: length - own.count)
  }

  /// The text of numbers; padding is left out.
  func decode(_ characters: some Sequence<Int32>) -> String {
    String(decoding: characters.compactMap { $0 > 0 ? bytes[Int($0) - 1] : nil }, as: UTF8.self)
  }
}

/// The steps of each row of batch x steps numbers before its padding.
func lengths(_ x: Tensor) -> [Int] {
  let steps = x.shape[1]
  return x.withElements(Int32.self) { numbers in
    (0..<x.shape[0]).map { row in
      (0..<steps).last { numbers[row * steps + $0] != 0 }.map { $0 + 1 } ?? 0
    }
  }
}
