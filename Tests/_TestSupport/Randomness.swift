import ApusEngine

/// SplitMix64 (G. Steele et al., 2014): the same numbers on every machine, so that a failure can be repeated.
public struct Randomness: RandomNumberGenerator {
  private var state: UInt64

  /// The same seed gives the same numbers.
  public init(seed: UInt64) { state = seed }

  /// 64 random bits.
  public mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  /// In -1..<1.
  public mutating func real() -> Double { Double(Int64(bitPattern: next()) >> 11) * 0x1p-52 }
  /// In the range.
  public mutating func int(_ range: ClosedRange<Int>) -> Int {
    range.lowerBound + Int(next() % UInt64(range.count))
  }
  /// True or false.
  public mutating func bool() -> Bool { next() & 1 == 1 }
  /// One of the values, of which there is at least one.
  public mutating func pick<T>(_ values: [T]) -> T { values[int(0...values.count - 1)] }

  /// `count` numbers in -1..<1.
  mutating func fill(_ p: UnsafeMutableRawPointer, _ count: Int, _ type: DataType) {
    for i in 0..<count { type.store(real(), p, i) }
  }
}

extension DataType {
  /// Element `index`, exact.
  public func load(_ p: UnsafeRawPointer, _ index: Int) -> Double {
    self == .float32
      ? Double(p.load(fromByteOffset: index * 4, as: Float.self)) : p.load(fromByteOffset: index * 8, as: Double.self)
  }

  /// Sets element `index`, rounded.
  public func store(_ value: Double, _ p: UnsafeMutableRawPointer, _ index: Int) {
    if self == .float32 {
      p.storeBytes(of: Float(value), toByteOffset: index * 4, as: Float.self)
    } else {
      p.storeBytes(of: value, toByteOffset: index * 8, as: Double.self)
    }
  }

  /// As the type has it.
  public func rounded(_ value: Double) -> Double { self == .float32 ? Double(Float(value)) : value }

  /// Distance from 1 to the next number.
  public var epsilon: Double { self == .float32 ? Double(Float.ulpOfOne) : Double.ulpOfOne }
  var leastMagnitude: Double {
    self == .float32 ? Double(Float.leastNonzeroMagnitude) : Double.leastNonzeroMagnitude
  }
}
