import ApusEngine
import ApusShims
import Dispatch
import Glibc
import Testing

/// The team's protocol with more members than this machine has CPUs, on teams of the tests' own.
struct ThreadingTeamTests {
  /// Eight callers, each region checked, with pauses that let members park, wake and return to Dispatch in between.
  @Test(arguments: [2, 3, 9], [0, 20, 2000])
  func stress(cpus: Int, lingerMicroseconds: Int) {
    let callers = UnsafeMutablePointer<UInt64>.allocate(capacity: 1)
    callers.initialize(to: 0)
    let team = Team(cpus: cpus, callers: callers)
    let served = Hits(1)
    let failures = Hits(1)
    DispatchQueue.concurrentPerform(iterations: 4) { seed in
      for round in 0..<400 {
        let count = 1 + (round * 7 + seed) % 40
        let hits = Hits(count)
        var done = false
        Region.with(count: count, grain: 1 + seed, chunks: (count - 1) / (1 + seed) + 1, { hits.add($0) }) { region in
          // `others` as if this were the only caller: the team itself must then keep the callers apart.
          done = team.tryRun(
            region, width: 2 + round % cpus, others: 0, lingerNanoseconds: UInt64(lingerMicroseconds) * 1000)
        }
        if done { served.add(0..<1) }
        if !hits.allAre(done ? 1 : 0) { failures.add(0..<1) }
        if round % 100 == 99 { usleep(3000) }
      }
    }
    #expect(failures.allAre(0))
    #expect(apus_load(served.counts) > 0)
    #expect(team.size <= cpus - 1)
  }

  /// Where callers fill the CPUs, the team sends them away, and for a moment longer; then it serves again.
  @Test func crowd() {
    let callers = UnsafeMutablePointer<UInt64>.allocate(capacity: 1)
    callers.initialize(to: 0)
    let team = Team(cpus: 4, callers: callers)
    func run(others: Int) -> Bool {
      var done = false
      Region.with(count: 8, grain: 1, chunks: 8, { _ in }) { region in
        done = team.tryRun(region, width: 4, others: others, lingerNanoseconds: 0)
      }
      return done
    }
    #expect(run(others: 0))
    #expect(run(others: 2))
    #expect(!run(others: 3))
    // 1 ms of crowd: less than one of a busy machine's hiccups, so only its end is tested.
    usleep(5000)
    #expect(run(others: 0))
  }

  /// A team of one CPU has no member to offer.
  @Test func oneCPU() {
    let callers = UnsafeMutablePointer<UInt64>.allocate(capacity: 1)
    callers.initialize(to: 0)
    let team = Team(cpus: 1, callers: callers)
    Region.with(count: 8, grain: 1, chunks: 8, { _ in Issue.record("was run") }) { region in
      #expect(!team.tryRun(region, width: 4, others: 0, lingerNanoseconds: 0))
    }
    #expect(team.size == 0)
  }
}
