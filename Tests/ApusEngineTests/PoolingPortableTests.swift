import ApusEngine
import ApusTestSupport
import Testing

/// Every kind, layout and direction in small problems: what also runs on emulated old CPUs.
@Suite struct PoolingPortableTests {
  @Test(arguments: InstructionSet.available, gemmTypes)
  func smallProblems(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    var sampler = PoolingSampler(type, seed: 102)
    for turn in 0..<40 {
      let trial = PoolingTrial(sampler.problem(), seed: sampler.random.next(), ties: turn % 3 == 0)
      // No guard pages: an emulator's masked loads touch whole vectors.
      if let objection = try trial.objection(context, .offset(0)) { Issue.record("\(objection)") }
    }
  }
}
