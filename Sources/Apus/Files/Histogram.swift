/// How many elements of a tensor lie where. Buckets grow by a tenth from 1e-12 on, on both sides of 0, as TensorFlow has
/// them; NaN and infinite elements are left out.
struct Histogram {
  private(set) var least = 0.0
  private(set) var largest = 0.0
  private(set) var count = 0.0
  private(set) var sum = 0.0
  private(set) var sumOfSquares = 0.0
  /// Upper ends of the buckets from the first to the last that has an element.
  private(set) var limits: [Double] = []
  /// Elements of each.
  private(set) var counts: [Double] = []

  private static let allLimits: [Double] = {
    var positive: [Double] = []
    var limit = 1e-12
    while limit < 1e20 {
      positive.append(limit)
      limit *= 1.1
    }
    positive.append(.greatestFiniteMagnitude)
    return positive.reversed().map { -$0 } + [0] + positive
  }()

  init(_ tensor: Tensor) {
    let limits = Self.allLimits
    var all = [Double](repeating: 0, count: limits.count)
    for x in tensor.array(of: Double.self) where x.isFinite {
      least = count == 0 ? x : min(least, x)
      largest = count == 0 ? x : max(largest, x)
      count += 1
      sum += x
      sumOfSquares += x * x
      // The first bucket whose limit is above x.
      var (low, high) = (0, limits.count - 1)
      while low < high {
        let middle = (low + high) / 2
        if limits[middle] > x { high = middle } else { low = middle + 1 }
      }
      all[low] += 1
    }
    guard let first = all.firstIndex(where: { $0 > 0 }), let last = all.lastIndex(where: { $0 > 0 }) else { return }
    // An empty bucket at the beginning gives the first one its lower end.
    let start = max(0, first - 1)
    self.limits = Array(limits[start...last])
    counts = Array(all[start...last])
  }
}
