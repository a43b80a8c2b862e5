import ApusEngine
import ApusShims
import Dispatch
import Glibc
import Synchronization
import Testing

/// A back end with a thread count; the context is made in the test, because OpenMP may be missing.
struct ThreadingSetup: CustomTestStringConvertible, Sendable {
  var backend: ThreadingBackend
  var threads: Int
  var testDescription: String { "\(backend.name) x \(threads)" }

  static let all = ThreadingBackend.allCases.filter { $0 != .openmp || apus_openmp_find() }
    .flatMap { backend in [1, 2, 3, 8].map { ThreadingSetup(backend: backend, threads: $0) } }

  func context() throws -> ExecutionContext {
    backend == .host
      ? try ExecutionContext(threads: threads, parallelFor: concurrentHost, user: nil)
      : try ExecutionContext(backend: backend, threads: threads)
  }
}

/// The two arguments of a task, made Sendable for Dispatch.
struct TaskArguments: @unchecked Sendable {
  var run: HostTask?
  var task: UnsafeMutableRawPointer?
}

/// A host that runs its tasks on Dispatch, one too late and in any order.
let concurrentHost: HostParallelFor = { _, count, run, task in
  let arguments = TaskArguments(run: run, task: task)
  DispatchQueue.concurrentPerform(iterations: Int(count)) { arguments.run?(arguments.task, count - 1 - Int64($0)) }
}

/// Counts how often each index is run, on any threads.
final class Hits: @unchecked Sendable {
  let counts: UnsafeMutablePointer<UInt64>
  let count: Int
  init(_ count: Int) {
    self.count = count
    counts = .allocate(capacity: max(1, count))
    counts.initialize(repeating: 0, count: max(1, count))
  }
  deinit { counts.deallocate() }
  func add(_ range: Range<Int>) { for i in range { _ = apus_add(counts + i, 1) } }
  func allAre(_ n: UInt64) -> Bool { (0..<count).allSatisfy { apus_load(counts + $0) == n } }
}

struct ThreadingTests {
  @Test(.enabled(if: apus_openmp_find(), "no OpenMP run time is installed (Debian: libomp-dev)"))
  func openMPIsCovered() {
    #expect(ThreadingSetup.all.contains { $0.backend == .openmp })
  }

  @Test(arguments: ThreadingSetup.all)
  func everyIndexOnce(setup: ThreadingSetup) throws {
    let context = try setup.context()
    for count in [0, 1, 2, 3, 7, 64, 1000] {
      for grain in [1, 2, 3, 64, 999, 1000, Int.max] {
        let hits = Hits(count)
        let tooLong = Atomic(0)
        try context.parallel(count: count, grain: grain) { range in
          if range.isEmpty || range.count > grain { tooLong.add(1, ordering: .relaxed) }
          hits.add(range)
        }
        #expect(hits.allAre(1), "count \(count) grain \(grain)")
        #expect(tooLong.load(ordering: .relaxed) == 0, "count \(count) grain \(grain)")
      }
    }
    // No work: the body is never called.
    try context.parallel(count: -3) { _ in Issue.record("called for a negative count") }
    // A grain that is none counts as one.
    let hits = Hits(5)
    try context.parallel(count: 5, grain: 0) { hits.add($0) }
    #expect(hits.allAre(1))
    // Ranges near the end of Int neither overflow nor get lost.
    let sum = Atomic(0)
    try context.parallel(count: .max, grain: .max / 2 + 1) { sum.add($0.count, ordering: .relaxed) }
    #expect(sum.load(ordering: .relaxed) == .max)
  }

  /// Every part once, on whichever thread, and a slot never on two at a time; more slots than there are pieces too.
  @Test(arguments: ThreadingSetup.all)
  func everyPartOnce(setup: ThreadingSetup) throws {
    let context = try setup.context()
    for count in [0, 1, 2, 3, 17, 64, 1000] {
      for (slots, inPieces) in [(1, true), (2, false), (2, true), (3, true), (8, false), (8, true), (40, true)] {
        let hits = Hits(count)
        let users = Hits(slots)
        let shared = Atomic(0)
        try context.parallel(parts: count, slots: slots, inPieces: inPieces) { slot, part in
          if apus_add(users.counts + slot, 1) != 0 { shared.add(1, ordering: .relaxed) }
          hits.add(part..<part + 1)
          _ = apus_add(users.counts + slot, ~0)
        }
        #expect(hits.allAre(1), "\(count) parts, \(slots) slots")
        #expect(shared.load(ordering: .relaxed) == 0, "\(count) parts, \(slots) slots")
      }
    }
  }

