import ApusKernelInterface
import ApusShims
import ApusTestSupport
import Testing

/// The vector functions where the caller rounds upward, downward or toward zero: no reduction may land in the wrong piece.
/// What follows the mode is the reduction of exp in sets without pieces, whose rest is then twice as long: its polynomial
/// is off by 2e-5 there. e^x - 1 is off by 4e-5, relative to the larger of itself and 1, because a power of 2 beside the
/// nearest one cancels. In float64 the errors are 2.3e-11 and 4.6e-11. The header states the bounds.
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
    let kernels = set.kernels.vectorMath
    expectNear(function, function.float32(kernels), Float.self, range: 2e-38...3e38, bound: 5e-5)
    expectNear(function, function.float64(kernels), Double.self, range: 1e-307...1e308, bound: 5e-11)
  }

  private func expectNear<T: BinaryFloatingPoint & BitwiseCopyable>(
    _ function: VectorFunction, _ map: VectorMathKernels.Map, _: T.Type, range: ClosedRange<Double>, bound: Double
  ) {
    var x: [T] = [47.827156, 55.451775, 3.76, 3.7, 4, 5.4, 1e-6]
    for threshold in function.thresholds where abs(threshold) < 1e30 {
      x.append(T(threshold))
      x += (-3...3).map { T(threshold) * (1 + T($0) * T.ulpOfOne) }
    }
    // Around the multiples of ln 2 / 32 and of 1/8, where tables change over.
    for i in -4096...4096 {
      for step in [0.6931471805599453 / 32, 0.125] {
        let center = T(Double(i) * step)
        x += [center.nextDown, center, center.nextUp]
      }
    }
    if function == .log { x = x.filter { $0 > 0 } }
    let reference = x.map { function.reference(Double($0)) }
    var y = [T](repeating: 0, count: x.count)
    let before = apus_fp_control()
    for mode in Self.modes {
      x.withUnsafeBytes { from in
        y.withUnsafeMutableBytes { to in
          apus_set_fp_control(before | mode)
          map(from.baseAddress!, to.baseAddress!, x.count)
          apus_set_fp_control(before)
        }
      }
      var worst = (error: 0.0, x: T(0), y: T(0))
      for (i, exact) in reference.enumerated() where range.contains(abs(exact)) {
        let scale = function == .expMinusOne ? max(abs(exact), 1) : abs(exact)
        let error = abs(Double(y[i]) - exact) / scale
        if !(error <= worst.error) { worst = (error, x[i], y[i]) }
      }
      #expect(worst.error < bound, "\(T.self), mode \(mode): \(worst)")
    }
  }
}
