import ApusShims

/// How many host threads are in a region at once, and whether they fill the CPUs.
///
/// A caller fills a CPU whether it has helpers or not, so that n callers on n CPUs gain nothing from a team and lose what
/// it costs. Once they are a crowd, regions stay serial for a while and touch nothing that callers share: eight callers
/// whose regions take 5 us lost a quarter of their throughput to the two counted steps alone.
package struct Crowd: @unchecked Sendable {
  private let callers: UnsafeMutablePointer<UInt64>
  private let until: UnsafeMutablePointer<UInt64>

  /// For how long regions stay serial after a crowd was seen. When it is over one caller may find itself alone by chance
  /// and wake the team for nothing, some 30 us, so this is a hundred times that at least.
  package static let time: UInt64 = 5_000_000

  /// The process's; a forked child starts it anew.
  package static let process = Crowd(callers: apus_callers_word(), until: apus_crowded_word())

  /// Two words on lines of their own, both 0.
  package init(callers: UnsafeMutablePointer<UInt64>, until: UnsafeMutablePointer<UInt64>) {
    self.callers = callers
    self.until = until
  }

  /// Callers that are counted now. After a fork inside a region the child's count starts anew and may pass below zero.
  package var count: Int { max(0, Int(Int64(bitPattern: apus_load_relaxed(callers)))) }

  /// Whether regions stay serial at `now`.
  package func isThere(_ now: UInt64) -> Bool { now < apus_load_relaxed(until) }

  /// Counts the caller, who must `leave`, and returns how many others there are; nil, without counting, in a crowd.
  @inline(__always)
  package func enter(cpus: Int) -> Int? {
    let end = apus_load_relaxed(until)
    if end != 0 {
      if apus_now() < end { return nil }
      apus_store_relaxed(until, 0)
    }
    let others = max(0, Int(Int64(bitPattern: apus_add(callers, 1))))
    if others + 1 < cpus { return others }
    apus_store_relaxed(until, apus_now() + Crowd.time)
    leave()
    return nil
  }

  /// Ends what `enter` began.
  @inline(__always)
  package func leave() { _ = apus_add(callers, ~0) }
}
