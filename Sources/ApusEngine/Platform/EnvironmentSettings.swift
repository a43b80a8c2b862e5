#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What the environment asks for. Each query is a pure function of the variable's text; nil and "" mean unset. Errors
/// name the variable, its value and what there is.
package enum EnvironmentSettings {
  /// A variable of the process.
  package static func value(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

  /// APUS_ISA: an instruction set of `available`. Throws invalidArgument for an unknown name, unsupported for a set that
  /// this CPU, system or build lacks.
  package static func instructionSet(
    _ text: String? = value("APUS_ISA"), available: [InstructionSet] = InstructionSet.available
  ) throws(ApusError) -> InstructionSet? {
    guard let text, !text.isEmpty else { return nil }
    guard let set = InstructionSet.allCases.first(where: { $0.name == text }) else {
      throw ApusError.invalid("APUS_ISA", text, "it must be one of: \(list(available.map(\.name)))")
    }
    if !available.contains(set) { throw unavailable("APUS_ISA", set, available) }
    return set
  }

  /// APUS_BACKEND. Throws invalidArgument for an unknown name, and for "host", which an environment cannot supply.
  package static func backend(_ text: String? = value("APUS_BACKEND")) throws(ApusError) -> ThreadingBackend? {
    guard let text, !text.isEmpty else { return nil }
    let offered = ThreadingBackend.allCases.filter { $0 != .host }
    guard let backend = offered.first(where: { $0.name == text }) else {
      throw ApusError.invalid(
        "APUS_BACKEND", text,
        "it must be one of: \(list(offered.map(\.name))) (a program chooses host, with its callback)")
    }
    return backend
  }

  /// APUS_THREADS: 1 to `ExecutionContext.maximumThreads`.
  package static func threads(_ text: String? = value("APUS_THREADS")) throws(ApusError) -> Int? {
    try number("APUS_THREADS", text, 1...ExecutionContext.maximumThreads)
  }

  /// APUS_LINGER_US: 0 to `ExecutionContext.maximumLinger`.
  package static func linger(_ text: String? = value("APUS_LINGER_US")) throws(ApusError) -> Int? {
    try number("APUS_LINGER_US", text, 0...ExecutionContext.maximumLinger)
  }

  static func unavailable(_ argument: String, _ set: InstructionSet, _ available: [InstructionSet]) -> ApusError {
    ApusError(
      .unsupported,
      "\(argument) is \(set.name), but this CPU, system or build has only: \(list(available.map(\.name)))")
  }

  private static func number(
    _ name: String, _ text: String?, _ range: ClosedRange<Int>
  ) throws(ApusError) -> Int? {
    guard let text, !text.isEmpty else { return nil }
    guard let number = Int(text), range.contains(number) else {
      throw ApusError.invalid(name, text, "it must be a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  private static func list(_ names: [String]) -> String { names.joined(separator: ", ") }
}
