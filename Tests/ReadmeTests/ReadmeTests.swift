import Foundation
import Testing

/// What README.md shows is true.
@Suite struct ReadmeTests {
  /// The C programs, compiled as the README says against the library of this build.
  @Test(arguments: [(0, "4 5\n10 11\n"), (1, "2 x 4\n0 30 30 0\n0 30 30 0\n")])
  func programInC(_ index: Int, _ output: String) throws {
    let blocks = try Readme.blocks("c")
    try #require(blocks.count == 2)
    let source = blocks[index]
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
    #expect(try Readme.run(program) == output)
  }

  /// The programs are those of the examples, which this build has compiled.
  @Test(arguments: [
    ("swift", "gemm-swift", "main.swift", "[4.0, 5.0, 10.0, 11.0]\n"), ("c", "gemm-c", "main.c", "4 5\n10 11\n"),
    ("swift", "conv-swift", "main.swift", "[32, 32] 760\n14.5 38.5\n125.0 1800.0 2048.0\n"),
    ("swift", "train-swift", "main.swift", "[0 1 1 0] 42\n"),
    ("c", "conv-c", "main.c", "2 x 4\n0 30 30 0\n0 30 30 0\n"),
  ])
  func example(_ language: String, _ target: String, _ file: String, _ output: String) throws {
    let source = try Readme.text("Sources/Examples/\(target)/\(file)")
    #expect(try Readme.blocks(language).contains(source))
    #expect(try Readme.run(Readme.products().appendingPathComponent(target)) == output)
  }

  /// LeNet-5's two stages through the header alone: the program compares a gradient with a difference and fails where they
  /// differ.
  @Test func leNet() throws {
    let output = try Readme.run(Readme.products().appendingPathComponent("lenet-c"))
    #expect(output.hasPrefix("images 8 x 1 x 28 x 28 -> 6 x 14 x 14 -> 16 x 5 x 5, loss "))
  }

  /// Text one step at a time, from the program's weights: the sentences that they know, and a prompt that it goes on from.
  @Test func text() throws {
    let program = try Readme.products().appendingPathComponent("charrnn-c")
    let sentences = "apus means without feet.\nswifts sleep on the wing.\nthey land only to nest.\n"
    #expect(try Readme.run(program) == sentences)
    #expect(try Readme.run(program, ["swifts sl", "apus q"]) == "swifts sleep on the wing.\napus \n")
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
