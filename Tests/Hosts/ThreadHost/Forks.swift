import ApusEngine
import ApusShims
import Glibc

/// fork <back end> <after | during | inside> [library]: children compute correctly and end, whatever the parent's threads did.
func forks(_ arguments: [String]) throws {
  let moment = arguments[1]
  let library = arguments.count > 2 ? arguments[2] : nil
  let context = try makeContext(arguments[0], library: library)
  // What the contract says of a child.
  let survives =
    switch context.backend {
    case .dispatch, .serial: false
    case .openmp: apus_openmp_survives_fork()
    case .host: true
    }
  let before = context.effectiveThreads
  for _ in 0..<50 { checkRegion(context) }
  if before > 1 { require(meet(context) || meet(context), "no second thread came before the fork") }

  switch moment {
  case "after":
    for _ in 0..<5 {
      inChild {
        require(
          context.effectiveThreads == (survives ? before : 1), "effective threads are \(context.effectiveThreads)")
        for _ in 0..<50 { checkRegion(context) }
        if survives { require(meet(context) || meet(context), "no second thread came in the child") }
        // A child's child.
        inChild { for _ in 0..<20 { checkRegion(context) } }
      }
    }
  case "during":
    let stop = UnsafeMutablePointer<UInt64>.allocate(capacity: 1)
    stop.initialize(to: 0)
    nonisolated(unsafe) let flag = stop
    let busy = onThread { while apus_load(flag) == 0 { checkRegion(context, count: 16, grain: 1) } }
    for _ in 0..<40 {
      inChild { for _ in 0..<20 { checkRegion(context) } }
    }
    apus_store(stop, 1)
    pthread_join(busy, nil)
  case "inside":
    // The body forks on the caller's thread; the child leaves the region and goes on.
    let parent = getpid()
    let caller = pthread_self()
    var child: pid_t = 0
    try withUnsafeMutablePointer(to: &child) { child in
      try context.parallel(count: 64) { _ in
        if pthread_equal(pthread_self(), caller) != 0, child.pointee == 0 { child.pointee = fork() == 0 ? -1 : 1 }
        spin(20_000)
      }
    }
    if getpid() != parent {
      alarm(10)
      for _ in 0..<20 { checkRegion(context) }
      _exit(0)
    }
    var status: Int32 = 0
    wait(&status)
    require(status == 0, "the child ended with status \(status)")
  default: fail("no moment \(moment)")
  }
  require(context.effectiveThreads == before, "the parent lost its threads")
  for _ in 0..<50 { checkRegion(context) }
}

/// Runs `body` in a forked child, which is killed if it takes 10 s, and fails if it does not end well.
private func inChild(_ body: () -> Void) {
  fflush(nil)
  let child = fork()
  require(child >= 0, "fork")
  if child == 0 {
    alarm(10)
    body()
    fflush(nil)
    _exit(0)
  }
  var status: Int32 = 0
  while waitpid(child, &status, 0) < 0 {}
  require(status == 0, status == SIGALRM ? "the child hung" : "the child ended with status \(status)")
}
