import ApusShims

/// The registers of x86's CPUID, and XCR0, from which the instruction sets follow. A plain value, so that recorded CPUs
/// can be tested on any machine.
package struct CPUIdentification: Sendable {
  /// Leaf 0, eax: the last leaf. CPUs answer a later one with the data of the last, so it must not be believed.
  package var lastLeaf: UInt32
  /// Leaf 0x80000000, eax.
  package var lastExtendedLeaf: UInt32
  /// Leaf 1.
  package var leaf1ECX: UInt32
  /// Leaf 7, subleaf 0.
  package var leaf7EBX: UInt32
  /// Leaf 0x80000001.
  package var extended1ECX: UInt32
  /// The register state that the system saves; 0 where leaf 1 lacks OSXSAVE.
  package var xcr0: UInt64

  /// A recorded CPU.
  package init(
    lastLeaf: UInt32, lastExtendedLeaf: UInt32, leaf1ECX: UInt32, leaf7EBX: UInt32, extended1ECX: UInt32, xcr0: UInt64
  ) {
    self.lastLeaf = lastLeaf
    self.lastExtendedLeaf = lastExtendedLeaf
    self.leaf1ECX = leaf1ECX
    self.leaf7EBX = leaf7EBX
    self.extended1ECX = extended1ECX
    self.xcr0 = xcr0
  }

  /// Bits that a level of the x86-64 psABI needs. A level's compiler flag lets the compiler use each feature of it, so
  /// none may be missing, AVX2 and FMA alone do not do.
  struct Level {
    var leaf1ECX: UInt32 = 0
    var leaf7EBX: UInt32 = 0
    var extended1ECX: UInt32 = 0
    var xcr0: UInt64 = 0
  }

  /// x86-64-v3, with all of v2: SSE3 SSSE3 FMA CX16 SSE4.1 SSE4.2 MOVBE POPCNT OSXSAVE AVX F16C; BMI1 AVX2 BMI2; LAHF
  /// LZCNT; the state of xmm and ymm.
  static let version3 = Level(
    leaf1ECX: bits(0, 9, 12, 13, 19, 20, 22, 23, 27, 28, 29), leaf7EBX: bits(3, 5, 8), extended1ECX: bits(0, 5),
    xcr0: 0b110)
  /// What x86-64-v4 adds: AVX512F DQ CD BW VL; the state of opmask, the upper halves of zmm0-15, and zmm16-31.
  static let version4 = Level(leaf7EBX: bits(16, 17, 28, 30, 31), xcr0: 0b1110_0000)

  private static func bits(_ positions: UInt32...) -> UInt32 { positions.reduce(0) { $0 | 1 << $1 } }

  private func has(_ level: Level) -> Bool {
    let leaf7 = lastLeaf >= 7 ? leaf7EBX : 0
    let extended = lastExtendedLeaf >= 0x8000_0001 ? extended1ECX : 0
    return leaf1ECX & level.leaf1ECX == level.leaf1ECX && leaf7 & level.leaf7EBX == level.leaf7EBX
      && extended & level.extended1ECX == level.extended1ECX && xcr0 & level.xcr0 == level.xcr0
  }

  /// The sets that this CPU and system have, ascending.
  package var instructionSets: [InstructionSet] {
    if !has(Self.version3) { return [.baseline] }
    return has(Self.version4) ? [.baseline, .avx2, .avx512] : [.baseline, .avx2]
  }
}

#if arch(x86_64) && !APUS_PORTABLE
  extension CPUIdentification {
    /// The CPU that runs this.
    package static var current: CPUIdentification {
      let leaf1 = apus_cpuid(1, 0)
      let savesState = leaf1.ecx & 1 << 27 != 0  // without OSXSAVE, xgetbv is an illegal instruction
      return CPUIdentification(
        lastLeaf: apus_cpuid(0, 0).eax, lastExtendedLeaf: apus_cpuid(0x8000_0000, 0).eax, leaf1ECX: leaf1.ecx,
        leaf7EBX: apus_cpuid(7, 0).ebx, extended1ECX: apus_cpuid(0x8000_0001, 0).ecx,
        xcr0: savesState ? apus_xcr0() : 0)
    }
  }
#endif
