import ApusEngine
import ApusKernelInterface
import Dispatch
import Foundation

/// What a parallel region costs, for Apus's back ends beside the plain tools.
public struct RegionCost {
  private enum Method {
    case context(ExecutionContext)
    case concurrentPerform
  }
  private struct Candidate {
    var name: String
    var method: Method
    var empty: [Double] = []
    var work: [Double] = []
  }

  /// Duration of one task of the second measurement.
  static let taskSeconds = 20e-6
  private let threads: Int
  private let seconds: Double

  /// Regions of `threads` tasks; `seconds` for each figure.
  public init(threads: Int, seconds: Double) {
    self.threads = threads
    self.seconds = seconds
  }

  /// The columns of the table.
  public static let columns = [
    Column("method", "region", width: 24, isLeading: true), Column("threads", "threads"),
    Column("empty_us", "back to back us", decimals: 2),
    Column("work_us", "2 x 20 us of work, us", decimals: 2), Column("work_ideal_us", "ideal us", decimals: 1),
  ]

  /// The columns, for this number of threads.
  public var columns: [Column] {
    var columns = Self.columns
    columns[3].title = "\(threads) x 20 us of work, us"
    columns[3].width = columns[3].title.count
    return columns
  }

  /// Measures serial, concurrentPerform, dispatch and OpenMP, in alternating rounds. Returns false after Ctrl-C.
  public func run(report: Report, progress: Progress = Progress()) throws -> Bool {
    var candidates: [Candidate] = []
    var failures: [(String, String)] = []
    for (name, backend) in [
      ("serial", ThreadingBackend.serial), ("Apus dispatch", .dispatch), ("Apus openmp", .openmp),
    ] {
      do {
        let context = try ExecutionContext(backend: backend, threads: backend == .serial ? 1 : threads)
        candidates.append(Candidate(name: name, method: .context(context)))
      } catch {
        failures.append((name, error.message))
      }
    }
    candidates.insert(Candidate(name: "concurrentPerform alone", method: .concurrentPerform), at: 1)
    let iterations = calibrate()
    let rounds = 3
    for _ in 0..<rounds {
      for i in candidates.indices {
        progress.show("regions: \(candidates[i].name)")
        let sampler = Sampler(seconds: seconds / Double(rounds))
        let method = candidates[i].method
        candidates[i].empty += try sampler.measure { try region(method) {} }
        candidates[i].work += try sampler.measure { try region(method) { Self.busy(iterations) } }
        if Interrupt.isPending {
          progress.clear()
          return false
        }
        // OpenMP's team spins on for up to 200 ms: it must not disturb the next one.
        usleep(candidates[i].name.hasSuffix("openmp") ? 300_000 : 20_000)
      }
    }
    progress.clear()
    for candidate in candidates { report.add([record(candidate)]) }
    for (name, reason) in failures {
      var record = record(Candidate(name: name, method: .concurrentPerform))
      record["failure"] = .text(reason)
      var shown = record
      shown["method"] = .text("\(name): \(reason)")
      report.add([record], shown: [shown])
    }
    return true
  }

  private func record(_ candidate: Candidate) -> Record {
    var record = Record()
    var isSerial = false
    if case .context(let context) = candidate.method { isSerial = context.backend == .serial }
    record["method"] = .text(candidate.name)
    record["threads"] = .integer(isSerial ? 1 : threads)
    record["tasks"] = .integer(threads)
    record["seconds"] = .number(seconds)
    record["samples"] = .integer(candidate.empty.count)
    record["empty_us"] = Field(Statistics.median(candidate.empty) * 1e6)
    record["empty_min_us"] = Field(Statistics.minimum(candidate.empty) * 1e6)
    record["work_us"] = Field(Statistics.median(candidate.work) * 1e6)
    record["work_min_us"] = Field(Statistics.minimum(candidate.work) * 1e6)
    record["work_ideal_us"] = .number(Self.taskSeconds * 1e6 * (isSerial ? Double(threads) : 1))
    record["failure"] = .missing
    return record
  }

  private func region(_ method: Method, _ task: @Sendable () -> Void) throws {
    switch method {
    case .context(let context):
      try context.parallel(count: threads) { range in
        for _ in range { task() }
      }
    case .concurrentPerform: DispatchQueue.concurrentPerform(iterations: threads) { _ in task() }
    }
  }

  /// Arithmetic on registers: nothing that threads could disturb each other with.
  private static func busy(_ iterations: Int) {
    withUnsafeTemporaryAllocation(byteCount: 16, alignment: 8) { scratch in
      scratch.storeBytes(of: 0.75, as: Float.self)
      scratch.storeBytes(of: 0.25, toByteOffset: 4, as: Float.self)
      InstructionSet.baseline.kernels.limits32.multiplyAdds(iterations, scratch.baseAddress!, scratch.baseAddress! + 8)
    }
  }

  /// Iterations that take a task's duration when nothing else runs.
  private func calibrate() -> Int {
    let trial = 100_000
    var best = Double.infinity
    for _ in 0..<20 {
      let start = now()
      Self.busy(trial)
      best = min(best, now() - start)
    }
    return max(1, Int(Double(trial) * Self.taskSeconds / best))
  }
}
