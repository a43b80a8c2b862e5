import ApusShims

/// One task of a host's parallel-for, the C header's `apus_task_fn`.
public typealias HostTask = @convention(c) @Sendable (_ task: UnsafeMutableRawPointer?, _ index: Int64) -> Void

/// A host's parallel-for, the C header's `apus_parallel_for_fn`: calls `run(task, i)` for every i in 0..<count, on any
/// threads, in any order, and returns when all have returned.
public typealias HostParallelFor =
  @convention(c) @Sendable (
    _ user: UnsafeMutableRawPointer?, _ count: Int64, _ run: HostTask?, _ task: UnsafeMutableRawPointer?
  ) -> Void

/// The host back end. A task claims chunks until none is left, task 0 after the first one, so a host that runs its tasks one
/// after another works too.
struct Host: @unchecked Sendable {
  let parallelFor: HostParallelFor
  let user: UnsafeMutableRawPointer?

  /// Tasks of one region; their marks lie on the stack.
  static let maximumTasks = 4096

  /// What the tasks share.
  private struct Job {
    var region: UnsafeMutablePointer<Region>
    var tasks: Int
    /// A bit for each task that began, then how many ended, then how many were not asked for.
    var marks: UnsafeMutablePointer<UInt64>
    var ended: UnsafeMutablePointer<UInt64>
    var refused: UnsafeMutablePointer<UInt64>
  }

  func run(_ region: inout Region, tasks: Int) throws(ApusError) {
    let tasks = min(tasks, Host.maximumTasks)
    let words = (tasks + 63) / 64
    var begun = 0
    var ended = 0
    var refused = 0
    withUnsafeMutablePointer(to: &region) { region in
      withUnsafeTemporaryAllocation(of: UInt64.self, capacity: words + 2) { memory in
        memory.initialize(repeating: 0)
        let base = memory.baseAddress!
        var job = Job(region: region, tasks: tasks, marks: base, ended: base + words, refused: base + words + 1)
        parallelFor(user, Int64(tasks), Host.task, &job)
        for word in 0..<words { begun += apus_load(base + word).nonzeroBitCount }
        ended = Int(apus_load(job.ended))
        refused = Int(apus_load(job.refused))
      }
    }
    if begun == tasks, ended == tasks, refused == 0 { return }
    throw ApusError(
      .backend,
      "the host's parallel-for was to run \(tasks) tasks once each: it ran \(begun), finished \(ended), and repeated or "
        + "made up \(refused)")
  }

  private static let task: HostTask = { task, index in
    guard let task else { return }
    let job = task.assumingMemoryBound(to: Job.self).pointee
    guard (0..<Int64(job.tasks)).contains(index),
      apus_or(job.marks + Int(index / 64), 1 << UInt64(index % 64)) & (1 << UInt64(index % 64)) == 0
    else {
      _ = apus_add(job.refused, 1)
      return
    }
    job.region.pointee.workAsMember(withFirst: index == 0)
    _ = apus_add(job.ended, 1)
  }
}
