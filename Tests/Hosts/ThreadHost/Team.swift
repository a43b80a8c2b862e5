import ApusEngine
import ApusShims
import Glibc

/// idle: nothing is burnt from 10 ms after the last call on, and while the team lingers nothing but the linger.
func idle(_ arguments: [String]) throws {
  let context = try makeContext("dispatch")
  for _ in 0..<20 {
    for _ in 0..<50 { checkRegion(context) }
    usleep(10_000)
    let before = clock()
    usleep(50_000)
    let burnt = clock() - before
    // 1 ms of 50: what bookkeeping of the kernel may add, a fortieth of one spinning thread.
    require(burnt < 1_000, "\(burnt) us of CPU time in 50 ms of idleness")
  }
  // The measure itself sees a thread that spins.
  let before = clock()
  let end = apus_now() + 50_000_000
  while apus_now() < end {}
  require(clock() - before > 10_000, "the CPU clock does not see a spinning thread")
}

/// crowd [back end]: eight host threads share the team, 10,000 rounds each, without deadlock or more threads than CPUs
/// (on the host back end they are the host's to bound).
func crowd(_ arguments: [String]) throws {
  let context = try makeContext(arguments.first ?? "dispatch")
  let cpus = Machine.usableCPUs
  let words = UnsafeMutablePointer<UInt64>.allocate(capacity: 2)
  words.initialize(repeating: 0, count: 2)
  nonisolated(unsafe) let helpers = words
  nonisolated(unsafe) let most = words + 1
  let callers = 8
  let threads = (0..<callers).map { seed in
    onThread {
      let caller = pthread_self()
      for round in 0..<10_000 {
        let body: (Range<Int>) -> Void = { _ in
          let helps = pthread_equal(pthread_self(), caller) == 0
          if helps {
            let now = apus_add(helpers, 1) + 1
            while true {
              let old = apus_load(most)
              if old >= now || apus_compare_exchange(most, old, now) { break }
            }
          }
          spin(UInt64(round % 7) * 200)
          if helps { _ = apus_add(helpers, ~0) }
        }
        do { try context.parallel(count: 2 + (round + seed) % 5, body) } catch { fail("\(error)") }
        if round % 64 == 0 { checkRegion(context) }
        if round % 1024 == seed { usleep(300) }
      }
    }
  }
  for thread in threads { pthread_join(thread, nil) }
  if context.backend != .host {
    require(apus_load(most) <= UInt64(cpus - 1), "\(apus_load(most)) threads helped at once on \(cpus) CPUs")
  }
  require(Team.shared.size <= cpus - 1, "the team has \(Team.shared.size) members on \(cpus) CPUs")
  require(apus_load(apus_callers_word()) == 0, "callers are still counted")
  // The crowd has gone: the team works for a single caller again.
  usleep(20_000)
  if context.effectiveThreads > 1 { require(meet(context) || meet(context), "no second thread came after the crowd") }
}

/// share <back end> [library]: two threads take part, also after the team parked and after it went back to Dispatch.
func share(_ arguments: [String]) throws {
  let context = try makeContext(arguments[0], library: arguments.count > 1 ? arguments[1] : nil)
  require(context.effectiveThreads > 1, "only one thread on this machine")
  for pause in [0, 0, 500, 2_000, 20_000, 300_000, 0] {
    usleep(UInt32(pause))
    require(meet(context) || meet(context), "no second thread came after \(pause) us")
  }
  if context.backend == .dispatch {
    usleep(400_000)
    require(Team.shared.size == 0, "the team did not return its threads to Dispatch")
  }
}

/// float <back end> [library]: the members take the caller's rounding and denormal mode, also when they are warm, and
/// have their own back afterwards.
func floatingPointMode(_ arguments: [String]) throws {
  let context = try makeContext(arguments[0], library: arguments.count > 1 ? arguments[1] : nil)
  let plain = apus_fp_control()
  for round in 0..<200 {
    #if arch(x86_64)
      let modes = [plain, plain | 0x8040, plain | 0x4000, plain | 0x2000 | 0x8000]  // FTZ + DAZ, up, down + FTZ
    #else
      let modes = [plain, plain | 1 << 24, plain | 1 << 22]
    #endif
    let mode = modes[round % modes.count]
    apus_set_fp_control(mode)
    require(apus_fp_control() == mode, "the mode cannot be set")
    let denormal = Float(bitPattern: 70_000)
    let third = opaque(1) / opaque(3)
    let tiny = opaque(denormal) * opaque(0.5)
    let met = meet(context) {
      require(apus_fp_control() == mode, "a member works in another mode")
      require(opaque(1) / opaque(3) == third && opaque(denormal) * opaque(0.5) == tiny, "a member rounds differently")
    }
    require(met || round > 0 || meet(context), "no second thread came")
    require(apus_fp_control() == mode, "the caller's mode was changed")
    apus_set_fp_control(plain)
  }
}

@inline(never) @_optimize(none)
private func opaque(_ x: Float) -> Float { x }
