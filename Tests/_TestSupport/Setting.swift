import ApusEngine
import Dispatch

/// Where a test runs: instruction set, back end and thread count.
public struct Setting: Sendable, CustomStringConvertible {
  public let instructionSet: InstructionSet
  public let backend: ThreadingBackend
  public let threads: Int

  public init(_ instructionSet: InstructionSet, _ backend: ThreadingBackend, _ threads: Int) {
    self.instructionSet = instructionSet
    self.backend = backend
    self.threads = threads
  }

  public var description: String { "\(instructionSet.name), \(backend.name), \(threads)" }

  public func context() throws -> ExecutionContext {
    if backend == .host {
      return try ExecutionContext(
        instructionSet: instructionSet, threads: threads, parallelFor: parallelForOverDispatch, user: nil)
    }
    return try ExecutionContext(instructionSet: instructionSet, backend: backend, threads: threads)
  }

  /// Back ends that work here; openmp needs a run time that a machine may lack (a test of its own says so).
  public static let backends: [ThreadingBackend] = ThreadingBackend.allCases.filter { backend in
    (try? Setting(.baseline, backend, 1).context()) != nil
  }

  /// Every instruction set with every back end and 1, 2 and 3 threads: more than a small machine has CPUs.
  public static let all: [Setting] = InstructionSet.available.flatMap { of($0) }

  public static func of(_ set: InstructionSet) -> [Setting] {
    backends.flatMap { backend in
      (backend == .serial ? [1] : [1, 2, 3]).map { Setting(set, backend, $0) }
    }
  }
}

/// A host's parallel-for, in no particular order.
private let parallelForOverDispatch: HostParallelFor = { _, count, run, task in
  guard let run else { return }
  nonisolated(unsafe) let task = task
  DispatchQueue.concurrentPerform(iterations: Int(count)) { run(task, count - 1 - Int64($0)) }
}

/// The data types that GEMM has.
public let gemmTypes: [DataType] = [.float32, .float64]
