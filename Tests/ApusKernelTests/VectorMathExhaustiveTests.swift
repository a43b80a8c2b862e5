import ApusTestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// All 2^32 arguments of the float32 functions, a few minutes for each. Only on request, for all or one of them:
///
///     APUS_EXHAUSTIVE=1 swift test --filter VectorMathExhaustiveTests
///     APUS_EXHAUSTIVE=tanh swift test --filter VectorMathExhaustiveTests
@Suite(.serialized, .enabled(if: getenv("APUS_EXHAUSTIVE") != nil))
struct VectorMathExhaustiveTests {
  static var requested: [VectorFunction] {
    let name = getenv("APUS_EXHAUSTIVE").map { String(cString: $0) } ?? ""
    return VectorFunction(rawValue: name).map { [$0] } ?? VectorFunction.allCases
  }

  @Test(arguments: requested)
  func float32(_ function: VectorFunction) async {
    let sets = KernelSet.available
    let maps = sets.map { function.float32($0.kernels.vectorMath) }
    let parts = 2
    let worst = await withTaskGroup(of: [WorstError].self) { group in
      for part in 0..<parts {
        group.addTask { WorstError.exhaustive(function, maps, part: part, of: parts) }
      }
      return await group.reduce(into: [WorstError](repeating: WorstError(), count: sets.count)) { all, some in
        for i in all.indices { all[i].include(some[i]) }
      }
    }
    for (set, error) in zip(sets, worst) {
      print("float32 exhaustive", function, set, error)
      #expect(error.ulp <= VectorMathTests.bound, "\(set) \(error)")
    }
  }
}
