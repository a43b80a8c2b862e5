/// A sum of products of doubles, about 2000 times as exact as a double: 80-bit numbers where the CPU has them, else a
/// pair of doubles (T. Ogita, S. Rump, S. Oishi, "Accurate Sum and Dot Product", 2005).
struct WideSum {
  #if arch(x86_64) && !os(Windows)
    private var sum: Float80 = 0

    @inline(__always) mutating func add(_ a: Double, _ b: Double) { sum += Float80(a) * Float80(b) }

    /// As an unevaluated sum of two doubles.
    var parts: (high: Double, low: Double) {
      let high = Double(sum)
      return (high, high.isFinite ? Double(sum - Float80(high)) : 0)
    }
  #else
    private var sum = 0.0
    private var error = 0.0

    @inline(__always) mutating func add(_ a: Double, _ b: Double) {
      let product = a * b
      let next = sum + product
      let shifted = next - sum
      error += ((sum - (next - shifted)) + (product - shifted)) + (-product).addingProduct(a, b)
      sum = next
    }

    /// As an unevaluated sum of two doubles.
    var parts: (high: Double, low: Double) {
      let high = sum + error
      return sum.isFinite && high.isFinite ? (high, error - (high - sum)) : (sum, 0)
    }
  #endif
}
