import ApusEngine

/// The plain loops in float64 that every result is held against. They share nothing with the engine.
enum ConvolutionReference {
  /// Products to spend on a check: about a tenth of a second. Larger problems are checked at as many elements, one from
  /// each of as many equal parts of the result, at a place of the part that looks random, and at the last element.
  static let budget = 60_000_000

  /// Compares the result as it is with the loops, for one run from `ConvolutionOperands.resetResult`.
  ///
  /// The bound of an element is 8 eps times the sum of the absolute values of its terms, as for matrix multiplication;
  /// for Winograd's algorithm 64 eps, which is what the header promises.
  static func check(_ operands: ConvolutionOperands) -> CheckResult {
    switch operands.problem.type {
    case .float32: Loops<Float>(operands).check()
    case .float64: Loops<Double>(operands).check()
    }
  }

  /// Elements to compare of `total`, ascending.
  static func places(total: Int, termsOfEach terms: Int) -> [Int] {
    let count = min(total, max(16, budget / max(1, terms)))
    if count == total { return Array(0..<total) }
    let part = Double(total) / Double(count)
    return (0..<count).map { i in
      if i == count - 1 { return total - 1 }
      let start = Int(Double(i) * part)
      return start + Int((Buffer.value(i, 99) + 0.5) * Double(Int(Double(i + 1) * part) - start))
    }
  }
}

/// A tensor of channels and positions.
private struct View<T> {
  let data: UnsafePointer<T>
  let channels: Int
  let size: Extents
  let isChannelsLast: Bool

  init(_ buffer: Buffer, channels: Int, size: Extents, _ layout: TensorLayout) {
    data = UnsafePointer(buffer.pointer.assumingMemoryBound(to: T.self))
    self.channels = channels
    self.size = size
    isChannelsLast = layout == .channelsLast
  }

  /// Distance between channels.
  var channelStride: Int { isChannelsLast ? 1 : size.product }
  /// Distance between neighbours of a row.
  var pixelStride: Int { isChannelsLast ? channels : 1 }

  func index(_ sample: Int, _ channel: Int, _ depth: Int, _ height: Int, _ width: Int) -> Int {
    let position = (depth * size.height + height) * size.width + width
    return sample * channels * size.product + channel * channelStride + position * pixelStride
  }

  /// The logical place of the element at `index`.
  func place(_ index: Int) -> (sample: Int, channel: Int, position: Extents) {
    let within = index % (channels * size.product)
    let channel = isChannelsLast ? within % channels : within / size.product
    let position = isChannelsLast ? within / channels : within % size.product
    return (
      index / (channels * size.product), channel,
      Extents(position / size.width / size.height, position / size.width % size.height, position % size.width)
    )
  }
}

/// A sum and the sum of the absolute values of its terms.
private struct Terms {
  var sum = 0.0
  var magnitude = 0.0

  @inline(__always) mutating func add(_ x: Double) {
    sum += x
    magnitude += abs(x)
  }
}

/// A transposed convolution is a plain one with its sides exchanged: `big` is the side that the kernel slides over,
/// `small` has one element for each position of the kernel, and the weights are (small's channels, big's / groups, taps).
private struct Loops<T: BinaryFloatingPoint> {
  let operands: ConvolutionOperands
  let problem: ConvolutionProblem
  let window: SpatialWindow
  let x: View<T>
  let y: View<T>
  let big: View<T>
  let small: View<T>
  let weights: UnsafePointer<T>
  let taps: Int
  let bigPerGroup: Int
  let smallPerGroup: Int

  init(_ operands: ConvolutionOperands) {
    self.operands = operands
    problem = operands.problem
    let d = problem.descriptor
    window = d.window
    x = View(operands.x, channels: d.inputChannels, size: d.window.input, d.xLayout)
    y = View(operands.y, channels: d.outputChannels, size: problem.outputSize, d.yLayout)
    (big, small) = d.isTransposed ? (y, x) : (x, y)
    weights = UnsafePointer(operands.weights.pointer.assumingMemoryBound(to: T.self))
    taps = d.window.window.product
    bigPerGroup = big.channels / d.groups
    smallPerGroup = small.channels / d.groups
  }

  func check() -> CheckResult {
    let d = problem.descriptor
    var result = CheckResult(worst: 0, checked: 0, total: 0)
    switch problem.direction {
    case .forward:
      compare(y.data, operands.yCount, ConvolutionOperands.Seed.y, terms: termsOfElement(y), &result) { place, terms in
        let channel = y.place(place).channel
        gather(y, place, &terms)
        if let bias = operands.bias { terms.add(bias.element(problem.type, channel)) }
        if let residual = operands.residual { terms.add(residual.element(problem.type, place)) }
      }
    case .backwardData:
      compare(x.data, operands.xCount, ConvolutionOperands.Seed.x, terms: termsOfElement(x), &result) { place, terms in
        gather(x, place, &terms)
      }
    case .backwardWeights:
      let terms = d.batch * small.size.product
      compare(weights, operands.weightCount, ConvolutionOperands.Seed.weights, terms: terms, &result) { place, terms in
        gradient(place, &terms)
      }
      if let bias = operands.bias {
        let gradient = UnsafePointer(bias.pointer.assumingMemoryBound(to: T.self))
        let each = d.batch * y.size.product
        compare(gradient, d.outputChannels, ConvolutionOperands.Seed.bias, terms: each, &result) { channel, terms in
          for sample in 0..<d.batch {
            let start = y.index(sample, channel, 0, 0, 0)
            for i in 0..<y.size.product { terms.add(Double(y.data[start + i * y.pixelStride])) }
          }
        }
      }
    }
    return result
  }

