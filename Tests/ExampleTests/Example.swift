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

  /// Runs an example of the gallery in its small mode with a figure, and checks what is true of each.
  ///
  /// - Parameter isTimed: Something is trained, and the speed is told.
  static func small(_ name: String, _ arguments: [String] = [], isTimed: Bool = true) throws -> Output {
    let folder = try folder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = folder.appendingPathComponent("figure.svg").path
    let output = try run("gallery", [name, "--small", "--figure", path] + arguments)
    #expect(output.status == 0, "\(output.errors)\n\(output.text)")
    #expect(!output.text.contains("\r"))
    #expect(lastLine(output).contains { $0.hasSuffix("/s,") } == isTimed, "\(output.text)")
    let svg = try String(contentsOfFile: path, encoding: .utf8)
    #expect(svg.hasPrefix("<svg"))
    #expect(svg.hasSuffix("</svg>\n"))
    #expect(svg.utf8.count < 150_000)
    #expect(!svg.contains("nan"))
    return output
  }

  /// The figure of the last line that begins with a name: "name 0.97 (at least 0.95)".
  static func figure(_ name: String, in output: Output) throws -> Double {
    let line = try #require(output.text.split(separator: "\n").last { $0.hasPrefix(name + " ") }, "\(output.text)")
    return try #require(Double(line.dropFirst(name.count + 1).prefix { $0 != " " }), "\(line)")
  }

  /// The first line of what a program complains of; what comes behind it is how it is used.
  static func firstError(_ output: Output) -> Substring { output.errors.split(separator: "\n").first ?? "" }

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
