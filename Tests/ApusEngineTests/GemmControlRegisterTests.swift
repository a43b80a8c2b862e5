import ApusEngine
import ApusShims
import ApusTestSupport
import Testing

/// Rounding and denormals follow the caller, also on the threads that help, also when it changes its mind later.
///
/// Nothing here suspends between setting the register and putting it back: a test runs on a thread that others use too.
@Suite struct GemmControlRegisterTests {
  struct Mode: Sendable, CustomStringConvertible {
    var description: String
    var bits: UInt64
    /// Of A and B, so that the mode shows.
    var scale: Double
  }
  static func modes(_ type: DataType) -> [Mode] {
    // Products of the smallest normal numbers and fractions are denormal.
    let small = type == .float32 ? 0x1p-66 : 0x1p-514
    // On arm64 both kinds of flushing are FPCR.FZ.
    #if arch(x86_64)
      let (towardZero, flush): (UInt64, UInt64) = (0x6000, 0x8040)
    #else
      let (towardZero, flush): (UInt64, UInt64) = (3 << 22, 1 << 24)
    #endif
    return [
      Mode(description: "toward zero", bits: towardZero, scale: 1),
      Mode(description: "flush", bits: flush, scale: small),
    ]
  }

  @Test(arguments: InstructionSet.available, gemmTypes)
  func modesOfTheCallerHoldEverywhere(_ set: InstructionSet, _ type: DataType) throws {
    let contexts = try Setting.of(set).map { try $0.context() }
    let shapes = [(90, 100, 110), (7, 9, 6000), (1, 700, 300), (900, 1, 300)]
    for mode in Self.modes(type) {
      for (turn, (m, n, k)) in shapes.enumerated() {
        let d = allLayouts(type, m, n, k)[turn * 3 % 8]
        let trial = GemmTrial(d, alpha: turn % 2 == 0 ? 1 : 0.75, beta: 0, seed: 11)
        for i in 0..<m {
          for s in 0..<k { trial[.a, i, s] *= mode.scale }
        }
        for s in 0..<k {
          for j in 0..<n { trial[.b, s, j] *= mode.scale }
        }
        // Warm every team in the default mode first.
        let plain = try contexts.map { try trial.run($0) }
        var set: [GemmOutcome] = []
        let before = apus_fp_control()
        for context in contexts {
          let plan = try GemmPlan(d, context: context)
          apus_set_fp_control(before | mode.bits)
          let outcome = Result { try trial.run(plan, context) }
          let after = apus_fp_control()
          apus_set_fp_control(before)
          #expect(after == before | mode.bits, "the caller's mode was changed")
          set.append(try outcome.get())
        }
        for outcome in set.dropFirst() {
          if let difference = trial.difference(set[0], outcome) { Issue.record("\(mode): \(difference)") }
        }
        #expect(trial.difference(plain[0], set[0]) != nil, "\(mode): \(trial) does not show the mode")
        for (context, outcome) in zip(contexts, plain) {
          let again = try trial.run(context)
          if let difference = trial.difference(outcome, again) { Issue.record("a mode stayed behind: \(difference)") }
          if let difference = trial.difference(plain[0], outcome) { Issue.record("\(difference)") }
        }
      }
    }
  }
}
