import ApusEngine
import ApusTestSupport
import Testing

/// Every direction and algorithm in a few small problems: what also runs on emulated old CPUs.
@Suite struct ConvolutionPortableTests {
  @Test(arguments: InstructionSet.available, gemmTypes)
  func smallProblems(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    var sampler = ConvolutionSampler(type, seed: 101)
    for turn in 0..<36 {
      var d = sampler.problem(products: 4000)
      if turn % 4 == 0 { d.allowsWinograd = true }
      try expectRight(
        d, ConvolutionDirection.allCases[turn % 3], context, accumulate: turn % 2 == 0, seed: sampler.random.next())
    }
  }
}
