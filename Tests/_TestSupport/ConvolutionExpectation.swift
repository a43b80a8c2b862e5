import ApusEngine
import ApusKernelInterface

/// What a convolution's results should be, and how far each element may lie from it.
struct ConvolutionExpectation {
  /// Numbers in the reference's order.
  struct Numbers {
    var high: [Double] = []
    var low: [Double] = []
    var bound: [Double] = []

    /// Where infinite data meet the padding, what comes out if its zeros are passed over rather than multiplied.
    var passedOver: (high: [Double], bound: [Double])?

    /// nil where `value` is right for element `index`, else what it should be. NaN and infinity come out as they do in a
    /// plain loop.
    func objection(_ index: Int, _ value: Double) -> String? {
      let expected = high[index]
      if expected.isNaN {
        if value.isNaN { return nil }
        guard let passedOver, !passedOver.high[index].isNaN else { return "\(value) instead of NaN" }
        let other = passedOver.high[index]
        if value == other || abs(value - other) <= passedOver.bound[index] { return nil }
        return "\(value) instead of NaN, or \(other) without the padding"
      }
      if expected.isInfinite { return value == expected ? nil : "\(value) instead of \(expected)" }
      let error = abs((value - expected) - low[index])
      return error <= bound[index] ? nil : "\(value) instead of \(expected), off by \(error), allowed \(bound[index])"
    }
  }

  private(set) var numbers: [ConvolutionData: Numbers] = [:]

  init(_ trial: ConvolutionTrial) {
    let d = trial.descriptor
    let reference = ConvolutionReference(d, output: trial.outputSize)
    let main = trial.results[0]
    var products = Self.products(trial, reference)
    if d.algorithm == .winograd {
      for (i, magnitude) in trial.winogradMagnitudes().enumerated() { products[i].magnitude = magnitude }
    }
    // Added one after the other to each element.
    var terms: [[Double]] = []
    if trial.accumulate { terms.append(trial.canonical(main)) }
    if trial.direction == .forward {
      if d.hasBias {
        let bias = trial.canonical(.bias)
        let positions = trial.outputSize.product
        terms.append(products.indices.map { bias[$0 / positions % d.outputChannels] })
      }
      if d.hasResidual { terms.append(trial.canonical(trial.residualIsY ? .y : .residual)) }
    }
    let activation = trial.direction == .forward ? d.activation : .identity
    let multiple = d.algorithm == .winograd ? ErrorBound.winogradMultiple : ErrorBound.convolutionMultiple
    numbers[main] = Self.finish(products, terms, d, activation, multiple: multiple)
    if products.contains(where: { $0.high.isNaN }) {
      let others = Self.products(trial, ConvolutionReference(d, output: trial.outputSize, multipliesPadding: false))
      let finished = Self.finish(others, terms, d, activation, multiple: multiple)
      numbers[main]?.passedOver = (finished.high, finished.bound)
    }
    if trial.results.contains(.db) {
      let dy = trial.canonical(.dy)
      let positions = trial.outputSize.product
      let sums = (0..<d.outputChannels).map { k in
        var sum = WideSum()
        var magnitude = 0.0
        for n in 0..<d.batch {
          for p in 0..<positions {
            let value = dy[(n * d.outputChannels + k) * positions + p]
            sum.add(value, 1)
            magnitude += abs(value)
          }
        }
        return ReferenceProduct(high: sum.parts.high, low: sum.parts.low, magnitude: magnitude)
      }
      numbers[.db] = Self.finish(
        sums, trial.accumulate ? [trial.canonical(.db)] : [], d, .identity, multiple: ErrorBound.convolutionMultiple)
    }
  }

  private static func products(_ trial: ConvolutionTrial, _ reference: ConvolutionReference) -> [ReferenceProduct] {
    switch (trial.direction, trial.descriptor.isTransposed) {
    case (.forward, false): reference.gatherSmall(trial.canonical(.x), trial.canonical(.weights))
    case (.forward, true): reference.gatherBig(trial.canonical(.x), trial.canonical(.weights))
    case (.backwardData, false): reference.gatherBig(trial.canonical(.dy), trial.canonical(.weights))
    case (.backwardData, true): reference.gatherSmall(trial.canonical(.dy), trial.canonical(.weights))
    case (.backwardWeights, false): reference.gradient(trial.canonical(.x), trial.canonical(.dy))
    case (.backwardWeights, true): reference.gradient(trial.canonical(.dy), trial.canonical(.x))
    }
  }

  private static func finish(
    _ products: [ReferenceProduct], _ terms: [[Double]], _ d: ConvolutionDescriptor, _ activation: Activation,
    multiple: Double
  ) -> Numbers {
    let type = d.dataType
    let slope = type.rounded(d.slope)
    var result = Numbers()
    for (i, product) in products.enumerated() {
      var sum = WideSum()
      sum.add(product.high, 1)
      if product.low != 0 { sum.add(product.low, 1) }
      var magnitude = product.magnitude
      for term in terms {
        sum.add(term[i], 1)
        magnitude += abs(term[i])
      }
      let x = sum.parts
      let linear = multiple * (type.epsilon * magnitude + type.leastMagnitude)
      let y = activation == .identity ? x.high : ErrorBound.apply(activation, x.high, slope: slope)
      result.high.append(y)
      result.low.append(activation == .identity ? x.low : 0)
      result.bound.append(ErrorBound.activated(linear, y, activation, slope: slope, type))
    }
    return result
  }
}

extension ErrorBound {
  /// A convolution's sum may lie so many times eps * S from the exact one, S being the sum of its terms' magnitudes: with
  /// random data the roundings of K steps add up like sqrt(K) of them, of partial sums that are as small, so the multiple
  /// does not grow with K. (The guarantee is K eps S.)
  static let convolutionMultiple = 4.0
  /// What the header promises of Winograd's algorithm.
  static let winogradMultiple = 64.0
}
