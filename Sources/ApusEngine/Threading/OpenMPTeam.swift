import ApusShims

/// The openmp back end: one region of the host's OpenMP run time, in which every thread claims chunks, the caller after
/// the first.
enum OpenMPTeam {
  /// Runs the region if no other host thread does so: each would get a team of its own from OpenMP, and n callers on
  /// n CPUs would run n x n threads. false: nothing was done.
  static func tryRun(_ region: inout Region, width: Int, others: Int) -> Bool {
    let width = min(width, UsableCPUs.process.count - others)
    let owner = apus_openmp_owner_word()!
    if width < 2 || !apus_compare_exchange(owner, 0, 1) { return false }
    // By this mark the caller, who is always of the team, knows itself.
    apus_set_in_region(true)
    apus_openmp_parallel(
      { $0!.assumingMemoryBound(to: Region.self).pointee.workAsMember(withFirst: apus_in_region()) }, &region,
      Int32(width))
    apus_set_in_region(false)
    apus_store_release(owner, 0)
    return true
  }
}
