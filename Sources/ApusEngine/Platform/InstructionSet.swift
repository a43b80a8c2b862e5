/// Instruction sets, ascending; raw values are the C header's.
public enum InstructionSet: Int32, CaseIterable, Sendable, Comparable {
  /// SSE2 on x86-64, NEON on arm64.
  case baseline = 1
  /// x86-64-v3.
  case avx2 = 2
  /// x86-64-v4.
  case avx512 = 3

  /// As `APUS_ISA` takes it.
  public var staticName: StaticString {
    switch self {
    case .baseline: "baseline"
    case .avx2: "avx2"
    case .avx512: "avx512"
    }
  }

  /// `staticName` as a String.
  public var name: String { "\(staticName)" }

  /// Whether `a` offers less than `b`.
  public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }

  /// What this CPU, system and build have, ascending; never empty.
  public static let available: [InstructionSet] = {
    #if arch(x86_64) && !APUS_PORTABLE
      CPUIdentification.current.instructionSets
    #else
      [.baseline]
    #endif
  }()
}
