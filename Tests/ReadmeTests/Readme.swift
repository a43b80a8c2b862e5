import Foundation
import Testing

/// README.md and what lies around it.
enum Readme {
  static let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  static func text(_ path: String = "README.md") throws -> String {
    try String(contentsOf: package.appendingPathComponent(path), encoding: .utf8)
  }

  /// The fenced blocks of a language, in order.
  static func blocks(_ language: String) throws -> [String] {
    var blocks: [String] = []
    var open: String?
    for line in try text().split(separator: "\n", omittingEmptySubsequences: false) {
      if let block = open {
        if line == "```" {
          blocks.append(block)
          open = nil
        } else {
          open = block + line + "\n"
        }
      } else if line == "```" + language {
        open = ""
      }
    }
    return blocks
  }

  /// The folder of the build's products, in which the test bundle lies.
  static func products() throws -> URL {
    let runner = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    let places = (CommandLine.arguments.filter { $0.hasSuffix(".xctest") } + [runner])
      .map { URL(fileURLWithPath: $0).deletingLastPathComponent() }
    return try #require(
      places.first { FileManager.default.fileExists(atPath: $0.appendingPathComponent("libapus.so").path) },
      "libapus.so lies beside the test bundle")
  }

  /// Runs a program; its standard output, after its exit code was found to be 0.
  @discardableResult
  static func run(_ program: URL, _ arguments: [String] = []) throws -> String {
    let process = Process()
    process.executableURL = program
    process.arguments = arguments
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == 0, "\(program.lastPathComponent) \(arguments)")
    return text
  }

  /// A compiler for C: the system's, or the Swift toolchain's.
  static func compiler() throws -> URL {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
    for name in ["cc", "clang"] {
      for folder in folders {
        let program = URL(fileURLWithPath: folder).appendingPathComponent(name)
        if FileManager.default.isExecutableFile(atPath: program.path) { return program }
      }
    }
    throw CompilerNotFound()
  }
  struct CompilerNotFound: Error {}
}
