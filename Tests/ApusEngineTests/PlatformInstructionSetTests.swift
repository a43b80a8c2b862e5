import ApusEngine
import Testing

/// Recorded CPUs. Source of the registers: (q) a CPUID program under qemu-x86_64 -cpu NAME, whose models carry a subset of
/// the real CPU's features; (m) this project's machine; (i) published CPUID dumps of the real CPU.
struct RecordedCPU: CustomTestStringConvertible, Sendable {
  var name: String
  var identification: CPUIdentification
  var sets: [InstructionSet]
  var testDescription: String { name }

  init(
    _ name: String, _ lastLeaf: UInt32, _ lastExtended: UInt32, _ leaf1: UInt32, _ leaf7: UInt32, _ extended1: UInt32,
    xcr0: UInt64, _ sets: [InstructionSet]
  ) {
    self.name = name
    identification = CPUIdentification(
      lastLeaf: lastLeaf, lastExtendedLeaf: lastExtended, leaf1ECX: leaf1, leaf7EBX: leaf7, extended1ECX: extended1,
      xcr0: xcr0)
    self.sets = sets
  }

  static let zen4 = RecordedCPU(
    "Zen 4 (m)", 0x1C, 0x8000_0021, 0xFFFA_3203, 0xF1BF_07AB, 0x0040_03F3, xcr0: 0xE7, [.baseline, .avx2, .avx512])
  static let haswell = RecordedCPU(
    "Haswell (i)", 0xD, 0x8000_0008, 0x7FFA_FBFF, 0x0000_27AB, 0x21, xcr0: 0x7, [.baseline, .avx2])

  static let all: [RecordedCPU] = [
    RecordedCPU("qemu64 (q)", 0xD, 0x8000_000A, 0x8000_2001, 0, 0x5, xcr0: 0, [.baseline]),
    RecordedCPU("Nehalem (q)", 0xB, 0x8000_0008, 0x8098_2201, 0, 0x1, xcr0: 0, [.baseline]),
    RecordedCPU("Sandy Bridge (q): AVX alone", 0xD, 0x8000_0008, 0x9E98_2203, 0, 0x1, xcr0: 7, [.baseline]),
    RecordedCPU(
      "Piledriver (q): FMA, no AVX2", 0xD, 0x8000_001A, 0xBE98_3203, 0, 0x65, xcr0: 7, [.baseline]),
    haswell,
    RecordedCPU("Haswell (q)", 0xD, 0x8000_0008, 0xFED8_3203, 0x3A9, 0x21, xcr0: 7, [.baseline, .avx2]),
    RecordedCPU("Haswell without BMI2 (q)", 0xD, 0x8000_0008, 0xFED8_3203, 0x2A9, 0x21, xcr0: 7, [.baseline]),
    RecordedCPU("Haswell without XSAVE (q)", 0xD, 0x8000_0008, 0xF2D8_3203, 0x3A9, 0x21, xcr0: 0, [.baseline]),
    RecordedCPU("Haswell, system saves no ymm", 0xD, 0x8000_0008, 0x7FFA_FBFF, 0x27AB, 0x21, xcr0: 3, [.baseline]),
    RecordedCPU("Zen (q)", 0xD, 0x8000_001E, 0xFED8_320B, 0x0098_01A9, 0x75, xcr0: 7, [.baseline, .avx2]),
    RecordedCPU("Denverton (q): an Atom", 0x15, 0x8000_0008, 0xCED8_220B, 0x0090_4281, 0x1, xcr0: 0x1B, [.baseline]),
    RecordedCPU(
      "Skylake-X (i)", 0x16, 0x8000_0008, 0x7FFE_FBFF, 0xD39F_FFFB, 0x121, xcr0: 0xFF, [.baseline, .avx2, .avx512]),
    RecordedCPU(
      "Skylake-X, system saves no AVX-512 state", 0x16, 0x8000_0008, 0x7FFE_FBFF, 0xD39F_FFFB, 0x121, xcr0: 0x1F,
      [.baseline, .avx2]),
    RecordedCPU(
      "Knights Landing: F and CD without BW, DQ, VL", 0xD, 0x8000_0008, 0x7FF8_F3FF, 0x1C0D_23AB, 0x121, xcr0: 0xE7,
      [.baseline, .avx2]),
    zen4,
    // Data of a leaf past the last one belong to the last, so they must not count.
    RecordedCPU("leaf 7 past the end", 0x6, 0x8000_0008, 0x7FFA_FBFF, 0x27AB, 0x21, xcr0: 7, [.baseline]),
    RecordedCPU("no extended leaf", 0xD, 0x8000_0000, 0x7FFA_FBFF, 0x27AB, 0x21, xcr0: 7, [.baseline]),
  ]
}

struct PlatformInstructionSetTests {
  @Test(arguments: RecordedCPU.all)
  func recorded(cpu: RecordedCPU) {
    #expect(cpu.identification.instructionSets == cpu.sets)
  }

  /// Each feature of a level, taken away alone, takes the level away, and any other changes nothing.
  @Test func everyFeatureCounts() {
    let version3: [(WritableKeyPath<CPUIdentification, UInt32>, [UInt32])] = [
      // SSE3, SSSE3, FMA, CX16, SSE4.1, SSE4.2, MOVBE, POPCNT, OSXSAVE, AVX, F16C
      (\.leaf1ECX, [0, 9, 12, 13, 19, 20, 22, 23, 27, 28, 29]),
      (\.leaf7EBX, [3, 5, 8]),  // BMI1, AVX2, BMI2
      (\.extended1ECX, [0, 5]),  // LAHF, LZCNT
    ]
    let version4: [UInt32] = [16, 17, 28, 30, 31]  // F, DQ, CD, BW, VL
    for (register, needed) in version3 {
      for bit in 0..<32 as Range<UInt32> {
        var cpu = RecordedCPU.zen4.identification
        cpu[keyPath: register] &= ~(1 << bit)
        let expected: [InstructionSet] =
          needed.contains(bit)
          ? [.baseline]
          : register == \.leaf7EBX && version4.contains(bit) ? [.baseline, .avx2] : [.baseline, .avx2, .avx512]
        #expect(cpu.instructionSets == expected, "\(register) bit \(bit)")
      }
    }
    for bit in 0..<64 as Range<UInt64> {
      var cpu = RecordedCPU.zen4.identification
      cpu.xcr0 &= ~(1 << bit)
      let expected: [InstructionSet] =
        [1, 2].contains(bit)
        ? [.baseline] : [5, 6, 7].contains(bit) ? [.baseline, .avx2] : [.baseline, .avx2, .avx512]
      #expect(cpu.instructionSets == expected, "XCR0 bit \(bit)")
    }
  }

  @Test func thisMachine() {
    #expect(InstructionSet.available.first == .baseline)
    #expect(InstructionSet.available == InstructionSet.available.sorted())
    #if arch(x86_64) && !APUS_PORTABLE
      // The kernel's own reading of the same registers.
      let flags = Set(
        (SystemText.read("/proc/cpuinfo").split(separator: "\n").first { $0.hasPrefix("flags") } ?? "")
          .split(separator: " "))
      #expect(
        InstructionSet.available.contains(.avx2) == flags.isSuperset(of: ["avx2", "fma", "bmi2", "movbe", "abm"]))
      #expect(
        InstructionSet.available.contains(.avx512)
          == flags.isSuperset(of: ["avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl", "bmi2", "abm"]))
    #endif
  }
}
