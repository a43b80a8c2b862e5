/// A figure of how good outputs are, averaged over the samples of an epoch.
public struct Metric: Sendable {
  /// What tables and files call it.
  public let name: String
  private let function: @Sendable (_ output: Tensor, _ targets: Tensor) -> Tensor

  /// A metric by its values.
  ///
  /// - Parameters:
  ///   - name: What tables and files call it; no comma, no white space.
  ///   - function: From the output of a batch and its targets, off the tape, numbers whose mean counts.
  public init(_ name: String, _ function: @escaping @Sendable (_ output: Tensor, _ targets: Tensor) -> Tensor) {
    require(
      !name.isEmpty && !name.contains { $0 == "," || $0.isWhitespace },
      "a metric's name has no comma and no white space, but is \"\(name)\"")
    self.name = name
    self.function = function
  }

  /// The sum of the values of a batch, and how many there are.
  func measure(_ output: Tensor, _ targets: Tensor) -> Mean {
    let values = withoutGradients { function(output.detached(), targets) }
    let sum = values.array(of: Double.self).reduce(0, +)
    return Mean(sum: sum, weight: Double(values.count))
  }

  /// The share of samples whose largest output is that of their class: outputs ... x classes, targets int32 or int64 classes.
  public static let accuracy = Metric("accuracy") { output, targets in
    let classes = output.argmax().array(of: Int32.self)
    let labels = targets.array(of: Int32.self)
    require(
      classes.count == labels.count, "accuracy: the output \(output.shape) does not fit the targets \(targets.shape)")
    return Tensor(zip(classes, labels).map { $0 == $1 ? 1.0 : 0 })
  }

  /// The share of samples whose class is among the `k` largest outputs; of outputs that are the same, each counts as larger
  /// than the others.
  public static func topAccuracy(_ k: Int) -> Metric {
    require(k > 0, "topAccuracy takes a number above 0, not \(k)")
    return Metric("top\(k)_accuracy") { output, targets in
      let classes = output.shape[output.rank - 1]
      // By selection, not by a product: an output may be infinite. NaN is above nothing and at most nothing: a miss.
      let isOwn = targets.oneHot(classes, dtype: output.dtype) .> 0
      let own = select(isOwn, output, Tensor.zeros([], dtype: output.dtype)).sum(along: [-1], keepsAxes: true)
      let notAbove = (output .<= own).converted(to: output.dtype).sum(along: [-1])
      return notAbove .> Double(classes - k)
    }
  }

  /// The mean of |x - t|.
  public static let meanAbsoluteError = Metric("mean_absolute_error") { output, targets in
    (output - targets).absolute()
  }
}

/// A mean that is not yet complete.
struct Mean: Sendable, Hashable {
  var sum = 0.0
  var weight = 0.0

  var value: Double { weight == 0 ? 0 : sum / weight }

  static func += (a: inout Mean, b: Mean) {
    a.sum += b.sum
    a.weight += b.weight
  }
}
