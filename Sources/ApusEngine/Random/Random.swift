import ApusKernelInterface

/// Random numbers from Philox: number i of a seed's sequence is the same whoever asks for it and on however many threads.
/// float32 and float64 have the same sequence, rounded; instruction sets differ by rounding.
public struct RandomFill: Sendable, Equatable {
  /// float32 or float64.
  public var dataType: DataType
  /// Which distribution.
  public var distribution: RandomDistribution
  /// Lower end, or mean.
  public var a: Double
  /// Upper end, or standard deviation.
  public var b: Double
  /// Truncated: where it is cut, in standard deviations.
  public var low = -2.0
  /// See `low`.
  public var high = 2.0

  /// Uniform in a..<b, or normal with mean a and deviation b.
  public init(_ distribution: RandomDistribution, dataType: DataType, a: Double, b: Double) {
    self.distribution = distribution
    self.dataType = dataType
    self.a = a
    self.b = b
  }

  /// Numbers `offset ..< offset + count` of the seed's sequence.
  public func run(
    context: ExecutionContext, seed: UInt64, offset: UInt64, count: Int, y: UnsafeMutableRawPointer?
  ) throws(ApusError) {
    try context.recorded("random", dataType, "\(distribution):n\(count)") { () throws(ApusError) in
      try dataType.checkIsReal("random numbers")
      _ = try elementCount(dataType, ("count", count))
      if !a.isFinite { throw .invalid("a", a, "it must be a number") }
      if distribution == .uniform && !(b >= a && (b - a).isFinite) {
        throw .invalid("b", b, "the upper end must be at least a, which is \(a)")
      }
      if distribution != .uniform && !(b >= 0 && b.isFinite) {
        throw .invalid("b", b, "a standard deviation must be at least 0")
      }
      var shape = RandomShape()
      shape.distribution = distribution
      shape.a = a
      shape.b = b
      if distribution == .truncatedNormal {
        if !(low < high && low >= -5 && high <= 5) {
          throw .invalid("low", low, "it must be below high, which is \(high), and both within -5..5")
        }
        shape.low = Self.normalDistribution(low)
        shape.span = Self.normalDistribution(high) - shape.low
        shape.lowest = low
        shape.highest = high
      }
      try need("y", UnsafeRawPointer(y), count)
      guard let y, count > 0 else { return }
      let kernels = Self.kernels(context, dataType)
      let source = RandomSource(seed: seed, first: offset)
      try Self.overBlocks(context, count, each: distribution == .uniform ? 1 : 2.5) { first, count, scratch in
        withUnsafePointer(to: source) { source in
          withUnsafePointer(to: shape) { kernels.fill(source, $0, y, first, count, scratch) }
        }
      }
    }
  }

  /// The normal distribution's function, by erf's series around 0: enough for |x| <= 5.
  static func normalDistribution(_ x: Double) -> Double {
    var term = x
    var sum = x
    var k = 1.0
    while abs(term) > 1e-18 * abs(sum) && k < 200 {
      term *= -x * x / (2 * k)
      sum += term / (2 * k + 1)
      k += 1
    }
    return 0.5 + sum * 0.39894228040143267794
  }

  static func kernels(_ context: ExecutionContext, _ type: DataType) -> RandomKernels {
    type == .float32 ? context.instructionSet.kernels.random32 : context.instructionSet.kernels.random64
  }

  /// Stretches with scratch of their own.
  static func overBlocks(
    _ context: ExecutionContext, _ count: Int, each: Double, _ body: (Int, Int, UnsafeMutableRawPointer) -> Void
  ) throws(ApusError) {
    let grain = 8192
    let parts = (count - 1) / grain + 1
    let slots = context.slots(parts: parts, nanoseconds: Double(count) * each)
    try withBuffer(bytes: slots * 1024) { (buffer) throws(ApusError) in
      try context.parallel(parts: parts, slots: slots) { slot, part in
        body(part * grain, min(grain, count - part * grain), buffer + slot * 1024)
      }
    }
  }
}

