import ApusEngine

/// Numbers of a data type on pages of their own, against a guard page.
public final class RealArray {
  /// Type in memory.
  public let type: DataType
  /// Elements.
  public let count: Int
  /// Where they lie.
  public let memory: TestMemory

  /// `values`, rounded to the type.
  public init(_ type: DataType, _ values: [Double], _ placement: TestMemory.Placement = .beforeGuard) {
    self.type = type
    count = values.count
    memory = TestMemory(bytes: values.count * type.size, placement)
    for (i, value) in values.enumerated() { type.store(value, memory.base, i) }
  }

  /// `count` numbers that were never written.
  public convenience init(_ type: DataType, count: Int, _ placement: TestMemory.Placement = .beforeGuard) {
    self.init(type, [Double](repeating: -777, count: count), placement)
  }

  /// The first byte.
  public var pointer: UnsafeMutableRawPointer { memory.base }
  /// Every element.
  public var values: [Double] { (0..<count).map { type.load(memory.base, $0) } }
  /// Every byte.
  public var bytes: [UInt8] { Array(UnsafeRawBufferPointer(start: memory.base, count: memory.count)) }
  /// An element.
  public subscript(i: Int) -> Double {
    get { type.load(memory.base, i) }
    set { type.store(newValue, memory.base, i) }
  }
}

extension Randomness {
  /// `count` numbers in -scale..<scale, as the type has them.
  public mutating func reals(_ count: Int, _ type: DataType, scale: Double = 1) -> [Double] {
    (0..<count).map { _ in type.rounded(real() * scale) }
  }
}

/// Whether a value is as near the expected one as `bound` says; NaN and infinity must be the same.
public func isNear(_ value: Double, _ expected: Double, within bound: Double) -> Bool {
  if expected.isNaN || value.isNaN { return expected.isNaN && value.isNaN }
  return value == expected || abs(value - expected) <= bound
}

/// What differs first between a result and its expectation; nil where all is right.
public func firstDifference(_ result: RealArray, _ expected: [Double], within bound: (Int) -> Double) -> String? {
  for i in expected.indices where !isNear(result[i], expected[i], within: bound(i)) {
    return "[\(i)] is \(result[i]) instead of \(expected[i]), allowed \(bound(i))"
  }
  return nil
}
