/// The team's gate: one word that says which region is open and who is in it, so that joining is one compare-exchange.
///
///     63                32   31     30      29 ... 15   14 ... 0
///     epoch of the region | open | waiting |  limit   | members
///
/// The halves are futexes of their own: a parked member waits for another epoch, the caller for the last member.
struct Gate {
  var word: UInt64

  static let open: UInt64 = 1 << 31
  /// The caller sleeps until `members` is 0; the last one to leave wakes it.
  static let waiting: UInt64 = 1 << 30
  static let maximumMembers = 0x7FFF

  var epoch: UInt32 { UInt32(truncatingIfNeeded: word >> 32) }
  var lowHalf: UInt32 { UInt32(truncatingIfNeeded: word) }
  var isOpen: Bool { word & Gate.open != 0 }
  var isWaiting: Bool { word & Gate.waiting != 0 }
  var limit: Int { Int(word >> 15 & 0x7FFF) }
  var members: Int { Int(word & 0x7FFF) }

  /// The next region, open to `limit` members.
  func opened(limit: Int) -> UInt64 { UInt64(epoch &+ 1) << 32 | Gate.open | UInt64(limit) << 15 }
}

/// The team's census, one word: four counters of 16 bits.
struct Census {
  var word: UInt64

  /// Members that Dispatch was asked for and that have not returned to it: asleep, awake, or not there yet.
  static let alive: UInt64 = 1
  /// Members that spin or work.
  static let awake: UInt64 = 1 << 16
  /// Members in the futex.
  static let parked: UInt64 = 1 << 32
  /// Members that were woken but have not said so yet: without this a burst of regions would wake them again each time.
  static let rising: UInt64 = 1 << 48

  private func field(_ unit: UInt64) -> Int { Int(word / unit & 0xFFFF) }
  var alive: Int { field(Census.alive) }
  var awake: Int { field(Census.awake) }
  var parked: Int { field(Census.parked) }
  var rising: Int { field(Census.rising) }
}
