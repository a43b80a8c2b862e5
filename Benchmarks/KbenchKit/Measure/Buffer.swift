import ApusEngine
import Foundation

/// Memory for one operand: aligned to a cache line, large areas in huge pages.
public final class Buffer: @unchecked Sendable {
  /// Element 0.
  public let pointer: UnsafeMutableRawPointer
  private let base: UnsafeMutableRawPointer

  /// `bytes` that read as zero. `offset` moves the start, so that operands do not all lie at the same place of a page.
  public init(bytes: Int, offset: Int = 0) throws(ApusError) {
    base = try Memory.allocate(bytes: bytes + offset)
    pointer = base + offset
    memset(pointer, 0, bytes)
  }

  deinit { Memory.free(base) }

  /// Fills with numbers in -0.5..<0.5 that depend on index and seed alone: the same in every process and run, so that
  /// different libraries get the same operands.
  public func fill(_ type: ElementType, count: Int, seed: UInt32) {
    switch type {
    case .float32:
      let p = pointer.assumingMemoryBound(to: Float.self)
      for i in 0..<count { p[i] = Float(Self.value(i, seed)) }
    case .float64:
      let p = pointer.assumingMemoryBound(to: Double.self)
      for i in 0..<count { p[i] = Self.value(i, seed) }
    }
  }

  /// Element `i` as float64.
  @inline(__always) public func element(_ type: ElementType, _ i: Int) -> Double {
    switch type {
    case .float32: Double(pointer.assumingMemoryBound(to: Float.self)[i])
    case .float64: pointer.assumingMemoryBound(to: Double.self)[i]
    }
  }

  /// A multiplicative hash, folded; 16 bits, which float32 holds exactly.
  @inline(__always) static func value(_ i: Int, _ seed: UInt32) -> Double {
    var h = (UInt32(truncatingIfNeeded: i) &+ 1) &* 2_654_435_761 &+ seed &* 2_654_500_267
    h ^= h >> 15
    h = h &* 2_246_822_519
    h ^= h >> 13
    return Double((h >> 8) & 0xffff) / 65536 - 0.5
  }
}
