import ApusKernelInterface

/// Compares every available instruction set's kernels with plain loops, in well under a second.
public enum SelfTest {
  /// Throws `.backend` with set and kernel where a result is wrong.
  public static func run() throws(ApusError) {
    for set in InstructionSet.available {
      let context = try ExecutionContext(instructionSet: set, backend: .serial, threads: 1)
      try gemm(context, Float.self, .float32)
      try gemm(context, Double.self, .float64)
      try convolution(context, Float.self, .float32)
      try convolution(context, Double.self, .float64)
      try recurrent(context)
      try layers(context, Float.self, .float32)
      try layers(context, Double.self, .float64)
    }
  }

  /// Shapes at the edges of every tile, in all transpositions, with sigmoid, whose exp is the library's only one.
  private static func gemm<T: BinaryFloatingPoint>(
    _ context: ExecutionContext, _: T.Type, _ dataType: DataType
  ) throws(ApusError) {
    for (m, n, k) in [(1, 1, 1), (1, 70, 9), (70, 1, 65), (5, 7, 3), (15, 33, 20), (31, 66, 130)] {
      for transposes in 0..<4 {
        var descriptor = GemmDescriptor(
          dataType: dataType, m: m, n: n, k: k, transposeA: transposes & 1 != 0, transposeB: transposes & 2 != 0)
        descriptor.activation = m == 5 ? .sigmoid : .identity
        let a = UnsafeMutablePointer<T>.allocate(capacity: m * k)
        let b = UnsafeMutablePointer<T>.allocate(capacity: k * n)
        let c = UnsafeMutablePointer<T>.allocate(capacity: m * n)
        defer { for p in [a, b, c] { p.deallocate() } }
        for i in 0..<m * k { a[i] = T(Double(i * 37 % 64) / 64 - 0.5) }
        for i in 0..<k * n { b[i] = T(Double(i * 23 % 64) / 64 - 0.5) }
        c.initialize(repeating: .nan, count: m * n)
        let plan = try GemmPlan(descriptor, context: context)
        try plan.run(context: context, a: a, b: b, c: c)
        for i in 0..<m {
          for j in 0..<n {
            var sum = 0.0
            for s in 0..<k {
              sum +=
                Double(a[descriptor.transposeA ? s * m + i : i * k + s])
                * Double(b[descriptor.transposeB ? j * k + s : s * n + j])
            }
            // The inputs are multiples of 1/64, so sums are exact; sigmoid is within 2 ulp, and `logistic` within 1e-14.
            let expected = m == 5 ? logistic(sum) : sum
            if !(abs(Double(c[i * n + j]) - expected) <= 4 * Double(T.ulpOfOne) + 1e-14) {
              throw ApusError(
                .backend,
                "self test: \(context.instructionSet.name), \(plan.description): C(\(i), \(j)) is \(c[i * n + j]), "
                  + "but a plain loop gives \(expected)")
            }
          }
        }
      }
    }
  }

  /// 1 / (1 + e^-x) by a Taylor series of e^(-x/64), for |x| < 16.
  static func logistic(_ x: Double) -> Double {
    let y = -x / 64
    var term = 1.0
    var exp = 1.0
    for i in 1..<16 {
      term *= y / Double(i)
      exp += term
    }
    for _ in 0..<6 { exp *= exp }
    return 1 / (1 + exp)
  }
}
