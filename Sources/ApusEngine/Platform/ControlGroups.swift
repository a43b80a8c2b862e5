/// CPU quotas of Linux control groups, version 1 and 2, as pure functions of the files' text.
package enum ControlGroups {
  /// The tightest quota in CPUs over the process's group and all groups above it; nil: none.
  ///
  /// `cgroup` is /proc/self/cgroup, `mounts` /proc/self/mountinfo; `read` returns a file's text, nil if there is none.
  package static func quota(cgroup: String, mounts: String, read: (String) -> String?) -> Double? {
    var tightest: Double?
    for (folder, version) in folders(cgroup: cgroup, mounts: mounts) {
      let quota =
        version == 2
        ? read(folder + "/cpu.max").flatMap(parseVersion2)
        : parseVersion1(
          quota: read(folder + "/cpu.cfs_quota_us") ?? "", period: read(folder + "/cpu.cfs_period_us") ?? "")
      if let quota { tightest = min(tightest ?? quota, quota) }
    }
    return tightest
  }

  /// cpu.max: "max 100000" or "150000 100000".
  package static func parseVersion2(_ text: String) -> Double? {
    let words = text.split(whereSeparator: \.isWhitespace)
    if words.isEmpty { return nil }
    return ratio(words[0], words.count > 1 ? words[1] : "100000")
  }

  /// cpu.cfs_quota_us (-1: none) and cpu.cfs_period_us.
  package static func parseVersion1(quota: String, period: String) -> Double? {
    let quota = quota.split(whereSeparator: \.isWhitespace), period = period.split(whereSeparator: \.isWhitespace)
    guard let quota = quota.first, let period = period.first else { return nil }
    return ratio(quota, period)
  }

  private static func ratio(_ quota: Substring, _ period: Substring) -> Double? {
    guard let quota = Int64(quota), let period = Int64(period), quota > 0, period > 0 else { return nil }
    return Double(quota) / Double(period)
  }

  /// The folders whose quotas bind the process, with the version of their files.
  package static func folders(cgroup: String, mounts: String) -> [(path: String, version: Int)] {
    // "0::/user.slice" (version 2) or "4:cpu,cpuacct:/docker/1f"
    var unified: Substring?
    var cpu: Substring?
    for line in cgroup.split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      if parts.count < 3 { continue }
      if parts[0] == "0", parts[1].isEmpty { unified = parts[2] }
      if parts[1].split(separator: ",").contains("cpu") { cpu = parts[2] }
    }
    // "31 23 0:28 /root /mount/point options [optional ...] - type source superoptions"
    var result: [(path: String, version: Int)] = []
    for line in mounts.split(separator: "\n") {
      let words = line.split(separator: " ")
      guard let dash = words.firstIndex(of: "-"), dash >= 6, words.count > dash + 3 else { continue }
      let root = unescape(words[3]), point = unescape(words[4])
      if words[dash + 1] == "cgroup2", let unified {
        result += chain(group: String(unified), root: root, mount: point).map { ($0, 2) }
      } else if words[dash + 1] == "cgroup", words[dash + 3].split(separator: ",").contains("cpu"), let cpu {
        result += chain(group: String(cpu), root: root, mount: point).map { ($0, 1) }
      }
    }
    return result
  }

  /// The group's folder under the mount and those above it up to the mount. A mount may show a part of the hierarchy
  /// only, from `root` on: in a container that is the container's own group.
  private static func chain(group: String, root: String, mount: String) -> [String] {
    var inside = group.split(separator: "/")
    let above = root.split(separator: "/")
    if inside.starts(with: above) {
      inside.removeFirst(above.count)
    } else {
      inside = []  // the group lies outside of what is mounted; the mount's own folder is all there is to see
    }
    if inside.first == ".." { inside = [] }
    return (0...inside.count).reversed().map { length in
      ([mount == "/" ? "" : mount] + inside.prefix(length).map(String.init)).joined(separator: "/")
    }
  }

  /// mountinfo writes a blank, a tab, a newline and a backslash as \040, \011, \012 and \134.
  private static func unescape(_ text: Substring) -> String {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      let digits = rest.prefix(3)
      if byte == UInt8(ascii: "\\"), digits.count == 3,
        let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
      {
        bytes.append(value)
        rest.removeFirst(3)
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
