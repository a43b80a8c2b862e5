/// What a report says about the machine, and what blocking may look at. Read from /sys and /proc: no CPUID, so that every
/// build has it.
public enum Machine {
  /// Data cache sizes in bytes, of the first CPU; 0 where the system does not say.
  public struct Caches: Sendable, Equatable {
    /// Level 1, data.
    public var level1 = 0
    /// Level 2.
    public var level2 = 0
    /// Level 3, which several cores share as a rule.
    public var level3 = 0

    /// Sizes in bytes.
    public init(level1: Int = 0, level2: Int = 0, level3: Int = 0) {
      self.level1 = level1
      self.level2 = level2
      self.level3 = level3
    }
  }

  /// The first CPU's caches, read once.
  public static let caches: Caches = {
    var entries: [(level: String, type: String, size: String)] = []
    for index in 0..<16 {
      let folder = "/sys/devices/system/cpu/cpu0/cache/index\(index)/"
      guard let level = SystemFile.read(folder + "level"), let type = SystemFile.read(folder + "type"),
        let size = SystemFile.read(folder + "size")
      else { break }
      entries.append((level, type, size))
    }
    return parseCaches(entries)
  }()

  /// The CPU's model name, "unknown" where the system does not say; read once.
  public static let cpuModel: String = parseModel(SystemFile.read("/proc/cpuinfo") ?? "")

  /// CPUs that the process may use: its affinity mask and its control groups' quota, rounded up.
  public static var usableCPUs: Int { UsableCPUs.process.count }

  package static func parseCaches(_ entries: [(level: String, type: String, size: String)]) -> Caches {
    var caches = Caches()
    for entry in entries {
      let words = [entry.level, entry.type, entry.size].map { $0.split(whereSeparator: \.isWhitespace).first ?? "" }
      if words[1] == "Instruction" { continue }
      let unit = words[2].hasSuffix("K") ? 1 << 10 : words[2].hasSuffix("M") ? 1 << 20 : 1
      let size = (Int(words[2].prefix(while: \.isNumber)) ?? 0) * unit
      switch words[0] {
      case "1": caches.level1 = size
      case "2": caches.level2 = size
      case "3": caches.level3 = size
      default: break
      }
    }
    return caches
  }

  /// x86 has a "model name" line; arm64 numbers, of which implementer and part say most.
  package static func parseModel(_ cpuinfo: String) -> String {
    func value(_ key: String) -> String? {
      for line in cpuinfo.split(separator: "\n") {
        let parts = line.split(separator: ":", maxSplits: 1)
        if parts.count == 2, parts[0].split(whereSeparator: \.isWhitespace).joined(separator: " ") == key {
          return parts[1].split(separator: " ").joined(separator: " ")
        }
      }
      return nil
    }
    if let name = value("model name") { return name }
    guard let implementer = value("CPU implementer"), let part = value("CPU part") else { return "unknown" }
    return "implementer \(implementer) part \(part)"
  }
}
