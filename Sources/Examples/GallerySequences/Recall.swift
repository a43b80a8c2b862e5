import Apus
import ArgumentParser
import ExampleSupport
import Foundation

/// Recurrent layers of one size.
enum CellKind: String, CaseIterable {
  case rnn, lstm, gru

  func make(inputSize: Int, hiddenSize: Int) -> RecurrentLayer {
    switch self {
    case .rnn: SimpleRNN(inputSize: inputSize, hiddenSize: hiddenSize, isBatchFirst: true)
    case .lstm: LSTM(inputSize: inputSize, hiddenSize: hiddenSize, isBatchFirst: true)
    case .gru: GRU(inputSize: inputSize, hiddenSize: hiddenSize, isBatchFirst: true)
    }
  }
}

/// Symbols to be told apart after a lag (after S. Hochreiter, J. Schmidhuber, 1997): the first is one of `symbols`, then come
/// `lag` others, drawn from an alphabet of their own, as many again. The first is asked for at the end.
struct RecallTask: Dataset {
  let symbols: Int, lag: Int, count: Int

  func batch(_ indices: [Int]) -> Batch {
    var choices = Choices.ofBatch()
    var inputs: [Int32] = [], targets: [Int32] = []
    for _ in indices {
      targets.append(.random(in: 0..<Int32(symbols), using: &choices))
      inputs.append(targets[targets.count - 1])
      for _ in 0..<lag { inputs.append(.random(in: Int32(symbols)..<Int32(2 * symbols), using: &choices)) }
    }
    return Batch(inputs: Tensor(inputs, shape: [indices.count, lag + 1]), targets: Tensor(targets))
  }
}

/// Many to one: the state after the last step tells the first symbol.
final class RecallModel: Module {
  let cell: RecurrentLayer
  let output: Linear
  private let symbols: Int

  init(_ kind: CellKind, symbols: Int, hidden: Int) {
    self.symbols = symbols
    cell = kind.make(inputSize: 2 * symbols, hiddenSize: hidden)
    output = Linear(hidden, symbols)
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let (_, last) = cell(x.oneHot(2 * symbols), state: nil)
    return output(last.hidden[0])
  }

  /// Gates begin such that a state is kept for about `lag` steps (C. Tallec, Y. Ollivier, 2018): a bias of log(lag) of an
  /// LSTM's forget gate (F. Gers et al., 2000), the negative of its input gate, and log(lag) of a GRU's update gate, which is
  /// both. A simple cell has none.
  func openGates(lag: Int) throws {
    let hidden = output.weight.value.shape[1], bias = Tensor(repeating: log(Double(lag)), shape: [hidden])
    var state = cell.state
    // The second of the cell's gates is the forget or the update gate.
    if !(cell is SimpleRNN) { state["bias_ih_l0"]?[hidden..<2 * hidden] = bias }
    if cell is LSTM { state["bias_ih_l0"]?[0..<hidden] = -bias }
    try cell.load(state)
  }
}

struct Recall: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "recall",
    abstract: "A long lag: LSTM and GRU tell the first symbol of a sequence, a simple cell does not.",
    discussion:
      "All three have states of one size and the same batches. The figure is their accuracy over steps and lags.")

  @OptionGroup var options: RunOptions
  @Option(help: "Symbols between the first and the question.")
  var lag: Int?
  @Option(help: "Numbers in the state.")
  var hidden: Int?
  @Option(help: "Epochs of 25 batches; a cell that is always right ends before.")
  var epochs: Int?
  @Option(help: "Adam's learning rate at the beginning; it falls to 0 along a cosine.")
  var learningRate: Double?

  func validate() throws {
    if let lag { try check("lag", lag, in: 2...1000) }
    if let hidden { try check("hidden", hidden, in: 4...1024) }
    if let epochs { try check("epochs", epochs, in: 1...1000) }
    try checkLearningRate(learningRate)
  }

  func run() throws {
    let lag = lag ?? (options.small ? 50 : 100), hidden = hidden ?? (options.small ? 32 : 64)
    let symbols = options.small ? 4 : 8, batchSize = options.small ? 32 : 64
    var steps = Chart("Accuracy over training steps, lag \(lag)", x: "step", y: "accuracy")
    var lags = Chart("Accuracy of the trained cells over lags", x: "lag", y: "accuracy")
    var outcome = Outcome(sampleName: "sequences"), table = "cell  parameters  steps  accuracy\n"
    for kind in CellKind.allCases {
      try options.seeded {
        let model = RecallModel(kind, symbols: symbols, hidden: hidden)
        try model.openGates(lag: lag)
        let plan = Training(
          epochs: epochs ?? (options.small ? 12 : 40), batchSize: batchSize,
          rate: learningRate ?? (options.small ? 0.005 : 0.002), sampleName: "sequences"
        )
        let task = RecallTask(symbols: symbols, lag: lag, count: 25 * batchSize)
        let (trainer, loader) = plan.trainer(model, on: task, options)
        func test(_ lag: Int, seed: UInt64) -> DataLoader {
          DataLoader(RecallTask(symbols: symbols, lag: lag, count: 1000), batchSize: 250, seed: seed)
        }
        print("\(kind.rawValue): \(model.parameterCount) parameters")
        trainer.onEpoch = { if $0.validationMetrics[0] == 1 { trainer.stop() } }
        let history = try trainer.fit(loader, validation: test(lag, seed: options.testSeed))
        // On other sequences than those by which the training ended.
        func accuracy(_ lag: Int) throws -> Double {
          try trainer.evaluate(test(lag, seed: options.testSeed ^ 1)).metrics[0]
        }
        let accuracyAtEnd = try accuracy(lag)
        table += "\(kind.rawValue)  \(model.parameterCount)  \(trainer.step)  \(rounded(accuracyAtEnd))\n"
        steps.add(kind.rawValue, history.map { (x: Double($0.step), y: $0.validationMetrics[0]) })
        lags.add(
          kind.rawValue,
          try [lag / 8, lag / 4, lag / 2, lag, lag * 3 / 2, lag * 2].map {
            (x: Double($0), y: try accuracy($0))
          })
        outcome.count(history)
        if kind == .rnn {
          outcome.require("rnn after the lag: accuracy", accuracyAtEnd, atMost: 0.6)
        } else {
          outcome.require(
            "\(kind.rawValue) after the lag: accuracy", accuracyAtEnd, atLeast: options.small ? 0.9 : 0.99)
        }
      }
    }
    print(table, terminator: "")
    try options.draw {
      var figure = Figure("Recall of one of \(symbols) symbols after \(lag) others")
      figure.add(steps)
      figure.add(lags)
      return figure
    }
    try outcome.finish()
  }
}
