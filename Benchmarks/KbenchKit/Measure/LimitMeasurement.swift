import ApusEngine
import ApusKernelInterface

/// How the limits are measured: each thread on data of its own, all at once, the best of several repetitions (others may
/// load the machine, and a limit is what it can do).
enum LimitMeasurement {
  /// About 2 ms a repetition on a CPU of 3 GHz.
  private static let peakIterations = 400_000
  private static let repetitions = 9

  static func peak(_ set: InstructionSet, _ type: ElementType, threads: Int) -> Double {
    let kernels = type == .float32 ? set.kernels.limits32 : set.kernels.limits64
    // x + 0.75 * 0.25, or x * 0.75 + 0.25 where the instructions are separate: no overflow, no denormals.
    let seconds = Gang.time(threads: threads, repetitions: repetitions, prepare: { true }) { _ in
      withUnsafeTemporaryAllocation(byteCount: 3 * 8, alignment: 8) { scratch in
        for (i, x) in [0.75, 0.25].enumerated() {
          switch type {
          case .float32: scratch.storeBytes(of: Float(x), toByteOffset: 4 * i, as: Float.self)
          case .float64: scratch.storeBytes(of: x, toByteOffset: 8 * i, as: Double.self)
          }
        }
        kernels.multiplyAdds(peakIterations, scratch.baseAddress!, scratch.baseAddress! + 16)
      }
    }
    let flops = Double(kernels.flopsPerIteration * peakIterations * threads)
    return flops / (seconds ?? .infinity) * 1e-9
  }

  /// Arrays of one thread.
  private struct Arrays {
    var a: Buffer
    var b: Buffer
    var d: Buffer
  }

  static func bandwidth(
    _ level: MemoryLevel, _ motion: Motion, _ set: InstructionSet, threads: Int, machine: Machine
  ) -> Double? {
    if motion == .streamedCopy && level != .dram { return nil }
    let arrays = motion == .read ? 1 : motion == .triad ? 3 : 2
    guard let total = bytesPerThread(level, threads: threads, machine) else { return nil }
    let kernels = set.kernels.limits32
    let bytes = max(1, total / arrays / kernels.bytesPerStep) * kernels.bytesPerStep
    // A repetition moves 100 MB or passes once: milliseconds.
    let passes = max(1, 100_000_000 / (bytes * arrays))
    let seconds = Gang.time(
      threads: threads, repetitions: level == .dram ? 5 : repetitions,
      prepare: {
        // Not at the same offset in a page: stores would wait for loads that only look alike.
        guard let a = try? Buffer(bytes: bytes),
          let b = try? Buffer(bytes: motion == .triad ? bytes : 0, offset: 1024),
          let d = try? Buffer(bytes: motion == .read ? 64 : bytes, offset: 2048)
        else { return Arrays?.none }
        return Arrays(a: a, b: b, d: d)
      },
      body: { arrays in
        for _ in 0..<passes {
          switch motion {
          case .read: kernels.read(arrays.a.pointer, bytes, arrays.d.pointer)
          case .copy: kernels.copy(arrays.d.pointer, arrays.a.pointer, bytes)
          case .streamedCopy: kernels.streamedCopy(arrays.d.pointer, arrays.a.pointer, bytes)
          case .triad: kernels.triad(arrays.d.pointer, arrays.a.pointer, arrays.b.pointer, bytes)
          }
        }
      })
    return seconds.map { Double(bytes * arrays * passes * threads) / $0 * 1e-9 }
  }

  /// Bytes of all arrays of a thread together: half of what a level holds, beyond what the level below does.
  static func bytesPerThread(_ level: MemoryLevel, threads: Int, _ machine: Machine) -> Int? {
    switch level {
    case .l1: return machine.l1 / 2
    case .l2: return machine.l2 / 2
    case .l3:
      let share = machine.l3 / 2 / threads
      return share >= 2 * machine.l2 ? min(share, 4 * machine.l2) : nil
    case .dram:
      let all = max(256 << 20, 6 * max(machine.l3, machine.l2))
      return min(all, machine.memory / 4) / threads
    }
  }
}
