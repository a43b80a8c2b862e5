/// What an epoch of a training gave.
public struct EpochRecord: Sendable, Hashable {
  /// Its number, from 1 on.
  public var epoch: Int
  /// The steps of all epochs until its end.
  public var step: Int
  /// The mean loss of its samples, each measured before the step that it was used for.
  public var loss: Double
  /// The metrics, likewise, in the trainer's order.
  public var metrics: [Double]
  /// The mean loss of the validation's samples after the epoch; nil where there is none.
  public var validationLoss: Double?
  /// Its metrics.
  public var validationMetrics: [Double]
  /// The learning rate of its last step.
  public var learningRate: Double
  /// Samples that were trained on.
  public var samples: Int
  /// Seconds that training took, without validation.
  public var seconds: Double

  /// Training speed.
  public var samplesPerSecond: Double { seconds > 0 ? Double(samples) / seconds : 0 }
}

extension EpochRecord {
  /// A table of records for a spreadsheet, with a line of names.
  static func csv(_ records: [EpochRecord], metrics: [String]) -> String {
    let hasValidation = records.contains { $0.validationLoss != nil }
    var names = ["epoch", "step", "loss"] + metrics
    if hasValidation { names += ["validation_loss"] + metrics.map { "validation_" + $0 } }
    names += ["learning_rate", "samples", "seconds"]
    var lines = [names.joined(separator: ",")]
    for r in records {
      var cells = ["\(r.epoch)", "\(r.step)", "\(r.loss)"] + r.metrics.map { "\($0)" }
      if let loss = r.validationLoss {
        cells += ["\(loss)"] + r.validationMetrics.map { "\($0)" }
      } else if hasValidation {
        cells += [String](repeating: "", count: 1 + metrics.count)
      }
      cells += ["\(r.learningRate)", "\(r.samples)", "\(r.seconds)"]
      lines.append(cells.joined(separator: ","))
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// All numbers, by which a checkpoint has the record exactly.
  var numbers: [Double] {
    [Double(epoch), Double(step), loss] + metrics + [validationLoss == nil ? 0 : 1, validationLoss ?? 0]
      + validationMetrics + [learningRate, Double(samples), seconds]
  }

  /// The record of such numbers; nil where they are not as many.
  init?(_ numbers: [Double], metrics count: Int) {
    guard numbers.count >= 8 + count, let epoch = Int(exactly: numbers[0]), let step = Int(exactly: numbers[1]) else {
      return nil
    }
    let hasValidation = numbers[3 + count] != 0
    let validation = hasValidation ? count : 0
    guard numbers.count == 8 + count + validation, let samples = Int(exactly: numbers[6 + count + validation]) else {
      return nil
    }
    // What can be added up without overflow.
    let counts = 0...1 << 50
    guard counts.contains(epoch), counts.contains(step), counts.contains(samples),
      (0...1e12).contains(numbers[7 + count + validation])
    else { return nil }
    self.init(
      epoch: epoch, step: step, loss: numbers[2], metrics: Array(numbers[3..<3 + count]),
      validationLoss: hasValidation ? numbers[4 + count] : nil,
      validationMetrics: Array(numbers[5 + count..<5 + count + validation]),
      learningRate: numbers[5 + count + validation], samples: samples, seconds: numbers[7 + count + validation])
  }
}