  /// The first slot, with it the first piece, and the first range are the caller's in every region: its caches hold what
  /// they held before. (A host chooses the thread itself.)
  @Test(arguments: ThreadingSetup.all.filter { $0.backend != .host })
  func callerHasTheFirstSlot(setup: ThreadingSetup) throws {
    let context = try setup.context()
    let caller = pthread_self()
    let others = Atomic(0)
    for round in 0..<200 {
      try context.parallel(parts: 64, slots: setup.threads, inPieces: round % 2 == 0) { slot, part in
        if slot == 0, pthread_equal(caller, pthread_self()) == 0 { others.add(1, ordering: .relaxed) }
        for _ in 0..<20 { apus_pause() }
      }
      try context.parallel(count: 8) { range in
        if range.contains(0), pthread_equal(caller, pthread_self()) == 0 { others.add(1, ordering: .relaxed) }
      }
    }
    #expect(others.load(ordering: .relaxed) == 0)
  }

  /// What the body captures lives on, and only, until the region's end.
  @Test(arguments: ThreadingSetup.all)
  func captures(setup: ThreadingSetup) throws {
    final class Thing: Sendable {}
    weak var gone: Thing?
    let context = try setup.context()
    do {
      let thing = Thing()
      gone = thing
      try context.parallel(count: 16) { _ in withExtendedLifetime(thing) {} }
      #expect(gone != nil)
      withExtendedLifetime(thing) {}
    }
    #expect(gone == nil)
  }

  @Test(arguments: ThreadingSetup.all)
  func nested(setup: ThreadingSetup) throws {
    let context = try setup.context()
    let other = try ExecutionContext(backend: .dispatch, threads: 2)
    let hits = Hits(8 * 5)
    let wrong = Atomic(0)
    try context.parallel(count: 8) { outer in
      for o in outer {
        let thread = pthread_self()
        if context.effectiveThreads != 1 || other.effectiveThreads != 1 { wrong.add(1, ordering: .relaxed) }
        let body: (Range<Int>) -> Void = { inner in
          if pthread_equal(thread, pthread_self()) == 0 { wrong.add(1, ordering: .relaxed) }
          for i in inner { hits.add(o * 5 + i..<o * 5 + i + 1) }
        }
        do { try (o % 2 == 0 ? context : other).parallel(count: 5, body) } catch { wrong.add(1, ordering: .relaxed) }
        // The end of a nested region is not the end of the outer one.
        if context.effectiveThreads != 1 { wrong.add(1, ordering: .relaxed) }
      }
    }
    #expect(hits.allAre(1))
    #expect(wrong.load(ordering: .relaxed) == 0)
    #expect(!apus_in_region())
  }

  @Test(arguments: ThreadingSetup.all)
  func manyCallers(setup: ThreadingSetup) throws {
    let context = try setup.context()
    let failures = Atomic(0)
    DispatchQueue.concurrentPerform(iterations: 8) { seed in
      for round in 0..<200 {
        let hits = Hits(1 + (round + seed) % 13)
        do { try context.parallel(count: hits.count) { hits.add($0) } } catch { failures.add(1, ordering: .relaxed) }
        if !hits.allAre(1) { failures.add(1, ordering: .relaxed) }
      }
    }
    #expect(failures.load(ordering: .relaxed) == 0)
  }

  @Test func arguments() throws {
    #expect(throws: ApusError.self) { try ExecutionContext(backend: .host) }
    for threads in [0, -1, ExecutionContext.maximumThreads + 1] {
      #expect(throws: ApusError.invalid("threads", threads, "it must be 1 to 4096")) {
        try ExecutionContext(backend: .serial, threads: threads)
      }
    }
    for linger in [-1, 10_001] {
      #expect(throws: ApusError.self) { try ExecutionContext(backend: .dispatch, lingerMicroseconds: linger) }
    }
    let context = try ExecutionContext(instructionSet: .baseline, backend: .dispatch, threads: 3, lingerMicroseconds: 7)
    #expect(context.instructionSet == .baseline && context.threads == 3 && context.lingerMicroseconds == 7)
    #expect(context.effectiveThreads == min(3, Machine.usableCPUs))
    #expect(try ExecutionContext(backend: .serial, threads: 8).effectiveThreads == 1)
    for set in InstructionSet.allCases where !InstructionSet.available.contains(set) {
      #expect(throws: ApusError.self) { try ExecutionContext(instructionSet: set) }
    }
  }
}