/// Dropout: an element is dropped with a probability that the element's number alone decides, and the rest are divided by the
/// probability to stay. Backward is the same call on the gradient.
public enum Dropout {
  /// y = x / (1 - p) or 0; y may be x. p = 1 drops all.
  public static func run(
    _ type: DataType, context: ExecutionContext, probability p: Double, seed: UInt64, offset: UInt64, count: Int,
    x: UnsafeRawPointer?, y: UnsafeMutableRawPointer?
  ) throws(ApusError) {
    try context.recorded("random", type, "dropout:n\(count)") { () throws(ApusError) in
      try type.checkIsReal("dropout")
      _ = try elementCount(type, ("count", count))
      if !(p >= 0 && p <= 1) { throw .invalid("probability", p, "it must be from 0 to 1") }
      try need("x", x, count)
      try need("y", UnsafeRawPointer(y), count)
      guard let x, let y, count > 0 else { return }
      if p == 1 {
        y.initializeMemory(as: UInt8.self, repeating: 0, count: count * type.size)
        return
      }
      let kernels = RandomFill.kernels(context, type)
      let source = RandomSource(seed: seed, first: offset)
      let threshold = UInt32(min(p * 0x1p32, 0x1p32 - 1))
      try RandomFill.overBlocks(context, count, each: 1) { first, count, scratch in
        withUnsafePointer(to: source) {
          kernels.dropout($0, threshold, 1 / (1 - p), x, y, first, count, scratch)
        }
      }
    }
  }
}

/// How weights begin; raw values are the C header's.
public enum Initializer: Int32, CaseIterable, Sendable {
  /// Uniform within sqrt(6 / (in + out)) (X. Glorot, Y. Bengio, 2010).
  case glorotUniform = 0
  /// Normal with deviation sqrt(2 / (in + out)).
  case glorotNormal = 1
  /// Uniform within sqrt(6 / in) (K. He et al., 2015).
  case heUniform = 2
  /// Normal with deviation sqrt(2 / in).
  case heNormal = 3
  /// Uniform within sqrt(3 / in) (Y. LeCun et al., 1998).
  case lecunUniform = 4
  /// Normal with deviation sqrt(1 / in).
  case lecunNormal = 5
  /// Rows or columns of length 1 at right angles (A. Saxe et al., 2014).
  case orthogonal = 6

  /// Weights of out x in elements, times gain.
  public func run(
    _ type: DataType, context: ExecutionContext, fanIn: Int, fanOut: Int, gain: Double, seed: UInt64, offset: UInt64,
    count: Int, y: UnsafeMutableRawPointer?
  ) throws(ApusError) {
    try type.checkIsReal("an initializer")
    _ = try elementCount(type, ("count", count))
    if fanIn < 1 { throw .invalid("fan_in", fanIn, "it must be at least 1") }
    if fanOut < 1 { throw .invalid("fan_out", fanOut, "it must be at least 1") }
    if !gain.isFinite { throw .invalid("gain", gain, "it must be a number") }
    if self == .orthogonal && (fanOut.multipliedReportingOverflow(by: fanIn).overflow || fanOut * fanIn != count) {
      throw .invalid("count", count, "an orthogonal matrix has fan_out x fan_in elements, \(fanOut) x \(fanIn)")
    }
    let both = Double(fanIn) + Double(fanOut)
    let (distribution, spread): (RandomDistribution, Double) =
      switch self {
      case .glorotUniform: (.uniform, (6 / both).squareRoot())
      case .glorotNormal: (.normal, (2 / both).squareRoot())
      case .heUniform: (.uniform, (6 / Double(fanIn)).squareRoot())
      case .heNormal: (.normal, (2 / Double(fanIn)).squareRoot())
      case .lecunUniform: (.uniform, (3 / Double(fanIn)).squareRoot())
      case .lecunNormal: (.normal, (1 / Double(fanIn)).squareRoot())
      case .orthogonal: (.normal, 1)
      }
    let size = abs(gain) * spread
    let fill =
      distribution == .uniform
      ? RandomFill(.uniform, dataType: type, a: -size, b: size)
      : RandomFill(.normal, dataType: type, a: 0, b: self == .orthogonal ? 1 : size)
    try fill.run(context: context, seed: seed, offset: offset, count: count, y: y)
    if self == .orthogonal, let y { Self.orthogonalize(Reals(y, type), rows: fanOut, columns: fanIn, gain: gain) }
  }

  /// Gram and Schmidt's process, twice for each vector, over the rows or, where there are more of them, the columns.
  private static func orthogonalize(_ a: Reals, rows: Int, columns: Int, gain: Double) {
    let (count, length) = rows <= columns ? (rows, columns) : (columns, rows)
    let (vectorStep, step) = rows <= columns ? (columns, 1) : (1, columns)
    for i in 0..<count {
      let v = i * vectorStep
      for _ in 0..<2 {
        for j in 0..<i {
          let w = j * vectorStep
          var product = 0.0
          for k in 0..<length { product += a[v + k * step] * a[w + k * step] }
          for k in 0..<length { a[v + k * step] = a[v + k * step] - product * a[w + k * step] }
        }
        var square = 0.0
        for k in 0..<length { square += a[v + k * step] * a[v + k * step] }
        let factor = 1 / square.squareRoot()
        for k in 0..<length { a[v + k * step] = a[v + k * step] * factor }
      }
    }
    for i in 0..<rows * columns { a[i] = a[i] * gain }
  }
}
