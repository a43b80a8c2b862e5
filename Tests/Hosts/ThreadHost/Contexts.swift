import ApusEngine
import ApusShims
import Glibc

/// context: what the environment's variables come to, or the error.
func context(_ arguments: [String]) throws {
  do {
    let c = try ExecutionContext.processDefault()
    print("\(c.instructionSet.name) \(c.backend.name) \(c.threads) \(c.lingerMicroseconds)")
  } catch {
    print("\(error.status): \(error.message)")
  }
}

/// inside-openmp <library> <global | local>: the host's run time is found and used, and inside its parallel region Apus
/// runs serially.
func insideOpenMP(_ arguments: [String]) throws {
  let local = arguments[1] == "local"
  guard let library = dlopen(arguments[0], RTLD_NOW | (local ? RTLD_LOCAL : RTLD_GLOBAL)) else {
    fail("cannot load \(arguments[0])")
  }
  let context = try ExecutionContext(backend: .openmp)
  let found = String(cString: apus_openmp_library())
  let name = arguments[0].split(separator: "/").last.map { $0.prefix { $0 != "." } } ?? ""
  require(found.contains(name), "\(found) was found instead of \(arguments[0])")
  require(context.effectiveThreads == min(context.threads, Machine.usableCPUs), "not all threads outside of a region")
  checkRegion(context)

  typealias Parallel =
    @convention(c) (@convention(c) (UnsafeMutableRawPointer?) -> Void, UnsafeMutableRawPointer?, UInt32, UInt32) -> Void
  guard let symbol = dlsym(library, "GOMP_parallel") else { fail("no GOMP_parallel in \(arguments[0])") }
  struct Shared {
    var context: ExecutionContext
    var threads: UInt64 = 0
  }
  var shared = Shared(context: context)
  let body: @convention(c) (UnsafeMutableRawPointer?) -> Void =
    { argument in
      let shared = argument!.assumingMemoryBound(to: Shared.self)
      let context = shared.pointee.context
      require(context.effectiveThreads == 1, "\(context.effectiveThreads) threads inside the host's region")
      let own = pthread_self()
      do {
        try context.parallel(count: 8) { _ in
          require(pthread_equal(own, pthread_self()) != 0, "a nested region left its thread")
        }
      } catch {
        fail("\(error)")
      }
      checkRegion(context)
      _ = apus_add(&shared.pointee.threads, 1)
    }
  withUnsafeMutablePointer(to: &shared) { unsafeBitCast(symbol, to: Parallel.self)(body, $0, 2, 0) }
  require(shared.threads == 2, "the host's own region had \(shared.threads) threads")
}
