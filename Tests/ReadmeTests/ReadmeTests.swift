import Foundation
import Testing

/// What README.md shows is true.
@Suite struct ReadmeTests {
  /// The C program, compiled as the README says against the library of this build.
  @Test func programInC() throws {
    let source = try #require(Readme.blocks("c").first)
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("apus-readme-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appendingPathComponent("product.c")
    let program = folder.appendingPathComponent("product")
    try source.write(to: file, atomically: true, encoding: .utf8)
    let library = try Readme.products().path
    try Readme.run(
      Readme.compiler(),
      [
        "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", file.path,
        "-I", Readme.package.appendingPathComponent("include").path, "-L", library, "-lapus",
        "-Wl,-rpath,\(library)", "-o", program.path,
      ])
    #expect(try Readme.run(program) == "4 5\n10 11\n")
  }

  /// The Swift program is that of the target gemm-swift, which this build has compiled; so is the C program gemm-c.
  @Test(arguments: [
    ("swift", "gemm-swift", "main.swift", "[4.0, 5.0, 10.0, 11.0]\n"), ("c", "gemm-c", "main.c", "4 5\n10 11\n"),
  ])
  func example(_ language: String, _ target: String, _ file: String, _ output: String) throws {
    let shown = try #require(Readme.blocks(language).first)
    #expect(try Readme.text("Sources/Examples/\(target)/\(file)") == shown)
    #expect(try Readme.run(Readme.products().appendingPathComponent(target)) == output)
  }

  /// Functions, enumerations and structs of C that the documents name are declared.
  @Test(arguments: ["README.md", "Documentation/ADDING-A-KERNEL.md"]) func namesOfC(_ document: String) throws {
    let header = try Readme.text("include/apus.h")
    for name in try Set(Readme.text(document).matches(of: /\b(apus_[a-z0-9_]+|APUS_[A-Z0-9_]+)\b/).map(\.1)) {
      let isKnown =
        header.contains(name) || name == "APUS_PORTABLE" || name == "APUS_EXHAUSTIVE" || name == "APUS_FMA"
      #expect(isKnown, "\(name) is not in apus.h")
    }
  }

  /// Folders that the layout names exist.
  @Test(arguments: ["README.md", "Documentation/ADDING-A-KERNEL.md"]) func folders(_ document: String) throws {
    let paths = try Readme.text(document).matches(of: /\b(?:Sources|Tests|Benchmarks)\/[A-Za-z0-9_\/.+-]*[A-Za-z0-9]/)
    for path in Set(paths.map { String($0.0) }) where path != "Benchmarks/RESULTS.md" {
      let isThere = FileManager.default.fileExists(atPath: Readme.package.appendingPathComponent(path).path)
      #expect(isThere, "\(path)")
    }
  }

  /// Variables of the environment are those that the library reads.
  @Test func environment() throws {
    let settings = try Readme.text("Sources/ApusEngine/Platform/EnvironmentSettings.swift")
    for name in ["APUS_ISA", "APUS_BACKEND", "APUS_THREADS", "APUS_LINGER_US"] {
      #expect(try settings.contains(name) && Readme.text().contains("`\(name)`"))
    }
  }
}
