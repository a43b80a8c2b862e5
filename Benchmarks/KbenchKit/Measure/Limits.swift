import ApusEngine
import ApusKernelInterface

/// How memory is moved.
public enum Motion: String, CaseIterable, Sendable {
  /// Every byte once.
  case read
  /// One array to another; counts both, as `triad` counts three. What a store reads first is not counted.
  case copy
  /// A copy whose stores go past the caches, as kernels' do where data outgrow them. Only DRAM has it.
  case streamedCopy = "stream"
  /// d = a + 3 b.
  case triad
}

/// The limits of this machine, measured when first asked for and then kept: what every result is held against.
public final class Limits {
  private struct PeakKey: Hashable {
    var set: InstructionSet
    var type: ElementType
    var threads: Int
  }
  private struct BandwidthKey: Hashable {
    var level: MemoryLevel
    var motion: Motion
    var set: InstructionSet
    var threads: Int
  }
  private let machine: Machine
  private let progress: Progress
  private var peaks: [PeakKey: Double] = [:]
  private var bandwidths: [BandwidthKey: Double] = [:]

  /// Measures nothing yet.
  public init(machine: Machine = .current, progress: Progress = Progress()) {
    self.machine = machine
    self.progress = progress
  }

  /// GFLOP/s of nothing but multiply-adds on registers.
  public func peak(_ set: InstructionSet, _ type: ElementType, threads: Int) -> Double {
    let key = PeakKey(set: set, type: type, threads: threads)
    if let known = peaks[key] { return known }
    progress.show("measuring the multiply-add peak: \(set.name) \(type.rawValue), \(threads) threads")
    let result = LimitMeasurement.peak(set, type, threads: threads)
    progress.clear()
    peaks[key] = result
    return result
  }

  /// GB/s; nil where the machine has no such level, the level has no such motion, or memory is refused.
  public func bandwidth(_ level: MemoryLevel, _ motion: Motion, _ set: InstructionSet, threads: Int) -> Double? {
    let key = BandwidthKey(level: level, motion: motion, set: set, threads: threads)
    if let known = bandwidths[key] { return known }
    progress.show("measuring bandwidth: \(level.rawValue) \(motion.rawValue), \(threads) threads")
    defer { progress.clear() }
    guard
      let result = LimitMeasurement.bandwidth(level, motion, set, threads: threads, machine: machine)
    else { return nil }
    bandwidths[key] = result
    return result
  }

  /// The least time that peak and bandwidth allow for a problem, and which of the two it is.
  public func bound(
    flops: Double, traffic: Traffic, _ type: ElementType, _ set: InstructionSet, threads: Int
  ) -> Bound {
    let peak = peak(set, type, threads: threads)
    let level = machine.level(bytes: traffic.bytes, threads: threads)
    // What is written to DRAM is not read first: a plain copy's limit would be too low.
    let motion = traffic.motion == .copy && level == .dram ? .streamedCopy : traffic.motion
    let bandwidth = bandwidth(level, motion, set, threads: threads)
    let arithmetic = flops / peak * 1e-9
    let movement = bandwidth.map { traffic.bytes / $0 * 1e-9 } ?? 0
    return Bound(
      seconds: max(arithmetic, movement),
      name: arithmetic >= movement ? "fma" : "\(level.rawValue) \(motion.rawValue)", peak: peak, bandwidth: bandwidth)
  }
}

/// Bytes that a problem has to move, every operand once.
public struct Traffic: Sendable, Equatable {
  /// Bytes.
  public var read: Double
  /// Bytes.
  public var written: Double

  /// So many bytes.
  public init(read: Double, written: Double) {
    self.read = read
    self.written = written
  }

  /// Read and written.
  public var bytes: Double { read + written }
  /// The loop whose bandwidth is the limit: a copy where a quarter or more is written.
  public var motion: Motion { written * 4 >= bytes ? .copy : .read }
}

/// What a problem is held against.
public struct Bound: Sendable {
  /// No run can be quicker.
  public var seconds: Double
  /// "fma", or a level and a motion.
  public var name: String
  /// GFLOP/s.
  public var peak: Double
  /// GB/s at the level that holds the data.
  public var bandwidth: Double?
}
