import Foundation

/// Monotonic time in seconds.
@inline(__always) public func now() -> Double {
  var t = timespec()
  clock_gettime(CLOCK_MONOTONIC, &t)
  return Double(t.tv_sec) + Double(t.tv_nsec) * 1e-9
}

/// Times calls: warms up, then takes samples of at least 20 us, each the mean of a loop of calls.
public struct Sampler {
  /// Clocks are read to about 30 ns: a sample this long is good to 0.2 %.
  public static let shortestSample = 20e-6
  /// For how long samples are taken. At least three are, however long that takes.
  public var seconds: Double
  /// Asked after every sample; a run that it ends is thrown away.
  public var shouldStop: () -> Bool

  /// Takes samples for `seconds`.
  public init(seconds: Double, shouldStop: @escaping () -> Bool = { Interrupt.isPending }) {
    self.seconds = seconds
    self.shouldStop = shouldStop
  }

  /// Seconds per call, one number a sample; empty if it was stopped.
  public func measure(_ call: () throws -> Void) rethrows -> [Double] {
    let first = try time(1, call)
    for _ in 0..<(first < 5e-3 ? 3 : 1) { try call() }
    // Another warm call, where the first one was short enough not to matter.
    var calls = 1
    var lasted = first < 1 ? try time(1, call) : first
    while lasted < Self.shortestSample && calls < 1 << 24 {
      calls = lasted < 1e-6 ? calls * 8 : Int(Double(calls) * 1.5 * Self.shortestSample / lasted) + 1
      lasted = try time(calls, call)
    }
    var samples: [Double] = []
    let end = now() + seconds
    while samples.count < 3 || (now() < end && samples.count < 1 << 16) {
      if shouldStop() { return [] }
      samples.append(try time(calls, call) / Double(calls))
    }
    return samples
  }

  @inline(__always) private func time(_ calls: Int, _ call: () throws -> Void) rethrows -> Double {
    let start = now()
    for _ in 0..<calls { try call() }
    return now() - start
  }
}
