import Apus
import ArgumentParser
import ExampleSupport

/// Convolutions in time, each of which halves the frames, and a GRU over what they give; its last states tell the digit.
final class SpeechClassifier: Module {
  let front: Sequential
  let encoder: GRU
  let output: Linear

  init(channels: Int, hidden: Int) {
    front = Sequential {
      Conv1D(inputChannels: LogMel.bands, outputChannels: channels, kernelSize: 5, stride: [2], padding: [2])
      ReLU()
      Conv1D(inputChannels: channels, outputChannels: channels, kernelSize: 5, stride: [2], padding: [2])
      ReLU()
      Dropout(0.2)
    }
    encoder = GRU(inputSize: channels, hiddenSize: hidden, isBidirectional: true, isBatchFirst: true)
    output = Linear(2 * hidden, 10)
  }

  /// From batch x bands x frames.
  func callAsFunction(_ x: Tensor) -> Tensor {
    let (_, last) = encoder(front(x).swappingAxes(1, 2), state: nil)
    return output(last.hidden.swappingAxes(0, 1).reshaped([x.shape[0], -1]))
  }
}

struct Speech: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "speech", abstract: "Spoken digits, made by espeak-ng, of voices that were never heard before.",
    discussion: """
      Eight voices of five accents to learn from, four others held out, all at many speeds and pitches: apt-get install \
      espeak-ng. Small: the tones of a telephone's keys.
      """)

  @OptionGroup var options: RunOptions
  @Option(help: "The program that speaks (default: \(Utterances.debianProgram)).")
  var espeak: String?
  @Option(help: "How often each voice says a digit in each accent (default: 4).")
  var times: Int?
  @Option(help: "Epochs of the training.")
  var epochs: Int?

  func validate() throws {
    try options.refuse("espeak", espeak)
    try options.refuse("times", times)
    if let times { try check("times", times, in: 1...100) }
    if let epochs { try check("epochs", epochs, in: 1...1000) }
  }

  func run() throws {
    var choices = Choices(seed: options.seed)
    let espeak = espeak ?? Utterances.debianProgram, times = times ?? 4
    let start = ContinuousClock.now
    let (training, test) =
      try options.small
      ? (Utterances.tones(240, &choices), Utterances.tones(80, &choices))
      : (
        Utterances.spoken(by: espeak, voices: Utterances.voices, times: times, &choices),
        Utterances.spoken(by: espeak, voices: Utterances.heldOutVoices, times: (times + 1) / 2, &choices)
      )
    print(
      "\(training.count) utterances and \(test.count) held out, made in \(rounded(start.duration(to: .now) / .seconds(1))) s"
    )
    try options.seeded {
      let model = SpeechClassifier(channels: options.small ? 24 : 64, hidden: options.small ? 16 : 64)
      print(model.summary(inputShape: [1, LogMel.bands, Utterances.frames]))
      let plan = Training(
        epochs: epochs ?? (options.small ? 6 : 8), batchSize: options.small ? 8 : 32,
        rate: options.small ? 0.005 : 0.002, sampleName: "utterances")
      let history = try plan.fit(model, on: training, validation: test, options)
      var outcome = Outcome(sampleName: "utterances")
      outcome.count(history)

      let told = model.evaluating { withoutGradients { model(test.inputs).argmax() } }.array(of: Int32.self)
      let truth = test.targets.array(of: Int32.self)
      var counts = [[Double]](repeating: [Double](repeating: 0, count: 10), count: 10)
      for (a, b) in zip(truth, told) { counts[Int(a)][Int(b)] += 1 }
      outcome.require(
        "accuracy of voices held out", (0..<10).map { counts[$0][$0] }.reduce(0, +) / Double(told.count), atLeast: 0.95)
      try options.draw { draw(test, counts) }
      try outcome.finish()
    }
  }

  /// One utterance of each digit, low tones below, and what was told of all.
  private func draw(_ test: TensorDataset, _ counts: [[Double]]) -> Figure {
    var figure = Figure("Digits of voices held out", columns: 1)
    var sounds = PictureGrid(
      "Log-mel of an utterance of each: time to the right, high tones above", columns: 5, scale: 2)
    let truth = test.targets.array(of: Int32.self)
    for digit in 0..<10 {
      guard let place = truth.firstIndex(of: Int32(digit)) else { continue }
      let rows = (0..<LogMel.bands).reversed().map { test.inputs[place, $0].array(of: Double.self) }
      sounds.add(rows, label: "\(digit)")
    }
    figure.add(sounds)
    var table = PictureGrid("Digits (rows, from 0 above) told as digits (columns)", columns: 1, scale: 16)
    table.add(counts.map { row in row.map { $0 / max(1, row.reduce(0, +)) } })
    figure.add(table)
    return figure
  }
}
