import ApusKernelInterface

/// The largest error met, and where.
public struct WorstError: Sendable {
  /// See `errorInUlp`.
  public var ulp = 0.0
  /// The argument.
  public var x = 0.0
  /// What the function gave for it.
  public var value = 0.0

  /// No error yet.
  public init() {}

  /// Of a function at each of the arguments.
  public init(of map: VectorMathKernels.Map, _ x: [Float], _ reference: VectorFunction) {
    var y = [Float](repeating: -7, count: x.count)
    map(x, &y, x.count)
    for i in x.indices { include(errorInUlp(y[i], reference.reference(Double(x[i]))), Double(x[i]), Double(y[i])) }
  }
  /// Of a function at each of the arguments.
  public init(of map: VectorMathKernels.Map, _ x: [Double], _ reference: VectorFunction) {
    var y = [Double](repeating: -7, count: x.count)
    map(x, &y, x.count)
    for i in x.indices { include(errorInUlp(y[i], reference.wideReference(x[i])), x[i], y[i]) }
  }

  /// Keeps the larger error.
  public mutating func include(_ error: Double, _ x: Double, _ value: Double) {
    if !(error <= ulp) { (ulp, self.x, self.value) = (error, x, value) }
  }
  /// Keeps the larger error.
  public mutating func include(_ other: WorstError) { include(other.ulp, other.x, other.value) }

  /// The worst errors of several implementations of a float32 function over every `count`-th chunk of all 2^32
  /// arguments, beginning with chunk `part`. The implementations share the reference's cost.
  public static func exhaustive(
    _ function: VectorFunction, _ maps: [VectorMathKernels.Map], part: Int, of count: Int
  ) -> [WorstError] {
    let chunk = 1 << 12
    var x = [Float](repeating: 0, count: chunk)
    var y = x
    var reference = [Double](repeating: 0, count: chunk)
    var worst = [WorstError](repeating: WorstError(), count: maps.count)
    var start = part * chunk
    while start < 1 << 32 {
      for i in 0..<chunk {
        x[i] = Float(bitPattern: UInt32(start + i))
        reference[i] = function.reference(Double(x[i]))
      }
      for (m, map) in maps.enumerated() {
        map(x, &y, chunk)
        for i in 0..<chunk { worst[m].include(errorInUlp(y[i], reference[i]), Double(x[i]), Double(y[i])) }
      }
      start += count * chunk
    }
    return worst
  }
}
