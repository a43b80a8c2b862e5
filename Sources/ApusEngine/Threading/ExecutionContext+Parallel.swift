import ApusShims

extension ExecutionContext {
  /// How many threads a region that is opened here and now would use at most: 1 inside a region, inside the host's own
  /// OpenMP region, and in a forked child whose back end did not survive. Allocates nothing.
  public var effectiveThreads: Int {
    if width == 1 || apus_in_region() { return 1 }
    switch backend {
    case .dispatch: return dispatchWorks ? width : 1
    case .openmp: return openMPWorks ? width : 1
    case .host: return width
    case .serial: return 1
    }
  }

  /// A parallel region: `body` is called with ranges that cover 0..<count exactly once, each at most `grain` long, on up
  /// to `effectiveThreads` threads, the caller's among them, and with the caller's rounding and denormal mode on each.
  /// Returns when all have returned. Inside `body` every region runs serially.
  ///
  /// Which thread gets which range is not fixed, and `body` must not wait for another range: all may run on one thread.
  /// A `body` that forks must not return in the child. Throws `backend` if a host's callback skipped or repeated tasks;
  /// the work may then be incomplete. Allocates nothing once the team is warm.
  public func parallel(count: Int, grain: Int = 1, _ body: (Range<Int>) -> Void) throws(ApusError) {
    if count <= 0 { return }
    let grain = max(1, grain)
    let chunks = (count - 1) / grain + 1
    if chunks == 1 || effectiveThreads == 1 { return Region.runSerially(count: count, grain: grain, body) }
    let width = min(width, chunks)
    if let host {
      return try Region.with(count: count, grain: grain, chunks: chunks, body) { region throws(ApusError) in
        try host.run(&region, tasks: width)
      }
    }
    // Who is counted stays so while it runs serially, because it fills a CPU either way.
    guard let others = Crowd.process.enter(cpus: UsableCPUs.process.count) else {
      return Region.runSerially(count: count, grain: grain, body)
    }
    defer { Crowd.process.leave() }
    var done = false
    Region.with(count: count, grain: grain, chunks: chunks, body) { region in
      done =
        backend == .openmp
        ? OpenMPTeam.tryRun(&region, width: width, others: others)
        : Team.shared.tryRun(
          region, width: width, others: others, lingerNanoseconds: UInt64(lingerMicroseconds) * 1000)
    }
    if !done { Region.runSerially(count: count, grain: grain, body) }
  }

  /// A region over parts that need scratch: `body(slot, part)` for every part of 0..<count exactly once, in any order; at
  /// any time a slot of 0..<slots is one thread's alone. Allocates nothing once the team is warm.
  ///
  /// In pieces, which is for work that is bound by memory, a thread begins with a piece of neighbouring parts, and threads
  /// that come in the same order get the same pieces call after call, the caller (of a host, its
  /// task 0) always the first: their caches then hold what they need, and lines between parts are seldom written by two. Who is done with its own helps the others. Else
  /// threads take parts in turn, and what neighbouring parts share, such as a panel of weights, is read by all at the same
  /// time.
  package func parallel(
    parts count: Int, slots: Int, inPieces: Bool = false, _ body: (_ slot: Int, _ part: Int) -> Void
  ) throws(ApusError) {
    if slots <= 1 || count <= 1 {
      for part in 0..<count { body(0, part) }
      return
    }
    let workers = min(slots, count)
    let pieces = inPieces ? min(workers, Self.maximumPieces) : 1
    func run(_ claims: UnsafeMutableRawPointer) throws(ApusError) {
      let claims = claims.assumingMemoryBound(to: UInt64.self)
      try parallel(count: workers) { range in
        for worker in range {
          for turn in 0..<pieces {
            let piece = (worker + turn) % pieces
            let end = count * (piece + 1) / pieces
            while true {
              let part = count * piece / pieces + Int(truncatingIfNeeded: apus_add(claims + 8 * piece, 1))
              if part >= end { break }
              body(worker, part)
            }
          }
        }
      }
    }
    var claims = InlineArray<128, UInt64>(repeating: 0)
    try run(&claims)
  }

  /// A region for work that is bound by memory: `body(first, count)` of stretches that cover 0..<count exactly once, each at
  /// most `grain` long, in pieces.
  func parallel(neighbours count: Int, grain: Int, _ body: (_ first: Int, _ count: Int) -> Void) throws(ApusError) {
    if count <= 0 { return }
    let grain = max(1, grain)
    let chunks = (count - 1) / grain + 1
    let workers = min(effectiveThreads, chunks)
    if workers == 1 { return body(0, count) }
    try parallel(parts: chunks, slots: workers, inPieces: true) { _, chunk in
      body(chunk * grain, min(grain, count - chunk * grain))
    }
  }

  /// Pieces of a region over parts, whose counters lie on the stack, on a line each.
  private static let maximumPieces = 16

  private var dispatchWorks: Bool { apus_forks() == 0 && !apus_dispatch_lost_threads() }

  private var openMPWorks: Bool {
    (apus_forks() == 0 || apus_openmp_survives_fork()) && !apus_openmp_in_parallel()
  }
}
