import ApusKernelInterface
import ApusTestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

@Suite struct VectorMathTests {
  static let bound = 2.0
  /// The reference of a float64 function is exact to 1/1000 ulp with Float80, to 2 ulp with libm's own functions.
  static let bound64 = MemoryLayout<Wide>.size > 8 ? 2.5 : 4.5

  @Test(arguments: KernelSet.available, VectorFunction.allCases)
  func float32Sample(_ set: KernelSet, _ function: VectorFunction) {
    var x: [Float] = []
    // 997 is prime, so the low bits take all values.
    for pattern in stride(from: UInt64(0), to: 1 << 32, by: 997) { x.append(Float(bitPattern: UInt32(pattern))) }
    for threshold in function.thresholds {
      let center = Float(threshold)
      var low = center
      var high = center
      for _ in 0..<200 {
        x += [low, high]
        low = low.nextDown
        high = high.nextUp
      }
    }
    x += Self.specials32
    let worst = WorstError(of: function.float32(set.kernels.vectorMath), x, function)
    #expect(worst.ulp <= Self.bound, "\(worst)")
  }

  @Test(arguments: KernelSet.available, VectorFunction.allCases)
  func float64Sample(_ set: KernelSet, _ function: VectorFunction) {
    var x: [Double] = []
    // 2^20 patterns over all of float64, and as many over the range in which the functions are neither 0, 1 nor
    // infinite.
    for i in 0..<UInt64(1 << 20) { x.append(Double(bitPattern: i &* 0x9E37_79B9_7F4A_7C15)) }
    for i in 0..<UInt64(1 << 20) {
      let uniform = Double((i &* 0x9E37_79B9_7F4A_7C15) >> 11) * 0x1p-53 - 0.5
      x += [uniform * 1500, uniform * 80, uniform * 4]
    }
    for threshold in function.thresholds {
      var low = threshold
      var high = threshold
      for _ in 0..<200 {
        x += [low, high]
        low = low.nextDown
        high = high.nextUp
      }
      for i in -200...200 { x.append(threshold + Double(i) * 1e-7) }
    }
    x += Self.specials32.map { Double($0) } + [.leastNonzeroMagnitude, .leastNormalMagnitude, .greatestFiniteMagnitude]
    let worst = WorstError(of: function.float64(set.kernels.vectorMath), x, function)
    if getenv("APUS_EXHAUSTIVE") != nil { print("float64 sample", function, set, worst) }
    #expect(worst.ulp <= Self.bound64, "\(worst)")
  }

  static let specials32: [Float] = [
    0, -0.0, 1, -1, .infinity, -.infinity, .nan, -.nan, Float(bitPattern: 0x7f80_0001), Float(bitPattern: 0xffff_ffff),
    .leastNonzeroMagnitude, -.leastNonzeroMagnitude, .leastNormalMagnitude, -.leastNormalMagnitude,
    .greatestFiniteMagnitude, -.greatestFiniteMagnitude,
  ]

