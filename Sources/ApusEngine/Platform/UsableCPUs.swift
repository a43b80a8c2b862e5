import ApusShims

/// How many CPUs this process may use: its affinity mask, and the CPU quota of its control groups.
package struct UsableCPUs: Sendable {
  /// CPUs of the affinity mask.
  package var affinity: Int
  /// CPUs' worth of time that the tightest quota allows; nil: no quota.
  package var quota: Double?

  /// Threads that can run at once: a quota of 1.5 CPUs lets two threads run, each part of the time.
  package var count: Int {
    guard let quota, quota < Double(affinity) else { return max(1, affinity) }
    return max(1, Int(quota.rounded(.up)))
  }

  /// Whether a quota is below the mask: then idle spinning is paid for with time that work needs.
  package var isThrottled: Bool { quota.map { $0 < Double(affinity) } ?? false }

  package init(affinity: Int, quota: Double?) {
    self.affinity = affinity
    self.quota = quota
  }

  /// The process's, as they were when first asked for.
  package static let process: UsableCPUs = {
    let quota = ControlGroups.quota(
      cgroup: SystemFile.read("/proc/self/cgroup") ?? "", mounts: SystemFile.read("/proc/self/mountinfo") ?? "",
      read: SystemFile.read)
    return UsableCPUs(affinity: Int(apus_affinity_count()), quota: quota)
  }()
}

/// Small text files of /proc and /sys.
enum SystemFile {
  /// The text, nil where the file cannot be read.
  static func read(_ path: String) -> String? {
    var capacity = 1 << 14
    while true {
      var length = -1
      let bytes = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
        length = apus_read_file(path, buffer.baseAddress, capacity)
        count = max(0, length)
      }
      if length < 0 { return nil }
      if length < capacity || capacity >= 1 << 22 { return String(decoding: bytes, as: UTF8.self) }
      capacity *= 4
    }
  }
}
