import Foundation

/// The problems of a command line: strings, files of them (`@path`) and presets.
public enum ProblemList {
  /// In the order of the arguments, presets after them; the default preset where there is neither. Memory is checked
  /// here, so that no run ends in the hands of the system's out-of-memory killer. `chosen` has, by the names of the
  /// family's choices, the words for problems that have none; with several, each makes a problem.
  public static func read<F: Family>(
    _ family: F.Type, arguments: [String], presets: [String], types: [ElementType], chosen: [String: [String]] = [:],
    batch: Int? = nil, machine: Machine = .current
  ) throws(ProblemError) -> [any Problem] {
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
    for (name, words) in chosen.sorted(by: { $0.key < $1.key }) {
      guard let choice = F.choices.first(where: { $0.name == name }) else {
        throw ProblemError("--\(name)", "\(F.name) problems have no \(name)")
      }
      if let wrong = words.first(where: { !choice.words.contains($0) }) {
        throw ProblemError("--\(name) \(wrong)", "it must be one of \(choice.words.joined(separator: ", "))")
      }
      texts = texts.flatMap { text, place in
        let named = choice.words.map { choice.prefix + $0 }
        let has = text.split(separator: ":").contains { named.contains(String($0)) }
        return has ? [(text, place)] : words.map { (text + ":" + choice.prefix + $0, place) }
      }
    }
    if let batch {
      if !F.hasBatch { throw ProblemError("--batch", "\(F.name) problems have no batch of their own") }
      if batch < 1 { throw ProblemError("--batch \(batch)", "it must be at least 1") }
      texts = texts.map { text, place in
        (text.prefix { $0 != ":" }.contains("n") ? text : "n\(batch)\(text)", place)
      }
    }
    var problems: [any Problem] = []
    for (text, place) in texts {
      for type in types {
        let problem: any Problem
        do throws(ProblemError) {
          problem = try F.problem(text, type: type)
        } catch {
          throw ProblemError(text, error.rule + place)
        }
        // A string that names its type, say, is one problem, however many types are asked for.
        if (types.count > 1 || !chosen.isEmpty) && problems.contains(where: { $0.text == problem.text }) { continue }
        if problem.footprint > 0.8 * Double(machine.memory) {
          let gigabytes = fixed(problem.footprint * 1e-9, 1)
          throw ProblemError(text, "its operands take \(gigabytes) GB, above 80 % of this machine's memory" + place)
        }
        problems.append(problem)
      }
    }
    return problems
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
