import ApusShims

/// Swift hands its closure to C and back as two words: see apus_closure in ApusThreads.h for why.
@_silgen_name("apus_lend_closure")
private func lend(_ body: (Range<Int>) -> Void, _ words: UnsafeMutablePointer<apus_closure>)
@_silgen_name("apus_return_closure")
private func giveBack(_ body: (Range<Int>) -> Void)

/// One parallel region as every thread that works on it sees it. All chunks but the first are claimed, not dealt out, so
/// whichever threads come, the work is done exactly once.
package struct Region {
  var body: apus_closure
  var count: Int
  var grain: Int
  var chunks: Int
  /// The caller's rounding and denormal mode.
  var control: UInt64
  /// The next chunk that nobody has claimed. Chunk 0 is not claimed: it belongs to the caller (of a host, to its task 0),
  /// call after call, so that the caches of two threads hold what they held last time, whoever comes first.
  var next: UnsafeMutablePointer<UInt64>

  /// Calls `use` with the region, whose closure must not be called after `use` has returned. Allocates nothing.
  @inline(never)
  package static func with<Failure: Error>(
    count: Int, grain: Int, chunks: Int, _ body: (Range<Int>) -> Void,
    _ use: (inout Region) throws(Failure) -> Void
  ) throws(Failure) {
    var next: UInt64 = 1
    // The pointer outlives the call that makes it, but not `next`, whose address the last line still needs.
    func inner(_ next: UnsafeMutablePointer<UInt64>) throws(Failure) {
      var region = Region(
        body: apus_closure(), count: count, grain: grain, chunks: chunks, control: apus_fp_control(), next: next)
      lend(body, &region.body)
      defer { giveBack(body) }
      try use(&region)
    }
    try inner(&next)
  }

  /// Works on chunks until none is left; exactly one thread begins with the first. The calling thread counts as inside a
  /// region meanwhile.
  @inline(__always)
  func work(withFirst: Bool) {
    var chunk = withFirst ? 0 : Int(truncatingIfNeeded: apus_add(next, 1))
    while chunk < chunks {
      let lower = chunk * grain
      apus_call_closure(body, lower, lower + min(grain, count - lower))
      chunk = Int(truncatingIfNeeded: apus_add(next, 1))
    }
  }

  /// `work` on a thread that may not be the caller's, with the caller's floating-point mode.
  @inline(__always)
  func workAsMember(withFirst: Bool) {
    let own = apus_fp_control()
    if own != control { apus_set_fp_control(control) }
    let nested = apus_in_region()
    apus_set_in_region(true)
    work(withFirst: withFirst)
    apus_set_in_region(nested)
    if own != control { apus_set_fp_control(own) }
  }

  /// The serial form: the same ranges, in order, on the calling thread.
  @inline(never)
  static func runSerially(count: Int, grain: Int, _ body: (Range<Int>) -> Void) {
    let nested = apus_in_region()
    apus_set_in_region(true)
    defer { apus_set_in_region(nested) }
    var lower = 0
    while lower < count {
      let upper = count - lower > grain ? lower + grain : count
      body(lower..<upper)
      lower = upper
    }
  }
}
