import ApusEngine

extension ConvolutionTrial {
  /// For each element of the result of a gathering direction, in the reference's order, what the header measures
  /// Winograd's error by: over the channels that are summed, the largest magnitude of the 6x6 inputs that the element's 4x4
  /// tile reads, times the sum of the magnitudes of the channel's nine weights. 3x3, stride 1, one group.
  func winogradMagnitudes() -> [Double] {
    let d = descriptor
    let isForward = direction == .forward
    let gathersSmall = isForward != d.isTransposed
    let source = canonical(isForward ? .x : .dy)
    let weights = canonical(.weights)
    let (from, to) = isForward ? (d.window.input, outputSize) : (outputSize, d.window.input)
    let sources = isForward ? d.inputChannels : d.outputChannels
    let results = isForward ? d.outputChannels : d.inputChannels
    let top = gathersSmall ? -d.window.padBefore.height : d.window.padBefore.height - 2
    let left = gathersSmall ? -d.window.padBefore.width : d.window.padBefore.width - 2
    let tileRows = (to.height + 3) / 4
    let tileColumns = (to.width + 3) / 4
    // The framework's order has the small side's channels outside.
    var sums = [Double](repeating: 0, count: sources * results)
    for k in 0..<results {
      for c in 0..<sources {
        let first = (gathersSmall ? k * sources + c : c * results + k) * 9
        sums[k * sources + c] = weights[first..<first + 9].reduce(0) { $0 + abs($1) }
      }
    }
    var magnitudes: [Double] = []
    for n in 0..<d.batch {
      var largest = [Double](repeating: 0, count: sources * tileRows * tileColumns)
      for c in 0..<sources {
        for tile in 0..<tileRows * tileColumns {
          var most = 0.0
          for i in 0..<36 {
            let h = tile / tileColumns * 4 + top + i / 6
            let w = tile % tileColumns * 4 + left + i % 6
            if h < 0 || w < 0 || h >= from.height || w >= from.width { continue }
            most = max(most, abs(source[((n * sources + c) * from.height + h) * from.width + w]))
          }
          largest[c * tileRows * tileColumns + tile] = most
        }
      }
      for k in 0..<results {
        for p in 0..<to.product {
          let tile = p / to.width / 4 * tileColumns + p % to.width / 4
          var sum = 0.0
          for c in 0..<sources { sum += sums[k * sources + c] * largest[c * tileRows * tileColumns + tile] }
          magnitudes.append(sum)
        }
      }
    }
    return magnitudes
  }
}

extension ConvolutionTrial {
  /// A problem that differs in layouts only, with the same numbers.
  public convenience init(
    _ descriptor: ConvolutionDescriptor, _ direction: ConvolutionDirection, sameDataAs other: ConvolutionTrial
  ) {
    self.init(descriptor, direction, accumulate: other.accumulate)
    for name in inputs + results {
      if [.weights, .dw, .bias, .db].contains(name) {
        for i in 0..<count(name) { self[name, i] = other[name, i] }
        continue
      }
      forEachElement(name) { self[name, index(name, $0, $1, $2)] = other[name, other.index(name, $0, $1, $2)] }
    }
  }

  /// A tensor of an outcome by sample, channel, position.
  public func canonical(_ data: ConvolutionData, of outcome: ConvolutionOutcome) -> [Double] {
    var values: [Double] = []
    forEachElement(data) { values.append(element(outcome, data, index(data, $0, $1, $2))) }
    return values
  }

  private func forEachElement(_ data: ConvolutionData, _ body: (Int, Int, Int) -> Void) {
    let isX = data == .x || data == .dx
    for n in 0..<descriptor.batch {
      for c in 0..<(isX ? descriptor.inputChannels : descriptor.outputChannels) {
        for p in 0..<(isX ? descriptor.window.input : outputSize).product { body(n, c, p) }
      }
    }
  }
}
