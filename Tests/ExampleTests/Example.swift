import Foundation
import Testing

/// The example programs, which lie beside the test bundle.
enum Example {
  /// What a program said.
  struct Output {
    var text: String
    var errors: String
    var status: Int32
  }

  /// Runs a program to its end.
  static func run(_ name: String, _ arguments: [String]) throws -> Output {
    // The runner itself may be the toolchain's; the bundle is then among its arguments.
    let runner = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    let places = CommandLine.arguments.filter { $0.hasSuffix(".xctest") } + [runner]
    let programs = places.map { URL(fileURLWithPath: $0).deletingLastPathComponent().appendingPathComponent(name) }
    let program: URL = try #require(programs.first { FileManager.default.isExecutableFile(atPath: $0.path) })
    let process = Process()
    process.executableURL = program
    process.arguments = arguments
    let (output, errors) = (Pipe(), Pipe())
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    let complaint = String(decoding: try errors.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    process.waitUntilExit()
    return Output(text: text, errors: complaint, status: process.terminationStatus)
  }

  /// A new folder for a test's files.
  static func folder() throws -> URL {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("apus-examples-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    return folder
  }

  /// The words of the last line.
  static func lastLine(_ output: Output) -> [Substring] {
    output.text.split(separator: "\n").last?.split(separator: " ") ?? []
  }
}
