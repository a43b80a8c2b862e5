import ApusEngine

/// Apus beside its peers: every library in a process of its own, in alternating rounds, so that whatever else the machine
/// does meets all of them.
public final class Comparison {
  /// Apus's name in tables.
  public static let own = "Apus"

  /// What to compare, and how long.
  public struct Settings {
    /// The peers.
    public var libraries: [PeerLibrary]
    /// Apus's instruction set and back end.
    public var context: ExecutionContext
    /// Numbers of threads, one after the other.
    public var threads: [Int]
    /// Measuring time of a library and problem, all rounds together.
    public var seconds: Double
    /// How often everyone has a turn.
    public var rounds: Int
    /// Compare with the reference.
    public var checks: Bool

    /// Settings.
    public init(
      libraries: [PeerLibrary], context: ExecutionContext, threads: [Int], seconds: Double, rounds: Int, checks: Bool
    ) {
      self.libraries = libraries
      self.context = context
      self.threads = threads
      self.seconds = seconds
      self.rounds = rounds
      self.checks = checks
    }
  }

  private let settings: Settings
  private let limits: Limits
  private let progress: Progress
  /// By number of threads.
  private var contestants: [Int: [Contestant]] = [:]
  /// Libraries that could not be loaded, with the reason.
  public private(set) var missing: [(library: PeerLibrary, reason: String)] = []

  /// Starts no process yet.
  public init(_ settings: Settings, limits: Limits, progress: Progress = Progress()) {
    self.settings = settings
    self.limits = limits
    self.progress = progress
  }

  /// Starts the workers; false after Ctrl-C.
  public func start<F: Family>(_ family: F.Type) throws -> Bool {
    do {
      for threads in settings.threads {
        let context = settings.context
        let own = try Contestant(
          name: Self.own, threads: threads,
          arguments: [
            "worker", F.name, "--threads", "\(threads)", "--isa", context.instructionSet.name, "--backend",
            threads == 1 ? ThreadingBackend.serial.name : context.backend.name,
          ])
        contestants[threads] = [own]
        for library in settings.libraries where !missing.contains(where: { $0.library == library }) {
          do {
            contestants[threads]?.append(
              try Contestant(
                name: library.name, threads: threads,
                arguments: [
                  "worker", F.name, "--symbol", library.symbol, "--version-symbol", library.versionSymbol ?? "",
                  "--manner", library.manner,
                ] + library.paths.flatMap { ["--path", $0] }))
          } catch let error as PeerError {
            missing.append((library, error.description))
          }
        }
      }
      return true
    } catch Child.Failure.interrupted {
      return false
    }
  }

  /// The columns of the table.
  public func columns(_ problems: [any Problem]) -> [Column] {
    let names = contestants.values.first?.map(\.name) ?? []
    return [
      Column("problem", "problem", width: problems.map(\.text.count).max() ?? 0, isLeading: true),
      Column("threads", "threads"),
    ] + names.map { Column($0, $0, width: 8) } + [
      Column("limit_percent", "\(Self.own) % limit"), Column("best", "best peer", width: 9, isLeading: true),
      Column("ratio", "\(Self.own)/best", decimals: 2), Column("check", "check", isLeading: true),
    ]
  }

  /// Compares every problem at every number of threads. Ends all workers.
  public func run<F: Family>(_ family: F.Type, _ problems: [any Problem], report: Report) throws -> Runner.Outcome {
    defer { for contestant in contestants.values.joined() { contestant.end() } }
    var outcome = Runner.Outcome.finished
    do {
      for (index, problem) in problems.enumerated() {
        for threads in settings.threads {
          progress.show("[\(index + 1)/\(problems.count)] \(F.name) \(problem.text), \(threads) threads")
          defer { progress.clear() }
          let bound = limits.bound(
            flops: problem.flops, traffic: problem.traffic, problem.type, settings.context.instructionSet,
            threads: threads)
          let entries = try measure(problem, contestants[threads] ?? [])
          let (rows, shown) = rows(F.name, problem, entries, bound)
          if rows.contains(where: { $0["check"] == .text("WRONG") }) { outcome = .wrong }
          progress.clear()
          report.add(rows, shown: [shown])
        }
      }
    } catch Child.Failure.interrupted {
      return .interrupted
    }
    return outcome
  }

  /// What came of one contestant at one problem.
  private struct Entry {
    var contestant: Contestant
    var setup: Contestant.Setup?
    var samples: [Double] = []
    /// Why there are no samples.
    var failure: String?
  }

  private func measure(_ problem: any Problem, _ contestants: [Contestant]) throws -> [Entry] {
    var entries = contestants.map { Entry(contestant: $0) }
    for i in entries.indices {
      try attempt(&entries[i]) { try $0.setup = $0.contestant.set(problem, checks: settings.checks) }
    }
    for round in 0..<settings.rounds {
      // Forth and back: a machine that grows slower treats the first and the last alike.
      let order = round % 2 == 0 ? Array(entries.indices) : entries.indices.reversed()
      for i in order where entries[i].failure == nil {
        try attempt(&entries[i]) {
          $0.samples += try $0.contestant.run(seconds: settings.seconds / Double(settings.rounds))
        }
      }
    }
    return entries
  }

  /// A contestant that fails is out of the row, not the end of the comparison.
  private func attempt(_ entry: inout Entry, _ body: (inout Entry) throws -> Void) throws {
    do {
      try body(&entry)
    } catch let error as PeerError {
      entry.failure = error.description
    } catch Child.Failure.died(let how) {
      entry.failure = how
    }
  }

  private func rows(
    _ family: String, _ problem: any Problem, _ entries: [Entry], _ bound: Bound
  ) -> (rows: [Record], shown: Record) {
    let medians = entries.map { $0.samples.isEmpty ? Double.infinity : Statistics.median($0.samples) }
    let best = entries.indices.filter { entries[$0].contestant.name != Self.own }.min { medians[$0] < medians[$1] }
    var shown = Rows.problem(family, problem)
    var rows: [Record] = []
    var wrong: [String] = []
    for (i, entry) in entries.enumerated() {
      var row = Rows.problem(family, problem)
      let isOwn = entry.contestant.name == Self.own
      row["library"] = .text(entry.contestant.name)
      row["library_version"] = .text(entry.contestant.version)
      row["isa"] = isOwn ? .text(settings.context.instructionSet.name) : .missing
      row["backend"] =
        isOwn ? .text(entry.contestant.threads == 1 ? "serial" : settings.context.backend.name) : .missing
      row["threads"] = .integer(entry.contestant.threads)
      row["seconds"] = .number(settings.seconds)
      row["rounds"] = .integer(settings.rounds)
      Rows.add(entry.samples, problem, bound, to: &row)
      row["ratio_to_best_peer"] = Field(best.map { medians[$0] / medians[i] })
      Rows.add(settings.checks ? entry.setup?.check : nil, to: &row)
      row["algorithm"] = Field(entry.setup?.description)
      row["failure"] = Field(entry.failure)
      rows.append(row)
      shown[entry.contestant.name] = row["gflops"]
      if row["check"] == .text("WRONG") { wrong.append(entry.contestant.name) }
      if isOwn {
        shown["threads"] = row["threads"]
        shown["limit_percent"] = row["limit_percent"]
        shown["ratio"] = row["ratio_to_best_peer"]
      }
    }
    let winner = best.flatMap { medians[$0].isFinite ? entries[$0].contestant.name : nil }
    shown["best"] = Field(winner)
    if settings.checks { shown["check"] = .text(wrong.isEmpty ? "ok" : "WRONG: " + wrong.joined(separator: " ")) }
    return (rows, shown)
  }
}
