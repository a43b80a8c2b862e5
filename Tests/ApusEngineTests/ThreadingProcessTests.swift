import ApusEngine
import ApusShims
import Foundation
import Testing

/// Runs a command of ApusThreadHost, which lies beside the test bundle.
func threadHost(_ arguments: [String], environment: [String: String] = [:]) throws -> (output: String, status: Int32) {
  let process = Process()
  process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    .deletingLastPathComponent().appendingPathComponent("ApusThreadHost")
  process.arguments = arguments
  process.environment = ProcessInfo.processInfo.environment
    .filter { !$0.key.hasPrefix("APUS_") && !$0.key.hasPrefix("OMP_") }
    .merging(environment) { $1 }
  let pipe = Pipe()
  process.standardOutput = pipe
  try process.run()
  let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
  process.waitUntilExit()
  return (output, process.terminationStatus)
}

/// OpenMP run times of this machine: gcc's, and LLVM's of any version.
enum OpenMPLibraries {
  static let installed: [String] = {
    var found: [String] = []
    for folder in ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64"] {
      for name in ["libgomp.so.1", "libomp.so.5"] {
        let path = "\(folder)/\(name)"
        if FileManager.default.fileExists(atPath: path) { found.append(path) }
      }
    }
    return found
  }()
}

/// What a test must not do to its own process. One after another, because they measure time and count threads.
@Suite(.serialized)
struct ThreadingProcessTests {
  private func expectOK(_ arguments: [String]) throws {
    let result = try threadHost(arguments)
    #expect(result.status == 0 && result.output.hasSuffix("ok\n"), "\(arguments): \(result.output)")
  }

  static let manyCPUs = Machine.usableCPUs > 1
  static let oneCPU: Comment = "this machine has one CPU"
  static let noOpenMP: Comment = "no OpenMP run time is installed (Debian: libomp-dev, libgomp1)"

  @Test(arguments: ["dispatch", "host", "serial"], ["after", "during"])
  func fork(backend: String, moment: String) throws { try expectOK(["fork", backend, moment]) }

  @Test func forkInsideRegion() throws { try expectOK(["fork", "dispatch", "inside"]) }

  @Test(
    .enabled(if: !OpenMPLibraries.installed.isEmpty, noOpenMP), arguments: OpenMPLibraries.installed,
    ["after", "during"])
  func forkOpenMP(library: String, moment: String) throws { try expectOK(["fork", "openmp", moment, library]) }

  @Test func idleParks() throws { try expectOK(["idle"]) }

  @Test(arguments: ["dispatch", "host"])
  func crowd(backend: String) throws { try expectOK(["crowd", backend]) }

  @Test(.enabled(if: apus_openmp_find(), noOpenMP))
  func crowdOpenMP() throws { try expectOK(["crowd", "openmp"]) }

  @Test(.enabled(if: manyCPUs, oneCPU), arguments: ["dispatch", "host"], ["share", "float"])
  func members(backend: String, command: String) throws { try expectOK([command, backend]) }

  @Test(
    .enabled(if: !OpenMPLibraries.installed.isEmpty && manyCPUs, noOpenMP), arguments: OpenMPLibraries.installed,
    ["share", "float"])
  func membersOpenMP(library: String, command: String) throws { try expectOK([command, "openmp", library]) }

  @Test(
    .enabled(if: !OpenMPLibraries.installed.isEmpty, noOpenMP), arguments: OpenMPLibraries.installed,
    ["global", "local"])
  func insideOpenMP(library: String, scope: String) throws { try expectOK(["inside-openmp", library, scope]) }

  /// The environment reaches the default context, and an error of it names the variable.
  @Test(arguments: [
    (["APUS_ISA": "baseline", "APUS_BACKEND": "serial"], "baseline serial 1 "),
    (["APUS_ISA": "baseline", "APUS_THREADS": "7", "APUS_LINGER_US": "12"], "baseline dispatch 7 12\n"),
    (["APUS_ISA": "sse9"], "invalidArgument: APUS_ISA is sse9"),
    (["APUS_BACKEND": "host"], "invalidArgument: APUS_BACKEND is host"),
    (["APUS_THREADS": "0"], "invalidArgument: APUS_THREADS is 0"),
    (["APUS_LINGER_US": "-1"], "invalidArgument: APUS_LINGER_US is -1"),
  ])
  func environment(variables: [String: String], prefix: String) throws {
    let result = try threadHost(["context"], environment: variables)
    #expect(result.output.hasPrefix(prefix), "\(result.output)")
  }
}