  /// Values that must be exact, the sign of zero included.
  @Test(arguments: KernelSet.available)
  func specialValues(_ set: KernelSet) {
    let inf = Double.infinity
    let table: [(VectorFunction, [(Double, Double)])] = [
      (.exp, [(0, 1), (-0.0, 1), (inf, inf), (-inf, 0), (1000, inf), (-1000, 0)]),
      (.expMinusOne, [(0, 0), (-0.0, -0.0), (inf, inf), (-inf, -1), (1000, inf), (-1000, -1)]),
      (.sigmoid, [(0, 0.5), (-0.0, 0.5), (inf, 1), (-inf, 0), (1000, 1), (-1000, 0)]),
      (.tanh, [(0, 0), (-0.0, -0.0), (inf, 1), (-inf, -1), (1000, 1), (-1000, -1), (1e-40, 1e-40), (-1e-40, -1e-40)]),
      (.log, [(1, 0), (0, -inf), (-0.0, -inf), (inf, inf), (-1, .nan), (-inf, .nan)]),
      (.erf, [(0, 0), (-0.0, -0.0), (inf, 1), (-inf, -1), (1000, 1), (-1000, -1)]),
      (.softplus, [(inf, inf), (-inf, 0), (1000, 1000), (-1000, 0)]),
    ]
    for (function, pairs) in table {
      let x = pairs.map { $0.0 }
      let x32 = x.map { Float($0) }
      var y = [Double](repeating: -7, count: x.count)
      var y32 = [Float](repeating: -7, count: x.count)
      function.float64(set.kernels.vectorMath)(x, &y, x.count)
      function.float32(set.kernels.vectorMath)(x32, &y32, x.count)
      for (i, pair) in pairs.enumerated() {
        if pair.1.isNaN {
          #expect(y[i].isNaN && y32[i].isNaN, "\(function)(\(pair.0)) = \(y[i])")
          continue
        }
        #expect(y[i].bitPattern == pair.1.bitPattern, "float64 \(function)(\(pair.0)) = \(y[i])")
        #expect(y32[i].bitPattern == Float(pair.1).bitPattern, "float32 \(function)(\(pair.0)) = \(y32[i])")
      }
    }
  }

  /// Every length up to a few vectors, out of place and in place: the same bits wherever an element stands, and
  /// nothing written past the end.
  @Test(arguments: KernelSet.available, VectorFunction.allCases)
  func tailsHaveTheBodysBits(_ set: KernelSet, _ function: VectorFunction) {
    let x = (0..<70).map { Float($0 * 13 % 70) * 0.31 - 9 } + [.nan]
    check(x, function.float32(set.kernels.vectorMath))
    check(x.map { Double($0) }, function.float64(set.kernels.vectorMath))
  }

  private func check<T: BinaryFloatingPoint & BitwiseCopyable>(_ x: [T], _ map: VectorMathKernels.Map) {
    func apply(_ x: [T], room: Int) -> [T] {
      var y = [T](repeating: -7, count: x.count + room)
      x.withUnsafeBytes { from in
        y.withUnsafeMutableBytes { map(from.baseAddress!, $0.baseAddress!, x.count) }
      }
      return y
    }
    func same(_ a: T, _ b: T) -> Bool { a == b || (a.isNaN && b.isNaN) }
    let single = x.map { apply([$0], room: 0)[0] }
    for start in [0, 1, 3] {
      for count in 1...(x.count - start) {
        let argument = Array(x[start..<(start + count)])
        let y = apply(argument, room: 1)
        #expect(zip(y, single[start...]).prefix(count).allSatisfy(same), "\(count) from \(start)")
        #expect(y[count] == -7, "\(count) from \(start)")
        var inPlace = argument + [-7]
        inPlace.withUnsafeMutableBytes { map($0.baseAddress!, $0.baseAddress!, count) }
        #expect(zip(inPlace, y).allSatisfy(same), "in place, \(count) from \(start)")
      }
    }
  }
}

@Suite struct ErrorInUlpTests {
  @Test func countsUnits() {
    #expect(errorInUlp(Float(1), 1.0) == 0)
    #expect(errorInUlp(Float(1).nextUp, 1.0) == 1)
    #expect(errorInUlp(Float(1).nextDown, 1.0) == 0.5)
    #expect(errorInUlp(Float.leastNonzeroMagnitude, 0.0) == 1)
    #expect(errorInUlp(Float.infinity, 0x1p128) == 0)
    #expect(errorInUlp(Float.infinity, 1e300) == 0)
    #expect(errorInUlp(Float.infinity, 0x1.ffffffp127) == 0.5)
    #expect(errorInUlp(Float.greatestFiniteMagnitude, Double.infinity) == 1)
    #expect(errorInUlp(-Float.infinity, Double.infinity) > 1e6)
    #expect(errorInUlp(Float.nan, 1.0) == .infinity)
    #expect(errorInUlp(Float(1), Double.nan) == .infinity)
    #expect(errorInUlp(Float.nan, Double.nan) == 0)
  }
}
