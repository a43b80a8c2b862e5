import ApusEngine
import ApusShims
import Testing

/// What a host's callback may do wrong, and right.
struct ThreadingHostTests {
  private func outcome(_ host: @escaping HostParallelFor) throws -> (hits: Hits, error: ApusError?) {
    let context = try ExecutionContext(threads: 4, parallelFor: host, user: nil)
    let hits = Hits(40)
    do {
      try context.parallel(count: 40) { hits.add($0) }
      return (hits, nil)
    } catch {
      return (hits, error)
    }
  }

  @Test func rightWays() throws {
    let inOrder = try outcome { _, count, run, task in for i in 0..<count { run?(task, i) } }
    #expect(inOrder.error == nil && inOrder.hits.allAre(1))
    let backwards = try outcome { _, count, run, task in for i in (0..<count).reversed() { run?(task, i) } }
    #expect(backwards.error == nil && backwards.hits.allAre(1))
  }

  @Test func none() throws {
    let result = try outcome { _, _, _, _ in }
    #expect(result.error?.status == .backend)
    #expect(result.hits.allAre(0))
  }

  @Test func skips() throws {
    let result = try outcome { _, count, run, task in for i in 1..<count { run?(task, i) } }
    #expect(result.error?.status == .backend)
    #expect(
      result.error?.message.contains("4 tasks once each: it ran 3") == true, "\(String(describing: result.error))")
    #expect((0..<result.hits.count).allSatisfy { apus_load(result.hits.counts + $0) <= 1 }, "what is done is done once")
  }

  @Test func repeats() throws {
    let result = try outcome { _, count, run, task in for i in 0..<count + 1 { run?(task, i % count) } }
    #expect(result.error?.status == .backend)
    #expect(result.hits.allAre(1), "a repeated task must not repeat work")
  }

  @Test func makesUp() throws {
    for index in [-1, 4, Int64.max, Int64.min] {
      // The callback is a C function without a context: the index travels as `user`.
      let context = try ExecutionContext(
        threads: 4,
        parallelFor: { user, count, run, task in
          for i in 0..<count { run?(task, i) }
          run?(task, Int64(Int(bitPattern: user)))
        }, user: UnsafeMutableRawPointer(bitPattern: Int(index)))
      #expect(throws: ApusError.self) { try context.parallel(count: 8) { _ in } }
    }
  }

  @Test func isGivenItsUserAndItsCount() throws {
    let seen = UnsafeMutablePointer<Int64>.allocate(capacity: 1)
    defer { seen.deallocate() }
    let context = try ExecutionContext(
      threads: 70,
      parallelFor: { user, count, run, task in
        user?.assumingMemoryBound(to: Int64.self).pointee = count
        for i in 0..<count { run?(task, i) }
      }, user: seen)
    for (count, tasks) in [(2, 2), (69, 69), (70, 70), (1000, 70)] {
      seen.pointee = 0
      let hits = Hits(count)
      try context.parallel(count: count) { hits.add($0) }
      #expect(seen.pointee == tasks)
      #expect(hits.allAre(1))
    }
    #expect(context.effectiveThreads == 70)
  }
}
