import ApusEngine

/// `kbench limits`: every limit of the machine, at the given numbers of threads.
public struct LimitsReport {
  private let limits: Limits
  private let threads: [Int]
  private let sets: [InstructionSet]
  private let motions: [Motion]

  /// Multiply-adds of every set in `sets`; bandwidth of the best of them.
  public init(_ limits: Limits, threads: [Int], sets: [InstructionSet], motions: [Motion] = Motion.allCases) {
    self.limits = limits
    self.threads = threads
    self.sets = sets
    self.motions = motions
  }

  /// The columns of the table: one for each number of threads.
  public var columns: [Column] {
    [
      Column("limit", "limit", width: 12, isLeading: true), Column("isa", "isa", width: 8, isLeading: true),
      Column("type", "type", isLeading: true), Column("unit", "unit", width: 7, isLeading: true),
    ] + threads.map { Column("threads_\($0)", $0 == 1 ? "1 thread" : "\($0) threads", width: 9) }
  }

  /// Measures what is not known yet and writes it. Returns false after Ctrl-C.
  public func run(report: Report) -> Bool {
    for set in sets {
      for type in ElementType.allCases {
        if Interrupt.isPending { return false }
        add("fma", set, type, "GFLOP/s", report) { limits.peak(set, type, threads: $0) }
      }
    }
    guard let set = sets.last else { return true }
    for level in MemoryLevel.allCases {
      for motion in motions where motion != .streamedCopy || level == .dram {
        if Interrupt.isPending { return false }
        add("\(level.rawValue) \(motion.rawValue)", set, nil, "GB/s", report) {
          limits.bandwidth(level, motion, set, threads: $0)
        }
      }
    }
    return true
  }

  private func add(
    _ name: String, _ set: InstructionSet, _ type: ElementType?, _ unit: String, _ report: Report,
    _ measure: (Int) -> Double?
  ) {
    var shown = Record()
    var rows: [Record] = []
    for threads in threads {
      var row = Record()
      row["limit"] = .text(name)
      row["isa"] = .text(set.name)
      row["type"] = Field(type?.rawValue)
      row["threads"] = .integer(threads)
      row["value"] = Field(measure(threads))
      row["unit"] = .text(unit)
      rows.append(row)
      for key in ["limit", "isa", "type", "unit"] { shown[key] = row[key] }
      shown["threads_\(threads)"] = row["value"]
    }
    report.add(rows, shown: [shown])
  }
}