  /// Elements of `data` at sampled places against what `expect` adds up, what was there before and the activation.
  private func compare(
    _ data: UnsafePointer<T>, _ total: Int, _ seed: UInt32, terms: Int, _ result: inout CheckResult,
    _ expect: (Int, inout Terms) -> Void
  ) {
    let d = problem.descriptor
    let factor = d.allowsWinograd || d.algorithm == .winograd ? 64.0 : 8.0
    let places = ConvolutionReference.places(total: total, termsOfEach: terms)
    result.total += total
    // A NaN in the weights' gradient stays, however right the bias's is.
    if result.worst.isNaN { return }
    for place in places {
      var terms = Terms()
      expect(place, &terms)
      if problem.accumulates { terms.add(Buffer.value(place, seed)) }
      let expected = GemmReference.activated(terms.sum, d.activation, slope: d.slope)
      // No activation here is steeper than 1; its own rounding is relative to its value. An element without a term is 0.
      let bound = factor * problem.type.epsilon * (terms.magnitude + abs(expected)) + Double.leastNormalMagnitude
      let error = abs(Double(data[place]) - expected) / bound
      // NaN, where the reference has none, is an error of any size.
      if !(error <= result.worst) { result.worst = error }
      result.checked += 1
      if result.worst.isNaN { return }
    }
  }

  /// Products that an element of `side` adds at most.
  private func termsOfElement(_ side: View<T>) -> Int { taps * (isSmall(side) ? bigPerGroup : smallPerGroup) }

  private func isSmall(_ side: View<T>) -> Bool { side.data == small.data }

  private func gather(_ side: View<T>, _ index: Int, _ terms: inout Terms) {
    if isSmall(side) { gatherSmall(index, &terms) } else { gatherBig(index, &terms) }
  }

  /// small[n][k][o] = sum over c, tap of weights[k][c][tap] big[n][c][o * stride - pad + tap * dilation].
  private func gatherSmall(_ index: Int, _ terms: inout Terms) {
    let (sample, channel, position) = small.place(index)
    let first = channel / smallPerGroup * bigPerGroup
    forTaps { tap, numbers in
      var p = Extents(repeating: 0)
      for i in 0..<3 {
        p[i] = position[i] * window.stride[i] - window.padBefore[i] + numbers[i] * window.dilation[i]
        if p[i] < 0 || p[i] >= big.size[i] { return }
      }
      let source = big.data + big.index(sample, first, p.depth, p.height, p.width)
      let w = weights + channel * bigPerGroup * taps + tap
      for c in 0..<bigPerGroup { terms.add(Double(w[c * taps]) * Double(source[c * big.channelStride])) }
    }
  }

  /// big[n][c][i] = sum over k, tap of weights[k][c][tap] small[n][k][o], where o * stride - pad + tap * dilation = i.
  private func gatherBig(_ index: Int, _ terms: inout Terms) {
    let (sample, channel, position) = big.place(index)
    let first = channel / bigPerGroup * smallPerGroup
    forTaps { tap, numbers in
      var p = Extents(repeating: 0)
      for i in 0..<3 {
        let way = position[i] + window.padBefore[i] - numbers[i] * window.dilation[i]
        p[i] = way / window.stride[i]
        if way < 0 || way % window.stride[i] != 0 || p[i] >= small.size[i] { return }
      }
      let source = small.data + small.index(sample, first, p.depth, p.height, p.width)
      let w = weights + (first * bigPerGroup + channel % bigPerGroup) * taps + tap
      for k in 0..<smallPerGroup {
        terms.add(Double(w[k * bigPerGroup * taps]) * Double(source[k * small.channelStride]))
      }
    }
  }

  /// weights[k][c][tap] = sum over n, o of small[n][k][o] big[n][c][o * stride - pad + tap * dilation].
  private func gradient(_ index: Int, _ terms: inout Terms) {
    let tap = index % taps
    let k = index / taps / bigPerGroup
    let c = k / smallPerGroup * bigPerGroup + index / taps % bigPerGroup
    let (kernel, output, input) = (window.window, small.size, big.size)
    let numbers = Extents(tap / kernel.width / kernel.height, tap / kernel.width % kernel.height, tap % kernel.width)
    var start = Extents(repeating: 0)
    for i in 0..<3 { start[i] = numbers[i] * window.dilation[i] - window.padBefore[i] }
    for sample in 0..<problem.descriptor.batch {
      for depth in 0..<output.depth {
        let d = start.depth + depth * window.stride.depth
        if d < 0 || d >= input.depth { continue }
        for height in 0..<output.height {
          let h = start.height + height * window.stride.height
          if h < 0 || h >= input.height { continue }
          let row = small.data + small.index(sample, k, depth, height, 0)
          let source = big.data + big.index(sample, c, d, h, 0)
          for width in 0..<output.width {
            let w = start.width + width * window.stride.width
            if w < 0 || w >= input.width { continue }
            terms.add(Double(row[width * small.pixelStride]) * Double(source[w * big.pixelStride]))
          }
        }
      }
    }
  }

  @inline(__always) private func forTaps(_ body: (Int, Extents) -> Void) {
    var tap = 0
    for d in 0..<window.window.depth {
      for h in 0..<window.window.height {
        for w in 0..<window.window.width {
          body(tap, Extents(d, h, w))
          tap += 1
        }
      }
    }
  }
}
