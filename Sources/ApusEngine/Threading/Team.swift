import ApusShims
import Dispatch

/// The dispatch back end's team: Dispatch supplies the threads, the team makes regions cheap.
///
/// A region through `DispatchQueue.concurrentPerform` alone costs tens of microseconds. So members are launched through
/// it once, from a helper queue, and then linger: they spin on the gate for a bounded time, park on a futex for a bounded
/// time, and return to Dispatch. The caller opens the gate, works itself, closes the gate and waits for those who joined,
/// and only for those: a member that never starts makes a region slower, never hang. One host thread owns the team at a
/// time; `tryRun` sends the others away to run serially, so that callers never pile up threads.
package final class Team: @unchecked Sendable {
  /// How many threads of this team and its callers may run at once.
  private let cpus: Int
  private let gate: UnsafeMutablePointer<UInt64>
  private let next: UnsafeMutablePointer<UInt64>
  private let region: UnsafeMutablePointer<Region>
  private let linger: UnsafeMutablePointer<UInt64>
  /// The CPU that the caller runs on.
  private let callerCPU: UnsafeMutablePointer<UInt64>
  /// The epoch of the region that a member joined last.
  private let joined: UnsafeMutablePointer<UInt64>
  /// The owner's: regions in a row that nobody joined, and since when.
  private let misses: UnsafeMutablePointer<UInt64>
  private let missedSince: UnsafeMutablePointer<UInt64>
  private let census: UnsafeMutablePointer<UInt64>
  private let owner: UnsafeMutablePointer<UInt64>
  private let crowd: Crowd

  /// How long the caller spins for the last member before it sleeps: longer than any well-balanced region's end, short
  /// against a time slice, which is what a preempted member costs.
  private static let patience: UInt64 = 100_000
  /// For how long nobody comes before the caller makes room: longer than a launch takes.
  private static let longMiss: UInt64 = 500_000
  /// How long a parked member stays before it returns to Dispatch, in nanoseconds. Longer than the gap between the calls
  /// of an interactive host, because a launch costs more than a wake; parked it burns nothing.
  private static let parkTime: UInt64 = 200_000_000

  /// The process's team.
  package static let shared = Team(cpus: UsableCPUs.process.count, crowd: .process)

  /// A team of at most `cpus` threads with its caller. Members do not linger in a crowd.
  package init(cpus: Int, crowd: Crowd) {
    self.cpus = min(cpus, Gate.maximumMembers)
    self.crowd = crowd
    // Never freed: members may outlive any owner. Subjects lie 128 bytes apart, since x86 fetches lines in pairs.
    let memory = UnsafeMutableRawPointer.allocate(byteCount: 6 * 128, alignment: 128)
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: 6 * 128)
    func word(_ line: Int) -> UnsafeMutablePointer<UInt64> {
      (memory + 128 * line).bindMemory(to: UInt64.self, capacity: 1)
    }
    gate = word(0)
    next = word(1)
    region = (memory + 2 * 128).bindMemory(to: Region.self, capacity: 1)
    linger = (memory + 2 * 128 + 64).bindMemory(to: UInt64.self, capacity: 2)
    callerCPU = linger + 1
    census = word(3)
    owner = word(4)
    joined = word(5)
    misses = owner + 1
    missedSince = owner + 2
  }

  /// Members that Dispatch has not got back: for tests.
  package var size: Int { Census(word: apus_load(census)).alive }

  /// Runs the region with up to `width` threads, the caller's among them, if the team is free and a CPU is left for a
  /// member. false: nothing was done. The gate is closed and every member has left when this returns. `others`
  /// is how many more callers are in a region.
  package func tryRun(_ job: Region, width: Int, others: Int, lingerNanoseconds: UInt64) -> Bool {
    let limit = min(width - 1, cpus - 1 - others)
    if limit < 1 || !apus_compare_exchange(owner, 0, 1) { return false }
    let forks = apus_forks()

    apus_store_relaxed(next, 1)
    region.pointee = job
    region.pointee.next = next
    apus_store_relaxed(linger, lingerNanoseconds)
    apus_store_relaxed(callerCPU, UInt64(bitPattern: Int64(apus_current_cpu())))
    apus_store(gate, Gate(word: apus_load_relaxed(gate)).opened(limit: limit))
    callMembers(limit)

    apus_set_in_region(true)
    region.pointee.work(withFirst: true)
    apus_set_in_region(false)

    let closed = Gate(word: apus_and(gate, ~Gate.open))
    if closed.members > 0 { waitForMembers(forks) }
    if apus_load_relaxed(joined) == UInt64(closed.epoch) {
      misses.pointee = 0
    } else {
      makeRoomForMember()
    }
    apus_store_release(owner, 0)
    return true
  }

  /// Nobody came. A member that was called may be waiting for the caller's own CPU, where the system's load balancing may
  /// leave it for long, or for good below a caller of real-time priority. Where that seems so, the caller goes elsewhere.
  @inline(never)
  private func makeRoomForMember() {
    let now = apus_now()
    if misses.pointee == 0 { missedSince.pointee = now }
    misses.pointee += 1
    if misses.pointee >= 2, now - missedSince.pointee > Team.longMiss {
      apus_leave_cpu(apus_current_cpu())
      misses.pointee = 0
    }
  }

  /// Wakes parked members and launches new ones where fewer than `limit` are awake. The gate was opened before: with the
  /// order of `park` either the member sees the new epoch or this sees the member parked.
  @inline(__always)
  private func callMembers(_ limit: Int) {
    let now = Census(word: apus_load(census))
    if now.awake + now.rising < limit { callMembersSlowly(now, limit) }
  }

  @inline(never)
  private func callMembersSlowly(_ now: Census, _ limit: Int) {
    let wanted = min(limit - now.awake - now.rising, now.parked - now.rising)
    if wanted > 0 {
      _ = apus_add(census, Census.rising * UInt64(wanted))
      let woken = Int(apus_futex_wake(gate, 1, Int32(wanted)))
      for _ in woken..<wanted { settle(Census.rising, plus: 0) }
    }
    if now.alive < limit { launch(limit - now.alive) }
  }

  /// The census minus `fields` plus `plus`; a risen member is only counted down while any is counted, because a futex may
  /// wake for nothing.
  private func settle(_ fields: UInt64, plus: UInt64) {
    while true {
      let old = Census(word: apus_load(census))
      var less = fields
      if old.rising == 0, less >= Census.rising { less -= Census.rising }
      if apus_compare_exchange(census, old.word, old.word &- less &+ plus) { return }
    }
  }

  /// Asks Dispatch for `count` more members. A queue of its own for each launch: a serial queue that still holds earlier
  /// members would make the new ones wait, and the threads of serial queues come on top of Dispatch's pool, so that
  /// members do not take the host's.
  private func launch(_ count: Int) {
    _ = apus_add(census, Census.alive * UInt64(count))
    DispatchQueue(label: "apus.team").async { [self] in
      DispatchQueue.concurrentPerform(iterations: count) { _ in member() }
    }
  }

  private func waitForMembers(_ forks: UInt64) {
    var start: UInt64 = 0
    while true {
      for _ in 0..<64 {
        if Gate(word: apus_load(gate)).members == 0 { return }
        apus_pause()
      }
      let now = apus_now()
      if start == 0 { start = now }
      if now - start > Team.patience { break }
    }
    while true {
      let seen = Gate(word: apus_or(gate, Gate.waiting) | Gate.waiting)
      if seen.members == 0 { return }
      // A body that forked: in the child the members are gone. Hence also the bounded sleep.
      if apus_forks() != forks { return apus_store(gate, seen.word & ~UInt64(0x7FFF)) }
      _ = apus_futex_wait(gate, 0, seen.lowHalf, 100_000_000)
    }
  }
}

