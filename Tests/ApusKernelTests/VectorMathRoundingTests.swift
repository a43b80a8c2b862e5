import ApusKernelInterface
import ApusShims
import ApusTestSupport
import Testing

/// The vector functions where the caller rounds upward, downward or toward zero: no reduction may land in the wrong piece.
/// What follows the mode is the reduction of exp in sets without pieces, whose rest is then twice as long: its polynomial
/// is off by 2e-5 there. e^x - 1 is off by 4e-5, relative to the larger of itself and 1, because a power of 2 beside the
/// nearest one cancels.
///
/// Nothing here suspends between setting the register and putting it back.
@Suite struct VectorMathRoundingTests {
  #if arch(x86_64)
    static let modes: [UInt64] = [0x2000, 0x4000, 0x6000]
  #else
    static let modes: [UInt64] = [1 << 22, 2 << 22, 3 << 22]
  #endif

  @Test(arguments: KernelSet.available, VectorFunction.allCases)
  func resultsStayNear(_ set: KernelSet, _ function: VectorFunction) {
    var x: [Float] = [47.827156, 55.451775, 3.76, 3.7, 4, 5.4, 1e-6]
    for threshold in function.thresholds where abs(threshold) < 1e30 {
      x.append(Float(threshold))
      x += (-3...3).map { Float(threshold) * (1 + Float($0) * 0x1p-23) }
    }
    // Around the multiples of ln 2 / 32 and of 1/8, where tables change over.
    for i in -4096...4096 {
      for step in [0.6931471805599453 / 32, 0.125] {
        let center = Float(Double(i) * step)
        x += [center.nextDown, center, center.nextUp]
      }
    }
    if function == .log { x = x.filter { $0 > 0 } }
    let map = function.float32(set.kernels.vectorMath)
    let reference = x.map { function.reference(Double($0)) }
    var y = [Float](repeating: 0, count: x.count)
    let before = apus_fp_control()
    for mode in Self.modes {
      x.withUnsafeBytes { from in
        y.withUnsafeMutableBytes { to in
          apus_set_fp_control(before | mode)
          map(from.baseAddress!, to.baseAddress!, x.count)
          apus_set_fp_control(before)
        }
      }
      var worst = (error: 0.0, x: Float(0), y: Float(0))
      for (i, exact) in reference.enumerated() where abs(exact) < 3e38 && abs(exact) > 2e-38 {
        let scale = function == .expMinusOne ? max(abs(exact), 1) : abs(exact)
        let error = abs(Double(y[i]) - exact) / scale
        if !(error <= worst.error) { worst = (error, x[i], y[i]) }
      }
      #expect(worst.error < 5e-5, "mode \(mode): \(worst)")
    }
  }
}
