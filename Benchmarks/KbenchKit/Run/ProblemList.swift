import Foundation

/// The problems of a command line: strings, files of them (`@path`) and presets.
public enum ProblemList {
  /// In the order of the arguments, presets after them; the default preset where there is neither. Every string is read
  /// once for each combination of what `types`, `directions` and `layouts` list. Memory is checked here, so that no run
  /// ends in the hands of the system's out-of-memory killer.
  public static func read<F: Family>(
    _ family: F.Type, arguments: [String], presets: [String], types: [ElementType], directions: [String] = [],
    layouts: [String] = [], algorithm: String? = nil, batch: Int? = nil, machine: Machine = .current
  ) throws(ProblemError) -> [any Problem] {
    try refuse("--direction", directions, unless: F.directions, family: F.name)
    try refuse("--layout", layouts, unless: F.layouts, family: F.name)
    try refuse("--algorithm", algorithm.map { [$0] } ?? [], unless: F.algorithms, family: F.name)
    if let batch {
      if !F.hasBatch { throw ProblemError("--batch \(batch)", "problems of \(F.name) take no such option") }
      if batch < 1 { throw ProblemError("--batch \(batch)", "it must be at least 1") }
    }
    var choices: [ProblemDefaults] = []
    for type in types {
      for direction in directions.isEmpty ? [nil] : directions.map(Optional.some) {
        for layout in layouts.isEmpty ? [nil] : layouts.map(Optional.some) {
          var defaults = ProblemDefaults(type: type)
          (defaults.direction, defaults.layout) = (direction, layout)
          (defaults.algorithm, defaults.batch) = (algorithm, batch)
          choices.append(defaults)
        }
      }
    }
    var texts: [(text: String, place: String)] = []
    for argument in arguments {
      if argument.hasPrefix("@") {
        texts += try lines(path: String(argument.dropFirst()))
      } else {
        texts.append((argument, ""))
      }
    }
    for name in presets.isEmpty && texts.isEmpty ? [F.presets[0].name] : presets {
      guard let preset = F.presets.first(where: { $0.name == name }) else {
        throw ProblemError("--preset \(name)", "presets are \(F.presets.map(\.name).joined(separator: ", "))")
      }
      texts += preset.problems.map { ($0, "") }
    }
    var problems: [any Problem] = []
    for (text, place) in texts {
      for defaults in choices {
        let problem: any Problem
        do throws(ProblemError) {
          problem = try F.problem(text, defaults: defaults)
        } catch {
          throw ProblemError(text, error.rule + place)
        }
        // A string that names its type, say, is one problem, however many types are asked for.
        if choices.count > 1 && problems.contains(where: { $0.text == problem.text }) { continue }
        if problem.footprint > 0.8 * Double(machine.memory) {
          let gigabytes = fixed(problem.footprint * 1e-9, 1)
          throw ProblemError(text, "its operands take \(gigabytes) GB, above 80 % of this machine's memory" + place)
        }
        problems.append(problem)
      }
    }
    return problems
  }

  private static func refuse(
    _ option: String, _ words: [String], unless names: [String], family: String
  ) throws(ProblemError) {
    for word in words where !names.contains(word) {
      throw ProblemError(
        "\(option) \(word)",
        names.isEmpty ? "problems of \(family) take no such option" : "\(family) has \(names.joined(separator: ", "))")
    }
  }

  /// One problem a line; `#` starts a comment.
  static func lines(path: String) throws(ProblemError) -> [(text: String, place: String)] {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw ProblemError("@\(path)", "the file cannot be read")
    }
    let text = String(decoding: data, as: UTF8.self)
    var result: [(text: String, place: String)] = []
    for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      let problem = line.prefix { $0 != "#" }.trimmingCharacters(in: .whitespacesAndNewlines)
      if !problem.isEmpty { result.append((problem, " (line \(number + 1) of \(path))")) }
    }
    if result.isEmpty { throw ProblemError("@\(path)", "the file has no problem in it") }
    return result
  }
}
