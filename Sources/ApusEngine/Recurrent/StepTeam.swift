import ApusShims

/// A team that goes through phases together: each phase's slices are done before the next phase begins.
///
/// The rendezvous never needs a thread that has not started. Slices are claimed; a participant prefers its own, whose
/// weights lie in its core's caches, and takes over others' that nobody has begun. Whoever comes late joins at the phase
/// that is under way, and one thread alone does everything.
struct StepTeam {
  let slices: Int
  /// `wordBytes(slices)`, any content.
  let words: UnsafeMutableRawPointer

  /// Words lie 128 bytes apart, since x86 fetches lines in pairs.
  static let spacing = 128
  static func wordBytes(_ slices: Int) -> Int { (2 * slices + 2) * spacing }

  private func word(_ index: Int) -> UnsafeMutablePointer<UInt64> {
    (words + index * StepTeam.spacing).assumingMemoryBound(to: UInt64.self)
  }
  /// Slices done, of all phases so far.
  private var done: UnsafeMutablePointer<UInt64> { word(0) }
  /// Participants that have come.
  private var here: UnsafeMutablePointer<UInt64> { word(1) }
  /// Phases of a slice that somebody has begun.
  private func claimed(_ slice: Int) -> UnsafeMutablePointer<UInt64> { word(2 + slice) }
  /// One more than the CPU on which a participant was seen last.
  private func seen(_ participant: Int) -> UnsafeMutablePointer<UInt64> { word(2 + slices + participant) }

  private func mark(_ cpu: Int32) -> UInt64 { UInt64(bitPattern: Int64(cpu) + 1) }

  /// Calls `body(phase, slice, participant)` once for every phase and slice; a participant is one of 0..<slices and one
  /// thread's alone at any time. Allocates nothing once the context's team is warm.
  func run(
    phases: Int, context: ExecutionContext, _ body: (_ phase: Int, _ slice: Int, _ participant: Int) -> Void
  ) throws(ApusError) {
    if slices == 1 {
      for phase in 0..<phases { body(phase, 0, 0) }
      return
    }
    words.initializeMemory(as: UInt8.self, repeating: 0, count: StepTeam.wordBytes(slices))
    try context.parallel(count: slices) { range in
      for index in range { participate(index, phases, body) }
    }
  }

  private func participate(_ index: Int, _ phases: Int, _ body: (Int, Int, Int) -> Void) {
    _ = apus_add(here, 1)
    var phase = Int(apus_load(done)) / slices
    while phase < phases {
      apus_store_relaxed(seen(index), mark(apus_current_cpu()))
      takeSlice(index, phase, index, body)
      // Looking at others' words costs them a cache miss each; nobody needs it while all are here.
      if apus_load_relaxed(here) < UInt64(slices) { takeOver(index, phase, body) }
      let target = UInt64((phase + 1) * slices)
      var spins = 0
      while apus_load(done) < target {
        apus_pause()
        spins += 1
        if spins % 256 == 0 {
          takeOver(index, phase, body)
          if spins >= 1024 { makeRoom(index) }
        }
      }
      phase += 1
    }
  }

  /// Somebody is long in the middle of a slice, perhaps because the system has put two participants on one CPU, where it
  /// may leave them for tens of milliseconds: of two, the later one goes elsewhere, the other lets it run.
  private func makeRoom(_ index: Int) {
    let cpu = apus_current_cpu()
    for other in 0..<index where apus_load_relaxed(seen(other)) == mark(cpu) {
      apus_leave_cpu(cpu)
      break
    }
    apus_store_relaxed(seen(index), mark(apus_current_cpu()))
    apus_yield()
  }

  private func takeOver(_ index: Int, _ phase: Int, _ body: (Int, Int, Int) -> Void) {
    for offset in 1..<slices { takeSlice((index + offset) % slices, phase, index, body) }
  }

  @inline(__always)
  private func takeSlice(_ slice: Int, _ phase: Int, _ participant: Int, _ body: (Int, Int, Int) -> Void) {
    let word = claimed(slice)
    let begun = UInt64(phase)
    if apus_load_relaxed(word) == begun && apus_compare_exchange(word, begun, begun + 1) {
      body(phase, slice, participant)
      _ = apus_add(done, 1)
    }
  }
}
