import ApusEngine

/// A pooling problem with random data and what should come out, from plain float64 loops over the definition. Geometry is
/// worked out here, not with the engine's own code.
public final class PoolingTrial {
  /// The problem.
  public let descriptor: PoolingDescriptor
  /// Size of the output.
  public let output: Extents
  /// Input-shaped and output-shaped data as they lie in memory.
  public var x: [Double]
  /// The gradient that is sent back, as it lies in memory.
  public var dy: [Double]
  /// What dx holds before.
  public var oldGradient: [Double]
  /// Results of the forward pass, and the allowed error of y.
  public private(set) var y: [Double] = []
  /// Positions of maxima.
  public private(set) var indices: [Int] = []
  private var boundY: [Double] = []

  /// Random data; few different values where `ties`.
  public init(_ descriptor: PoolingDescriptor, seed: UInt64, ties: Bool = false) {
    self.descriptor = descriptor
    output = Self.outputSize(descriptor)
    var random = Randomness(seed: seed)
    let planes = descriptor.batch * descriptor.channels
    let type = descriptor.dataType
    func numbers(_ count: Int, ties: Bool) -> [Double] {
      (0..<count).map { _ in ties ? Double(random.int(-2...2)) : type.rounded(random.real()) }
    }
    x = numbers(planes * descriptor.window.input.product, ties: ties)
    dy = numbers(planes * output.product, ties: false)
    oldGradient = numbers(x.count, ties: false)
    updateExpectation()
  }

  /// Counts window after window.
  static func outputSize(_ d: PoolingDescriptor) -> Extents {
    if let output = d.adaptiveOutput { return output }
    var size = Extents(repeating: 1)
    for i in 0..<3 {
      let padded = d.window.input[i] + d.window.padBefore[i] + d.window.padAfter[i]
      let span = (d.window.window[i] - 1) * d.window.dilation[i] + 1
      var count = 0
      while count * d.window.stride[i] + span <= padded { count += 1 }
      let end = (count - 1) * d.window.stride[i] + span
      if d.window.rounding == .ceil && end < padded
        && count * d.window.stride[i] < d.window.input[i] + d.window.padBefore[i]
      {
        count += 1
      }
      size[i] = count
    }
    return size
  }

  /// Where element `position` of a plane lies.
  public func place(_ n: Int, _ c: Int, _ position: Int, _ size: Extents) -> Int {
    descriptor.layout == .channelsFirst
      ? (n * descriptor.channels + c) * size.product + position
      : (n * size.product + position) * descriptor.channels + c
  }

  /// Positions in the input of a window along one dimension, and how many count for the divisor.
  private func taps(_ o: Int, _ i: Int) -> (positions: [Int], divisor: Int) {
    let input = descriptor.window.input[i]
    if descriptor.adaptiveOutput != nil {
      let positions = Array(o * input / output[i]..<((o + 1) * input + output[i] - 1) / output[i])
      return (positions, positions.count)
    }
    let window = descriptor.window
    let all = (0..<window.window[i]).map { o * window.stride[i] - window.padBefore[i] + $0 * window.dilation[i] }
    let inside = all.filter { (0..<input).contains($0) }
    let padded = all.filter { $0 < input + window.padAfter[i] }
    return (inside, descriptor.kind == .averageIncludingPadding ? padded.count : inside.count)
  }

  /// Calls `body` with every window: its output position, the input positions of its elements in order, its divisor.
  private func forEachWindow(_ body: (Int, [Int], Int) -> Void) {
    let input = descriptor.window.input
    let width = (0..<output.width).map { taps($0, 2) }
    let height = (0..<output.height).map { taps($0, 1) }
    for d in 0..<output.depth {
      let depth = taps(d, 0)
      for h in 0..<output.height {
        for w in 0..<output.width {
          var positions: [Int] = []
          for i in depth.positions {
            for j in height[h].positions {
              for k in width[w].positions { positions.append((i * input.height + j) * input.width + k) }
            }
          }
          body(
            (d * output.height + h) * output.width + w, positions,
            depth.divisor * height[h].divisor * width[w].divisor)
        }
      }
    }
  }

