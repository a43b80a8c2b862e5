import ApusEngine
import ApusShims
import Glibc

/// callers: throughput of eight host threads at once against two serial ones, for regions as long as GEMMs of 64^3 (5 us)
/// and 512^3 (2.3 ms), in alternating rounds.
func measureCallers(_ arguments: [String]) throws {
  for (name, work, milliseconds) in [("8 x 5 us", UInt64(5_000), UInt64(300)), ("8 x 2.3 ms", 2_300_000, 600)] {
    var ratios: [Double] = []
    for _ in 0..<5 {
      let base = try throughput(callers: 2, makeContext("serial"), work, milliseconds)
      let team = try throughput(callers: 8, makeContext("dispatch"), work, milliseconds)
      ratios.append(team / base)
    }
    ratios.sort()
    print("\(name): \(fixed(ratios[2])) of two serial callers [\(fixed(ratios[0])) .. \(fixed(ratios[4]))]")
  }
}

/// Regions a second that all callers finish together. The work is counted in steps, not in time, so that a preempted
/// thread does not get its work done while it sleeps.
private func throughput(
  callers: Int, _ context: ExecutionContext, _ work: UInt64, _ milliseconds: UInt64
) -> Double {
  let done = UnsafeMutablePointer<UInt64>.allocate(capacity: 1)
  done.initialize(to: 0)
  nonisolated(unsafe) let count = done
  let steps = Int(work) / 8
  let start = apus_now()
  let end = start + milliseconds * 1_000_000
  let threads = (0..<callers).map { _ in
    onThread {
      while apus_now() < end {
        do { try context.parallel(count: 8) { _ in walk(steps) } } catch { fail("\(error)") }
        _ = apus_add(count, 1)
      }
    }
  }
  for thread in threads { pthread_join(thread, nil) }
  defer { done.deallocate() }
  return Double(done.pointee) / Double(apus_now() - start)
}

/// About a nanosecond a step.
@inline(never)
private func walk(_ steps: Int) {
  var x = UInt64(truncatingIfNeeded: steps)
  for _ in 0..<steps { x = x &* 6_364_136_223_846_793_005 &+ 1 }
  if x == 42 { print("") }
}
