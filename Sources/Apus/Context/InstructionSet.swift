internal import ApusEngine

/// The instruction sets that Apus has kernels for, ascending.
public enum InstructionSet: CaseIterable, Sendable, Hashable, Comparable, CustomStringConvertible {
  /// SSE2 on x86-64, NEON on arm64.
  case baseline
  /// x86-64-v3: AVX2 and FMA.
  case avx2
  /// x86-64-v4: AVX-512.
  case avx512

  /// What this CPU, system and build have, ascending; never empty.
  public static var available: [InstructionSet] { ApusEngine.InstructionSet.available.map(InstructionSet.init) }

  /// As the environment variable `APUS_ISA` takes it: "avx512".
  public var description: String { engine.name }

  var engine: ApusEngine.InstructionSet {
    switch self {
    case .baseline: .baseline
    case .avx2: .avx2
    case .avx512: .avx512
    }
  }

  init(_ set: ApusEngine.InstructionSet) {
    self =
      switch set {
      case .baseline: .baseline
      case .avx2: .avx2
      case .avx512: .avx512
      }
  }
}