// A member's life.
extension Team {
  private func member() {
    _ = apus_add(census, Census.awake)
    // A region that is open now has not been seen yet.
    let first = Gate(word: apus_load(gate))
    var seen = first.isOpen ? first.epoch &- 1 : first.epoch
    var deadline: UInt64 = 0
    while true {
      for _ in 0..<32 {
        let now = Gate(word: apus_load(gate))
        if now.isOpen, now.epoch != seen {
          if join(now) { deadline = 0 }
          seen = now.epoch
        }
        apus_pause()
      }
      let now = apus_now()
      if deadline == 0 { deadline = now + apus_load_relaxed(linger) }
      // Spinning must not take a CPU from callers that run serially.
      let busy = Census(word: apus_load_relaxed(census)).awake + crowd.count
      if now >= deadline || busy > cpus || crowd.isThere(now) {
        if !park(&seen) { return }
        deadline = 0
      }
    }
  }

  /// Joins the region that `now` shows, works, leaves. false: the region closed or filled up first.
  @inline(__always)
  private func join(_ now: Gate) -> Bool {
    var now = now
    while true {
      if now.members >= now.limit { return false }
      if apus_compare_exchange(gate, now.word, now.word + 1) { break }
      let other = Gate(word: apus_load(gate))
      if !other.isOpen || other.epoch != now.epoch { return false }
      now = other
    }
    apus_store_relaxed(joined, UInt64(now.epoch))
    // The system may have put a woken or new member on the caller's CPU, where the two would take turns until its load
    // balancing notices: tens of milliseconds as measured.
    let cpu = Int32(truncatingIfNeeded: apus_load_relaxed(callerCPU))
    if apus_current_cpu() == cpu { apus_leave_cpu(cpu) }
    region.pointee.workAsMember(withFirst: false)
    let left = Gate(word: apus_add(gate, ~0))
    if left.members == 1, left.isWaiting { _ = apus_futex_wake(gate, 0, 1) }
    return true
  }

  /// Sleeps until a region opens. false: none did for `parkTime`, and the member has signed off.
  @inline(never)
  private func park(_ seen: inout UInt32) -> Bool {
    _ = apus_add(census, Census.parked &- Census.awake)
    let deadline = apus_now() + Team.parkTime
    while true {
      let now = Gate(word: apus_load(gate))
      if now.epoch != seen {
        settle(Census.parked + Census.rising, plus: Census.awake)
        // An open region is still unseen; one that closed meanwhile is past.
        if !now.isOpen { seen = now.epoch }
        return true
      }
      let time = apus_now()
      if time >= deadline {
        settle(Census.parked + Census.alive, plus: 0)
        return false
      }
      _ = apus_futex_wait(gate, 1, seen, deadline - time)
    }
  }
}
