import ApusEngine
import Testing

@testable import KbenchKit

@Suite struct CheckTests {
  /// Apus's own results, whatever the problem string asks for.
  @Test(arguments: [
    "1x1x1", "17x33x65", "17x33x65:TN", "17x33x65:NT:col", "17x33x65:TT:f64", "5x7x9:b3:beta=0.5", "20x70x30:packa",
    "20x70x30:packb:col:TT", "20x70x30:packa:packb:b2", "9x33x600:rowinv", "20x40x10:bias:relu", "20x40x10:leaky:f64",
  ])
  func apusIsRight(_ text: String) throws {
    for set in InstructionSet.available {
      let context = try ExecutionContext(instructionSet: set, backend: .serial, threads: 1)
      let result = try GemmProblem(text, type: .float32).makeCase(context: context).check()
      #expect(result.isRight, "\(set.name): \(result)")
      #expect(result.checked == result.total)
    }
  }

  /// The reference notices one wrong element, and a NaN.
  @Test(arguments: [ElementType.float32, .float64]) func wrongElementsAreFound(_ type: ElementType) throws {
    let operands = try GemmOperands(GemmProblem("6x7x1000:NT:beta=1", type: type))
    func element(_ i: Int, without term: Int?) -> Double {
      (0..<1000).reduce(Buffer.value(i, 3)) { sum, k in
        k == term ? sum : sum + Buffer.value(i / 7 * 1000 + k, 1) * Buffer.value(i % 7 * 1000 + k, 2)
      }
    }
    func put(_ x: Double, _ i: Int) {
      switch type {
      case .float32: operands.c.pointer.assumingMemoryBound(to: Float.self)[i] = Float(x)
      case .float64: operands.c.pointer.assumingMemoryBound(to: Double.self)[i] = x
      }
    }
    for i in 0..<42 { put(element(i, without: nil), i) }
    #expect(GemmReference.check(operands).isRight)
    put(element(41, without: 17), 41)
    #expect(!GemmReference.check(operands).isRight)
    put(.nan, 41)
    #expect(!GemmReference.check(operands).isRight)
  }

  /// A problem above the budget is checked in part, the last element included.
  @Test func largeProblemsAreSampled() throws {
    let operands = try GemmOperands(GemmProblem("1024x1024x1024", type: .float32))
    let result = GemmReference.check(operands)
    #expect(!result.isRight)
    #expect(result.checked == GemmReference.budget / 1024)
    #expect(result.total == 1024 * 1024)
  }

  /// The operands are those of every other process.
  @Test func fillIsDeterministic() throws {
    let buffer = try Buffer(bytes: 4 * 1000)
    buffer.fill(.float32, count: 1000, seed: 1)
    let values = (0..<1000).map { buffer.element(.float32, $0) }
    #expect(values.allSatisfy { (-0.5..<0.5).contains($0) })
    #expect(abs(values.reduce(0, +)) < 50)
    #expect(Set(values).count > 900)
    buffer.fill(.float32, count: 1000, seed: 1)
    #expect((0..<1000).map { buffer.element(.float32, $0) } == values)
  }

  /// Limits come from loops that really run: positive, finite and no more than ten times a fast core of today.
  @Test func limitsArePlausible() throws {
    for set in InstructionSet.available {
      let peak = LimitMeasurement.peak(set, .float32, threads: 1)
      #expect(peak > 0.1 && peak < 3000, "\(set.name): \(peak) GFLOP/s")
      let read = try #require(
        LimitMeasurement.bandwidth(.l1, .read, set, threads: 1, machine: .current), "\(set.name)")
      #expect(read > 0.1 && read < 10_000, "\(set.name): \(read) GB/s")
    }
  }
}
