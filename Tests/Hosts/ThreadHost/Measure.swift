import ApusEngine
import ApusShims
import Dispatch
import Glibc

/// What a region costs, on every back end that this machine has and raw concurrentPerform, in alternating rounds of one
/// run: medians of 15.
func measure(_ arguments: [String]) throws {
  let dispatch = try ExecutionContext(backend: .dispatch)
  var openMP: ExecutionContext?
  if apus_openmp_find() { openMP = try ExecutionContext(backend: .openmp) }
  let linger0 = try ExecutionContext(backend: .dispatch, lingerMicroseconds: 0)
  typealias Runner = (name: String, run: (Int, @Sendable (Range<Int>) -> Void) -> Void)
  var runners: [Runner] = [
    ("serial", { n, body in for i in 0..<n { body(i..<i + 1) } }),
    ("dispatch", { n, body in try! dispatch.parallel(count: n, body) }),
    ("dispatch linger 0", { n, body in try! linger0.parallel(count: n, body) }),
    ("concurrentPerform", { n, body in DispatchQueue.concurrentPerform(iterations: n) { body($0..<$0 + 1) } }),
  ]
  if let openMP { runners.append(("openmp", { n, body in try! openMP.parallel(count: n, body) })) }

  print(
    "threads \(dispatch.effectiveThreads), openmp \(openMP == nil ? "none" : String(cString: apus_openmp_library()))")
  print("microseconds a region, median of 15 alternating rounds [best .. worst]")
  let cases: [(String, UInt64, UInt64)] = [
    ("2 x empty", 0, 0), ("2 x 0.5 us", 500, 0), ("2 x 1 us", 1000, 0), ("2 x 2 us", 2000, 0), ("2 x 5 us", 5000, 0),
    ("2 x 20 us", 20_000, 0), ("2 x 200 us", 200_000, 0), ("2 x 20 us after 50 us", 20_000, 50_000),
    ("2 x 20 us after 150 us", 20_000, 150_000), ("2 x 20 us after 1 ms", 20_000, 1_000_000),
  ]
  for (name, work, gap) in cases {
    var times = [[Double]](repeating: [], count: runners.count)
    let repetitions = gap + work > 100_000 ? 50 : work > 5000 ? 300 : 3000
    for _ in 0..<15 {
      for (r, runner) in runners.enumerated() {
        for _ in 0..<20 { runner.run(2) { _ in spin(work) } }
        var sum: UInt64 = 0
        if gap == 0 {
          let start = apus_now()
          for _ in 0..<repetitions { runner.run(2) { _ in spin(work) } }
          sum = apus_now() - start
        } else {
          for _ in 0..<repetitions {
            spin(gap)
            let start = apus_now()
            runner.run(2) { _ in spin(work) }
            sum += apus_now() - start
          }
        }
        // OpenMP's threads spin on for up to 200 ms and would run against the next one's.
        if runner.name == "openmp" { usleep(250_000) }
        times[r].append(Double(sum) / Double(repetitions) / 1000)
      }
    }
    print(name)
    for (r, runner) in runners.enumerated() {
      let t = times[r].sorted()
      print("  \(pad(runner.name, 20)) \(fixed(t[7])) [\(fixed(t[0])) .. \(fixed(t[14]))]")
    }
  }
}

/// Work that touches no memory: spins until `nanoseconds` have passed.
@inline(never)
func spin(_ nanoseconds: UInt64) {
  if nanoseconds == 0 { return }
  let end = apus_now() + nanoseconds
  while apus_now() < end {}
}

func pad(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: max(0, width - text.count)) }

func fixed(_ value: Double) -> String {
  let hundredths = Int((value * 100).rounded())
  let fraction = String(hundredths % 100)
  return "\(hundredths / 100).\(fraction.count == 1 ? "0" : "")\(fraction)"
}
