import Apus
import ArgumentParser
import ExampleSupport

/// A garment of Fashion-MNIST that moves over a larger picture and becomes another on its way. Of each frame only a share of
/// the pixels is seen, others every time: a single frame says little, several together say more.
struct MovingGarments: Dataset {
  let garments: TensorDataset
  let count: Int, steps: Int, canvas: Int
  /// The share of pixels that is not seen.
  let hidden: Double

  /// Samples x steps x 1 x canvas x canvas, and the class at each step.
  func batch(_ indices: [Int]) -> Batch {
    var choices = Choices.ofBatch(), targets: [Int32] = []
    var pixels = [Float](repeating: 0, count: indices.count * steps * canvas * canvas)
    let labels = garments.targets.array(of: Int32.self)
    garments.inputs.withElements(UInt8.self) { bytes in
      for sample in indices.indices {
        var garment = Int.random(in: 0..<garments.count, using: &choices),
          paths = [Path(canvas - 28, &choices), Path(canvas - 28, &choices)]
        let change = Int.random(in: steps / 3...steps * 2 / 3, using: &choices)
        for step in 0..<steps {
          if step == change { garment = Int.random(in: 0..<garments.count, using: &choices) }
          targets.append(labels[garment])
          let (left, top) = (paths[0].next(), paths[1].next())
          for row in 0..<28 {
            let place = ((sample * steps + step) * canvas + top + row) * canvas + left
            for column in 0..<28 { pixels[place + column] = Float(bytes[garment * 784 + row * 28 + column]) / 255 }
          }
        }
      }
    }
    // A pixel that is seen counts for those that are not.
    let frames = Tensor(pixels, shape: [indices.count, steps, 1, canvas, canvas]).droppingOut(hidden)
    return Batch(inputs: frames, targets: Tensor(targets, shape: [indices.count, steps]))
  }

  /// A place that goes on by some pixels and turns at the ends of its way.
  private struct Path {
    private let end: Int
    private var place: Int, speed: Int

    init(_ end: Int, _ choices: inout Choices) {
      self.end = end
      place = .random(in: 0...end, using: &choices)
      speed = .random(in: -2...2, using: &choices)
    }

    mutating func next() -> Int {
      if !(0...end).contains(place + speed) { speed = -speed }
      place += speed
      return place
    }
  }
}

/// Many to many: a convolutional network sees each frame, a recurrent one what came before and behind; or none does.
final class FrameTagger: Module {
  let features: Sequential
  let recurrence: GRU?
  let output: Linear

  init(canvas: Int, channels: Int, hidden: Int, isRecurrent: Bool) {
    let side = (((canvas + 1) / 2 + 1) / 2 + 1) / 2
    features = Sequential {
      Conv2D(inputChannels: 1, outputChannels: channels, kernelSize: 5, stride: [2], padding: [2])
      ReLU()
      Conv2D(inputChannels: channels, outputChannels: 2 * channels, kernelSize: 3, stride: [2], padding: [1])
      ReLU()
      Conv2D(inputChannels: 2 * channels, outputChannels: 4 * channels, kernelSize: 3, stride: [2], padding: [1])
      ReLU()
      Flatten()
      Linear(4 * channels * side * side, 2 * hidden)
      ReLU()
    }
    recurrence =
      isRecurrent
      ? GRU(inputSize: 2 * hidden, hiddenSize: hidden, isBidirectional: true, isBatchFirst: true) : nil
    output = Linear(2 * hidden, 10)
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let (batch, steps) = (x.shape[0], x.shape[1])
    let seen = features(x.reshaped([batch * steps] + x.shape[2...])).reshaped([batch, steps, -1])
    return output(recurrence?(seen) ?? seen)
  }
}

struct Frames: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "frames", abstract: "Many to many: which garment moves through each frame of a sequence.",
    discussion:
      "Trained with and without a recurrent layer. The data are Debian's: apt-get install dataset-fashion-mnist.")

  @OptionGroup var options: RunOptions
  @Option(help: "The folder of Fashion-MNIST (default: \(FashionMNIST.debianFolder)).")
  var data: String?
  @Option(help: "Epochs of each of the two trainings.")
  var epochs: Int?
  @Option(help: "The share of a frame's pixels that is not seen.")
  var unseen: Double?

  func validate() throws {
    try options.refuse("data", data)
    if let epochs { try check("epochs", epochs, in: 1...1000) }
    if let unseen { try check("unseen", unseen, in: 0...0.99) }
  }

  func run() throws {
    let garments =
      try options.small
      ? FashionMNIST(imitating: 200, seed: options.seed) : FashionMNIST(folder: data ?? FashionMNIST.debianFolder)
    let unseen = unseen ?? (options.small ? 0.9 : 0.95)
    let steps = options.small ? 6 : 12, canvas = options.small ? 32 : 40
    let training = MovingGarments(
      garments: garments.training, count: options.small ? 256 : 8000, steps: steps, canvas: canvas, hidden: unseen)
    let test = MovingGarments(
      garments: garments.test, count: options.small ? 128 : 1000, steps: steps, canvas: canvas, hidden: unseen)
    var outcome = Outcome(sampleName: "sequences"), accuracies: [Double] = []
    var chart = Chart("Held-out frames", x: "frame", y: "accuracy")
    for isRecurrent in [false, true] {
      try options.seeded {
        let model = FrameTagger(
          canvas: canvas, channels: options.small ? 4 : 8, hidden: options.small ? 24 : 64, isRecurrent: isRecurrent)
        print(model.summary(inputShape: [1, steps, 1, canvas, canvas]))
        let plan = Training(
          epochs: epochs ?? (options.small ? 6 : 10), batchSize: options.small ? 8 : 32,
          rate: options.small ? 0.005 : 0.002, sampleName: "sequences")
        let history = try plan.fit(model, on: training, validation: test, options)
        outcome.count(history)
        accuracies.append(history.last?.validationMetrics[0] ?? 0)
        chart.add(isRecurrent ? "convolution and GRU" : "convolution, frame by frame", try perStep(model, test))
      }
    }
    print("frame by frame \(rounded(accuracies[0]))")
    outcome.require("accuracy of held-out frames", accuracies[1], atLeast: options.small ? 0.5 : 0.6)
    outcome.require("more than frame by frame by", accuracies[1] - accuracies[0], atLeast: options.small ? 0.02 : 0.05)
    try options.draw {
      var figure = Figure("Moving garments, \(rounded(100 * unseen)) % of the pixels unseen")
      var pictures = PictureGrid("A sequence", columns: 6, scale: 1.5)
      let frames = RandomGenerator(seed: options.seed).use { test.batch([0]) }.inputs
      for step in 0..<steps {
        let frame = frames[0, step, 0]
        pictures.add((0..<canvas).map { frame[$0].array(of: Double.self) })
      }
      figure.add(pictures)
      figure.add(chart)
      return figure
    }
    try outcome.finish()
  }

  /// The accuracy at each place in a sequence.
  private func perStep(_ model: FrameTagger, _ test: MovingGarments) throws -> [Double] {
    let batches = DataLoader(test, batchSize: 100, seed: options.testSeed).batches()
    var right = [Double](repeating: 0, count: test.steps)
    while let batch = try batches.next() {
      let told = withoutGradients { model(batch.inputs).argmax() }.array(of: Int32.self)
      for (i, (a, b)) in zip(told, batch.targets.array(of: Int32.self)).enumerated() where a == b {
        right[i % test.steps] += 1
      }
    }
    return right.map { $0 / Double(test.count) }
  }
}