  /// Forward, from `x` as it is now.
  public func updateExpectation() {
    let planes = descriptor.batch * descriptor.channels
    y = [Double](repeating: 0, count: planes * output.product)
    boundY = y
    indices = [Int](repeating: 0, count: y.count)
    let epsilon = descriptor.dataType.epsilon
    forEachWindow { o, positions, divisor in
      for n in 0..<descriptor.batch {
        for c in 0..<descriptor.channels {
          let to = place(n, c, o, output)
          let values = positions.map { x[place(n, c, $0, descriptor.window.input)] }
          switch descriptor.kind {
          case .maximum:
            var best = 0
            for i in values.indices.dropFirst()
            where values[i] > values[best] || (values[i].isNaN && !values[best].isNaN) {
              best = i
            }
            y[to] = values[best]
            indices[to] = positions[best]
          case .average, .averageIncludingPadding:
            y[to] = values.reduce(0, +) / Double(divisor)
            let magnitude = values.reduce(0) { $0 + abs($1) } / Double(divisor)
            boundY[to] = epsilon * Double(values.count + 2) * magnitude
          case .norm:
            let p = descriptor.norm
            y[to] = root(values.reduce(0) { $0 + power(abs($1), p) }, p)
            // Each term and the sum are within a few roundings, of which the root takes the p-th part.
            boundY[to] = epsilon * (Double(values.count + 4) / p + 4) * y[to]
          }
        }
      }
    }
  }

  /// dx and its allowed error, from `dy`, `x` and the forward pass.
  public func expectedGradient(accumulates: Bool) -> (values: [Double], bounds: [Double]) {
    var result = [Double](repeating: 0, count: x.count)
    var magnitude = result
    var terms = [Int](repeating: 0, count: x.count)
    let p = descriptor.norm
    forEachWindow { o, positions, divisor in
      for n in 0..<descriptor.batch {
        for c in 0..<descriptor.channels {
          let from = place(n, c, o, output)
          func add(_ position: Int, _ value: Double) {
            let to = place(n, c, position, descriptor.window.input)
            result[to] += value
            magnitude[to] += abs(value)
            terms[to] += 1
          }
          switch descriptor.kind {
          case .maximum: add(indices[from], dy[from])
          case .average, .averageIncludingPadding:
            for position in positions { add(position, dy[from] / Double(divisor)) }
          case .norm:
            for position in positions {
              let value = x[place(n, c, position, descriptor.window.input)]
              if value == 0 || y[from] == 0 { continue }
              add(position, dy[from] * (value < 0 ? -1 : 1) * power(abs(value) / y[from], p - 1))
            }
          }
        }
      }
    }
    let roundings = descriptor.kind == .norm ? 12 + 4 * abs(p - 1) : 4.0
    for i in result.indices {
      if accumulates {
        result[i] += oldGradient[i]
        magnitude[i] += abs(oldGradient[i])
      }
      magnitude[i] *= descriptor.dataType.epsilon * (Double(terms[i]) + roundings)
      if descriptor.kind == .norm {
        // y is rounded before it is used: (p - 1) times its relative error, which grows with the window.
        let window = descriptor.adaptiveOutput == nil ? descriptor.window.window.product : x.count
        magnitude[i] *= 1 + Double(window)
      }
    }
    return (result, magnitude)
  }

  /// nil where `value` is right for element `i` of y.
  public func objection(y value: Double, _ i: Int) -> String? {
    Self.objection(value, y[i], boundY[i]).map { "\(self): y[\(i)] is \($0)" }
  }

  static func objection(_ value: Double, _ expected: Double, _ bound: Double) -> String? {
    if expected.isNaN { return value.isNaN ? nil : "\(value) instead of NaN" }
    if value == expected || abs(value - expected) <= bound { return nil }
    return "\(value) instead of \(expected), allowed \(bound)"
  }
}

extension PoolingTrial: CustomStringConvertible {
  /// All that is needed to repeat it.
  public var description: String {
    "\(descriptor.dataType.name) \(descriptor.kind) \(descriptor.layout) n\(descriptor.batch) c\(descriptor.channels) "
      + "\(descriptor.window) adaptive \(String(describing: descriptor.adaptiveOutput)) p \(descriptor.norm) "
      + "\(descriptor.indexType.name)"
  }
}
