import ApusEngine
import Foundation
import Testing

enum SystemText {
  static func read(_ path: String) -> String { (try? String(contentsOfFile: path, encoding: .utf8)) ?? "" }
}

struct PlatformControlGroupTests {
  @Test(
    arguments: [
      ("max 100000\n", nil), ("50000 100000\n", 0.5), ("150000 100000", 1.5), ("400000 100000", 4), ("200000", 2),
      ("", nil), ("-1 100000", nil), ("0 100000", nil), ("100000 0", nil), ("nonsense", nil),
      ("9223372036854775808 1", nil),
    ] as [(String, Double?)])
  func version2(text: String, quota: Double?) { #expect(ControlGroups.parseVersion2(text) == quota) }

  @Test(
    arguments: [
      ("-1\n", "100000\n", nil), ("250000\n", "100000\n", 2.5), ("50000", "50000", 1), ("", "", nil),
      ("100000", "", nil),
    ] as [(String, String, Double?)])
  func version1(quota: String, period: String, cpus: Double?) {
    #expect(ControlGroups.parseVersion1(quota: quota, period: period) == cpus)
  }

  static let mounts2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
  static let mounts1 = """
    31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
    32 31 0:29 /docker/1f /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct
    33 31 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset
    """

  @Test func everyGroupAbove() {
    let files = [
      "/sys/fs/cgroup/a/b/cpu.max": "max 100000", "/sys/fs/cgroup/a/cpu.max": "150000 100000",
      "/sys/fs/cgroup/cpu.max": "800000 100000",
    ]
    #expect(ControlGroups.quota(cgroup: "0::/a/b\n", mounts: Self.mounts2) { files[$0] } == 1.5)
    #expect(ControlGroups.quota(cgroup: "0::/\n", mounts: Self.mounts2) { files[$0] } == 8)
    #expect(ControlGroups.quota(cgroup: "0::/a/b\n", mounts: Self.mounts2) { _ in nil } == nil)
  }

  @Test func containers() {
    let folder = "/sys/fs/cgroup/cpu,cpuacct"
    let files = [folder + "/cpu.cfs_quota_us": "200000", folder + "/cpu.cfs_period_us": "100000"]
    // The mount shows the container's own group; the process names it from the host's root, or from its own.
    for group in ["/docker/1f", "/", "/../other"] {
      let quota = ControlGroups.quota(cgroup: "4:cpu,cpuacct:\(group)\n3:cpuset:/\n", mounts: Self.mounts1) {
        files[$0]
      }
      #expect(quota == 2, "\(group)")
    }
    // A name with a colon, and blanks written as \040.
    let folders = ControlGroups.folders(
      cgroup: "0::/x:y\n", mounts: "30 23 0:26 / /mnt/my\\040groups rw - cgroup2 none rw\n")
    #expect(folders.map(\.path) == ["/mnt/my groups/x:y", "/mnt/my groups"])
    #expect(ControlGroups.folders(cgroup: "", mounts: "garbage - \n - - -\n").isEmpty)
  }

  @Test(
    arguments: [
      (4, nil, 4, false), (4, 8, 4, false), (4, 4, 4, false), (4, 1.5, 2, true), (4, 0.2, 1, true), (0, nil, 1, false),
      (64, 63.1, 64, true),
    ] as [(Int, Double?, Int, Bool)])
  func count(affinity: Int, quota: Double?, count: Int, throttled: Bool) {
    let cpus = UsableCPUs(affinity: affinity, quota: quota)
    #expect(cpus.count == count)
    #expect(cpus.isThrottled == throttled)
  }

  @Test func thisMachine() {
    #expect(UsableCPUs.process.affinity >= 1)
    #expect((1...UsableCPUs.process.affinity).contains(Machine.usableCPUs))
  }
}

struct PlatformMachineTests {
  @Test func caches() {
    let entries = [
      ("1\n", "Data\n", "32K\n"), ("1\n", "Instruction\n", "64K\n"), ("2\n", "Unified\n", "1024K\n"),
      ("3\n", "Unified\n", "32768K\n"),
    ].map { (level: $0.0, type: $0.1, size: $0.2) }
    #expect(Machine.parseCaches(entries) == .init(level1: 32 << 10, level2: 1 << 20, level3: 32 << 20))
    #expect(Machine.parseCaches([]) == .init())
    #expect(Machine.parseCaches([(level: "2", type: "Unified", size: "4M")]).level2 == 4 << 20)
    #expect(Machine.parseCaches([(level: "", type: "", size: "")]) == .init())
  }

  @Test func model() {
    #expect(Machine.parseModel("processor\t: 0\nmodel\t\t: 17\nmodel name\t: AMD  EPYC\n") == "AMD EPYC")
    #expect(
      Machine.parseModel("CPU implementer\t: 0x41\nCPU part\t: 0xd0c\n") == "implementer 0x41 part 0xd0c")
    #expect(Machine.parseModel("") == "unknown")
    #expect(!Machine.cpuModel.isEmpty)
  }
}

struct PlatformEnvironmentTests {
  let sets: [InstructionSet] = [.baseline, .avx2]

  private func message(_ status: Status, _ body: () throws -> Void) -> String {
    do {
      try body()
      Issue.record("no error")
      return ""
    } catch {
      let error = error as? ApusError
      #expect(error?.status == status)
      return error?.message ?? ""
    }
  }

  @Test func instructionSet() throws {
    #expect(try EnvironmentSettings.instructionSet(nil, available: sets) == nil)
    #expect(try EnvironmentSettings.instructionSet("", available: sets) == nil)
    #expect(try EnvironmentSettings.instructionSet("avx2", available: sets) == .avx2)
    let unknown = message(.invalidArgument) { _ = try EnvironmentSettings.instructionSet("sse9", available: sets) }
    for part in ["APUS_ISA", "sse9", "baseline, avx2"] { #expect(unknown.contains(part), "\(unknown)") }
    let lacking = message(.unsupported) { _ = try EnvironmentSettings.instructionSet("avx512", available: sets) }
    for part in ["APUS_ISA", "avx512", "baseline, avx2"] { #expect(lacking.contains(part), "\(lacking)") }
  }

  @Test func backend() throws {
    #expect(try EnvironmentSettings.backend(nil) == nil)
    #expect(try EnvironmentSettings.backend("serial") == .serial)
    for name in ["pthreads", "host", "Dispatch"] {
      let text = message(.invalidArgument) { _ = try EnvironmentSettings.backend(name) }
      for part in ["APUS_BACKEND", name, "dispatch, openmp, serial"] { #expect(text.contains(part), "\(text)") }
    }
  }

  @Test func numbers() throws {
    #expect(try EnvironmentSettings.threads(nil) == nil)
    #expect(try EnvironmentSettings.threads("4096") == 4096)
    #expect(try EnvironmentSettings.linger("0") == 0)
    #expect(try EnvironmentSettings.linger("10000") == 10_000)
    for value in ["0", "-1", "4097", "2x", " 2", "99999999999999999999"] {
      let text = message(.invalidArgument) { _ = try EnvironmentSettings.threads(value) }
      for part in ["APUS_THREADS", value, "4096"] { #expect(text.contains(part), "\(text)") }
    }
    for value in ["-1", "10001", "fast"] {
      let text = message(.invalidArgument) { _ = try EnvironmentSettings.linger(value) }
      for part in ["APUS_LINGER_US", value, "10000"] { #expect(text.contains(part), "\(text)") }
    }
  }
}
