import Foundation
import Synchronization

/// Where a fixed number of threads wait for each other, quicker than a system call: measurements start together.
final class SpinBarrier: Sendable {
  private let count: Int
  private let arrived = Atomic<Int>(0)
  private let phase = Atomic<Int>(0)

  init(count: Int) { self.count = count }

  func wait() {
    let current = phase.load(ordering: .acquiring)
    if arrived.add(1, ordering: .acquiringAndReleasing).newValue == count {
      arrived.store(0, ordering: .relaxed)
      phase.store(current + 1, ordering: .releasing)
      return
    }
    var spins = 0
    while phase.load(ordering: .acquiring) == current {
      spins += 1
      // The one that is missing may need this CPU.
      if spins % 4096 == 0 { sched_yield() }
    }
  }
}

/// Threads of its own, one a CPU if the system likes: the limits of the machine must not depend on Apus's team.
enum Gang {
  /// Runs `prepare` and then `body` on every thread, `repetitions` times, all starting together. Returns the seconds of
  /// the slowest thread in its best repetition.
  static func time<Workspace>(
    threads: Int, repetitions: Int, prepare: @escaping @Sendable () -> Workspace?,
    body: @escaping @Sendable (Workspace) -> Void
  ) -> Double? {
    let barrier = SpinBarrier(count: threads)
    let best = Mutex<[Double?]>([])
    let done = DispatchSemaphore(value: 0)
    for _ in 0..<threads {
      let thread = Thread {
        let workspace = prepare()
        if let workspace { body(workspace) }
        var fastest: Double?
        for _ in 0..<repetitions {
          barrier.wait()
          let start = now()
          if let workspace { body(workspace) }
          barrier.wait()
          let seconds = now() - start
          if workspace != nil { fastest = min(fastest ?? seconds, seconds) }
        }
        best.withLock { $0.append(fastest) }
        done.signal()
      }
      thread.start()
    }
    for _ in 0..<threads { done.wait() }
    let all = best.withLock { $0 }
    return all.contains { $0 == nil } ? nil : all.compactMap { $0 }.max()
  }
}
