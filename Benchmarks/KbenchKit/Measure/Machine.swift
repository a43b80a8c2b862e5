import ApusEngine
import CApus
import Foundation

/// A level of the memory hierarchy.
public enum MemoryLevel: String, CaseIterable, Sendable, Comparable {
  case l1 = "L1"
  case l2 = "L2"
  case l3 = "L3"
  case dram = "DRAM"

  /// Nearer to the CPU first.
  public static func < (a: Self, b: Self) -> Bool { a.order < b.order }
  private var order: Int { Self.allCases.firstIndex(of: self)! }
}

/// What kbench says about the computer it runs on.
public struct Machine: Sendable {
  /// As the kernel reports it.
  public var cpu: String
  /// CPUs that are online.
  public var cpuCount: Int
  /// Bytes of the data cache of one CPU.
  public var l1: Int
  /// Bytes of one CPU's second level.
  public var l2: Int
  /// Bytes of the last level, shared by all; no more than `l2` where there is none.
  public var l3: Int
  /// Bytes of memory.
  public var memory: Int

  /// This computer. Caches that the system does not describe get the sizes of a small CPU of today.
  public static let current: Machine = {
    let caches = readCaches()
    return Machine(
      cpu: cpuModel(), cpuCount: ProcessInfo.processInfo.processorCount, l1: caches[1] ?? 32 << 10,
      l2: caches[2] ?? 512 << 10, l3: caches[3] ?? 0, memory: Int(clamping: ProcessInfo.processInfo.physicalMemory))
  }()

  /// The level that holds data of `bytes` when `threads` threads share them evenly. A quarter is left for the rest of
  /// the world.
  public func level(bytes: Double, threads: Int) -> MemoryLevel {
    let share = bytes / Double(threads)
    if share <= 0.75 * Double(l1) { return .l1 }
    if share <= 0.75 * Double(l2) { return .l2 }
    return bytes <= 0.75 * Double(l3) ? .l3 : .dram
  }

  /// The version of Apus that this program was built with.
  public static let apusVersion = "\(APUS_VERSION_MAJOR).\(APUS_VERSION_MINOR).\(APUS_VERSION_PATCH)"

  /// What every row of CSV and JSON says of the machine.
  public var record: Record {
    var record = Record()
    record["cpu"] = .text(cpu)
    record["cpus"] = .integer(cpuCount)
    record["version"] = .text(Self.apusVersion)
    return record
  }

  /// Two lines for people.
  public var summary: String {
    let sets = InstructionSet.available.map(\.name).joined(separator: " ")
    let caches = [("L1", l1), ("L2", l2), ("L3", l3)].filter { $0.1 > 0 }.map { "\($0.0) \(Self.size($0.1))" }
    return "CPU: \(cpu), \(cpuCount) CPUs, \(caches.joined(separator: ", ")), memory \(Self.size(memory))\n"
      + "Apus \(Self.apusVersion), instruction sets: \(sets)"
  }

  static func size(_ bytes: Int) -> String {
    if bytes >= 1 << 30 { return fixed(Double(bytes) / Double(1 << 30), 1) + " GiB" }
    return bytes >= 1 << 20 ? "\(bytes >> 20) MiB" : "\(bytes >> 10) KiB"
  }

  private static func cpuModel() -> String {
    let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    func value(_ key: String) -> String? {
      guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix(key) }) else { return nil }
      return line.split(separator: ":", maxSplits: 1).last.map { $0.trimmingCharacters(in: .whitespaces) }
    }
    if let name = value("model name") { return name }
    // arm64 gives numbers only.
    guard let maker = value("CPU implementer"), let part = value("CPU part") else { return "unknown" }
    return "implementer \(maker), part \(part)"
  }

  private static func readCaches() -> [Int: Int] {
    var sizes: [Int: Int] = [:]
    for index in 0..<8 {
      func read(_ name: String) -> String? {
        let path = "/sys/devices/system/cpu/cpu0/cache/index\(index)/\(name)"
        return (try? String(contentsOfFile: path, encoding: .utf8))?.trimmingCharacters(in: .whitespacesAndNewlines)
      }
      guard let level = read("level").flatMap({ Int($0) }), read("type") != "Instruction", let size = read("size"),
        let number = Int(size.prefix { $0.isNumber })
      else { continue }
      sizes[level] = number << (size.hasSuffix("M") ? 20 : 10)
    }
    return sizes
  }
}
