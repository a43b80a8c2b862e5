import ApusKernelInterface

/// What kernels read of a geometry, in memory that lives with the plan: along each dimension the taps of every window and
/// the windows over every position; and an average's factors where they differ.
final class PoolingTables {
  private let memory: UnsafeMutableRawPointer
  private var factorMemory: UnsafeMutableRawPointer?
  private(set) var shape: PoolingShape
  /// Elements of all windows of a plane, padding included.
  private(set) var taps = 1.0

  deinit {
    Memory.free(memory)
    Memory.free(factorMemory)
  }

  /// The descriptor must be valid, and `output` its output's size.
  init(_ descriptor: PoolingDescriptor, output: Extents) throws(ApusError) {
    let window = descriptor.window
    // Without data there is no call either: nothing but the pointers is needed.
    let isEmpty = descriptor.batch == 0 || descriptor.channels == 0
    let entries = isEmpty ? 1 : (0..<3).reduce(0) { $0 + output[$1] + window.input[$1] }
    let memory = try Memory.allocate(bytes: entries * MemoryLayout<PoolingSpan>.stride)
    self.memory = memory
    var next = memory.assumingMemoryBound(to: PoolingSpan.self)
    // Divisors along each dimension.
    var divisors: [[Int]] = []
    // Elements of all windows along each dimension.
    var sums: [Double] = []
    func dimension(_ i: Int) -> PoolingDimension {
      let windows = next
      let covers = isEmpty ? next : next + output[i]
      var result = PoolingDimension(windows: windows, covers: covers)
      result.input = window.input[i]
      result.output = output[i]
      let isAdaptive = descriptor.adaptiveOutput != nil
      if !isAdaptive {
        result.dilation = window.dilation[i]
        result.stride = window.stride[i]
        result.padBefore = window.padBefore[i]
        result.window = window.window[i]
      } else {
        result.stride = 0
        result.window = 0
      }
      if isEmpty { return result }
      var counts: [Int] = []
      for o in 0..<output[i] {
        var first = 0
        var count = 0
        if isAdaptive {
          first = o * window.input[i] / output[i]
          count = ((o + 1) * window.input[i]).dividedRoundingUp(by: output[i]) - first
        } else {
          (first, count) = window.taps(o, i)
        }
        windows[o] = PoolingSpan(first: Int32(first), count: Int32(count))
        if descriptor.kind == .average || isAdaptive {
          // An adaptive problem's stride and window may be any numbers.
          counts.append(count)
        } else if descriptor.kind == .averageIncludingPadding {
          // PyTorch's rule: a window that hangs over the padding is cut there.
          let start = o * window.stride[i] - window.padBefore[i]
          counts.append(min(window.window[i], window.input[i] + window.padAfter[i] - start))
        }
      }
      divisors.append(counts)
      sums.append(
        isAdaptive
          ? (0..<output[i]).reduce(0) { $0 + Double(windows[$1].count) } : Double(output[i]) * Double(window.window[i]))
      // Windows begin and end in order, so those over a position are neighbours. With padding before the input counted,
      // or a dilated window could begin after its successor.
      func reach(_ o: Int) -> ClosedRange<Int> {
        if isAdaptive { return Int(windows[o].first)...Int(windows[o].first + windows[o].count) - 1 }
        let start = o * window.stride[i] - window.padBefore[i]
        return start...start + window.span[i] - 1
      }
      var begin = 0
      var end = 0
      for position in 0..<window.input[i] {
        while end < output[i] && reach(end).lowerBound <= position { end += 1 }
        while begin < end && reach(begin).upperBound < position { begin += 1 }
        covers[position] = PoolingSpan(first: Int32(begin), count: Int32(end - begin))
      }
      next = covers + window.input[i]
      return result
    }
    var shape = PoolingShape(depth: dimension(0), height: dimension(1), width: dimension(2))
    shape.operation =
      switch descriptor.kind {
      case .maximum: .maximum
      case .average, .averageIncludingPadding: .average
      case .norm: .norm
      }
    shape.channels = descriptor.layout == .channelsLast ? descriptor.channels : 1
    shape.norm = descriptor.norm
    shape.indicesAreWide = descriptor.indexType == .int64
    self.shape = shape
    taps = sums.reduce(1, *)
    if shape.operation == .average && !isEmpty {
      if divisors.allSatisfy({ counts in counts.allSatisfy { $0 == counts[0] } }) {
        self.shape.factor = 1 / (Double(divisors[0][0]) * Double(divisors[1][0]) * Double(divisors[2][0]))
      } else {
        let factors = try Memory.allocate(bytes: output.product * descriptor.dataType.size)
        factorMemory = factors
        self.shape.factors = UnsafeRawPointer(factors)
        var place = 0
        for d in divisors[0] {
          for h in divisors[1] {
            for w in divisors[2] {
              let divisor = Double(d) * Double(h) * Double(w)
              if descriptor.dataType == .float32 {
                factors.storeBytes(of: 1 / Float(divisor), toByteOffset: place * 4, as: Float.self)
              } else {
                factors.storeBytes(of: 1 / divisor, toByteOffset: place * 8, as: Double.self)
              }
              place += 1
            }
          }
        }
      }
    }
  }
}
