import Apus

/// What an operation on tensors costs beside its kernel: tensors of one element, so that there is nothing else.
public struct OperationCost {
  private struct Candidate {
    var name: String
    /// Operations of a call.
    var operations: Int
    var call: () -> Void
    var seconds: [Double] = []
  }

  private let seconds: Double

  /// `seconds` for each figure.
  public init(seconds: Double) { self.seconds = seconds }

  /// The columns of the table.
  public static let columns = [
    Column("operation", "operation", width: 32, isLeading: true), Column("ns", "ns", decimals: 0),
    Column("min_ns", "least ns", decimals: 0),
  ]

  /// Measures in alternating rounds. Returns false after Ctrl-C.
  public func run(report: Report, progress: Progress = Progress()) -> Bool {
    var candidates = Self.candidates()
    let rounds = 3
    for _ in 0..<rounds {
      for i in candidates.indices {
        progress.show("operations: \(candidates[i].name)")
        let call = candidates[i].call
        candidates[i].seconds += Sampler(seconds: seconds / Double(rounds)).measure { call() }
        if Interrupt.isPending {
          progress.clear()
          return false
        }
      }
    }
    progress.clear()
    for candidate in candidates {
      var record = Record()
      record["operation"] = .text(candidate.name)
      record["samples"] = .integer(candidate.seconds.count)
      record["ns"] = Field(Statistics.median(candidate.seconds) * 1e9 / Double(candidate.operations))
      record["min_ns"] = Field(Statistics.minimum(candidate.seconds) * 1e9 / Double(candidate.operations))
      report.add([record])
    }
    return true
  }

  private static func candidates() -> [Candidate] {
    let (a, b) = (Tensor([1 as Float]), Tensor([2 as Float]))
    let tracked = a.tracked()
    let (matrix, weight) = (Tensor.ones([1, 1]), Tensor.ones([1, 1]))
    let trackedWeight = weight.tracked()
    let chain = 64
    return [
      Candidate(name: "a + b", operations: 1) { _ = a + b },
      Candidate(name: "relu", operations: 1) { _ = a.relu() },
      Candidate(name: "matmul", operations: 1) { _ = matmul(matrix, weight) },
      Candidate(name: "linear", operations: 1) { _ = linear(matrix, weight: weight) },
      Candidate(name: "reshaped (a view)", operations: 1) { _ = a.reshaped([1, 1]) },
      Candidate(name: "a + b, on the tape", operations: 1) { _ = tracked + b },
      Candidate(name: "linear, on the tape", operations: 1) { _ = linear(matrix, weight: trackedWeight) },
      Candidate(name: "a + b, forward and backward", operations: 2 * chain) {
        var y = tracked
        for _ in 0..<chain { y = y + b }
        _ = gradients(of: y, by: [tracked])
      },
      Candidate(name: "relu, forward and backward", operations: 2 * chain) {
        var y = tracked
        for _ in 0..<chain { y = y.relu() }
        _ = gradients(of: y, by: [tracked])
      },
    ]
  }
}
