import ApusEngine
import ApusShims
import Glibc

func fail(_ message: String) -> Never {
  print("failed: \(message)")
  fflush(nil)
  _exit(1)
}

func require(_ condition: Bool, _ message: @autoclosure () -> String) {
  if !condition { fail(message()) }
}

/// A context on the named back end; `library` is loaded first, as a host's OpenMP run time would be.
func makeContext(_ name: String, library: String? = nil, threads: Int? = nil) throws -> ExecutionContext {
  if let library { require(dlopen(library, RTLD_NOW | RTLD_GLOBAL) != nil, "cannot load \(library)") }
  if name == "host" { return try ExecutionContext(threads: threads ?? 2, parallelFor: threadPerTask, user: nil) }
  guard let backend = ThreadingBackend.allCases.first(where: { $0.name == name }) else { fail("no back end \(name)") }
  return try ExecutionContext(backend: backend, threads: threads)
}

/// A host's parallel-for with a thread of its own for each task but the first: works in a forked child too.
let threadPerTask: HostParallelFor = { _, count, run, task in
  struct Job {
    var run: HostTask
    var task: UnsafeMutableRawPointer?
    var index: Int64
  }
  guard let run else { return }
  var threads: [pthread_t] = []
  for index in 1..<max(1, count) {
    let job = UnsafeMutablePointer<Job>.allocate(capacity: 1)
    job.initialize(to: Job(run: run, task: task, index: index))
    var thread = pthread_t()
    let made = pthread_create(
      &thread, nil,
      { argument in
        let job = argument!.assumingMemoryBound(to: Job.self)
        let before = apus_fp_control()
        job.pointee.run(job.pointee.task, job.pointee.index)
        require(apus_fp_control() == before, "the region left its floating-point mode on a host's thread")
        job.deallocate()
        return nil
      }, job)
    require(made == 0, "pthread_create")
    threads.append(thread)
  }
  run(task, 0)
  for thread in threads { pthread_join(thread, nil) }
}

/// Runs `body` on a new thread.
func onThread(_ body: @escaping @Sendable () -> Void) -> pthread_t {
  final class Box {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
  var thread = pthread_t()
  let made = pthread_create(
    &thread, nil,
    { argument in
      Unmanaged<Box>.fromOpaque(argument!).takeRetainedValue().body()
      return nil
    }, Unmanaged.passRetained(Box(body)).toOpaque())
  require(made == 0, "pthread_create")
  return thread
}

/// One region whose result is checked: every index exactly once.
func checkRegion(_ context: ExecutionContext, count: Int = 97, grain: Int = 3) {
  withUnsafeTemporaryAllocation(of: UInt64.self, capacity: count) { hits in
    hits.initialize(repeating: 0)
    let base = hits.baseAddress!
    do {
      try context.parallel(count: count, grain: grain) { range in for i in range { _ = apus_add(base + i, 1) } }
    } catch {
      fail("\(error)")
    }
    for i in 0..<count { require(hits[i] == 1, "index \(i) was run \(hits[i]) times") }
  }
}

/// Runs a region of two tasks that wait for each other, at most 200 ms: whether two threads took part. `each` is called
/// on both once they have met.
func meet(_ context: ExecutionContext, _ each: () -> Void = {}) -> Bool {
  var arrived: UInt64 = 0
  var met: UInt64 = 0
  withUnsafeMutablePointer(to: &arrived) { arrived in
    withUnsafeMutablePointer(to: &met) { met in
      let deadline = apus_now() + 200_000_000
      do {
        try context.parallel(count: 2) { _ in
          _ = apus_add(arrived, 1)
          while apus_load(arrived) < 2, apus_now() < deadline { apus_pause() }
          if apus_load(arrived) == 2, apus_now() < deadline { _ = apus_add(met, 1) }
          each()
        }
      } catch {
        fail("\(error)")
      }
    }
  }
  return met == 2
}
