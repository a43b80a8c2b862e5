/// What a comparison of gradients with differences found.
public struct GradientCheck: Sendable, CustomStringConvertible {
  /// The largest |gradient - difference| / max(1, |gradient|, |difference|).
  public let largestError: Double
  /// Which source has it.
  public let source: Int
  /// Which of its elements, in their order.
  public let element: Int
  /// The gradient there.
  public let gradient: Double
  /// The difference there.
  public let difference: Double

  /// One line.
  public var description: String {
    "largest error \(largestError) at element \(element) of source \(source): "
      + "gradient \(gradient), by differences \(difference)"
  }
}

/// Compares gradients with central differences, (f(x + h) - f(x - h)) / 2h, element by element.
///
///     let check = checkGradients(of: { $0[0].tanh() }, at: [Tensor.normal([3, 4], dtype: .float64)])
///     assert(check.largestError < 1e-6)
///
/// - Parameters:
///   - function: What is differentiated. A result that is not a scalar is weighted with fixed numbers and summed, so that no
///     element's gradient hides. It must give the same result for the same arguments.
///   - sources: Where: float64, because differences in float32 say little.
///   - step: h.
/// - Returns: The largest error of all elements of all sources.
public func checkGradients(
  of function: (_ sources: [Tensor]) -> Tensor, at sources: [Tensor], step: Double = 1e-5
) -> GradientCheck {
  for x in sources { require(x.dtype == .float64, "checkGradients takes float64 tensors, not \(x.dtype) \(x.shape)") }
  func scalar(_ sources: [Tensor]) -> Tensor {
    let y = function(sources)
    let weights = (0..<y.count).map { 0.5 + Double(($0 * 37 + 11) % 64) / 64 }
    return (y * Tensor(weights, shape: y.shape)).sum()
  }
  let tracked = sources.map { $0.tracked() }
  let found = gradients(of: scalar(tracked), by: tracked).map { $0.array(of: Double.self) }
  var worst = GradientCheck(largestError: -1, source: 0, element: 0, gradient: 0, difference: 0)
  for (s, x) in sources.enumerated() {
    let values = x.array(of: Double.self)
    for i in values.indices {
      func shifted(_ h: Double) -> Double {
        var moved = values
        moved[i] += h
        var all = sources
        all[s] = Tensor(moved, shape: x.shape)
        return scalar(all).scalar
      }
      let difference = (shifted(step) - shifted(-step)) / (2 * step)
      let gradient = found[s][i]
      let error = abs(gradient - difference) / Swift.max(1, abs(gradient), abs(difference))
      // NaN is the largest of all.
      if !(error <= worst.largestError) {
        worst = GradientCheck(
          largestError: error.isNaN ? .infinity : error, source: s, element: i, gradient: gradient,
          difference: difference)
      }
    }
  }
  return worst
}
