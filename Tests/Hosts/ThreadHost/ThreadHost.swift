/// A host process for what a test must not do to its own: forks, environment variables, CPU time, a warm team. Each
/// command prints "ok" last, or says what went wrong and exits with 1. `measure` prints what regions cost here.
@main
struct ThreadHost {
  static func main() throws {
    let arguments = Array(CommandLine.arguments.dropFirst())
    guard let command = arguments.first, let run = commands[command] else {
      fail("usage: ApusThreadHost \(commands.keys.sorted().joined(separator: " | "))")
    }
    try run(Array(arguments.dropFirst()))
    print("ok")
  }

  static let commands: [String: @Sendable ([String]) throws -> Void] = [
    "measure": measure, "callers": measureCallers, "fork": forks, "idle": idle, "crowd": crowd,
    "float": floatingPointMode, "share": share,
    "context": context, "inside-openmp": insideOpenMP,
  ]
}
