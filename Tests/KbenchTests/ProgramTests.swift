import Foundation
import Testing

/// The built program, as a user meets it.
@Suite struct ProgramTests {
  struct Output {
    var text: String
    var errors: String
    var status: Int32
  }

  /// kbench lies beside the test bundle.
  static func program() throws -> URL {
    let bundle = try #require(try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
    // The runner itself may be the toolchain's; the bundle is then among its arguments.
    let places = CommandLine.arguments.filter { $0.hasSuffix(".xctest") } + [bundle]
    let programs = places.map { URL(fileURLWithPath: $0).deletingLastPathComponent().appendingPathComponent("kbench") }
    return try #require(programs.first { FileManager.default.isExecutableFile(atPath: $0.path) })
  }

  static func start(_ arguments: [String]) throws -> (Process, Pipe, Pipe) {
    let process = Process()
    process.executableURL = try program()
    process.arguments = arguments
    let (output, errors) = (Pipe(), Pipe())
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    return (process, output, errors)
  }

  static func run(_ arguments: [String]) throws -> Output {
    let (process, output, errors) = try start(arguments)
    return try finish(process, output, errors)
  }

  static func finish(_ process: Process, _ output: Pipe, _ errors: Pipe) throws -> Output {
    let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    let complaint = String(decoding: try errors.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    process.waitUntilExit()
    return Output(text: text, errors: complaint, status: process.terminationStatus)
  }

  @Test(arguments: [
    (["gemm", "64x64"], "64x64"), (["gemm", "4x4x4:XX"], "4x4x4:XX"), (["gemm", "@/nonexistent"], "@/nonexistent"),
    (["gemm", "--preset", "none"], "--preset none"), (["gemm", "4x4x4", "--isa", "sse9"], "sse9"),
    (["gemm", "4x4x4", "--backend", "host"], "host"), (["gemm", "4x4x4", "--threads", "0"], "--threads 0"),
    (["gemm", "4x4x4", "--threads", "1,"], "--threads 1,"), (["gemm", "4x4x4", "--type", "f16"], "f16"),
    (["gemm", "4x4x4", "--seconds", "0"], "--seconds"), (["compare", "gemm", "4x4"], "4x4"),
    (["compare", "gemm", "4x4x4", "--library", "x"], "--library x"), (["threads", "--threads", "0"], "--threads 0"),
    (["compare", "gemm", "4x4x4", "--rounds", "0"], "--rounds 0"), (["limits", "--isa", ""], "--isa"),
    (["gemm", "4x4x4", "--direction", "data"], "--direction"), (["gemm", "4x4x4", "--batch", "2"], "--batch"),
    (["conv", "c8w9k8"], "c8w9k8"), (["conv", "c8w9k8f3", "--direction", "up"], "--direction up"),
    (["conv", "c8w9k8f3", "--layout", "nchw,"], "nhwc, nchw"),
    (["conv", "c8w9k8f3", "--algorithm", "fast"], "direct, implicit_gemm"),
    (["conv", "c8w9k8f3", "--algorithm", "winograd"], "but this problem has "),
    (["compare", "conv", "c8w9k8f3", "--library", "x=y:z"], "plain"),
    (["pool", "c8h9w9k2"], "c8h9w9k2"), (["pool", "max:c8h9w9k2", "--direction", "data"], "--direction data"),
    (["pool", "max:c8h9w9k2:strict"], "does not divide"),
    (["pool", "max:c8h9w9k2", "--algorithm", "direct"], "--algorithm"),
    (["pool", "--preset", "none"], "--preset none"), (["pool", "avg:c8h9w9k2e2"], "dilat"),
  ])
  func wrongArguments(_ arguments: [String], _ named: String) throws {
    let output = try Self.run(arguments)
    #expect(output.status == 64)
    #expect(output.text.isEmpty)
    #expect(output.errors.contains(named))
    #expect(output.errors.filter { $0 == "\n" }.count == 1, "one line: \(output.errors)")
  }

  @Test(arguments: [["gemm", "--nonesuch"], ["nonesuch"], ["gemm", "--format", "xml"], ["limits", "4x4x4"]])
  func unknownOptions(_ arguments: [String]) throws {
    let output = try Self.run(arguments)
    #expect(output.status == 64)
    #expect(output.errors.contains("Error:"))
  }

  @Test func rowsCarryTheirSettings() throws {
    let output = try Self.run([
      "gemm", "8x8x8:NT", "--check", "--seconds", "0.01", "--threads", "1", "--format", "csv", "--type", "f64",
    ])
    #expect(output.status == 0)
    #expect(output.errors.isEmpty, "no progress line in a pipe")
    let rows = OutputTests.parse(output.text)
    let row = try Dictionary(uniqueKeysWithValues: zip(#require(rows.first), #require(rows.last)))
    #expect(rows.count == 2)
    for (key, value) in ["problem": "8x8x8:NT:f64", "type": "f64", "trans": "NT", "threads": "1", "check": "ok"] {
      #expect(row[key] == value)
    }
    for key in ["isa", "backend", "seconds", "samples", "median_us", "min_us", "gflops", "cpu", "version", "linger_us"]
    {
      #expect(row[key]?.isEmpty == false, "\(key)")
    }
  }

  @Test func convolutionShowsItsAlgorithm() throws {
    let arguments = [
      "conv", "c8h9w9k8f3p1:alg=direct", "--direction", "forward,data,weights", "--layout", "nchw", "--check",
      "--seconds", "0.01",
      "--threads", "1",
    ]
    let table = try Self.run(arguments)
    #expect(table.status == 0)
    let lines = table.text.split(separator: "\n")
    #expect(lines.count == 5 && lines[0].contains("algorithm"), "\(table.text)")
    #expect(lines.dropFirst(2).allSatisfy { $0.contains("direct") && $0.hasSuffix("ok") }, "\(table.text)")
    let rows = OutputTests.parse(try Self.run(arguments + ["--format", "csv"]).text)
    #expect(rows.count == 4)
    let row = try Dictionary(uniqueKeysWithValues: zip(#require(rows.first), #require(rows.last)))
    for (key, value) in [
      "problem": "n1c8h9w9k8f3p1:weights:nchw:alg=direct", "direction": "weights", "layout": "nchw",
      "weights": "packed",
      "batch": "1", "method": "direct", "check": "ok",
    ] {
      #expect(row[key] == value, "\(key)")
    }
  }

  /// With oneDNN where it is installed; libm stands in for a library that is something else.
  @Test func comparesConvolution() throws {
    let output = try Self.run([
      "compare", "conv", "c8h9w9k8f3p1:bias", "c6h7w7k4f3s2p1to1g2:weights", "c8h9w9k8f3s2:data", "--check",
      "--seconds", "0.01", "--rounds", "2", "--threads", "1", "--format", "json", "--library", "other=libm.so.6",
    ])
    #expect(output.status == 0)
    #expect(output.errors.contains("other was not found (it has no dnnl_version)"), "\(output.errors)")
    let object = try #require(try JSONSerialization.jsonObject(with: Data(output.text.utf8)) as? [String: Any])
    let rows = try #require(object["rows"] as? [[String: Any]])
    #expect(rows.first?["library"] as? String == "Apus")
    #expect(rows.allSatisfy { $0["check"] as? String == "ok" && $0["failure"] is NSNull }, "\(output.text)")
    // Both manners of oneDNN take part, or the way to install it is told once.
    let isInstalled = rows.contains { $0["library"] as? String == "oneDNN" }
    #expect(rows.count == (isInstalled ? 9 : 3))
    #expect(output.errors.components(separatedBy: "libdnnl-dev").count == (isInstalled ? 1 : 2), "\(output.errors)")
  }

  @Test func comparesWithALibraryThatIsMissing() throws {
    let output = try Self.run([
      "compare", "gemm", "8x8x8", "--check", "--seconds", "0.01", "--rounds", "2", "--threads", "1", "--format", "json",
      "--library", "absent=/nonexistent/libabsent.so",
    ])
    #expect(output.status == 0)
    #expect(output.errors.contains("absent was not found"))
    let object = try #require(try JSONSerialization.jsonObject(with: Data(output.text.utf8)) as? [String: Any])
    let rows = try #require(object["rows"] as? [[String: Any]])
    #expect(rows.first?["library"] as? String == "Apus")
    #expect(rows.allSatisfy { $0["check"] as? String == "ok" })
  }

  /// Ctrl-C leaves a document that can be read, and no child.
  @Test(arguments: [["gemm"], ["compare", "gemm"]]) func interruption(_ command: [String]) throws {
    let problem = ["64x64x64", "1024x1024x1024", "--threads", "1"]
    let (process, output, errors) = try Self.start(command + problem + ["--seconds", "10", "--format", "json"])
    let compares = command != ["gemm"]
    try Self.wait { Self.catchesInterrupt(process.processIdentifier) }
    if compares { try Self.wait { !Self.children(of: process.processIdentifier).isEmpty } }
    usleep(300_000)
    let children = Self.children(of: process.processIdentifier)
    #expect(children.isEmpty != compares)
    kill(process.processIdentifier, SIGINT)
    let result = try Self.finish(process, output, errors)
    #expect(result.status == 130)
    #expect(try JSONSerialization.jsonObject(with: Data(result.text.utf8)) is [String: Any])
    for child in children { #expect(kill(child, 0) == -1, "process \(child) is left") }
  }

  /// The overview is the one command without options.
  @Test func overviewBegins() throws {
    let (process, output, errors) = try Self.start([])
    try Self.wait { Self.catchesInterrupt(process.processIdentifier) }
    usleep(300_000)
    kill(process.processIdentifier, SIGINT)
    let result = try Self.finish(process, output, errors)
    #expect(result.status == 130)
    #expect(result.text.contains("CPU: ") && result.text.contains("GFLOP/s"), "\(result)")
  }

  /// Even a kbench that is killed takes its stopped children with it.
  @Test func killedWithoutWarning() throws {
    let (process, output, errors) = try Self.start(["compare", "gemm", "64x64x64", "--threads", "1", "--seconds", "10"])
    try Self.wait { !Self.children(of: process.processIdentifier).isEmpty }
    usleep(300_000)
    let children = Self.children(of: process.processIdentifier)
    kill(process.processIdentifier, SIGKILL)
    _ = try Self.finish(process, output, errors)
    try Self.wait { !children.contains(where: Self.isAlive) }
  }

  /// Half a minute at most, for a machine that does other things too.
  static func wait(_ condition: () -> Bool) throws {
    for _ in 0..<600 {
      if condition() { return }
      usleep(50_000)
    }
    try #require(condition(), "it never came")
  }

  /// True once the program has set its handler.
  static func catchesInterrupt(_ pid: pid_t) -> Bool {
    let text = (try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)) ?? ""
    guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("SigCgt") }),
      let mask = line.split(whereSeparator: \.isWhitespace).last.flatMap({ UInt64($0, radix: 16) })
    else { return false }
    return mask & 1 << UInt64(SIGINT - 1) != 0
  }

  static func children(of parent: pid_t) -> [pid_t] {
    let text = try? String(contentsOfFile: "/proc/\(parent)/task/\(parent)/children", encoding: .utf8)
    return (text ?? "").split(separator: " ").compactMap { pid_t($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
  }

  /// Zombies of whoever inherited them do not count.
  static func isAlive(_ pid: pid_t) -> Bool {
    guard let text = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
      let state = text.split(separator: ")").last?.split(separator: " ").first
    else { return false }
    return state != "Z" && state != "X"
  }
}
