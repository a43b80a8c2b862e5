import ApusEngine

/// How a row is measured, beside its problem.
public struct RunSettings {
  /// Who runs it: instruction set, back end, threads.
  public var contexts: [ExecutionContext]
  /// Measuring time of a row.
  public var seconds: Double
  /// Compare with the reference.
  public var checks: Bool
  /// Seconds of `now()` after which no more rows are begun.
  public var deadline: Double

  /// Settings without a deadline.
  public init(contexts: [ExecutionContext], seconds: Double, checks: Bool, deadline: Double = .infinity) {
    self.contexts = contexts
    self.seconds = seconds
    self.checks = checks
    self.deadline = deadline
  }
}

/// Measures problems one after the other and hands each finished row to a report.
public struct Runner {
  /// How a run ended.
  public enum Outcome: Sendable {
    case finished
    /// A result was wrong.
    case wrong
    /// Ctrl-C.
    case interrupted
    /// The deadline came: so many rows were left out.
    case cut(Int)
  }

  private let settings: RunSettings
  private let limits: Limits
  private let report: Report
  private let progress: Progress

  /// A runner that writes to `report`.
  public init(_ settings: RunSettings, limits: Limits, report: Report, progress: Progress = Progress()) {
    self.settings = settings
    self.limits = limits
    self.report = report
    self.progress = progress
  }

  /// The columns of the table, wide enough for these problems; the algorithm's where it has a width.
  public static func columns(_ problems: [any Problem], checks: Bool, algorithmWidth: Int? = nil) -> [Column] {
    let width = problems.map(\.text.count).max() ?? 0
    var columns = [
      Column("problem", "problem", width: width, isLeading: true), Column("isa", "isa", width: 8, isLeading: true),
      Column("backend", "back end", isLeading: true), Column("threads", "threads"),
      Column("median_us", "median us", decimals: 2, width: 11), Column("gflops", "GFLOP/s", width: 8),
      Column("gbs", "GB/s", width: 6), Column("limit_percent", "% limit"),
      Column("limit", "limit is", width: 11, isLeading: true),
    ]
    if let algorithmWidth {
      columns.append(Column("method", "algorithm", width: algorithmWidth, isLeading: true))
    }
    if checks { columns.append(Column("check", "check", isLeading: true)) }
    return columns
  }

  /// Runs every problem with every context.
  public func run<F: Family>(_ family: F.Type, _ problems: [any Problem]) throws -> Outcome {
    var outcome = Outcome.finished
    let total = problems.count * settings.contexts.count
    var done = 0
    for problem in problems {
      for context in settings.contexts {
        if now() > settings.deadline { return .cut(total - done) }
        done += 1
        progress.show("[\(done)/\(total)] \(F.name) \(problem.text), \(context.threads) threads")
        defer { progress.clear() }
        guard let record = try row(F.name, problem, context) else { return .interrupted }
        progress.clear()
        report.add([record])
        if record["check"] == .text("WRONG") { outcome = .wrong }
      }
    }
    return outcome
  }

  private func row(_ family: String, _ problem: any Problem, _ context: ExecutionContext) throws -> Record? {
    let bound = limits.bound(
      flops: problem.flops, traffic: problem.traffic, problem.type, context.instructionSet, threads: context.threads)
    if Interrupt.isPending { return nil }
    let work = try problem.makeCase(context: context)
    let samples = try Sampler(seconds: settings.seconds).measure { try work.run() }
    if samples.isEmpty { return nil }
    var record = Rows.problem(family, problem)
    record["isa"] = .text(context.instructionSet.name)
    record["backend"] = .text(context.backend.name)
    record["threads"] = .integer(context.threads)
    record["linger_us"] = .integer(context.lingerMicroseconds)
    record["seconds"] = .number(settings.seconds)
    Rows.add(samples, problem, bound, to: &record)
    let check = settings.checks ? try work.check() : nil
    Rows.add(check, to: &record)
    record["method"] = Field(work.algorithm)
    record["algorithm"] = .text(work.description)
    return record
  }
}

/// The fields that rows of `kbench gemm` and of `kbench compare gemm` share.
enum Rows {
  static func problem(_ family: String, _ problem: any Problem) -> Record {
    var record = Record()
    record["family"] = .text(family)
    record["problem"] = .text(problem.text)
    record["type"] = .text(problem.type.rawValue)
    for (key, value) in problem.settings.fields { record[key] = value }
    return record
  }

  static func add(_ samples: [Double], _ problem: any Problem, _ bound: Bound, to record: inout Record) {
    let median = Statistics.median(samples)
    record["samples"] = .integer(samples.count)
    record["median_us"] = Field(median * 1e6)
    record["min_us"] = Field(Statistics.minimum(samples) * 1e6)
    record["gflops"] = Field(problem.flops / median * 1e-9)
    record["gbs"] = Field(problem.traffic.bytes / median * 1e-9)
    record["limit_percent"] = Field(bound.seconds / median * 100)
    record["limit"] = .text(bound.name)
    record["limit_gflops"] = Field(bound.peak)
    record["limit_gbs"] = Field(bound.bandwidth)
  }

  static func add(_ check: CheckResult?, to record: inout Record) {
    record["check"] = Field(check.map { $0.isRight ? "ok" : "WRONG" })
    record["check_worst"] = Field(check?.worst)
    record["checked"] = check.map { .integer($0.checked) } ?? .missing
  }
}
