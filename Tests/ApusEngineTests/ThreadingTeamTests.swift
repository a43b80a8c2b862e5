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
    let team = Team(cpus: cpus, crowd: ownCrowd())
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

  /// Where callers fill the CPUs they are sent away, and for a while longer; then they are let in again.
  @Test func crowd() {
    let crowd = ownCrowd()
    #expect(crowd.enter(cpus: 3) == 0)
    #expect(crowd.enter(cpus: 3) == 1)
    #expect(!crowd.isThere(apus_now()))
    #expect(crowd.enter(cpus: 3) == nil)
    let end = apus_now() + Crowd.time
    #expect(crowd.isThere(apus_now() + Crowd.time / 2) && !crowd.isThere(end))
    #expect(crowd.count == 2, "who is sent away is not counted")
    crowd.leave()
    crowd.leave()
    while apus_now() < end {}
    #expect(crowd.enter(cpus: 3) == 0)
    crowd.leave()
    #expect(crowd.count == 0)
    #expect(crowd.enter(cpus: 1) == nil, "one CPU is full with one caller")
  }

  /// A team has no member to offer where callers leave no CPU for one.
  @Test(arguments: [(1, 0), (2, 1), (4, 3), (4, 9)])
  func noCPULeft(cpus: Int, others: Int) {
    let team = Team(cpus: cpus, crowd: ownCrowd())
    Region.with(count: 8, grain: 1, chunks: 8, { _ in Issue.record("was run") }) { region in
      #expect(!team.tryRun(region, width: 4, others: others, lingerNanoseconds: 0))
    }
    #expect(team.size == 0)
  }

  private func ownCrowd() -> Crowd {
    let words = UnsafeMutablePointer<UInt64>.allocate(capacity: 2)  // teams are for ever, so are their words
    words.initialize(repeating: 0, count: 2)
    return Crowd(callers: words, until: words + 1)
  }
}
