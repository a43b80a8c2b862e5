import Apus
import Testing

@Suite struct TrainingMemoryTests {
  /// Once its memory is there, a step takes no more from the system. In a process of its own, whose counts are its own.
  @Test func aSteadyStepTakesNothingFromTheSystem() async {
    await #expect(processExitsWith: .success) {
      RandomGenerator(seed: 1).use {
        let model = Sequential {
          Conv2D(inputChannels: 1, outputChannels: 6, kernelSize: 5, padding: [2])
          Tanh()
          MaxPool2D(2)
          Flatten()
          Linear(6 * 14 * 14, 10)
        }
        let optimizer = Adam(model.parameters)
        let (x, labels) = (Tensor.normal([16, 1, 28, 28]), Tensor((0..<16).map { Int32($0 % 10) }))
        func step() {
          softmaxCrossEntropy(model(x), labels).backward()
          model.parameters.clipGradients(toNorm: 1)
          optimizer.step()
        }
        for _ in 0..<5 { step() }
        let before = TensorMemory.blocksFromSystem
        for _ in 0..<50 { step() }
        let after = TensorMemory.blocksFromSystem
        precondition(before > 0 && after == before, "\(after - before) blocks in 50 steps")
        // What was let go is kept for later, until it is asked back.
        precondition(TensorMemory.idleBytes > 0)
        trimMemory()
        precondition(TensorMemory.idleBytes == 0)
      }
    }
  }
}
