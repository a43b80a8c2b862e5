import Apus
import ExampleSupport
import Foundation

/// Tells at each step the symbol that came `delay` steps before.
final class Echo: Module {
  let cell: GRU
  let output: Linear

  init(hidden: Int) {
    cell = GRU(inputSize: 2, hiddenSize: hidden)
    output = Linear(hidden, 2)
  }

  func callAsFunction(_ x: Tensor) -> Tensor { step(x, nil).logits }

  func step(_ x: Tensor, _ state: RecurrentLayerState?) -> (logits: Tensor, state: RecurrentLayerState) {
    let (y, last) = cell(x.oneHot(2), state: state)
    return (output(y), last)
  }
}

extension Gradients {
  /// Backpropagation through windows of a sequence, the state of one carried to the next off the tape (R. Williams, J. Peng,
  /// 1990), against the whole sequence. What is further back than the window cannot be learned; the rest is learned sooner,
  /// with an update for each window.
  func compareTruncation(_ outcome: inout Outcome) -> Chart {
    let length = options.small ? 32 : 120, delay = options.small ? 3 : 8, batch = options.small ? 16 : 32
    let sequences = options.small ? 120 : 400
    var chart = Chart("Echo of bits after \(delay) steps", x: "sequences read", y: "bits per symbol")
    print("window  updates  bits per symbol  seconds")
    for window in [delay / 2, 2 * delay, length] {
      options.seeded {
        let model = Echo(hidden: options.small ? 24 : 64)
        let optimizer = Adam(model.parameters, learningRate: 0.005)
        var choices = Choices(seed: options.seed), updates = 0
        var losses: [Double] = []
        let start = ContinuousClock.now
        for _ in 0..<sequences {
          let bits = (0..<length * batch).map { _ in Int32.random(in: 0...1, using: &choices) }
          let x = Tensor(bits, shape: [length, batch])
          var state: RecurrentLayerState?, sum = 0.0, count = 0
          for first in stride(from: 0, to: length, by: window) {
            let part = first..<min(first + window, length)
            let (logits, last) = model.step(x[part], state)
            state = last.detached()
            // The first symbols of a sequence have none before them to tell.
            let told = max(part.lowerBound, delay)..<max(part.upperBound, delay)
            if told.isEmpty { continue }
            let loss = softmaxCrossEntropy(
              logits[told.lowerBound - first..<told.upperBound - first],
              x[told.lowerBound - delay..<told.upperBound - delay])
            sum += loss.scalar * Double(told.count)
            count += told.count
            loss.backward()
            model.parameters.clipGradients(toNorm: 1)
            optimizer.step()
            updates += 1
          }
          losses.append(sum / Double(count) / log(2))
        }
        let time = start.duration(to: .now) / .seconds(1)
        let bits = losses.suffix(sequences / 10).reduce(0, +) / Double(sequences / 10)
        let name = window == length ? "full, \(window)" : "window \(window)"
        print("\(name)  \(updates)  \(rounded(bits))  \(rounded(time))")
        chart.add(name, stride(from: 0, to: sequences, by: 4).map { (x: Double($0 * batch), y: losses[$0]) })
        outcome.count(samples: sequences * batch, seconds: time)
        if window < delay {
          outcome.require("\(name), shorter than the lag: bits per symbol", bits, atLeast: 0.5)
        } else {
          outcome.require("\(name): bits per symbol", bits, atMost: 0.2)
        }
      }
    }
    return chart
  }
}
