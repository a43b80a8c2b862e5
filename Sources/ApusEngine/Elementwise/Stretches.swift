import ApusShims

// What the families that are bound by memory share: how an array is cut, when a result goes past the caches, where
// scratch comes from, and how a missing buffer is refused.

extension ExecutionContext {
  /// Calls `body` with (first, count) of stretches that cover 0..<count; one call where the work, in nanoseconds of one
  /// thread, does not pay for a region.
  @inline(__always)
  func overStretches(
    of count: Int, grain: Int, nanoseconds: Double, _ body: (Int, Int) -> Void
  ) throws(ApusError) {
    if count <= 0 { return }
    if threads == 1 || count <= grain || nanoseconds < Double(Self.breakEvenNanoseconds) { return body(0, count) }
    try parallel(neighbours: count, grain: grain, body)
  }

  /// Threads that pay for so much work in so many parts.
  func slots(parts: Int, nanoseconds: Double) -> Int {
    if threads == 1 || nanoseconds < Double(Self.breakEvenNanoseconds) { return 1 }
    return max(1, min(effectiveThreads, parts))
  }
}

/// Half of what several cores share is one operation's, roughly: more bytes than that go past the caches.
let streamingBytes = max(4 << 20, Machine.caches.level3 / 2)

/// Refuses a buffer that is not there.
@inline(__always)
func need(_ name: String, _ p: UnsafeRawPointer?, _ count: Int) throws(ApusError) {
  if p == nil && count > 0 { throw .invalid(name, "NULL", "its \(count) elements are needed") }
}

/// The calling thread's buffer for the time of `body`, which must not ask for another one.
@inline(__always)
func withBuffer(
  bytes: Int, _ body: (UnsafeMutableRawPointer) throws(ApusError) -> Void
) throws(ApusError) {
  guard let buffer = apus_buffer_take(bytes) else {
    throw ApusError(.outOfMemory, "the system refused a buffer of \(bytes) bytes")
  }
  defer { apus_buffer_give_back() }
  try body(buffer)
}

extension DataType {
  /// Refuses what is no type of data.
  @inline(__always)
  func checkIsReal(_ family: String) throws(ApusError) {
    if self != .float32 && self != .float64 {
      throw ApusError(.unsupported, "dtype is \(name), but \(family) has float32 and float64")
    }
  }
}

/// The number of elements of a product of sizes. Throws where one is negative or the bytes overflow.
@inline(__always)
func elementCount(
  _ type: DataType, _ a: (String, Int), _ b: (String, Int) = ("", 1), _ c: (String, Int) = ("", 1)
) throws(ApusError) -> Int {
  if a.1 < 0 || b.1 < 0 || c.1 < 0 {
    let (name, size) = a.1 < 0 ? a : b.1 < 0 ? b : c
    throw .invalid(name, size, "a size must be at least 0")
  }
  let count = CheckedSize(a.1) * b.1 * c.1
  if (count * type.size).overflowed {
    let text = [a, b, c].filter { "\($0.0)" != "" }.map { "\($0.0) \($0.1)" }.joined(separator: ", ")
    throw ApusError(.invalidArgument, "the sizes are \(text), but their product in bytes must fit 63 bits")
  }
  return count.value
}

/// An array of float32 or float64 as doubles, for the few numbers that the engine works on itself.
struct Reals {
  var base: UnsafeMutableRawPointer
  var isDouble: Bool

  init(_ base: UnsafeMutableRawPointer, _ type: DataType) {
    self.base = base
    isDouble = type == .float64
  }

  subscript(i: Int) -> Double {
    get {
      isDouble
        ? base.assumingMemoryBound(to: Double.self)[i] : Double(base.assumingMemoryBound(to: Float.self)[i])
    }
    nonmutating set {
      if isDouble {
        base.assumingMemoryBound(to: Double.self)[i] = newValue
      } else {
        base.assumingMemoryBound(to: Float.self)[i] = Float(newValue)
      }
    }
  }
}
